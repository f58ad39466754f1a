/** The assets that transfers name: each enabled chain's native one, under the chain's name, and tokens of the configuration. */
import type { Chain, Chains } from "./chains.ts"

export interface AssetToken {
  /** As callers name it: `ETH`, `ETH_USDC`. */
  readonly tokenId: string
  readonly chain: Chain
  readonly symbol: string
  readonly decimals: number
  /** With 0x; undefined for a native asset. */
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
