/**
 * Derives many children of one root. Lists of addresses share all but the last level of their paths, so the parents of earlier
 * paths are kept: this saves four of five levels of work per row.
 */
import { beToBig } from "../bytes.ts"
import type { Point } from "../crypto/curve.ts"
import {
  derivePosition,
  type ExtendedPrivateKey,
  type ExtendedPublicKey,
  neuter,
  type Position,
  positionOf,
  withScalar,
} from "./extendedKey.ts"
import { formatPath } from "./path.ts"

/** The most parents in the cache. When it is full it is cleared, and parents are derived again. */
const KEPT = 4096

interface ChildKey {
  readonly child: ExtendedPublicKey
  readonly point: Point
  /** Undefined if the root has no private key. The caller disposes its scalar. */
  readonly secret: ExtendedPrivateKey | undefined
}

export class ChildKeys {
  readonly #root: Position
  readonly #parents = new Map<string, Position>()
  readonly #secret: ExtendedPrivateKey | undefined

  private constructor(root: ExtendedPublicKey, secret: ExtendedPrivateKey | undefined) {
    this.#root = positionOf(root)
    this.#secret = secret
  }

  static ofPublic(root: ExtendedPublicKey): ChildKeys {
    return new ChildKeys(root, undefined)
  }

  /** The caller owns the private key; it is used until the caller disposes it. */
  static ofPrivate(root: ExtendedPrivateKey): ChildKeys {
    return new ChildKeys(neuter(root), root)
  }

  get root(): ExtendedPublicKey {
    return this.#root.key
  }

  /** The child at `path`. Throws as deriveTweak does, and E-KEY-005 below depth 255. */
  at(path: readonly number[]): ChildKey {
    const { key: child, node } = derivePosition(this.#parent(path.slice(0, -1)), path.slice(-1))
    const secret = this.#secret && withScalar(child, beToBig(this.#secret.scalar.expose()) + node.tweak)
    return { child, point: node.point, secret }
  }

  #parent(path: readonly number[]): Position {
    const name = formatPath(path)
    const known = this.#parents.get(name)
    if (known !== undefined) return known
    const position = derivePosition(this.#root, path)
    if (this.#parents.size >= KEPT) this.#parents.clear()
    this.#parents.set(name, position)
    return position
  }
}
