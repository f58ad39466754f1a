/**
 * The entry: refuses to run unlocked, hands argv to the command line, and ends the process. The only process.exit.
 * Nothing heavy is imported before the command is known: `cosigner version` answers in milliseconds.
 */
import { build } from "./build.ts"
import { writeAll } from "./cli/output.ts"
import { failed, run } from "./cli/run.ts"
import { CosignerError } from "./errors.ts"
import { missingLockdown } from "./lockdown.ts"

// whatever any command writes is for its owner alone
process.umask(0o077)
const world = { env: process.env, write: writeAll }

const missing = build.mode === "compiled" ? missingLockdown(process.execArgv) : undefined
process.exit(
  missing === undefined
    ? await run(process.argv.slice(2), world)
    : failed(new CosignerError("E-CLI-003", { missing }), false, world),
)
