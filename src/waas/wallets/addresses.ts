/**
 * Addresses of a vault: from its root key by a path to what a chain shows. Whoever is given one can derive it again, and
 * should: WaaS is not trusted with where money goes.
 */
import { ripemd160 } from "@noble/hashes/legacy.js"
import { concat, toHex, u8 } from "../../bytes.ts"
import { sha256 } from "../../crypto/frame.ts"
import { NETWORKS } from "../../intent/bitcoin/network.ts"
import { ethereumAddress, segwit, solanaAddress, taprootOutputKey, tronAddress } from "../../keys/addresses.ts"
import { encodeBase58Check } from "../../keys/base58.ts"
import { decodeExtendedPublicKey, derivePosition, encodeExtendedPublicKey, positionOf } from "../../keys/extendedKey.ts"
import type { Chain } from "./chains.ts"

/** Published names of address forms; other chains than Bitcoin have ENCODING_DEFAULT alone. */
export const ENCODINGS = [
  "ENCODING_DEFAULT",
  "ENCODING_P2PKH",
  "ENCODING_P2SH_P2WPKH",
  "ENCODING_BECH32",
  "ENCODING_P2TR",
] as const
type AddressEncoding = (typeof ENCODINGS)[number]

/** BIP-44, 49, 84, 86. */
const PURPOSE: Readonly<Record<AddressEncoding, number>> = {
  ENCODING_DEFAULT: 44,
  ENCODING_P2PKH: 44,
  ENCODING_P2SH_P2WPKH: 49,
  ENCODING_BECH32: 84,
  ENCODING_P2TR: 86,
}

/** The form that an address of `chain` has; undefined if it has no such form. Bitcoin's default is native segwit. */
export function encodingOn(chain: Chain, asked: AddressEncoding | undefined): AddressEncoding | undefined {
  if (chain.family !== "bitcoin")
    return asked === undefined || asked === "ENCODING_DEFAULT" ? "ENCODING_DEFAULT" : undefined
  return asked === undefined || asked === "ENCODING_DEFAULT" ? "ENCODING_BECH32" : asked
}

/** The path above the index of an address: purpose, coin, account 0, external chain; nothing hardened, as xpubs derive. */
export const pathPrefix = ({ coinType }: Chain, encoding: AddressEncoding): readonly number[] => [
  PURPOSE[encoding],
  coinType,
  0,
  0,
]

interface DerivedAddress {
  readonly address: string
  /** Extended public key at the path. */
  readonly pubkey: string
  /** Taproot: the internal key, hex; undefined elsewhere. */
  readonly xOnlyPubkey: string | undefined
}

/** Addresses at each of `indices` below `prefix` of the root key. Throws E-KEY-003 where no child exists (one in 2^127). */
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
      // the script that a P2SH output is the hash of: OP_0 and a push of 20 bytes
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
