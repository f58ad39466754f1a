/**
 * The chains for which WaaS makes addresses and transactions: those with published names, and those that the configuration adds. The
 * paths of a chain's keys follow the convention of wallets (BIP-44, 49, 84, 86); nodes decide by their own configuration for which chain
 * a path signs.
 */

import type { CurveName } from "../../crypto/curve.ts"
import { NATIVE_ASSETS, namespaceOf } from "../../intent/caip.ts"
import { CHAIN_NAMES } from "../../intent/chainNames.ts"

/** Chains of one family make addresses and transactions in the same way. */
type ChainFamily = "evm" | "bitcoin" | "solana" | "tron"

const FAMILIES: Readonly<Record<string, ChainFamily>> = {
  eip155: "evm",
  bip122: "bitcoin",
  solana: "solana",
  tron: "tron",
}

export interface Chain {
  /** The name in the REST API: `ETH`. */
  readonly chainId: string
  /** CAIP-2: `eip155:1`. */
  readonly caip2: string
  readonly family: ChainFamily
  readonly curve: CurveName
  /** SLIP-44; 1 for test networks. */
  readonly coinType: number
  /** The symbol and the decimals of its native asset. */
  readonly symbol: string
  readonly decimals: number
  /** JSON-RPC endpoint. Undefined: WaaS asks nothing of the chain and does not broadcast. */
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
  /** All chains that WaaS knows. */
  readonly supported: readonly Chain[]
  /** The chains that wallets may use. */
  readonly enabled: readonly Chain[]
}

const DEFAULTS = ["ETH", "BTC", "SOL", "TRON"]

/** The family of a CAIP-2 id; undefined if WaaS does not support it. */
export const familyOf = (caip2: string): ChainFamily | undefined => {
  const namespace = namespaceOf(caip2)
  return Object.hasOwn(FAMILIES, namespace) ? FAMILIES[namespace] : undefined
}

/** The chains of a configuration. If it names none, the main networks of Ethereum, Bitcoin, Solana and TRON are enabled. */
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

/** The SLIP-44 coin type in a CAIP-19 asset such as `eip155:1/slip44:60`; 1, the type of all test networks, for a chain without one. */
const coinTypeOf = (asset: string | undefined): number => Number(/\/slip44:(\d+)$/.exec(asset ?? "")?.[1] ?? 1)

const BUILT_IN: readonly Chain[] = [...CHAIN_NAMES].flatMap(([id, caip2]) => chainOf({ id, caip2 }) ?? [])
