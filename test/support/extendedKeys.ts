/** Extended keys as tests want them: private ones out of text, and children in one step. */
import { beToBig, toHex } from "../../src/bytes.ts"
import { decodeBase58Check } from "../../src/keys/base58.ts"
import {
  derivePosition,
  type ExtendedPrivateKey,
  type ExtendedPublicKey,
  neuter,
  positionOf,
  withScalar,
} from "../../src/keys/extendedKey.ts"
import { Secret } from "../../src/secret.ts"

/** An `xprv` or `cprv` of a test vector: the layout of BIP-32, unchecked. */
export function extendedPrivateKey(text: string): ExtendedPrivateKey {
  const layout = decodeBase58Check(text)
  if (layout?.length !== 78) throw new Error(`not a test vector: ${text}`)
  return {
    curve: toHex(layout.subarray(0, 4)) === "0488ade4" ? "secp256k1" : "ed25519",
    depth: layout[4] ?? 0,
    parentFingerprint: layout.slice(5, 9),
    childNumber: Number(beToBig(layout.subarray(9, 13))),
    chainCode: layout.slice(13, 45),
    scalar: Secret.take(layout.slice(46)),
  }
}

export const derivePublicKey = (key: ExtendedPublicKey, path: readonly number[]): ExtendedPublicKey =>
  derivePosition(positionOf(key), path).key

/** The child's private key; the same path gives the same child as `derivePublicKey` of the public half. */
export function derivePrivateKey(key: ExtendedPrivateKey, path: readonly number[]): ExtendedPrivateKey {
  const child = derivePosition(positionOf(neuter(key)), path)
  return withScalar(child.key, beToBig(key.scalar.expose()) + child.node.tweak)
}
