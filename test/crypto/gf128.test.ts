import { expect, test } from "bun:test"
import { COLUMN_WORDS, ROWS } from "../../src/crypto/bits.ts"
import { checkBits, checkColumns } from "../../src/crypto/gf128.ts"
import { seededRng } from "../mpc/network.ts"

const value = (e: Uint32Array): bigint => e.reduce((sum, word, w) => sum | (BigInt(word) << BigInt(32 * w)), 0n)

/** a * b in GF(2^128), by the definition of threshold.md 5.1: the oracle of the maps below. */
function times(a: bigint, b: bigint): bigint {
  let product = 0n
  for (let bit = 127n; bit >= 0n; bit--) {
    product <<= 1n
    if (product >> 128n) product ^= (1n << 128n) | 0x87n
    if ((b >> bit) & 1n) product ^= a
  }
  return product
}

const randomWords = (count: number, seed: string): Uint32Array =>
  new Uint32Array(seededRng(seed)(4 * count).slice().buffer)

test("known answers of threshold.md 5.1", () => {
  expect(times(0x0123456789abcdef0011223344556677n, 0xfedcba98765432100123456789abcdefn)).toBe(
    0x12d2bc4913d3bd69b453b9a45c0051d6n,
  )
  expect(times(1n << 127n, 2n)).toBe(0x87n)
  const ones = (1n << 128n) - 1n
  expect(times(ones, ones)).toBe(0x5555555555555555555555555555402fn)
})

test("a^(2^128) = a", () => {
  const a = value(randomWords(4, "frobenius"))
  let power = a
  for (let i = 0; i < 128; i++) power = times(power, power)
  expect(power).toBe(a)
})

test("multiplication commutes and distributes", () => {
  const [a, b, c] = [0, 1, 2].map((i) => value(randomWords(4, `field ${i}`))) as [bigint, bigint, bigint]
  expect(times(a, b)).toBe(times(b, a))
  expect(times(a, b ^ c)).toBe(times(a, b) ^ times(a, c))
})

/** The map of threshold.md 5.3(5) by its definition, from field products. */
function slowMap(bits: Uint32Array, length: number, chi: Uint32Array): bigint {
  let sum = value(bits.slice(length >> 5, (length >> 5) + 4))
  for (let first = 0; first < length; first += 128) {
    const block = value(bits.slice(first >> 5, (first >> 5) + 4)) & ((1n << BigInt(Math.min(128, length - first))) - 1n)
    sum ^= times(block, value(chi.slice(first >> 5, (first >> 5) + 4)))
  }
  return sum
}

test("the check of a row is mask + sum of chi times block, also for a last block that is not full", () => {
  for (const length of [128, 416, 832, 1664]) {
    const bits = randomWords(length / 32 + 4, `row ${length}`)
    const chi = randomWords(4 * Math.ceil(length / 128), `chi ${length}`)
    expect(value(checkBits(bits, length, chi))).toBe(slowMap(bits, length, chi))
  }
})

test("the check of columns is the check of each row", () => {
  const length = 416
  const columns = randomWords(COLUMN_WORDS * (length + 128), "columns")
  const chi = randomWords(16, "chi")
  const out = checkColumns(columns, length, chi)
  for (const r of [0, 1, 31, 32, 77, 127, ROWS - 1]) {
    const row = new Uint32Array((length + 128) / 32)
    for (let j = 0; j < length + 128; j++) {
      row[j >> 5] = (row[j >> 5] ?? 0) | ((((columns[COLUMN_WORDS * j + (r >> 5)] ?? 0) >>> (r & 31)) & 1) << (j & 31))
    }
    const expected = slowMap(row, length, chi)
    for (let p = 0; p < 128; p++) {
      expect(((out[COLUMN_WORDS * p + (r >> 5)] ?? 0) >>> (r & 31)) & 1).toBe(Number((expected >> BigInt(p)) & 1n))
    }
  }
})
