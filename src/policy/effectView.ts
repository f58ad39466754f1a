/** An effect in the form that conditions judge: the fields that kinds share, whatever each kind calls them, and which of them are unknown. */
import { ANY_EVM, namespaceOf } from "../intent/caip.ts"
import { isUnread, type NamedCall } from "../intent/evm/namedCall.ts"
import type { Account, Effect, Reading } from "../intent/reading.ts"
import { parsePath } from "../keys/path.ts"
import { callOf } from "./abiCalls.ts"
import { accountKey, assetKey, type Names, namesOf } from "./names.ts"
import type { Intent } from "./request.ts"

/** A field: absent if the kind has none, unknown if the payload does not state it. */
export type ViewField<T> = { readonly is: "known"; readonly value: T } | typeof ABSENT | typeof UNKNOWN

const ABSENT = { is: "absent" } as const
const UNKNOWN = { is: "unknown" } as const

export interface EffectView {
  readonly effect: Effect
  /** The intent that the effect belongs to. */
  readonly intent: Intent
  /** The reading's chain, and for an authorization also the chain that it is for. */
  readonly chains: readonly string[]
  /** CAIP-19. */
  readonly asset: ViewField<string>
  readonly amount: bigint | undefined
  /** Destination, spender, delegate, contract, new authority. */
  readonly to: ViewField<Destination>
  /** Whether `to` is a contract whose code the effect calls. */
  readonly isContract: boolean
  readonly selector: string | undefined
  readonly encodeType: string | undefined
  /** Read with the ABI of its contract: absent if there is no ABI, unknown if the ABI does not read the call. */
  readonly call: ViewField<NamedCall>
}

export interface Destination {
  readonly account: string
  /** CAIP-2 of the chain that it is on; `eip155:*` is every EVM chain. */
  readonly chain: string
  /** Every spelling by which a target may name it: itself and the owner of a token account, each with its chain and without. */
  readonly keys: readonly string[]
  /** This key's own path to the account. */
  readonly ownPath: readonly number[] | undefined
  /** The owner is unknown: a token account that is neither configured nor anybody's associated one. */
  readonly isStrange: boolean
}

export function viewOf(effect: Effect, intent: Intent, names: Names): EffectView {
  const { reading, accounts } = intent
  const isOther = effect.kind === "delegate_7702" && effect.chain !== reading.chain
  return {
    effect,
    intent,
    chains: isOther ? [reading.chain, effect.chain] : [reading.chain],
    asset: "asset" in effect ? assetField(effect.asset, names) : ABSENT,
    amount: "amount" in effect ? effect.amount : undefined,
    to: destinationOf(effect, reading, accounts, names),
    isContract:
      effect.kind === "call" ||
      effect.kind === "delegatecall" ||
      effect.kind === "typed_data" ||
      effect.kind === "opaque_hash",
    selector: "selector" in effect ? effect.selector : undefined,
    encodeType: effect.kind === "typed_data" ? effect.encodeType : undefined,
    call: callField(effect, reading.chain, names),
  }
}

function callField(effect: Effect, chain: string, names: Names): ViewField<NamedCall> {
  const call = callOf(effect, chain, names)
  if (call === undefined) return ABSENT
  return isUnread(call) ? UNKNOWN : { is: "known", value: call }
}

/** Uses the same string object as the names, which makes comparing fast. */
function assetField(asset: Account, { assets }: Names): ViewField<string> {
  if (typeof asset !== "string") return UNKNOWN
  const id = assetKey(asset)
  return { is: "known", value: assets.get(id)?.id ?? id }
}

/** The destination, spender, delegate, contract or new authority, whichever the effect has. */
export function targetOf(effect: Effect): Account | undefined {
  switch (effect.kind) {
    case "approve":
    case "permit":
      return effect.spender
    case "delegate_7702":
      return effect.delegate
    case "set_authority":
      return effect.authority
    case "nonce":
      return effect.authority
    case "memo":
    case "message":
    case "self":
      return undefined
    default:
      return effect.to
  }
}

function destinationOf(
  effect: Effect,
  reading: Reading,
  accounts: Intent["accounts"],
  names: Names,
): ViewField<Destination> {
  const target = targetOf(effect)
  if (target === undefined) return ABSENT
  if (typeof target !== "string") return UNKNOWN
  const chain = effect.kind === "delegate_7702" ? effect.chain : reading.chain
  const stated = effect.kind === "transfer" && effect.toPath !== undefined ? parsePath(effect.toPath) : undefined
  const destination = destinationAt(target, chain, accounts, stated)
  const isStrange =
    isTokenAccount(effect, chain) &&
    accounts.get(target)?.owner === undefined &&
    destination.ownPath === undefined &&
    namesOf(chain, target, names).length === 0
  return { is: "known", value: { ...destination, isStrange } }
}

/** `stated` is the path that the reading itself states. */
export function destinationAt(
  account: string,
  chain: string,
  accounts: Intent["accounts"],
  stated?: readonly number[],
): Destination {
  const known = accounts.get(account)
  const keys = [account, ...(known?.owner === undefined ? [] : [known.owner])].flatMap((one) => {
    const key = accountKey(chain, one)
    return [key, key.slice(chain.length + 1)]
  })
  const ownPath =
    stated ?? known?.ownPath ?? (known?.owner === undefined ? undefined : accounts.get(known.owner)?.ownPath)
  return { account, chain, keys, ownPath, isStrange: false }
}

/** On Solana tokens go to accounts, and the message does not state their owners. */
const isTokenAccount = (effect: Effect, chain: string): boolean =>
  namespaceOf(chain) === "solana" &&
  effect.kind === "transfer" &&
  !(typeof effect.asset === "string" && effect.asset.includes("/slip44:"))

export const isAnyChain = (chain: string): boolean => chain === ANY_EVM
