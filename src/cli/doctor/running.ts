/** The hardening that is in force in the running node of a database, read from the kernel's /proc. */
import { readFileSync, statSync } from "node:fs"
import { differences, runningOf, shownKeys } from "../../config/inForce.ts"
import type { Loaded } from "../../config/load.ts"
import { CosignerError } from "../../errors.ts"
import { type Finding, ok, skipped, warning } from "./finding.ts"

const CHECK = "node.hardening"

export function checkRunning(dbPath: string): readonly Finding[] {
  if (process.platform !== "linux") return [skipped(CHECK, "only Linux tells how a running process is hardened")]
  const pid = holderOf(`${dbPath}.lock`)
  if (pid === undefined) return [skipped(CHECK, "no node runs on this database")]
  try {
    const missing = missingOf(pid)
    if (missing.length === 0) return [ok(CHECK, `process ${pid}: no cores, no new privileges, undumpable`)]
    return [warning(CHECK, new CosignerError("E-OPS-115", { pid, missing }))]
  } catch {
    return [skipped(CHECK, `process ${pid} ended, or may not be looked at`)]
  }
}

/** The process that holds a lock file; undefined if none does, or if this system cannot report it. */
export function holderOf(lockPath: string): number | undefined {
  try {
    const { ino } = statSync(lockPath)
    for (const line of readFileSync("/proc/locks", "utf8").split("\n")) {
      const [, , , , pid, device] = line.trim().split(/\s+/)
      if (pid !== undefined && Number(pid) > 0 && device?.endsWith(`:${ino}`) === true) return Number(pid)
    }
  } catch {
    // There is no such file or table, so nothing is known.
  }
  return undefined
}

/** Whether the running node has in force what the file says. Keys that its flags set are meant to differ. */
export function checkInForce({ config, tree }: Loaded): Finding {
  const check = "node.configuration"
  const running = runningOf(config.db.path, holderOf(`${config.db.path}.lock`))
  if (running === undefined) return skipped(check, "no node runs on this database, or it keeps no record")
  const keys = differences(running, shownKeys(tree)).flatMap(({ key, flag }) => (flag === undefined ? [key] : []))
  if (keys.length === 0) return ok(check, `process ${running.pid} has in force what the file says`)
  return warning(check, new CosignerError("E-CFG-012", { keys }))
}

function missingOf(pid: number): readonly string[] {
  const status = readFileSync(`/proc/${pid}/status`, "utf8")
  const limits = readFileSync(`/proc/${pid}/limits`, "utf8")
  const uid = Number(/^Uid:\s+(\d+)/m.exec(status)?.[1])
  return [
    ...(/^Max core file size\s+0\s+0\s/m.test(limits) ? [] : ["core dumps are on"]),
    ...(/^NoNewPrivs:\s+1$/m.test(status) ? [] : ["it may gain privileges"]),
    // In /proc an undumpable process belongs to root; for root's own processes this shows nothing.
    ...(uid === 0 || statSync(`/proc/${pid}/mem`).uid === 0 ? [] : ["its user may read its memory"]),
    ...(/^Umask:\s+0077$/m.test(status) ? [] : ["its files may be read by others"]),
  ]
}
