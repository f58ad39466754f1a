import { expect, test } from "bun:test"
import { createECDH } from "node:crypto"
import { p256, p256_hasher } from "@noble/curves/nist.js"
import { type Bytes, concat, copy, equal, toHex, u8, u16be } from "../../src/bytes.ts"
import { H } from "../../src/crypto/frame.ts"
import { answerBaseOt, BaseOtReceiver, FIRST_LENGTH } from "../../src/crypto/otBase.ts"
import { hashToP256 } from "../../src/crypto/otBaseHash.ts"
import { N_C } from "../../src/crypto/parameters.ts"
import { randomScalar } from "../../src/crypto/random.ts"
import { OT_HASH_TO_CURVE_DST } from "../../src/crypto/tags.ts"
import { seededRng } from "../mpc/network.ts"

const key = (keys: Bytes, m: number): Bytes => keys.slice(32 * m, 32 * (m + 1))

function run(seed: string) {
  const rng = seededRng(seed)
  const sidOt = rng(32)
  const receiver = new BaseOtReceiver(sidOt, rng)
  const sent = answerBaseOt(sidOt, receiver.first, rng)
  if (sent === undefined) throw new Error("the honest message does not decode")
  const chosen = receiver.finish(sent.second)
  if (chosen === undefined) throw new Error("the honest answer does not decode")
  return { rng, sidOt, receiver, sent, chosen }
}
const honest = run("base ot")

test("the hash to P-256 is RFC 9380's, as noble has it", () => {
  const rng = seededRng("h2c")
  for (const length of [0, 1, 31, 200, ...Array<number>(200).fill(68)]) {
    const message = rng(length)
    expect(hashToP256(message).toHex()).toBe(p256_hasher.hashToCurve(message, { DST: OT_HASH_TO_CURVE_DST }).toHex())
  }
})

test("ideal functionality: the receiver has the key of its choice and not the other one", () => {
  const { receiver, sent, chosen } = honest
  for (let m = 0; m < N_C; m++) {
    const choice = receiver.choices[m] === 1 ? 1 : 0
    expect(equal(key(chosen, m), key(sent.keys[choice], m))).toBe(true)
    expect(equal(key(chosen, m), key(sent.keys[(1 - choice) as 0 | 1], m))).toBe(false)
  }
  const ones = receiver.choices.reduce((sum, bit) => sum + bit, 0)
  expect(ones).toBeGreaterThan(N_C / 4 - 2)
  expect(ones).toBeLessThan((3 * N_C) / 4 + 2)
})

test("by the definition of threshold.md 4.1: the sender's keys, computed by noble alone", () => {
  const { sidOt, receiver } = honest
  const b = randomScalar(seededRng("definition"), p256.Point.Fn.ORDER)
  const sent = answerBaseOt(sidOt, receiver.first, seededRng("definition"))
  expect(sent && toHex(sent.second)).toBe(p256.Point.BASE.multiply(b).toHex())
  for (const m of [0, 1, N_C - 1]) {
    for (const c of [0, 1] as const) {
      const slot = (s: number) => receiver.first.slice(33 * (2 * m + s), 33 * (2 * m + s + 1))
      const input = concat(sidOt, u16be(m), u8(c), slot(1 - c))
      const M = p256.Point.fromBytes(slot(c)).add(p256_hasher.hashToCurve(input, { DST: OT_HASH_TO_CURVE_DST }))
      const x = copy(M.multiply(b).toBytes().subarray(1))
      const expected = H("ot/key", sidOt, u16be(m), u8(c), sent!.second, copy(M.toBytes()), x)
      expect(equal(key(sent!.keys[c], m), expected)).toBe(true)
    }
  }
})

test("regression 11: no two of the 256 keys are equal, in one run or between runs; no point repeats", () => {
  const other = run("another base ot")
  const keys = [honest, other].flatMap(({ sent }) =>
    sent.keys.flatMap((half) => Array.from({ length: N_C }, (_, m) => toHex(key(half, m)))),
  )
  expect(new Set(keys).size).toBe(4 * N_C)
  const points = Array.from({ length: 2 * N_C }, (_, i) => toHex(honest.receiver.first.subarray(33 * i, 33 * (i + 1))))
  expect(new Set(points).size).toBe(2 * N_C)
})

test("regression 11: keys are bound to the session, the index, the slot and B", () => {
  const { sidOt, receiver, sent, chosen } = honest
  const otherSid = copy(sidOt)
  otherSid[0] = (otherSid[0] ?? 0) ^ 1
  const resent = answerBaseOt(otherSid, receiver.first, seededRng("other sid"))
  expect(resent && receiver.finish(resent.second)?.some((byte, i) => byte !== resent.keys[0][i])).toBe(true)
  const again = answerBaseOt(sidOt, receiver.first, seededRng("other scalar"))
  expect(again && equal(again.keys[0], sent.keys[0])).toBe(false)
  expect(again && equal(receiver.finish(again.second) ?? chosen, chosen)).toBe(false)
})

test("regression 11: a receiver that sends one point twice learns at most one key of the two", () => {
  const { rng, sidOt } = run("twice")
  const point = p256.Point.BASE.multiply(7n).toBytes()
  const first = new Uint8Array(FIRST_LENGTH)
  for (let i = 0; i < 2 * N_C; i++) first.set(point, 33 * i)
  const sent = answerBaseOt(sidOt, first, rng)
  const all = sent?.keys.flatMap((half) => Array.from({ length: N_C }, (_, m) => toHex(key(half, m)))) ?? []
  expect(new Set(all).size).toBe(2 * N_C)
})

test("regression 27: both slots hold points (an XOR mask leaves the curve), and the mask is no known multiple of G", () => {
  for (let i = 0; i < 2 * N_C; i++) {
    expect(() => p256.Point.fromBytes(honest.receiver.first.subarray(33 * i, 33 * (i + 1)))).not.toThrow()
  }
  const message = honest.sidOt
  const scalar = p256_hasher.hashToScalar(message, { DST: OT_HASH_TO_CURVE_DST })
  expect(hashToP256(message).equals(p256.Point.BASE.multiply(scalar))).toBe(false)
})

const BAD_POINTS: readonly [string, Bytes][] = [
  ["the identity", new Uint8Array(33)],
  ["x not on the curve", Uint8Array.of(2, ...new Uint8Array(31), 1)],
  ["x >= p", Uint8Array.of(2, ...new Uint8Array(32).fill(255))],
  ["an uncompressed prefix", Uint8Array.of(4, ...p256.Point.BASE.toBytes().slice(1))],
  ["a hybrid prefix", Uint8Array.of(6, ...p256.Point.BASE.toBytes().slice(1))],
]

test.each(BAD_POINTS)("%s is refused in the first message and as B", (_, bad) => {
  const { sidOt, receiver, rng } = honest
  for (const slot of [0, 255]) {
    const first = copy(receiver.first)
    first.set(bad, 33 * slot)
    expect(answerBaseOt(sidOt, first, rng)).toBeUndefined()
  }
  expect(receiver.finish(bad)).toBeUndefined()
})

test("a point that its own mask cancels, so that the key would be known to everybody, is refused", () => {
  const { sidOt, receiver, rng } = honest
  for (const c of [0, 1]) {
    const first = copy(receiver.first)
    const other = first.slice(33 * (1 - c), 33 * (2 - c))
    const mask = p256_hasher.hashToCurve(concat(sidOt, u16be(0), u8(c), other), { DST: OT_HASH_TO_CURVE_DST })
    first.set(p256.Point.ZERO.subtract(p256.Point.fromAffine(mask.toAffine())).toBytes(), 33 * c)
    expect(answerBaseOt(sidOt, first, rng)).toBeUndefined()
  }
})

test("x of a Diffie-Hellman point keeps its leading zeros", () => {
  // 2000 multiples: about eight have a zero byte in front; noble says what they are.
  const ecdh = createECDH("prime256v1")
  ecdh.setPrivateKey(Buffer.from("01".padStart(64, "0"), "hex"))
  let point = p256.Point.BASE
  let short = 0
  for (let i = 0; i < 2000; i++) {
    const encoded = point.toBytes(false)
    if (encoded[1] === 0) {
      short++
      expect(toHex(new Uint8Array(ecdh.computeSecret(encoded)))).toBe(toHex(encoded.slice(1, 33)))
    }
    point = point.add(p256.Point.BASE)
  }
  expect(short).toBeGreaterThan(0)
})

test("disposal wipes what the receiver knows", () => {
  const { receiver } = run("disposed")
  receiver[Symbol.dispose]()
  expect(receiver.choices.every((bit) => bit === 0)).toBe(true)
})
