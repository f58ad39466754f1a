import { expect, test } from "bun:test"
import { K1 } from "../../src/crypto/curve.ts"
import { type Entropy, randomScalar, sessionRandom } from "../../src/crypto/random.ts"
import { kernelRandom } from "../../src/workers/kernelRandom.ts"

const fill = (length: number, value: number) => new Uint8Array(length).fill(value)
// The stream wipes what it was drawn from, so each gets its own.
const entropy = (change: Partial<Entropy> = {}): Entropy => ({
  system: fill(64, 1),
  kernel: fill(32, 6),
  nodeSecret: fill(32, 2),
  bootCounter: 3,
  sessionCounter: 4,
  ...change,
})
const sid = fill(32, 5)
const first = (entropy: Entropy, session = sid) => sessionRandom(entropy, session)(64)

test("the stream is a function of all that it is made of, and of nothing less", () => {
  expect(first(entropy())).toEqual(first(entropy()))
  const others = [
    first(entropy({ system: fill(64, 9) })),
    // a clone of the machine: all the same but what the kernel gives
    first(entropy({ kernel: fill(32, 9) })),
    first(entropy({ nodeSecret: fill(32, 9) })),
    first(entropy({ bootCounter: 9 })),
    first(entropy({ sessionCounter: 9 })),
    first(entropy(), fill(32, 9)),
  ]
  expect(new Set([first(entropy()), ...others].map((bytes) => bytes.toHex())).size).toBe(7)
})

test("it does not depend on how it is cut, and never comes twice", () => {
  const whole = sessionRandom(entropy(), sid)(96)
  const rng = sessionRandom(entropy(), sid)
  expect(new Uint8Array([...rng(1), ...rng(15), ...rng(80)])).toEqual(whole)
  expect(rng(32)).not.toEqual(rng(32))
})

test("entropy of another length is refused, not padded", () => {
  expect(() => sessionRandom(entropy({ system: fill(32, 1) }), sid)).toThrow(RangeError)
  expect(() => sessionRandom(entropy({ kernel: fill(31, 1) }), sid)).toThrow(RangeError)
  expect(() => sessionRandom(entropy({ nodeSecret: fill(31, 1) }), sid)).toThrow(RangeError)
})

test("a scalar is drawn from 48 bytes, never 0, and the bytes are wiped", () => {
  const drawn: Uint8Array[] = []
  const zerosThenOnes = (length: number) => {
    const bytes = fill(length, drawn.length === 0 ? 0 : 255)
    drawn.push(bytes)
    return bytes
  }
  const scalar = randomScalar(zerosThenOnes, K1.order)
  expect(scalar).toBe(((1n << 384n) - 1n) % K1.order)
  expect(drawn.map(({ length }) => length)).toEqual([48, 48])
  expect(drawn.every((bytes) => bytes.every((byte) => byte === 0))).toBe(true)
})

test("what was drawn for a session is wiped once its stream is made", () => {
  const drawn = entropy()
  sessionRandom(drawn, sid)
  expect([...drawn.system, ...drawn.kernel].every((byte) => byte === 0)).toBe(true)
  expect(drawn.nodeSecret).toEqual(fill(32, 2))
})

test("the kernel is asked itself, each time", () => {
  const [one, two] = [kernelRandom(32), kernelRandom(32)]
  expect([one.length, two.length]).toEqual([32, 32])
  expect(one).not.toEqual(two)
})
