/** time_windows: now lies in one of the windows, on the wall clock of the window's own zone. */

import type { Section } from "../request.ts"
import { allow, type Check, deny } from "../rule.ts"
import type { TimeWindow } from "../schema.ts"
import { formatClock, wallClock } from "../zone.ts"

export const timeWindows = (section: Section, windows: readonly TimeWindow[]): Check => ({
  rule: `${section}.time_windows`,
  code: "E-RSK-012",
  ask: ({ nowMs }) => {
    const open = windows.some((window) => {
      const { day, minute } = wallClock(window.zone, nowMs)
      return window.days.includes(day) && minute >= window.fromMinute && minute < window.toMinute
    })
    const first = windows[0]
    if (first === undefined) return deny("no window is ever open")
    const { day, minute } = wallClock(first.zone, nowMs)
    const now = `${day} ${formatClock(minute)} in ${first.zone}`
    return open ? allow(`a window is open (${now})`) : deny(`no window is open (${now})`)
  },
})
