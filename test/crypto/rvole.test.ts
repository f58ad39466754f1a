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
import { rvoleKernel, WIDTH } from "../../src/crypto/rvoleKernel.ts"
import { dealtTrees } from "../mpc/dkls/group.ts"
import { seededRng } from "../mpc/network.ts"

const Q = K1.order
// What may go wrong in a word is a carry: numbers at the edges of words and of q are as frequent as any others.
const any256 = fc.oneof(
  fc.bigInt({ min: 0n, max: (1n << 256n) - 1n }),
  fc.constantFrom(0n, 1n, Q - 1n, Q, Q + 1n, (1n << 256n) - 1n, (1n << 256n) - Q, 1n << 255n, 0xffff_ffffn),
  fc.constantFrom(
    (1n << 64n) - 1n,
    1n << 64n,
    (1n << 192n) - 1n,
    ((1n << 64n) - 1n) << 128n,
    ((1n << 128n) - 1n) << 128n,
  ),
)
const scalar = any256.map((value) => value % Q)
const many = <T>(length: number, values: fc.Arbitrary<T>) => fc.array(values, { minLength: length, maxLength: length })
const bitAt = (bits: Uint32Array, j: number): number => ((bits[j >> 5] ?? 0) >>> (j & 31)) & 1

test("the kernel against BigInt: ta, y, the checks and both sums, for every OT of a product", () => {
  const bits = fc.uint32Array({ minLength: XI / 32, maxLength: XI / 32 })
  const numbers = many(XI * WIDTH, any256)
  const check = (a: bigint[], b: bigint[], inputs: bigint[], gs: bigint[], choices: Uint32Array, rest: bigint[]) => {
    using kernel = rvoleKernel()
    const [etap, t0, t1] = rest as [bigint, bigint, bigint]
    a.forEach((value, i) => void kernel.pads[i]?.set(bigToLe(value, 32)))
    b.forEach((value, i) => void kernel.flipped[i]?.set(bigToLe(value, 32)))
    kernel.mask(inputs)
    const ta = kernel.flipped.map(leToBig)
    expect(ta).toEqual(a.map((value, i) => K1.mod(value - (b[i] ?? 0n) + (inputs[i % WIDTH] ?? 0n))))

    kernel.choose(choices, bigToLe(etap, 32))
    const y = a.map((value, i) => {
      const chosen = BigInt(bitAt(choices, Math.floor(i / WIDTH)))
      return K1.mod(value + chosen * ((ta[i] ?? 0n) - (i % WIDTH === 2 ? etap : 0n)))
    })
    expect(kernel.pads.map((pad) => leToBig(pad) % Q)).toEqual(y)

    const words = concat(...gs.map((value) => bigToLe(value, 32)))
    const sums = kernel.combine(words, [t0, t1])
    const of = (j: number, w: number) => y[WIDTH * j + w] ?? 0n
    const checks = gs.map((_, j) => leToBig(kernel.checks.slice(32 * j, 32 * (j + 1))))
    expect(checks).toEqual(gs.map((_, j) => K1.mod(of(j, 2) + t0 * of(j, 0) + t1 * of(j, 1))))
    expect(sums).toEqual([0, 1].map((w) => K1.mod(gs.reduce((sum, value, j) => sum + value * of(j, w), 0n))) as never)
    const selected = gs.reduce((sum, value, j) => sum + value * BigInt(bitAt(choices, j)), 0n)
    expect(kernel.select(words, choices)).toBe(K1.mod(selected))
  }
  fc.assert(fc.property(numbers, numbers, many(WIDTH, scalar), many(XI, scalar), bits, many(3, scalar), check), {
    seed: 1,
    numRuns: 12,
  })
})

test("the kernel with all numbers at their largest: nothing overflows", () => {
  using kernel = rvoleKernel()
  const largest = (1n << 256n) - 1n
  for (const pad of kernel.pads) pad.set(bigToLe(largest, 32))
  for (const pad of kernel.flipped) pad.fill(0)
  kernel.mask([Q - 1n, Q - 1n, Q - 1n])
  expect(kernel.flipped.map(leToBig)).toEqual(kernel.flipped.map(() => (largest + Q - 1n) % Q))
  const words = concat(...Array.from({ length: XI }, () => bigToLe(Q - 1n, 32)))
  const sum = (-BigInt(XI) * largest) % Q
  expect(kernel.combine(words, [Q - 1n, Q - 1n])).toEqual([K1.mod(sum), K1.mod(sum)])
  expect(leToBig(kernel.checks.slice(0, 32))).toBe(K1.mod(-largest))
})

test("the kernel's memory is wiped when a product is left", () => {
  const kept = rvoleKernel()
  {
    using kernel = rvoleKernel()
    for (const pad of [...kernel.pads, ...kernel.flipped]) pad.fill(7)
    kernel.combine(new Uint8Array(XI * 32).fill(1), [5n, 6n])
    kernel.choose(new Uint32Array(XI / 32).fill(0xffff_ffff), new Uint8Array(32).fill(9))
  }
  // The rest is the curves'.
  expect(Buffer.from(kept.allPads.buffer, 0, 2 * 65536).every((byte) => byte === 0)).toBe(true)
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
  for (let j = 0; j < XI; j++) if (bitOf(j) === 1) sum += leToBig(g.slice(32 * j, 32 * (j + 1)))
  expect(one.b[0]).toBe(sum % Q)
})

test("pads of another psid2 do not fit", () => {
  expect(multiplyAsBob(rng(32), one.sent, g, 1, one.message).passed).toBe(false)
})
