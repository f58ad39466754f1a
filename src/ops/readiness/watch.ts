/**
 * Readiness: every item is checked again and again, and the node is ready while all are ok. An item that stays
 * failed reaches the log once, with its code and the next step, and once more when it is over. The probe of an item checks it.
 */
import { type CosignerError, describe } from "../../errors.ts"
import type { Log } from "../../log.ts"

export type ProbeFinding =
  /** A notice is shown with its code and next step, and causes no alarm. */
  | { readonly state: "ok"; readonly reason: string; readonly notice?: CosignerError }
  /** Not known yet: not ready, but no alarm. */
  | { readonly state: "waiting"; readonly reason: string }
  | { readonly state: "failed"; readonly error: CosignerError }

export interface Probe {
  readonly name: string
  /** Cheap, synchronous; an exception is a bug that the daemon reports. */
  readonly look: () => ProbeFinding
  /** How long, in ms, it must have failed before it reaches the log: other code reports short interruptions. */
  readonly holdMs: number
}

export interface ReadinessItem {
  readonly name: string
  readonly state: ProbeFinding["state"]
  readonly reason: string
  /** Empty unless failed, or ok with a notice. */
  readonly code: string
  readonly next: string
  /** Since when it has been in this state, ms since 1970. */
  readonly sinceMs: number
  readonly checkedMs: number
}

interface Watch {
  /** Looks at everything now. */
  look(): readonly ReadinessItem[]
}

interface WatchParts {
  readonly probes: readonly Probe[]
  readonly now: () => number
  readonly log: Log
  /** Called once for every alarm. */
  readonly onAlarm: (item: string) => void
}

interface KeptItem {
  readonly item: ReadinessItem
  readonly isAlarmed: boolean
}

export function createWatch({ probes, now, log, onAlarm }: WatchParts): Watch {
  const kept = new Map<string, KeptItem>()

  function lookAt({ name, look, holdMs }: Probe): ReadinessItem {
    const before = kept.get(name)
    const nowMs = now()
    const found = look()
    const told = found.state === "failed" ? found.error : found.state === "ok" ? found.notice : undefined
    const item: ReadinessItem = {
      name,
      state: found.state,
      reason: found.state === "failed" ? found.error.message : found.reason,
      code: told?.code ?? "",
      next: told?.next ?? "",
      sinceMs: before?.item.state === found.state ? before.item.sinceMs : nowMs,
      checkedMs: nowMs,
    }
    let isAlarmed = before?.isAlarmed ?? false
    if (found.state === "failed" && !isAlarmed && nowMs - item.sinceMs >= holdMs) {
      isAlarmed = true
      log.error(describe(found.error), { item: name, code: found.error.code })
      onAlarm(name)
    }
    if (found.state === "ok" && isAlarmed) {
      isAlarmed = false
      log.info("recovered", { item: name, now: found.reason })
    }
    kept.set(name, { item, isAlarmed })
    return item
  }

  return { look: () => probes.map(lookAt) }
}

export const isReady = (items: readonly Pick<ReadinessItem, "state">[]): boolean =>
  items.length > 0 && items.every(({ state }) => state === "ok")
