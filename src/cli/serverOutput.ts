/** The output of the shipped servers while they run. A reader that does not read must not keep them from answering. */
import { LAST_WORDS_MS, waitingStream } from "../logStream.ts"
import { visibleLines } from "../logText.ts"

interface ServerOutput {
  /** One JSON value, or one line for people. False if it was dropped, because nobody reads and the buffer is full. */
  tell(value: Readonly<Record<string, unknown>>, line: string): boolean
  /** Writes the buffer, as far as the reader takes it within a moment. */
  end(): void
}

export function serverOutput(json: boolean): ServerOutput {
  const form = (value: Readonly<Record<string, unknown>>, line: string): string =>
    `${visibleLines(json ? JSON.stringify(value) : line)}\n`
  const stdout = waitingStream(1, process.stdout.isTTY, (count) =>
    form({ event: "lost", count }, `${count} lines were lost here: they could not be written`),
  )
  return {
    tell: (value, line) => stdout.write(form(value, line)),
    end: () => stdout.end(LAST_WORDS_MS),
  }
}
