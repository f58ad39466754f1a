/**
 * How a process begins to serve a shared store: normally at once, beside others; for an adoption alone, once no other process is alive.
 * While a process serves alone, the others wait until it has ended.
 */
import type { TransactionSQL } from "bun"
import { CosignerError, isCode } from "../../errors.ts"
import { sleep } from "../../sleep.ts"
import type { Postgres } from "./postgres.ts"
import { LOCKS } from "./postgresSchema.ts"
import { LEASE_MS, LIVING, LivingReplica, type Replica, type ReplicaOptions } from "./replica.ts"

/** How often a process that waits looks again. */
const LOOK_MS = 500
/** The advisory lock that makes processes enter one after another. */
const ENTERING = 3

interface EnterOptions extends ReplicaOptions {
  readonly isAlone: boolean
  /** Ends the wait. */
  readonly signal: AbortSignal
}

/** Waits until this process may serve the store, and while the database is away. Undefined if the signal fired. Throws E-WAA-071. */
export async function enter(db: Postgres, options: EnterOptions): Promise<Replica | undefined> {
  const { signal, log } = options
  let told = ""
  while (!signal.aborted) {
    const place = await db.transaction((tx) => claimed(tx, options)).catch(unlessAway)
    if ("id" in place) {
      db.commitAs(place.id)
      log.info("This WaaS serves the shared store", { store: db.name, replica: place.id })
      return new LivingReplica(db, place, options)
    }
    const text = place instanceof CosignerError ? place.message : place.active
    if (told !== text && place instanceof CosignerError) log.warn(text, { code: place.code, next: place.next })
    else if (told !== text) log.info("This WaaS waits for another one of its store", { active: text })
    told = text
    await sleep(LOOK_MS, signal)
  }
  return undefined
}

type ReplicaPlace = { readonly id: string; readonly living: readonly string[] } | { readonly active: string }

/** Gives this process its number, with the numbers of all living processes; or says for which process it waits. */
async function claimed(tx: TransactionSQL, { name, isAlone }: EnterOptions): Promise<ReplicaPlace> {
  await tx.unsafe("SELECT pg_advisory_xact_lock($1, $2)", [LOCKS, ENTERING])
  // A process that fell silent is declared dead: none of its commits is carried out from now on. This waits for one that is under way.
  const silent = "seen < clock_timestamp() - make_interval(secs => $1)"
  await tx.unsafe(`UPDATE replicas SET alive = FALSE WHERE alive AND (alone OR $2) AND ${silent}`, [
    LEASE_MS / 1000,
    isAlone,
  ])
  const [active] = await tx.unsafe<{ readonly id: string; readonly name: string }[]>(
    "SELECT id, name FROM replicas WHERE alive AND (alone OR $1) LIMIT 1",
    [isAlone],
  )
  if (active !== undefined) return { active: `${active.name} (replica ${active.id})` }
  await tx.unsafe("DELETE FROM replicas WHERE NOT alive AND seen < clock_timestamp() - interval '30 days'")
  const [row] = await tx.unsafe<{ readonly id: string }[]>(
    `INSERT INTO replicas (name, alive, committed, seen, alone) VALUES ($1, TRUE, 0, clock_timestamp(), $2)
     RETURNING id`,
    [name, isAlone],
  )
  if (row === undefined) throw new TypeError("an INSERT that returns gave nothing back")
  const living = await tx.unsafe<{ readonly id: string }[]>(LIVING, [])
  return { id: row.id, living: living.map(({ id }) => id) }
}

/** E-WAA-070 as a value, because a database that is away comes back; rethrows everything else. */
function unlessAway(error: unknown): CosignerError {
  if (isCode(error, "E-WAA-070")) return error
  throw error
}
