import { expect, test } from "bun:test"
import { COLUMN_WORDS, equalMask, fold, ROWS, transpose, transposeBlock } from "../../src/crypto/bits.ts"
import { seededRng } from "../mpc/network.ts"

const randomWords = (count: number, seed: string): Uint32Array =>
  new Uint32Array(seededRng(seed)(4 * count).slice().buffer)
const bit = (words: Uint32Array, at: number): number => ((words[at >> 5] ?? 0) >>> (at & 31)) & 1

test("equalMask is all ones exactly for equal numbers", () => {
  for (let a = 0; a < 16; a++) for (let b = 0; b < 16; b++) expect(equalMask(a, b)).toBe(a === b ? -1 : 0)
})

test("a 32x32 block: bit j of word i goes to bit i of word j, and back", () => {
  const block = randomWords(32, "block")
  const copy = block.slice()
  transposeBlock(block)
  for (let i = 0; i < 32; i++) for (let j = 0; j < 32; j++) expect(bit(block, 32 * j + i)).toBe(bit(copy, 32 * i + j))
  transposeBlock(block)
  expect(block).toEqual(copy)
})

test("transpose: every single bit of a row matrix arrives in its column", () => {
  const words = 5
  const rows = randomWords(ROWS * words, "matrix")
  const columns = transpose(rows, words)
  expect(columns.length).toBe(32 * words * COLUMN_WORDS)
  for (let r = 0; r < ROWS; r++) {
    for (let j = 0; j < 32 * words; j++) expect(bit(columns, ROWS * j + r)).toBe(bit(rows, 32 * words * r + j))
  }
})

test("fold: row b is the XOR of the streams with bit b, and the total that of all", () => {
  const words = 3
  const streams = randomWords(16 * words, "streams")
  const xorOf = (pick: (y: number) => boolean): number[] =>
    Array.from({ length: words }, (_, k) => {
      let sum = 0
      for (let y = 0; y < 16; y++) if (pick(y)) sum ^= streams[y * words + k] ?? 0
      return sum >>> 0
    })
  const expected = [0, 1, 2, 3].map((b) => xorOf((y) => ((y >> b) & 1) === 1))
  const total = xorOf(() => true)
  const rows = randomWords(8 * words, "dirty")
  fold(streams, words, rows, 2 * words)
  for (const [b, row] of expected.entries()) expect([...rows.subarray((2 + b) * words, (3 + b) * words)]).toEqual(row)
  expect([...streams.subarray(0, words)]).toEqual(total)
})
