/** Commits that many tasks share: each step keeps its own fate, all of them one commit's, also where the process dies in between. */
import { expect, test } from "bun:test"
import { join } from "node:path"
import { commitPauseMs } from "../../src/commitPause.ts"
import { CosignerError } from "../../src/errors.ts"
import type { Usage } from "../../src/policy/decision.ts"
import { CommitQueue } from "../../src/store/commitQueue.ts"
import { openStore, type Store } from "../../src/store/store.ts"
import {
  APPROVE,
  bytesOf,
  claimOf,
  codeOf,
  epochNo,
  Folder,
  groupNo,
  groupSecret,
  partyNo,
  password,
  sessionOf,
  still,
} from "./fixtures.ts"
import { fullDisk } from "./fullDisk.ts"

const alone = (): number => 1

const SIGNED = { state: "completed", outcome: { type: "signatures", signatures: [] } } as const

const event = (eventId: string) => ({ eventId, eventType: "e", createdMs: 1, body: eventId })

/** Approves unless the counter stands at `most`. */
const upTo = (most: number) => (usage: Usage) => ({
  verdict: usage.count("c", 0) < most ? APPROVE : ({ ...APPROVE, action: "reject", code: "E-RSK-001" } as const),
  debits: [{ counter: "c", amount: 1 }],
})

const approve = ({ journal }: Store, taskId: string, most = 1000) =>
  journal.approve(taskId, 6, upTo(most), () => [event(`${taskId} approved`)])

const seen = (store: Store) => ({
  usage: store.tasks.usage.count("c", 0),
  states: ["a", "b", "c"].map((id) => store.tasks.get(id)?.state),
  backlog: store.outbox.backlog(),
})

test("a signature is three commits before its share leaves and one after; its claim, and that WaaS has it, come along", async () => {
  using folder = new Folder()
  using store = folder.create()
  const { journal } = store
  const commits: number[] = []
  const count = () => commits.push(store.generation)
  count()
  for (const task of ["a", "b"]) {
    expect(journal.claim(claimOf(task)).kind).toBe("new")
    expect(journal.claim(claimOf(task)).kind).toBe("known")
    expect(journal.claim(claimOf(task, { digest: "other" })).kind).toBe("conflict")
    expect(journal.get(task)?.state).toBe("claimed")
    await approve(store, task)
    await journal.startSession(sessionOf(task, 1), 7, still)
    await journal.emitted(task, bytesOf(1), 8)
    await journal.finish(task, SIGNED, 9, [], sessionOf(task, 1).sid)
    void journal.delivered(task)
    count()
  }
  expect(commits.map((commit) => commit - (commits[0] ?? 0))).toEqual([0, 4, 8])
  expect([journal.get("a")?.delivered, journal.get("b")?.delivered]).toEqual([true, false])
  store.flush()
  expect(journal.get("b")?.delivered).toBe(true)
})

test("steps of one turn are one commit; each decides over what those before it debited, and one that is refused changes nothing", async () => {
  using folder = new Folder()
  using store = folder.create()
  store.outbox.subscribe([{ server: "s", eventTypes: ["e"] }])
  const { journal } = store
  for (const id of ["a", "b", "c"]) journal.claim(claimOf(id))
  const before = store.generation
  const steps = await Promise.allSettled([
    approve(store, "a", 2),
    journal.startSession(sessionOf("b", 1), 6, still), // not approved yet: refused
    journal.emitted("nobody", bytesOf(1), 6),
    approve(store, "b", 2),
    approve(store, "c", 2),
  ])
  expect(store.generation).toBe(before + 1)
  expect(steps.map(({ status }) => status)).toEqual(["fulfilled", "rejected", "rejected", "fulfilled", "fulfilled"])
  expect(seen(store)).toEqual({
    usage: 2,
    states: ["approved", "approved", "rejected"],
    backlog: [{ server: "s", pending: 3, failed: 0 }],
  })
  const now = seen(store)
  store.close()
  using again = folder.open(false)
  again.outbox.subscribe([{ server: "s", eventTypes: ["e"] }])
  expect(seen(again)).toEqual(now)
})

test("a step that throws half-way takes its own changes back and no others", async () => {
  using folder = new Folder()
  using store = folder.create()
  const { journal } = store
  journal.claim(claimOf("a"))
  journal.claim(claimOf("b"))
  const fails = journal.approve("a", 6, upTo(9), () => {
    throw new TypeError("no event")
  })
  const passes = approve(store, "b")
  await expect(fails).rejects.toThrow("no event")
  await passes
  // The claim of the one that failed stands: it was not its fault.
  expect(seen(store)).toMatchObject({ usage: 1, states: ["claimed", "approved", undefined] })
  expect(store.verify()).toBeGreaterThan(0)
})

test("a claim that is written in the part of a step that throws is taken back with it, and written with the next step", async () => {
  using folder = new Folder()
  using store = folder.create()
  store.outbox.subscribe([{ server: "s", eventTypes: ["e"] }])
  const { journal } = store
  let isFull = true
  const claimed = {
    ...event("a claimed"),
    get body(): string {
      if (isFull) throw new TypeError("no room")
      return "a claimed"
    },
  }
  journal.claim({ ...claimOf("a"), events: [claimed] })
  store.flush()
  isFull = false
  const fails = journal.approve("a", 6, upTo(9), () => {
    throw new TypeError("no event")
  })
  await expect(fails).rejects.toThrow("no event")
  expect([store.tasks.has("a"), journal.get("a")?.state, store.outbox.backlog()]).toEqual([false, "claimed", []])
  await approve(store, "a")
  expect(seen(store)).toMatchObject({ usage: 1, backlog: [{ server: "s", pending: 2, failed: 0 }] })
})

test("a commit that does not reach the disk leaves no step behind, in memory neither; the steps can be asked for again", async () => {
  using folder = new Folder()
  using store = folder.create()
  store.outbox.subscribe([{ server: "s", eventTypes: ["e"] }])
  const { journal } = store
  store.tasks.claim(claimOf("a"))
  await approve(store, "a")
  await journal.startSession(sessionOf("a", 1), 6, still)
  const before = seen(store)
  {
    using _full = fullDisk()
    journal.claim(claimOf("b"))
    const steps = await Promise.allSettled([
      approve(store, "b"),
      journal.finish("a", { state: "failed", code: "E-TSK-020", reason: "" }, 7, [event("end")], sessionOf("a", 1).sid),
    ])
    expect(steps.map((step) => step.status === "rejected" && step.reason.code)).toEqual(["E-STO-013", "E-STO-013"])
  }
  expect(seen(store)).toEqual(before)
  expect(journal.get("b")?.state).toBe("claimed")
  await approve(store, "b")
  await journal.finish("a", SIGNED, 7, [event("end")], sessionOf("a", 1).sid)
  expect(seen(store)).toMatchObject({ usage: 2, states: ["completed", "approved", undefined] })
  expect(store.verify()).toBeGreaterThan(0)
})

test("a claim that nobody decides reaches the disk by itself; one that did not can be taken back", async () => {
  using folder = new Folder()
  using store = folder.create()
  const { journal } = store
  journal.claim(claimOf("a"))
  journal.claim(claimOf("b"))
  expect(journal.unfinished().map(({ taskId }) => taskId)).toEqual(["a", "b"])
  expect(journal.forsake("a")).toBe(true)
  expect([journal.get("a"), journal.forsake("a")]).toEqual([undefined, false])
  const { promise, resolve } = Promise.withResolvers<void>()
  store.observeCommits(() => resolve())
  await promise
  expect(store.tasks.get("b")?.state).toBe("claimed")
  expect([store.tasks.get("a"), journal.forsake("b")]).toEqual([undefined, false])
})

test("a decision that throws records nothing: the task stays claimed beside others of the commit, and is decided later", async () => {
  using folder = new Folder()
  using store = folder.create()
  const { journal } = store
  for (const task of ["a", "b"]) journal.claim(claimOf(task))
  const off = new CosignerError("E-TSK-045", { offsetMs: 30_000, limitMs: 5_000 })
  const putOff = journal.approve(
    "a",
    6,
    () => {
      throw off
    },
    () => [event("never")],
  )
  const steps = await Promise.allSettled([putOff, approve(store, "b")])
  expect(steps.map(({ status }) => status)).toEqual(["rejected", "fulfilled"])
  expect([journal.get("a")?.state, seen(store).usage]).toEqual(["claimed", 1])
  await approve(store, "a")
  expect(seen(store)).toMatchObject({ usage: 2, states: ["approved", "approved", undefined] })
})

test("what a ban erased is in neither the file nor its log", () => {
  using folder = new Folder()
  using store = folder.create()
  store.groups.prepare(groupNo("g", 0), groupSecret(0, 20_000))
  store.groups.activate("g", epochNo(0), [])
  const ban = { groupId: "g", epochId: epochNo(0), reason: "", sid: bytesOf(1), bannedMs: 1 }
  for (const n of [1, 2]) store.bans.add({ ...ban, peer: partyNo(n) })
  // What the record was, 40 000 bytes and more, has no room in what is left.
  expect(Bun.file(`${folder.db}-wal`).size).toBe(0)
})

test("more steps than fit into one commit come into the next, in order, and I/O has its turn in between", async () => {
  const order: string[] = []
  const queue = new CommitQueue((parts) => {
    order.push(`commit of ${parts.length}`)
    return parts.map((part) => ({ status: "fulfilled", value: part() }))
  }, alone)
  const all = Array.from({ length: 40 }, (_, n) => queue.now(() => n))
  setImmediate(() => order.push("turn"))
  expect(await Promise.all(all)).toEqual(Array.from({ length: 40 }, (_, n) => n))
  expect(order).toEqual(["commit of 16", "turn", "commit of 16", "commit of 8"])
})

test("a flush leaves nothing behind, however much waits: the process may end after it", () => {
  const commits: number[] = []
  const queue = new CommitQueue((parts) => {
    commits.push(parts.length)
    return parts.map((part) => ({ status: "fulfilled", value: part() }))
  }, alone)
  for (let n = 0; n < 40; n++) void queue.soon(() => n, 60_000)
  queue.flush()
  queue.close()
  expect(commits).toEqual([16, 16, 8])
})

test("after a commit that steps shared the next one waits as long as that took, and takes what comes meanwhile; a lone step does not wait", async () => {
  const commits: { readonly steps: number; readonly beganMs: number; endedMs: number }[] = []
  const queue = new CommitQueue((parts) => {
    const commit = { steps: parts.length, beganMs: performance.now(), endedMs: 0 }
    commits.push(commit)
    const outcomes = parts.map((part): PromiseSettledResult<unknown> => ({ status: "fulfilled", value: part() }))
    Bun.sleepSync(15)
    commit.endedMs = performance.now()
    return outcomes
  }, alone)
  const step = () => queue.now(() => undefined)
  await Promise.all([step(), step()])
  const gathered = [step()]
  setTimeout(() => gathered.push(step()), 1)
  await gathered[0]
  await Promise.all(gathered)
  expect(commits.map(({ steps }) => steps)).toEqual([2, 2])
  const [first, second] = commits
  expect((second?.beganMs ?? 0) - (first?.endedMs ?? 0)).toBeGreaterThan(10)
  // Whoever is alone again pays the pause once, and then none.
  await step()
  const lastMs = commits.at(-1)?.endedMs ?? 0
  await step()
  expect((commits.at(-1)?.beganMs ?? 0) - lastMs).toBeLessThan(10)
  expect(commits.length).toBe(4)
})

test("the more tasks are at work, the longer commits are apart; few of them wait for the disk alone", () => {
  expect([0, 1, 4, 5, 8, 16, 1000].map(commitPauseMs)).toEqual([0, 0, 10, 15, 30, 50, 50])
})

test("while many tasks are at work a lone step waits for others of theirs", async () => {
  const commits: number[] = []
  const queue = new CommitQueue(
    (parts) => {
      commits.push(parts.length)
      return parts.map((part) => ({ status: "fulfilled", value: part() }))
    },
    () => 16,
  )
  const step = () => queue.now(() => undefined)
  // Where the system keeps this process from the processor for all of a pause, a step is alone: not 20 times.
  for (let round = 0; round < 20 && !commits.includes(2); round++) {
    await step()
    const gathered = [step()]
    setTimeout(() => gathered.push(step()), 1)
    await gathered[0]
    await Promise.all(gathered)
  }
  expect(commits).toContain(2)
})

test("a task is at work from its first step to its end", async () => {
  using folder = new Folder()
  using store = folder.create()
  const { journal } = store
  const seen = [journal.atWork]
  for (const task of ["a", "b", "c"]) journal.claim(claimOf(task))
  await Promise.all(["a", "b"].map((task) => approve(store, task)))
  seen.push(journal.atWork)
  await journal.startSession(sessionOf("a", 1), 7, still)
  await journal.emitted("a", bytesOf(1), 8)
  seen.push(journal.atWork)
  await journal.finish("a", SIGNED, 9, [], sessionOf("a", 1).sid)
  await journal.finish("b", { state: "failed", code: "E-TSK-020", reason: "" }, 9, [], undefined)
  seen.push(journal.atWork)
  expect(seen).toEqual([0, 2, 2, 0])
})

const KILLS = 12

test(`${KILLS} times kill -9 under shared commits: what was acknowledged is there, whole commits at a time`, async () => {
  using folder = new Folder()
  folder.create().close()
  let cut = 0
  for (let kill = 0; kill < KILLS; kill++) {
    const child = Bun.spawn([process.execPath, join(import.meta.dir, "groupedChild.ts"), folder.db, `k${kill}`], {
      stdout: "pipe",
    })
    let text = ""
    for await (const chunk of child.stdout) {
      text += Buffer.from(chunk).toString()
      if (text.length > 60 + kill * 40) setTimeout(() => child.kill("SIGKILL"), kill % 4)
    }
    await child.exited
    const acknowledged = text.split("\n").slice(0, -1)
    expect(acknowledged.length).toBeGreaterThan(0)
    using store = openStore(folder.db, password(), { readOnly: false })
    const order = ["claimed", "approved", "running", "emitted", "completed"]
    for (const line of acknowledged) {
      const [taskId = "", state = ""] = line.split(" ")
      const stored = store.tasks.get(taskId)?.state ?? "nothing"
      expect([line, order.indexOf(stored) >= order.indexOf(state)]).toEqual([line, true])
    }
    // Eight tasks take each step in one turn: none is ahead of another of its round by more than the step under way.
    const rounds = Map.groupBy(store.tasks.list({ limit: 1000 }), ({ taskId }) =>
      taskId.split("/").slice(0, 2).join("/"),
    )
    for (const [round, tasks] of rounds) {
      const states = new Set(tasks.map(({ state }) => state))
      expect([round, tasks.length, states.size]).toEqual([round, 8, 1])
      if (!states.has("completed")) cut++
    }
    const approvals = store.tasks.list({ limit: 1000 }).filter(({ verdict }) => verdict !== undefined)
    expect(store.tasks.usage.count("c", 0)).toBe(approvals.length)
    expect(codeOf(() => store.verify())).toBe("none")
  }
  expect(cut).toBeGreaterThan(0)
}, 120_000)
