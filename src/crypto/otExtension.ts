/**
 * SoftSpoken OT extension with k = 4 (threshold.md 5.2-5.4): makes `length` fresh correlated OTs in one message from the PPRF trees of one
 * ordered pair. Column j of Bob and of Alice differ by Delta if his bit j is set, and are equal otherwise. The row-wise consistency check
 * is non-interactive; its challenges are hashed from all of u in the message.
 *
 * A cheating Bob can choose a predicate on Alice's long-lived Delta, and whether her check passes tells him its value. So the caller must
 * treat a failure as BAN, and run the check at most once per session (threshold.md 2.5).
 */
import { type Bytes, concat } from "../bytes.ts"
import { COLUMN_WORDS, equalMask, fold, ROWS, transpose } from "./bits.ts"
import { H, sha256, XOF } from "./frame.ts"
import { checkBits, checkColumns, FIELD_BITS } from "./gf128.ts"
import { type FullTrees, type PuncturedTrees, TREES } from "./pprf.ts"
import { LEAVES, SEED } from "./pprfNodes.ts"
import type { Rng } from "./random.ts"
import { LeafStreams } from "./xof.ts"

const FIELD_BYTES = FIELD_BITS / 8
const T_BYTES = FIELD_BITS * COLUMN_WORDS * 4

/** Words of one row: `length` columns in use, and 128 columns that mask the check. `length` is a multiple of 32. */
const rowWords = (length: number): number => (length + FIELD_BITS) / 32

/** Bytes of Bob's message u || x_hat || t_hat. */
export const extensionLength = (length: number): number => TREES * 4 * rowWords(length) + FIELD_BYTES + T_BYTES

/** psid1 of the instance Bob -> Alice. Bob's fresh value in it protects his streams. */
export const extensionId = (sid: Bytes, pairId: Bytes, xBob: Bytes, xAlice: Bytes, nonceBob: Bytes): Bytes =>
  H("ote/1", sid, pairId, xBob, xAlice, nonceBob)

/** psid2. Alice's fresh value and Bob's whole message in it protect the pads. */
export const padsId = (psid1: Bytes, nonceAlice: Bytes, message: Bytes): Bytes =>
  H("ote/2", psid1, nonceAlice, sha256(message))

/** Bob's result; secret until the end of the session. */
export interface Extended extends Disposable {
  /** The message to Alice, extensionLength(length) bytes. */
  readonly message: Bytes
  /** `length` columns of COLUMN_WORDS words. */
  readonly columns: Uint32Array
  /** Choice bits beta, bit j of word j>>5. */
  readonly choices: Uint32Array
}

export function extend(trees: FullTrees, psid1: Bytes, length: number, rng: Rng): Extended {
  const words = rowWords(length)
  const drawn = rng(4 * words)
  const choices = new Uint32Array(drawn.buffer, drawn.byteOffset, words)
  const u = new Uint32Array(TREES * words)
  const rows = new Uint32Array(ROWS * words)
  using streams = new LeafStreams(psid1, words)
  const block = new Uint32Array(LEAVES * words)
  const blockBytes = new Uint8Array(block.buffer)
  for (let tree = 0; tree < TREES; tree++) {
    for (let y = 0; y < LEAVES; y++) streams.write(tree, y, trees.leaves, SEED * (tree * LEAVES + y), blockBytes)
    fold(block, words, rows, 4 * tree * words)
    for (let k = 0; k < words; k++) u[tree * words + k] = (block[k] ?? 0) ^ (choices[k] ?? 0)
  }
  const columns = transpose(rows, words)
  rows.fill(0)
  block.fill(0)
  const uBytes = new Uint8Array(u.buffer)
  const chi = challenges(psid1, uBytes, length)
  const xHat = checkBits(choices, length, chi)
  const tHat = checkColumns(columns, length, chi)
  return {
    message: concat(uBytes, new Uint8Array(xHat.buffer), new Uint8Array(tHat.buffer)),
    columns,
    choices,
    [Symbol.dispose]() {
      columns.fill(0)
      choices.fill(0)
    },
  }
}

/** Alice's result; secret until the end of the session. */
export interface OtReceived extends Disposable {
  /** The verdict of the check, the only value that may be disclosed. False means BAN. */
  readonly passed: boolean
  readonly columns: Uint32Array
  /** Delta as one column: pad 1 of an OT is the pad of its column XOR Delta. */
  readonly delta: Uint32Array
}

export function receive(trees: PuncturedTrees, psid1: Bytes, length: number, message: Bytes): OtReceived {
  if (message.length !== extensionLength(length)) throw new RangeError("an OT extension message of the wrong length")
  const words = rowWords(length)
  const theirs = new Uint32Array(message.slice().buffer)
  const rows = new Uint32Array(ROWS * words)
  const delta = packDelta(trees.delta)
  using streams = new LeafStreams(psid1, words)
  const block = new Uint32Array(LEAVES * words)
  const blockBytes = new Uint8Array(block.buffer)
  for (let tree = 0; tree < TREES; tree++) {
    const nibble = trees.delta[tree] ?? 0
    for (let y = 0; y < LEAVES; y++) {
      streams.write(tree, y, trees.leaves, SEED * (tree * LEAVES + y), blockBytes)
      // The missing leaf is computed like the others, and then masked to zero.
      const mask = ~equalMask(y, nibble)
      for (let k = y * words; k < (y + 1) * words; k++) block[k] = (block[k] ?? 0) & mask
    }
    fold(block, words, rows, 4 * tree * words)
    for (let bit = 0; bit < 4; bit++) {
      const mask = -((nibble >> bit) & 1)
      const row = (4 * tree + bit) * words
      for (let k = 0; k < words; k++) {
        rows[row + k] = (rows[row + k] ?? 0) ^ (mask & ((block[k] ?? 0) ^ (theirs[tree * words + k] ?? 0)))
      }
    }
  }
  const columns = transpose(rows, words)
  rows.fill(0)
  block.fill(0)
  const chi = challenges(psid1, message.subarray(0, TREES * words * 4), length)
  const qHat = checkColumns(columns, length, chi)
  const bad = mismatch(qHat, theirs.subarray(TREES * words), delta)
  qHat.fill(0)
  return {
    passed: bad === 0,
    columns,
    delta,
    [Symbol.dispose]() {
      columns.fill(0)
      delta.fill(0)
    },
  }
}

/** The OR over all rows of q_hat ^ t_hat ^ (D & x_hat), without naming a row and without an early exit. `sent` is x_hat || t_hat. */
function mismatch(qHat: Uint32Array, sent: Uint32Array, delta: Uint32Array): number {
  let bad = 0
  for (let p = 0; p < FIELD_BITS; p++) {
    const mask = -(((sent[p >> 5] ?? 0) >>> (p & 31)) & 1)
    for (let w = 0; w < COLUMN_WORDS; w++) {
      const at = p * COLUMN_WORDS + w
      bad |= (qHat[at] ?? 0) ^ (sent[FIELD_BYTES / 4 + at] ?? 0) ^ (mask & (delta[w] ?? 0))
    }
  }
  return bad
}

/** The challenge chi of each block of 128 columns, from psid1 and all of u. */
function challenges(psid1: Bytes, u: Uint8Array, length: number): Uint32Array {
  const bytes = XOF(FIELD_BYTES * Math.ceil(length / FIELD_BITS), "ote/chi", H("ote/u", psid1, u))
  return new Uint32Array(bytes.buffer)
}

/** The column D of the nibbles: bit 4 tau + b of D is bit b of nibble tau. */
function packDelta(nibbles: Uint8Array): Uint32Array {
  const out = new Uint32Array(COLUMN_WORDS)
  for (let tree = 0; tree < TREES; tree++) {
    out[tree >> 3] = (out[tree >> 3] ?? 0) | ((nibbles[tree] ?? 0) << (4 * (tree & 7)))
  }
  return out
}
