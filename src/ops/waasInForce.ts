/** The WaaS that this process follows: its key at this moment, and how far that WaaS has come as far as this node has seen. */
import { type Bytes, toHex } from "../bytes.ts"
import { describe } from "../errors.ts"
import type { FollowedMemory } from "../link/options.ts"
import type { Log } from "../log.ts"
import type { Store } from "../store/store.ts"
import type { SignedWaasToken } from "../wire/waasToken.ts"
import type { Shown } from "./inventory/shown.ts"
import { trustedWaasKey, trustWaas } from "./inventory/waasTrust.ts"

export class WaasInForce implements FollowedMemory {
  readonly #store: Pick<Store, "waas" | "policies">
  readonly #log: Log
  #key: Bytes

  /** Throws E-LNK-025. */
  constructor(store: Pick<Store, "waas" | "policies">, configured: Bytes, log: Log) {
    this.#store = store
    this.#log = log
    this.#key = trustedWaasKey(store, configured, (warning) => log.warn(describe(warning), { code: warning.code }))
  }

  readonly key = (): Bytes => this.#key

  latest(): SignedWaasToken | undefined {
    return this.#store.waas.followed(this.#key)
  }

  follow(token: SignedWaasToken): void {
    this.#store.waas.follow(this.#key, token)
  }

  /** Records it durably first. From then on nothing counts that the previous key has signed. */
  trust(key: Bytes, nowMs: number): Shown {
    const shown = trustWaas(this.#store, key, this.#key, nowMs)
    this.#key = key
    this.#log.warn("the operator decided which WaaS is trusted", { key: toHex(key) })
    return shown
  }
}
