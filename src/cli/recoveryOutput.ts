/**
 * A file that is either complete or not there: written beside its place, mode 600, flushed, and given its name at the end.
 * An existing file is never replaced.
 */
import { closeSync, fsyncSync, linkSync, mkdirSync, openSync, renameSync, rmSync, statSync, writeSync } from "node:fs"
import { basename, dirname, join } from "node:path"
import { CosignerError } from "../errors.ts"

export class NewFile implements Disposable {
  readonly #temporary: string
  #fd: number | undefined

  /** Throws E-KEY-035 if `path` exists, E-CLI-009 if its folder cannot be made or written. */
  constructor(readonly path: string) {
    this.#temporary = join(dirname(path), `.${basename(path)}.${process.pid}.partial`)
    this.#fd = this.#writing(() => {
      mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
      if (exists(path)) throw new CosignerError("E-KEY-035", { path })
      return openSync(this.#temporary, "wx", 0o600)
    })
  }

  write(text: string): void {
    const fd = this.#open()
    this.#writing(() => {
      for (let rest = Buffer.from(text, "utf8"); rest.length > 0; ) rest = rest.subarray(writeSync(fd, rest))
    })
  }

  /** Gives the file its name. Before this, and without it, there is no file. */
  finish(): void {
    const fd = this.#open()
    this.#writing(() => {
      fsyncSync(fd)
      closeSync(fd)
      this.#fd = undefined
      giveName(this.#temporary, this.path)
      syncFolder(dirname(this.path))
    })
  }

  [Symbol.dispose](): void {
    if (this.#fd !== undefined) closeSync(this.#fd)
    this.#fd = undefined
    rmSync(this.#temporary, { force: true })
  }

  #open(): number {
    if (this.#fd === undefined) throw new TypeError("the file is finished")
    return this.#fd
  }

  #writing<T>(action: () => T): T {
    try {
      return action()
    } catch (cause) {
      if (cause instanceof CosignerError) throw cause
      throw new CosignerError("E-CLI-009", { path: this.path, why: whyUnwritable(cause) }, { cause })
    }
  }
}

/** A link refuses an existing name, which a rename would replace; file systems without links get the rename. */
function giveName(temporary: string, path: string): void {
  try {
    linkSync(temporary, path)
    rmSync(temporary)
  } catch (cause) {
    if (isErrno(cause) && cause.code === "EEXIST") throw new CosignerError("E-KEY-035", { path }, { cause })
    if (exists(path)) throw new CosignerError("E-KEY-035", { path }, { cause })
    renameSync(temporary, path)
  }
}

function syncFolder(folder: string): void {
  const fd = openSync(folder, "r")
  try {
    fsyncSync(fd)
  } finally {
    closeSync(fd)
  }
}

const exists = (path: string): boolean => statSync(path, { throwIfNoEntry: false }) !== undefined

export const isErrno = (error: unknown): error is NodeJS.ErrnoException => error instanceof Error && "code" in error

const REASONS: ReadonlyMap<string | undefined, string> = new Map([
  ["EACCES", "this user may not write there"],
  ["EPERM", "this user may not write there"],
  ["EROFS", "the file system is read-only"],
  ["ENOSPC", "the disk is full"],
  ["ENOTDIR", "a part of the path is not a folder"],
  ["ENOENT", "the folder cannot be made"],
])

const whyUnwritable = (cause: unknown): string =>
  isErrno(cause) ? (REASONS.get(cause.code) ?? `writing failed (${cause.code})`) : "writing failed"
