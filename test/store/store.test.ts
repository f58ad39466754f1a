/** What the repositories promise one by one; how they behave together is model.test.ts's. */
import { Database } from "bun:sqlite"
import { expect, test } from "bun:test"
import { copyFileSync, readFileSync } from "node:fs"
import { toHex, u32be, u64be, utf8 } from "../../src/bytes.ts"
import type { PartyId } from "../../src/keys/party.ts"
import { keyCounter } from "../../src/policy/countLimit.ts"
import { RollingUsage } from "../../src/policy/rollingUsage.ts"
import { Secret } from "../../src/secret.ts"
import { SecretsFile } from "../../src/store/file.ts"
import { unwrapKey, wrapKey } from "../../src/store/header.ts"
import { openHeader } from "../../src/store/rows.ts"
import { createStore, openStore, type Store } from "../../src/store/store.ts"
import { REPLAY_MS } from "../../src/store/tasks.ts"
import { importStore } from "../../src/store/transfer.ts"
import { rootKeyOf } from "../../src/tasks/policyRequest.ts"
import { encodeTask } from "../../src/wire/task.ts"
import { keySign } from "../wire/documents.ts"
import {
  APPROVE,
  approved,
  bytesOf,
  claimOf,
  codeOf,
  epochNo,
  Folder,
  groupNo,
  groupSecret,
  KDF,
  partyNo,
  password,
  REJECT,
  reveal,
  sessionOf,
  still,
} from "./fixtures.ts"

const hexOf = (secret: Secret | undefined): string | undefined => secret && toHex(secret.expose())

// ---- the node's own ----------------------------------------------------------------------------------------------

test("identity, keys and the boot counter survive a restart; the entropy is made here and differs between files", () => {
  using one = new Folder()
  using other = new Folder()
  other.create().close()
  const read = (store: Store) => [store.identity(), store.callbackKey(), store.entropy(), store.eventKey()].map(hexOf)
  let before: unknown
  {
    using store = one.create()
    before = read(store)
    expect([store.nextBoot(), store.nextBoot()]).toEqual([1, 2])
    expect(store.eventKey()).toBeUndefined()
  }
  using store = one.open()
  expect(read(store)).toEqual(before as never)
  expect(hexOf(store.identity())).toBe("01".repeat(32))
  expect(hexOf(store.callbackKey())).toBe("02".repeat(1200))
  expect(store.entropy().length).toBe(32)
  expect(store.nextBoot()).toBe(3)
  store.setEventKey(Secret.take(bytesOf(1)))
  expect(hexOf(store.eventKey())).toBe(toHex(bytesOf(1)))
  using second = other.open()
  expect(hexOf(second.entropy())).not.toBe(hexOf(store.entropy()))
})

test("a new password: the old one no longer opens, all is there, and one commit did it", () => {
  using folder = new Folder()
  const next = Secret.from(Buffer.from("a new and long password"))
  {
    using store = folder.create()
    approved(store, "t1")
    const { generation } = store
    store.changePassword(next, KDF)
    expect(store.generation).toBe(generation + 1)
    store.nextBoot()
  }
  expect(codeOf(() => folder.open())).toBe("E-STO-004")
  using store = openStore(folder.db, next, { readOnly: false })
  expect(store.tasks.get("t1")?.state).toBe("approved")
  expect(store.verify()).toBe(7)
})

test("what an old password opens is as SECURITY says: older copies, and by their data key the newer ones; a restored file is another's", () => {
  using folder = new Folder()
  using restored = new Folder()
  const next = Secret.from(Buffer.from("a new and long password"))
  const older = `${folder.db}.older`
  {
    using store = folder.create()
    copyFileSync(folder.db, older)
    store.changePassword(next, KDF)
    // Bodies are wiped as the next is asked for: copied, they are what a backup carries.
    using snapshot = store.snapshot(`${folder.db}.snapshot`)
    const records = []
    for (const record of snapshot.records(undefined)) {
      if (record !== undefined) records.push({ ...record, body: record.body.slice() })
    }
    importStore(restored.db, password(), records, { kdf: KDF, nowMs: 1 })
  }
  const keyOf = (path: string, opens: Secret) => {
    using file = SecretsFile.open(path, true)
    using dataKey = openHeader(file, opens)
    return hexOf(dataKey)
  }
  expect(keyOf(older, password())).toBe(keyOf(folder.db, next))
  expect(keyOf(restored.db, password())).not.toBe(keyOf(older, password()))
})

test("the default cost of the password is 64 MiB and three passes or more, and is stored with the file", () => {
  using folder = new Folder()
  using seed = Secret.take(new Uint8Array(32))
  createStore(folder.db, password(), { identitySeed: seed, callbackKey: seed }).close()
  using db = new Database(folder.db, { readonly: true })
  const header = db.query<{ box: Uint8Array }, []>("SELECT box FROM record WHERE kind = 0").get()?.box
  const [memory, passes] = [0, 4].map((at) => Buffer.from(header ?? []).readUInt32BE(at))
  expect(memory).toBeGreaterThanOrEqual(64 * 1024)
  expect(passes).toBeGreaterThanOrEqual(3)
})

test("a header that asks for an absurd cost is refused before anything is computed", () => {
  const header = wrapKey(Secret.take(bytesOf(1)), password(), KDF)
  const opened = unwrapKey(header, password())
  expect(opened instanceof Secret && hexOf(opened)).toBe(toHex(bytesOf(1)))
  const asking = (at: number, value: number) => {
    const changed = header.slice()
    changed.set(u32be(value), at)
    return unwrapKey(changed, password())
  }
  for (const [at, value] of [
    [0, 4 * 1024 * 1024 + 1],
    [0, 7],
    [4, 65],
    [4, 0],
    [8, 65],
    [8, 0],
  ] as const) {
    expect(asking(at, value)).toBe("malformed")
  }
  expect(asking(4, 2)).toBeUndefined()
  expect(unwrapKey(header.subarray(1), password())).toBe("malformed")
})

test("the file shows no id, name, key, party or time", () => {
  using folder = new Folder()
  using store = folder.create()
  store.outbox.subscribe([{ server: "https://events.example", eventTypes: ["request.keysign.created"] }])
  const nowMs = 1_795_347_135_344
  const event = { eventId: "event-0001", eventType: "request.keysign.created", createdMs: nowMs, body: "body-of-event" }
  store.tasks.claim({ ...claimOf("task-0001"), nowMs, events: [event] })
  store.groups.prepare(groupNo("group-0001", 0, { createdMs: nowMs }), groupSecret(0))
  store.bans.add({
    groupId: "group-0001",
    epochId: epochNo(0),
    peer: partyNo(1),
    reason: "reason-0001",
    sid: bytesOf(5),
    bannedMs: nowMs,
  })
  const file = readFileSync(folder.db)
  const names = [
    "task-0001",
    "group-0001",
    "event-0001",
    "events.example",
    "keysign",
    "body-of-event",
    "reason-0001",
    "task_id",
  ]
  const keys = [epochNo(0), bytesOf(50), bytesOf(9), bytesOf(2), bytesOf(5), new Uint8Array(32).fill(1), u64be(nowMs)]
  for (const secret of [...names.map(utf8), ...keys]) expect(file.indexOf(secret)).toBe(-1)
  expect(file.indexOf(store.entropy().expose())).toBe(-1)
})

test("what is erased is overwritten in the file, not only unlinked", () => {
  using folder = new Folder()
  using store = folder.create()
  store.groups.prepare(groupNo("g", 0), groupSecret(0, 9000))
  const copy = folder.copyTo("copy.db")
  using db = new Database(copy, { readwrite: true, create: false })
  const box = db.query<{ box: Uint8Array }, []>("SELECT box FROM record WHERE kind = 8").get()?.box ?? new Uint8Array(0)
  // Pieces that lie within one page each, wherever the pages begin.
  const pieces = [100, 5000, 12_000, 20_000].map((at) => box.slice(at, at + 32))
  const found = () => pieces.filter((piece) => readFileSync(folder.db).indexOf(piece) >= 0).length
  expect(found()).toBe(4)
  store.groups.dropUncertifiedKeygen("g")
  expect(found()).toBe(0)
})

test("a transaction inside a transaction is refused, and an exception in a decision changes nothing", () => {
  using folder = new Folder()
  using store = folder.create()
  store.tasks.claim(claimOf("t1"))
  const { generation } = store
  const decideBy = (action: () => void) =>
    codeOf(() =>
      store.tasks.approve(
        "t1",
        6,
        () => {
          action()
          return { verdict: APPROVE, debits: [{ counter: "c", amount: 1 }] }
        },
        () => [],
      ),
    )
  expect(decideBy(() => store.nextBoot())).toBe("E-STO-019")
  const bug = new Error("rule failed")
  expect(
    decideBy(() => {
      throw bug
    }),
  ).toBe(bug)
  const refusing = codeOf(() =>
    store.tasks.approve(
      "t1",
      6,
      () => ({ verdict: APPROVE, debits: [{ counter: "c", amount: Number.NaN }] }),
      () => [],
    ),
  )
  expect(refusing).toBeInstanceOf(RangeError)
  expect(store.generation).toBe(generation)
  expect(store.tasks.get("t1")?.state).toBe("claimed")
  expect(store.tasks.usage.count("c", 0)).toBe(0)
  expect(decideBy(() => {})).toBe("none")
})

// ---- sessions and checks -----------------------------------------------------------------------------------------

test("attempts only count upwards, and a session id never serves twice, not even after a restart", () => {
  using folder = new Folder()
  {
    using store = folder.create()
    approved(store, "t1")
    approved(store, "t2")
    store.tasks.startSession(sessionOf("t1", 2), 7, still)
    expect(codeOf(() => store.tasks.startSession(sessionOf("t1", 2), 8, still))).toBe("E-TSK-019")
    expect(codeOf(() => store.tasks.startSession(sessionOf("t1", 1), 8, still))).toBe("E-TSK-019")
    store.tasks.endSession(sessionOf("t1", 2).sid, "done", 9, [])
  }
  using store = folder.open()
  const { sid } = sessionOf("t1", 2)
  expect(codeOf(() => store.tasks.startSession(sessionOf("t1", 2), 8, still))).toBe("E-TSK-019")
  expect(codeOf(() => store.tasks.startSession(sessionOf("t1", 3, { sid }), 8, still))).toBe("E-STO-024")
  expect(codeOf(() => store.tasks.startSession(sessionOf("t2", 1, { sid }), 8, still))).toBe("E-STO-024")
  expect(store.tasks.get("t1")?.attempt).toBe(2)
  expect(store.tasks.get("t2")?.state).toBe("approved")
  expect(codeOf(() => store.tasks.startSession(sessionOf("t1", 3), 8, still))).toBe("none")
  expect(codeOf(() => store.tasks.endSession(bytesOf(99), "done", 8, []))).toBe("E-STO-026")
})

/** Ends a session of a fresh task as crashed, with these checks open. */
function endOne(store: Store, taskId: string, unproven: readonly PartyId[]): void {
  approved(store, taskId)
  store.tasks.startSession(sessionOf(taskId, 1), 7, still)
  store.tasks.endSession(sessionOf(taskId, 1).sid, "crashed", 8, unproven)
}
const countOf = (store: Store, n: number) => store.bans.unproven().find(({ peer }) => peer === partyNo(n))?.count

test("the certificate of another key deposes nobody, whatever its rank", () => {
  using folder = new Folder()
  using store = folder.create()
  store.groups.prepare(groupNo("g", 0), groupSecret(0))
  store.groups.activate("g", epochNo(0), [bytesOf(1)])
  for (const [epoch, over] of [
    [1, { commitments: [bytesOf(17, 33), bytesOf(8, 33)] }],
    [2, { chainCode: bytesOf(19) }],
  ] as const) {
    store.groups.prepare(groupNo("g", epoch, { mode: "keygen", ...over }), groupSecret(epoch))
    expect(codeOf(() => store.groups.activate("g", epochNo(epoch), [bytesOf(2)]))).toBe("E-STO-030")
    expect(store.groups.get("g", epochNo(epoch))?.status).toBe("PREPARED")
  }
  expect(store.groups.active("g")?.epochId).toEqual(epochNo(0))
  expect(store.groups.open("g", epochNo(0)).pairs.length).toBe(2)
  expect(store.groups.retire("g", epochNo(0)).length).toBe(0)
})

test("only a check that was open when its session ended counts as unproven, and only once", () => {
  using folder = new Folder()
  using store = folder.create()
  endOne(store, "none", [])
  expect(store.bans.unproven()).toEqual([])
  endOne(store, "one", [partyNo(1)])
  expect(countOf(store, 1)).toBe(1)
  store.tasks.endSession(sessionOf("one", 1).sid, "crashed", 9, [partyNo(1)])
  store.tasks.endSession(sessionOf("none", 1).sid, "crashed", 9, [partyNo(1)])
  expect(countOf(store, 1)).toBe(1)
  expect(countOf(store, 2)).toBeUndefined()
})

test("the ninth unproven check disables the peer for good: its OT state goes, without a ban", () => {
  using folder = new Folder()
  {
    using store = folder.create()
    store.groups.prepare(groupNo("g", 0), groupSecret(0))
    const both = [partyNo(1), partyNo(2)]
    for (let i = 1; i <= 8; i++) endOne(store, `t${i}`, both)
    expect(store.bans.unusable("g", epochNo(0))).toEqual([])
    expect(store.groups.open("g", epochNo(0)).pairs.every(({ otAlice, otBob }) => otAlice && otBob)).toBe(true)
    endOne(store, "t9", both)
    expect(store.bans.unusable("g", epochNo(0))).toEqual([partyNo(1), partyNo(2)].sort())
  }
  using store = folder.open()
  expect(store.bans.list()).toEqual([])
  expect(store.bans.unusable("g", epochNo(0))).toEqual([partyNo(1), partyNo(2)].sort())
  expect(store.bans.unusable("g", epochNo(1))).toEqual([])
  expect(store.groups.open("g", epochNo(0)).pairs.some(({ otAlice, otBob }) => otAlice || otBob)).toBe(false)
  expect(hexOf(store.groups.open("g", epochNo(0)).share)).toBe(toHex(bytesOf(50)))
})

test("a ban is of one peer in one epoch of one group", () => {
  using folder = new Folder()
  using store = folder.create()
  for (const epoch of [0, 1]) store.groups.prepare(groupNo("g", epoch), groupSecret(epoch))
  store.groups.prepare(groupNo("h", 0), groupSecret(0))
  store.bans.add({ groupId: "g", epochId: epochNo(0), peer: partyNo(2), reason: "r", sid: bytesOf(1), bannedMs: 1 })
  expect(store.bans.unusable("g", epochNo(0))).toEqual([partyNo(2)])
  for (const [group, epoch] of [
    ["g", 1],
    ["h", 0],
  ] as const) {
    expect(store.bans.unusable(group, epochNo(epoch))).toEqual([])
    expect(reveal(store.groups.open(group, epochNo(epoch)))).toEqual(reveal(groupSecret(epoch)))
  }
})

// ---- counters ----------------------------------------------------------------------------------------------------

const debit = (store: Store, taskId: string, nowMs: number, amount: number, counter = "c"): void => {
  store.tasks.claim(claimOf(taskId))
  store.tasks.approve(
    taskId,
    nowMs,
    () => ({
      verdict: APPROVE,
      debits: [
        { counter, amount },
        { counter: "other", amount: 1 },
      ],
    }),
    () => [],
  )
}
const rootKeyCounter = keyCounter(rootKeyOf(keySign.root_pub_key))
const FAILED = { state: "failed", code: "E-TSK-020", reason: "r" } as const

test("a counter sums its window, also after the clock was set back and after a restart", () => {
  using folder = new Folder()
  {
    using store = folder.create()
    debit(store, "t1", 100, 1)
    debit(store, "t2", 300, 2)
    debit(store, "t3", 200, 4)
  }
  using store = folder.open()
  debit(store, "t4", 250, 8)
  const at = (sinceMs: number) => store.tasks.usage.count("c", sinceMs)
  expect([0, 100, 101, 200, 201, 251, 300, 301].map(at)).toEqual([15, 15, 14, 14, 10, 2, 2, 0])
  expect(store.tasks.usage.count("unknown", 0)).toBe(0)
})

test("a failed task gives its debits back, but not once a share of its signature has left", () => {
  using folder = new Folder()
  {
    using store = folder.create()
    debit(store, "gone", 100, 1)
    debit(store, "signed", 100, 2)
    debit(store, "done", 100, 4)
    store.tasks.startSession(sessionOf("signed", 1), 101, still)
    store.tasks.emitted("signed", bytesOf(1), 102)
    for (const task of ["gone", "signed"]) store.tasks.finish(task, FAILED, 103, [])
    store.tasks.finish("done", { state: "completed", outcome: { type: "signatures", signatures: [] } }, 103, [])
    expect(store.tasks.usage.count("c", 0)).toBe(6)
    expect(store.tasks.usage.count("other", 0)).toBe(2)
  }
  using store = folder.open()
  expect(store.tasks.usage.count("c", 0)).toBe(6)
})

test("to release what was never debited takes nothing from anybody", () => {
  const usage = new RollingUsage()
  usage.debit("t1", 1, [{ counter: "c", amount: 1 }])
  for (const counter of ["c", "unknown"]) usage.release("t2", [{ counter, amount: 1 }])
  expect(usage.count("c", 0)).toBe(1)
})

test("a debit moves to the moment at which its session starts, never back, and with the rules of that moment", () => {
  using folder = new Folder()
  const since = (store: Store, counter: string) => [100, 151, 201].map((ms) => store.tasks.usage.count(counter, ms))
  {
    using store = folder.create()
    debit(store, "t1", 100, 1)
    const asks = (counter: string, amount: number) => () => ({ verdict: APPROVE, debits: [{ counter, amount }] })
    store.tasks.startSession(sessionOf("t1", 1), 200, asks("c", 3))
    expect(since(store, "c")).toEqual([3, 3, 0])
    // The clock was set back, and the rules count something else by now: what was counted stays counted.
    store.tasks.startSession(sessionOf("t1", 2), 150, asks("new", 5))
    expect([since(store, "c"), since(store, "new")]).toEqual([
      [3, 3, 0],
      [5, 5, 0],
    ])
    expect(
      codeOf(() => store.tasks.startSession(sessionOf("t1", 3), 300, () => ({ ...asks("c", 1)(), verdict: REJECT }))),
    ).toBe("E-TSK-030")
  }
  using store = folder.open()
  expect([since(store, "c"), since(store, "new"), since(store, "other")]).toEqual([
    [3, 3, 0],
    [5, 5, 0],
    [1, 1, 0],
  ])
  expect(store.tasks.get("t1")?.attempt).toBe(2)
})

test("debits that were counted by the group's id count by its key after a restart, and are given back all the same", () => {
  using folder = new Folder()
  const tasks = [
    { ...keySign, task_id: "t1" },
    { ...keySign, task_id: "t2", group_id: "AnotherAnotherAnothe" },
    { ...keySign, task_id: "t3" },
  ]
  {
    using store = folder.create()
    for (const task of tasks) {
      const { task_id: taskId, group_id } = task
      store.tasks.claim({ ...claimOf(taskId), document: encodeTask(task) })
      const counters = [`sign/group/${group_id}`, "sign/all"]
      const debits = counters.map((counter) => ({ counter, amount: 1 }))
      store.tasks.approve(
        taskId,
        100,
        () => ({ verdict: APPROVE, debits }),
        () => [],
      )
    }
    // A task that this version cannot read keeps what it debited under the name that it had.
    debit(store, "unreadable", 100, 1, "sign/group/OoQGkknsPdPjLCmSuuSf")
  }
  using store = folder.open()
  const counts = () => [rootKeyCounter, "sign/group/OoQGkknsPdPjLCmSuuSf", "sign/all"].map((name) => count(name))
  const count = (counter: string) => store.tasks.usage.count(counter, 0)
  expect(counts()).toEqual([3, 1, 3])
  store.tasks.finish("t2", FAILED, 103, [])
  expect(counts()).toEqual([2, 1, 2])
})

test("a rejection debits nothing and keeps its reasons", () => {
  using folder = new Folder()
  using store = folder.create()
  store.tasks.claim(claimOf("t1"))
  const decide = () => ({ verdict: REJECT, debits: [{ counter: "c", amount: 1 }] })
  const record = store.tasks.approve("t1", 6, decide, () => [])
  expect([record.state, record.code, record.reason]).toEqual(["rejected", "E-RSK-001", "not allowed"])
  expect(store.tasks.get("t1")?.verdict).toEqual(REJECT)
  expect(store.tasks.usage.count("c", 0)).toBe(0)
  expect(codeOf(() => store.tasks.startSession(sessionOf("t1", 1), 7, still))).toBe("E-STO-025")
})

test("a share cannot leave for a task that is not running, nor after its end", () => {
  using folder = new Folder()
  using store = folder.create()
  approved(store, "t1")
  expect(codeOf(() => store.tasks.emitted("t1", bytesOf(1), 7))).toBe("E-STO-025")
  store.tasks.startSession(sessionOf("t1", 1), 7, still)
  store.tasks.finish("t1", FAILED, 8, [])
  expect(codeOf(() => store.tasks.emitted("t1", bytesOf(1), 9))).toBe("E-STO-025")
})

// ---- retention ---------------------------------------------------------------------------------------------------

test("pruning forgets only what ended, was delivered, and whose deadline is long past; sessions and debits go along", () => {
  using folder = new Folder()
  using store = folder.create()
  const late = 10_000 + REPLAY_MS + 1
  for (const task of ["old", "undelivered", "running", "touched"]) {
    debit(store, task, 100, 1)
    store.tasks.startSession(sessionOf(task, 1), 101, still)
    store.tasks.endSession(sessionOf(task, 1).sid, "done", 102, [])
    if (task === "running") continue
    store.tasks.emitted(task, bytesOf(1), 102)
    store.tasks.finish(task, FAILED, task === "touched" ? late : 103, [])
    if (task !== "undelivered") store.tasks.delivered(task)
  }
  const records = store.verify()
  const before = (deliveredMs: number, undeliveredMs = 0) => ({ deliveredMs, undeliveredMs, refusedMs: 0 })
  expect(store.tasks.prune(before(late - 1))).toBe(0)
  expect(store.tasks.prune(before(late))).toBe(1)
  expect(store.tasks.get("old")).toBeUndefined()
  // The task and its session.
  expect(store.verify()).toBe(records - 2)
  expect(store.tasks.usage.count("c", 0)).toBe(3)
  expect(store.tasks.prune(before(late + 1))).toBe(1)
  expect(store.tasks.list({ limit: 9 }).map((task) => task.taskId)).toEqual(["running", "undelivered"])
  // What WaaS never asked for goes too, later.
  expect(store.tasks.prune(before(0, late - 1))).toBe(0)
  expect(store.tasks.prune(before(0, late))).toBe(1)
  expect(store.tasks.list({ limit: 9 }).map((task) => task.taskId)).toEqual(["running"])
})

test("tasks that were never approved are forgotten by age alone: whatever WaaS acknowledges, and whatever deadline it wrote", () => {
  using folder = new Folder()
  {
    using store = folder.create()
    const far = { deadlineMs: 8.64e15 }
    for (const task of ["rejected", "failed", "cancelled", "waiting"]) store.tasks.claim(claimOf(task, far))
    const no = () => ({ verdict: REJECT, debits: [] })
    store.tasks.approve("rejected", 100, no, () => [])
    store.tasks.finish("failed", FAILED, 100, [])
    store.tasks.finish("cancelled", { ...FAILED, state: "cancelled" }, 101, [])
    store.tasks.claim(claimOf("approved", far))
    store.tasks.approve("approved", 90, still, () => [])
    store.tasks.finish("approved", FAILED, 100, [])
  }
  using store = folder.open()
  const before = (refusedMs: number) => ({ deliveredMs: 1e6, undeliveredMs: 1e6, refusedMs })
  expect(store.tasks.prune(before(100))).toBe(0)
  expect(store.tasks.prune(before(101))).toBe(2)
  expect(store.tasks.list({ limit: 9 }).map((task) => task.taskId)).toEqual(["approved", "waiting", "cancelled"])
  // Forgotten is forgotten: it may come again, and is decided again.
  expect(store.tasks.claim(claimOf("rejected")).kind).toBe("new")
})

test("a list is filtered and cut, newest first", () => {
  using folder = new Folder()
  using store = folder.create()
  for (const task of ["a", "b", "c"]) store.tasks.claim(claimOf(task))
  approved(store, "d")
  const ids = (filter: Parameters<typeof store.tasks.list>[0]) => store.tasks.list(filter).map((task) => task.taskId)
  expect(ids({ limit: 2 })).toEqual(["d", "c"])
  expect(ids({ limit: 0 })).toEqual([])
  expect(ids({ limit: 2, state: "claimed" })).toEqual(["c", "b"])
  expect(ids({ limit: 2, type: "KeyGen" })).toEqual([])
})

// ---- events ------------------------------------------------------------------------------------------------------

const event = (id: string) => ({ eventId: id, eventType: "e", createdMs: 1, body: id })

test("events keep their order per server, a failed one does not block the next, and a server can be given up", () => {
  using folder = new Folder()
  {
    using store = folder.create()
    store.outbox.subscribe(["a", "b"].map((server) => ({ server, eventTypes: ["e"] })))
    store.tasks.claim({ ...claimOf("t1"), events: [event("1"), event("2")] })
    store.tasks.claim({ ...claimOf("t2"), events: [event("3"), { ...event("x"), eventType: "unwanted" }] })
    const first = store.outbox.next("a")
    expect(first?.event.eventId).toBe("1")
    store.outbox.attempted("a", first?.seq ?? 0, 50)
    store.outbox.failed("a", first?.seq ?? 0)
    expect(store.outbox.next("a")?.event.eventId).toBe("2")
    expect(store.outbox.next("a", store.outbox.next("a")?.seq)?.event.eventId).toBe("3")
    expect(store.outbox.next("a", 99)).toBeUndefined()
  }
  using store = folder.open()
  expect(store.outbox.deadLetters(10)).toEqual([{ server: "a", event: event("1"), attempts: 1, lastMs: 50 }])
  expect(store.outbox.backlog().toSorted((x, y) => (x.server < y.server ? -1 : 1))).toEqual([
    { server: "a", pending: 2, failed: 1 },
    { server: "b", pending: 3, failed: 0 },
  ])
  const sent: string[] = []
  for (let letter = store.outbox.next("b"); letter !== undefined; letter = store.outbox.next("b")) {
    sent.push(letter.event.eventId)
    store.outbox.delivered("b", letter.seq)
    // Once more is harmless: the sender may have died before it heard of its own success.
    store.outbox.delivered("b", letter.seq)
  }
  expect(sent).toEqual(["1", "2", "3"])
  expect(store.outbox.drop("a")).toBe(3)
  expect(store.outbox.backlog()).toEqual([])
  // Two tasks and the four keys and counters of the node: no event is left.
  expect(store.verify()).toBe(6)
})

test("deliveries that nobody tries any more are given up by age; those that wait for their turn stay", () => {
  using folder = new Folder()
  using store = folder.create()
  const to = (...servers: string[]) => store.outbox.subscribe(servers.map((server) => ({ server, eventTypes: ["e"] })))
  to("a", "b", "gone")
  const events = [1, 2, 3, 4].map((n) => ({ ...event(`${n}`), createdMs: 10 * n }))
  store.tasks.claim({ ...claimOf("t1"), events })
  for (let n = 0; n < 3; n++) store.outbox.failed("a", store.outbox.next("a")?.seq ?? 0)
  store.outbox.failed("gone", store.outbox.next("gone")?.seq ?? 0)
  to("a", "b")
  expect(store.outbox.prune(10)).toBe(0)
  // Of both, the failed one of the server that is gone and its first pending one.
  expect(store.outbox.prune(25, 3)).toBe(3)
  expect(store.outbox.prune(25, 3)).toBe(1)
  expect(store.outbox.backlog().toSorted((x, y) => (x.server < y.server ? -1 : 1))).toEqual([
    { server: "a", pending: 1, failed: 1 },
    { server: "b", pending: 4, failed: 0 },
    { server: "gone", pending: 2, failed: 0 },
  ])
  expect(store.outbox.prune(1000)).toBe(3)
  expect(store.outbox.next("a")?.event.eventId).toBe("4")
  expect(store.outbox.next("b")?.event.eventId).toBe("1")
})

test("an event is written with the state that it reports, or neither is", () => {
  using folder = new Folder()
  using store = folder.create()
  store.outbox.subscribe([{ server: "a", eventTypes: ["e"] }])
  approved(store, "t1")
  const { generation } = store
  const bad = { ...event("1"), createdMs: 1.5 }
  expect(codeOf(() => store.tasks.finish("t1", FAILED, 9, [bad]))).toBeInstanceOf(RangeError)
  expect(store.tasks.get("t1")?.state).toBe("approved")
  expect(store.outbox.next("a")).toBeUndefined()
  expect(store.generation).toBe(generation)
  store.tasks.finish("t1", FAILED, 9, [event("1")])
  expect(store.generation).toBe(generation + 1)
  expect(store.outbox.next("a")?.event.eventId).toBe("1")
})
