/** How far this clock and WaaS's may be apart before nothing more is approved or begun: one rule for readiness and for tasks. */
import type { ClockOff } from "../tasks/ports.ts"
import type { Measured } from "./connection.ts"

/** Undefined within the limit, to which the error of measurement, half a round trip, is added; and before the first measurement. */
export function clockOff(measured: Measured | undefined, limitMs: number): ClockOff | undefined {
  if (measured === undefined) return undefined
  const isSane = Math.abs(measured.clockOffsetMs) <= limitMs + measured.rttMs / 2
  return isSane ? undefined : { offsetMs: Math.round(measured.clockOffsetMs), limitMs }
}
