/** One window of the week on the wall clock of its zone: from <= t < to, both on one day. */
import { type StaticDecode, type StaticEncode, Type } from "@sinclair/typebox"
import { entryOf, itemsOf, requiredOneOf } from "../settings/schema.ts"
import type { SettingProblem } from "./rule.ts"
import { clock, zone } from "./words.ts"
import { DAYS, parseClock, type WallClock } from "./zone.ts"

const WEEKDAYS = ["mon", "tue", "wed", "thu", "fri"] as const

export const timeWindow = entryOf("One window.", {
  zone: zone("Whose wall clock; daylight saving follows it."),
  days: Type.Optional(
    itemsOf(requiredOneOf(DAYS, "mon", "A day."), WEEKDAYS, "Days of the week; left out, all of them."),
  ),
  from: Type.Optional(clock("08:00", "The first minute; left out, 00:00.")),
  to: Type.Optional(clock("18:00", "The first minute after, later than `from`; left out, 24:00.")),
})

/** `from` and `to` are minutes since midnight. */
export type TimeWindow = StaticDecode<typeof timeWindow>

const fromOf = ({ from }: TimeWindow): number => from ?? 0
const toOf = ({ to }: TimeWindow): number => to ?? 1440
const daysOf = ({ days }: TimeWindow): readonly string[] => days ?? DAYS

/** `clockOf` reads the wall clock of a zone, and throws for a time that no clock shows. */
export function openWindow(window: TimeWindow, clockOf: (zone: string) => WallClock): boolean {
  const { day, minute } = clockOf(window.zone)
  return daysOf(window).includes(day) && minute >= fromOf(window) && minute < toOf(window)
}

export function windowProblems(
  { from = "00:00", to = "24:00" }: StaticEncode<typeof timeWindow>,
  at: SettingProblem["at"],
): readonly SettingProblem[] {
  if ((parseClock(from) ?? 0) < (parseClock(to) ?? 0)) return []
  return [{ at: [...at, "to"], expected: "a time after `from`; a night is two windows", got: `${to} after ${from}` }]
}

/** Whether `outer` is open whenever `inner` is, and `inner` is ever open. */
export const windowWithin = (inner: TimeWindow, outer: TimeWindow): boolean =>
  outer.zone === inner.zone &&
  daysOf(inner).length > 0 &&
  daysOf(inner).every((day) => daysOf(outer).includes(day)) &&
  fromOf(outer) <= fromOf(inner) &&
  toOf(inner) <= toOf(outer)
