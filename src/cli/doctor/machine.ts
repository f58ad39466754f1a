/** The program, its environment, and the machine, as a node would find them here. */
import { readFileSync } from "node:fs"
import { release } from "node:os"
import { build } from "../../build.ts"
import { CosignerError } from "../../errors.ts"
import { type Environment, openDoors } from "../../hardening/environment.ts"
import { harden, isEssential, lockMemory, sealCode, tracing } from "../../hardening/process.ts"
import { missingLockdown } from "../../lockdown.ts"
import { type Finding, failure, ok, skipped, warning } from "./finding.ts"

export function checkProgram(env: Environment): readonly Finding[] {
  const doors = openDoors(env)
  return [
    ok("program.version", `${build.version}, commit ${build.commit}, built ${build.time}`),
    checkLockdown(),
    checkInterpreter(),
    doors === undefined
      ? ok("program.environment", "no variable brings foreign code in")
      : failure("program.environment", doors),
  ]
}

function checkLockdown(): Finding {
  if (build.mode === "source") return warning("program.lockdown", new CosignerError("E-OPS-101", {}))
  const missing = missingLockdown(process.execArgv)
  if (missing !== undefined) return failure("program.lockdown", new CosignerError("E-CLI-003", { missing }))
  return ok("program.lockdown", "no file, variable or string becomes code")
}

/** Checks by trying: if the interpreter can be reached, the runtime answers with its own version. */
function checkInterpreter(): Finding {
  if (build.mode === "source") return skipped("program.interpreter", "this is the interpreter")
  const { stdout } = Bun.spawnSync([process.execPath, "version"], {
    env: { BUN_BE_BUN: "1" },
    stdin: "ignore",
    stderr: "ignore",
    timeout: 5000,
  })
  const [first] = stdout.toString().split("\n")
  if (first === build.version) return ok("program.interpreter", "BUN_BE_BUN does not turn it into an interpreter")
  return warning("program.interpreter", new CosignerError("E-OPS-102", {}))
}

export function checkMachine(): readonly Finding[] {
  const uid = process.getuid?.()
  return [
    ok("machine.kernel", `${process.platform} ${release()} on ${process.arch}`),
    uid === 0
      ? warning("machine.user", new CosignerError("E-OPS-103", {}))
      : ok("machine.user", uid === undefined ? "this system has no user ids" : `uid ${uid}`),
    ...checkHardening(),
    checkTracing(uid),
  ]
}

function checkTracing(uid: number | undefined): Finding {
  if (process.platform !== "linux") return skipped("machine.tracing", "this system has no ptrace_scope")
  if (uid === 0) return skipped("machine.tracing", "root reads every memory")
  const traced = tracing()
  if (traced !== undefined) return warning("machine.tracing", traced)
  return ok("machine.tracing", "processes of one user do not open one another's memory")
}

/** Takes every measure in this process: a measure that works here also works for a node that is started in the same way. */
function checkHardening(): readonly Finding[] {
  const found = [...harden(), ...[lockMemory(), sealCode()].filter((error) => error !== undefined)]
  if (found.length === 0) return [ok("machine.hardening", "every measure can be taken here")]
  const swapless = process.platform === "linux" && !hasSwap()
  return found.map((error) => {
    if (error.code === "E-OPS-004" && swapless) {
      return ok("machine.hardening", "memory cannot be locked, and need not be: there is no swap")
    }
    return isEssential(error) ? failure("machine.hardening", error) : warning("machine.hardening", error)
  })
}

/** /proc/swaps has a heading and a line for each swap. If it cannot be read, the answer is unknown, and then memory locking matters. */
function hasSwap(): boolean {
  try {
    return readFileSync("/proc/swaps", "utf8").trim().split("\n").length > 1
  } catch {
    return true
  }
}
