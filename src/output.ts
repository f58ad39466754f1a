/**
 * The output of a command: results to stdout, remarks to stderr. With --json stdout carries only JSON, one value per line.
 * Writes are synchronous, so that nothing is lost at the end; a reader that went away (`| head -1`) is not an error.
 * Both may contain text of strangers: characters that would control the terminal, or are invisible, are escaped as in logs.
 */
import { writeSync } from "node:fs"
import { CosignerError } from "./errors.ts"
import { visibleLines } from "./logText.ts"

export interface Output {
  readonly json: boolean
  /** A line of text for people; nothing with --json. */
  line(text: string): void
  /** One JSON value on one line, whether --json was given or not. */
  value(value: unknown): void
  /** The result in the requested form: `value` as JSON, or `lines`. */
  result(value: unknown, lines: readonly string[]): void
  /** A remark to stderr, whichever form stdout has. */
  note(text: string): void
}

export type WriteText = (fd: 1 | 2, text: string) => void

export const output = (json: boolean, write: WriteText = writeAll): Output => {
  const line = (text: string) => {
    if (!json) write(1, `${visibleLines(text)}\n`)
  }
  const value = (value: unknown) => write(1, `${visibleLines(JSON.stringify(value, bigints))}\n`)
  return {
    json,
    line,
    value,
    result: (answer, lines) => (json ? value(answer) : lines.forEach(line)),
    note: (text) => write(2, `${visibleLines(text)}\n`),
  }
}

/** BigInts are decimal strings in our JSON: share ids exceed every number type of its readers. */
const bigints = (_key: string, value: unknown): unknown => (typeof value === "bigint" ? value.toString() : value)

/** How long a remark waits for the reader of stderr. */
const REMARK_MS = 2_000

/**
 * Writes all of `text` now. Besides the log's sink this is the only code that touches the standard streams. Throws E-CLI-013 for a
 * result that cannot be written. A remark or a log line that cannot be written is dropped, also after a while with a full pipe that
 * nobody reads: there is nobody to report it to, and no process waits for it.
 */
export function writeAll(fd: 1 | 2, text: string): void {
  const giveUpAt = performance.now() + REMARK_MS
  let rest = Buffer.from(text, "utf8")
  while (rest.length > 0) {
    try {
      rest = rest.subarray(writeSync(fd, rest))
    } catch (error) {
      const code = error instanceof Error && "code" in error ? error.code : undefined
      if (code === "EPIPE") return
      if (code !== "EAGAIN") {
        if (fd === 2) return
        throw new CosignerError("E-CLI-013", { why: String(code ?? error) }, { cause: error })
      }
      if (fd === 2 && performance.now() > giveUpAt) return
      // a non-blocking pipe that is full: give its reader a moment
      Bun.sleepSync(1)
    }
  }
}
