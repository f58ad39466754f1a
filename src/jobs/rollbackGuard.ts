/** Keeps the rollback guard's record (store/rollbackGuard.ts) close behind the database's commits, without delaying them. */
import { errorText } from "../errors.ts"
import type { Log } from "../log.ts"
import { checkRollbackGuard, type DatabaseAge, writeRollbackGuard } from "../store/rollbackGuard.ts"
import type { Store } from "../store/store.ts"

/** A copy that is younger than this may pass for the newest on this host; WaaS still detects it. */
const STEP_MS = 15_000

interface RollbackGuardKeeper {
  /** Writes a last time; the file is exact when this returns. */
  stop(): void
}

type Guarded = Pick<Store, "path" | "fencingToken" | "generation">

/** Throws E-BAK-015 and -016 for a database that is older than what this host has seen. Must be called before anything is written. */
export const requireNewest = ({ path, fencingToken }: Guarded): void => checkRollbackGuard(path, fencingToken)

/** Writes the record now, after the start was counted, and from then on in steps. Throws if it cannot be written. */
export function keepRollbackGuard(store: Guarded, log: Log): RollbackGuardKeeper {
  let written: DatabaseAge = store.fencingToken
  writeRollbackGuard(store.path, written)
  const step = (): void => {
    if (store.generation === written.generation) return
    const fencingToken = { ...written, generation: store.generation }
    try {
      writeRollbackGuard(store.path, fencingToken)
      written = fencingToken
    } catch (error) {
      const why = errorText(error)
      log.warn("the rollback guard could not be written", { why })
    }
  }
  const timer = setInterval(step, STEP_MS)
  return {
    stop() {
      clearInterval(timer)
      step()
    },
  }
}
