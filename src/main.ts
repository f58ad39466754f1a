/**
 * The entry: refuses to run without the lockdown, passes argv to the command line, and ends the process. The only process.exit.
 * Nothing heavy is imported before the command is known: `cosigner version` answers in milliseconds.
 */
import { build } from "./build.ts"
import { failed, run } from "./cli/run.ts"
import { CosignerError } from "./errors.ts"
import { harden } from "./hardening/process.ts"
import { disarmingVariable, missingLockdown } from "./lockdown.ts"
import { writeAll } from "./output.ts"

const world = { env: process.env, write: writeAll }

/** Why this process may not go on, if there is a reason. */
function refusal(): CosignerError | undefined {
  const missing = build.mode === "compiled" ? missingLockdown(process.execArgv) : undefined
  if (missing !== undefined) return new CosignerError("E-CLI-003", { missing })
  const name = disarmingVariable(process.env)
  return name === undefined ? undefined : new CosignerError("E-CLI-012", { name })
}

// An error that nobody caught is a bug of ours and ends the process, because the state is unknown.
const stop = (error: unknown) => process.exit(failed(error, false, world))
process.on("uncaughtException", stop)
process.on("unhandledRejection", stop)

// Everything that a command writes, or holds in memory, is for its owner alone; only `start` reports what could not be done.
process.umask(0o077)
harden()
const refused = refusal()
process.exit(refused === undefined ? await run(process.argv.slice(2), world) : failed(refused, false, world))
