/**
 * The bit kernels of the OT extension (threshold.md 5.1, 13): fold, transpose, masks. Bits are little-endian: bit j of a row is
 * bit j&31 of word j>>5. Secret bits are operands of XOR and AND, never a branch or an index.
 */
import { N_C } from "./parameters.ts"

/** Rows of a matrix, and the width of a column in bits: the number of base OTs. */
export const ROWS = N_C
/** 32-bit words per column. */
export const COLUMN_WORDS = ROWS / 32

// A typed-array view of bytes has the machine's byte order. The protocol needs little-endian.
if (new Uint8Array(Uint32Array.of(1).buffer)[0] !== 1) throw new TypeError("a little-endian machine is required")

/** All ones if a = b, else 0; for 31-bit numbers, without a branch. */
export function equalMask(a: number, b: number): number {
  const d = a ^ b
  return ~((d | -d) >> 31)
}

/**
 * Folds sixteen streams of `words` words each into four rows, written to `rows` from word `at` on: row b is the XOR of the streams whose
 * number has bit b set. Overwrites the streams; afterwards the first one holds the XOR of all.
 */
export function fold(streams: Uint32Array, words: number, rows: Uint32Array, at: number): void {
  for (let bit = 3, half = 8; bit >= 0; bit--, half >>= 1) {
    const row = at + bit * words
    const top = half * words
    for (let k = 0; k < words; k++) rows[row + k] = 0
    for (let y = 0; y < half; y++) {
      const low = y * words
      for (let k = 0; k < words; k++) {
        const high = streams[top + low + k] ?? 0
        rows[row + k] = (rows[row + k] ?? 0) ^ high
        streams[low + k] = (streams[low + k] ?? 0) ^ high
      }
    }
  }
}

/** Transposes ROWS rows of `words` words into 32 * words columns of COLUMN_WORDS words. */
export function transpose(rows: Uint32Array, words: number): Uint32Array {
  const columns = new Uint32Array(32 * words * COLUMN_WORDS)
  const block = new Uint32Array(32)
  for (let group = 0; group < COLUMN_WORDS; group++) {
    for (let k = 0; k < words; k++) {
      for (let i = 0; i < 32; i++) block[i] = rows[(32 * group + i) * words + k] ?? 0
      transposeBlock(block)
      for (let i = 0; i < 32; i++) columns[(32 * k + i) * COLUMN_WORDS + group] = block[i] ?? 0
    }
  }
  block.fill(0)
  return columns
}

/** Transposes 32 words in place: bit j of word i goes to bit i of word j. */
export function transposeBlock(block: Uint32Array): void {
  for (let shift = 16, mask = 0x0000ffff; shift > 0; shift >>= 1, mask ^= mask << shift) {
    for (let k = 0; k < 32; k = (k + shift + 1) & ~shift) {
      const a = block[k] ?? 0
      const b = block[k + shift] ?? 0
      const swap = ((a >>> shift) ^ b) & mask
      block[k] = a ^ (swap << shift)
      block[k + shift] = b ^ swap
    }
  }
}
