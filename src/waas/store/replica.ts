/**
 * One process that serves a shared store. It is alive as long as the store hears it; its number in the store is its fencing number:
 * once another process has declared it dead, none of its commits is carried out any more, however late it learns of that.
 * At one time one process serves; the others stand by.
 */
import { CosignerError, errorText, isCode } from "../../errors.ts"
import type { Log } from "../../log.ts"
import { sleep } from "../../sleep.ts"
import type { Postgres } from "./postgres.ts"
import { LOCKS } from "./postgresSchema.ts"

/** How often the store hears a replica, and after what silence others take its work over. By the database's clock alone. */
const BEAT_MS = 1_000
export const LEASE_MS = 5_000
const TAKING_OVER = 2
/** How often whoever stands by looks. */
const LOOK_MS = 500

interface Replica extends AsyncDisposable {
  readonly id: string
  /** Resolves with E-WAA-074 when others have taken over. */
  readonly lost: Promise<CosignerError>
}

interface ReplicaOptions {
  /** For people: which process it is. */
  readonly name: string
  readonly log: Log
  /** Ends the wait of one that stands by. */
  readonly signal: AbortSignal
  /** The store has not heard this process for as long as others wait before they take over: they may have. */
  readonly onUnheard: () => void
}

/** Waits until no other process serves, and serves from then on. Undefined once the signal fires. Throws E-WAA-070, E-WAA-071. */
export async function becomeActive(db: Postgres, options: ReplicaOptions): Promise<Replica | undefined> {
  const { signal, log } = options
  let told = ""
  while (!signal.aborted) {
    const claim = await claimed(db, options.name).catch(unlessAway)
    if (claim instanceof CosignerError) {
      if (told !== claim.message) log.warn(claim.message, { code: claim.code, next: claim.next })
      told = claim.message
      await sleep(LOOK_MS, signal)
      continue
    }
    if ("id" in claim) {
      db.commitAs(claim.id)
      log.info("This WaaS serves the shared store", { store: db.name, replica: claim.id })
      return beating(db, claim.id, options)
    }
    if (told !== claim.active) log.info("Another WaaS serves the shared store; this one stands by", claim)
    told = claim.active
    await sleep(LOOK_MS, signal)
  }
  return undefined
}

/** A database that is away comes back; everything else is for people. */
function unlessAway(error: unknown): CosignerError {
  if (isCode(error, "E-WAA-070")) return error
  throw error
}

/** A number for this process, if nobody else is alive; otherwise who is. Who was silent for too long is dead from then on. */
async function claimed(db: Postgres, name: string): Promise<{ readonly id: string } | { readonly active: string }> {
  return db.transaction(async (tx) => {
    await tx.unsafe("SELECT pg_advisory_xact_lock($1, $2)", [LOCKS, TAKING_OVER])
    const [active] = await tx.unsafe<{ readonly id: string; readonly name: string }[]>(
      "SELECT id, name FROM replicas WHERE alive AND seen > clock_timestamp() - make_interval(secs => $1)",
      [LEASE_MS / 1000],
    )
    if (active !== undefined) return { active: `${active.name} (replica ${active.id})` }
    await tx.unsafe("DELETE FROM replicas WHERE NOT alive AND seen < clock_timestamp() - interval '30 days'")
    // Waits for the commit that is on its way, and for none after it.
    await tx.unsafe("UPDATE replicas SET alive = FALSE WHERE alive")
    const [row] = await tx.unsafe<{ readonly id: string }[]>(
      "INSERT INTO replicas (name, alive, committed, seen) VALUES ($1, TRUE, 0, clock_timestamp()) RETURNING id",
      [name],
    )
    if (row === undefined) throw new TypeError("an INSERT that returns gave nothing back")
    return { id: row.id }
  })
}

/** A process that serves the store, or did. */
export interface ReplicaSeen {
  readonly name: string
  readonly isAlive: boolean
  /** By the database's clock. */
  readonly seenMs: number
}

/** The newest of them first, for people; who stands by is not among them before it serves. */
export async function replicasSeen(db: Pick<Postgres, "all">, most: number): Promise<readonly ReplicaSeen[]> {
  const sql = `SELECT name, alive, floor(extract(epoch FROM seen) * 1000)::text AS seen_ms
    FROM replicas ORDER BY id DESC LIMIT ?`
  const rows = await db.all<{ readonly name: string; readonly alive: boolean; readonly seen_ms: string }>(sql, [most])
  return rows.map(({ name, alive, seen_ms }) => ({ name, isAlive: alive, seenMs: Number(seen_ms) }))
}

function beating(db: Postgres, id: string, { log, onUnheard }: ReplicaOptions): Replica {
  const { promise: lost, resolve } = Promise.withResolvers<CosignerError>()
  const stopping = new AbortController()
  let heardAt = performance.now()
  let isUnheard = false
  // By a timer of its own: a beat that hangs tells nothing.
  const watching = setInterval(() => {
    const isLate = performance.now() > heardAt + LEASE_MS
    if (isLate && !isUnheard) onUnheard()
    isUnheard = isLate
  }, BEAT_MS)
  const beat = async (): Promise<void> => {
    while (!stopping.signal.aborted) {
      await sleep(BEAT_MS, stopping.signal)
      if (stopping.signal.aborted) return
      try {
        const sql = "UPDATE replicas SET seen = clock_timestamp() WHERE id = ? AND alive RETURNING id"
        const askedAt = performance.now()
        if ((await db.all(sql, [id])).length > 0) {
          heardAt = askedAt
          continue
        }
        resolve(new CosignerError("E-WAA-074", { store: db.name }))
        return
      } catch (error) {
        log.warn("The shared store did not hear this WaaS", {
          error: errorText(error),
          ...(isCode(error, "E-WAA-070") ? { next: error.next } : {}),
        })
      }
    }
  }
  const beats = beat()
  return {
    id,
    lost,
    async [Symbol.asyncDispose]() {
      stopping.abort()
      clearInterval(watching)
      await beats
      // Whoever stands by need not wait for the silence. If this fails, it does.
      await db.write([{ sql: "UPDATE replicas SET alive = FALSE WHERE id = ?", values: [id] }]).catch(() => {})
    },
  }
}
