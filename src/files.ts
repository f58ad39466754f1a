/**
 * Files whose bytes must survive a power failure, and files that only their owner may read.
 * A file is created exclusively (O_EXCL: a link at that name is refused, never followed), flushed, and gets its name
 * only when it is whole; then its folder is flushed. A private file is judged after it was opened.
 * Failures are the system's own errors; each caller gives them the code of its part.
 */
import {
  closeSync,
  constants,
  fstatSync,
  fsyncSync,
  linkSync,
  lstatSync,
  mkdirSync,
  openSync,
  readFileSync,
  readSync,
  realpathSync,
  renameSync,
  rmSync,
  type Stats,
  statSync,
  writeSync,
} from "node:fs"
import { link, lstat, mkdir, open, rename, rm } from "node:fs/promises"
import { basename, dirname, join } from "node:path"
import { Secret } from "./secret.ts"

/** Mode of every file that may hold a secret. */
const OWNER_ONLY = 0o600

/** `ENOENT`, `EACCES`: the system's name of a failure. Undefined for any other error. */
export const errnoOf = (error: unknown): string | undefined =>
  error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : undefined

/** Whether anything has this name, including a link that leads nowhere. */
export const isTaken = (path: string): boolean => lstatSync(path, { throwIfNoEntry: false }) !== undefined

// ---- writing -------------------------------------------------------------------------------------------------------

/** Flushes a file, or a folder, which makes new names in it durable. */
export function syncPath(path: string): void {
  const fd = openSync(path, "r")
  try {
    fsyncSync(fd)
  } finally {
    closeSync(fd)
  }
}

/**
 * Makes the folder and missing folders above it, mode 700, durably: every new name is flushed with its parent. Throws ENOTDIR if
 * something else has the name. The system says EEXIST, but that would read as if the file to be written already existed.
 */
export function makeFolder(folder: string): void {
  const first = made(folder)
  if (first === undefined) return
  for (let at = folder; ; at = dirname(at)) {
    syncPath(dirname(at))
    if (at === first || at === dirname(at)) return
  }
}

function made(folder: string): string | undefined {
  try {
    return mkdirSync(folder, { recursive: true, mode: 0o700 })
  } catch (cause) {
    if (errnoOf(cause) !== "EEXIST") throw cause
    throw Object.assign(new Error("something that is no folder has the name", { cause }), { code: "ENOTDIR" })
  }
}

const NEW = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW

/** A new, empty file, open for writing. EEXIST if anything has that name, a link included. */
export const createFile = (path: string, mode = OWNER_ONLY): number => openSync(path, NEW, mode)

/** Writes all of the bytes: one call may write fewer than it was given. */
function writeAll(fd: number, bytes: Uint8Array): void {
  for (let at = 0; at < bytes.length; ) at += writeSync(fd, bytes, at)
}

/**
 * Gives a finished draft its name, which must be free (EEXIST), durably. A hard link refuses a taken name, which a rename
 * would replace; file systems without links get the rename.
 */
export function nameNew(draft: string, path: string): void {
  if (linked(draft, path)) rmSync(draft)
  else renameSync(draft, path)
  syncPath(dirname(path))
}

function linked(draft: string, path: string): boolean {
  try {
    linkSync(draft, path)
    return true
  } catch (cause) {
    if (isTaken(path)) throw taken(path, cause)
    return false
  }
}

const taken = (path: string, cause: unknown): Error =>
  Object.assign(new Error("the name is taken", { cause }), { code: "EEXIST", path })

/** A file that is either complete or does not exist. Dispose it: a draft that was not finished is removed. */
export class NewFile implements Disposable {
  readonly #path: string
  readonly #draft: string
  #fd: number | undefined

  /** The draft is beside the file. A draft of that name from an earlier run is removed. */
  constructor(
    path: string,
    draft = join(dirname(path), `.${basename(path)}.${process.pid}.partial`),
    mode = OWNER_ONLY,
  ) {
    this.#path = path
    this.#draft = draft
    rmSync(draft, { force: true })
    this.#fd = createFile(draft, mode)
  }

  write(bytes: Uint8Array): void {
    writeAll(this.#open(), bytes)
  }

  /** Flushes the file and names it; `name` says how. Before this, the old file of that name stays as it was. */
  finish(name: (draft: string, path: string) => void): void {
    const fd = this.#open()
    fsyncSync(fd)
    closeSync(fd)
    this.#fd = undefined
    name(this.#draft, this.#path)
  }

  [Symbol.dispose](): void {
    if (this.#fd !== undefined) closeSync(this.#fd)
    this.#fd = undefined
    discard(this.#draft)
  }

  #open(): number {
    if (this.#fd === undefined) throw new TypeError("the file is finished")
    return this.#fd
  }
}

/** Removes an unfinished draft, if there is one. If it cannot be read, it was not begun, and the first failure counts. */
function discard(path: string): void {
  try {
    rmSync(path, { force: true })
  } catch (error) {
    if (errnoOf(error) === undefined) throw error
  }
}

/** Gives a finished draft its name, durably, replacing any file of that name. A link of that name is replaced, not followed. */
export function nameOver(draft: string, path: string): void {
  renameSync(draft, path)
  syncPath(dirname(path))
}

/** Writes a whole new file, durably. EEXIST if its name is taken. */
export const writeNew = (path: string, text: string, mode = OWNER_ONLY): void => write(path, text, mode, nameNew)

/** Writes a whole file durably, replacing an existing one: at every moment one of the two is whole. */
export const replaceFile = (path: string, text: string, mode = OWNER_ONLY): void => write(path, text, mode, nameOver)

/**
 * Like writeNew, but on other threads than the caller's: for a folder that may not be reachable, such as a mounted one, and would then
 * block the caller. Makes the folder, mode 700.
 */
export async function writeNewAway(path: string, text: string): Promise<void> {
  const draft = `${path}.new`
  await mkdir(dirname(path), { recursive: true, mode: 0o700 })
  await rm(draft, { force: true })
  try {
    await using file = await open(draft, NEW, OWNER_ONLY)
    await file.writeFile(text)
    await file.sync()
    await link(draft, path).catch(async (cause: unknown) => {
      if (await lstat(path).catch(() => undefined)) throw taken(path, cause)
      await rename(draft, path)
    })
  } finally {
    await rm(draft, { force: true })
  }
  await using folder = await open(dirname(path), "r")
  await folder.sync()
}

function write(path: string, text: string, mode: number, name: (draft: string, path: string) => void): void {
  using file = new NewFile(path, `${path}.new`, mode)
  file.write(Buffer.from(text, "utf8"))
  file.finish(name)
}

// ---- private files -------------------------------------------------------------------------------------------------

/** Why a private file was not read, as a text that follows "the file cannot be used: ". */
export class UnusableFile extends Error {
  override readonly name = "UnusableFile"
}

export interface Judged {
  /** Accepts modes that let others read the file. */
  readonly allowReadable?: boolean
  /** Called for something that was accepted but that somebody should know. */
  readonly tell?: (note: string) => void
}

/**
 * The bytes of a file that only its owner may read, at most `most` of them. The name is resolved once (a mounted volume may
 * lead to it through links), then opened without following a further link or waiting for a pipe. Kind, mode and folder are checked
 * on the open file. The caller disposes the result. Throws UnusableFile, whose cause is the system's error.
 */
export function readPrivate(path: string, most: number, judged: Judged = {}): Secret {
  const real = resolved(path)
  const fd = openPrivate(real)
  try {
    const why = whyNotPrivate(real, fstatSync(fd), judged)
    if (why !== undefined) throw new UnusableFile(why)
    return readAtMost(fd, most)
  } finally {
    closeSync(fd)
  }
}

const OTHERS = 0o077
const OTHERS_READ = 0o044
const STICKY = 0o1000

function whyNotPrivate(real: string, stat: Stats, { allowReadable = false, tell }: Judged): string | undefined {
  if (!stat.isFile()) return "it is not a regular file"
  const folder = dirname(real)
  const { mode: folderMode } = statSync(folder)
  if ((folderMode & 0o002) !== 0 && (folderMode & STICKY) === 0) {
    return `anybody may put another file in its place: chmod o-w ${folder}`
  }
  if ((stat.mode & OTHERS) === 0) return undefined
  const mode = (stat.mode & 0o777).toString(8).padStart(3, "0")
  if ((stat.mode & OTHERS & ~OTHERS_READ) === 0 && isReadOnly(stat.dev, mountInfo())) {
    tell?.(`${real} has mode ${mode}; it stands on a read-only file system, which nobody can write`)
    return undefined
  }
  if (!allowReadable) return `its mode is ${mode}, others may use it: chmod 600 ${real}`
  tell?.(`${real} has mode ${mode}: others may read it, which danger_allow_readable_key_file accepts`)
  return undefined
}

/**
 * Whether the file system of that device is read-only as a whole, by the text of /proc/self/mountinfo (proc(5)). A mount that
 * is read-only only here, like those of containers, may be writable elsewhere on the host, and does not count.
 */
export function isReadOnly(device: number, mounts: string): boolean {
  const major = ((device >>> 8) & 0xfff) | (Math.floor(device / 2 ** 32) & ~0xfff)
  const minor = (device & 0xff) | ((device >>> 12) & ~0xff)
  const own = mounts.split("\n").find((line) => line.split(" ")[2] === `${major}:${minor}`)
  return own?.split(" ").at(-1)?.split(",").includes("ro") === true
}

function mountInfo(): string {
  try {
    return readFileSync("/proc/self/mountinfo", "utf8")
  } catch {
    // Other systems have no such file, and then only mode 600 is known to be safe.
    return ""
  }
}

function resolved(path: string): string {
  try {
    return realpathSync(path)
  } catch (cause) {
    throw new UnusableFile(whyNotOpened(errnoOf(cause)), { cause })
  }
}

function openPrivate(path: string): number {
  try {
    return openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK)
  } catch (cause) {
    throw new UnusableFile(whyNotOpened(errnoOf(cause)), { cause })
  }
}

function readAtMost(fd: number, most: number): Secret {
  const buffer = new Uint8Array(most + 1)
  try {
    let length = 0
    for (;;) {
      const read = readSync(fd, buffer, length, buffer.length - length, null)
      length += read
      if (read === 0 || length === buffer.length) break
    }
    if (length > most) throw new UnusableFile(`it is longer than ${most} bytes`)
    return Secret.from(buffer.subarray(0, length))
  } finally {
    buffer.fill(0)
  }
}

function whyNotOpened(code: string | undefined): string {
  if (code === "ELOOP") return "it leads from link to link"
  if (code === "ENOENT") return "there is no such file"
  if (code === "EACCES") return "this user may not read it"
  return code === undefined ? "it cannot be opened" : `it cannot be opened (${code})`
}
