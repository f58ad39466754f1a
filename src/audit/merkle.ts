/**
 * The Merkle tree of RFC 6962: its hashes, the compact frontier that an appending log keeps, and proofs of inclusion,
 * made and verified. Owns no storage: the caller supplies the hashes of complete subtrees.
 */
import { hash } from "node:crypto"
import { type Bytes, concat, copy } from "../bytes.ts"

export const HASH_BYTES = 32
/** A longer proof would need a tree of more than 2^63 leaves. */
export const MAX_PROOF = 63

const LEAF = Uint8Array.of(0)
const NODE = Uint8Array.of(1)

const sha256 = (...parts: readonly Uint8Array[]): Bytes => copy(hash("sha256", concat(...parts), "buffer"))

export const leafHash = (leaf: Uint8Array): Bytes => sha256(LEAF, leaf)
export const nodeHash = (left: Uint8Array, right: Uint8Array): Bytes => sha256(NODE, left, right)
export const EMPTY_ROOT = sha256()

// ---- growing -------------------------------------------------------------------------------------------------------

/** The part of a tree that an appending log needs: the roots of its complete subtrees, largest first. */
export interface Frontier {
  readonly size: number
  readonly peaks: readonly Bytes[]
}

export const NO_LEAVES: Frontier = { size: 0, peaks: [] }

export function grown({ size, peaks }: Frontier, leaf: Bytes): Frontier {
  const next = [...peaks]
  let right = leaf
  for (let rest = size; rest % 2 === 1; rest = Math.floor(rest / 2)) {
    const left = next.pop()
    if (left === undefined) throw new TypeError("a frontier has a peak for each bit of its size")
    right = nodeHash(left, right)
  }
  return { size: size + 1, peaks: [...next, right] }
}

export function rootOf({ peaks }: Frontier): Bytes {
  const [last, ...others] = [...peaks].reverse()
  return last === undefined ? EMPTY_ROOT : others.reduce((right, left) => nodeHash(left, right), last)
}

/** The frontier of leaves that are all available. */
export const frontierOf = (hashes: readonly Bytes[]): Frontier => hashes.reduce(grown, NO_LEAVES)

// ---- proofs --------------------------------------------------------------------------------------------------------

/** The root of the complete subtree of 2^level leaves that begins at leaf index * 2^level. */
export type SubtreeHash = (level: number, index: number) => Bytes

/** The largest power of two below `n`, which is above 1. */
export function split(n: number): number {
  let k = 1
  while (k * 2 < n) k *= 2
  return k
}

/** MTH(D[start:end]) of RFC 6962 2.1, where `start` is a multiple of every power of two that the range has. */
export function rangeRoot(start: number, end: number, at: SubtreeHash): Bytes {
  const n = end - start
  if (n === 0) return EMPTY_ROOT
  const level = Math.log2(n)
  if (Number.isInteger(level)) return at(level, start / n)
  const middle = start + split(n)
  return nodeHash(rangeRoot(start, middle, at), rangeRoot(middle, end, at))
}

/** PATH of RFC 6962 2.1.1: from the leaf's sibling upwards. Throws RangeError for a leaf that is not in the tree. */
export function inclusionProof(index: number, size: number, at: SubtreeHash): readonly Bytes[] {
  if (!(index >= 0 && index < size)) throw new RangeError(`leaf ${index} of ${size}`)
  const path: Bytes[] = []
  let [start, end] = [0, size]
  while (end - start > 1) {
    const middle = start + split(end - start)
    if (index < middle) {
      path.push(rangeRoot(middle, end, at))
      end = middle
    } else {
      path.push(rangeRoot(start, middle, at))
      start = middle
    }
  }
  return path.reverse()
}

/** The root that the proof leads to (RFC 9162 2.1.3.2); undefined if the proof is too short, too long, or for a tree that cannot be. */
export function rootByInclusion(
  index: number,
  size: number,
  leaf: Bytes,
  path: readonly Uint8Array[],
): Bytes | undefined {
  if (!(index >= 0 && index < size) || path.length > MAX_PROOF) return undefined
  let [at, last, root] = [index, size - 1, leaf]
  for (const sibling of path) {
    if (last === 0) return undefined
    if (at % 2 === 1 || at === last) {
      root = nodeHash(sibling, root)
      while (at % 2 === 0 && at !== 0) [at, last] = [at / 2, Math.floor(last / 2)]
    } else root = nodeHash(root, sibling)
    ;[at, last] = [Math.floor(at / 2), Math.floor(last / 2)]
  }
  return last === 0 ? root : undefined
}
