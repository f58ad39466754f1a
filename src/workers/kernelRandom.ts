/**
 * Random bytes from the kernel itself. The runtime's generator keeps a state in the process and asks the kernel once in
 * thousands of calls, so two clones of a running machine would draw the same bytes. This module asks the kernel each time.
 */
import { closeSync, constants, fstatSync, openSync, readSync } from "node:fs"
import type { Bytes } from "../bytes.ts"
import { CosignerError, errorText } from "../errors.ts"

const DEVICE = "/dev/urandom"

/** `length` bytes of /dev/urandom. Throws E-OPS-118 if it does not exist or is not a device: there is no fallback. */
export function kernelRandom(length: number): Bytes {
  const out = new Uint8Array(length)
  let file: number | undefined
  try {
    file = openSync(DEVICE, constants.O_RDONLY | constants.O_NOFOLLOW)
    if (!fstatSync(file).isCharacterDevice()) throw new CosignerError("E-OPS-118", { problem: "it is no device" })
    for (let at = 0; at < length; ) {
      const read = readSync(file, out, at, length - at, null)
      if (read === 0) throw new CosignerError("E-OPS-118", { problem: "it has no more bytes" })
      at += read
    }
    return out
  } catch (error) {
    if (error instanceof CosignerError) throw error
    throw new CosignerError("E-OPS-118", { problem: errorText(error) }, { cause: error })
  } finally {
    if (file !== undefined) closeSync(file)
  }
}
