/**
 * Many children of one root. Lists of addresses share all but the last level of their paths, so the parents of earlier
 * paths are kept: one level of work per row instead of five.
 */
import { beToBig } from "../bytes.ts"
import { deriveWithTweak, type ExtendedPrivateKey, type ExtendedPublicKey, neuter, withScalar } from "./extendedKey.ts"
import { formatPath } from "./path.ts"

/** Parents kept; when there are more, all are forgotten and the work is done again. */
const KEPT = 4096

interface Derived {
  readonly child: ExtendedPublicKey
  /** From the root's scalar to the child's. */
  readonly tweak: bigint
}

export class ChildKeys {
  readonly #parents = new Map<string, Derived>()
  readonly #secret: ExtendedPrivateKey | undefined

  private constructor(
    readonly root: ExtendedPublicKey,
    secret: ExtendedPrivateKey | undefined,
  ) {
    this.#secret = secret
  }

  static ofPublic(root: ExtendedPublicKey): ChildKeys {
    return new ChildKeys(root, undefined)
  }

  /** The private key stays the caller's: it is used until the caller disposes it. */
  static ofPrivate(root: ExtendedPrivateKey): ChildKeys {
    return new ChildKeys(neuter(root), root)
  }

  /** The public child at `path`, and with a private root the private one, which the caller disposes. */
  at(path: readonly number[]): { readonly child: ExtendedPublicKey; readonly secret: ExtendedPrivateKey | undefined } {
    const { child, tweak } = this.#derive(path)
    if (this.#secret === undefined) return { child, secret: undefined }
    return { child, secret: withScalar(child, beToBig(this.#secret.scalar.expose()) + tweak) }
  }

  #derive(path: readonly number[]): Derived {
    if (path.length === 0) return { child: this.root, tweak: 0n }
    const parent = this.#parent(path.slice(0, -1))
    const { child, tweak } = deriveWithTweak(parent.child, path.slice(-1))
    return { child, tweak: parent.tweak + tweak }
  }

  #parent(path: readonly number[]): Derived {
    const name = formatPath(path)
    const known = this.#parents.get(name)
    if (known !== undefined) return known
    const { child, tweak } = deriveWithTweak(this.root, path)
    if (this.#parents.size >= KEPT) this.#parents.clear()
    this.#parents.set(name, { child, tweak })
    return { child, tweak }
  }
}
