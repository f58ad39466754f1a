/**
 * A self-test of this thread's WebAssembly arithmetic, before a session depends on it. A wrong sum would look like cheating by a peer, and
 * would ban it. So a thread whose runtime computes wrongly, or not at all, begins no session.
 */
import { bigToLe, concat, leToBig } from "../bytes.ts"
import { type Curve, ED, K1 } from "./curve.ts"
import { XI } from "./parameters.ts"
import { rvoleKernel, SCALAR, WIDTH } from "./rvoleKernel.ts"

/** Throws TypeError if a result differs from that of BigInt and noble. */
export function tryArithmetic(): void {
  tryRvole()
  for (const curve of [K1, ED]) tryCurve(curve)
}

/** Test numbers of 256 bits without a pattern: multiples of an odd number. */
const number = (i: number): bigint => BigInt.asUintN(256, BigInt(i + 1) * 3n ** 161n)

function tryRvole(): void {
  using kernel = rvoleKernel()
  const numbers = Array.from({ length: WIDTH * XI }, (_, i) => number(i))
  const others = numbers.map((_, i) => number(7000 + i))
  const inputs = [0, 1, 2].map((w) => K1.mod(number(w)))
  for (const [i, value] of numbers.entries()) kernel.pads[i]?.set(bigToLe(value, SCALAR))
  for (const [i, value] of others.entries()) kernel.flipped[i]?.set(bigToLe(value, SCALAR))
  kernel.mask(inputs)
  const ta = numbers.map((value, i) => K1.mod(value - (others[i] ?? 0n) + (inputs[i % WIDTH] ?? 0n)))
  expectRight(
    "a difference",
    kernel.flipped.every((bytes, i) => leToBig(bytes) === ta[i]),
  )

  const choices = Uint32Array.from({ length: XI / 32 }, (_, i) => 0x9e3779b9 * (i + 1))
  const [etap, t0, t1] = [K1.mod(number(9)), K1.mod(number(10)), K1.mod(number(11))]
  kernel.choose(choices, bigToLe(etap, SCALAR))
  const y = numbers.map((value, i) => {
    const j = Math.floor(i / WIDTH)
    const isChosen = (((choices[j >> 5] ?? 0) >>> (j & 31)) & 1) === 1
    return isChosen ? K1.mod(value + (ta[i] ?? 0n) - (i % WIDTH === 2 ? etap : 0n)) : value
  })
  const factors = Array.from({ length: XI }, (_, j) => K1.mod(number(20 + j)))
  const sums = kernel.combine(concat(...factors.map((factor) => bigToLe(factor, SCALAR))), [t0, t1])
  const at = (j: number, w: number): bigint => y[WIDTH * j + w] ?? 0n
  for (const w of [0, 1] as const) {
    expectRight(
      "a sum of products",
      sums[w] === K1.mod(factors.reduce((sum, factor, j) => sum + factor * at(j, w), 0n)),
    )
  }
  for (const j of factors.keys()) {
    const check = leToBig(kernel.checks.slice(SCALAR * j, SCALAR * (j + 1)))
    expectRight("a check", check === K1.mod(at(j, 2) + t0 * at(j, 0) + t1 * at(j, 1)))
  }
}

function tryCurve(curve: Curve): void {
  const [a, b, c] = [curve.mod(number(1)), curve.mod(number(2)), curve.mod(number(3))]
  const points = [curve.multiplyBase(a), curve.multiplyBase(b)]
  const expected = curve.multiplyBase(c + a * b - b * c)
  expectRight(`a sum on ${curve.name}`, curve.equals(curve.checkedSum(c, points, [b, -c]), expected))
}

function expectRight(what: string, isRight: boolean): void {
  if (!isRight) throw new TypeError(`this runtime computes wrongly: ${what}`)
}
