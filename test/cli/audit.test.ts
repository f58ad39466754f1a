/** `audit key | export | verify | prove | report` on a node's database, and each of their refusals with the way out of it. */
import { expect, test } from "bun:test"
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { utf8 } from "../../src/bytes.ts"
import { APPROVE, claimOf, REJECT } from "../store/fixtures.ts"
import { Home } from "../support/nodeHome.ts"
import { cli, type Outcome } from "./world.ts"

const on = (home: Home, ...words: readonly string[]): Promise<Outcome> =>
  cli([...words, "--db", home.db, "--key-file", home.keyFile])
const json = ({ stdout }: Outcome) => JSON.parse(stdout)

const NOON = Date.UTC(2026, 11, 1, 12)

const WORDS = [
  { approver: "ann", decision: "request", nonce: "01", signed: utf8("ann's") },
  { approver: "bob", decision: "approve", nonce: "02", signed: utf8("bob's") },
] as const

/** A day of a node: it starts, signs one task of two, stops, and starts again. */
function lived(home: Home): void {
  using store = home.create(0)
  store.audit.ensureKey()
  store.nextBoot({ nowMs: NOON, facts: { version: "v1" } })
  const words = { rule: "intent", outcome: "allow", reason: `0x${"ab".repeat(32)} send 5 USDC to Ann` } as const
  const asked = { rule: "callback:https://a.test", outcome: "allow", reason: "approved" } as const
  for (const [id, verdict] of [
    ["task-1", { ...APPROVE, rules: [words, asked] }],
    ["task-2", REJECT],
  ] as const) {
    store.tasks.claim(claimOf(id))
    store.tasks.approve(
      id,
      NOON + 1000,
      () => ({ verdict, debits: [], words: id === "task-1" ? WORDS : [] }),
      () => [],
    )
  }
  const outcome = { type: "signatures", signatures: [] } as const
  store.tasks.finish("task-1", { state: "completed", outcome }, NOON + 2000, [])
  store.audit.record(NOON + 3000, { kind: "refusals", facts: { count: 7, codes: { "E-TSK-033": 7 }, hash: "00" } })
  store.audit.record(NOON + 4000, { kind: "stop", facts: {} })
  store.nextBoot({ nowMs: NOON + 3_600_000, facts: { version: "v1" } })
}

test("a log goes out, and is verified by whoever has its key", async () => {
  using home = new Home()
  lived(home)
  const { log, witness } = json(await on(home, "audit", "key", "--json"))
  const dir = home.file("out")
  const exported = await on(home, "audit", "export", dir)
  expect(exported).toMatchObject({ exit: 0, stderr: "" })
  expect(exported.stdout).toContain("9 leaves")
  expect(readFileSync(join(dir, "leaves.jsonl"), "utf8").trimEnd().split("\n")).toHaveLength(9)

  const verified = await cli(["audit", "verify", dir, "--key", log])
  expect(verified).toMatchObject({ exit: 0, stderr: "" })
  expect(json(await cli(["audit", "verify", dir, "--key", log, "--json"]))).toMatchObject({
    verified: true,
    size: 9,
    first_leaf: 0,
  })

  const earlier = ["--earlier", join(dir, "checkpoint")]
  expect((await cli(["audit", "verify", dir, "--key", log, ...earlier])).exit).toBe(0)
  writeFileSync(home.file("other"), readFileSync(join(dir, "checkpoint"), "utf8").replace("\n9\n", "\n8\n"))
  const forged = await cli(["audit", "verify", dir, "--key", log, "--earlier", home.file("other")])
  expect([forged.exit, forged.stderr]).toEqual([5, expect.stringContaining(`${home.file("other")} does not verify`)])

  // Not cosigned, by that witness at least; a witness's key is no log's; a damaged key is none.
  expect(await cli(["audit", "verify", dir, "--key", log, "--witness", witness])).toMatchObject({
    exit: 5,
    stderr: expect.stringContaining("E-AUD-005"),
  })
  for (const bad of [witness, log.slice(0, -1), "x"]) {
    expect((await cli(["audit", "verify", dir, "--key", bad])).stderr).toContain("E-AUD-004")
  }
  expect((await cli(["audit", "verify", dir])).exit).toBe(1)

  const path = join(dir, "tile", "entries", "000.p", "9")
  writeFileSync(path, readFileSync(path).fill(0, 9, 10))
  const altered = await cli(["audit", "verify", dir, "--key", log])
  expect([altered.exit, altered.stderr]).toEqual([5, expect.stringContaining(path)])
})

test("a part goes out, and says that it is one", async () => {
  using home = new Home()
  lived(home)
  {
    using store = home.open()
    store.audit.record(NOON, ...Array.from({ length: 300 }, () => ({ kind: "config", facts: {} }) as const))
    store.audit.record(NOON + 7_000_000, { kind: "config", facts: {} })
  }
  const { log } = json(await on(home, "audit", "key", "--json"))
  const exported = await on(home, "audit", "export", home.file("part"), "--since", "2026-12-01T13:30:00Z", "--json")
  expect(json(exported)).toMatchObject({ size: 310, leaves: 54 })
  expect((await cli(["audit", "verify", home.file("part"), "--key", log])).stderr).toContain("--partial")
  const verified = await cli(["audit", "verify", home.file("part"), "--key", log, "--partial"])
  expect([verified.exit, verified.stdout]).toEqual([0, expect.stringContaining("256 to 309")])
})

test("a proof of each leaf of a task stands alone", async () => {
  using home = new Home()
  lived(home)
  const { log } = json(await on(home, "audit", "key", "--json"))
  const made = await on(home, "audit", "prove", "task-1", "--dir", home.file("proofs"))
  expect(made.exit).toBe(0)
  expect(readdirSync(home.file("proofs")).sort()).toEqual([
    "task-1-1-approval.tlog-proof",
    "task-1-2-approval.tlog-proof",
    "task-1-3-decision.tlog-proof",
    "task-1-5-end.tlog-proof",
  ])
  const file = join(home.file("proofs"), "task-1-3-decision.tlog-proof")
  const verified = await cli(["audit", "verify", file, "--key", log, "--json"])
  expect(json(verified)).toMatchObject({
    leaf: { seq: 3, kind: "decision", facts: { task: "task-1", words: "send 5 USDC to Ann" } },
  })
  writeFileSync(file, readFileSync(file, "utf8").replace("index 3", "index 2"))
  expect(await cli(["audit", "verify", file, "--key", log])).toMatchObject({ exit: 5 })
  const none = await on(home, "audit", "prove", "task-9")
  expect([none.exit, none.stderr]).toEqual([1, expect.stringContaining("E-AUD-006")])
})

test("a report says who asked for what, who decided, what was refused, and where time is missing", async () => {
  using home = new Home()
  lived(home)
  const { stdout, exit } = await on(home, "audit", "report", "--from", "2026-12-01", "--to", "2026-12-02")
  expect(exit).toBe(0)
  for (const part of [
    "Leaves: 9; tasks: 2, completed 1, rejected 1",
    "KeySign task-1: approve, completed",
    "What: send 5 USDC to Ann",
    "People: ann: request; bob: approve",
    "By: callback:https://a.test: allow (approved)",
    "KeySign task-2: reject, rejected",
    "Why not: E-RSK-001 not allowed",
    "refused without a record: 7",
    "Gap: 2026-12-01T12:00:04.000Z to 2026-12-01T13:00:00.000Z, stopped",
  ]) {
    expect(stdout).toContain(part)
  }
  const { log } = json(await on(home, "audit", "key", "--json"))
  await on(home, "audit", "export", home.file("out"))
  const of = await cli(["audit", "report", "--export", home.file("out"), "--key", log, "--json"])
  expect(json(of)).toEqual(json(await on(home, "audit", "report", "--json")))
  expect(json(await on(home, "audit", "report", "--to", "2026-12-01", "--json"))).toMatchObject({
    leaves: 0,
    tasks: [],
  })
  expect((await on(home, "audit", "report", "--from", "yesterday")).exit).toBe(1)
})

test("what cannot be done says why, and what can be", async () => {
  using home = new Home()
  home.create(0)[Symbol.dispose]()
  expect(await on(home, "audit", "key")).toMatchObject({ exit: 5, stderr: expect.stringContaining("E-AUD-002") })
  started(home)
  mkdirSync(home.file("full"))
  writeFileSync(join(home.file("full"), "x"), "")
  expect(await on(home, "audit", "export", home.file("full"))).toMatchObject({
    exit: 5,
    stderr: expect.stringContaining("E-AUD-003"),
  })
  const { log } = json(await on(home, "audit", "key", "--json"))
  expect((await cli(["audit", "verify", home.file("nothing"), "--key", log])).stderr).toContain("E-AUD-007")
  writeFileSync(home.file("text"), "no proof")
  expect((await cli(["audit", "verify", home.file("text"), "--key", log])).stderr).toContain("E-AUD-005")
  expect(existsSync(home.file("nothing"))).toBe(false)
})

function started(home: Home): void {
  using store = home.open()
  store.audit.ensureKey()
}
