import { expect, test } from "bun:test"
import { Blame } from "../../../src/mpc/blame.ts"
import { type CheckResult, guarded } from "../../../src/mpc/dkls/check.ts"
import { NO_VIEW } from "../../../src/mpc/view.ts"
import { partyNo } from "../network.ts"

const peer = partyNo(3)
const resume = { broadcasts: new Map(), directs: new Map(), view: NO_VIEW, originals: new Map() }

/** What the check says to the world: its records, then a value or what it threw. */
function outcomeOf<T>(check: () => CheckResult<T>) {
  const records: unknown[] = []
  const protocol = guarded(peer, "some check", check)
  try {
    let next = protocol.next(resume)
    while (!next.done) {
      records.push(next.value)
      next = protocol.next(resume)
    }
    return { records, value: next.value, error: undefined }
  } catch (error) {
    return { records, value: undefined, error }
  }
}
const checking = { kind: "record", record: { kind: "checking", peer } }
const checked = { kind: "record", record: { kind: "checked", peer } }

test("a check that passes is on record before and after", () => {
  const outcome = outcomeOf(() => ({ passed: true, value: 42 }))
  expect(outcome).toEqual({ records: [checking, checked], value: 42, error: undefined })
})

test("nothing is evaluated before the beginning is on record", () => {
  let ran = false
  const protocol = guarded(peer, "some check", () => {
    ran = true
    return { passed: true, value: 0 }
  })
  protocol.next(resume)
  expect(ran).toBe(false)
})

test("a check that fails is a BAN, and stays open on record", () => {
  const { records, error } = outcomeOf(() => ({ passed: false, value: 0 }))
  expect(records).toEqual([checking])
  expect(error).toBeInstanceOf(Blame)
  expect(error).toMatchObject({ kind: "BAN", parties: [peer], reason: "some check" })
})

test("regression 25: whatever is thrown inside a check is a BAN: errors, RangeErrors, blame of another class", () => {
  for (const thrown of [
    new Error("x"),
    new RangeError("bad length"),
    new Blame("SESSION", [], "x"),
    "text",
    undefined,
  ]) {
    const { error } = outcomeOf(() => {
      throw thrown
    })
    expect(error).toMatchObject({ kind: "BAN", parties: [peer] })
  }
})

test("regression 25: our own lack of memory is no ban: the check stays open and unproven", () => {
  const lack = new RangeError("Out of memory")
  const { records, error } = outcomeOf(() => {
    throw lack
  })
  expect(error).toBe(lack)
  expect(records).toEqual([checking])
})
