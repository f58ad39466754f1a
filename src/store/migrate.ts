/**
 * Migrates a file of an older format to the format of this version: plans the steps, makes a safety copy, and runs all steps in one
 * transaction. No step needs the password, because sealed records stay as they are.
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

/** One step, from one format to the next. All steps run in one transaction. */
interface Migration {
  readonly from: number
  readonly what: string
  readonly run: (db: Database) => void
}

const MIGRATIONS: readonly Migration[] = [
  {
    from: 1,
    what: "records written from now on are sealed under a subkey of their kind and epoch; older ones stay readable",
    // Only the format number changes: a version that does not know it must not write to the file any more.
    run: () => {},
  },
  {
    from: 2,
    what: "what the node decides is also written to a log for auditors, which begins now",
    // Only the format number changes: a version without such a log would leave gaps in it.
    run: () => {},
  },
]

interface MigrationPlan {
  readonly format: number
  readonly target: number
  /** In the order in which they run; empty if there is nothing to do. */
  readonly steps: readonly Migration[]
}

/** Throws E-STO-002 and -005 if it is no secrets file, and E-STO-006 for a file of a later version: there is no migration back. */
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

/** Migrates the file if its format is older. Returns the old format and the path of the safety copy; undefined if nothing was to do. */
export function migrateIfDue(
  path: string,
  nowMs: number,
): { readonly from: number; readonly copy: string } | undefined {
  const plan = planMigration(path)
  const copy = plan.steps.length === 0 ? undefined : migrate(path, plan, nowMs)
  return copy === undefined ? undefined : { from: plan.format, copy }
}

/**
 * Carries out the plan. Returns the path of the safety copy; undefined, with nothing changed, if another process has migrated the file
 * since the plan was made. Throws E-STO-003 while another process has the file.
 */
export function migrate(path: string, { format, target, steps }: MigrationPlan, nowMs: number): string | undefined {
  try {
    using _lock = lockProcess(path)
    // The plan was made without the lock.
    if (formatOf(path) !== format) return undefined
    const safety = freeName(`${path}.format${format}-${new Date(nowMs).toISOString().replace(/[-:]|\.\d+/g, "")}`)
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

/** A name that is not taken: a killed migration may have left its safety copy with the same second in its name. */
function freeName(wanted: string): string {
  for (let nth = 1; ; nth++) {
    const name = nth === 1 ? wanted : `${wanted}-${nth}`
    if (!existsSync(name)) return name
  }
}

/** Makes the safety copy; it has its name only when it is complete and durable. */
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
