/** Passwords: their shortest length, and passwords in a file that only its owner reads. The open file is judged, and read into memory that is wiped. */
import { CosignerError } from "../errors.ts"
import { type Judged, readPrivate, UnusableFile } from "../files.ts"
import { Secret } from "../secret.ts"

export const LEAST_CHARACTERS = 16

/** Number of Unicode code points, counted without making a string of the password, by the bytes that begin one. */
export const charactersOf = (password: Secret): number =>
  password.expose().reduce((count, byte) => ((byte & 0xc0) === 0x80 ? count : count + 1), 0)

/** A longer file is not a password. */
export const MOST_BYTES = 1024

/** Reads as files.ts reads private files, trims one trailing newline. Throws E-CLI-007. */
export function readKeyFile(path: string, judged: Judged = {}): Secret {
  const refuse = (why: string, cause?: unknown) => new CosignerError("E-CLI-007", { path, why }, { cause })
  try {
    using line = readPrivate(path, MOST_BYTES + 2, judged)
    const bytes = line.expose()
    let length = bytes.length
    if (bytes[length - 1] === 0x0a) length--
    if (length > 0 && bytes[length - 1] === 0x0d) length--
    if (length === 0) throw refuse("it is empty")
    if (length > MOST_BYTES) throw refuse(`it is longer than ${MOST_BYTES} bytes`)
    return Secret.from(bytes.subarray(0, length))
  } catch (error) {
    throw error instanceof UnusableFile ? refuse(error.message, error.cause) : error
  }
}
