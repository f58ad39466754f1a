/** EVM addresses: 20 bytes and their one spelling here, EIP-55; and the assets that addresses stand for. */
import { keccak_256 } from "@noble/hashes/sha3.js"
import { type Bytes, copy, fromHex, toHex } from "../../bytes.ts"
import { checksummed } from "../../keys/addresses.ts"

export const ZERO_ADDRESS = "0x0000000000000000000000000000000000000000"

export const keccak = (bytes: Uint8Array): Bytes => copy(keccak_256(bytes))

/** The EIP-55 spelling of 20 bytes. */
export const addressOf = (bytes: Uint8Array): string => checksummed(toHex(bytes))

const ADDRESS = /^0x[0-9a-fA-F]{40}$/

/** The 20 bytes of an address in text; undefined for anything else, and for mixed capitals that are not its checksum. */
export function parseAddress(text: string): Bytes | undefined {
  if (!ADDRESS.test(text)) return undefined
  const digits = text.slice(2)
  const lower = digits.toLowerCase()
  const isMixed = digits !== lower && digits !== digits.toUpperCase()
  return isMixed && checksummed(lower) !== text ? undefined : fromHex(lower)
}

export type TokenStandard = "erc20" | "erc721" | "erc1155"

/** CAIP-19 of a token contract. */
export const tokenAsset = (chain: string, standard: TokenStandard, contract: string): string =>
  `${chain}/${standard}:${contract.toLowerCase()}`
