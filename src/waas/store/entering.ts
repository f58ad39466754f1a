/**
 * How a process comes to serve a shared store: beside whoever does, at once; or alone (an adoption), once nobody else is alive, and then
 * the others wait for its end.
 */
import type { TransactionSQL } from "bun"
import { CosignerError, isCode } from "../../errors.ts"
import { sleep } from "../../sleep.ts"
import type { Postgres } from "./postgres.ts"
import { LOCKS } from "./postgresSchema.ts"
import { LEASE_MS, LIVING, LivingReplica, type Replica, type ReplicaOptions } from "./replica.ts"

/** How often whoever waits looks. */
const LOOK_MS = 500
const ENTERING = 3

interface EnterOptions extends ReplicaOptions {
  readonly isAlone: boolean
  /** Ends the wait. */
  readonly signal: AbortSignal
}

/** Undefined once the signal fires. Throws E-WAA-070, E-WAA-071. */
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

/** A number for this process, beside those that live; or whom it waits for. */
async function claimed(tx: TransactionSQL, { name, isAlone }: EnterOptions): Promise<ReplicaPlace> {
  await tx.unsafe("SELECT pg_advisory_xact_lock($1, $2)", [LOCKS, ENTERING])
  // One that fell silent is waited for no longer: nothing that it commits counts from now on. A commit on its way comes first.
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

/** A database that is away comes back; everything else is for people. */
function unlessAway(error: unknown): CosignerError {
  if (isCode(error, "E-WAA-070")) return error
  throw error
}
