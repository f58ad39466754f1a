/** What the shipped servers print while they run: whoever does not read it must not keep them from answering. */
import { LAST_WORDS_MS, waitingStream } from "../logStream.ts"
import { visibleLines } from "../logText.ts"

interface ServerOutput {
  /** One JSON value, or one line for people. False if it was dropped: nobody reads, and what waits is at its bound. */
  tell(value: Readonly<Record<string, unknown>>, line: string): boolean
  /** Writes what waits, as far as the reader takes it within a moment. */
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
