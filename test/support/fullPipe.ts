/** A pipe that is full and that nobody reads: what a hanging log collector leaves of a process's stderr. */
import { closeSync, constants, openSync, readSync, writeSync } from "node:fs"

export interface FullPipe extends Disposable {
  /** Writing to it blocks. */
  readonly stderr: number
  /** What is in it now, which makes room. */
  read(): string
}

/** Makes it at `path`, which must not exist. */
export function fullPipe(path: string): FullPipe {
  Bun.spawnSync(["mkfifo", path])
  const filler = openSync(path, constants.O_RDWR | constants.O_NONBLOCK)
  const stderr = openSync(path, constants.O_WRONLY)
  // To the last byte: a pipe with some room left would take a few lines.
  for (const bytes of [4096, 1]) {
    try {
      for (;;) writeSync(filler, Buffer.alloc(bytes, "x"))
    } catch {}
  }
  return {
    stderr,
    read() {
      const bytes = Buffer.alloc(64 * 1024)
      try {
        return bytes.toString("utf8", 0, readSync(filler, bytes))
      } catch {
        return ""
      }
    },
    [Symbol.dispose]() {
      closeSync(filler)
      closeSync(stderr)
    },
  }
}
