/** The assets that transfers may name: the native asset of each enabled chain, under the chain's name, and configured tokens. */
import type { Chain, Chains } from "./chains.ts"

export interface AssetToken {
  /** The name in the REST API: `ETH`, `ETH_USDC`. */
  readonly tokenId: string
  readonly chain: Chain
  readonly symbol: string
  readonly decimals: number
  /** `0x` hex; undefined for a native asset. */
  readonly contract: string | undefined
}

/** One entry of `[[waas.tokens]]`. */
export interface ConfiguredToken {
  readonly id: string
  readonly chain: string
  readonly contract: string
  readonly decimals: number
  readonly symbol?: string
}

/** The native assets of the enabled chains, then the configured tokens; tokens of chains that are not enabled are left out. */
export const tokensOf = ({ enabled }: Chains, configured: readonly ConfiguredToken[]): readonly AssetToken[] => [
  ...enabled.map((chain) => ({
    tokenId: chain.chainId,
    chain,
    symbol: chain.symbol,
    decimals: chain.decimals,
    contract: undefined,
  })),
  ...configured.flatMap(({ id, chain: name, contract, decimals, symbol }) => {
    const chain = enabled.find(({ chainId }) => chainId === name)
    return chain === undefined ? [] : [{ tokenId: id, chain, symbol: symbol ?? id, decimals, contract }]
  }),
]
