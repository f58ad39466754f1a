/** Readiness names the policy in force, what waits and since when it counts, and takes nothing from signing for it. */
import { expect, test } from "bun:test"
import { policyProbe } from "../../../src/ops/readiness/probes.ts"
import type { PolicyRecord } from "../../../src/store/policies.ts"
import { T0 } from "../../support/clock.ts"

const version = (n: number) => ({ version: n, digest: "ab".repeat(32), document: "", owners: ["ada", "bob"] })
const step = (n: number, fate: "vetoed" | "in force" | "waiting") => ({
  version: n,
  digest: "ab".repeat(32),
  fate,
  atMs: T0,
  by: ["ada"],
})

function look(record: PolicyRecord | undefined) {
  const found = policyProbe(() => record).look()
  if (found.state !== "ok") throw new Error(found.state)
  return found
}

test("without a bundle there is nothing to say", () => {
  expect(look(undefined)).toMatchObject({ state: "ok", reason: "no bundle is followed" })
})

test("a version that waits is a notice with its moment, and the node is ready", () => {
  const history = [step(1, "vetoed"), step(2, "in force"), step(3, "waiting")]
  const active = version(2)
  const calm = look({ active, waiting: undefined, hasLeft: false, highest: 3, history })
  expect(calm.notice).toBeUndefined()
  expect(calm.reason).toBe("version 2 of a bundle, signed by ada, bob; before: 1 vetoed, 3 waiting")
  const waiting = { ...version(3), sinceMs: T0, end: { atMs: T0 + 86_400_000, servedMs: 0 }, isRecovery: false }
  const told = look({ active, waiting, hasLeft: false, highest: 3, history })
  expect(told.notice?.code).toBe("E-POL-008")
  expect(told.reason).toContain(`version 3 of the policy waits until ${new Date(T0 + 86_400_000).toISOString()}`)
  expect(told.reason).toContain("before: 1 vetoed;")
})
