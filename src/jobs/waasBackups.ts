/**
 * [waas.backup]: backups of a WaaS on a schedule. `cosigner waas backup create` makes each of them in a separate process, because it needs
 * memory and processor time that the serving process needs.
 */
import { join } from "node:path"
import { codeField, errorText } from "../errors.ts"
import type { Log } from "../log.ts"
import { backUpApart } from "./apart.ts"
import { WAAS_BACKUPS } from "./backupNames.ts"
import { repeat } from "./schedule.ts"

interface WaasBackupJob {
  readonly dir: string
  readonly config: string
  readonly directory: string
  readonly everyMs: number
  /** How many are kept. */
  readonly keep: number
  readonly passwordFile: string
  readonly log: Log
  readonly now: () => number
  /** Writes and proves one; rejects if this failed. */
  readonly make: (job: WaasBackupJob, path: string, signal: AbortSignal) => Promise<void>
}

/** Resolves once `signal` has fired and nothing runs any more. */
export const repeatWaasBackups = (job: WaasBackupJob, signal: AbortSignal): Promise<void> =>
  repeat(
    {
      everyMs: job.everyMs,
      lastMs: () => WAAS_BACKUPS.newestMs(job.directory),
      action: (stopping) => backUpOnce(job, stopping),
      failed: (error) => failed(job, error),
      now: job.now,
    },
    signal,
  )

async function backUpOnce(job: WaasBackupJob, stopping: AbortSignal): Promise<boolean> {
  const path = join(job.directory, WAAS_BACKUPS.at(job.now()))
  try {
    await job.make(job, path, stopping)
  } catch (error) {
    failed(job, error)
    return false
  }
  const pruned = WAAS_BACKUPS.prune(job.directory, job.keep)
  job.log.info("a backup of WaaS was made and proven", { file: path, pruned })
  return true
}

const failed = ({ log }: WaasBackupJob, error: unknown): void =>
  log.error("a scheduled backup of WaaS failed", { ...codeField(error), why: errorText(error) })

/** Makes one by `cosigner waas backup create`. The process ends when this one stops, and the next one removes what it had begun. */
export function makeApart(job: WaasBackupJob, path: string, signal: AbortSignal): Promise<void> {
  const where = ["--dir", job.dir, "--config", job.config, "--out", path, "--password-file", job.passwordFile]
  return backUpApart(["waas", "backup", "create", ...where], path, signal)
}
