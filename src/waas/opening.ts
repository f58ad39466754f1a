/** Which store a WaaS has: the file in its folder, or the database that waas.toml names; for commands, and for who serves it. */
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

/** Ids of its own: of an organisation whose database was lost, callers meet another one. */
export const newOrganisation = (nowMs: number): Organisation => ({
  orgId: newUuid(),
  bizOrgId: randomInt(100_000_000, 1_000_000_000),
  createdMs: nowMs,
})

/** For a command beside whoever serves it. Throws E-WAA-002, E-WAA-005, E-WAA-006, E-WAA-070 to -073. */
export async function openStore({ store }: Pick<WaasConfig, "store">, files: WaasFiles): Promise<WaasStore> {
  if (store !== undefined) return storeOver(await openPostgres(store, () => newOrganisation(Date.now())))
  if (!existsSync(files.database)) throw new CosignerError("E-WAA-002", { dir: files.dir, file: files.database })
  return openSqliteStore(files.database)
}

/** Throws E-WAA-077 for what a shared database is not for. */
export function refuseShared({ store }: Pick<WaasConfig, "store">, command: string): void {
  if (store !== undefined) throw new CosignerError("E-WAA-077", { command, store: shownStore(store) })
}

export interface ServedStore extends AsyncDisposable {
  readonly store: WaasStore
  readonly shared: SharedStore
  /** Another process has taken over; never of a file, which is locked. */
  readonly lost: Promise<CosignerError>
  /** E-WAA-070 while the shared database is away. */
  problem(): CosignerError | undefined
  /** What hangs because the database is away fails from now on. */
  giveUp(): void
  /** Who serves a shared store, or did; nobody of a file. */
  replicas(): Promise<readonly ReplicaSeen[]>
}

interface ServeOptions {
  readonly log: Log
  /** Ends the wait for whoever serves alone, or for all others. */
  readonly signal: AbortSignal
  /** The shared store has not heard this process for so long that it is of no use to nodes. */
  readonly onUnheard: () => void
  /** Waits until no other process serves the store; it has all the work then, and others wait for its end. */
  readonly isAlone: boolean
}

const MOST_REPLICAS = 10
const MOST_TAKEN = 200

/**
 * For a process that serves it: what it holds is what was written. Where it has to wait for others, it comes back with nothing once the
 * signal fires. Throws E-WAA-004, E-WAA-005, E-WAA-006, E-WAA-015 and E-WAA-070 to -073.
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
  // Before it is counted among those that serve.
  await checkSums(db)
  const name = `${hostname()} pid ${process.pid}`
  const replica = await enter(db, { name, log, signal, onUnheard, isAlone })
  if (replica === undefined) return undefined
  opened.use(replica)
  // Of what hangs nothing would be carried out any more.
  void replica.lost.then(() => db.giveUp())
  const shared = opened.use(new SharedPostgres({ db, replica, log }))
  // What others left is this one's before its engine looks for its work.
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
