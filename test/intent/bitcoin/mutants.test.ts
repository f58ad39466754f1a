/**
 * Mutants: whatever one changes in a payload, the task's digests no longer fit, or it is refused, or it reads the same. And
 * bytes of any kind: no exception, time in proportion to their number, no memory that stays.
 *
 * One more outcome is a hint that no longer proves an output to be ours: the digests are the same, the output is then read as
 * a stranger's, and a rule that let change pass does not let that pass. It is never the other way round, and is asserted so.
 */
import { describe, expect, test } from "bun:test"
import fc from "fast-check"
import { type Bytes, bigToLe, concat, copy, equal, u8 } from "../../../src/bytes.ts"
import { messageDecoder } from "../../../src/intent/bitcoin/message.ts"
import { psbtDecoder } from "../../../src/intent/bitcoin/psbt.ts"
import { sha256d } from "../../../src/intent/bitcoin/transaction.ts"
import type { Context } from "../../../src/intent/decoder.ts"
import { type Effect, isProblem, type Reading } from "../../../src/intent/reading.ts"
import { join, pair, type RawMap, split } from "./craft.ts"
import { Dice, planOf } from "./plans.ts"
import { ALICE, contextFor, P2PKH, P2TR, P2WPKH, PAYMENT, pay, planWith, spend } from "./simple.ts"
import { asked, askedOf, contextOf, encode, keyAt, scriptOf } from "./wallet.ts"

const LONG = process.env["COSIGNER_LONG"] === "1"

type Outcome = "refused" | "other digests" | "equal" | "stricter"

/** What became of a payload that once read as `original`; throws for what must not be. */
function outcomeOf(original: Reading, mutant: Uint8Array, context: Context): Outcome {
  const decoded = psbtDecoder.decode(mutant, context)
  if (isProblem(decoded)) return "refused"
  const digests = (reading: Reading) => reading.signs.map(({ bytes }) => Buffer.from(bytes).toString("hex"))
  if (digests(decoded).join() !== digests(original).join()) return "other digests"
  const { notes: _, ...before } = original
  const { notes: __, ...after } = decoded
  if (Bun.deepEquals(before, after)) return "equal"
  expect({ ...after, effects: [] }).toEqual({ ...before, effects: [] })
  expect(onlyStricter(before.effects, after.effects)).toBe(true)
  return "stricter"
}

/** Every effect of before is there; what is new or lost its own path is a transfer to an address without one. */
function onlyStricter(before: readonly Effect[], after: readonly Effect[]): boolean {
  const left = [...after]
  for (const effect of before.filter(({ kind }) => kind !== "self")) {
    const same = left.findIndex((other) => Bun.deepEquals(other, effect) || Bun.deepEquals(other, strangers(effect)))
    if (same === -1) return false
    left.splice(same, 1)
  }
  return left.every((effect) => effect.kind === "transfer" && effect.toPath === undefined)
}

function strangers(effect: Effect): Effect {
  if (effect.kind !== "transfer") return effect
  const { toPath: _, ...rest } = effect
  return rest
}

function mutate(dice: Dice, psbt: Bytes): Bytes {
  const at = dice.roll(psbt.length)
  switch (dice.roll(8)) {
    case 0:
      return concat(psbt.subarray(0, at), psbt.subarray(at + 1 + dice.roll(3)))
    case 1:
      return concat(psbt.subarray(0, at), dice.bytes(1 + dice.roll(3)), psbt.subarray(at))
    case 2:
      return mutateMaps(dice, psbt)
    case 3: {
      const number = dice.pick([0, 1, 0xfc, 0xfd, 0xfe, 0xff])
      return concat(psbt.subarray(0, at), u8(number), psbt.subarray(at + 1))
    }
    default: {
      const out = copy(psbt)
      out[at] = out[at]! ^ (1 << dice.roll(8))
      return out
    }
  }
}

/** Whole fields: left out, moved to another map, exchanged, put in another order; whole maps exchanged. */
function mutateMaps(dice: Dice, psbt: Bytes): Bytes {
  const maps: RawMap[] = [...split(psbt)]
  const i = dice.roll(maps.length)
  const j = dice.roll(maps.length)
  const [map = [], other = []] = [maps[i], maps[j]]
  const field = map[dice.roll(map.length)]
  switch (dice.roll(4)) {
    case 0:
      maps[i] = map.filter((one) => one !== field)
      break
    case 1:
      if (field !== undefined && i !== j) {
        maps[i] = map.filter((one) => one !== field)
        maps[j] = [...other, field]
      }
      break
    case 2:
      maps[i] = other
      maps[j] = map
      break
    default:
      maps[i] = dice.shuffled(map)
  }
  return join(maps)
}

describe("mutants", () => {
  test("of random PSBTs: other digests, a refusal, or the same reading", () => {
    const seen = { refused: 0, "other digests": 0, equal: 0, stricter: 0 }
    const plans = LONG ? 1000 : 100
    for (let seed = 0; seed < plans; seed++) {
      const dice = new Dice(seed)
      const plan = planOf(seed)
      const psbt = encode(plan)
      const context = contextOf(askedOf(plan), plan.chain)
      const original = psbtDecoder.decode(psbt, context)
      if (isProblem(original)) throw new Error(original.message)
      for (let i = 0; i < 100; i++) seen[outcomeOf(original, mutate(dice, psbt), context)]++
    }
    // each outcome is met, so each is tested
    expect(Math.min(...Object.values(seen))).toBeGreaterThan(0)
    expect(seen.refused + seen["other digests"]).toBeGreaterThan(plans * 50)
  }, 600_000)
  test("every byte of a payment, every bit of it", () => {
    const context = contextFor(PAYMENT)
    for (const version of [0, 2] as const) {
      const psbt = encode({ ...PAYMENT, version })
      const original = psbtDecoder.decode(psbt, context)
      if (isProblem(original)) throw new Error(original.message)
      for (let at = 0; at < psbt.length; at++) {
        for (let bit = 0; bit < 8; bit++) {
          const mutant = copy(psbt)
          mutant[at] = mutant[at]! ^ (1 << bit)
          outcomeOf(original, mutant, context)
        }
      }
    }
  })
})

describe("fuzz", () => {
  const context = contextOf([{ path: P2WPKH.path, publicKey: keyAt(P2WPKH.path), signature: "ECDSA", input: 0 }])

  test("bytes of any kind are a reading or a problem, never an exception", () => {
    const magic = Uint8Array.of(0x70, 0x73, 0x62, 0x74, 0xff)
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 400 }), fc.boolean(), (bytes, withMagic) => {
        const data = withMagic ? concat(magic, bytes) : bytes
        expect("code" in psbtDecoder.decode(data, context)).toBe(true)
        expect("code" in messageDecoder.decode(data, context)).toBe(true)
      }),
      { numRuns: LONG ? 500_000 : 500 },
    )
  }, 600_000)
  test("maps of random fields, of the right form and with any values", () => {
    const runs = LONG ? 500_000 : 2000
    const samples = Array.from({ length: 50 }, (_, seed) => split(encode(planOf(seed))))
    let readable = 0
    for (let seed = 0; seed < runs; seed++) {
      const dice = new Dice(seed)
      const maps = (samples[seed % samples.length] ?? []).map((map) =>
        dice.chance(2) ? map : [...map.filter(() => !dice.chance(6)), ...randomFields(dice)],
      )
      if (!("code" in psbtDecoder.decode(join(maps), context))) readable++
      psbtDecoder.decode(join(maps), { ...context, messages: [] })
    }
    expect(readable).toBeLessThan(runs)
  }, 1_800_000)
})

const randomFields = (dice: Dice): RawMap =>
  Array.from({ length: dice.roll(3) }, (_, i) =>
    pair(
      dice.pick([...Array(0x20).keys(), 0xfb, 0xfc]),
      dice.bytes(dice.pick([0, 1, 4, 8, 9, 32, 33, 36, 64])),
      [new Uint8Array(0), dice.bytes(32), concat(u8(2), dice.bytes(32)), u8(i)][dice.roll(4)],
    ),
  )

describe("bounds", () => {
  const MIB = 1024 * 1024
  const context = contextFor(PAYMENT)
  const timed = (data: Uint8Array, of: Context = context): number => {
    const start = performance.now()
    psbtDecoder.decode(data, of)
    return performance.now() - start
  }
  const fastest = (data: Uint8Array, of: Context = context): number =>
    Math.min(...Array.from({ length: 3 }, () => timed(data, of)))

  /** One Taproot input of ours and as many of a stranger, without previous transactions. */
  function wide(inputs: number): { readonly psbt: Bytes; readonly context: Context } {
    const ours = concat(bigToLe(1000n, 8), u8(34), scriptOf(P2TR))
    const strangers = concat(bigToLe(1000n, 8), u8(34), scriptOf({ kind: "p2tr", path: [9] }))
    const list = Array.from({ length: inputs }, (_, i) => bigToLe(BigInt(i), 4))
    const tx = concat(
      bigToLe(2n, 4),
      u8(0xfd),
      bigToLe(BigInt(inputs), 2),
      ...list.map((index) => concat(new Uint8Array(32).fill(1), index, new Uint8Array(5))),
      concat(u8(1), bigToLe(1n, 8), u8(22), ALICE),
      new Uint8Array(4),
    )
    const maps = list.map((_, i) => [pair(0x01, i === 0 ? ours : strangers)])
    return { psbt: join([[pair(0x00, tx)], ...maps, []]), context: contextOf([asked(P2TR, 0)]) }
  }

  test("time grows with the length: of unknown keys, of inputs", () => {
    const keys = (count: number) =>
      join([
        ...split(encode(PAYMENT)).slice(0, 1),
        Array.from({ length: count }, (_, i) => pair(0x77, u8(0), bigToLe(BigInt(i), 4))),
        [],
        [],
      ])
    expect(fastest(keys(80_000))).toBeLessThan(32 * Math.max(2, fastest(keys(10_000))))
    const small = wide(500)
    const large = wide(4000)
    expect("code" in psbtDecoder.decode(large.psbt, large.context)).toBe(false)
    expect(fastest(large.psbt, large.context)).toBeLessThan(32 * Math.max(2, fastest(small.psbt, small.context)))
  })
  test("more inputs than are read", () => {
    const { psbt, context: one } = wide(4097)
    expect(psbtDecoder.decode(psbt, one)).toMatchObject({ code: "E-INT-003", at: "global" })
  })
  test("P2PKH inputs by the thousand, which each hash the whole transaction", () => {
    const script = scriptOf(P2PKH)
    const previous = Array.from({ length: 1300 }, (_, i) =>
      concat(
        bigToLe(2n, 4),
        u8(1),
        bigToLe(BigInt(i), 32),
        new Uint8Array(9),
        u8(1),
        bigToLe(9n, 8),
        u8(25),
        script,
        new Uint8Array(4),
      ),
    )
    const inputs = previous.map((bytes) => concat(sha256d(bytes), new Uint8Array(9)))
    const output = concat(bigToLe(1n, 8), u8(22), ALICE)
    const tx = concat(bigToLe(2n, 4), u8(0xfd), bigToLe(1300n, 2), ...inputs, u8(1), output, new Uint8Array(4))
    const psbt = join([[pair(0, tx)], ...previous.map((bytes) => [pair(0, bytes)]), []])
    const messages = previous.map((_, input) => asked(P2PKH, input))
    expect(psbtDecoder.decode(psbt, contextOf(messages))).toMatchObject({ code: "E-INT-003", at: "input 1258" })
  })
  test("hints that would have to be followed forever are refused", () => {
    const plan = planWith(
      [spend(P2WPKH, 1_000_000n)],
      Array.from({ length: 600 }, (_, i) => pay(scriptOf({ kind: "p2wpkh", path: [i] }), 1n)),
    )
    const maps = split(encode(plan)).map((map, i) => {
      if (i < 2) return map
      const levels = Array.from({ length: 32 }, (_, level) => bigToLe(BigInt(level === 0 ? i : level), 4))
      return [pair(0x02, concat(new Uint8Array(4), ...levels), keyAt([i - 2]))]
    })
    const start = performance.now()
    const nowhere = { ...contextFor(plan), derive: () => undefined }
    expect(psbtDecoder.decode(join(maps), nowhere)).toMatchObject({ code: "E-INT-003", at: "derivation hints" })
    expect(performance.now() - start).toBeLessThan(1000)
  })
  test("a megabyte of anything: less than a second, and no memory stays", () => {
    const payloads = [
      new Uint8Array(MIB),
      new Uint8Array(MIB).fill(0xff),
      concat(Uint8Array.of(0x70, 0x73, 0x62, 0x74, 0xff), new Uint8Array(MIB - 5).fill(1)),
      concat(encode(PAYMENT), new Uint8Array(MIB - 1000)),
      new Dice(1).bytes(MIB),
    ]
    for (const payload of payloads) expect(timed(payload)).toBeLessThan(1000)
    Bun.gc(true)
    const before = process.memoryUsage().heapUsed
    for (let i = 0; i < 20; i++) for (const payload of payloads) psbtDecoder.decode(payload, context)
    Bun.gc(true)
    expect(process.memoryUsage().heapUsed - before).toBeLessThan(8 * MIB)
  })
  test("reading does not write into the payload, and does not keep it", () => {
    const psbt = encode(PAYMENT)
    const kept = copy(psbt)
    const reading = psbtDecoder.decode(psbt, context)
    expect(equal(psbt, kept)).toBe(true)
    const before = Bun.inspect(reading, { depth: 10 })
    psbt.fill(0)
    expect(Bun.inspect(reading, { depth: 10 })).toBe(before)
  })
})
