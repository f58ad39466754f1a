/**
 * A file that is either complete or does not exist: written under another name in the same folder, mode 600, flushed, and renamed at the
 * end. An existing file is never replaced.
 */
import { dirname } from "node:path"
import { utf8 } from "../bytes.ts"
import { CosignerError } from "../errors.ts"
import { errnoOf, isTaken, makeFolder, NewFile, nameNew } from "../files.ts"

export class OutputFile implements Disposable {
  readonly #file: NewFile

  /** Throws E-KEY-035 if `path` exists, E-CLI-009 if its folder cannot be made or written. */
  constructor(readonly path: string) {
    this.#file = this.#writing(() => {
      makeFolder(dirname(path))
      if (isTaken(path)) throw new CosignerError("E-KEY-035", { path })
      return new NewFile(path)
    })
  }

  write(text: string): void {
    this.#writing(() => this.#file.write(utf8(text)))
  }

  /** Gives the file its name. Before this, and without it, there is no file. */
  finish(): void {
    this.#writing(() => this.#file.finish(nameNew))
  }

  [Symbol.dispose](): void {
    this.#file[Symbol.dispose]()
  }

  #writing<T>(action: () => T): T {
    const { path } = this
    try {
      return action()
    } catch (cause) {
      if (cause instanceof CosignerError) throw cause
      if (errnoOf(cause) === "EEXIST") throw new CosignerError("E-KEY-035", { path }, { cause })
      throw new CosignerError("E-CLI-009", { path, why: whyUnwritable(errnoOf(cause)) }, { cause })
    }
  }
}

const REASONS: ReadonlyMap<string | undefined, string> = new Map([
  ["EACCES", "this user may not write there"],
  ["EPERM", "this user may not write there"],
  ["EROFS", "the file system is read-only"],
  ["ENOSPC", "the disk is full"],
  ["ENOTDIR", "a part of the path is not a folder"],
  ["ENOENT", "the folder cannot be made"],
])

const whyUnwritable = (code: string | undefined): string =>
  REASONS.get(code) ?? (code === undefined ? "writing failed" : `writing failed (${code})`)
