/** What the keeper writes beside tasks: rules, jumps of the clock, and one leaf a minute for whatever number of refusals. */
import { expect, test } from "bun:test"
import { readLeaves } from "../../src/jobs/auditExport.ts"
import { createAuditKeeper } from "../../src/jobs/auditKeeper.ts"
import { RULES_OFF } from "../../src/policy/schema.ts"
import { Folder } from "../store/fixtures.ts"
import { logTo } from "../support/logTo.ts"

test("rules, clock, refusals, stop: each a leaf, whatever the number of refusals", () => {
  using folder = new Folder()
  using store = folder.create()
  let [wall, at] = [1_000_000, 0]
  const said: string[] = []
  const log = logTo((_level, message) => said.push(message))
  const keeper = createAuditKeeper({ store, log, now: () => wall, clock: () => at })
  const pass = (ms: number, jump = 0): void => {
    at += ms
    wall += ms + jump
    keeper.tick()
  }
  const leaves = () => [...readLeaves(store.audit)]

  store.nextBoot({ nowMs: wall, facts: keeper.started(RULES_OFF) })
  pass(1000)
  expect(leaves().map(({ kind }) => kind)).toEqual(["start"])
  pass(1000, 5000)
  pass(1000, -9000)
  expect(leaves().slice(1)).toMatchObject([
    { kind: "clock", facts: { by_ms: 5000, before_ms: 1_001_000 } },
    { kind: "clock", facts: { by_ms: -9000 } },
  ])

  for (let n = 0; n < 500; n++) keeper.unrecorded(n % 5 === 0 ? "E-TSK-017" : "E-TSK-033", "ab".repeat(32))
  pass(50_000)
  expect(leaves()).toHaveLength(3)
  pass(20_000)
  expect(leaves().at(-1)).toMatchObject({
    kind: "refusals",
    facts: { count: 500, codes: { "E-TSK-017": 100, "E-TSK-033": 400 }, hash: expect.stringMatching(/^[0-9a-f]{64}$/) },
  })
  pass(70_000)
  expect(leaves()).toHaveLength(4)

  const { rules } = store.audit
  keeper.reloaded({ ...RULES_OFF, enable: true }, ["callback"])
  expect(leaves().at(-1)).toMatchObject({
    kind: "config",
    facts: { before: rules, enabled: true, waiting: ["callback"] },
  })
  expect(store.audit.rules).not.toBe(rules)

  keeper.unrecorded("E-TSK-033", "00")
  keeper.stopped()
  expect(
    leaves()
      .map(({ kind }) => kind)
      .slice(-2),
  ).toEqual(["refusals", "stop"])
  expect(said).toEqual([])
})

test("a log that cannot be written is said, and what was counted is told later", () => {
  using folder = new Folder()
  using store = folder.create()
  const said: string[] = []
  let at = 0
  let fails = true
  const audit = new Proxy(store.audit, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name)
      if (typeof value !== "function") return value
      return (...given: unknown[]) => {
        if (name === "record" && fails) throw new Error("no space")
        return Reflect.apply(value, target, given)
      }
    },
  })
  const log = logTo((level) => said.push(level))
  const keeper = createAuditKeeper({ store: { audit }, log, now: () => at, clock: () => at })
  keeper.unrecorded("E-TSK-033", "00")
  at = 70_000
  keeper.tick()
  expect([said, store.audit.size]).toEqual([["error"], 0])
  fails = false
  at = 71_000
  keeper.tick()
  expect([...readLeaves(store.audit)]).toMatchObject([{ kind: "refusals", facts: { count: 1 } }])
})
