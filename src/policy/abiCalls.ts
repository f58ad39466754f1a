/** Calls of contracts whose ABI is configured: which function a call is, and what its arguments are. */

import { toHex } from "../bytes.ts"
import { namespaceOf } from "../intent/caip.ts"
import { addressOf as evmAddressOf } from "../intent/evm/address.ts"
import { callText } from "../intent/evm/callText.ts"
import { isUnread, type NamedCall, namedCall, type UnreadCall } from "../intent/evm/namedCall.ts"
import type { Effect } from "../intent/reading.ts"
import { fromEvm } from "../intent/tron/address.ts"
import { withoutPrefixes } from "../intent/tron/callData.ts"
import { accountKey, type Names, namesOf } from "./names.ts"

/** Undefined if no ABI describes the effect: it is not a call, or its contract has no ABI. */
export function callOf(effect: Effect, chain: string, { abis }: Names): NamedCall | UnreadCall | undefined {
  if (effect.kind !== "call" && effect.kind !== "delegatecall") return undefined
  if (abis.size === 0 || typeof effect.to !== "string") return undefined
  const abi = abis.get(accountKey(chain, effect.to))
  if (abi === undefined) return undefined
  return namedCall(abi, namespaceOf(chain) === "tron" ? withoutPrefixes(effect.data) : effect.data)
}

/** A description for people; undefined if no ABI says more than the selector. */
export function callWords(effect: Effect, chain: string, names: Names): string | undefined {
  const call = callOf(effect, chain, names)
  if (call === undefined) return undefined
  if (isUnread(call)) return `unread: ${call.unread}`
  return callText(call, (bytes) => {
    const account = accountIn(bytes, chain)
    const called = namesOf(chain, account, names)
    return called.length === 0 ? account : `${account} (${called.map((name) => `@${name}`).join(", ")})`
  })
}

/** An address of call data in its chain's spelling. */
export const accountIn = (bytes: Uint8Array, chain: string): string =>
  namespaceOf(chain) === "tron" ? fromEvm(`0x${toHex(bytes)}`) : evmAddressOf(bytes)
