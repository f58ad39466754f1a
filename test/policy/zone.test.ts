import { expect, test } from "bun:test"
import { evaluate } from "../../src/policy/evaluate.ts"
import { wallClock } from "../../src/policy/zone.ts"
import { noUsage, rulesOf, signRequest } from "./samples.ts"

test.each([
  // Zurich: the hour from 2 to 3 does not exist on 2026-03-29, and comes twice on 2026-10-25.
  ["2026-03-29T00:59:59Z", "Europe/Zurich", "sun", 1 * 60 + 59],
  ["2026-03-29T01:00:00Z", "Europe/Zurich", "sun", 3 * 60],
  ["2026-10-25T00:30:00Z", "Europe/Zurich", "sun", 2 * 60 + 30],
  ["2026-10-25T01:30:00Z", "Europe/Zurich", "sun", 2 * 60 + 30],
  ["2026-11-22T23:30:00Z", "Asia/Kolkata", "mon", 5 * 60],
  ["2026-11-22T00:00:00Z", "UTC", "sun", 0],
  ["2026-11-22T10:15:00Z", "Pacific/Auckland", "sun", 23 * 60 + 15],
] as const)("%s in %s", (iso, zone, day, minute) => {
  expect(wallClock(zone, Date.parse(iso))).toEqual({ day, minute })
})

test("office hours follow daylight saving, and the edges are from <= t < to", () => {
  const window = { zone: "Europe/Zurich", days: ["mon"], from: "08:00", to: "18:00" }
  const rules = rulesOf({ enable: true, key_sign: { reject_all: false, time_windows: [window] } })
  const at = (iso: string) => evaluate(rules, signRequest(), noUsage, Date.parse(iso)).verdict
  // Winter is UTC+1, summer UTC+2.
  expect(at("2026-11-23T07:00:00Z").action).toBe("approve")
  expect(at("2026-11-23T06:59:59.999Z").code).toBe("E-RSK-012")
  expect(at("2026-11-23T17:00:00Z").code).toBe("E-RSK-012")
  expect(at("2026-07-06T06:00:00Z").action).toBe("approve")
  expect(at("2026-07-06T05:59:59Z").code).toBe("E-RSK-012")
  expect(at("2026-07-06T15:59:59Z").action).toBe("approve")
  expect(at("2026-07-07T10:00:00Z").code).toBe("E-RSK-012")
})
