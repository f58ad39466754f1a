/** Opens the store of a WaaS, waas.db or the shared database of waas.toml: for a command beside it, or to serve it. */
import { randomInt } from "node:crypto"
import { existsSync } from "node:fs"
import { hostname } from "node:os"
import { CosignerError } from "../errors.ts"
import type { Log } from "../log.ts"
import type { WaasConfig } from "./config.ts"
import { lock, type WaasFiles } from "./files.ts"
import { newUuid } from "./ids.ts"
import { alone } from "./store/alone.ts"
import { enter } from "./store/entering.ts"
import { checkSums } from "./store/integrity.ts"
import type { Organisation } from "./store/model.ts"
import { openPostgres } from "./store/postgres.ts"
import { shownStore } from "./store/postgresSettings.ts"
import { storeOver } from "./store/records.ts"
import { type ReplicaSeen, replicasSeen } from "./store/replica.ts"
import type { SharedStore } from "./store/shared.ts"
import { SharedPostgres } from "./store/sharedPostgres.ts"
import { openCheckedStore, openSqliteStore } from "./store/sqlite.ts"
import type { WaasStore } from "./store/store.ts"

/** A new organisation with random ids. After the loss of a database, callers see another organisation. */
export const newOrganisation = (nowMs: number): Organisation => ({
  orgId: newUuid(),
  bizOrgId: randomInt(100_000_000, 1_000_000_000),
  createdMs: nowMs,
})

/** Opens the store for a command; a WaaS may be serving it. Throws E-WAA-002, -005, -006 and -070 to -073. */
export async function openStore({ store }: Pick<WaasConfig, "store">, files: WaasFiles): Promise<WaasStore> {
  if (store !== undefined) return storeOver(await openPostgres(store, () => newOrganisation(Date.now())))
  if (!existsSync(files.database)) throw new CosignerError("E-WAA-002", { dir: files.dir, file: files.database })
  return openSqliteStore(files.database)
}

/** Throws E-WAA-077 if WaaS has a shared database, with which `command` does not work. */
export function refuseShared({ store }: Pick<WaasConfig, "store">, command: string): void {
  if (store !== undefined) throw new CosignerError("E-WAA-077", { command, store: shownStore(store) })
}

export interface ServedStore extends AsyncDisposable {
  readonly store: WaasStore
  readonly shared: SharedStore
  /** Resolves when another process has taken over; never for waas.db, which is locked. */
  readonly lost: Promise<CosignerError>
  /** E-WAA-070 while the shared database cannot be reached. */
  problem(): CosignerError | undefined
  /** From now on calls fail that would wait for an unreachable database. */
  giveUp(): void
  /** The processes that serve a shared store, or did before; empty for waas.db. */
  replicas(): Promise<readonly ReplicaSeen[]>
}

interface ServeOptions {
  readonly log: Log
  /** Ends the wait for another process that serves alone or, with `isAlone`, for all other processes. */
  readonly signal: AbortSignal
  /** Called when the shared database has not heard this process for too long to be useful to nodes (30 s). */
  readonly onUnheard: () => void
  /** Serve alone: wait until no other process serves the store, take over all work, and keep others waiting until the end. */
  readonly isAlone: boolean
}

const MOST_REPLICAS = 10
const MOST_TAKEN = 200

/**
 * Opens the store to serve it, and verifies that every record is as it was written. Resolves with undefined if the signal fires while it
 * waits for other processes. Throws E-WAA-004, -005, -006, -015 and -070 to -073.
 */
export async function serveStore(
  { store: settings }: Pick<WaasConfig, "store">,
  files: WaasFiles,
  { log, signal, onUnheard, isAlone }: ServeOptions,
): Promise<ServedStore | undefined> {
  await using opened = new AsyncDisposableStack()
  opened.use(lock(files))
  if (settings === undefined) {
    const store = opened.adopt(openCheckedStore(files.database), (made) => made.close())
    const kept = opened.move()
    return {
      store,
      shared: alone(store),
      lost: new Promise(() => {}),
      problem: () => undefined,
      giveUp() {},
      replicas: async () => [],
      [Symbol.asyncDispose]: () => kept.disposeAsync(),
    }
  }
  const db = opened.adopt(await openPostgres(settings, () => newOrganisation(Date.now())), (made) => made.close())
  // This comes before the process counts as a replica: one with a damaged database must not take over work.
  await checkSums(db)
  const name = `${hostname()} pid ${process.pid}`
  const replica = await enter(db, { name, log, signal, onUnheard, isAlone })
  if (replica === undefined) return undefined
  opened.use(replica)
  // Once another process has taken over, commits that still wait would be refused anyway.
  void replica.lost.then(() => db.giveUp())
  const shared = opened.use(new SharedPostgres({ db, replica, log }))
  // Takes over what other processes left, before the engine looks for its work.
  if (isAlone) while ((await shared.takeOver(MOST_TAKEN)).length > 0);
  const kept = opened.move()
  return {
    store: storeOver(db),
    shared,
    lost: replica.lost,
    problem: () => db.away(),
    giveUp: () => db.giveUp(),
    replicas: () => replicasSeen(db, MOST_REPLICAS),
    [Symbol.asyncDispose]: () => kept.disposeAsync(),
  }
}
