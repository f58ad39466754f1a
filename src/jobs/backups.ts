/**
 * [backup]: backups on a schedule, beside the node's work. The file is written here in small slices, from a copy of the
 * database. A separate process proves it, which needs nothing but the file and its password.
 */
import { rmSync } from "node:fs"
import { basename, join } from "node:path"
import { codeField, errorText } from "../errors.ts"
import type { Log } from "../log.ts"
import type { Secret } from "../secret.ts"
import type { Store } from "../store/store.ts"
import { backUpApart } from "./apart.ts"
import { NODE_BACKUPS } from "./backupNames.ts"
import { nameProven, type Written, writeBackup } from "./backupWork.ts"
import { scratchBeside, unprovenOf } from "./scratch.ts"

export interface BackupJob {
  readonly store: Pick<Store, "snapshot" | "audit">
  readonly directory: string
  /** How many proven backups are kept. */
  readonly keep: number
  readonly passwordFile: string
  readonly readPassword: (file: string) => Secret
  /** Rejects if the backup is not proven. */
  readonly prove: (path: string, passwordFile: string) => Promise<void>
  readonly now: () => number
  readonly log: Log
}

/** Makes one backup: writes, proves and names it, then removes the oldest beyond `keep`. False, with a log line, if it failed. */
export async function backUp(job: BackupJob): Promise<boolean> {
  const nowMs = job.now()
  const path = join(job.directory, NODE_BACKUPS.at(nowMs))
  const unproven = unprovenOf(path)
  try {
    const { bytes, manifest } = await written(job, path, unproven, nowMs)
    await job.prove(unproven, job.passwordFile)
    nameProven(path)
    const facts = { file: basename(path), bytes, groups: manifest.groups.size }
    job.store.audit.record(job.now(), { kind: "backup", facts })
    const pruned = NODE_BACKUPS.prune(job.directory, job.keep)
    job.log.info("a backup was made and proven", { file: path, bytes, groups: manifest.groups.size, pruned })
    return true
  } catch (error) {
    rmSync(unproven, { force: true })
    job.log.error("a scheduled backup failed", {
      ...codeField(error),
      why: errorText(error),
    })
    return false
  }
}

async function written(job: BackupJob, path: string, unproven: string, nowMs: number): Promise<Written> {
  using password = job.readPassword(job.passwordFile)
  using scratch = scratchBeside(path, nowMs)
  using snapshot = job.store.snapshot(join(scratch.path, "snapshot.db"))
  // Gives other work a turn of the event loop, because signatures come first.
  const pause = (): Promise<void> => new Promise((resume) => setImmediate(resume))
  return await writeBackup(unproven, snapshot, { password, chosen: undefined, nowMs, pause })
}

/** Proves a backup by `cosigner backup verify`, in a process of its own. Rejects with E-BAK-018. */
export const proveApart = (path: string, passwordFile: string): Promise<void> =>
  backUpApart(["backup", "verify", path, "--password-file", passwordFile], path)
