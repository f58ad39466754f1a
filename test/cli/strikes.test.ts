/** `strikes` and `strikes pardon` on a node's database: what an operator sees, exports, and decides. */
import { expect, test } from "bun:test"
import { fromHex, toHex, utf8 } from "../../src/bytes.ts"
import { sha256 } from "../../src/crypto/frame.ts"
import type { PartyId } from "../../src/keys/party.ts"
import { encodeHeader, type Header, identityOf, KIND, makeEnvelope } from "../../src/mpc/envelope.ts"
import { parseStatement, statementOf } from "../../src/mpc/statement.ts"
import type { Strike } from "../../src/tasks/ports.ts"
import { nodeIdOf } from "../../src/wire/nodeId.ts"
import { Home, partyNo } from "../support/nodeHome.ts"
import { cli, type Outcome } from "./world.ts"

const cheat = identityOf(sha256(utf8("cheat")))
const id = nodeIdOf(cheat.party)
const sid = sha256(utf8("sid"))

function statement(body: string): Uint8Array<ArrayBuffer> {
  const header: Header = {
    protocol: 2,
    round: 1,
    kind: KIND.broadcast,
    bodyLength: body.length,
    sid,
    sender: cheat.party,
    receiver: undefined,
    view: new Uint8Array(32),
  }
  return statementOf(makeEnvelope(cheat, encodeHeader(header), utf8(body))) ?? new Uint8Array(0)
}

const strikeOf = (n: number, peer: PartyId = cheat.party): Strike => ({
  peer,
  kind: "FAULT",
  reason: "bad proof",
  sid,
  taskId: `task-${n}`,
  atMs: 1_795_340_000_000 + n,
  evidence: [],
})

function struck(home: Home): void {
  using store = home.create(0)
  const evidence = [statement("one"), statement("two")]
  store.strikes.add([strikeOf(1), strikeOf(2), { ...strikeOf(3), kind: "EQUIV", reason: "two versions", evidence }])
}

const on = (home: Home, ...words: readonly string[]): Promise<Outcome> =>
  cli([...words, "--db", home.db, "--key-file", home.keyFile])
const lines = ({ stdout }: Outcome): readonly string[] => stdout.trimEnd().split("\n")

test("shows who is refused and why; a pardon lifts it and stays on record", async () => {
  using home = new Home()
  struck(home)
  const shown = await on(home, "strikes")
  expect({ exit: shown.exit, stderr: shown.stderr }).toEqual({ exit: 0, stderr: "" })
  const block = [
    `Node ID: ${id}`,
    "    Strikes: 3 since the last pardon, 3 ever",
    "    Refused: yes",
    expect.stringContaining(`FAULT: bad proof (task task-1, session ${toHex(sid).slice(0, 16)})`),
    expect.stringContaining("FAULT: bad proof (task task-2"),
    expect.stringContaining("EQUIV: two versions (task task-3"),
  ]
  expect(lines(shown)).toEqual([`Nodes with strikes: 1, from ${home.db}`, ...block])

  expect(lines(await on(home, "strikes", "pardon", id))).toEqual([`Pardoned: ${id}, 3 strikes`])
  const after = lines(await on(home, "strikes"))
  expect(after.slice(2, 4)).toEqual(["    Strikes: 0 since the last pardon, 3 ever", "    Refused: no"])
  expect(after.at(-1)).toEndWith("pardoned: 3 strikes")
  {
    using store = home.open()
    expect(store.strikes.refused()).toEqual([])
  }
  const again = await on(home, "strikes", "pardon", id, "--json")
  expect([again.exit, JSON.parse(again.stdout)]).toEqual([0, { node_id: id, lifted: 0 }])
})

test("--json carries the evidence of an equivocation, whole enough to verify elsewhere", async () => {
  using home = new Home()
  struck(home)
  const [record] = JSON.parse((await on(home, "strikes", "--json")).stdout)
  expect(record).toMatchObject({ node_id: id, strikes_since_pardon: 3, strikes_ever: 3, refused: true, pardons: [] })
  expect(record.strikes.map((parts: { proven: boolean }) => parts.proven)).toEqual([false, false, true])
  expect(record.strikes[0]).toEqual({
    kind: "FAULT",
    reason: "bad proof",
    task_id: "task-1",
    session: toHex(sid),
    at_ms: 1_795_340_000_001,
    proven: false,
    evidence: [],
  })
  const { evidence } = record.strikes[2]
  expect(evidence.map((parts: { body_sha256: string }) => parts.body_sha256)).toEqual(
    ["one", "two"].map((body) => toHex(sha256(utf8(body)))),
  )
  for (const { header, body_sha256, signature } of evidence) {
    const bytes = fromHex(header + body_sha256 + signature)
    expect(parseStatement(bytes ?? new Uint8Array(0))?.header.sender).toBe(cheat.party)
  }
})

test("evidence that proves nothing against that node is not called proven", async () => {
  using home = new Home()
  {
    using store = home.create(0)
    const evidence = [statement("one"), statement("two")]
    store.strikes.add([
      { ...strikeOf(1, partyNo(1)), evidence },
      { ...strikeOf(2, partyNo(1)), evidence: [statement("one"), statement("one")] },
    ])
  }
  const [record] = JSON.parse((await on(home, "strikes", "--json")).stdout)
  expect(record.strikes.map((parts: { proven: boolean }) => parts.proven)).toEqual([false, false])
})

test("nobody struck; a pardon of nobody, of no node id, and beside a running node", async () => {
  using home = new Home()
  {
    using store = home.create(0)
    expect((await on(home, "strikes", "--json")).stdout).toBe("[]\n")
    const locked = await on(home, "strikes", "pardon", id)
    expect([locked.exit, locked.stderr]).toEqual([3, expect.stringContaining("E-STO-003")])
    expect(store.strikes.list()).toEqual([])
  }
  const unknown = await on(home, "strikes", "pardon", id)
  expect([unknown.exit, unknown.stderr]).toEqual([1, expect.stringContaining("E-CLI-011")])
  const mistyped = await on(home, "strikes", "pardon", `${id}x`)
  expect([mistyped.exit, mistyped.stderr]).toEqual([1, expect.stringContaining("E-CLI-002")])
})
