/** A password in a file that only its owner reads: judged on the open file, read into memory that is wiped. */
import { closeSync, constants, fstatSync, openSync, readSync } from "node:fs"
import { CosignerError } from "../errors.ts"
import { Secret } from "../secret.ts"

/** More is no password. */
export const MOST_BYTES = 1024

/** Opens without following a link, judges the open file itself, trims one trailing newline. */
export function readKeyFile(path: string, allowReadable: boolean): Secret {
  const fd = openKeyFile(path)
  try {
    const stat = fstatSync(fd)
    if (!stat.isFile()) throw new CosignerError("E-CLI-007", { path, why: "it is not a regular file" })
    if (!allowReadable && (stat.mode & 0o077) !== 0) {
      const mode = (stat.mode & 0o777).toString(8).padStart(3, "0")
      throw new CosignerError("E-CLI-007", { path, why: `its mode is ${mode}, others may read it` })
    }
    return readPassword(fd, path)
  } finally {
    closeSync(fd)
  }
}

function openKeyFile(path: string): number {
  try {
    return openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK)
  } catch (cause) {
    throw new CosignerError("E-CLI-007", { path, why: whyNot(cause) }, { cause })
  }
}

function readPassword(fd: number, path: string): Secret {
  const buffer = new Uint8Array(MOST_BYTES + 2)
  try {
    let length = 0
    for (;;) {
      const read = readSync(fd, buffer, length, buffer.length - length, null)
      length += read
      if (read === 0 || length === buffer.length) break
    }
    if (buffer[length - 1] === 0x0a) length--
    if (length > 0 && buffer[length - 1] === 0x0d) length--
    if (length === 0) throw new CosignerError("E-CLI-007", { path, why: "it is empty" })
    if (length > MOST_BYTES) {
      throw new CosignerError("E-CLI-007", { path, why: `it is longer than ${MOST_BYTES} bytes` })
    }
    return Secret.from(buffer.subarray(0, length))
  } finally {
    buffer.fill(0)
  }
}

export const isErrno = (error: unknown): error is NodeJS.ErrnoException => error instanceof Error && "code" in error

function whyNot(cause: unknown): string {
  if (!isErrno(cause)) return "it cannot be opened"
  if (cause.code === "ELOOP") return "it is a symbolic link"
  if (cause.code === "ENOENT") return "there is no such file"
  if (cause.code === "EACCES") return "this user may not read it"
  return `it cannot be opened (${cause.code})`
}
