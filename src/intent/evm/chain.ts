/** What is known about EVM chains: their native assets, and whether the fee in a transaction is the whole cost. */
import { evmChain, NATIVE_ASSETS } from "../caip.ts"
import type { Context } from "../decoder.ts"
import { refuse } from "../problem.ts"
import type { Account, Fee } from "../reading.ts"

/** Chains beyond the built-in assets whose gas is ETH (SLIP-44 coin 60): test networks, rollups, local chains. */
const GAS_IS_ETH: ReadonlySet<number> = new Set([
  324, 1337, 7777777, 17000, 31337, 59144, 81457, 84532, 421614, 534352, 560048, 11155111, 11155420,
])

/**
 * Chains on which gas limit times price is the highest cost of a transaction. Rollups of the OP stack also charge for data,
 * and an unknown chain might do so: there the fee is unbounded.
 */
const GAS_IS_ALL: ReadonlySet<number> = new Set([
  1, 56, 97, 100, 137, 1337, 17000, 31337, 42161, 42170, 43113, 43114, 80002, 421614, 560048, 11155111,
])

/** CAIP-19. Refuses a chain whose native asset is not known, except in an offline reading. */
export function nativeAsset(chainId: bigint, { settings, messages }: Context): string {
  const chain = evmChain(chainId)
  const known = NATIVE_ASSETS.get(chain)?.id ?? settings.nativeAssets.get(chain)
  if (known !== undefined) return known
  if (GAS_IS_ETH.has(Number(chainId)) || messages.length === 0) return `${chain}/slip44:60`
  return refuse("E-INT-027", "chainId", chain)
}

export const isFeeUnbounded = (chainId: bigint): boolean => !GAS_IS_ALL.has(Number(chainId))

/** For signatures that are not a transaction: whoever submits them pays. */
export const noFee = (chain: string): Fee => ({ max: 0n, asset: `${chain}/slip44:60`, unbounded: false })

/** The account of the key, or its placeholder in an offline reading. */
export const accountOf = (publicKey: Uint8Array | undefined, address: (key: Uint8Array) => string): Account =>
  publicKey === undefined ? { unresolved: "the signer" } : address(publicKey)

export const WRAPPED_NATIVE: ReadonlySet<string> = new Set([
  "eip155:1/erc20:0xc02aaa39b223fe8d0a0e5c4f27ead9083c756cc2",
  "eip155:10/erc20:0x4200000000000000000000000000000000000006",
  "eip155:56/erc20:0xbb4cdb9cbd36b01bd1cbaebf2de08d9173bc095c",
  "eip155:137/erc20:0x0d500b1d8e8ef31e21c99d1db9a6444d3adf1270",
  "eip155:8453/erc20:0x4200000000000000000000000000000000000006",
  "eip155:42161/erc20:0x82af49447d8a07e3bd95bd0d56f35241523fbab1",
  "eip155:43114/erc20:0xb31f66aa3c1e785363f0875a1b74e27b85fd66c7",
])
