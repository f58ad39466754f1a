/**
 * Which output scripts are the group's. A script is ours if the node derives a key that owns it alone: at a path that the task
 * signs with, or at one that the payload hints at. A hint saves a search and proves nothing, so a wrong or a missing one can
 * make an output of ours look like a stranger's, and never the other way round.
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

/** Hints beyond these belong to scripts of several keys, which are not ours alone. */
const HINTS_READ = 8

/** Point operations for hints of one payload, at some 0.2 ms each. A batch of a thousand outputs of ours needs about two thousand. */
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

  /** Who of ours owns `script`; `hints` and `merkleRoot` are what the payload says about it. */
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
      // An x of the payload need not be a point's.
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

  // One multiplication each, so only once there is an output of that kind to be compared with.
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
