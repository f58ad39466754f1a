import { silentLog } from "../../src/log.ts"
import { newUuid } from "../../src/waas/ids.ts"
import { enter } from "../../src/waas/store/entering.ts"
import type { NodeFencingToken, Vault, WaasTask } from "../../src/waas/store/model.ts"
import { openPostgres, type Postgres } from "../../src/waas/store/postgres.ts"
import type { PostgresSettings } from "../../src/waas/store/postgresSettings.ts"
import { storeOver } from "../../src/waas/store/records.ts"
import type { Replica } from "../../src/waas/store/replica.ts"
import type { StoreNews } from "../../src/waas/store/shared.ts"
import { SharedPostgres } from "../../src/waas/store/sharedPostgres.ts"
import type { WaasStore } from "../../src/waas/store/store.ts"
import { must, postgresSettings } from "./waas.ts"

export const forever = new AbortController().signal
export const organisation = () => ({ orgId: newUuid(), bizOrgId: 1, createdMs: 1 })

export interface Process extends AsyncDisposable {
  readonly db: Postgres
  readonly store: WaasStore
  readonly replica: Replica
  readonly shared: SharedPostgres
  readonly news: StoreNews[]
  /** Resolves once it has heard such news, from now on. */
  heard(kind: StoreNews["kind"]): Promise<StoreNews>
}

export async function started(url: string, name = "a", change: Partial<PostgresSettings> = {}): Promise<Process> {
  await using opened = new AsyncDisposableStack()
  const settings = { ...postgresSettings(url), ...change }
  const db = opened.adopt(await openPostgres(settings, organisation), (made) => made.close())
  const replica = opened.use(
    must(await enter(db, { name, log: silentLog, signal: forever, onUnheard() {}, isAlone: false })),
  )
  const shared = opened.use(new SharedPostgres({ db, replica, log: silentLog }))
  const news: StoreNews[] = []
  const waiting = new Set<(one: StoreNews) => void>()
  shared.subscribe((one) => {
    news.push(one)
    for (const wait of waiting) wait(one)
  })
  const made: Process = {
    db,
    store: storeOver(db),
    replica,
    shared,
    news,
    heard(kind) {
      const { promise, resolve } = Promise.withResolvers<StoreNews>()
      waiting.add((one) => {
        if (one.kind === kind) resolve(one)
      })
      return promise
    },
    [Symbol.asyncDispose]: () => kept.disposeAsync(),
  }
  // It hears news from now on.
  await made.heard("rescan")
  const kept = opened.move()
  return made
}

export const vault: Vault = {
  vaultId: "v",
  projectId: undefined,
  name: "v",
  type: "Org-Controlled",
  rootKeys: [],
  createdMs: 1,
}

export const task = (taskId: string, requestId: string, change: Partial<WaasTask> = {}): WaasTask => ({
  taskId,
  request: { kind: "sign", id: requestId },
  type: "KeySign",
  document: new Uint8Array([1]),
  signature: new Uint8Array([2]),
  digest: "d",
  nodeIds: [],
  createdMs: 1,
  deadlineMs: 2,
  state: "running",
  attempt: 1,
  attemptMs: 1,
  code: "",
  reason: "",
  outcome: undefined,
  reports: {},
  ...change,
})

export const put = (record: WaasTask, live = true) => ({ put: "task" as const, record, live })
export const idsOf = (tasks: readonly WaasTask[]) => tasks.map(({ taskId }) => taskId)
export const token = (boot: number, change: Partial<NodeFencingToken> = {}): NodeFencingToken => ({
  incarnation: 1,
  boot,
  bootId: `boot ${boot}`,
  generation: boot,
  ...change,
})

/** As another process finds it after the lease: the next steady look does the same (see the test of it). */
export const declaredDead = ({ db }: Process, { replica }: Process) =>
  db.write([{ sql: "UPDATE replicas SET alive = FALSE WHERE id = ?", values: [replica.id] }])

export async function openedOnly(url: string): Promise<Postgres & AsyncDisposable> {
  const db = await openPostgres(postgresSettings(url), organisation)
  return Object.assign(db, { [Symbol.asyncDispose]: () => db.close() })
}
