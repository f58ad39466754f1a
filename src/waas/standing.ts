/**
 * How far this WaaS has come (formats.md 14.1): a token in its store that moves at every start and every few seconds, so that each move
 * is also the proof that the store takes writes. Owns when it moves, what nodes are told of it, and the knowledge that a newer copy is
 * at work, which only a token can bring that our own key signed.
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
  /** To every node that is online and has words for it. */
  readonly tell: (standing: Standing) => void
  /** What the store knows to be the matter with itself before it is written to again. */
  readonly problem?: () => CosignerError | undefined
  /** Once: a newer copy is at work, and nobody is to be served any more. */
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
 * The operator's decision that this store is the newest from now on: above `seen`, and above any that was decided before, as far as
 * clocks tell. Returns the new token, which is durable.
 */
export async function decideNewest(store: TokenStore, nowMs: number, seen?: WaasToken): Promise<WaasToken> {
  const known = await store.waasToken()
  const incarnation = Math.max(known.incarnation + 1, (seen?.incarnation ?? 0) + 1, nowMs)
  return store.raiseWaasToken({ markId: newMarkId(), incarnation })
}

/** Signs each token once. */
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
  /** What stands, for as long as nothing newer can be written. */
  #said: SignedWaasToken
  #problem: CosignerError | undefined
  #fenced: CosignerError | undefined

  private constructor(parts: StandingParts, said: SignedWaasToken) {
    this.#parts = parts
    this.#said = said
    this.token = tokenSignerOf(parts.store, parts.signer)
  }

  /** Counts this start, durably, before any node hears of it. Throws E-WAA-006. */
  static async open(parts: StandingParts): Promise<StandingKeeper> {
    const token = await parts.store.raiseWaasToken({ markId: newMarkId() })
    return new StandingKeeper(parts, await signToken(parts.signer, token))
  }

  /** Every few seconds: a durable write, and the nodes hear how it went. Never rejects. */
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

  /** What a node is told now. */
  frame(): Standing {
    return {
      kind: "standing",
      token: this.#said,
      code: this.#problem?.code ?? "",
      reason: this.#problem?.message ?? "",
    }
  }

  async shown(followed: SignedWaasToken): Promise<boolean> {
    // A replica may have moved the token a moment ago: the store knows.
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

  /** As GET /readyz shows it. */
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
