/**
 * Which WaaS this node follows (formats.md 14.1): the key that the operator decided on, if that is not the configured one, and the newest
 * token seen under each WaaS key. A token is durable before the node does anything for the WaaS that showed it.
 */
import { type Bytes, equal } from "../bytes.ts"
import * as c from "../codec.ts"
import type { SignedWaasToken, WaasToken } from "../wire/waasToken.ts"
import { kind, type RecordKind } from "./records.ts"
import { NO_NAME } from "./rows.ts"
import type { RecordVault } from "./vault.ts"

interface FollowedWaas {
  readonly waasKey: Bytes
  readonly token: WaasToken
  readonly signature: Bytes
}

/** Filed under the key of WaaS. */
export const FOLLOWED_WAAS: RecordKind<FollowedWaas> = kind<FollowedWaas>(
  40,
  "followed WaaS",
  c.struct<FollowedWaas>({
    waasKey: c.fixed(32),
    token: c.struct<WaasToken>({ incarnation: c.u64, mark: c.u64, markId: c.fixed(16) }),
    signature: c.fixed(64),
  }),
)

/** The operator's decision about the key of WaaS. */
interface TrustedWaas {
  readonly waasKey: Bytes
  /** Keys that it replaced. They are not trusted any more, whatever the configuration says. */
  readonly replaced: readonly Bytes[]
  readonly decidedMs: number
}

export const TRUSTED_WAAS: RecordKind<TrustedWaas> = kind<TrustedWaas>(
  41,
  "trusted WaaS",
  c.struct<TrustedWaas>({ waasKey: c.fixed(32), replaced: c.list(c.fixed(32)), decidedMs: c.u64 }),
)

/** The most replaced keys that are remembered. Such decisions are rare. */
const MOST_REPLACED = 64

export class WaasTrust {
  readonly #vault: RecordVault

  constructor(vault: RecordVault) {
    this.#vault = vault
  }

  /** The newest token that this node has seen of that WaaS; undefined if none. */
  followed(waasKey: Uint8Array): SignedWaasToken | undefined {
    const found = this.#vault.read(FOLLOWED_WAAS, waasKey)
    return found && { token: found.token, signature: found.signature }
  }

  /** Records the newest token of a WaaS; durable when it returns. */
  follow(waasKey: Bytes, { token, signature }: SignedWaasToken): void {
    this.#vault.transaction((tx) => tx.put(FOLLOWED_WAAS, waasKey, { waasKey, token, signature }))
  }

  /** The operator's decision; undefined if there is none, and the configured key counts. */
  decision(): TrustedWaas | undefined {
    return this.#vault.read(TRUSTED_WAAS, NO_NAME)
  }

  /**
   * Records the operator's decision to follow the WaaS with that key, and not to trust the key so far (`before`) any more. Forgets the last
   * token of the new key, so that any token of it is accepted next. Durable when it returns.
   */
  decide(waasKey: Bytes, before: Bytes | undefined, nowMs: number): TrustedWaas {
    const known = this.decision()
    const gone = [...(known === undefined ? [] : [...known.replaced, known.waasKey]), ...(before ? [before] : [])]
    const replaced = gone.filter(
      (key, at) => !equal(key, waasKey) && gone.findIndex((other) => equal(other, key)) === at,
    )
    const decision: TrustedWaas = { waasKey, replaced: replaced.slice(-MOST_REPLACED), decidedMs: nowMs }
    this.#vault.transaction((tx) => {
      tx.put(TRUSTED_WAAS, NO_NAME, decision)
      if (this.followed(waasKey) !== undefined) tx.remove(FOLLOWED_WAAS, waasKey)
    })
    return decision
  }
}
