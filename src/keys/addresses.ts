/**
 * Addresses of child keys, encoding only: Bitcoin P2WPKH (BIP-141, BIP-173) and P2TR key path (BIP-341, BIP-350),
 * Ethereum (EIP-55), TRON, Solana. This file does not know the chain that a key is for: the path's convention says it.
 */
import { secp256k1 } from "@noble/curves/secp256k1.js"
import { ripemd160 } from "@noble/hashes/legacy.js"
import { keccak_256 } from "@noble/hashes/sha3.js"
import { bech32, bech32m } from "@scure/base"
import { type Bytes, beToBig, concat, copy, toHex, u8, utf8 } from "../bytes.ts"
import { type CurveName, curveNamed, K1, type Point } from "../crypto/curve.ts"
import { sha256 } from "../crypto/frame.ts"
import { CosignerError } from "../errors.ts"
import { encodeBase58, encodeBase58Check } from "./base58.ts"

const HRP = "bc"
const TRON_PREFIX = 0x41
const TAP_TWEAK = concat(sha256(utf8("TapTweak")), sha256(utf8("TapTweak")))

interface AddressOfKind {
  readonly kind: AddressKind
  readonly address: string
}

export type AddressKind = "btc-p2wpkh" | "btc-p2tr" | "eth" | "tron" | "sol"

/**
 * Every address that a key of this curve can have on main networks; `publicKey` is enc(P). Throws E-KEY-004.
 * A caller that has just derived the key passes its point, which saves the decoding.
 */
export function addressesOf(
  curve: CurveName,
  publicKey: Uint8Array,
  point: Point = decoded(curve, publicKey),
): readonly AddressOfKind[] {
  if (curve === "ed25519") return [{ kind: "sol", address: encodeBase58(publicKey) }]
  const account = keccakAddress(point)
  return [
    { kind: "btc-p2wpkh", address: segwit(HRP, 0, ripemd160(sha256(publicKey))) },
    { kind: "btc-p2tr", address: segwit(HRP, 1, tweaked(point, new Uint8Array(0))) },
    { kind: "eth", address: checksummed(toHex(account)) },
    { kind: "tron", address: tronForm(account) },
  ]
}

/** x(P + H_TapTweak(x(P) || merkleRoot) G), P taken with even y; 32 bytes (BIP-341). */
export const taprootOutputKey = (publicKey: Uint8Array, merkleRoot: Uint8Array): Bytes =>
  tweaked(decoded("secp256k1", publicKey), merkleRoot)

export const ethereumAddress = (publicKey: Uint8Array): string =>
  checksummed(toHex(keccakAddress(decoded("secp256k1", publicKey))))

/** The 40 lower-case hex digits of an address in EIP-55 spelling, with 0x. */
export function checksummed(hex: string): string {
  const hash = keccak_256(utf8(hex))
  const upper = hex.toUpperCase()
  let text = "0x"
  for (let i = 0; i < hex.length; i++) {
    // a digit of the hash for each: of 8 or more, and so with its highest bit set
    const isCapital = ((hash[i >> 1] ?? 0) & (i % 2 === 0 ? 0x80 : 0x08)) !== 0
    text += isCapital ? upper.charAt(i) : hex.charAt(i)
  }
  return text
}

export const tronAddress = (publicKey: Uint8Array): string => tronForm(keccakAddress(decoded("secp256k1", publicKey)))

/** The address is the 32 bytes of the key itself. */
export function solanaAddress(publicKey: Uint8Array): string {
  decoded("ed25519", publicKey)
  return encodeBase58(publicKey)
}

const tronForm = (account: Bytes): string => encodeBase58Check(concat(u8(TRON_PREFIX), account))

function tweaked(point: Point, merkleRoot: Uint8Array): Bytes {
  if (merkleRoot.length !== 0 && merkleRoot.length !== 32) throw new RangeError("a merkle root has 32 bytes, or none")
  const encoded = K1.encodePoint(point)
  const even = encoded[0] === 2 ? point : K1.negate(point)
  const tweak = beToBig(sha256(concat(TAP_TWEAK, encoded.subarray(1), merkleRoot)))
  const output = tweak < K1.order ? K1.add(even, K1.multiplyBasePublic(tweak)) : K1.identity
  if (K1.isIdentity(output)) throw new CosignerError("E-KEY-004", { curve: "secp256k1", what: "the tweaked key" })
  return K1.encodePoint(output).slice(1)
}

// The last 20 bytes of Keccak-256 over x || y.
function keccakAddress(point: Point): Bytes {
  const uncompressed = secp256k1.Point.fromBytes(K1.encodePoint(point)).toBytes(false)
  return copy(keccak_256(uncompressed.subarray(1)).subarray(12))
}

function decoded(curve: CurveName, publicKey: Uint8Array): Point {
  const point = curveNamed(curve).decodePoint(publicKey)
  if (point === undefined) throw new CosignerError("E-KEY-004", { curve, what: "the key of the address" })
  return point
}

/** A segregated witness program: bech32 for version 0, bech32m above (BIP-173, BIP-350). */
export const segwit = (hrp: string, version: number, program: Uint8Array): string => {
  const { encode, toWords } = version === 0 ? bech32 : bech32m
  return encode(hrp, [version, ...toWords(program)])
}
