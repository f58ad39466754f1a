import { expect, test } from "bun:test"
import { type Bytes, concat, copy, equal, toHex, u8 } from "../../src/bytes.ts"
import { H, H512, sha256 } from "../../src/crypto/frame.ts"
import { N_C } from "../../src/crypto/parameters.ts"
import {
  ALICE_LENGTH,
  aliceState,
  BOB_LENGTH,
  bobState,
  CORRECTION_LENGTH,
  correct,
  expandAlice,
  expandBob,
  TREES,
} from "../../src/crypto/pprf.ts"
import { LEAVES } from "../../src/crypto/pprfNodes.ts"
import { seededRng } from "../mpc/network.ts"

const rng = seededRng("pprf")
const sidOt = rng(32)
const keys = [rng(N_C * 32), rng(N_C * 32)] as const
const choices: Bytes = Uint8Array.from(rng(N_C), (byte) => byte & 1)
const chosen = concat(...Array.from(choices, (c, m) => keys[c as 0 | 1].subarray(32 * m, 32 * (m + 1))))
const corrections = correct(sidOt, keys)
const leafOf = (leaves: Bytes, tree: number, y: number): Bytes =>
  leaves.slice(32 * (16 * tree + y), 32 * (16 * tree + y + 1))

/** The tree of threshold.md 4.2 by its definition. */
function slowLeaves(tree: number): readonly Bytes[] {
  const sid = H("pprf/sid", sidOt)
  let nodes = keys.map((half) => half.slice(32 * 4 * tree, 32 * (4 * tree + 1)))
  for (const level of [1, 2, 3]) {
    nodes = nodes.flatMap((node, y) => {
      const both = H512("pprf/node", sid, u8(tree), u8(level), u8(y), node)
      return [both.slice(0, 32), both.slice(32)]
    })
  }
  return nodes
}

test("Bob's leaves are those of the definition, and grow again from the form at rest", () => {
  const { leaves } = expandBob(bobState(sidOt, keys))
  for (const tree of [0, 1, 31]) {
    for (const [y, leaf] of slowLeaves(tree).entries()) expect(equal(leafOf(leaves, tree, y), leaf)).toBe(true)
  }
})

test("the corrections are those of the definition: E per level and side, X, D", () => {
  const sid = H("pprf/sid", sidOt)
  const xorAll = (parts: readonly Bytes[]): Bytes =>
    parts.reduce((sum, part) => Uint8Array.from(sum, (byte, i) => byte ^ (part[i] ?? 0)))
  for (const tree of [0, 17, 31]) {
    let nodes = keys.map((half) => half.slice(32 * 4 * tree, 32 * (4 * tree + 1)))
    const expected: Bytes[] = []
    for (const level of [1, 2, 3]) {
      nodes = nodes.flatMap((node, y) => {
        const both = H512("pprf/node", sid, u8(tree), u8(level), u8(y), node)
        return [both.slice(0, 32), both.slice(32)]
      })
      for (const side of [0, 1] as const) {
        const m = 4 * tree + level
        expected.push(xorAll([keys[side].slice(32 * m, 32 * (m + 1)), ...nodes.filter((_, y) => y % 2 === side)]))
      }
    }
    const proofs = nodes.map((node, y) => H512("pprf/leafchk", sid, u8(tree), u8(y), node))
    expected.push(xorAll(proofs), H512("pprf/dig", sid, u8(tree), ...proofs))
    expect(equal(corrections.slice(320 * tree, 320 * (tree + 1)), concat(...expected))).toBe(true)
  }
})

test.skipIf(N_C !== 128)("known answer for fixed keys", () => {
  const fixed = [new Uint8Array(4096).fill(1), new Uint8Array(4096).fill(2)] as const
  const sid = new Uint8Array(32).fill(3)
  expect(toHex(sha256(correct(sid, fixed)))).toMatchInlineSnapshot(
    `"6aed5bfd7714adef3bdbae971a6bdfc654d40c09fdabf4985413da0aaca9900e"`,
  )
  expect(toHex(sha256(expandBob(bobState(sid, fixed)).leaves))).toMatchInlineSnapshot(
    `"5d18555e07c6e9329f4449ffe87fbf322af67c2c56a3134fee045cec242ff5b8"`,
  )
})

test("ideal functionality: Alice has all leaves but one per tree, and knows which", () => {
  const state = aliceState(sidOt, chosen, choices, corrections)
  if (state === undefined) throw new Error("honest corrections are refused")
  const alice = expandAlice(state)
  const bob = expandBob(bobState(sidOt, keys))
  for (let tree = 0; tree < TREES; tree++) {
    const missing = [0, 1, 2, 3].reduce((sum, i) => 2 * sum + 1 - (choices[4 * tree + i] ?? 0), 0)
    expect(alice.delta[tree]).toBe(missing)
    for (let y = 0; y < LEAVES; y++) {
      const expected = y === missing ? new Uint8Array(32) : leafOf(bob.leaves, tree, y)
      expect(equal(leafOf(alice.leaves, tree, y), expected)).toBe(true)
    }
  }
})

test("the forms at rest are small: 6.2 kB per peer with 128 base OTs", () => {
  expect(BOB_LENGTH + ALICE_LENGTH).toBe(64 + 6176 * (N_C / 128))
  expect(corrections.length).toBe(CORRECTION_LENGTH)
})

// One bit in each field of the first and the last tree: E of each level and side, X, D.
const FIELDS = [0, 31, 32, 64, 96, 128, 160, 191, 192, 255, 256, 319]
test.each(FIELDS.flatMap((at) => [at, (TREES - 1) * 320 + at]))(
  "a flipped bit at byte %i of the corrections is refused",
  (at) => {
    const bad = copy(corrections)
    bad[at] = (bad[at] ?? 0) ^ 0x10
    // A correction that Alice does not use changes nothing that she could see; the choice decides which of the two it is.
    const inTree = at % 320
    const tree = Math.floor(at / 320)
    const level = 1 + Math.floor(inTree / 64)
    const used = inTree >= 192 || choices[4 * tree + level] === Math.floor(inTree / 32) % 2
    expect(aliceState(sidOt, chosen, choices, bad) === undefined).toBe(used)
  },
)

test("corrections of another session are refused", () => {
  expect(aliceState(rng(32), chosen, choices, corrections)).toBeUndefined()
})

test("states of another length do not expand", () => {
  expect(() => expandBob(new Uint8Array(BOB_LENGTH - 1))).toThrow(RangeError)
  expect(() => expandAlice(new Uint8Array(ALICE_LENGTH + 1))).toThrow(RangeError)
})
