/** [checkup]: on a schedule, opens every active share, compares it with its public share, and signs with it. */
import type { Bytes } from "../bytes.ts"
import { errorText } from "../errors.ts"
import type { Log } from "../log.ts"
import type { Store } from "../store/store.ts"
import { type ShareSigner, selfCheck } from "../tasks/keyshareSign.ts"

interface CheckupJob {
  readonly store: Pick<Store, "groups" | "recordCheckups">
  readonly signer: ShareSigner
  readonly now: () => number
  readonly log: Log
  /** Called once all shares have signed. */
  readonly proven: (atMs: number) => void
}

interface CheckupResult {
  readonly groupId: string
  readonly epochId: Bytes
  readonly atMs: number
  readonly problem: string
}

/** Checks all active shares, with a pause after each; false if one of them failed, or nothing could be recorded. */
export async function checkUp({ store, signer, now, log, proven }: CheckupJob, signal: AbortSignal): Promise<boolean> {
  const active = store.groups.list().filter(({ status }) => status === "ACTIVE")
  const results: CheckupResult[] = []
  for (const group of active) {
    if (signal.aborted) return false
    const { groupId, epochId } = group
    const problem = problemOf(() => selfCheck(group, signer))
    if (problem !== "") log.error("the check-up of a key share failed", { group: groupId, why: problem })
    results.push({ groupId, epochId, atMs: now(), problem })
    await new Promise((resume) => setImmediate(resume))
  }
  const unrecorded = problemOf(() => store.recordCheckups(results))
  if (unrecorded !== "") log.error("the check-up of the key shares could not be recorded", { why: unrecorded })
  const passed = unrecorded === "" && results.every(({ problem }) => problem === "")
  if (passed && results.length > 0) proven(now())
  log.info("check-up of the key shares", { passed, groups: results.length })
  return passed
}

function problemOf(action: () => void): string {
  try {
    action()
    return ""
  } catch (error) {
    return errorText(error)
  }
}
