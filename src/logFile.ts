/**
 * A log file that rotates, and that no writer waits for. Lines go into a bounded queue, and one write at a time takes them
 * from there on a thread of the runtime's pool. A disk that is slow, full or gone (NFS) costs lines. They are counted, and the
 * file reports their number as soon as it takes lines again.
 */
import { close, fstat, fstatSync, open, openSync, rename, rm, write } from "node:fs"
import { promisify } from "node:util"
import { sleep } from "./sleep.ts"

interface LogFileOptions {
  readonly path: string
  /** The file is renamed before it grows beyond this. */
  readonly maxBytes: number
  /** How many renamed files are kept: path.1 is the newest. */
  readonly maxFiles: number
  /** The line that says how many lines are missing before it. */
  readonly lostLine: (count: number) => string
  /** Called once when the file stops taking lines, and again only after it has taken some. */
  readonly onFailure: (why: unknown) => void
}

interface LogFile {
  /** One line with its end. Returns at once; the line is dropped and counted if there is no room. */
  write(line: string): void
  /** Goes on in a new file of the same name, once what was written before is in the old one. */
  reopen(): void
  /** Resolves when everything is written, or after `patienceMs`. Nothing is written afterwards. */
  close(patienceMs: number): Promise<void>
}

const MAX_QUEUED_BYTES = 1024 * 1024
const CHUNK_BYTES = 64 * 1024
/** Pause after a failed write. */
const RETRY_MS = 1_000
const NEWLINE = 0x0a

// Once the file is open, this thread makes no call on it: each of them may hang as a write does.
const writeSome = promisify(write)
const closeFile = promisify(close)
const openFile = promisify(open)
const statFile = promisify(fstat)
const renameFile = promisify(rename)
const removeFile = promisify(rm)
const MODE = 0o600

/** Throws the system's error if it cannot be opened. */
export const openLogFile = (options: LogFileOptions): LogFile => new RotatingFile(options)

/** A line, or an action between two lines. */
type LogEntry = Buffer | { readonly missing: number } | "reopen"

class RotatingFile implements LogFile {
  readonly #options: LogFileOptions
  readonly #queue: LogEntry[] = []
  #queuedBytes = 0
  /** Lines that had no room; they belong behind the queue. */
  #dropped = 0
  /** Lines that are missing at the end of the file. */
  #missing = 0
  #fd: number | undefined
  #size = 0
  /** A failure cut a line: the next one begins on a line of its own. */
  #isTorn = false
  #isFailing = false
  /** Ends the wait after a failure. */
  #retry = new AbortController()
  #writing: Promise<void> | undefined
  #isClosed = false

  constructor(options: LogFileOptions) {
    this.#options = options
    // The first opening happens now, so that a file that cannot be opened stops the start.
    this.#fd = openSync(options.path, "a", MODE)
    this.#size = fstatSync(this.#fd).size
  }

  write(line: string): void {
    if (this.#isClosed) return
    const bytes = Buffer.from(line, "utf8")
    // After a line had no room, none is taken until half of the queue is written. So no line is missing between two others without a note.
    if (this.#dropped > 0 || this.#queuedBytes + bytes.length > MAX_QUEUED_BYTES) {
      this.#dropped += 1
      this.#fail("it does not take lines as fast as they come")
    } else {
      this.#queue.push(bytes)
      this.#queuedBytes += bytes.length
    }
    this.#start()
  }

  reopen(): void {
    this.#queue.push("reopen")
    this.#retry.abort()
    this.#start()
  }

  async close(patienceMs: number): Promise<void> {
    this.#queueDropped(0)
    this.#retry.abort()
    this.#start()
    const waited = new AbortController()
    await Promise.race([this.#writing, sleep(patienceMs, waited.signal)])
    waited.abort()
    this.#isClosed = true
    if (this.#writing === undefined) await this.#closeFd()
  }

  #queueDropped(mostQueued: number): void {
    if (this.#dropped === 0 || (mostQueued > 0 && this.#queuedBytes > mostQueued)) return
    this.#queue.push({ missing: this.#dropped })
    this.#dropped = 0
  }

  #start(): void {
    this.#writing ??= this.#writeAll().finally(() => {
      this.#writing = undefined
      if (this.#isClosed) void this.#closeFd()
    })
  }

  async #writeAll(): Promise<void> {
    while (this.#queue.length > 0 && !this.#isClosed) {
      try {
        await this.#writeNext()
      } catch (error) {
        await this.#closeFd()
        this.#fail(error)
        await sleep(RETRY_MS, this.#retry.signal)
        this.#retry = new AbortController()
      }
      this.#queueDropped(MAX_QUEUED_BYTES / 2)
    }
  }

  /** Throws after counting the lines that are not whole in the file. */
  async #writeNext(): Promise<void> {
    const [first] = this.#queue
    if (first === "reopen") {
      this.#queue.shift()
      return await this.#closeFd()
    }
    if (first !== undefined && !Buffer.isBuffer(first)) {
      this.#queue.shift()
      this.#missing += first.missing
    }
    const bytes = Buffer.concat(this.#takeLines())
    let at = 0
    try {
      const told = this.#missing
      if (told > 0) await this.#append(Buffer.from(this.#options.lostLine(told), "utf8"), () => {})
      this.#missing -= told
      await this.#append(bytes, (written) => {
        at = written
      })
      if (bytes.length > 0) this.#isFailing = false
    } catch (error) {
      this.#missing += bytes.subarray(at).filter((byte) => byte === NEWLINE).length
      throw error
    }
  }

  /** Lines that follow one another at the head of the queue. */
  #takeLines(): readonly Buffer[] {
    const taken: Buffer[] = []
    let length = 0
    for (let next = this.#queue[0]; Buffer.isBuffer(next); next = this.#queue[0]) {
      if (taken.length > 0 && length + next.length > CHUNK_BYTES) break
      length += next.length
      taken.push(next)
      this.#queue.shift()
    }
    this.#queuedBytes -= length
    return taken
  }

  async #append(bytes: Buffer, onWritten: (at: number) => void): Promise<void> {
    if (this.#fd === undefined) await this.#open()
    if (this.#size > 0 && this.#size + bytes.length > this.#options.maxBytes) await this.#rotate()
    const fd = this.#fd ?? (await this.#open())
    if (this.#isTorn) await writeSome(fd, Buffer.of(NEWLINE))
    this.#isTorn = false
    let at = 0
    try {
      while (at < bytes.length) {
        const { bytesWritten } = await writeSome(fd, bytes, at, bytes.length - at, null)
        at += bytesWritten
        onWritten(at)
      }
    } finally {
      this.#size += at
      this.#isTorn = at > 0 && bytes[at - 1] !== NEWLINE
    }
  }

  async #rotate(): Promise<void> {
    await this.#closeFd()
    const { path, maxFiles } = this.#options
    for (let i = maxFiles - 1; i > 0; i--) await renameIfThere(`${path}.${i}`, `${path}.${i + 1}`)
    if (maxFiles > 0) await renameIfThere(path, `${path}.1`)
    else await removeFile(path, { force: true })
  }

  async #open(): Promise<number> {
    const fd = await openFile(this.#options.path, "a", MODE)
    this.#fd = fd
    this.#size = (await statFile(fd)).size
    return fd
  }

  async #closeFd(): Promise<void> {
    const fd = this.#fd
    this.#fd = undefined
    if (fd !== undefined) await closeFile(fd).catch(() => undefined)
  }

  #fail(why: unknown): void {
    if (!this.#isFailing) this.#options.onFailure(why)
    this.#isFailing = true
  }
}

async function renameIfThere(from: string, to: string): Promise<void> {
  try {
    await renameFile(from, to)
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "ENOENT")) throw error
  }
}
