/** time_windows: the current time must be in one of the windows, on the wall clock of the window's own zone. */
import type { StaticDecode } from "@sinclair/typebox"
import { itemsOf } from "../../settings/schema.ts"
import { lintList } from "../listLint.ts"
import { SECTIONS } from "../request.ts"
import { allow, defineRule, deny, type Linting } from "../rule.ts"
import { openWindow, timeWindow, windowProblems, windowWithin } from "../timeWindow.ts"
import { DAYS, formatClock, wallClock } from "../zone.ts"

export const timeWindows = defineRule({
  key: "time_windows",
  sections: SECTIONS,
  code: "E-RSK-012",
  doc: "Times of the week at which tasks are allowed. Write a night as two windows.",
  schema: itemsOf(
    timeWindow,
    [{ zone: "Europe/Zurich", days: ["mon", "tue", "wed", "thu", "fri"], from: "08:00", to: "18:00" }],
    "Times of the week.",
  ),
  absent: "not asked",
  problems: (windows) => windows.flatMap((window, i) => windowProblems(window, [i])),
  check: (windows, _, { nowMs }) => {
    const [first] = windows
    if (first === undefined) return [deny("no window is ever open")]
    const { day, minute } = wallClock(first.zone, nowMs)
    const now = `${day} ${formatClock(minute)} in ${first.zone}`
    const open = windows.some((window) => openWindow(window, (zone) => wallClock(zone, nowMs)))
    return [open ? allow(`a window is open (${now})`) : deny(`no window is open (${now})`)]
  },
  lint: lintWindows,
  allows: () => [{ zone: "UTC" }],
  refuses: (request, nowMs, draw) => {
    const { day } = wallClock("UTC", nowMs)
    const others = DAYS.filter((other) => other !== day)
    return { setting: [{ zone: "UTC", days: others.slice(draw(others.length + 1)) }].slice(draw(2)), request }
  },
})

function lintWindows(windows: readonly StaticDecode<typeof timeWindow>[], linting: Linting): void {
  lintList(windows, linting, true)
  const dead = windows.filter(({ days }) => days?.length === 0)
  for (const [i, window] of windows.entries()) {
    if (dead.includes(window)) linting.report("warning", "unreachable: it has no days", `[${i}]`)
    const outer = windows.findIndex((other, j) => i !== j && windowWithin(window, other))
    if (outer >= 0) linting.report("warning", `unreachable: window ${outer} covers it`, `[${i}]`)
  }
  if (windows.length > 0 && dead.length === windows.length)
    linting.report("error", "contradiction: no window is ever open")
}
