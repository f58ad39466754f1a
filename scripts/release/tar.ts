/** A tar archive (POSIX ustar) and its gzip, the same bytes for the same files: order, owners and times are fixed. */
import { gzipSync } from "node:zlib"

export interface TarFile {
  /** Relative, with slashes. */
  readonly path: string
  readonly bytes: Uint8Array
  readonly executable: boolean
}

const BLOCK = 512

/** `mtime` in seconds, of every file. Parent folders are implied: every tar makes them. */
export function tar(files: readonly TarFile[], mtime: number): Uint8Array {
  const sorted = [...files].sort((a, b) => (a.path < b.path ? -1 : 1))
  return Buffer.concat([
    ...sorted.flatMap((file) => [header(file, mtime), file.bytes, new Uint8Array(-file.bytes.length & (BLOCK - 1))]),
    new Uint8Array(2 * BLOCK),
  ])
}

function header({ path, bytes, executable }: TarFile, mtime: number): Uint8Array {
  const block = Buffer.alloc(BLOCK)
  if (Buffer.byteLength(path) > 100) throw new Error(`the name ${path} is too long for this archive`)
  const put = (text: string, at: number) => block.write(text, at, "latin1")
  const octal = (value: number, at: number, digits: number) => put(value.toString(8).padStart(digits, "0"), at)
  put(path, 0)
  octal(executable ? 0o755 : 0o644, 100, 7)
  octal(0, 108, 7)
  octal(0, 116, 7)
  octal(bytes.length, 124, 11)
  octal(mtime, 136, 11)
  put(" ".repeat(8), 148)
  put("0", 156)
  put("ustar\x0000", 257)
  put("root", 265)
  put("root", 297)
  const sum = block.reduce((total, byte) => total + byte, 0)
  octal(sum, 148, 6)
  put("\0 ", 154)
  return block
}

/** Without name and time; the system that packed it is "unknown", wherever that was. */
export function gzip(bytes: Uint8Array): Uint8Array {
  const packed = gzipSync(bytes, { level: 6 })
  packed.fill(0, 4, 8)
  packed[9] = 255
  return packed
}
