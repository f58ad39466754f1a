/**
 * Converts raw 32-byte keys of Ed25519 and X25519 to key objects of node:crypto, and back. A prefix is the DER of RFC 8410 (PKCS#8 without
 * attributes, or SubjectPublicKeyInfo) up to the key. It is constant, because all keys have the same length.
 */
import { createPrivateKey, createPublicKey, type KeyObject } from "node:crypto"
import { type Bytes, concat, copy } from "../bytes.ts"

type RawCurve = "ed25519" | "x25519"

const RAW_KEY_LENGTH = 32

/** The last byte of the object identifier 1.3.101.n: 110 X25519, 112 Ed25519. */
const OID: Readonly<Record<RawCurve, number>> = { x25519: 0x6e, ed25519: 0x70 }

const pkcs8 = (curve: RawCurve): Bytes =>
  Uint8Array.of(0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, OID[curve], 0x04, 0x22, 0x04, 0x20)
const spki = (curve: RawCurve): Bytes =>
  Uint8Array.of(0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, OID[curve], 0x03, 0x21, 0x00)

/** The private key of a seed (RFC 8032) or scalar (RFC 7748). The caller wipes `raw`. Throws RangeError for another length. */
export function privateKeyOf(curve: RawCurve, raw: Uint8Array): KeyObject {
  const der = concat(pkcs8(curve), exactly(raw))
  try {
    return createPrivateKey({ key: Buffer.from(der.buffer), format: "der", type: "pkcs8" })
  } finally {
    der.fill(0)
  }
}

/** The public key of 32 bytes. Does not check the point: the caller must. Throws RangeError for another length. */
export const publicKeyOf = (curve: RawCurve, raw: Uint8Array): KeyObject =>
  createPublicKey({ key: Buffer.from(concat(spki(curve), exactly(raw))), format: "der", type: "spki" })

/** The 32 bytes of the public half of a key of one of these curves. */
export const rawPublicKey = (privateKey: KeyObject): Bytes =>
  copy(createPublicKey(privateKey).export({ format: "der", type: "spki" }).subarray(-RAW_KEY_LENGTH))

function exactly(raw: Uint8Array): Uint8Array {
  if (raw.length !== RAW_KEY_LENGTH) throw new RangeError(`a key of ${raw.length} bytes`)
  return raw
}
