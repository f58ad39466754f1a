/**
 * Derives the addresses of a vault: from its root key along a path to the chain's form of an address. A caller can derive each address
 * again and should do so, because WaaS is not trusted with the destination of money (formats.md 7.6).
 */
import { ripemd160 } from "@noble/hashes/legacy.js"
import { concat, toHex, u8 } from "../../bytes.ts"
import { sha256 } from "../../crypto/frame.ts"
import { NETWORKS } from "../../intent/bitcoin/network.ts"
import { ethereumAddress, segwit, solanaAddress, taprootOutputKey, tronAddress } from "../../keys/addresses.ts"
import { encodeBase58Check } from "../../keys/base58.ts"
import { decodeExtendedPublicKey, derivePosition, encodeExtendedPublicKey, positionOf } from "../../keys/extendedKey.ts"
import type { Chain } from "./chains.ts"

/** The published names of address forms; chains other than Bitcoin have only ENCODING_DEFAULT. */
export const ENCODINGS = [
  "ENCODING_DEFAULT",
  "ENCODING_P2PKH",
  "ENCODING_P2SH_P2WPKH",
  "ENCODING_BECH32",
  "ENCODING_P2TR",
] as const
type AddressEncoding = (typeof ENCODINGS)[number]

/** The purpose field of each form's path: BIP-44, 49, 84, 86. */
const PURPOSE: Readonly<Record<AddressEncoding, number>> = {
  ENCODING_DEFAULT: 44,
  ENCODING_P2PKH: 44,
  ENCODING_P2SH_P2WPKH: 49,
  ENCODING_BECH32: 84,
  ENCODING_P2TR: 86,
}

/** The form of a new address; undefined if the chain has no such form. Bitcoin's default is native segwit. */
export function encodingOn(chain: Chain, asked: AddressEncoding | undefined): AddressEncoding | undefined {
  if (chain.family !== "bitcoin")
    return asked === undefined || asked === "ENCODING_DEFAULT" ? "ENCODING_DEFAULT" : undefined
  return asked === undefined || asked === "ENCODING_DEFAULT" ? "ENCODING_BECH32" : asked
}

/** The path without the address index: purpose, coin type, account 0, external chain; not hardened, because it derives from an xpub. */
export const pathPrefix = ({ coinType }: Chain, encoding: AddressEncoding): readonly number[] => [
  PURPOSE[encoding],
  coinType,
  0,
  0,
]

interface DerivedAddress {
  readonly address: string
  /** The extended public key at the path. */
  readonly pubkey: string
  /** The internal key of a Taproot address, hex; undefined for other addresses. */
  readonly xOnlyPubkey: string | undefined
}

/** The addresses at `indices` below `prefix` of the root key. Throws E-KEY-003 if an index has no child key (chance 2^-127). */
export function addressesAt(
  rootPubkey: string,
  chain: Chain,
  encoding: AddressEncoding,
  prefix: readonly number[],
  indices: readonly number[],
): readonly DerivedAddress[] {
  const above = derivePosition(positionOf(decodeExtendedPublicKey(rootPubkey)), prefix)
  return indices.map((index) => {
    const { key } = derivePosition(above, [index])
    return {
      address: addressOf(key.publicKey, chain, encoding),
      pubkey: encodeExtendedPublicKey(key),
      xOnlyPubkey: encoding === "ENCODING_P2TR" ? toHex(key.publicKey.subarray(1)) : undefined,
    }
  })
}

function addressOf(publicKey: Uint8Array, chain: Chain, encoding: AddressEncoding): string {
  switch (chain.family) {
    case "evm":
      return ethereumAddress(publicKey)
    case "tron":
      return tronAddress(publicKey)
    case "solana":
      return solanaAddress(publicKey)
    case "bitcoin":
      return bitcoinAddress(publicKey, chain, encoding)
  }
}

function bitcoinAddress(publicKey: Uint8Array, { caip2, chainId }: Chain, encoding: AddressEncoding): string {
  const network = NETWORKS.get(caip2)
  if (network === undefined) throw new RangeError(`${chainId} is no network of Bitcoin that has addresses here`)
  const { hrp, p2pkh, p2sh } = network
  const hash = ripemd160(sha256(publicKey))
  switch (encoding) {
    case "ENCODING_P2PKH":
      return encodeBase58Check(concat(u8(p2pkh), hash))
    case "ENCODING_P2SH_P2WPKH": {
      // The redeem script, whose hash is in the P2SH output: OP_0 and a push of 20 bytes.
      const redeem = concat(u8(0x00), u8(0x14), hash)
      return encodeBase58Check(concat(u8(p2sh), ripemd160(sha256(redeem))))
    }
    case "ENCODING_P2TR":
      return segwit(hrp, 1, taprootOutputKey(publicKey, new Uint8Array(0)))
    case "ENCODING_BECH32":
    case "ENCODING_DEFAULT":
      return segwit(hrp, 0, hash)
  }
}
