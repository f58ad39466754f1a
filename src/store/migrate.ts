/**
 * From an older format of the file to this program's: which steps are due, a copy for safety, and all steps in one
 * transaction. None needs the password: what is sealed stays sealed.
 */

import type { Database } from "bun:sqlite"
import { existsSync, rmSync } from "node:fs"
import { CosignerError } from "../errors.ts"
import { nameOver, syncPath } from "../files.ts"
import { connect } from "./connection.ts"
import { asFault } from "./faults.ts"
import { SecretsFile } from "./file.ts"
import { FORMAT, formatOf } from "./fileFormat.ts"
import { lockProcess } from "./lock.ts"

/** From one format to the next. Runs inside the one transaction of all steps. */
interface Migration {
  readonly from: number
  readonly what: string
  readonly run: (db: Database) => void
}

const MIGRATIONS: readonly Migration[] = [
  {
    from: 1,
    what: "records written from now on are sealed under a subkey of their kind and epoch; older ones stay readable",
    // the number alone: whoever does not know it must not write to the file any more
    run: () => {},
  },
  {
    from: 2,
    what: "what the node decides is also written to a log for auditors, which begins now",
    // the number alone: a release that knows no such log would leave gaps in it
    run: () => {},
  },
]

interface MigrationPlan {
  readonly format: number
  readonly target: number
  /** In their order; empty when there is nothing to do. */
  readonly steps: readonly Migration[]
}

/** Throws E-STO-002 and -005 for no file of ours, E-STO-006 for one of a later version: there is no way back. */
export function planMigration(path: string, target = FORMAT, known = MIGRATIONS): MigrationPlan {
  const format = formatOf(path)
  if (format > target) throw new CosignerError("E-STO-006", { path, format, supported: target })
  const steps = Array.from({ length: target - format }, (_, i) => {
    const step = known.find(({ from }) => from === format + i)
    if (step === undefined) throw new CosignerError("E-STO-006", { path, format, supported: target })
    return step
  })
  return { format, target, steps }
}

/** Brings the file to this program's format if it is older; returns what was done, and the safety copy. */
export function migrateIfDue(
  path: string,
  nowMs: number,
): { readonly from: number; readonly copy: string } | undefined {
  const plan = planMigration(path)
  return plan.steps.length === 0 ? undefined : { from: plan.format, copy: migrate(path, plan, nowMs) }
}

/** Carries the plan out; returns the path of the safety copy. The node must not run: E-STO-003. */
export function migrate(path: string, { format, target, steps }: MigrationPlan, nowMs: number): string {
  const safety = freeName(`${path}.format${format}-${new Date(nowMs).toISOString().replace(/[-:]|\.\d+/g, "")}`)
  try {
    using _lock = lockProcess(path)
    keepCopy(path, safety)
    const db = connect(path, "write")
    try {
      db.transaction(() => {
        for (const step of steps) step.run(db)
        db.run(`PRAGMA user_version = ${target}`)
      }).exclusive()
    } finally {
      db.close(true)
    }
    return safety
  } catch (error) {
    throw asFault(error, path, "migrate")
  }
}

/** A migration that was killed behind its copy leaves that, and the next one may come in the same second. */
function freeName(wanted: string): string {
  for (let nth = 1; ; nth++) {
    const name = nth === 1 ? wanted : `${wanted}-${nth}`
    if (!existsSync(name)) return name
  }
}

function keepCopy(path: string, safety: string): void {
  const draft = `${safety}.new`
  rmSync(draft, { force: true })
  try {
    SecretsFile.copy(path, draft)
    syncPath(draft)
    nameOver(draft, safety)
  } catch (error) {
    rmSync(draft, { force: true })
    throw error
  }
}
