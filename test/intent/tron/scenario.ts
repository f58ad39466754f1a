/** Whole transactions of drawn contracts, and the reading that each must have. */
import fc from "fast-check"
import { type Context, DEFAULT_SETTINGS } from "../../../src/intent/decoder.ts"
import type { Effect, Reading } from "../../../src/intent/reading.ts"
import { anyAddress, anyCase, type Case, CHAIN, NATIVE } from "./cases.ts"
import { type Address, type Encoded, encode, type Key, keyOf, type Raw } from "./web.ts"

export interface Scenario {
  readonly encoded: Encoded
  readonly context: Context
  readonly expected: Reading
}

export const KEYS: readonly Key[] = [1, 50, 100].map(keyOf)
export const PATH = [44, 195, 0, 0, 7]

export const contextOf = (key: Key | undefined, chain = CHAIN, settings = DEFAULT_SETTINGS): Context => ({
  curve: "secp256k1",
  messages: key === undefined ? [] : [{ path: PATH, publicKey: key.publicKey, signature: "ECDSA" }],
  derive: () => undefined,
  chains: key === undefined ? [] : [chain],
  settings,
})

interface Drawn {
  readonly made: Case
  readonly key: Key
  /** Under which permission of whose account, if not the key's own. */
  readonly under: { readonly owner: Address; readonly permission: number } | null
  readonly block: Uint8Array
  readonly expiration: number
  readonly timestamp: number | null
  readonly feeLimit: number | null
  readonly memo: Uint8Array | null
  readonly price: bigint
}

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex")

export function scenarioOf(drawn: Drawn): Scenario {
  const { made, key, under, memo, price } = drawn
  const owner = under?.owner ?? key.account
  const raw: Raw = {
    ...{ type: made.type, value: made.value(owner), expiration: drawn.expiration },
    ...{ refBlock: hex(drawn.block.subarray(0, 2)), refHash: hex(drawn.block.subarray(2)) },
    ...(under === null ? {} : { permission: under.permission }),
    ...(drawn.timestamp === null ? {} : { timestamp: drawn.timestamp }),
    ...(drawn.feeLimit === null ? {} : { feeLimit: drawn.feeLimit }),
    ...(memo === null ? {} : { memo: hex(memo) }),
  }
  const encoded = encode(raw)
  const note: Effect[] = memo === null ? [] : [{ kind: "memo", data: Uint8Array.from(memo) }]
  const signatures = under === null ? 1 : 5
  const frame = encoded.bytes.length < 128 ? 2 : encoded.bytes.length < 16384 ? 3 : 4
  const bytes = encoded.bytes.length + frame + 67 * signatures + 64
  const charges = (made.charge ?? 0) + (memo === null ? 0 : 1_000_000) + (under === null ? 0 : 1_000_000)
  const expected: Reading = {
    format: "tron/transaction",
    chain: CHAIN,
    from: [key.account.text],
    effects: [...made.effects({ owner, value: encoded.value, id: encoded.id }), ...note],
    fee: {
      max: BigInt(drawn.feeLimit ?? 0) + BigInt(bytes) * price + BigInt(charges),
      ...{ asset: NATIVE, unbounded: false },
    },
    expires: `${Math.floor(drawn.expiration / 1000)}`,
    signs: [{ path: PATH, bytes: encoded.id }],
    ...(under === null ? {} : { notes: [`under permission ${under.permission} of ${owner.text}`] }),
  }
  const settings = { ...DEFAULT_SETTINGS, tron: { bandwidthPrice: price } }
  return { encoded, context: contextOf(key, CHAIN, settings), expected }
}

const whole = fc.integer({ min: 1, max: 2 ** 45 })

export const scenarioWith = (one: fc.Arbitrary<Case>): fc.Arbitrary<Scenario> =>
  fc
    .record({
      made: one,
      key: fc.constantFrom(...KEYS),
      under: fc.option(fc.record({ owner: anyAddress, permission: fc.integer({ min: 1, max: 9 }) })),
      block: fc.uint8Array({ minLength: 10, maxLength: 10 }),
      expiration: whole,
      timestamp: fc.option(whole),
      feeLimit: fc.option(whole),
      memo: fc.option(fc.uint8Array({ minLength: 1, maxLength: 60 })),
      price: fc.constantFrom(1000n, 0n, 420n),
    })
    .map(scenarioOf)

export const anyScenario = scenarioWith(anyCase)
