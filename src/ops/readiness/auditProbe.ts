/** Readiness of the log for auditors: whether a peer contradicts it, and how old the part is that others have seen. */
import type { WitnessState } from "../../audit/witnessing.ts"
import { CosignerError } from "../../errors.ts"
import type { Probe } from "./watch.ts"

/** Peers are asked each minute; a peer that is away for a while causes no alarm. */
const UNSEEN_MS = 5 * 60_000

interface AuditProbeParts {
  readonly now: () => number
  readonly state: () => WitnessState
  readonly doubt: () => { readonly from: string } | undefined
}

export function auditProbe({ now, state, doubt }: AuditProbeParts): Probe {
  /** Since when there have been leaves that nobody else has seen. */
  let unseenSince: number | undefined
  return {
    name: "log",
    holdMs: 0,
    look() {
      const contradicted = doubt()
      if (contradicted !== undefined) {
        return { state: "failed", error: new CosignerError("E-AUD-008", { from: contradicted.from }) }
      }
      const { unseen, cosignedMs, by, peers, problem } = state()
      unseenSince = unseen === 0 ? undefined : (unseenSince ?? now())
      const isOld = peers > 0 && now() - Math.max(unseenSince ?? now(), cosignedMs ?? 0) > UNSEEN_MS
      const notice = isOld ? new CosignerError("E-AUD-009", { sinceMs: cosignedMs, unseen }) : problem
      if (notice !== undefined) return { state: "ok", reason: notice.message, notice }
      if (peers === 0) return { state: "ok", reason: "no other node is a witness of it" }
      const age =
        cosignedMs === undefined ? "not yet cosigned" : `cosigned ${ago(now() - cosignedMs)} by ${by} of ${peers}`
      return { state: "ok", reason: unseen === 0 ? age : `${age}, ${unseen} leaves since` }
    },
  }
}

const ago = (ms: number): string => `${Math.max(0, Math.round(ms / 1000))} s ago`
