/** Published names of chains in the vendor's records and SDKs, with their CAIP-2 ids. */
import { BITCOIN, SOLANA, TRON } from "./caip.ts"

export const CHAIN_NAMES: ReadonlyMap<string, string> = new Map([
  ["ETH", "eip155:1"],
  ["SETH", "eip155:11155111"],
  ["OPT_ETH", "eip155:10"],
  ["ARBITRUM_ETH", "eip155:42161"],
  ["BASE_ETH", "eip155:8453"],
  ["BSC_BNB", "eip155:56"],
  ["MATIC", "eip155:137"],
  ["AVAXC", "eip155:43114"],
  ["BTC", BITCOIN],
  ["XTN", "bip122:000000000933ea01ad0ee984209779ba"],
  ["SOL", SOLANA],
  ["SOLDEV_SOL", "solana:EtWTRABZaYq6iMfeYKouRu166VU2xqa1"],
  ["TRON", TRON],
  ["TTRON", "tron:3448148188"],
])
