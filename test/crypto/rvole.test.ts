import { expect, test } from "bun:test"
import fc from "fast-check"
import { type Bytes, bigToLe, concat, copy, leToBig, u8, u32be } from "../../src/bytes.ts"
import { COLUMN_WORDS } from "../../src/crypto/bits.ts"
import { K1 } from "../../src/crypto/curve.ts"
import { H, HS, sha256 } from "../../src/crypto/frame.ts"
import { extend, receive } from "../../src/crypto/otExtension.ts"
import { XI } from "../../src/crypto/parameters.ts"
import { expandAlice, expandBob } from "../../src/crypto/pprf.ts"
import { randomScalar } from "../../src/crypto/random.ts"
import {
  type AliceMessage,
  gadget,
  isCanonical,
  multipliers,
  multiplyAsAlice,
  multiplyAsBob,
  type Products,
} from "../../src/crypto/rvole.ts"
import { addMasked, LIMBS, limbsOf, subtract, summand } from "../../src/crypto/rvoleLimbs.ts"
import { dealtTrees } from "../mpc/dkls/group.ts"
import { seededRng } from "../mpc/network.ts"

const Q = K1.order
const intOf = (limbs: Uint16Array): bigint => leToBig(new Uint8Array(limbs.slice().buffer))
const any256 = fc.oneof(
  fc.bigInt({ min: 0n, max: (1n << 256n) - 1n }),
  fc.constantFrom(0n, 1n, Q - 1n, Q, Q + 1n, (1n << 256n) - 1n, (1n << 256n) - Q, 1n << 255n, 0xffff_ffffn),
)
const scalar = fc.oneof(fc.bigInt({ min: 0n, max: Q - 1n }), fc.constantFrom(0n, 1n, Q - 1n))

test("limbs: a - b + c mod q, canonical", () => {
  fc.assert(
    fc.property(any256, any256, scalar, (a, b, c) => {
      const out = new Uint16Array(2 * LIMBS)
      subtract(limbsOf(a, LIMBS), limbsOf(b, LIMBS), summand(c), out, LIMBS)
      expect(intOf(out.subarray(LIMBS))).toBe((((a - b + c) % Q) + Q) % Q)
    }),
    { seed: 1, numRuns: 2000 },
  )
})

test("limbs: a + b under a mask, congruent modulo q and below 2^256", () => {
  fc.assert(
    fc.property(any256, scalar, fc.boolean(), (a, b, on) => {
      const sum = limbsOf(a, LIMBS)
      addMasked(sum, limbsOf(b, LIMBS), 0, on ? -1 : 0)
      expect(intOf(sum) % Q).toBe((a + (on ? b : 0n)) % Q)
    }),
    { seed: 2, numRuns: 2000 },
  )
})

const rng = seededRng("rvole")
const { alice, bob } = dealtTrees(rng)
const [A, B] = [expandAlice(alice), expandBob(bob)]
const g = gadget(rng(32), rng(32), rng(32))

function scenario(blocks: number, inputs?: readonly Products[]) {
  const [psid1, psid2] = [rng(32), rng(32)]
  const sent = extend(B, psid1, XI * blocks, rng)
  const got = receive(A, psid1, XI * blocks, sent.message)
  const a = inputs ?? Array.from({ length: blocks }, () => [randomScalar(rng, Q), randomScalar(rng, Q)] as const)
  const b = multipliers(sent.choices, g, blocks)
  const { message, shares } = multiplyAsAlice(
    psid2,
    got,
    g,
    a.map(([a0, a1]) => [a0, a1, randomScalar(rng, Q)]),
  )
  return { psid2, sent, a, b, message, shares, finish: (m: AliceMessage) => multiplyAsBob(psid2, sent, g, blocks, m) }
}

test("ideal functionality: c + d = a * b for every block and both inputs", () => {
  for (const blocks of [1, 2, 5]) {
    const { a, b, message, shares, finish } = scenario(blocks)
    expect(isCanonical(message)).toBe(true)
    const done = finish(message)
    expect(done.passed).toBe(true)
    for (const [n, input] of a.entries()) {
      for (const w of [0, 1] as const) {
        expect(((shares[n]?.[w] ?? 0n) + (done.shares[n]?.[w] ?? 0n)) % Q).toBe((input[w] * (b[n] ?? 0n)) % Q)
      }
    }
  }
})

test("the identity holds at the edges: inputs 0 and q-1", () => {
  const { b, shares, message, finish } = scenario(2, [
    [0n, Q - 1n],
    [Q - 1n, 0n],
  ])
  const done = finish(message)
  expect(done.passed).toBe(true)
  expect(((shares[0]?.[0] ?? 1n) + (done.shares[0]?.[0] ?? 1n)) % Q).toBe(0n)
  expect(((shares[0]?.[1] ?? 1n) + (done.shares[0]?.[1] ?? 1n)) % Q).toBe(Q - (b[0] ?? 0n))
})

const one = scenario(1)
const bitOf = (j: number): number => ((one.sent.choices[j >> 5] ?? 0) >>> (j & 31)) & 1
const plusOne = (bytes: Bytes, at: number): Bytes => {
  const out = copy(bytes)
  out.set(bigToLe((leToBig(out.slice(at, at + 32)) + 1n) % Q, 32), at)
  return out
}

test("ta altered after the fact is caught at every position: it is hashed into theta", () => {
  for (const j of [0, 1, 200, 415]) {
    for (const w of [0, 1, 2]) {
      expect(one.finish({ ...one.message, ta: plusOne(one.message.ta, 32 * (3 * j + w)) }).passed).toBe(false)
    }
  }
})

test("an altered etap or mu is caught", () => {
  expect(one.finish({ ...one.message, etap: plusOne(one.message.etap, 0) }).passed).toBe(false)
  const mu = copy(one.message.mu)
  mu[0] = (mu[0] ?? 0) ^ 1
  expect(one.finish({ ...one.message, mu }).passed).toBe(false)
})

test("an entry that Alice alters before theta and mu is seen exactly where Bob's bit is set", () => {
  // Alice's own view of the columns is altered at one OT, so that all that follows from it is consistent on her side.
  const psid1 = rng(32)
  const sent = extend(B, psid1, XI, rng)
  const bit = (j: number): number => ((sent.choices[j >> 5] ?? 0) >>> (j & 31)) & 1
  for (let j = 0; j < 12; j++) {
    const got = receive(A, psid1, XI, sent.message)
    const psid2 = rng(32)
    // Where the bit is 0 Bob uses pad 0 alone; a wrong column under pad 1 (delta flipped at that OT only) is invisible.
    const cheatDelta = got.delta.slice()
    cheatDelta[0] = (cheatDelta[0] ?? 0) ^ 1
    const honest = multiplyAsAlice(psid2, got, g, [[5n, 7n, 9n]])
    const wrong = multiplyAsAlice(psid2, { ...got, delta: cheatDelta }, g, [[5n, 7n, 9n]])
    const ta = copy(honest.message.ta)
    ta.set(wrong.message.ta.slice(96 * j, 96 * (j + 1)), 96 * j)
    const remade = remake(psid2, got, ta)
    expect(multiplyAsBob(psid2, sent, g, 1, remade).passed).toBe(bit(j) === 0)
  }
})

/** The rest of Alice's message, made for another ta: theta, etap and mu by their definitions. */
function remake(psid2: Bytes, got: ReturnType<typeof receive>, ta: Bytes): AliceMessage {
  const digest = H("rvole/theta0", psid2, ta)
  const theta = [0, 1].map((w) => HS(Q, "rvole/theta", digest, u32be(0), u8(w))) as [bigint, bigint]
  const pads = Array.from({ length: XI }, (_, j) => {
    const column = new Uint8Array(got.columns.slice(COLUMN_WORDS * j, COLUMN_WORDS * (j + 1)).buffer)
    return [0, 1, 2].map((w) => leToBig(sha256(concat(psid2, u32be(j).reverse(), u8(w), column)))) as [
      bigint,
      bigint,
      bigint,
    ]
  })
  const checks = concat(...pads.map(([a0, a1, a2]) => bigToLe((a2 + theta[0] * a0 + theta[1] * a1) % Q, 32)))
  const etap = bigToLe((9n + theta[0] * 5n + theta[1] * 7n) % Q, 32)
  return { ta, etap, mu: H("rvole/mu", psid2, digest, checks) }
}

test("scalars of q and above are not canonical", () => {
  const top = copy(one.message.ta)
  top.set(bigToLe(Q, 32), 32 * 17)
  expect(isCanonical({ ...one.message, ta: top })).toBe(false)
  top.set(bigToLe(Q - 1n, 32), 32 * 17)
  expect(isCanonical({ ...one.message, ta: top })).toBe(true)
  expect(isCanonical({ ...one.message, etap: new Uint8Array(32).fill(255) })).toBe(false)
})

test("the multiplier is the gadget's sum over Bob's bits", () => {
  let sum = 0n
  for (let j = 0; j < XI; j++) if (bitOf(j) === 1) sum += g.scalars[j] ?? 0n
  expect(one.b[0]).toBe(sum % Q)
})

test("pads of another psid2 do not fit", () => {
  expect(multiplyAsBob(rng(32), one.sent, g, 1, one.message).passed).toBe(false)
})
