/**
 * Calls of contracts. TRON's virtual machine takes the same call data as the EVM, so the EVM's readers read them (TRC-20 is
 * ERC-20, TRC-721 is ERC-721, calls inside calls). This file translates their result into TRON's spelling.
 */
import type { Bytes } from "../../bytes.ts"
import { EffectList } from "../evm/calls.ts"
import type { Account, Effect } from "../reading.ts"
import { fromEvm, toEvm } from "./address.ts"
import { withoutPrefixes } from "./callData.ts"

interface ContractCall {
  readonly chain: string
  readonly native: string
  readonly from: string
  readonly to: string
  readonly data: Bytes
  /** Sun. */
  readonly value: bigint
}

/** The call, the value that goes with it, and what is known to happen in it. */
export function effectsOfCall({ chain, native, from, to, data, value }: ContractCall): readonly Effect[] {
  // Even without data the contract runs, unlike a transfer to an account.
  if (data.length === 0) {
    const sent: Effect = { kind: "transfer", from, to, asset: native, amount: value }
    return [...(value > 0n ? [sent] : []), { kind: "call", from, to, selector: "0x", data, value }]
  }
  const plain = withoutPrefixes(data)
  const effects = new EffectList(chain, native)
  effects.call({ from: toEvm(from), to: toEvm(to), value, data: plain, depth: 0, at: "data" })
  return effects.list.map((effect) =>
    translated(effect.kind === "call" && effect.data === plain ? { ...effect, data } : effect),
  )
}

const ADDRESS = /^0x[0-9a-fA-F]{40}$/
const TOKEN = /^(.*)\/erc(20|721|1155):(0x[0-9a-f]{40})$/

/** Writes every account and asset of an effect in TRON's spelling. Other fields contain no addresses. */
function translated(effect: Effect): Effect {
  const fields = Object.entries(effect).map(([name, value]) => [
    name,
    typeof value === "string" ? spelled(value) : value,
  ])
  return { ...effect, ...Object.fromEntries(fields) }
}

function spelled(text: string): Account {
  if (ADDRESS.test(text)) return fromEvm(text)
  const token = TOKEN.exec(text)
  return token === null ? text : `${token[1]}/trc${token[2]}:${fromEvm(token[3] ?? "")}`
}
