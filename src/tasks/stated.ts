/**
 * Compares what a task states beside its payloads with what was read: the vendor's copy of the transaction, the name of the chain, the
 * destination and the amount. None of this decides what is signed. If it differs, somebody who looked at it was shown something else than
 * what would be signed, and that is a problem.
 */
import { type Bytes, fromHex } from "../bytes.ts"
import { parseDecimal } from "../intent/amount.ts"
import { chainOf, NATIVE_ASSETS, namespaceOf } from "../intent/caip.ts"
import { CHAIN_NAMES } from "../intent/chainNames.ts"
import { problem } from "../intent/problem.ts"
import type { Effect, Format, Problem, Reading } from "../intent/reading.ts"
import type { Annotations } from "../intent/text.ts"

type Info = Readonly<Record<string, unknown>>

/** The non-empty text at a path of keys; undefined if there is none. */
function textAt(info: Info, ...path: readonly string[]): string | undefined {
  let at: unknown = info
  for (const key of path) {
    if (typeof at !== "object" || at === null || !Object.hasOwn(at, key)) return undefined
    at = Reflect.get(at, key)
  }
  return typeof at === "string" && at !== "" ? at : undefined
}

/** The unsigned transaction in the vendor's records, as hex; undefined for a signed message, which has none. */
export const statedTransaction = (info: Info): string | undefined =>
  textAt(info, "transaction", "destination", "destination_type")?.includes("Signature") === true
    ? undefined
    : textAt(info, "transaction", "raw_tx_info", "unsigned_raw_tx")

const PSBT_MAGIC = "70736274ff"

/**
 * That transaction as a payload, for a path of these chains. Undefined if no decoder reads the vendor's form (a Bitcoin transaction that is
 * not a PSBT has no amounts); the message then has no payload. `data` is undefined if the text is not hex.
 */
export function statedPayload(
  raw: string,
  chains: readonly string[],
): { readonly format: Format; readonly data: Bytes | undefined } | undefined {
  const hex = raw.replace(/^0x/i, "").toLowerCase()
  const data = fromHex(hex)
  switch (namespaceOf(chains[0] ?? "")) {
    case "eip155":
      return { format: "evm/transaction", data }
    case "tron":
      return { format: "tron/transaction", data }
    case "bip122":
      return hex.startsWith(PSBT_MAGIC) ? { format: "bitcoin/psbt", data } : undefined
    default:
      return undefined
  }
}

/** The chain names that the task states. */
function statedChains(info: Info): readonly string[] {
  const sources: unknown = info["source_addresses"]
  const named = Array.isArray(sources) ? sources.map((source: unknown) => textAt({ source }, "source", "chain_id")) : []
  return [textAt(info, "transaction", "chain_id"), ...named].flatMap((name) => name ?? [])
}

/** The first difference between what the task states and what was read: E-INT-013 or -014; undefined if there is none. */
export function contradiction(info: Info, readings: readonly Reading[], { asset }: Annotations): Problem | undefined {
  if (readings.length === 0) return undefined
  for (const name of statedChains(info)) {
    const stated = CHAIN_NAMES.get(name)
    // A reading that is valid on every EVM chain does not count as the named chain.
    if (stated !== undefined && !readings.some(({ chain }) => chain === stated)) {
      const read = readings.map(({ chain }) => chain).join(", ")
      return problem("E-INT-013", "extra_info", `it is called ${name} (${stated}), and is of ${read}`)
    }
  }
  const to = textAt(info, "transaction", "destination", "account_output", "address")
  if (to === undefined) return undefined
  const at = "extra_info.transaction.destination"
  const effects = readings.flatMap((reading) => reading.effects.filter((effect) => reaches(effect, to, reading.chain)))
  if (effects.length === 0) return problem("E-INT-014", at, "the destination that it names is in no effect")
  const amount = textAt(info, "transaction", "destination", "account_output", "amount")
  if (amount === undefined || effects.some((effect) => couldBe(effect, amount, asset))) return undefined
  return problem("E-INT-014", at, "the amount that it names goes to that destination in no effect")
}

const sameAccount = (a: string, b: string, chain: string): boolean =>
  namespaceOf(chain) === "eip155" ? a.toLowerCase() === b.toLowerCase() : a === b

function reaches(effect: Effect, to: string, chain: string): boolean {
  const accounts = [
    "to" in effect ? effect.to : undefined,
    "spender" in effect ? effect.spender : undefined,
    "delegate" in effect ? effect.delegate : undefined,
    "authority" in effect ? effect.authority : undefined,
  ]
  return accounts.some((account) => typeof account === "string" && sameAccount(account, to, chain))
}

/** True if the effect can be the stated amount, which is in whole units. If the asset's decimals are unknown, any amount can be. */
function couldBe(effect: Effect, amount: string, asset: Annotations["asset"]): boolean {
  if (!("amount" in effect) || typeof effect.asset !== "string") return effect.kind !== "call" || effect.value === 0n
  const native = NATIVE_ASSETS.get(chainOf(effect.asset))
  const decimals = native?.id === effect.asset ? native.decimals : asset(effect.asset)?.decimals
  return decimals === undefined || parseDecimal(trimmed(amount), decimals) === effect.amount
}

/** Removes trailing zeros after the point: `1.500` becomes `1.5`. */
const trimmed = (amount: string): string => (amount.includes(".") ? amount.replace(/\.?0+$/, "") : amount)
