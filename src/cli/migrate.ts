/** `cosigner migrate`: brings an older database to this version's format. It needs no password, because sealed data stays sealed. */
import { EXIT } from "../errors/entry.ts"
import { migrate as carryOut, planMigration } from "../store/migrate.ts"
import { command, flag } from "./command.ts"

export const migrate = command({
  summary: "Bring the database to the format of this version",
  details: [
    "The node must not be running, because it reads the old format. The command first makes a copy beside the database. It exits 0 when there is nothing to do. It refuses a database of a later version:",
    "the only way back is the copy that was made before.",
  ].join("\n"),
  options: { dryRun: flag("--dry-run", "say what would be done, and do nothing") },
  run: async ({ config, options, out }) => {
    const { db } = await config()
    const plan = planMigration(db.path)
    const steps = plan.steps.map(({ what }) => what)
    if (steps.length > 0 && options.dryRun) {
      out.result({ db: db.path, format: plan.format, target: plan.target, steps, done: false }, steps)
      return EXIT.ok
    }
    const copy = steps.length === 0 ? undefined : carryOut(db.path, plan, Date.now())
    if (copy === undefined) {
      const { target } = plan
      const text = `Nothing to do: ${db.path} has format ${target}`
      out.result({ db: db.path, format: target, target, steps: [], done: false }, [text])
      return EXIT.ok
    }
    out.result({ db: db.path, format: plan.target, target: plan.target, steps, copy, done: true }, [
      ...steps,
      `Migrated: ${db.path} from format ${plan.format} to ${plan.target}; the copy from before is ${copy}`,
    ])
    return EXIT.ok
  },
})
