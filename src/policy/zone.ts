/**
 * The wall clock of a named zone at a given moment. The moment is an argument. The tables of the zones are the runtime's
 * (Intl), and so is daylight saving: an hour that does not exist is never reached, and one that occurs twice counts twice.
 */

export const DAYS = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"] as const
type Day = (typeof DAYS)[number]

export interface WallClock {
  readonly day: Day
  /** Since midnight. */
  readonly minute: number
}

// Making a formatter costs a hundred times its use. The keys are only checked zone names, so the map stays small.
const formatters = new Map<string, Intl.DateTimeFormat>()

const NAME = /^(?:UTC|[A-Z][A-Za-z]+(?:\/[A-Z][A-Za-z0-9_+-]*)+)$/

/** Accepts names of places and UTC, but no offsets and no abbreviations, because these know no daylight saving. */
export function isZone(zone: string): boolean {
  if (!NAME.test(zone)) return false
  try {
    formatterOf(zone)
    return true
  } catch {
    return false
  }
}

/** Throws for a zone that isZone refuses. */
export function wallClock(zone: string, ms: number): WallClock {
  const parts = new Map(
    formatterOf(zone)
      .formatToParts(ms)
      .map((part) => [part.type, part.value]),
  )
  const day = DAYS.find((name) => name === parts.get("weekday")?.toLowerCase())
  const minute = Number(parts.get("hour")) * 60 + Number(parts.get("minute"))
  if (day === undefined || !Number.isInteger(minute)) throw new RangeError(`no wall clock for ${zone}`)
  return { day, minute }
}

function formatterOf(zone: string): Intl.DateTimeFormat {
  const known = formatters.get(zone)
  if (known !== undefined) return known
  const made = new Intl.DateTimeFormat("en-US", {
    timeZone: zone,
    calendar: "gregory",
    numberingSystem: "latn",
    weekday: "short",
    hour: "2-digit",
    minute: "2-digit",
    hourCycle: "h23",
  })
  formatters.set(zone, made)
  return made
}

const CLOCK = /^([01][0-9]|2[0-3]):([0-5][0-9])$/

/** `08:30` to minutes since midnight; `24:00` is the end of the day. */
export function parseClock(text: string): number | undefined {
  if (text === "24:00") return 1440
  const found = CLOCK.exec(text)
  return found === null ? undefined : Number(found[1]) * 60 + Number(found[2])
}

export const formatClock = (minute: number): string =>
  `${String(Math.floor(minute / 60)).padStart(2, "0")}:${String(minute % 60).padStart(2, "0")}`
