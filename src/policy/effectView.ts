/** An effect as conditions ask of it: the fields that kinds share, whatever each calls them, and what is unknown of them. */
import { ANY_EVM, namespaceOf } from "../intent/caip.ts"
import type { Account, Effect, Reading } from "../intent/reading.ts"
import { parsePath } from "../keys/path.ts"
import { accountKey, assetKey, type Names, namesOf } from "./names.ts"
import type { Intent } from "./request.ts"

/** Of a field: absent where the kind has none, unknown where the payload does not say it. */
export type ViewField<T> = { readonly is: "known"; readonly value: T } | typeof ABSENT | typeof UNKNOWN

const ABSENT = { is: "absent" } as const
const UNKNOWN = { is: "unknown" } as const

export interface EffectView {
  readonly effect: Effect
  /** The reading's chain, and that of an authorization for another. */
  readonly chains: readonly string[]
  /** CAIP-19. */
  readonly asset: ViewField<string>
  readonly amount: bigint | undefined
  /** Destination, spender, delegate, contract, new authority. */
  readonly to: ViewField<Destination>
  /** Whether `to` is a contract whose code the effect speaks to. */
  readonly isContract: boolean
  readonly selector: string | undefined
  readonly encodeType: string | undefined
}

export interface Destination {
  readonly account: string
  /** CAIP-2 of the chain that it is on; `eip155:*` is every EVM chain. */
  readonly chain: string
  /** Every spelling by which a target may name it: itself and the owner of a token account, each with its chain and without. */
  readonly keys: readonly string[]
  /** This key's own path to it. */
  readonly ownPath: readonly number[] | undefined
  /** Nobody can say whose it is: a token account that is neither configured nor anybody's associated one. */
  readonly isStrange: boolean
}

export function viewOf(effect: Effect, { reading, accounts }: Intent, names: Names): EffectView {
  const isOther = effect.kind === "delegate_7702" && effect.chain !== reading.chain
  return {
    effect,
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
  }
}

/** The same text as the names have, which is compared at once. */
function assetField(asset: Account, { assets }: Names): ViewField<string> {
  if (typeof asset !== "string") return UNKNOWN
  const id = assetKey(asset)
  return { is: "known", value: assets.get(id)?.id ?? id }
}

/** Whichever the effect has. */
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
  const known = accounts.get(target)
  const chain = effect.kind === "delegate_7702" ? effect.chain : reading.chain
  const keys = [target, ...(known?.owner === undefined ? [] : [known.owner])].flatMap((one) => {
    const key = accountKey(chain, one)
    return [key, key.slice(chain.length + 1)]
  })
  const stated = effect.kind === "transfer" && effect.toPath !== undefined ? parsePath(effect.toPath) : undefined
  const ownPath =
    stated ?? known?.ownPath ?? (known?.owner === undefined ? undefined : accounts.get(known.owner)?.ownPath)
  const isStrange =
    isTokenAccount(effect, chain) &&
    known?.owner === undefined &&
    ownPath === undefined &&
    namesOf(chain, target, names).length === 0
  return { is: "known", value: { account: target, chain, keys, ownPath, isStrange } }
}

/** Solana: tokens go to accounts of which the message does not say whose they are. */
const isTokenAccount = (effect: Effect, chain: string): boolean =>
  namespaceOf(chain) === "solana" &&
  effect.kind === "transfer" &&
  !(typeof effect.asset === "string" && effect.asset.includes("/slip44:"))

export const isAnyChain = (chain: string): boolean => chain === ANY_EVM
