/**
 * GF(2^128) of threshold.md 5.1 (modulus x^128 + x^7 + x^2 + x + 1; bit p of four little-endian words is the coefficient of
 * x^p), and the consistency map of the OT extension over it (threshold.md 13). The challenges are public, so code may branch on their bits.
 * What they are multiplied with is secret, and is only XORed.
 */
import { COLUMN_WORDS } from "./bits.ts"

/** Bits of a field element, and the number of masking columns after the L columns in use. */
export const FIELD_BITS = 128
const FIELD_WORDS = 4

/** Multiplies by x, in place. */
function timesX(e: Uint32Array): void {
  const carry = -((e[3] ?? 0) >>> 31)
  for (let w = 3; w > 0; w--) e[w] = ((e[w] ?? 0) << 1) | ((e[w - 1] ?? 0) >>> 31)
  e[0] = ((e[0] ?? 0) << 1) ^ (carry & 0x87)
}

/**
 * For each row r: mask bits of the row (its columns from `length` on) + sum over blocks of chi_blk times the block's 128
 * bits, as 128 columns of ROWS bits. `columns` holds length + 128 columns, `length` a multiple of 4; `chi` four words per
 * block of 128 columns.
 */
export function checkColumns(columns: Uint32Array, length: number, chi: Uint32Array): Uint32Array {
  // Multiplies the polynomial chi by the polynomial of columns, four columns at a time: makes a table of their 16 sums, then adds
  // one of them per coefficient. The blocks are summed unreduced, and reduced once at the end.
  const product = new Uint32Array(2 * FIELD_BITS * COLUMN_WORDS)
  const sums = new Uint32Array(16 * COLUMN_WORDS)
  let choice = new Uint8Array(0)
  for (let first = 0; first < length; first += 4) {
    const inBlock = first % FIELD_BITS
    if (inBlock === 0) choice = windows(chi.subarray((first / FIELD_BITS) * FIELD_WORDS))
    sumsOfFour(columns.subarray(first * COLUMN_WORDS), sums)
    for (let k = 0; k < choice.length; k++) {
      addColumn(product, inBlock + k, sums, choice[k] ?? 0)
    }
  }
  for (let i = 2 * FIELD_BITS - 1; i >= FIELD_BITS; i--) {
    for (const power of [0, 1, 2, 7]) addColumn(product, i - FIELD_BITS + power, product, i)
  }
  const out = product.slice(0, FIELD_BITS * COLUMN_WORDS)
  for (let i = 0; i < FIELD_BITS; i++) addColumn(out, i, columns, length + i)
  sums.fill(0)
  product.fill(0)
  return out
}

/** The same map for one row, given as words; `bits` holds length + 128 bits. Returns four words. */
export function checkBits(bits: Uint32Array, length: number, chi: Uint32Array): Uint32Array {
  const out = bits.slice(length >> 5, (length >> 5) + FIELD_WORDS)
  const power = new Uint32Array(FIELD_WORDS)
  for (let j = 0; j < length; j++) {
    if (j % FIELD_BITS === 0) power.set(chi.subarray((j / FIELD_BITS) * FIELD_WORDS).subarray(0, FIELD_WORDS))
    const mask = -(((bits[j >> 5] ?? 0) >>> (j & 31)) & 1)
    for (let w = 0; w < FIELD_WORDS; w++) out[w] = (out[w] ?? 0) ^ ((power[w] ?? 0) & mask)
    timesX(power)
  }
  return out
}

// The four words of a column (N_C = 128) are written out, because this is the inner loop.
function addColumn(into: Uint32Array, to: number, from: Uint32Array, at: number): void {
  const a = to * COLUMN_WORDS
  const b = at * COLUMN_WORDS
  into[a] = (into[a] ?? 0) ^ (from[b] ?? 0)
  into[a + 1] = (into[a + 1] ?? 0) ^ (from[b + 1] ?? 0)
  into[a + 2] = (into[a + 2] ?? 0) ^ (from[b + 2] ?? 0)
  into[a + 3] = (into[a + 3] ?? 0) ^ (from[b + 3] ?? 0)
  for (let w = 4; w < COLUMN_WORDS; w++) into[a + w] = (into[a + w] ?? 0) ^ (from[b + w] ?? 0)
}

/** Which of four columns contribute to coefficient k of the product: bit i for column i, which is bit k-i of chi. */
function windows(chi: Uint32Array): Uint8Array<ArrayBuffer> {
  const out = new Uint8Array(FIELD_BITS + 3)
  for (let p = 0; p < FIELD_BITS; p++) {
    const bit = ((chi[p >> 5] ?? 0) >>> (p & 31)) & 1
    for (let i = 0; i < 4; i++) out[p + i] = (out[p + i] ?? 0) | (bit << i)
  }
  return out
}

/** Sets column n of `sums` to the XOR of those of the four columns whose number is a set bit of n. */
function sumsOfFour(columns: Uint32Array, sums: Uint32Array): void {
  for (let i = 0; i < 4; i++) {
    for (let n = 0; n < 1 << i; n++) {
      for (let w = 0; w < COLUMN_WORDS; w++) {
        sums[((1 << i) + n) * COLUMN_WORDS + w] =
          (sums[n * COLUMN_WORDS + w] ?? 0) ^ (columns[i * COLUMN_WORDS + w] ?? 0)
      }
    }
  }
}
