/**
 * Chains and assets as CAIP-2 and CAIP-19 write them: `eip155:1`, `eip155:1/erc20:0xa0b8…`. Owns the built-in chains, their
 * native assets, and which chain a path of a well-known coin type signs for when the configuration does not say.
 */

export const BITCOIN = "bip122:000000000019d6689c085ae165831e93"
export const SOLANA = "solana:5eykt4UsFv8P8NJdTREpY1vzqKqZKvdp"
export const TRON = "tron:728126428"

/** The chain of EIP-712 data that names none: it is valid on every EVM chain, and only an entry that names this chain covers it. */
export const ANY_EVM = "eip155:*"

interface NativeAsset {
  readonly name: string
  readonly decimals: number
  /** CAIP-19. */
  readonly id: string
}

const native = (chain: string, coin: number, name: string, decimals: number): readonly [string, NativeAsset] => [
  chain,
  { name, decimals, id: `${chain}/slip44:${coin}` },
]

/** By chain. Rollups that burn ETH have coin 60. Other chains' native assets come from the configuration. */
export const NATIVE_ASSETS: ReadonlyMap<string, NativeAsset> = new Map([
  native("eip155:1", 60, "ETH", 18),
  native("eip155:10", 60, "ETH", 18),
  native("eip155:8453", 60, "ETH", 18),
  native("eip155:42161", 60, "ETH", 18),
  native("eip155:56", 714, "BNB", 18),
  native("eip155:137", 966, "POL", 18),
  native("eip155:43114", 9005, "AVAX", 18),
  native(BITCOIN, 0, "BTC", 8),
  native(SOLANA, 501, "SOL", 9),
  native(TRON, 195, "TRX", 6),
])

/** SLIP-44 coin type to mainnet. Test networks share coin type 1 and so have no default. */
const MAINNET_OF: ReadonlyMap<number, string> = new Map([
  [0, BITCOIN],
  [60, "eip155:1"],
  [195, TRON],
  [501, SOLANA],
  [714, "eip155:56"],
  [966, "eip155:137"],
  [9005, "eip155:43114"],
])

/** Purposes whose second level is a coin type: BIP-44, 49, 84, 86. */
const PURPOSES: ReadonlySet<number> = new Set([44, 49, 84, 86])

/** The chains that a path signs for if [[intent.paths]] has no entry for it: the mainnet of its coin type, or none. */
export function defaultChainsOf(path: readonly number[]): readonly string[] {
  const [purpose = -1, coin = -1] = path
  const chain = PURPOSES.has(purpose) ? MAINNET_OF.get(coin) : undefined
  return chain === undefined ? [] : [chain]
}

/** `eip155` of `eip155:1`, and of `eip155:1/erc20:0x…`. */
export const namespaceOf = (id: string): string => id.slice(0, Math.max(0, id.indexOf(":")))

/** `eip155:1` of `eip155:1/erc20:0x…`. */
export const chainOf = (asset: string): string => asset.split("/", 1)[0] ?? ""

const CHAIN_ID = /^[-a-z0-9]{3,8}:[-_a-zA-Z0-9]{1,32}$/
const ASSET_ID = /^[-a-z0-9]{3,8}:[-_a-zA-Z0-9]{1,32}\/[-a-z0-9]{3,8}:[-.%a-zA-Z0-9]{1,128}(?:\/[-.%a-zA-Z0-9]{1,78})?$/

export const isChainId = (text: string): boolean => CHAIN_ID.test(text)
export const isAssetId = (text: string): boolean => ASSET_ID.test(text)

export const evmChain = (chainId: bigint): string => `eip155:${chainId}`
