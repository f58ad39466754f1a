/** Changed messages and noise: what is read can be written in one way only, and nothing throws, hangs or grows. */
import { expect, test } from "bun:test"
import { getCompiledTransactionMessageDecoder } from "@solana/kit"
import fc from "fast-check"
import { concat } from "../../../src/bytes.ts"
import { check } from "../../../src/intent/check.ts"
import { isProblem } from "../../../src/intent/reading.ts"
import { readMessage, type SolanaMessage } from "../../../src/intent/solana/layout.ts"
import { solanaMessage } from "../../../src/intent/solana/message.ts"
import { runs } from "../../support/runs.ts"
import { OWN } from "./cases.ts"
import { type Address, bytesOf } from "./kit.ts"
import { anyScenario, contextOf, type Scenario } from "./scenario.ts"

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
  fc.tuple(place, place).map(
    ([a, b]): Change =>
      (bytes) => {
        const [i, j] = [Math.floor(a * bytes.length), Math.floor(b * bytes.length)]
        return bytes.with(i, bytes[j] ?? 0).with(j, bytes[i] ?? 0)
      },
  ),
)

const shortvec = (value: number): Uint8Array =>
  value < 0x80
    ? Uint8Array.of(value)
    : value < 0x4000
      ? Uint8Array.of((value & 0x7f) | 0x80, value >> 7)
      : Uint8Array.of((value & 0x7f) | 0x80, ((value >> 7) & 0x7f) | 0x80, value >> 14)
const list = (items: readonly Uint8Array[]): Uint8Array => concat(shortvec(items.length), ...items)
const bytes = (values: ArrayLike<number>): Uint8Array => concat(shortvec(values.length), Uint8Array.from(values))
const key = (name: string): Uint8Array => bytesOf(name as Address)

/** The one encoding of what the layout holds. */
const encode = (message: SolanaMessage): Uint8Array =>
  concat(
    message.version === 0 ? Uint8Array.of(0x80) : new Uint8Array(0),
    Uint8Array.of(message.requiredSignatures, message.readonlySigned, message.readonlyUnsigned),
    list(message.keys.map(key)),
    key(message.blockhash),
    list(
      message.instructions.map(({ programIndex, accountIndices, data }) =>
        concat(Uint8Array.of(programIndex), bytes(accountIndices), bytes(data)),
      ),
    ),
    message.version === 0
      ? list(
          message.lookups.map(({ table, writable, readonly }) => concat(key(table), bytes(writable), bytes(readonly))),
        )
      : new Uint8Array(0),
  )

const decoder = getCompiledTransactionMessageDecoder()

/** As the second implementation has it. */
function sameAsTheirs(mutant: Uint8Array, ours: SolanaMessage): void {
  const theirs = decoder.decode(mutant)
  if (theirs.version === 1) throw new Error("version 1")
  expect<unknown>({
    version: theirs.version,
    header: theirs.header,
    keys: theirs.staticAccounts,
    blockhash: theirs.lifetimeToken,
    instructions: theirs.instructions.map(({ programAddressIndex, accountIndices = [], data }) => [
      ...[programAddressIndex, [...accountIndices], Buffer.from(data ?? []).toString("hex")],
    ]),
    lookups: ("addressTableLookups" in theirs ? (theirs.addressTableLookups ?? []) : []).map((one) => [
      ...[one.lookupTableAddress, [...one.writableIndexes], [...one.readonlyIndexes]],
    ]),
  }).toEqual({
    version: ours.version,
    header: {
      numSignerAccounts: ours.requiredSignatures,
      numReadonlySignerAccounts: ours.readonlySigned,
      numReadonlyNonSignerAccounts: ours.readonlyUnsigned,
    },
    keys: ours.keys,
    blockhash: ours.blockhash,
    instructions: ours.instructions.map(({ programIndex, accountIndices, data }) => [
      ...[programIndex, accountIndices, Buffer.from(data).toString("hex")],
    ]),
    lookups: ours.lookups.map(({ table, writable, readonly }) => [table, writable, readonly]),
  })
}

function noThirdOutcome({ bytes: original, context }: Scenario, changes: readonly Change[]): void {
  const mutant = changes.reduce((now, apply) => apply(now), original as Uint8Array)
  const decoded = solanaMessage.decode(mutant, context)
  if (isProblem(decoded)) return
  const ours = readMessage(mutant)
  expect(encode(ours)).toEqual(Uint8Array.from(mutant))
  sameAsTheirs(mutant, ours)
  // the task that was approved asks for the original
  const claims = context.messages.map(({ path }) => ({ path, hash: original }))
  const same = Buffer.compare(original, mutant) === 0
  expect(check(decoded, claims)?.code).toBe(same ? undefined : "E-INT-005")
}

test("mutants are refused, or are other messages, written in the one way that there is", () => {
  fc.assert(fc.property(anyScenario, fc.array(change, { minLength: 1, maxLength: 3 }), noThirdOutcome), {
    numRuns: runs(1000, 100_000),
  })
}, 1_800_000)

test("noise gives a problem or a reading, never an exception", () => {
  const context = contextOf(OWN.slice(0, 1))
  const head = concat(Uint8Array.of(1, 0, 1, 3), bytesOf(OWN[0]!), bytesOf(OWN[1]!))
  const noise = fc.oneof(
    fc.uint8Array({ maxLength: 1300 }),
    fc.uint8Array({ maxLength: 400 }).map((tail) => concat(head, new Uint8Array(64), tail)),
    fc.uint8Array({ maxLength: 400 }).map((tail) => concat(Uint8Array.of(0x80), head, new Uint8Array(64), tail)),
  )
  fc.assert(
    fc.property(noise, (data) => {
      const decoded = solanaMessage.decode(data, context)
      if (!isProblem(decoded)) expect(encode(readMessage(data))).toEqual(Uint8Array.from(data))
    }),
    { numRuns: runs(3000, 1_000_000) },
  )
}, 1_800_000)

test("the largest inputs take no longer than their length", () => {
  const time = (data: Uint8Array): number => {
    const begin = performance.now()
    solanaMessage.decode(data, contextOf(OWN.slice(0, 1)))
    return performance.now() - begin
  }
  // as many instructions as fit, each with one account
  const program = concat(Uint8Array.of(1, 0, 1, 2), bytesOf(OWN[0]!), new Uint8Array(32).fill(7), new Uint8Array(32))
  const count = 250
  const many = concat(program, shortvec(count), ...Array.from({ length: count }, () => Uint8Array.of(1, 1, 0, 0)))
  expect(isProblem(solanaMessage.decode(many, contextOf(OWN.slice(0, 1))))).toBe(false)
  const slowest = (data: Uint8Array) => Math.min(...Array.from({ length: 5 }, () => time(data)))
  expect(slowest(many)).toBeLessThan(50)
  expect(slowest(new Uint8Array(1024 * 1024))).toBeLessThan(50)
})
