/**
 * All-but-one PPRF trees (threshold.md 4.2): 128 base OTs give 32 GGM trees of 16 leaves. The sender (Bob in the OT extension) knows every
 * leaf. The receiver (Alice) knows all but one leaf per tree; the number of the missing leaf is her nibble of Delta.
 *
 * At rest both keep seeds and not leaves: Bob the two roots of each tree (2080 bytes), Alice her nibble and the four seeds beside the
 * missing path (4160 bytes). Alice computes with masks over all candidates, so no branch and no index depends on Delta.
 */
import { type Bytes, copy, u8 } from "../bytes.ts"
import { equalMask } from "./bits.ts"
import { H, H512 } from "./frame.ts"
import { N_C, TREE_BITS } from "./parameters.ts"
import { LEAVES, Nodes, SEED, SeedFrame } from "./pprfNodes.ts"

const DEPTH = TREE_BITS
export const TREES = N_C / DEPTH
const PROOF = 64
const CORRECTIONS = (DEPTH - 1) * 2 * SEED
const PER_TREE = CORRECTIONS + 2 * PROOF
/** Bytes of the correction message: E, X and D of every tree. */
export const CORRECTION_LENGTH = TREES * PER_TREE
export const BOB_LENGTH = 32 + TREES * 2 * SEED
const ALICE_PER_TREE = 1 + DEPTH * SEED
export const ALICE_LENGTH = 32 + TREES * ALICE_PER_TREE

/** TREES x LEAVES x 32 bytes. */
export interface FullTrees {
  readonly leaves: Bytes
}
/** The punctured leaf of each tree is zero. */
export interface PuncturedTrees extends FullTrees {
  /** The number of the missing leaf, 0 to 15, of each tree. */
  readonly delta: Bytes
}

const sidOf = (sidOt: Bytes): Bytes => H("pprf/sid", sidOt)

/** Bob's form at rest, from his base-OT keys. `correct` makes the message that goes with it. */
export function bobState(sidOt: Bytes, keys: readonly [Bytes, Bytes]): Bytes {
  const state = new Uint8Array(BOB_LENGTH)
  state.set(sidOf(sidOt), 0)
  for (let tree = 0; tree < TREES; tree++) {
    const m = DEPTH * tree
    state.set(keys[0].subarray(m * SEED, (m + 1) * SEED), 32 + 2 * tree * SEED)
    state.set(keys[1].subarray(m * SEED, (m + 1) * SEED), 32 + (2 * tree + 1) * SEED)
  }
  return state
}

/** Bob's leaves: all of every tree. Throws RangeError for a state of the wrong length. */
export function expandBob(state: Uint8Array): FullTrees {
  if (state.length !== BOB_LENGTH) throw new RangeError("a PPRF sender state of the wrong length")
  using nodes = new Nodes(state.subarray(0, 32))
  const leaves = new Uint8Array(TREES * LEAVES * SEED)
  for (let tree = 0; tree < TREES; tree++) {
    const roots = state.subarray(32 + 2 * tree * SEED, 32 + 2 * (tree + 1) * SEED)
    nodes.load(roots.subarray(0, SEED), roots.subarray(SEED))
    for (let level = 1; level < DEPTH; level++) nodes.grow(tree, level)
    leaves.set(nodes.bytes, tree * LEAVES * SEED)
  }
  return { leaves }
}

/** Bob's correction message for the trees that grow from `keys`. */
export function correct(sidOt: Bytes, keys: readonly [Bytes, Bytes]): Bytes {
  const sid = sidOf(sidOt)
  using nodes = new Nodes(sid)
  const out = new Uint8Array(CORRECTION_LENGTH)
  for (let tree = 0; tree < TREES; tree++) {
    const at = (level: number) => [(DEPTH * tree + level) * SEED, (DEPTH * tree + level + 1) * SEED] as const
    nodes.load(keys[0].subarray(...at(0)), keys[1].subarray(...at(0)))
    for (let level = 1; level < DEPTH; level++) {
      nodes.grow(tree, level)
      for (const side of [0, 1] as const) {
        const sum = nodes.sum(side, 1 << (level + 1), -1)
        const correction = out.subarray(tree * PER_TREE + (2 * (level - 1) + side) * SEED).subarray(0, SEED)
        correction.set(xor(sum, keys[side].subarray(...at(level))))
        sum.fill(0)
      }
    }
    const proofs = leafProofs(sid, tree, nodes.bytes)
    const x = new Uint8Array(PROOF)
    for (let y = 0; y < LEAVES; y++) xorInto(x, proofs.subarray(y * PROOF, (y + 1) * PROOF))
    out.set(x, tree * PER_TREE + CORRECTIONS)
    out.set(proofDigest(sid, tree, proofs), tree * PER_TREE + CORRECTIONS + PROOF)
    proofs.fill(0)
  }
  return out
}

/**
 * Alice's form at rest, from her base-OT keys, her choices and Bob's corrections. Undefined if a tree does not match its digest: one
 * verdict for all trees, in constant time.
 */
export function aliceState(sidOt: Bytes, keys: Bytes, choices: Bytes, corrections: Uint8Array): Bytes | undefined {
  const sid = sidOf(sidOt)
  using nodes = new Nodes(sid)
  const state = new Uint8Array(ALICE_LENGTH)
  state.set(sid, 0)
  let bad = 0
  for (let tree = 0; tree < TREES; tree++) {
    const message = corrections.subarray(tree * PER_TREE, (tree + 1) * PER_TREE)
    const own = state.subarray(32 + tree * ALICE_PER_TREE, 32 + (tree + 1) * ALICE_PER_TREE)
    climb(nodes, tree, keys, choices, message, own)
    bad |= verifyTree(sid, tree, nodes.bytes, own[0] ?? 0, message)
  }
  if (bad === 0) return state
  state.fill(0)
  return undefined
}

/** Walks one tree along Alice's path, and writes to `own` her nibble and, for every level, the seed beside the path. */
function climb(nodes: Nodes, tree: number, keys: Bytes, choices: Bytes, message: Uint8Array, own: Uint8Array): void {
  const first = choices[DEPTH * tree] ?? 0
  let missing = 1 - first
  const root = keys.subarray(DEPTH * tree * SEED, (DEPTH * tree + 1) * SEED)
  nodes.plant(root, missing)
  own.set(root, 1)
  for (let level = 1; level < DEPTH; level++) {
    const m = DEPTH * tree + level
    const choice = choices[m] ?? 0
    nodes.grow(tree, level)
    const pick = -choice
    const known = select(nodes.sum(0, 1 << (level + 1), missing), nodes.sum(1, 1 << (level + 1), missing), pick)
    const at = 2 * (level - 1) * SEED
    const correction = select(message.subarray(at, at + SEED), message.subarray(at + SEED, at + 2 * SEED), pick)
    const sibling = xor(xor(known, correction), keys.subarray(m * SEED, (m + 1) * SEED))
    nodes.mend(1 << (level + 1), 2 * missing + choice, 2 * missing + 1 - choice, sibling)
    own.set(sibling, 1 + level * SEED)
    known.fill(0)
    sibling.fill(0)
    missing = 2 * missing + 1 - choice
  }
  own[0] = missing
}

/** Zero if the leaves match X and D of the message, otherwise not zero. */
function verifyTree(sid: Bytes, tree: number, leaves: Uint8Array, missing: number, message: Uint8Array): number {
  const proofs = leafProofs(sid, tree, leaves)
  const rest = message.slice(CORRECTIONS, CORRECTIONS + PROOF)
  for (let y = 0; y < LEAVES; y++) xorMasked(rest, proofs, y * PROOF, ~equalMask(y, missing))
  for (let y = 0; y < LEAVES; y++) {
    const mask = equalMask(y, missing)
    for (let i = 0; i < PROOF; i++) {
      const own = proofs[y * PROOF + i] ?? 0
      proofs[y * PROOF + i] = own ^ (mask & (own ^ (rest[i] ?? 0)))
    }
  }
  const digest = proofDigest(sid, tree, proofs)
  let bad = 0
  for (let i = 0; i < PROOF; i++) bad |= (digest[i] ?? 0) ^ (message[CORRECTIONS + PROOF + i] ?? 0)
  proofs.fill(0)
  rest.fill(0)
  return bad
}

/** Alice's leaves: all but the missing one of every tree. Throws RangeError for a state of the wrong length. */
export function expandAlice(state: Uint8Array): PuncturedTrees {
  if (state.length !== ALICE_LENGTH) throw new RangeError("a PPRF receiver state of the wrong length")
  using nodes = new Nodes(state.subarray(0, 32))
  const leaves = new Uint8Array(TREES * LEAVES * SEED)
  const delta = new Uint8Array(TREES)
  for (let tree = 0; tree < TREES; tree++) {
    const own = state.subarray(32 + tree * ALICE_PER_TREE, 32 + (tree + 1) * ALICE_PER_TREE)
    const nibble = own[0] ?? 0
    nodes.plant(own.subarray(1, 1 + SEED), nibble >> 3)
    for (let level = 1; level < DEPTH; level++) {
      nodes.grow(tree, level)
      const path = nibble >> (DEPTH - 1 - level)
      nodes.mend(1 << (level + 1), path ^ 1, path, own.subarray(1 + level * SEED, 1 + (level + 1) * SEED))
    }
    leaves.set(nodes.bytes, tree * LEAVES * SEED)
    delta[tree] = nibble
  }
  return { leaves, delta }
}

/** The outputs p[0] to p[15] of one tree, concatenated. */
function leafProofs(sid: Bytes, tree: number, leaves: Uint8Array): Bytes {
  const out = new Uint8Array(LEAVES * PROOF)
  using leaf = new SeedFrame("pprf/leafchk", sid, 2)
  leaf.put(0, tree)
  for (let y = 0; y < LEAVES; y++) {
    leaf.put(1, y)
    leaf.hash(leaves.subarray(y * SEED, (y + 1) * SEED), out.subarray(y * PROOF, (y + 1) * PROOF))
  }
  return out
}

function proofDigest(sid: Bytes, tree: number, proofs: Uint8Array): Bytes {
  const fields = Array.from({ length: LEAVES }, (_, y) => proofs.subarray(y * PROOF, (y + 1) * PROOF))
  return H512("pprf/dig", sid, u8(tree), ...fields)
}

function xor(a: Uint8Array, b: Uint8Array): Bytes {
  const out = copy(a)
  xorInto(out, b)
  return out
}

function xorInto(into: Uint8Array, from: Uint8Array): void {
  for (let i = 0; i < into.length; i++) into[i] = (into[i] ?? 0) ^ (from[i] ?? 0)
}

function xorMasked(into: Uint8Array, from: Uint8Array, at: number, mask: number): void {
  for (let i = 0; i < into.length; i++) into[i] = (into[i] ?? 0) ^ ((from[at + i] ?? 0) & mask)
}

/** `a` where the mask is 0, `b` where it is all ones. */
function select(a: Uint8Array, b: Uint8Array, mask: number): Bytes {
  const out = copy(a)
  for (let i = 0; i < out.length; i++) out[i] = (out[i] ?? 0) ^ (mask & ((out[i] ?? 0) ^ (b[i] ?? 0)))
  return out
}
