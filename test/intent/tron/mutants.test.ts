/** Changed transactions and noise: what is read can be written in one way only, and nothing throws, hangs or grows. */
import { expect, test } from "bun:test"
import fc from "fast-check"
import { concat } from "../../../src/bytes.ts"
import { check } from "../../../src/intent/check.ts"
import { isProblem } from "../../../src/intent/reading.ts"
import { tronMessage } from "../../../src/intent/tron/message.ts"
import { tronTransaction } from "../../../src/intent/tron/transaction.ts"
import { runs } from "../../support/runs.ts"
import { anyScenario, contextOf, KEYS, type Scenario } from "./scenario.ts"
import { rewritten } from "./web.ts"

const [KEY] = KEYS

type Change = (bytes: Uint8Array) => Uint8Array
/** Even over the bytes; fc.double is even over exponents, and nearly always 0. */
const place = fc.nat(999_999).map((millionths) => millionths / 1_000_000)
const change: fc.Arbitrary<Change> = fc.oneof(
  fc.tuple(place, fc.nat(255)).map(
    ([at, to]): Change =>
      (bytes) =>
        bytes.with(Math.floor(at * bytes.length), to),
  ),
  fc.tuple(place, fc.nat(7)).map(
    ([at, bit]): Change =>
      (bytes) => {
        const index = Math.floor(at * bytes.length)
        return bytes.with(index, (bytes[index] ?? 0) ^ (1 << bit))
      },
  ),
  fc.tuple(place, fc.uint8Array({ minLength: 1, maxLength: 4 })).map(
    ([at, more]): Change =>
      (bytes) => {
        const index = Math.floor(at * (bytes.length + 1))
        return concat(bytes.subarray(0, index), more, bytes.subarray(index))
      },
  ),
  fc.tuple(place, fc.integer({ min: 1, max: 40 })).map(
    ([at, count]): Change =>
      (bytes) => {
        const index = Math.floor(at * bytes.length)
        return concat(bytes.subarray(0, index), bytes.subarray(index + count))
      },
  ),
)

/** Seven bytes that go on: perhaps a number of 50 bits or more. */
const hasLongNumber = (bytes: Uint8Array): boolean =>
  bytes.some((_, at) => at + 7 <= bytes.length && bytes.subarray(at, at + 7).every((byte) => byte >= 0x80))

function noThirdOutcome({ encoded, context }: Scenario, changes: readonly Change[]): void {
  const mutant = changes.reduce((now, apply) => (now.length === 0 ? now : apply(now)), encoded.bytes as Uint8Array)
  const decoded = tronTransaction.decode(mutant, context)
  if (isProblem(decoded)) return
  // the second implementation parses it and writes the same again, where its numbers are exact (below 2^53)
  if (!hasLongNumber(mutant)) expect(Buffer.compare(rewritten(mutant), mutant)).toBe(0)
  const same = Buffer.compare(encoded.bytes, mutant) === 0
  const claims = context.messages.map(({ path }) => ({ path, hash: encoded.id }))
  expect(check(decoded, claims)?.code).toBe(same ? undefined : "E-INT-005")
}

test("mutants are refused, or are other transactions, written in the one way that there is", () => {
  fc.assert(fc.property(anyScenario, fc.array(change, { minLength: 1, maxLength: 2 }), noThirdOutcome), {
    numRuns: runs(2000, 100_000),
  })
}, 1_800_000)

test("noise gives a problem or a reading, never an exception", () => {
  const [good] = fc.sample(anyScenario, { seed: 1, numRuns: 1 })
  const noise = fc.oneof(
    fc.uint8Array({ maxLength: 500 }),
    fc.uint8Array({ maxLength: 300 }).map((tail) => concat(good!.encoded.bytes.slice(0, 40), tail)),
  )
  fc.assert(
    fc.property(noise, (data) => {
      tronTransaction.decode(data, contextOf(KEY))
      tronMessage.decode(data, contextOf(KEY))
    }),
    { numRuns: runs(3000, 1_000_000) },
  )
}, 1_800_000)

test("the largest inputs take no longer than their length", () => {
  const slowest = (data: Uint8Array): number =>
    Math.min(
      ...Array.from({ length: 3 }, () => {
        const begin = performance.now()
        tronTransaction.decode(data, contextOf(KEY))
        return performance.now() - begin
      }),
    )
  // a memo as long as it gets, and as many contracts as fit
  const [good] = fc.sample(anyScenario, { seed: 1, numRuns: 1 })
  const length = 1024 * 1024 - 200
  const size = [0, 7, 14].map((shift) => ((length >> shift) & 127) | (shift < 14 ? 128 : 0))
  const head = Uint8Array.of(10, 2, 0, 1, 34, 8, 0, 0, 0, 0, 0, 0, 0, 1, 64, 9, 82, ...size)
  expect(slowest(concat(head, new Uint8Array(length).fill(65)))).toBeLessThan(50)
  expect(slowest(concat(good!.encoded.bytes, ...Array<Uint8Array>(300_000).fill(Uint8Array.of(0x5a, 0))))).toBeLessThan(
    50,
  )
  expect(slowest(new Uint8Array(1024 * 1024).fill(0xff))).toBeLessThan(50)
})
