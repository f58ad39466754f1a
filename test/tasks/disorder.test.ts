/**
 * Everything that can happen to a task, in any order: frames again, early, late and for nothing, sessions that end in every
 * way, deadlines, bans. Whatever the order, a task ends once, nothing is left over, and nothing follows an ending but itself.
 */
import { expect, test } from "bun:test"
import { generateKeyPairSync } from "node:crypto"
import fc from "fast-check"
import { toHex, utf8 } from "../../src/bytes.ts"
import { K1 } from "../../src/crypto/curve.ts"
import { sha256 } from "../../src/crypto/frame.ts"
import { type GroupPublic, rootExtendedPublicKey } from "../../src/keys/group.ts"
import { ban, fault, sessionAbort } from "../../src/mpc/blame.ts"
import type { Ending } from "../../src/mpc/session.ts"
import { isFinal } from "../../src/tasks/ports.ts"
import { createTasks } from "../../src/tasks/runner.ts"
import { nodeIdOf } from "../../src/wire/nodeId.ts"
import { encodeCancel, encodeStart, signDocument, signerOf } from "../../src/wire/signed.ts"
import { encodeTask, type KeySignTask } from "../../src/wire/task.ts"
import { approved, envelopeFrom, party, rejected, type World, world } from "./fakes.ts"

const self = party(1)
const peer = party(2)
const waas = signerOf(generateKeyPairSync("ed25519").privateKey)

const group: GroupPublic = {
  groupId: "BbcdefghijklmnopqrsT",
  epochId: sha256(utf8("epoch")),
  curve: "secp256k1",
  mode: "keygen",
  status: "ACTIVE",
  threshold: 2,
  members: [self, peer].sort().map((id, i) => ({
    party: id,
    shareId: BigInt(i + 1),
    sharePublicKey: K1.encodePoint(K1.multiplyBase(BigInt(i + 5))),
  })),
  commitments: [K1.encodePoint(K1.multiplyBase(3n)), K1.encodePoint(K1.multiplyBase(4n))],
  chainCode: new Uint8Array(32).fill(9),
  createdMs: 1,
  sid: sha256(utf8("sid")),
  ackView: sha256(utf8("view")),
  certificate: [],
}

const LIFE_MS = 100_000
const taskOf = (w: World, n: number): KeySignTask => ({
  version: 1,
  task_id: `task-${n}`,
  biz_task_id: "biz",
  created_ms: 1_795_000_000_000,
  deadline_ms: 1_795_000_000_000 + LIFE_MS,
  extra_info: {},
  type: "KeySign",
  group_id: group.groupId,
  root_pub_key: rootExtendedPublicKey(group),
  used_node_ids: [nodeIdOf(w.ports.self), nodeIdOf(peer)],
  signature_type: 1,
  messages: [{ bip32_path: "m/44/60", msg_hash: `0x${"11".repeat(32)}`, tweak: "" }],
})

const blank = new Uint8Array(32)
const ENDINGS: readonly Ending[] = [
  {
    kind: "done",
    result: {
      kind: "signatures",
      signatures: [{ publicKey: blank, signature: new Uint8Array(64), recoveryId: 0 }],
    },
  },
  { kind: "deadline" },
  { kind: "cancelled" },
  { kind: "crashed", reason: "its worker died" },
  { kind: "blamed", blame: sessionAbort("view mismatch") },
  { kind: "blamed", blame: fault(peer, "cheat") },
]

const operation = fc.oneof(
  fc.record({ op: fc.constantFrom("task", "cancel", "certificate", "envelope", "stored", "online"), n: fc.nat(1) }),
  fc.record({ op: fc.constant("start"), n: fc.nat(1), attempt: fc.integer({ min: 1, max: 4 }) }),
  fc.record({ op: fc.constant("answer"), yes: fc.constantFrom(true, true, true, false) }),
  fc.record({ op: fc.constant("end"), which: fc.nat(2), how: fc.constantFrom(0, 0, 0, 1, 2, 3, 4, 5) }),
  fc.record({ op: fc.constantFrom("emit", "check", "passed", "ban"), which: fc.nat(2) }),
  fc.record({ op: fc.constant("wait"), ms: fc.constantFrom(1, 10_000, 40_000) }),
)
type Operation = typeof operation extends fc.Arbitrary<infer T> ? T : never

/** What gets two tasks running, most of it: chance alone seldom says yes, and then "start". */
const usual: readonly Operation[] = [
  { op: "task", n: 0 },
  { op: "answer", yes: true },
  { op: "start", n: 0, attempt: 1 },
  { op: "task", n: 1 },
  { op: "answer", yes: true },
  { op: "start", n: 1, attempt: 1 },
]
const courseOfEvents = fc
  .tuple(fc.subarray([...usual], { minLength: 3 }), fc.array(operation, { maxLength: 40 }))
  .map(([first, then]) => [...first, ...then])

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

function carryOut(w: World, tasks: ReturnType<typeof createTasks>, it: Operation): void {
  if ("n" in it) {
    const task = taskOf(w, it.n)
    const named = { task_id: task.task_id, digest: toHex(sha256(encodeTask(task))) }
    if ("attempt" in it) {
      const document = encodeStart({ ...named, attempt: it.attempt })
      return tasks.onFrame({ kind: "start", start: signDocument(waas, "waas/start", document) })
    }
    switch (it.op) {
      case "task":
        return tasks.onFrame({ kind: "task", task: signDocument(waas, "waas/task", encodeTask(task)) })
      case "cancel": {
        const document = encodeCancel({ ...named, reason: "" })
        return tasks.onFrame({ kind: "cancel", cancel: signDocument(waas, "waas/cancel", document) })
      }
      case "certificate":
        return tasks.onFrame({ kind: "certificate", taskId: task.task_id, acks: [blank] })
      case "envelope":
        return tasks.onFrame({ kind: "envelope", taskId: task.task_id, envelope: envelopeFrom(peer) })
      case "stored":
        return tasks.onFrame({ kind: "outcomeStored", taskId: task.task_id })
      default:
        return tasks.onOnline()
    }
  }
  if ("yes" in it) return w.asked.shift()?.answer(it.yes ? approved : rejected)
  if ("ms" in it) return w.advance(it.ms)
  const session = w.sessions[it.which]
  if (session === undefined) return
  if ("how" in it) return session.end(ENDINGS[it.how] ?? { kind: "deadline" })
  if (it.op === "ban") return void session.io.blamed(ban(peer, "check"), blank).catch(() => {})
  const record = { emit: "emitted", check: "checking", passed: "checked" }[it.op]
  if (record === "emitted") void session.io.record({ kind: "emitted", digest: blank }).catch(() => {})
  else if (record === "checking" || record === "checked") {
    void session.io.record({ kind: record, peer }).catch(() => {})
  }
}

test("in whatever order things happen, every task ends once and leaves nothing behind", async () => {
  await fc.assert(
    fc.asyncProperty(courseOfEvents, async (operations) => {
      const w = world(self, { groups: [group] })
      const said: string[] = []
      const log = { ...w.ports.log, error: (text: string) => void said.push(text) }
      const tasks = createTasks(waas.publicKey, { ...w.ports, log })
      for (const it of operations) {
        carryOut(w, tasks, it)
        await turn()
      }
      w.advance(LIFE_MS)
      for (let i = 0; i < 5; i++) await turn()
      expect(tasks.open()).toBe(0)
      expect(w.clock.pending).toBe(0)
      for (const record of w.records.values()) expect(isFinal(record.state)).toBe(true)
      expect(said.filter((text) => text === "task stopped" || text.includes("not acted upon"))).toEqual([])
      // Each ending is journalled once, and every session that began was closed.
      const endings = w.trace.filter((entry) => /^journal (?:completed|rejected|failed|cancelled)$/.test(entry))
      expect(endings.length).toBe(w.records.size)
      expect(w.trace.filter((entry) => entry.startsWith("session ")).length).toBe(w.rows.length)
    }),
    { numRuns: process.env["COSIGNER_LONG"] === "1" ? 5000 : 300 },
  )
}, 120_000)
