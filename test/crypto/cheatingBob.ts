/**
 * The selective-failure attack on the OT extension (threshold.md 2.5): Bob uses another choice vector in one tree, and adjusts
 * t_hat for the nibble of Alice's Delta that he guesses. The check passes exactly when the guess is right.
 */
import { type Bytes, concat } from "../../src/bytes.ts"
import { COLUMN_WORDS, fold, ROWS, transpose } from "../../src/crypto/bits.ts"
import { H, XOF } from "../../src/crypto/frame.ts"
import { checkBits, checkColumns } from "../../src/crypto/gf128.ts"
import { type FullTrees, TREES } from "../../src/crypto/pprf.ts"
import { LEAVES } from "../../src/crypto/pprfNodes.ts"
import type { Rng } from "../../src/crypto/random.ts"
import { LeafStreams } from "../../src/crypto/xof.ts"

export interface Guess {
  readonly tree: number
  readonly nibble: number
}

export function cheat(trees: FullTrees, psid1: Bytes, length: number, rng: Rng, guess: Guess): Bytes {
  const words = (length + 128) / 32
  const choices = new Uint32Array(rng(4 * words).slice().buffer)
  const rows = new Uint32Array(ROWS * words)
  const u = new Uint32Array(TREES * words)
  using streams = new LeafStreams(psid1, words)
  const block = new Uint32Array(LEAVES * words)
  for (let tree = 0; tree < TREES; tree++) {
    for (let y = 0; y < LEAVES; y++) {
      streams.write(tree, y, trees.leaves, 32 * (LEAVES * tree + y), new Uint8Array(block.buffer))
    }
    fold(block, words, rows, 4 * tree * words)
    for (let k = 0; k < words; k++) u[tree * words + k] = (block[k] ?? 0) ^ (choices[k] ?? 0)
  }
  // Bit 0 of the choice vector differs in the guessed tree, so f = chi_0.
  u[guess.tree * words] = (u[guess.tree * words] ?? 0) ^ 1
  const uBytes = new Uint8Array(u.buffer)
  const chi = new Uint32Array(XOF(16 * Math.ceil(length / 128), "ote/chi", H("ote/u", psid1, uBytes)).buffer)
  const xHat = checkBits(choices, length, chi)
  const tHat = checkColumns(transpose(rows, words), length, chi)
  for (let b = 0; b < 4; b++) {
    const row = 4 * guess.tree + b
    if (((guess.nibble >> b) & 1) === 0) continue
    for (let p = 0; p < 128; p++) {
      const f = ((chi[p >> 5] ?? 0) >>> (p & 31)) & 1
      const at = COLUMN_WORDS * p + (row >> 5)
      tHat[at] = (tHat[at] ?? 0) ^ (f << (row & 31))
    }
  }
  return concat(uBytes, new Uint8Array(xHat.buffer), new Uint8Array(tHat.buffer))
}
