/**
 * Schema types for values that only rules have (settings/schema.ts): zones, times of day, windows, paths. A value that is written
 * as a text is decoded to what rules compare, and encoded back for the samples of rules.
 */
import { Type } from "@sinclair/typebox"
import { formatPath, parsePath } from "../keys/path.ts"
import { textThat } from "../settings/schema.ts"
import { formatWindow, MAX_WINDOW_MS, MIN_WINDOW_MS, parseWindow } from "./duration.ts"
import { type PathPattern, parsePathPattern } from "./pathPattern.ts"
import { formatClock, isZone, parseClock } from "./zone.ts"

export const zone = (description: string) =>
  textThat(
    isZone,
    {
      name: "zone",
      expected: "a zone of the IANA database, such as Europe/Zurich or UTC",
      example: "Europe/Zurich",
    },
    description,
  )

/** `08:30`; decoded to minutes since midnight. */
export const clock = (example: string, description: string) =>
  Type.Transform(
    textThat(
      (text) => parseClock(text) !== undefined,
      { name: "clock", expected: "a time from 00:00 to 24:00", example },
      description,
    ),
  )
    .Decode((text) => parseClock(text) ?? Number.NaN)
    .Encode(formatClock)

const isWindow = (text: string): boolean => {
  const ms = parseWindow(text)
  return ms !== undefined && ms >= MIN_WINDOW_MS && ms <= MAX_WINDOW_MS
}

/** `90m`; decoded to milliseconds. */
export const rollingWindow = (description: string) =>
  Type.Transform(
    textThat(
      isWindow,
      { name: "window", expected: "a duration from 1m to 31d, such as 90m, 1h or 7d", example: "24h" },
      description,
    ),
  )
    .Decode((text) => parseWindow(text) ?? Number.NaN)
    .Encode(formatWindow)

/** `m/44/60`; decoded to indices. */
export const path = (example: string, description: string) =>
  Type.Transform(textThat(isPath, { name: "path", expected: "a path such as m/44/60", example }, description))
    .Decode((text): readonly number[] => parsePath(text))
    .Encode(formatPath)

function isPath(text: string): boolean {
  try {
    parsePath(text)
    return true
  } catch {
    return false
  }
}

/** `m/44/60/0/0-99`; decoded to a pattern. */
export const pathPattern = (example: string, description: string) =>
  Type.Transform(
    textThat(
      (text) => parsePathPattern(text) !== undefined,
      {
        name: "path pattern",
        expected: "a path pattern such as m/44/60/0/0-99 or m/84/**",
        example,
      },
      description,
    ),
  )
    .Decode(patternOf)
    .Encode(({ text }) => text)

function patternOf(text: string): PathPattern {
  const found = parsePathPattern(text)
  if (found === undefined) throw new TypeError("a path pattern that was not checked")
  return found
}
