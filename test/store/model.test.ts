/** The ports against a model of a few lines: random commands, restarts in between, and always the same answers. */
import { expect, test } from "bun:test"
import fc from "fast-check"
import { compareBytes, toHex } from "../../src/bytes.ts"
import { encodeGroupSecret } from "../../src/keys/groupCodec.ts"
import type { PartyId } from "../../src/keys/party.ts"
import type { Store } from "../../src/store/store.ts"
import { REPLAY_MS } from "../../src/store/tasks.ts"
import type { TaskRecord, TaskState } from "../../src/tasks/ports.ts"
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
  REJECT,
  reveal,
  sessionOf,
} from "./fixtures.ts"

interface ModelTask {
  readonly digest: string
  state: TaskState
  attempt: number
  isApproved: boolean
  delivered: boolean
  updatedMs: number
  emitted: boolean
  debited: number
  how: string | undefined
}
interface ModelGroup {
  readonly createdMs: number
  status: "PREPARED" | "ACTIVE" | "SUPERSEDED" | "ERASED"
  certified: boolean
  hasOt: Set<PartyId>
}
interface Model {
  now: number
  readonly tasks: Map<string, ModelTask>
  readonly groups: Map<string, ModelGroup>
  readonly banned: Set<string>
  readonly unproven: Map<string, number>
  /** Event ids that each server waits for. */
  readonly pending: Map<string, string[]>
  readonly failed: Map<string, number>
}
interface Real {
  readonly folder: Folder
  store: Store
}

const FINAL: readonly string[] = ["completed", "rejected", "failed", "cancelled"]
const SERVERS = [
  { server: "a", eventTypes: ["x", "y"] },
  { server: "b", eventTypes: ["x"] },
]
const event = (id: string, eventType: string) => ({ eventId: id, eventType, createdMs: 1, body: `{"id":"${id}"}` })
const post = (model: Model, id: string, eventType: string): void => {
  for (const { server, eventTypes } of SERVERS)
    if (eventTypes.includes(eventType)) model.pending.set(server, [...(model.pending.get(server) ?? []), id])
}

type Command = fc.Command<Model, Real>
const command = (text: string, run: (model: Model, real: Real) => void): Command => ({
  check: () => true,
  run: (model, real) => {
    model.now++
    run(model, real)
    compare(model, real.store)
  },
  toString: () => text,
})

function compare(model: Model, store: Store): void {
  const live = [...model.tasks].filter(([, task]) => !FINAL.includes(task.state) || !task.delivered)
  expect(store.tasks.unfinished().map((task) => task.taskId)).toEqual(live.map(([id]) => id))
  expect(
    store.tasks.list({ limit: 99 }).map((task) => [task.taskId, task.state, task.attempt, task.delivered]),
  ).toEqual([...model.tasks].map(([id, task]) => [id, task.state, task.attempt, task.delivered]).reverse())
  const debited = [...model.tasks.values()].reduce((sum, task) => sum + task.debited, 0)
  expect(store.tasks.usage.count("c", 0)).toBe(debited)
  expect(
    store.groups
      .list()
      .map((group) => [toHex(group.epochId), group.status])
      .sort(),
  ).toEqual([...model.groups].map(([id, group]) => [id, group.status]).sort())
  const disabled = [...model.unproven].filter(([, count]) => count > 8).map(([peer]) => peer)
  expect<readonly string[]>(store.bans.unusable("g", epochNo(0))).toEqual(
    [...new Set([...model.banned, ...disabled])].sort(),
  )
  expect(Object.fromEntries(store.bans.unproven().map(({ peer, count }) => [peer, count]))).toEqual(
    Object.fromEntries(model.unproven),
  )
  for (const { server } of SERVERS) {
    expect(store.outbox.next(server)?.event.eventId).toBe(model.pending.get(server)?.[0])
    const backlog = store.outbox.backlog().find((entry) => entry.server === server)
    expect(backlog?.pending ?? 0).toBe(model.pending.get(server)?.length ?? 0)
    expect(backlog?.failed ?? 0).toBe(model.failed.get(server) ?? 0)
  }
}

const claim = (id: string, digest: string): Command =>
  command(`claim(${id},${digest})`, (model, { store }) => {
    const known = model.tasks.get(id)
    const got = store.tasks.claim({ ...claimOf(id, { digest }), nowMs: model.now, events: [event(`c${id}`, "x")] })
    expect(got.kind).toBe(known === undefined ? "new" : known.digest === digest ? "known" : "conflict")
    expect(got.record.digest).toBe(known?.digest ?? digest)
    if (known !== undefined) return
    model.tasks.set(id, {
      digest,
      state: "claimed",
      attempt: 0,
      isApproved: false,
      delivered: false,
      updatedMs: model.now,
      emitted: false,
      debited: 0,
      how: undefined,
    })
    post(model, `c${id}`, "x")
  })

const approve = (id: string, isApproved: boolean, amount: number): Command =>
  command(`approve(${id},${isApproved},${amount})`, (model, { store }) => {
    const task = model.tasks.get(id)
    let seen = -1
    const action = (): TaskRecord =>
      store.tasks.approve(
        id,
        model.now,
        (usage) => {
          seen = usage.count("c", 0)
          return { verdict: isApproved ? APPROVE : REJECT, debits: [{ counter: "c", amount }] }
        },
        () => [event(`a${id}`, "y")],
      )
    if (task === undefined) return expect(codeOf(action)).toBe("E-STO-026")
    const isOpen = task.state === "claimed"
    const before = [...model.tasks.values()].reduce((sum, other) => sum + other.debited, 0)
    if (isOpen) {
      task.state = isApproved ? "approved" : "rejected"
      task.isApproved = isApproved
      task.debited = isApproved ? amount : 0
      task.updatedMs = model.now
      post(model, `a${id}`, "y")
    }
    expect(action().state).toBe(task.state)
    expect(seen).toBe(isOpen ? before : -1)
  })

/** `amount`: what the rules ask for by now; undefined where they refuse. */
const start = (id: string, attempt: number, ecdsa: boolean, amount: number | undefined): Command =>
  command(`start(${id},${attempt},${ecdsa},${amount})`, (model, { store }) => {
    const task = model.tasks.get(id)
    let seen = -1
    const code = codeOf(() =>
      store.tasks.startSession(sessionOf(id, attempt, { ecdsa }), model.now, (usage) => {
        seen = usage.count("c", 0)
        return amount === undefined
          ? { verdict: REJECT, debits: [{ counter: "c", amount: 1 }] }
          : { verdict: APPROVE, debits: [{ counter: "c", amount }] }
      }),
    )
    if (task === undefined) expect(code).toBe("E-STO-026")
    else if (!["approved", "running", "emitted"].includes(task.state)) expect(code).toBe("E-STO-025")
    else if (attempt <= task.attempt) expect(code).toBe("E-TSK-019")
    else {
      const others = [...model.tasks.values()].reduce((sum, other) => sum + (other === task ? 0 : other.debited), 0)
      expect(seen).toBe(others)
      expect(code).toBe(amount === undefined ? "E-TSK-030" : "none")
      if (amount === undefined) return
      task.debited = amount
      task.state = task.state === "emitted" ? "emitted" : "running"
      task.attempt = attempt
      task.updatedMs = model.now
      // The command is "start and end": sessions cut off by a restart have a test of their own.
      const how = attempt % 2 === 0 ? "crashed" : "done"
      const unproven = how === "crashed" ? [partyNo(1 + (attempt % 4) / 2)] : []
      store.tasks.endSession(sessionOf(id, attempt).sid, how, model.now, unproven)
      store.tasks.endSession(sessionOf(id, attempt).sid, "crashed", model.now, [partyNo(2)])
      for (const peer of unproven) countUnproven(model, peer)
    }
  })

function countUnproven(model: Model, peer: PartyId): void {
  const count = (model.unproven.get(peer) ?? 0) + 1
  model.unproven.set(peer, count)
  if (count > 8) model.groups.get(toHex(epochNo(0)))?.hasOt.delete(peer)
}

const emit = (id: string): Command =>
  command(`emit(${id})`, (model, { store }) => {
    const task = model.tasks.get(id)
    const code = codeOf(() => store.tasks.emitted(id, bytesOf(1), model.now))
    if (task === undefined) return expect(code).toBe("E-STO-026")
    if (task.state !== "running" && task.state !== "emitted") return expect(code).toBe("E-STO-025")
    expect(code).toBe("none")
    if (!task.emitted) task.updatedMs = model.now
    task.state = "emitted"
    task.emitted = true
  })

const finish = (id: string, state: "completed" | "failed" | "cancelled"): Command =>
  command(`finish(${id},${state})`, (model, { store }) => {
    const task = model.tasks.get(id)
    const end =
      state === "completed"
        ? { state, outcome: { type: "signatures" as const, signatures: [] } }
        : { state, code: "E-TSK-020", reason: "r" }
    const code = codeOf(() => store.tasks.finish(id, end, model.now, [event(`f${id}`, "x")]))
    if (task === undefined) return expect(code).toBe("E-STO-026")
    if (task.state === state) return expect(code).toBe("none")
    if (FINAL.includes(task.state) || (task.state === "claimed" && state === "completed")) {
      return expect(code).toBe("E-STO-025")
    }
    expect(code).toBe("none")
    task.state = state
    task.updatedMs = model.now
    if (state !== "completed" && !task.emitted) task.debited = 0
    post(model, `f${id}`, "x")
  })

const deliver = (id: string): Command =>
  command(`delivered(${id})`, (model, { store }) => {
    store.tasks.delivered(id)
    const task = model.tasks.get(id)
    if (task !== undefined && FINAL.includes(task.state)) task.delivered = true
  })

const prune = (isLate: boolean): Command =>
  command(`prune(${isLate})`, (model, { store }) => {
    const deadline = 10_000 + REPLAY_MS
    const beforeMs = isLate ? deadline + 1 : deadline
    const refusedMs = isLate ? model.now : 0
    const gone = [...model.tasks].filter(
      ([, task]) =>
        FINAL.includes(task.state) && (task.isApproved ? isLate && task.delivered : task.updatedMs < refusedMs),
    )
    expect(store.tasks.prune({ deliveredMs: beforeMs, undeliveredMs: 0, refusedMs })).toBe(gone.length)
    for (const [id] of gone) model.tasks.delete(id)
  })

const sending = (server: string, what: "attempted" | "delivered" | "failed"): Command =>
  command(`${what}(${server})`, (model, { store }) => {
    const letter = store.outbox.next(server)
    if (letter === undefined) return
    store.outbox.attempted(server, letter.seq, 77)
    expect(store.outbox.next(server)).toEqual({ ...letter, attempts: letter.attempts + 1, lastMs: 77 })
    if (what === "attempted") return
    store.outbox[what](server, letter.seq)
    model.pending.get(server)?.shift()
    if (what === "failed") model.failed.set(server, (model.failed.get(server) ?? 0) + 1)
  })

const CREATED = [1000, 1002, 1001, 1002]
const epochOf = (n: number) => toHex(epochNo(n))

const prepare = (n: number): Command =>
  command(`prepare(${n})`, (model, { store }) => {
    const known = model.groups.get(epochOf(n))
    const isWhole = known === undefined || (known.status !== "SUPERSEDED" && known.hasOt.size === 2)
    const group = groupNo("g", n, { createdMs: CREATED[n] ?? 0 })
    const code = codeOf(() => store.groups.prepare(group, groupSecret(n)))
    if (known?.status === "ERASED") return expect(code).toBe("E-STO-021")
    expect(code).toBe(isWhole ? "none" : "E-STO-022")
    expect(codeOf(() => store.groups.prepare({ ...group, threshold: 3 }, groupSecret(n)))).toBe("E-STO-022")
    expect(codeOf(() => store.groups.prepare(group, groupSecret(n + 9)))).toBe("E-STO-022")
    if (known !== undefined) return
    const peers = new Set([partyNo(1), partyNo(2)])
    model.groups.set(epochOf(n), { createdMs: CREATED[n] ?? 0, status: "PREPARED", certified: false, hasOt: peers })
  })

const activate = (n: number): Command =>
  command(`activate(${n})`, (model, { store }) => {
    const group = model.groups.get(epochOf(n))
    const code = codeOf(() => store.groups.activate("g", epochNo(n), [bytesOf(1)]))
    if (group === undefined) return expect(code).toBe("E-STO-020")
    expect(code).toBe("none")
    // An erased epoch that never had a certificate has none now: its share is gone.
    if (group.status !== "ERASED") group.certified = true
    rank(model)
    checkSecrets(model, store)
  })

const isLive = (group: ModelGroup): boolean => group.certified && group.status !== "ERASED"

function rank(model: Model): void {
  const certified = [...model.groups].filter(([, group]) => isLive(group))
  const [newest] = certified.sort(
    ([a, x], [b, y]) => y.createdMs - x.createdMs || compareBytes(Buffer.from(b, "hex"), Buffer.from(a, "hex")),
  )
  for (const [id, group] of certified) {
    group.status = id === newest?.[0] ? "ACTIVE" : "SUPERSEDED"
    if (group.status === "SUPERSEDED") group.hasOt = new Set()
  }
}

function checkSecrets(model: Model, store: Store): void {
  for (let n = 0; n < CREATED.length; n++) {
    const group = model.groups.get(epochOf(n))
    const code = codeOf(() => store.groups.open("g", epochNo(n)))
    expect(codeOf(() => store.groups.encodedSecret("g", epochNo(n)).fill(0))).toBe(code)
    if (group === undefined) expect(code).toBe("E-STO-020")
    else if (group.status === "ERASED") expect(code).toBe("E-STO-021")
    else {
      const secret = store.groups.open("g", epochNo(n))
      const whole = reveal(groupSecret(n)) as { share: string; pairs: { peer: PartyId }[] }
      const pairs = group.status === "SUPERSEDED" ? [] : whole.pairs
      const left = pairs.map((p) => (group.hasOt.has(p.peer) ? p : { ...p, otAlice: undefined, otBob: undefined }))
      const encoded = store.groups.encodedSecret("g", epochNo(n))
      expect(encoded).toEqual(encodeGroupSecret(secret))
      expect(encoded.buffer.byteLength).toBe(encoded.length) // handed over whole, and nothing beside it
      expect(reveal(secret)).toEqual({ share: whole.share, pairs: left })
    }
  }
  expect(store.groups.active("g")?.epochId).toEqual(
    [0, 1, 2, 3].filter((n) => model.groups.get(epochOf(n))?.status === "ACTIVE").map(epochNo)[0] as never,
  )
}

const outranked = (model: Model, id: string, group: ModelGroup): boolean =>
  [...model.groups].some(
    ([other, { status, createdMs }]) =>
      status === "ACTIVE" && (createdMs > group.createdMs || (createdMs === group.createdMs && other > id)),
  )

const erase = (n: number): Command =>
  command(`erase(${n})`, (model, { store }) => {
    const group = model.groups.get(epochOf(n))
    const code = codeOf(() => store.groups.erase("g", epochNo(n)))
    if (group === undefined) return expect(code).toBe("E-STO-020")
    const may = group.status === "ERASED" || outranked(model, epochOf(n), group)
    expect(code).toBe(may ? "none" : "E-STO-023")
    if (may) group.status = "ERASED"
    checkSecrets(model, store)
  })

const drop = command("dropUncertifiedKeygen", (model, { store }) => {
  const first = model.groups.get(epochOf(0))
  const isDropped = first?.status === "PREPARED"
  expect(store.groups.dropUncertifiedKeygen("g")).toBe(isDropped ? 1 : 0)
  if (isDropped) model.groups.delete(epochOf(0))
})

const ban = (n: number): Command =>
  command(`ban(${n})`, (model, { store }) => {
    const peer = partyNo(n)
    const one = {
      groupId: "g",
      epochId: epochNo(0),
      peer,
      reason: `r${model.now}`,
      sid: bytesOf(2),
      bannedMs: model.now,
    }
    const first = store.bans.list().find((known) => known.peer === peer)
    store.bans.add(one)
    expect(store.bans.list().find((known) => known.peer === peer)).toEqual(first ?? one)
    if (!model.banned.has(peer)) model.groups.get(epochOf(0))?.hasOt.delete(peer)
    model.banned.add(peer)
    checkSecrets(model, store)
  })

const restart = command("restart", (model, real) => {
  const { generation } = real.store
  real.store.close()
  real.store = real.folder.open()
  real.store.outbox.subscribe(SERVERS)
  expect(real.store.generation).toBe(generation)
  real.store.verify()
  checkSecrets(model, real.store)
})

const id = fc.constantFrom("t1", "t2", "tä3")
const n = fc.nat(3)
const commands = [
  fc.record({ id, digest: fc.constantFrom("aa", "bb") }).map((a) => claim(a.id, a.digest)),
  fc.record({ id, ok: fc.boolean(), amount: fc.nat(9) }).map((a) => approve(a.id, a.ok, a.amount)),
  fc
    .record({ id, attempt: fc.nat(12), ecdsa: fc.boolean(), amount: fc.option(fc.nat(3), { nil: undefined, freq: 8 }) })
    .map((a) => start(a.id, a.attempt, a.ecdsa, a.amount)),
  id.map(emit),
  fc
    .record({ id, state: fc.constantFrom("completed", "failed", "cancelled") })
    .map((a) => finish(a.id, a.state as "failed")),
  id.map(deliver),
  fc.boolean().map(prune),
  fc
    .record({ server: fc.constantFrom("a", "b"), what: fc.constantFrom("attempted", "delivered", "failed") })
    .map((a) => sending(a.server, a.what as "failed")),
  n.map(prepare),
  n.map(activate),
  n.map(erase),
  fc.constant(drop),
  fc.constantFrom(1, 2).map(ban),
  fc.constant(restart),
]

test(
  "journal, groups, bans and outbox behave as the model, across restarts",
  () => {
    fc.assert(
      fc.property(fc.commands(commands, { maxCommands: 120, size: "max" }), (all) => {
        using folder = new Folder()
        const real: Real = { folder, store: folder.create() }
        real.store.outbox.subscribe(SERVERS)
        const model: Model = {
          now: 0,
          tasks: new Map(),
          groups: new Map(),
          banned: new Set(),
          unproven: new Map(),
          pending: new Map(),
          failed: new Map(),
        }
        try {
          fc.modelRun(() => ({ model, real }), all)
        } finally {
          real.store.close()
        }
      }),
      { seed: 20_261_122, numRuns: process.env["COSIGNER_LONG"] === "1" ? 2_000 : 30 },
    )
  },
  process.env["COSIGNER_LONG"] === "1" ? 7_200_000 : 120_000,
)
