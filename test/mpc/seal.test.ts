import { expect, test } from "bun:test"
import { type Bytes, concat, toHex } from "../../src/bytes.ts"
import { Blame } from "../../src/mpc/blame.ts"
import { ephemeralKey, TAG_LENGTH } from "../../src/mpc/seal.ts"
import { flipped } from "./cluster.ts"
import { partyNo, seededRng } from "./network.ts"

const [a, b, c] = [partyNo(1), partyNo(2), partyNo(3)]
const sid = new Uint8Array(32).fill(7)
const header = new Uint8Array(141).fill(1)
const body = new Uint8Array(100).fill(2)

const keysOf = (seed: string) => ephemeralKey(seededRng(seed))
const pair = (session = sid) => {
  const ka = keysOf("a")
  const kb = keysOf("b")
  return {
    atA: ka.agree(session, a, new Map([[b, kb.publicKey]])),
    atB: kb.agree(session, b, new Map([[a, ka.publicKey]])),
  }
}

test("what one seals the other opens, once per direction and round", () => {
  const { atA, atB } = pair()
  const box = atA.seal(b, 2, header, body)
  expect(box.length).toBe(body.length + TAG_LENGTH)
  expect(atB.open(a, 2, header, box)).toEqual(body)
  expect(atA.open(b, 2, header, atB.seal(a, 2, header, body))).toEqual(body)
})

test("regression 12: the two directions have different keys: equal bodies give unrelated boxes", () => {
  const { atA, atB } = pair()
  const there = atA.seal(b, 2, header, body)
  const back = atB.seal(a, 2, header, body)
  expect(toHex(there.subarray(0, -TAG_LENGTH))).not.toBe(toHex(back.subarray(0, -TAG_LENGTH)))
  expect(atA.open(b, 2, header, there)).toBeUndefined()
})

const changes: readonly (readonly [string, (box: Bytes) => readonly [number, Bytes, Bytes]])[] = [
  ["another round", (box) => [3, header, box]],
  ["another header", (box) => [2, flipped(header, 40), box]],
  ["a flipped body bit", (box) => [2, header, flipped(box, 0)]],
  ["a flipped tag bit", (box) => [2, header, flipped(box, -1)]],
  ["a short tag", (box) => [2, header, box.slice(0, -1)]],
  ["an empty box", () => [2, header, new Uint8Array(0)]],
  ["one byte more", (box) => [2, header, concat(box, new Uint8Array(1))]],
]
for (const [what, change] of changes) {
  test(`it does not open under ${what}`, () => {
    const { atA, atB } = pair()
    expect(atB.open(a, ...change(atA.seal(b, 2, header, body)))).toBeUndefined()
  })
}

test("keys belong to one session and to one pair", () => {
  const box = pair().atA.seal(b, 2, header, body)
  expect(pair(new Uint8Array(32).fill(8)).atB.open(a, 2, header, box)).toBeUndefined()
  const stranger = keysOf("c").agree(sid, c, new Map([[a, keysOf("a").publicKey]]))
  expect(stranger.open(a, 2, header, box)).toBeUndefined()
})

test("keys of small order are their owner's fault: all-zero secrets are refused", () => {
  const small = [
    "00".repeat(32),
    `01${"00".repeat(31)}`,
    "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
  ]
  for (const hex of small) {
    const agree = () => keysOf("a").agree(sid, a, new Map([[b, Uint8Array.fromHex(hex)]]))
    expect(agree).toThrow(Blame)
    expect(agree).toThrow(expect.objectContaining({ kind: "FAULT", parties: [b] }))
  }
})

test("nothing is sealed or opened after the session", () => {
  const { atA } = pair()
  atA[Symbol.dispose]()
  expect(() => atA.seal(b, 2, header, body)).toThrow(TypeError)
  expect(() => atA.open(b, 2, header, body)).toThrow(TypeError)
  const key = keysOf("a")
  key[Symbol.dispose]()
  expect(() => key.agree(sid, a, new Map())).toThrow(TypeError)
})
