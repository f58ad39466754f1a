/** How a failure of this node is told: where it happened, and never what a library had to say about it. */
import { CosignerError, describe } from "../errors.ts"
import type { Ending } from "./session.ts"

/** This node failed. Of a stranger's error only the place is told: its message may quote a secret. */
export const crash = (error: unknown, round: number): Extract<Ending, { readonly kind: "crashed" }> => ({
  kind: "crashed",
  reason: round === 0 ? placeOf(error) : `in round ${round}: ${placeOf(error)}`,
})

/** `E-STO-003 what happened; what next`, or `TypeError at run.ts:123:4`. */
export function placeOf(error: unknown): string {
  if (error instanceof CosignerError) return describe(error)
  if (!(error instanceof Error)) return "something that is no Error was thrown"
  const frame = /([^/\\\s(]+:\d+:\d+)\)?$/m.exec(error.stack ?? "")
  return frame?.[1] === undefined ? error.name : `${error.name} at ${frame[1]}`
}
