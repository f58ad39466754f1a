import { silentLog } from "../../src/log.ts"
import { newUuid } from "../../src/waas/ids.ts"
import { enter } from "../../src/waas/store/entering.ts"
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

/** As another process finds it after the lease: the next steady look does the same (see the test of it). */
export const declaredDead = ({ db }: Process, { replica }: Process) =>
  db.write([{ sql: "UPDATE replicas SET alive = FALSE WHERE id = ?", values: [replica.id] }])

export async function openedOnly(url: string): Promise<Postgres & AsyncDisposable> {
  const db = await openPostgres(postgresSettings(url), organisation)
  return Object.assign(db, { [Symbol.asyncDispose]: () => db.close() })
}
