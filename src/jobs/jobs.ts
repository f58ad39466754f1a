/**
 * The node's own work besides its tasks: backups and check-ups, each of which is off without an interval in the
 * configuration, and deleting old tasks.
 */
import type { Config } from "../config/config.ts"
import { readKeyFile } from "../config/keyFile.ts"
import { codeField, errorText } from "../errors.ts"
import type { Log } from "../log.ts"
import type { Store } from "../store/store.ts"
import type { ShareSigner } from "../tasks/keyshareSign.ts"
import { NODE_BACKUPS } from "./backupNames.ts"
import { backUp, proveApart } from "./backups.ts"
import { checkUp } from "./checkups.ts"
import { forget, forgetLeaves } from "./journal.ts"
import { type Repeated, repeat } from "./schedule.ts"

interface JobsParts {
  readonly config: Pick<Config, "audit" | "backup" | "checkup">
  readonly store: Store
  readonly signer: ShareSigner
  readonly log: Log
  /** A check-up saw every share sign. */
  readonly proven: (atMs: number) => void
}

/** Begins the configured jobs; resolves when `signal` has fired and none of them runs any more. */
export async function startJobs({ config, store, signer, log, proven }: JobsParts, signal: AbortSignal): Promise<void> {
  const now = Date.now
  const { interval, directory, keep, password_file: passwordFile } = config.backup
  const forgetting = { tasks: store.tasks, outbox: store.outbox, now, log }
  const failed = (error: unknown): void =>
    log.error("a scheduled job failed", { ...codeField(error), why: errorText(error) })
  const regularly = (everyMs: number, lastMs: Repeated["lastMs"], action: Repeated["action"]): Promise<void> =>
    repeat({ everyMs, lastMs, action, failed, now }, signal)
  const jobs = [
    regularly(
      86_400_000,
      () => undefined,
      (stop) => forget(forgetting, stop),
    ),
  ]
  const { keep_days: keepDays } = config.audit
  if (keepDays !== undefined) {
    const job = { audit: store.audit, keepMs: keepDays * 86_400_000, now, log }
    jobs.push(
      regularly(
        86_400_000,
        () => undefined,
        (stop) => forgetLeaves(job, stop),
      ),
    )
  }
  if (interval !== undefined && passwordFile !== undefined) {
    const readPassword = (file: string) => readKeyFile(file)
    const job = { store, directory, keep, passwordFile, readPassword, prove: proveApart, now, log }
    jobs.push(
      regularly(
        interval,
        () => NODE_BACKUPS.newestMs(directory),
        () => backUp(job),
      ),
    )
  }
  const every = config.checkup.interval
  if (every !== undefined) {
    const job = { store, signer, now, log, proven }
    jobs.push(
      regularly(
        every,
        () => lastCheckedMs(store),
        (stop) => checkUp(job, stop),
      ),
    )
  }
  await Promise.all(jobs)
}

/** The oldest of the last check-ups of all active epochs; undefined while one of them never had any. */
function lastCheckedMs(store: Store): number | undefined {
  const active = store.groups.list().filter(({ status }) => status === "ACTIVE")
  const times = active.map(({ groupId, epochId }) => store.checkup(groupId, epochId)?.atMs)
  return times.length === 0 || times.includes(undefined) ? undefined : Math.min(...times.map((ms) => ms ?? 0))
}
