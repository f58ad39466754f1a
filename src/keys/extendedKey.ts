/**
 * Extended keys as text: the 78-byte BIP-32 layout in base58check, for both curves (formats.md 5.4). Owns the checks of all
 * fields and the step from parent to child; derive.ts has the arithmetic of a step.
 *
 * A private key is held as a Secret, but its text is not: the string that encodeExtendedPrivateKey returns stays in memory until it is
 * collected, as every JavaScript string does.
 */
import { ripemd160 } from "@noble/hashes/legacy.js"
import { type Bytes, beToBig, bigToBe, concat, copy, toHex, u8, u32be } from "../bytes.ts"
import { type CurveName, curveNamed } from "../crypto/curve.ts"
import { isStrictKey } from "../crypto/ed25519.ts"
import { sha256 } from "../crypto/frame.ts"
import { CosignerError } from "../errors.ts"
import { Secret } from "../secret.ts"
import { decodeBase58Check, encodeBase58Check } from "./base58.ts"
import { type DerivationNode, derivationRoot, deriveStep } from "./derive.ts"
import { HARDENED } from "./path.ts"

interface ExtendedKeyNode {
  readonly curve: CurveName
  /** 0 for a root, 255 at most. */
  readonly depth: number
  /** First 4 bytes of the parent's key hash; zero for a root. */
  readonly parentFingerprint: Bytes
  /** The index it was derived at; 0 for a root. */
  readonly childNumber: number
  /** 32 bytes. */
  readonly chainCode: Bytes
}

export interface ExtendedPublicKey extends ExtendedKeyNode {
  /** enc(P): 33 bytes on secp256k1, 32 on Ed25519. */
  readonly publicKey: Bytes
}

export interface ExtendedPrivateKey extends ExtendedKeyNode {
  /** 32 bytes big-endian on both curves, in [1, q). On Ed25519 it is a scalar, not a seed. Its owner disposes it. */
  readonly scalar: Secret
}

type Visibility = "public" | "private"

const LENGTH = 78
const VERSIONS: readonly (readonly [version: string, curve: CurveName, visibility: Visibility])[] = [
  ["0488b21e", "secp256k1", "public"],
  ["0488ade4", "secp256k1", "private"],
  ["02e8de90", "ed25519", "public"],
  ["02e8da54", "ed25519", "private"],
]

/** The root extended public key of enc(PK) and its chain code. Throws E-KEY-004 if enc(PK) is not a point. */
export function rootPublicKey(curve: CurveName, publicKey: Uint8Array, chainCode: Uint8Array): ExtendedPublicKey {
  checkPoint(curve, publicKey)
  return { ...rootNode(curve, chainCode), publicKey: copy(publicKey) }
}

/** The root extended private key of a scalar in [1, q). */
export function rootPrivateKey(curve: CurveName, scalar: bigint, chainCode: Uint8Array): ExtendedPrivateKey {
  if (scalar <= 0n || scalar >= curveNamed(curve).order) throw new RangeError("a private key is between 1 and q - 1")
  return { ...rootNode(curve, chainCode), scalar: Secret.take(bigToBe(scalar, 32)) }
}

/** `xpub...` or `cpub...`. */
export const encodeExtendedPublicKey = (key: ExtendedPublicKey): string =>
  encodeBase58Check(concat(head(key, "public"), keyField(key.publicKey)))

/** `xprv...` or `cprv...`: a secret, in a string that cannot be wiped. */
export function encodeExtendedPrivateKey(key: ExtendedPrivateKey): string {
  using layout = Secret.take(concat(head(key, "private"), keyField(key.scalar.expose())))
  return encodeBase58Check(layout.expose())
}

/** Throws E-KEY-005 unless the text is an xpub or cpub whose fields are all valid, E-KEY-004 for a key off the curve. */
export function decodeExtendedPublicKey(text: string): ExtendedPublicKey {
  const { node, key } = decode(text)
  const publicKey = node.curve === "ed25519" ? withoutZero(key, "the key field") : key
  checkPoint(node.curve, publicKey)
  return { ...node, publicKey }
}

/** The public half of a private key. */
export function neuter({ scalar, ...node }: ExtendedPrivateKey): ExtendedPublicKey {
  const group = curveNamed(node.curve)
  return { ...node, publicKey: group.encodePoint(group.multiplyBase(beToBig(scalar.expose()))) }
}

/** An extended key with its point and the tweak that leads to it from the key where derivation began. */
export interface Position {
  readonly key: ExtendedPublicKey
  readonly node: DerivationNode
}

export const positionOf = (key: ExtendedPublicKey): Position => ({
  key,
  node: derivationRoot(curveNamed(key.curve), key.publicKey, key.chainCode),
})

/** The child at `path`; throws as deriveTweak does, and E-KEY-005 below depth 255. */
export function derivePosition(from: Position, path: readonly number[]): Position {
  const { curve } = from.key
  let at = from
  for (const index of path) {
    const depth = at.key.depth + 1
    if (depth > 255) throw unreadable("a child would be deeper than the 255 levels of the format")
    const node = deriveStep(curveNamed(curve), at.node, index, depth)
    const parentFingerprint = fingerprint(curve, at.key.publicKey)
    const { publicKey, chainCode } = node
    at = { key: { curve, depth, parentFingerprint, childNumber: index, chainCode, publicKey }, node }
  }
  return at
}

/** The private key of `publicHalf`. The caller must know that scalar * G is its key. */
export function withScalar({ publicKey: _, ...node }: ExtendedPublicKey, scalar: bigint): ExtendedPrivateKey {
  return { ...node, scalar: Secret.take(bigToBe(curveNamed(node.curve).mod(scalar), 32)) }
}

/** First 4 bytes of RIPEMD160(SHA256(key field)). */
const fingerprint = (curve: CurveName, publicKey: Uint8Array): Bytes =>
  copy(ripemd160(sha256(curve === "ed25519" ? keyField(publicKey) : publicKey)).subarray(0, 4))

function rootNode(curve: CurveName, chainCode: Uint8Array): ExtendedKeyNode {
  if (chainCode.length !== 32) throw new RangeError(`a chain code has 32 bytes, not ${chainCode.length}`)
  return { curve, depth: 0, parentFingerprint: new Uint8Array(4), childNumber: 0, chainCode: copy(chainCode) }
}

function head(node: ExtendedKeyNode, visibility: Visibility): Bytes {
  const version = VERSIONS.find(([, curve, kind]) => curve === node.curve && kind === visibility)
  if (version === undefined) throw new TypeError("every curve has both versions")
  return concat(
    Buffer.from(version[0], "hex"),
    u8(node.depth),
    node.parentFingerprint,
    u32be(node.childNumber),
    node.chainCode,
  )
}

// Fields of 32 bytes follow a zero byte, so that both curves and both halves fill 33 bytes.
const keyField = (key: Uint8Array): Bytes => (key.length === 33 ? copy(key) : concat(u8(0), key))

function decode(text: string): { readonly node: ExtendedKeyNode; readonly key: Bytes } {
  const bytes = decodeBase58Check(text)
  if (bytes === undefined) throw unreadable("it is not base58, or its checksum is wrong")
  if (bytes.length !== LENGTH) throw unreadable(`it holds ${bytes.length} bytes, not ${LENGTH}`)
  const version = VERSIONS.find(([hex]) => hex === toHex(bytes.subarray(0, 4)))
  if (version === undefined) throw unreadable("its version is none of xpub, xprv, cpub and cprv")
  const [, curve, visibility] = version
  if (visibility === "private") throw unreadable("it is a private key, and a public one is wanted")
  const node: ExtendedKeyNode = {
    curve,
    depth: bytes[4] ?? 0,
    parentFingerprint: bytes.slice(5, 9),
    childNumber: Number(beToBig(bytes.subarray(9, 13))),
    chainCode: bytes.slice(13, 45),
  }
  if (node.depth === 0 && (node.childNumber !== 0 || node.parentFingerprint.some((byte) => byte !== 0))) {
    throw unreadable("it has depth 0, and yet a parent")
  }
  if (curve === "ed25519" && node.childNumber >= HARDENED) throw unreadable("this curve has no hardened children")
  return { node, key: bytes.slice(45) }
}

function withoutZero(field: Bytes, what: string): Bytes {
  if (field[0] !== 0) throw unreadable(`${what} does not begin with a zero byte`)
  return field.slice(1)
}

function checkPoint(curve: CurveName, publicKey: Uint8Array): void {
  // Keys of Ed25519 that were found valid are remembered: a task names its root for each message.
  const isKey = curve === "ed25519" ? isStrictKey(publicKey) : curveNamed(curve).decodePoint(publicKey) !== undefined
  if (!isKey) {
    throw new CosignerError("E-KEY-004", { curve, what: "the extended key" })
  }
}

const unreadable = (reason: string) => new CosignerError("E-KEY-005", { reason })
