/** The tree against the known answers of RFC 6962's reference code, against the definition by recursion, and against every wrong proof. */
import { describe, expect, test } from "bun:test"
import { consistencyProof, isConsistent } from "../../src/audit/consistency.ts"
import {
  frontierOf,
  grown,
  inclusionProof,
  leafHash,
  NO_LEAVES,
  nodeHash,
  rangeRoot,
  rootByInclusion,
  rootOf,
} from "../../src/audit/merkle.ts"
import { type Bytes, fromHex, toHex, utf8 } from "../../src/bytes.ts"

/** The inputs and roots of certificate-transparency's own tests. */
const LEAVES = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"]
const ROOTS = [
  "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
  "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
  "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
  "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
  "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
  "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
  "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
  "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]

const hashes = (count: number): readonly Bytes[] => Array.from({ length: count }, (_, n) => leafHash(utf8(`leaf ${n}`)))

/** MTH as the RFC writes it, with nothing kept. */
function mth(leaves: readonly Bytes[]): Bytes {
  const [only] = leaves
  if (leaves.length === 1 && only !== undefined) return only
  let k = 1
  while (2 * k < leaves.length) k *= 2
  return nodeHash(mth(leaves.slice(0, k)), mth(leaves.slice(k)))
}

const subtrees =
  (leaves: readonly Bytes[]) =>
  (level: number, index: number): Bytes =>
    mth(leaves.slice(index * 2 ** level, (index + 1) * 2 ** level))

describe("the tree", () => {
  test("has the known roots", () => {
    let frontier = NO_LEAVES
    expect(toHex(rootOf(frontier))).toBe("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")
    for (const [at, leaf] of LEAVES.entries()) {
      frontier = grown(frontier, leafHash(fromHex(leaf) ?? utf8("")))
      expect(toHex(rootOf(frontier))).toBe(ROOTS[at] ?? "")
    }
  })
  test("has the root of the definition at every size", () => {
    const leaves = hashes(70)
    for (let size = 1; size <= leaves.length; size++) {
      const some = leaves.slice(0, size)
      expect(toHex(rootOf(frontierOf(some)))).toBe(toHex(mth(some)))
      expect(toHex(rangeRoot(0, size, subtrees(leaves)))).toBe(toHex(mth(some)))
    }
  })
})

const flipped = (hash: Bytes): Bytes => hash.map((byte, at) => (at === 7 ? byte ^ 1 : byte))

test("every inclusion proof verifies for its leaf, place and tree alone", () => {
  const leaves = hashes(40)
  const at = subtrees(leaves)
  for (let size = 1; size <= leaves.length; size++) {
    const root = toHex(mth(leaves.slice(0, size)))
    for (let index = 0; index < size; index++) {
      const leaf = leaves[index] ?? utf8("")
      const path = inclusionProof(index, size, at)
      const leads = (...[i, s, l, p]: Parameters<typeof rootByInclusion>): string =>
        toHex(rootByInclusion(i, s, l, p) ?? utf8(""))
      expect(leads(index, size, leaf, path)).toBe(root)
      expect(leads(index, size, flipped(leaf), path)).not.toBe(root)
      expect(leads(index, size, leaf, [...path, leaf])).not.toBe(root)
      if (path.length > 0) expect(leads(index, size, leaf, path.slice(1))).not.toBe(root)
      if (index > 0) expect(leads(index - 1, size, leaf, path)).not.toBe(root)
      for (const n of path.keys()) {
        expect(
          leads(
            index,
            size,
            leaf,
            path.map((hash, m) => (m === n ? flipped(hash) : hash)),
          ),
        ).not.toBe(root)
      }
    }
  }
  expect(rootByInclusion(3, 3, leaves[0] ?? utf8(""), [])).toBeUndefined()
  expect(() => inclusionProof(3, 3, at)).toThrow(RangeError)
})

test("every consistency proof verifies between its two trees alone", () => {
  const leaves = hashes(40)
  const at = subtrees(leaves)
  const head = (size: number) => ({ size, root: rootOf(frontierOf(leaves.slice(0, size))) })
  for (let size = 0; size <= leaves.length; size++) {
    for (let from = 0; from <= size; from++) {
      const [before, after] = [head(from), head(size)]
      const path = consistencyProof(from, size, at)
      expect(isConsistent(before, after, path)).toBe(true)
      expect(isConsistent({ ...before, root: flipped(before.root) }, after, path)).toBe(false)
      if (from > 0) expect(isConsistent(before, { ...after, root: flipped(after.root) }, path)).toBe(false)
      expect(isConsistent(before, after, [...path, before.root])).toBe(false)
      if (path.length > 0) expect(isConsistent(before, after, path.slice(1))).toBe(false)
      if (from < size) expect(isConsistent(after, before, path)).toBe(false)
      for (const n of path.keys()) {
        expect(
          isConsistent(
            before,
            after,
            path.map((hash, m) => (m === n ? flipped(hash) : hash)),
          ),
        ).toBe(false)
      }
    }
  }
})
