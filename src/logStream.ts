/**
 * stderr of a process that must not wait for the reader of its log: a paused terminal, a collector that hangs. Owns
 * the bounded queue of text that the reader has not taken, and the count of lines that had no room in it.
 */
import { writeSync } from "node:fs"
import { libc } from "./hardening/libc.ts"

export interface LogStream {
  readonly isTerminal: boolean
  /** One line with its end. Returns at once; the line is dropped and counted if there is no room. */
  write(line: string): void
}

export interface WaitingStream extends LogStream {
  /** Whether the line was taken. */
  write(line: string): boolean
  /** Writes what is queued, as far as the reader takes it within `patienceMs`. */
  end(patienceMs: number): void
}

/** Bytes kept of a log that nobody reads: some thousands of lines. */
export const MAX_QUEUED_BYTES = 1024 * 1024
/** How long the end of a process waits for the reader of its log. */
export const LAST_WORDS_MS = 500
/** PIPE_BUF: a pipe that poll(2) reports as writable takes this many bytes without blocking. */
const CHUNK_BYTES = 4096
const RETRY_MS = 50

/** `lostLine` makes the line that says how many were dropped; it is written as soon as there is room again. */
export function waitingStream(fd: number, isTerminal: boolean, lostLine: (count: number) => string): WaitingStream {
  return new Waiting(fd, isTerminal, lostLine)
}

class Waiting implements WaitingStream {
  readonly #queue: Buffer[] = []
  #queuedBytes = 0
  #lost = 0
  #retry: ReturnType<typeof setTimeout> | undefined

  constructor(
    private readonly fd: number,
    readonly isTerminal: boolean,
    private readonly lostLine: (count: number) => string,
  ) {}

  write(line: string): boolean {
    const isTaken = this.#put(line)
    if (this.#retry === undefined) this.#drain()
    return isTaken
  }

  end(patienceMs: number): void {
    const until = performance.now() + patienceMs
    clearTimeout(this.#retry)
    this.#retry = undefined
    this.#tellLost()
    while (this.#queue.length > 0 && isWritable(this.fd, Math.max(0, until - performance.now()))) {
      const done = this.#writeSome()
      if (done === "gone") return
      if (done === "full") Bun.sleepSync(1)
      this.#tellLost()
      if (performance.now() > until) return
    }
  }

  /** After a line had no room, none is taken until half of the queue is read. So no line is missing between two others without a note. */
  #put(line: string): boolean {
    const bytes = Buffer.from(line, "utf8")
    if (this.#lost > 0 || this.#queuedBytes + bytes.length > MAX_QUEUED_BYTES) {
      this.#lost += 1
      return false
    }
    this.#queue.push(bytes)
    this.#queuedBytes += bytes.length
    return true
  }

  #tellLost(): void {
    if (this.#lost === 0 || this.#queuedBytes > MAX_QUEUED_BYTES / 2) return
    const count = this.#lost
    this.#lost = 0
    this.#put(this.lostLine(count))
  }

  #drain(): void {
    this.#retry = undefined
    // First reports, once, what could not be written before. A reader that is gone is not tried in a loop.
    if (this.#queue.length === 0) this.#tellLost()
    while (this.#queue.length > 0) {
      const done = isWritable(this.fd, 0) ? this.#writeSome() : "full"
      if (done === "gone") return
      if (done === "full") {
        // Not unref'd: this timer may be the only thing left that writes the last lines.
        this.#retry = setTimeout(() => this.#drain(), RETRY_MS)
        return
      }
      this.#tellLost()
    }
  }

  /** Part of the first line. `full`: the reader must be waited for. `gone`: what was queued is lost, and the next line tries again. */
  #writeSome(): "written" | "full" | "gone" {
    const [first] = this.#queue
    if (first === undefined) return "written"
    try {
      const written = writeSync(this.fd, first.subarray(0, CHUNK_BYTES))
      this.#queuedBytes -= written
      if (written < first.length) this.#queue[0] = first.subarray(written)
      else this.#queue.shift()
      return "written"
    } catch (error) {
      if (error instanceof Error && "code" in error && error.code === "EAGAIN") return "full"
      // A pipe without a reader, or a full disk behind it: the node does not stop for it, and does not try for ever.
      this.#lost += this.#queue.length
      this.#queue.length = 0
      this.#queuedBytes = 0
      return "gone"
    }
  }
}

/** Whether a write of up to 4096 bytes would not block within that many ms. If the C library cannot be asked: yes. */
export function isWritable(fd: number, timeoutMs: number): boolean {
  try {
    return libc().isWritable(fd, Math.ceil(timeoutMs))
  } catch {
    return true
  }
}
