/**
 * How far this node's clock may differ from WaaS's before the node approves and begins nothing more. Readiness and tasks use this
 * same rule.
 */
import type { ClockOff } from "../tasks/ports.ts"
import type { Measured } from "./connection.ts"

/**
 * The clock offset and the limit that it exceeds; undefined if it is within the limit, or if nothing has been measured yet. Half a
 * round trip, the error of the measurement, is added to the limit.
 */
export function clockOff(measured: Measured | undefined, limitMs: number): ClockOff | undefined {
  if (measured === undefined) return undefined
  const isSane = Math.abs(measured.clockOffsetMs) <= limitMs + measured.rttMs / 2
  return isSane ? undefined : { offsetMs: Math.round(measured.clockOffsetMs), limitMs }
}
