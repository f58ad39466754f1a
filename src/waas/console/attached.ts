/** Attaches the console to a WaaS that starts and stops: it observes the store from the beginning, and opens the page at the end. */
import { statSync } from "node:fs"
import type { Log } from "../../log.ts"
import type { WaasConfig } from "../config.ts"
import type { Engine } from "../engine/engine.ts"
import type { WaasFiles } from "../files.ts"
import type { WaasReadinessItem } from "../standing.ts"
import { shownStore } from "../store/postgresSettings.ts"
import type { ReplicaSeen } from "../store/replica.ts"
import type { SharedStore } from "../store/shared.ts"
import type { StoreWrite, WaasStore } from "../store/store.ts"
import { observing, type RunningConsole, startConsole } from "./console.ts"
import type { StoreNow } from "./overview.ts"

interface AttachedParts {
  readonly store: WaasStore
  readonly engine: Engine
  readonly url: string
  readonly publicKey: string
  readonly storeNow: () => StoreNow
  readonly replicas: () => Promise<readonly ReplicaSeen[]>
  readonly shared: SharedStore
  readonly items: () => readonly WaasReadinessItem[]
  readonly log: Log
}

interface AttachedConsole {
  /** The store, except that the console sees each commit. */
  observing(store: WaasStore): WaasStore
  /** Opens the page if the configuration enables it. Throws E-WAA-080 and E-WAA-081. */
  open(config: WaasConfig, parts: AttachedParts): Promise<void>
  /** The address of the page; undefined if it is off. */
  address(): string | undefined
  stop(): Promise<void>
}

export function attachedConsole(): AttachedConsole {
  let page: RunningConsole | undefined
  return {
    // Records written before the page opens are found by its first look.
    observing: (store) => observing(store, (writes: readonly StoreWrite[]) => page?.written(writes)),
    async open(config, { url, publicKey, ...parts }) {
      if (config.console === undefined) return
      const startedMs = Date.now()
      page = await startConsole({
        settings: config.console,
        chains: config.chains.enabled.map(({ caip2, coinType }) => ({ caip2, coinType })),
        ...parts,
        fixed: { organisation: config.organisation, url, publicKey, startedMs, webhookHosts: config.webhooks.hosts },
        now: Date.now,
      })
    },
    address: () => page?.address,
    stop: async () => page?.stop(),
  }
}

/** What the console shows of a store that was opened just now, when all its records were verified against their checksums. */
export function storeNowOf({ store }: Pick<WaasConfig, "store">, { database }: WaasFiles): () => StoreNow {
  const checkedMs = Date.now()
  if (store !== undefined) return () => ({ kind: "postgres", place: shownStore(store), bytes: undefined, checkedMs })
  return () => {
    // The size includes SQLite's write-ahead log.
    const sizes = [database, `${database}-wal`].map((path) => statSync(path, { throwIfNoEntry: false })?.size ?? 0)
    return { kind: "sqlite", place: database, bytes: sizes.reduce((sum, size) => sum + size), checkedMs }
  }
}
