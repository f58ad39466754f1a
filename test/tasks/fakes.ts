/**
 * The world of a task in memory: the ports of src/tasks/ports.ts over Maps, a clock that tests move, and sessions that
 * tests end. The semantics are those of the port documentation, as plainly as they can be written.
 */

import { ed25519 } from "@noble/curves/ed25519.js"
import { copy, toHex, utf8 } from "../../src/bytes.ts"
import { sha256 } from "../../src/crypto/frame.ts"
import { systemRng } from "../../src/crypto/random.ts"
import { CosignerError } from "../../src/errors.ts"
import type { GroupPublic, GroupSecret } from "../../src/keys/group.ts"
import { decodeGroupSecret, encodeGroupSecret } from "../../src/keys/groupCodec.ts"
import { type PartyId, partyOf } from "../../src/keys/party.ts"
import { DEFAULT_PATH_RULES } from "../../src/keys/pathRule.ts"
import { silentLog } from "../../src/log.ts"
import type { EncodedSpec, Ending, HostIo } from "../../src/mpc/session.ts"
import { type Decision, type IsSpent, NO_USAGE, type SpentWord } from "../../src/policy/decision.ts"
import type { Verdict } from "../../src/policy/verdict.ts"
import { Secret } from "../../src/secret.ts"
import type { Freeze } from "../../src/tasks/freeze.ts"
import { DEFAULT_INTENT_SETTINGS } from "../../src/tasks/intents.ts"
import type {
  Ban,
  BanPort,
  GroupPort,
  OutboxEvent,
  RiskPort,
  SessionRow,
  StartSession,
  Strike,
  TaskPort,
  TaskPorts,
  TaskRecord,
} from "../../src/tasks/ports.ts"
import { isFinal } from "../../src/tasks/ports.ts"
import type { FromNode } from "../../src/wire/frames.ts"
import { TestClock } from "../support/clock.ts"

export const party = (n: number): PartyId => {
  const id = partyOf(ed25519.getPublicKey(sha256(utf8(`party ${n}`))))
  if (id === undefined) throw new Error("32 bytes are a party")
  return id
}

export const approved: Verdict = { action: "approve", code: "", reason: "", rules: [] }
export const rejected: Verdict = { action: "reject", code: "E-RSK-001", reason: "a rule says no", rules: [] }

export interface FakeSession {
  readonly spec: EncodedSpec
  readonly io: HostIo
  readonly delivered: Uint8Array[]
  cancelledFor: string | undefined
  end(ending: Ending): void
}

export interface World {
  readonly ports: TaskPorts
  /** In order: what was made durable and what was sent, so that a test can say "before". */
  readonly trace: string[]
  readonly sent: FromNode[]
  readonly sessions: FakeSession[]
  readonly asked: { signal: AbortSignal; answer: (verdict: Verdict) => void }[]
  readonly records: Map<string, TaskRecord>
  /** Of people, consumed by the verdict on each task. */
  readonly words: Map<string, readonly SpentWord[]>
  readonly rows: SessionRow[]
  readonly bans: Ban[]
  readonly strikes: Strike[]
  readonly events: OutboxEvent[]
  /** Codes of tasks that were refused without a record. */
  readonly unrecorded: string[]
  /** Each time that WaaS commanded something about a task, and how much had been sent by then. */
  readonly commanded: { readonly taskId: string; readonly sent: number }[]
  readonly groups: GroupPublic[]
  /** Ids of groups whose ECDSA waits for a refresh. */
  readonly awaiting: Set<string>
  evaluate: RiskPort["evaluate"]
  /** What the clock's port says. */
  clockOff: ReturnType<TaskPorts["clockOff"]>
  /** What its port says of every group. */
  frozen: Freeze | undefined
  doubt: { readonly from: string } | undefined
  readonly clock: TestClock
  /** Moves the clock and fires the alarms that are due. */
  advance(ms: number): void
  /** The next frame of that kind that is sent from now on. */
  nextReport(): Promise<Extract<FromNode, { kind: "report" }>>
}

export function world(
  self: PartyId,
  shared?: Partial<Pick<World, "records" | "rows" | "bans" | "groups" | "words">>,
  startSession?: StartSession,
): World {
  const clock = new TestClock(1_795_000_000_000)
  const debits = new Map<string, { counter: string; amount: number; at: number }[]>()
  const waiting: ((report: Extract<FromNode, { kind: "report" }>) => void)[] = []
  const unread: Extract<FromNode, { kind: "report" }>[] = []
  const records = shared?.records ?? new Map<string, TaskRecord>()
  const words = shared?.words ?? new Map<string, readonly SpentWord[]>()
  const waits = new Map<string, string>()
  const rows = shared?.rows ?? []
  const bans = shared?.bans ?? []
  const strikes: Strike[] = []
  const groups = shared?.groups ?? []
  const shares = new Map<string, Uint8Array>()
  const trace: string[] = []
  const sent: FromNode[] = []
  const sessions: FakeSession[] = []
  const asked: World["asked"] = []
  const events: OutboxEvent[] = []
  const unrecorded: string[] = []
  const commanded: World["commanded"] = []

  const need = (taskId: string): TaskRecord => {
    const record = records.get(taskId)
    if (record === undefined) throw new Error(`no task ${taskId}`)
    return record
  }
  const put = (record: TaskRecord): TaskRecord => {
    records.set(record.taskId, record)
    trace.push(`journal ${record.state}`)
    return record
  }
  const usage = {
    ...NO_USAGE,
    count: (counter: string, sinceMs: number) =>
      [...debits.values()]
        .flat()
        .filter((debit) => debit.counter === counter && debit.at >= sinceMs)
        .reduce((sum, debit) => sum + debit.amount, 0),
  }

  const journal: TaskPort = {
    usage,
    claim(task) {
      const known = records.get(task.taskId)
      if (known !== undefined) return { kind: known.digest === task.digest ? "known" : "conflict", record: known }
      events.push(...task.events)
      const { taskId, digest, type, document, deadlineMs } = task
      const record = put({
        taskId,
        digest,
        type,
        document,
        deadlineMs,
        state: "claimed",
        attempt: 0,
        claimedMs: task.nowMs,
        updatedMs: task.nowMs,
        verdict: undefined,
        code: "",
        reason: "",
        outcome: undefined,
        delivered: false,
      })
      return { kind: "new", record }
    },
    forsake: () => false,
    async approve(taskId, at, decide, eventsOf) {
      const record = need(taskId)
      if (record.state !== "claimed") return record
      const isSpent: IsSpent = ({ approver, nonce }) =>
        [...words].some(
          ([by, list]) => by !== taskId && list.some((word) => word.nonce === nonce && word.approver === approver),
        )
      const { verdict, debits: asks, words: spent = [] } = decide(usage, isSpent)
      words.set(taskId, spent)
      events.push(...eventsOf(verdict))
      if (verdict.action === "approve")
        debits.set(
          taskId,
          asks.map(({ counter, amount }) => ({ counter, amount: Number(amount), at })),
        )
      const { code, reason } = verdict
      return put({ ...record, verdict, code, reason, state: verdict.action === "approve" ? "approved" : "rejected" })
    },
    async startSession(row, at, decide) {
      if (rows.some((other) => toHex(other.sid) === toHex(row.sid))) throw new Error("sid known")
      if (row.attempt <= need(row.taskId).attempt) throw new Error("attempt not above")
      const own = debits.get(row.taskId) ?? []
      debits.delete(row.taskId)
      const { verdict, debits: asks } = decide(usage)
      debits.set(row.taskId, own)
      if (verdict.action !== "approve") throw new CosignerError("E-TSK-030", verdict)
      const kept = own.filter(({ counter }) => !asks.some((debit) => debit.counter === counter))
      debits.set(
        row.taskId,
        [...kept, ...asks].map(({ counter, amount }) => ({ counter, amount: Number(amount), at })),
      )
      rows.push(row)
      put({ ...need(row.taskId), state: "running", attempt: row.attempt })
    },
    endSession: async (_sid, how, _at, unproven) => {
      trace.push(`session ${how}${unproven.length > 0 ? `, unproven: ${unproven.join(" ")}` : ""}`)
    },
    async emitted(taskId) {
      const record = need(taskId)
      if (record.state !== "running" && record.state !== "emitted") throw new Error(`${record.state} emits nothing`)
      put({ ...record, state: "emitted" })
    },
    async finish(taskId, end, at, more, closing) {
      if (closing !== undefined) await journal.endSession(closing, "done", at, [])
      const record = need(taskId)
      if (isFinal(record.state)) throw new Error(`finished twice: ${record.state} then ${end.state}`)
      events.push(...more)
      if (end.state !== "completed" && record.state !== "emitted") debits.delete(taskId)
      return put({
        ...record,
        state: end.state,
        updatedMs: at,
        code: end.state === "completed" ? "" : end.code,
        reason: end.state === "completed" ? "" : end.reason,
        outcome: end.state === "completed" ? end.outcome : undefined,
      })
    },
    async delivered(taskId) {
      const record = records.get(taskId)
      if (record !== undefined && isFinal(record.state)) records.set(taskId, { ...record, delivered: true })
    },
    get: (taskId) => records.get(taskId),
    words: (taskId) => words.get(taskId) ?? [],
    waits(taskId, missing, more) {
      waits.set(taskId, missing)
      events.push(...more)
    },
    waitsFor: (taskId) => waits.get(taskId) ?? "",
    list: () => [...records.values()].reverse(),
    unfinished: () => [...records.values()].filter((record) => !isFinal(record.state) || !record.delivered),
  }

  const storedSecret = (epochId: Uint8Array): GroupSecret => {
    const bytes = shares.get(toHex(epochId))
    const stored = bytes === undefined ? undefined : decodeGroupSecret(bytes)
    return stored ?? { share: Secret.take(new Uint8Array(32).fill(7)), pairs: [] }
  }
  const groupPort: GroupPort = {
    prepare: (group, secret) => {
      trace.push("group prepared")
      groups.push(group)
      shares.set(toHex(group.epochId), encodeGroupSecret(secret))
    },
    acknowledge: (group) => {
      trace.push("group acknowledged")
      groups.push(group)
    },
    retire: () => [],
    activate(groupId, epochId, certificate) {
      const at = groups.findIndex((group) => group.groupId === groupId && toHex(group.epochId) === toHex(epochId))
      const found = groups[at]
      if (found === undefined) throw new Error("no such epoch")
      const active: GroupPublic = { ...found, status: "ACTIVE", certificate }
      groups[at] = active
      trace.push("group active")
      return active
    },
    list: () => groups,
    active: (groupId) => groups.find((group) => group.groupId === groupId && group.status === "ACTIVE"),
    open: (_groupId, epochId) => storedSecret(epochId),
    encodedSecret: (_groupId, epochId) => encodeGroupSecret(storedSecret(epochId)),
  }
  const banPort: BanPort = {
    add: (ban) => {
      trace.push("ban")
      bans.push(ban)
    },
    list: () => bans,
    unusable: (groupId) => bans.filter((ban) => ban.groupId === groupId).map((ban) => ban.peer),
    awaitsRefresh: (groupId) => it.awaiting.has(groupId),
    hiddenVerdicts: () => 0,
  }

  const it: World = {
    unrecorded,
    commanded,
    clock,
    trace,
    sent,
    sessions,
    asked,
    records,
    words,
    rows,
    bans,
    strikes,
    events,
    groups,
    awaiting: new Set(),
    clockOff: undefined,
    frozen: undefined,
    doubt: undefined,
    evaluate: (): Decision => ({ verdict: approved, debits: [] }),
    advance: (ms) => clock.advance(ms),
    nextReport: () =>
      new Promise((resolve) => {
        const first = unread.shift()
        if (first === undefined) waiting.push(resolve)
        else resolve(first)
      }),
    ports: {
      self,
      journal,
      groups: groupPort,
      bans: banPort,
      strikes: {
        add: (more) => {
          trace.push("strike")
          strikes.push(...more)
        },
        refused: () =>
          [...Map.groupBy(strikes, ({ peer }) => peer)].filter(([, items]) => items.length >= 3).map(([peer]) => peer),
      },
      freezes: { over: () => it.frozen },
      logDoubt: () => it.doubt,
      commanded: (taskId) => void commanded.push({ taskId, sent: sent.length }),
      // No path implies a payload; tests of intents say otherwise.
      intents: { ...DEFAULT_INTENT_SETTINGS, chainsOf: () => [] },
      risk: {
        evaluate: (...args) => it.evaluate(...args),
        ask: (_task, _group, signal) =>
          new Promise((resolve) => {
            asked.push({ signal, answer: resolve })
            signal.addEventListener("abort", () => resolve(rejected), { once: true })
          }),
      },
      eventsFor: (change) => [
        {
          eventId: `${change.task.task_id} ${change.status}`,
          eventType: String(change.status),
          createdMs: change.atMs,
          body: "{}",
        },
      ],
      startSession(spec, io) {
        if (startSession !== undefined) return startSession(spec, io)
        const { promise, resolve } = Promise.withResolvers<Ending>()
        const session: FakeSession = { spec, io, delivered: [], cancelledFor: undefined, end: resolve }
        sessions.push(session)
        io.begin(sha256(utf8(`${spec.taskId} ${spec.attempt}`))).then(
          () => io.send(envelopeTo(undefined)),
          (error) => {
            sessions.splice(sessions.indexOf(session), 1)
            resolve({ kind: "crashed", reason: String(error) })
          },
        )
        return {
          deliver: (envelope) => void session.delivered.push(copy(envelope)),
          cancel(reason) {
            session.cancelledFor = reason
            resolve({ kind: reason })
          },
          ending: promise,
        }
      },
      send(frame) {
        sent.push(frame)
        trace.push(frame.kind === "report" ? `report ${frame.status}` : `send ${frame.kind}`)
        if (frame.kind !== "report") return
        const reader = waiting.shift()
        if (reader === undefined) unread.push(frame)
        else reader(frame)
      },
      clockOff: () => it.clockOff,
      now: clock.now,
      alarm: clock.alarm,
      log: silentLog,
      rng: systemRng,
      pathRules: DEFAULT_PATH_RULES,
      unrecorded: (_type, code) => void unrecorded.push(code),
      limits: {
        openTasks: 64,
        signSessionMs: 10_000,
        setupSessionMs: 60_000,
        batch: 32,
        journal: {
          refused: { burstBytes: 1_000_000, bytesPerDay: 1_000_000 },
          idle: { burstBytes: 1_000_000, bytesPerDay: 1_000_000 },
        },
      },
    },
  }
  return it
}

/** The smallest thing that looks like an envelope to a relay: a header with a receiver (threshold.md 12). */
/** As long as an envelope is at least, with `sender` in its place; nothing else of it is looked at before it reaches a session. */
export function envelopeFrom(sender: PartyId, length = 205): Uint8Array<ArrayBuffer> {
  const envelope = new Uint8Array(length)
  envelope.set(utf8("TSN1"))
  envelope.set(Buffer.from(sender, "hex"), 45)
  return envelope
}

export function envelopeTo(receiver: PartyId | undefined): Uint8Array<ArrayBuffer> {
  const header = new Uint8Array(4 + 2 + 3 + 4 + 32 + 32 + 32 + 32)
  header.set(utf8("TSN1"))
  if (receiver !== undefined) header.set(Buffer.from(receiver, "hex"), 77)
  return header
}
