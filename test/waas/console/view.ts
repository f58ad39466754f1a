/** What a reader of the console would see of a WaaS rig: its looker, and the shelves that its thread keeps, in one place. */
import type { Static, TObject } from "@sinclair/typebox"
import { silentLog } from "../../../src/log.ts"
import { checked } from "../../../src/panel/schemas.ts"
import { createShelf } from "../../../src/panel/shelf.ts"
import {
  type ConsoleRequest,
  type ConsoleVault,
  type Overview,
  overviewSchema,
  requestSchema,
  vaultSchema,
} from "../../../src/waas/console/documents.ts"
import { createLooker } from "../../../src/waas/console/looker.ts"
import { createRecent } from "../../../src/waas/console/recent.ts"
import { createRequestShelf } from "../../../src/waas/console/requestShelf.ts"
import type { ReplicaSeen } from "../../../src/waas/store/replica.ts"
import type { Rig } from "../../support/waas.ts"
import { ITEMS } from "./sample.ts"

export interface View {
  /** Looks as often as it takes to be told everything. */
  look(): Promise<void>
  /** Looks once. */
  once(): Promise<void>
  /** Looks that failed to make a document. */
  failures(): number
  overview(): Overview
  /** Newest first. */
  requests(labels?: Readonly<Record<string, string>>): readonly ConsoleRequest[]
  vaults(): readonly ConsoleVault[]
  /** Documents that were told so far, and the most of one list at one look. */
  told(): number
  mostAtOnce(): number
}

export function viewOf(rig: Rig, replicas: readonly ReplicaSeen[] = []): View {
  const recent = createRecent(rig.store, silentLog)
  let lastCommitMs: number | undefined
  rig.onWritten = (writes) => {
    lastCommitMs = rig.clock.nowMs
    looker.written(writes)
  }
  const looker = createLooker({
    store: rig.store,
    engine: rig.engine,
    fixed: {
      organisation: "Test",
      url: "http://127.0.0.1:1",
      publicKey: "00",
      startedMs: rig.clock.nowMs,
      webhookHosts: ["hooks.example.com"],
    },
    storeNow: () => ({ kind: "sqlite", place: "waas.db", bytes: 1, checkedMs: rig.clock.nowMs }),
    replicas: async () => replicas,
    shared: { replicaId: rig.shared.replicaId, living: () => Math.max(1, replicas.length) },
    items: () => ITEMS,
    now: rig.clock.now,
    recent,
    lastCommitMs: () => lastCommitMs,
    delay: () => ({ p50Ms: 0.1, p99Ms: 3.25, maxMs: 11 }),
  })
  const shelves = { vaults: createShelf(1e7), requests: createShelf(1e7) }
  const requests = createRequestShelf(shelves.requests, [])
  let overview = ""
  let told = 0
  let most = 0
  let failures = 0

  async function once(): Promise<void> {
    const { messages, failure } = await looker.look()
    if (failure !== undefined) failures++
    for (const message of messages) {
      if (message.kind === "beat") overview = message.overview
      if (message.kind !== "changed") continue
      told += message.change.put.length
      most = Math.max(most, message.change.put.length)
      if (message.list === "vaults") shelves.vaults.change(message.change)
      else await requests.change(message.change)
    }
  }
  const read = <S extends TObject>(schema: S, text: string): Static<S> => checked<Static<S>>(schema, JSON.parse(text))

  return {
    async look() {
      await once()
      while (!recent.requests.isSettled() || !recent.vaults.isSettled()) await once()
    },
    once,
    failures: () => failures,
    overview: () => read(overviewSchema, overview),
    requests: (labels = {}) => shelves.requests.page(labels, 0, 1000).texts.map((text) => read(requestSchema, text)),
    vaults: () => shelves.vaults.page({}, 0, 1000).texts.map((text) => read(vaultSchema, text)),
    told: () => told,
    mostAtOnce: () => most,
  }
}
