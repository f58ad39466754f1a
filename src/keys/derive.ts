/**
 * Non-hardened child derivation from public data alone. Each signer derives its own tweak from its own record, and the
 * share-wise addition s_i + tweak makes shares of the child key (threshold.md 5.11, 7.2).
 *
 * secp256k1 is BIP-32 CKDpub. Ed25519 is the vendor's scheme (formats.md 5.4): the same HMAC over 00 || enc(A), the left
 * half a big-endian integer reduced modulo the group order; no clamping and no truncation, so children are scalars.
 */
import { createHmac } from "node:crypto"
import { type Bytes, beToBig, concat, copy, toHex, u8, u32be } from "../bytes.ts"
import { type Curve, type CurveName, curveNamed, type Point } from "../crypto/curve.ts"
import { CosignerError } from "../errors.ts"
import { HARDENED } from "./path.ts"

interface Derived {
  /** Sum of all levels' tweaks, in [0, q): child scalar = root scalar + tweak mod q. */
  readonly tweak: bigint
  /** enc(P) of the child: 33 bytes on secp256k1, 32 on Ed25519. */
  readonly publicKey: Bytes
  /** 32 bytes. */
  readonly chainCode: Bytes
}

/** A derived key with its point, so that further derivation does not decode it again. */
export interface DerivationNode extends Derived {
  readonly point: Point
}

/**
 * The child at `path` of the key `publicKey` (enc(P)) with its 32-byte chain code; the empty path is the key itself.
 * Throws E-KEY-002 for an index of 2^31 or more, E-KEY-003 where the standard defines no child, E-KEY-004 for a bad key.
 */
export function deriveTweak(
  curve: CurveName,
  publicKey: Uint8Array,
  chainCode: Uint8Array,
  path: readonly number[],
): Derived {
  const group = curveNamed(curve)
  let at = derivationRoot(group, publicKey, chainCode)
  for (const [level, index] of path.entries()) at = deriveStep(group, at, index, level + 1)
  return { tweak: at.tweak, publicKey: at.publicKey, chainCode: at.chainCode }
}

/** The key where derivation begins, after the check that it is a point of the prime-order group. Throws E-KEY-004. */
export function derivationRoot(group: Curve, publicKey: Uint8Array, chainCode: Uint8Array): DerivationNode {
  if (chainCode.length !== 32) throw new RangeError(`a chain code has 32 bytes, not ${chainCode.length}`)
  const point = group.decodePoint(publicKey)
  if (point === undefined) throw new CosignerError("E-KEY-004", { curve: group.name, what: "the parent key" })
  return { tweak: 0n, publicKey: copy(publicKey), chainCode: copy(chainCode), point }
}

/** Derives one level further and adds its tweak. `level` is for the error of a child that does not exist. */
export function deriveStep(group: Curve, parent: DerivationNode, index: number, level: number): DerivationNode {
  const { left, right } = childHash(group, parent.publicKey, parent.chainCode, index)
  const point = left === undefined ? undefined : addTweak(group, parent.point, left)
  if (left === undefined || point === undefined) throw new CosignerError("E-KEY-003", { index, depth: level })
  return { tweak: group.mod(parent.tweak + left), publicKey: group.encodePoint(point), chainCode: right, point }
}

/**
 * Keeps derived nodes: public data that never changes and costs 0.1 to 0.2 ms each. Wallets sign below the same parents, and
 * often under the same keys. The least recently used node is dropped first.
 */
export class DerivationCache {
  readonly #kept = new Map<string, DerivationNode>()

  /** `capacity`: how many nodes are kept, at about 1 kB each. */
  constructor(readonly capacity = 4096) {}

  get size(): number {
    return this.#kept.size
  }

  /** Like deriveTweak, with its errors. The cache owns the returned bytes: callers must not write to them. */
  nodeAt(group: Curve, publicKey: Uint8Array, chainCode: Uint8Array, path: readonly number[]): DerivationNode {
    const root = `${group.name} ${toHex(publicKey)} ${toHex(chainCode)}`
    const at = (depth: number): DerivationNode => {
      const index = path[depth - 1]
      return this.#remembered(`${root} ${path.slice(0, depth).join("/")}`, () =>
        index === undefined
          ? derivationRoot(group, publicKey, chainCode)
          : deriveStep(group, at(depth - 1), index, depth),
      )
    }
    return at(path.length)
  }

  #remembered(name: string, derive: () => DerivationNode): DerivationNode {
    const node = this.#kept.get(name) ?? derive()
    this.#kept.delete(name)
    this.#kept.set(name, node)
    for (const oldest of this.#kept.keys()) {
      if (this.#kept.size <= this.capacity) break
      this.#kept.delete(oldest)
    }
    return node
  }
}

interface ChildHash {
  /** The level's tweak, below q; undefined where BIP-32 says that there is no such child. */
  readonly left: bigint | undefined
  readonly right: Bytes
}

function childHash(group: Curve, encoded: Bytes, chain: Bytes, index: number): ChildHash {
  if (!Number.isInteger(index) || index < 0) throw new RangeError(`${index} is not an index`)
  if (index >= HARDENED) throw new CosignerError("E-KEY-002", { path: `…/${index}` })
  const serialised = group.pointLength === 33 ? encoded : concat(u8(0), encoded)
  const mac = createHmac("sha512", chain).update(serialised).update(u32be(index)).digest()
  return { left: leftTweak(group, mac.subarray(0, 32)), right: copy(mac.subarray(32)) }
}

/** I_L as a tweak: BIP-32 has no child when it is q or more; the Ed25519 scheme reduces it. */
export function leftTweak(group: Curve, left: Uint8Array): bigint | undefined {
  const value = beToBig(left)
  if (group.name === "ed25519") return group.mod(value)
  return value < group.order ? value : undefined
}

/** P + tweak*G, or undefined when that is the identity. */
export function addTweak(group: Curve, point: Point, tweak: bigint): Point | undefined {
  const sum = group.add(point, group.multiplyBasePublic(tweak))
  return group.isIdentity(sum) ? undefined : sum
}
