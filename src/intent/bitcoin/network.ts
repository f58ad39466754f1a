/** The Bitcoin networks by CAIP-2 (the first half of the genesis block's id), and how each spells addresses. */
import { BITCOIN } from "../caip.ts"

export interface Network {
  /** CAIP-2. */
  readonly chain: string
  /** CAIP-19 of its coin; test coins have SLIP-44's type 1. */
  readonly asset: string
  /** Human-readable part of bech32 addresses. */
  readonly hrp: string
  /** Version bytes of base58check addresses. */
  readonly p2pkh: number
  readonly p2sh: number
}

const network = (chain: string, coin: number, hrp: string, p2pkh: number, p2sh: number): readonly [string, Network] => [
  chain,
  { chain, asset: `${chain}/slip44:${coin}`, hrp, p2pkh, p2sh },
]

/** Addresses of the three public test networks look alike; only the configured chain tells which one is meant. */
export const NETWORKS: ReadonlyMap<string, Network> = new Map([
  network(BITCOIN, 0, "bc", 0x00, 0x05),
  // testnet3, testnet4, signet, regtest
  network("bip122:000000000933ea01ad0ee984209779ba", 1, "tb", 0x6f, 0xc4),
  network("bip122:00000000da84f2bafbbc53dee25a72ae", 1, "tb", 0x6f, 0xc4),
  network("bip122:00000008819873e925422c1ff0f99f7c", 1, "tb", 0x6f, 0xc4),
  network("bip122:0f9188f13cb7b2c71f2a335e3a4fc328", 1, "bcrt", 0x6f, 0xc4),
])
