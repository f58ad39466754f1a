/**
 * The token of this WaaS (formats.md 14.1): it says how far the database has come, and rises at every start and every few seconds; each
 * rise also proves that the store takes writes. Owns when the token rises, what nodes are told of it, and whether this WaaS is fenced
 * off because a newer copy is at work. Only a token that our own key signed can show that.
 */
import { randomBytes } from "node:crypto"
import { copy } from "../bytes.ts"
import { CosignerError, describe, errorText } from "../errors.ts"
import type { Log } from "../log.ts"
import type { Standing } from "../wire/frames.ts"
import type { RemoteSigner } from "../wire/signed.ts"
import {
  isNewestWaas,
  isSameToken,
  MARK_ID_BYTES,
  type SignedWaasToken,
  signToken,
  tokenText,
  type WaasToken,
} from "../wire/waasToken.ts"
import type { WaasFence } from "./relayOptions.ts"
import type { WaasStore } from "./store/store.ts"

type TokenStore = Pick<WaasStore, "waasToken" | "raiseWaasToken">

interface StandingParts {
  readonly store: TokenStore
  readonly signer: RemoteSigner
  readonly log: Log
  /** Sends the frame to every online node whose link version has it. */
  readonly tell: (standing: Standing) => void
  /** A problem that the store knows of before the next write shows it, such as an unreachable database. */
  readonly problem?: () => CosignerError | undefined
  /** Called once: a newer copy is at work, and this one must serve nobody any more. */
  readonly onFenced: () => void
}

export interface WaasReadinessItem {
  readonly name: "store" | "newest"
  readonly state: "ok" | "failed"
  readonly code: string
  readonly reason: string
  readonly next: string
}

const newMarkId = () => copy(randomBytes(MARK_ID_BYTES))

/**
 * Carries out the operator's decision that this store is the newest copy: raises the incarnation above its own, above `seen`, and to the
 * time if that is higher, so that a later decision on another copy outranks an earlier one. Returns the new, durable token.
 */
export async function decideNewest(store: TokenStore, nowMs: number, seen?: WaasToken): Promise<WaasToken> {
  const known = await store.waasToken()
  const incarnation = Math.max(known.incarnation + 1, (seen?.incarnation ?? 0) + 1, nowMs)
  return store.raiseWaasToken({ markId: newMarkId(), incarnation })
}

/** Returns the store's present token, signed. Each token is signed only once. */
export function tokenSignerOf(store: TokenStore, signer: RemoteSigner): () => Promise<SignedWaasToken> {
  let last: SignedWaasToken | undefined
  return async () => {
    const token = await store.waasToken()
    if (last === undefined || !isSameToken(last.token, token)) last = await signToken(signer, token)
    return last
  }
}

export class StandingKeeper implements WaasFence {
  readonly #parts: StandingParts
  readonly token: () => Promise<SignedWaasToken>
  /** The last token that was written. It stays while the store takes no writes. */
  #said: SignedWaasToken
  #problem: CosignerError | undefined
  #fenced: CosignerError | undefined

  private constructor(parts: StandingParts, said: SignedWaasToken) {
    this.#parts = parts
    this.#said = said
    this.token = tokenSignerOf(parts.store, parts.signer)
  }

  /** Raises the mark for this start, durably, before any node is shown it. Throws what the store throws, such as E-WAA-006. */
  static async open(parts: StandingParts): Promise<StandingKeeper> {
    const token = await parts.store.raiseWaasToken({ markId: newMarkId() })
    return new StandingKeeper(parts, await signToken(parts.signer, token))
  }

  /** Raises the mark and tells nodes whether that worked; the host calls it every few seconds. Never rejects. */
  async step(): Promise<void> {
    const { store, signer, log, tell } = this.#parts
    if (this.#fenced !== undefined) return
    try {
      this.#said = await signToken(signer, await store.raiseWaasToken({ markId: newMarkId() }))
      if (this.#problem !== undefined) log.info("the store of WaaS takes writes again")
      this.#problem = undefined
    } catch (error) {
      const problem = new CosignerError("E-WAA-061", { why: errorText(error) }, { cause: error })
      if (this.#problem === undefined) log.error(describe(problem), { code: problem.code })
      this.#problem = problem
    }
    tell(this.frame())
  }

  /** The frame that tells a node the present state. */
  frame(): Standing {
    return {
      kind: "standing",
      token: this.#said,
      code: this.#problem?.code ?? "",
      reason: this.#problem?.message ?? "",
    }
  }

  async shown(followed: SignedWaasToken): Promise<boolean> {
    // Another replica may have raised the token a moment ago, so the store is asked.
    const own = await this.#parts.store.waasToken()
    if (isNewestWaas(own, followed.token)) return false
    if (this.#fenced === undefined) {
      const fenced = new CosignerError("E-WAA-060", { own: tokenText(own), seen: tokenText(followed.token) })
      this.#fenced = fenced
      this.#parts.log.error(describe(fenced), { code: fenced.code })
      this.#parts.onFenced()
    }
    return true
  }

  isFenced(): boolean {
    return this.#fenced !== undefined
  }

  get fenced(): CosignerError | undefined {
    return this.#fenced
  }

  /** The items that GET /readyz shows. */
  readiness(): readonly WaasReadinessItem[] {
    return [
      itemOf("store", "takes writes", this.#parts.problem?.() ?? this.#problem),
      itemOf("newest", "no node knows a newer copy", this.#fenced),
    ]
  }
}

const itemOf = (
  name: WaasReadinessItem["name"],
  good: string,
  problem: CosignerError | undefined,
): WaasReadinessItem => ({
  name,
  state: problem === undefined ? "ok" : "failed",
  code: problem?.code ?? "",
  reason: problem?.message ?? good,
  next: problem?.next ?? "",
})
