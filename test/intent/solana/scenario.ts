/** Whole messages of drawn instructions, and the reading that each must have. */
import { getSetComputeUnitLimitInstruction, getSetComputeUnitPriceInstruction } from "@solana-program/compute-budget"
import fc from "fast-check"
import { type Context, DEFAULT_SETTINGS } from "../../../src/intent/decoder.ts"
import type { Account, Effect, Reading } from "../../../src/intent/reading.ts"
import { anyCase, type Case, CHAIN, CONFIGURED, FOREIGN, NATIVE, OWN } from "./cases.ts"
import { type Address, addressOf, bytesOf, type Compiled, compile, type Instruction, type Meta } from "./kit.ts"

export interface Scenario {
  readonly bytes: Uint8Array<ArrayBuffer>
  readonly compiled: Compiled
  readonly context: Context
  readonly expected: Reading
}

export interface Drawn {
  readonly cases: readonly Case[]
  readonly version: "legacy" | 0
  readonly feePayer: Address
  readonly blockhash: Address
  readonly limit: number | null
  readonly price: bigint | null
  /** Which of the addresses that could stand in a lookup table do, by position. */
  readonly lookedUp: readonly boolean[]
  /** Whether the configuration lists the table. */
  readonly listed: boolean
}

export const TABLE = addressOf(Uint8Array.from({ length: 32 }, (_, i) => 200 - i))

const drawnOf = (cases: fc.Arbitrary<readonly Case[]>): fc.Arbitrary<Drawn> =>
  fc.record({
    cases,
    version: fc.constantFrom("legacy" as const, 0 as const),
    feePayer: fc.constantFrom(...OWN, ...FOREIGN),
    blockhash: fc.uint8Array({ minLength: 32, maxLength: 32 }).map(addressOf),
    limit: fc.option(fc.integer({ min: 0, max: 2_000_000 })),
    price: fc.option(fc.bigInt(0n, (1n << 50n) - 1n)),
    lookedUp: fc.array(fc.boolean(), { maxLength: 12 }),
    listed: fc.boolean(),
  })

export const anyScenario: fc.Arbitrary<Scenario> = drawnOf(fc.array(anyCase, { minLength: 1, maxLength: 4 })).map(
  scenarioOf,
)
export const scenarioWith = (one: fc.Arbitrary<Case>): fc.Arbitrary<Scenario> =>
  drawnOf(one.map((made) => [made])).map(scenarioOf)

export const contextOf = (own: readonly Address[], settings = DEFAULT_SETTINGS, chain = CHAIN): Context => ({
  curve: "ed25519",
  messages: own.map((name, i) => ({ path: [44, 501, i], publicKey: bytesOf(name), signature: "EdDSA" as const })),
  derive: () => undefined,
  chains: [chain],
  settings,
})

export function scenarioOf(drawn: Drawn): Scenario {
  const { cases, limit, price, listed } = drawn
  const budget: readonly Instruction[] = [
    ...(limit === null ? [] : [getSetComputeUnitLimitInstruction({ units: limit })]),
    ...(price === null ? [] : [getSetComputeUnitPriceInstruction({ microLamports: price })]),
  ]
  const instructions = [...cases.map(({ instruction }) => instruction), ...budget]
  const entries = tableOf(instructions, drawn)
  const tables = entries.length === 0 ? {} : { [TABLE]: entries }
  const signs = signersOf(instructions, drawn.feePayer).some((one) => OWN.includes(one))
  const feePayer = signs ? drawn.feePayer : OWN[0]!
  const compiled = compile(instructions, { ...drawn, feePayer, tables })
  const own = compiled.signers.filter((one) => OWN.includes(one))
  const settings = {
    ...DEFAULT_SETTINGS,
    solana: { mints: CONFIGURED, lookupTables: new Map(listed ? [[TABLE as string, entries]] : []) },
  }
  const expected = expectedOf(drawn, { own, feePayer, compiled, entries, instructions })
  return { bytes: compiled.bytes, compiled, context: contextOf(own, settings), expected }
}

/** Accounts that no instruction signs with and that are no programs may stand in a table. */
function tableOf(instructions: readonly Instruction[], { lookedUp, version, feePayer }: Drawn): readonly Address[] {
  if (version === "legacy") return []
  const metas = instructions.flatMap(({ accounts = [] }) => accounts)
  const kept = new Set<string>([feePayer, OWN[0]!, ...instructions.map((one) => one.programAddress)])
  for (const meta of metas) if (meta.role >= 2) kept.add(meta.address)
  const names = [...new Set(metas.map((meta) => meta.address))].filter((name) => !kept.has(name))
  return names.filter((_, i) => lookedUp[i] === true)
}

const signersOf = (instructions: readonly Instruction[], feePayer: Address): readonly Address[] => [
  feePayer,
  ...instructions.flatMap(({ accounts = [] }) =>
    accounts.filter(({ role }) => role >= 2).map(({ address }) => address),
  ),
]

interface Made {
  readonly own: readonly Address[]
  readonly feePayer: Address
  readonly compiled: Compiled
  readonly entries: readonly Address[]
  readonly instructions: readonly Instruction[]
}

function expectedOf(drawn: Drawn, made: Made): Reading {
  const { own, feePayer, compiled, entries, instructions } = made
  const named = (name: Address): Account => {
    const at = entries.indexOf(name)
    if (drawn.listed || at < 0 || compiled.staticAccounts.includes(name)) return name
    return { unresolved: `entry ${at} of lookup table ${TABLE}` }
  }
  const text = ({ name, flags }: Meta): string => {
    const account = typeof name === "string" ? name : named(entries[name.entry]!)
    const words = typeof account === "string" ? account : `(${account.unresolved})`
    return flags === "" ? words : `${words}:${flags}`
  }
  const effects = drawn.cases.flatMap(({ instruction, effects }, i) => {
    const metas = (compiled.accountIndices[i] ?? []).map((index) => compiled.metas[index]!)
    const by = metas.find(({ flags }) => flags.startsWith("s"))?.name
    const call = (selector: string): Effect => ({
      kind: "call",
      from: typeof by === "string" ? by : feePayer,
      to: instruction.programAddress,
      selector,
      data: Uint8Array.from(instruction.data ?? []),
      value: 0n,
      accounts: metas.map(text).join(" "),
    })
    return effects(named, own, call)
  })
  const limit = BigInt(Math.min(1_400_000, drawn.limit ?? 200_000 * instructions.length))
  const priority = ((drawn.price ?? 0n) * limit + 999_999n) / 1_000_000n
  const paid = own.includes(feePayer) ? 5000n * BigInt(compiled.signers.length) + priority : 0n
  const rents = drawn.cases.map(({ rent }) => {
    if (rent === undefined || !own.includes(rent.payer)) return 0n
    return rent.max(named)
  })
  const shown = drawn.cases.flatMap(({ note }) => note?.(named) ?? [])
  const notes = [...(own.includes(feePayer) ? [] : [`${feePayer} pays the fee`]), ...shown]
  const durable =
    instructions[0]?.programAddress === "11111111111111111111111111111111" && instructions[0].data?.[0] === 4
  return {
    format: "solana/message",
    chain: CHAIN,
    from: own,
    effects: effects.length > 0 ? effects : [{ kind: "self", from: own[0]! }],
    fee: { max: rents.reduce((sum, one) => sum + one, paid), asset: NATIVE, unbounded: false },
    ...(durable ? {} : { expires: `blockhash ${drawn.blockhash}` }),
    signs: own.map((_, i) => ({ path: [44, 501, i], bytes: compiled.bytes })),
    ...(notes.length === 0 ? {} : { notes }),
  }
}
