/**
 * Which output scripts are the group's. A script is ours if the node derives a key that alone owns it, at a path that the task
 * signs with, or at a path that the payload hints at. A hint saves a search and proves nothing. So a wrong or missing hint can
 * make one of our outputs look like a stranger's, but never the reverse.
 */
import { equal, toHex } from "../../bytes.ts"
import { K1 } from "../../crypto/curve.ts"
import { formatPath } from "../../keys/path.ts"
import type { Context } from "../decoder.ts"
import { refuse } from "../problem.ts"
import type { Hint } from "./psbtFields.ts"
import { hashedScripts, isTaproot, NO_SCRIPTS, type OwnType, ownership, taprootScript } from "./scripts.ts"

export interface Owned {
  readonly path: readonly number[]
  readonly type: OwnType
}

/** A script with more hints than these has several keys, and is not ours alone. */
const HINTS_READ = 8

/** Bound on point operations for the hints of one payload, at some 0.2 ms each. A batch with a thousand of our outputs needs about two thousand. */
const MAX_WORK = 8192

const TAPROOT_LENGTH = 34

export class OwnKeys {
  readonly #known = new Map<string, Owned>()
  readonly #parents = new Set<string>()
  #taproot = false
  #work = 0

  constructor(readonly context: Context) {
    for (const { path, publicKey } of context.messages) {
      for (const { type, script } of hashedScripts(publicKey)) this.#known.set(toHex(script), { path, type })
    }
  }

  /** How one of our keys owns `script`; `hints` and `merkleRoot` are what the payload states about it. */
  find(script: Uint8Array, hints: readonly Hint[], merkleRoot?: Uint8Array): Owned | undefined {
    if (script.length === TAPROOT_LENGTH) this.#learnTaproot()
    const known = this.#known.get(toHex(script))
    if (known !== undefined) return known
    for (const hint of hints.slice(0, HINTS_READ)) {
      const owned = this.#follow(hint, script, merkleRoot)
      if (owned !== undefined) return owned
    }
    return undefined
  }

  #follow({ publicKey, path }: Hint, script: Uint8Array, merkleRoot: Uint8Array | undefined): Owned | undefined {
    if (script.length === TAPROOT_LENGTH) {
      this.#spend(merkleRoot === undefined ? 1 : 2)
      // The x in the payload may belong to no point.
      if (K1.decodePoint(publicKey) === undefined) return undefined
    }
    const type = ownership(publicKey, script, merkleRoot)
    if (type === undefined) return undefined
    const parent = formatPath(path.slice(0, -1))
    this.#spend(this.#parents.has(parent) ? 1 : path.length)
    this.#parents.add(parent)
    const derived = this.context.derive(path)
    if (derived === undefined) return undefined
    const same = isTaproot(type) ? equal(derived.subarray(1), publicKey.subarray(1)) : equal(derived, publicKey)
    return same ? { path, type } : undefined
  }

  // Costs one multiplication each, so it runs only once there is a Taproot output to compare with.
  #learnTaproot(): void {
    if (this.#taproot) return
    this.#taproot = true
    for (const { path, publicKey } of this.context.messages) {
      const { type, script } = taprootScript(publicKey, NO_SCRIPTS)
      this.#known.set(toHex(script), { path, type })
    }
  }

  #spend(work: number): void {
    this.#work += work
    if (this.#work > MAX_WORK) refuse("E-INT-003", "derivation hints", "too many keys would have to be derived")
  }
}
