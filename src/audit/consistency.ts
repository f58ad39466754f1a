/** Consistency of two trees (RFC 6962 2.1.2): makes and verifies proofs that one tree is the beginning of the other. */
import { type Bytes, equal } from "../bytes.ts"
import { EMPTY_ROOT, MAX_PROOF, nodeHash, rangeRoot, type SubtreeHash, split } from "./merkle.ts"

/** PROOF of RFC 6962 2.1.2; empty from size 0, and between equal sizes. Throws RangeError where `from` is above `size`. */
export function consistencyProof(from: number, size: number, at: SubtreeHash): readonly Bytes[] {
  if (!(from >= 0 && from <= size)) throw new RangeError(`from ${from} to ${size}`)
  if (from === 0) return []
  const path: Bytes[] = []
  let [start, end, isWhole] = [0, size, true]
  let wanted = from
  while (wanted !== end - start) {
    const k = split(end - start)
    if (wanted <= k) {
      path.push(rangeRoot(start + k, end, at))
      end = start + k
    } else {
      path.push(rangeRoot(start, start + k, at))
      start += k
      wanted -= k
      isWhole = false
    }
  }
  return (isWhole ? path : [...path, rangeRoot(start, end, at)]).reverse()
}

interface TreeHead {
  readonly size: number
  readonly root: Uint8Array
}

/** Whether the tree of `after` begins with the tree of `before` (RFC 9162 2.1.4.2). */
export function isConsistent(before: TreeHead, after: TreeHead, path: readonly Uint8Array[]): boolean {
  if (before.size > after.size || path.length > MAX_PROOF) return false
  if (before.size === 0) return path.length === 0 && equal(before.root, EMPTY_ROOT)
  if (before.size === after.size) return path.length === 0 && equal(before.root, after.root)
  const isPower = Number.isInteger(Math.log2(before.size))
  const [first, ...rest] = isPower ? [before.root, ...path] : path
  if (first === undefined) return false
  let [at, last] = [before.size - 1, after.size - 1]
  while (at % 2 === 1) [at, last] = [Math.floor(at / 2), Math.floor(last / 2)]
  let [old, root] = [first, first]
  for (const sibling of rest) {
    if (last === 0) return false
    if (at % 2 === 1 || at === last) {
      old = nodeHash(sibling, old)
      root = nodeHash(sibling, root)
      while (at % 2 === 0 && at !== 0) [at, last] = [at / 2, Math.floor(last / 2)]
    } else root = nodeHash(root, sibling)
    ;[at, last] = [Math.floor(at / 2), Math.floor(last / 2)]
  }
  return last === 0 && equal(old, before.root) && equal(root, after.root)
}
