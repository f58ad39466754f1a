/**
 * The chains that WaaS makes addresses and transactions for: the published names, and those that the configuration adds.
 * Which paths a chain's keys stand at is a convention of wallets (BIP-44, 49, 84, 86); nodes have their own word on which
 * chain a path signs for.
 */

import type { CurveName } from "../../crypto/curve.ts"
import { NATIVE_ASSETS, namespaceOf } from "../../intent/caip.ts"
import { CHAIN_NAMES } from "../../intent/chainNames.ts"

/** Kinds of chains by how their addresses and transactions are made. */
type ChainFamily = "evm" | "bitcoin" | "solana" | "tron"

const FAMILIES: Readonly<Record<string, ChainFamily>> = {
  eip155: "evm",
  bip122: "bitcoin",
  solana: "solana",
  tron: "tron",
}

export interface Chain {
  /** As callers name it: `ETH`. */
  readonly chainId: string
  /** CAIP-2: `eip155:1`. */
  readonly caip2: string
  readonly family: ChainFamily
  readonly curve: CurveName
  /** SLIP-44; 1 for test networks. */
  readonly coinType: number
  /** Of its native asset. */
  readonly symbol: string
  readonly decimals: number
  /** JSON-RPC endpoint; undefined: WaaS neither asks the chain anything nor broadcasts. */
  readonly rpcUrl: string | undefined
}

/** One entry of `[[waas.chains]]`. */
export interface ConfiguredChain {
  readonly id: string
  readonly caip2?: string
  readonly coin_type?: number
  readonly symbol?: string
  readonly rpc_url?: string
}

export interface Chains {
  /** All that WaaS knows. */
  readonly supported: readonly Chain[]
  /** Those that wallets may use. */
  readonly enabled: readonly Chain[]
}

const DEFAULTS = ["ETH", "BTC", "SOL", "TRON"]

/** The family that a CAIP-2 id belongs to; undefined for one that is not spoken here. */
export const familyOf = (caip2: string): ChainFamily | undefined => {
  const namespace = namespaceOf(caip2)
  return Object.hasOwn(FAMILIES, namespace) ? FAMILIES[namespace] : undefined
}

/** Enabled are the configured ones, or the main networks of Ethereum, Bitcoin, Solana and TRON where none is. */
export function chainsOf(configured: readonly ConfiguredChain[]): Chains {
  const own = configured.flatMap((entry) => chainOf(entry) ?? [])
  const names = new Set(own.map(({ chainId }) => chainId))
  const others = BUILT_IN.filter(({ chainId }) => !names.has(chainId))
  const enabled = own.length > 0 ? own : BUILT_IN.filter(({ chainId }) => DEFAULTS.includes(chainId))
  return { supported: [...own, ...others], enabled }
}

function chainOf(entry: ConfiguredChain): Chain | undefined {
  const caip2 = entry.caip2 ?? CHAIN_NAMES.get(entry.id)
  const family = caip2 === undefined ? undefined : familyOf(caip2)
  if (caip2 === undefined || family === undefined) return undefined
  const native = NATIVE_ASSETS.get(caip2)
  return {
    chainId: entry.id,
    caip2,
    family,
    curve: family === "solana" ? "ed25519" : "secp256k1",
    coinType: entry.coin_type ?? coinTypeOf(native?.id),
    symbol: entry.symbol ?? native?.name ?? entry.id,
    decimals: native?.decimals ?? DECIMALS[family],
    rpcUrl: entry.rpc_url,
  }
}

const DECIMALS: Readonly<Record<ChainFamily, number>> = { evm: 18, bitcoin: 8, solana: 9, tron: 6 }

/** Of `eip155:1/slip44:60`; 1, as all test networks have, where no main network has that chain. */
const coinTypeOf = (asset: string | undefined): number => Number(/\/slip44:(\d+)$/.exec(asset ?? "")?.[1] ?? 1)

const BUILT_IN: readonly Chain[] = [...CHAIN_NAMES].flatMap(([id, caip2]) => chainOf({ id, caip2 }) ?? [])
