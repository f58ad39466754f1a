/**
 * The course of every task that runs a protocol, top to bottom: check, rules, callback servers, approve, attempts, finish.
 * What differs by type is in its Plan. Claiming is runner.ts's; here a task is in the journal already.
 */
import type { Bytes } from "../bytes.ts"
import { CosignerError, describe } from "../errors.ts"
import type { PartyId } from "../keys/party.ts"
import { verifyCertificate } from "../mpc/dkg/certificate.ts"
import type { Ending } from "../mpc/session.ts"
import type { Verdict } from "../policy/verdict.ts"
import type { TaskOutcome } from "../wire/frames.ts"
import { nodeIdOf } from "../wire/nodeId.ts"
import type { Task } from "../wire/task.ts"
import { type Attempt, beginAttempt } from "./attempt.ts"
import type { CheckLocks } from "./checks.ts"
import { groupOutcome, planKeyGen } from "./keygen.ts"
import { planKeyReshare } from "./keyreshare.ts"
import { planKeyShareSign } from "./keyshareSign.ts"
import { planKeySign } from "./keysign.ts"
import { type Mailbox, mailbox } from "./mailbox.ts"
import { isRefusal, type LonePlan, type Plan, type Refusal, refuse } from "./plan.ts"
import type { Decision, Finish, OutboxEvent, TaskPorts, TaskRecord, TaskStatus } from "./ports.ts"
import { attemptEnded, isFinal, reportOf } from "./report.ts"
import { retireBefore } from "./succession.ts"

type Command =
  | { readonly kind: "start"; readonly attempt: number }
  | { readonly kind: "certificate"; readonly acks: readonly Bytes[] }

/** How long after a failure of the store the end of a task is tried to be recorded again. */
const RECORD_AGAIN_MS = 5_000

/** Envelopes kept for an attempt that is about to begin: more than 32 participants send in a round, with room for replays. */
const MAX_EARLY = 128
/** The same in bytes: 31 peers with the first round of a batch of 32 ECDSA signatures, the most there is. */
const MAX_EARLY_BYTES = 2 * 1024 * 1024

export interface Course {
  readonly task: Task
  start(attempt: number): void
  certificate(acks: readonly Bytes[]): void
  deliver(envelope: Bytes): void
  cancel(reason: string): void
  /** Stops without an ending: the node goes down, and the task goes on after the next start. */
  suspend(): void
  /** A peer was banned: a running attempt of this epoch with it ends at once. */
  banned(groupId: string, peer: PartyId): void
  /** Never rejects. */
  readonly over: Promise<void>
}

export function planOf(task: Task, ports: TaskPorts): Plan | LonePlan | Refusal {
  switch (task.type) {
    case "KeyGen":
      return planKeyGen(task, ports)
    case "KeySign":
      return planKeySign(task, ports)
    case "KeyReshare":
      return planKeyReshare(task, ports)
    case "KeyShareSign":
      return planKeyShareSign(task, ports)
  }
}

export function beginCourse(
  task: Task,
  claimed: TaskRecord,
  ports: TaskPorts,
  locks: CheckLocks,
  onBan: (groupId: string, peer: PartyId) => void,
): Course {
  const commands: Mailbox<Command> = mailbox()
  const cancelled = new AbortController()
  const suspended = new AbortController()
  const alarm = ports.alarm(task.deadline_ms)
  const stop = AbortSignal.any([alarm.signal, cancelled.signal, suspended.signal])
  // The attempts asked for and begun last, and what the others already sent for one while this node was getting there.
  let asked = claimed.attempt
  let begunLast = claimed.attempt
  const early: Bytes[] = []
  const hasRoom = (envelope: Bytes): boolean =>
    early.length < MAX_EARLY && early.reduce((sum, { length }) => sum + length, envelope.length) <= MAX_EARLY_BYTES
  let current: { readonly number: number; readonly attempt: Attempt; readonly plan: Plan } | undefined

  const eventsAt = (status: TaskStatus, failedReason: string, outcome?: TaskOutcome): readonly OutboxEvent[] =>
    ports.eventsFor({ task, status, failedReason, outcome, atMs: ports.now() })

  function finish(end: Finish): void {
    const events =
      end.state === "completed"
        ? eventsAt(190, "", end.outcome)
        : eventsAt(end.state === "cancelled" ? 180 : end.state === "rejected" ? 160 : 170, `${end.code} ${end.reason}`)
    const record = ports.journal.finish(task.task_id, end, ports.now(), events)
    tellEnd(record, ports)
    ports.send(reportOf(record))
  }
  const fail = (why: Refusal): void => finish({ state: "failed", ...why })

  /** The ending that a fired `stop` asks for; none when the node merely goes down. */
  function finishStopped(): void {
    if (suspended.signal.aborted) return
    if (!cancelled.signal.aborted) return fail(refuse("E-TSK-004", { deadlineMs: task.deadline_ms }))
    finish({ state: "cancelled", ...refuse("E-TSK-005", { reason: String(cancelled.signal.reason) }) })
  }

  async function decide(plan: Plan | LonePlan): Promise<TaskRecord> {
    const embedded = ports.risk.evaluate(task, plan.group, ports.journal.usage, ports.now())
    const asked =
      embedded.verdict.action === "approve" ? await ports.risk.ask(task, plan.group, stop) : embedded.verdict
    if (stop.aborted) return claimed
    return ports.journal.approve(
      task.task_id,
      ports.now(),
      (usage) => both(ports.risk.evaluate(task, plan.group, usage, ports.now()), asked),
      (verdict) =>
        verdict.action === "approve" ? eventsAt(140, "") : eventsAt(160, `${verdict.code} ${verdict.reason}`),
    )
  }

  /** Runs attempts as WaaS starts them, until one ends the task. */
  async function attempts(approved: TaskRecord): Promise<void> {
    let record = approved
    for (;;) {
      const command = await commands.next(stop)
      if (command === undefined || stop.aborted) return finishStopped()
      if (command.kind === "certificate") {
        const outcome = certified(task, command.acks, ports)
        if (outcome !== undefined) return finish({ state: "completed", outcome })
        continue
      }
      if (command.attempt <= record.attempt) {
        ports.send(attemptEnded(record, refuse("E-TSK-019", { attempt: command.attempt, highest: record.attempt })))
        continue
      }
      const over = await attempt(command.attempt)
      if (over) return
      record = ports.journal.get(task.task_id) ?? record
    }
  }

  /** Whether the task is over. */
  async function attempt(number: number): Promise<boolean> {
    const plan = planOf(task, ports) // anew: a ban or a new epoch may have come since the approval
    if (isRefusal(plan)) {
      fail(plan)
      return true
    }
    if (plan.kind === "alone") {
      finish({ state: "completed", outcome: plan.outcome() })
      return true
    }
    const begun = beginAttempt(task.task_id, number, plan, ports, locks, {
      // Only what would be remembered is said: a node that dies before this has not begun, and WaaS must not believe it has.
      begun: () => ports.send({ ...reportOf(recordOf(task, ports)), status: 140, attempt: number }),
      ban: onBan,
    })
    current = { number, attempt: begun, plan }
    begunLast = number
    const { session } = begun
    for (const envelope of early.splice(0)) session.deliver(envelope)
    const limit = plan.kind === "sign" ? ports.limits.signSessionMs : ports.limits.setupSessionMs
    using timeout = ports.alarm(Math.min(task.deadline_ms, ports.now() + limit))
    const onTimeout = (): void => session.cancel("deadline")
    const onStop = (): void => session.cancel("cancelled")
    timeout.signal.addEventListener("abort", onTimeout, { once: true })
    stop.addEventListener("abort", onStop, { once: true })
    const ending = await begun.ended
    current = undefined
    stop.removeEventListener("abort", onStop)
    return settle(ending, number, plan)
  }

  function settle(ending: Ending, number: number, plan: Plan): boolean {
    if (ending.kind === "done") {
      // A signature of this epoch with a part of ours: the shares that came before it are not needed again (tss.md 6.4).
      if (plan.kind === "sign" && plan.group !== undefined) retireBefore(plan.group, ports)
      finish({ state: "completed", outcome: plan.outcome(ending.result) })
      return true
    }
    if (stop.aborted) {
      finishStopped()
      return true
    }
    if (ending.kind === "blamed" && ending.blame.kind !== "SESSION") {
      fail(refuse("E-TSK-015", { kind: ending.blame.kind, parties: ending.blame.parties.map(nodeIdOf) }))
      return true
    }
    ports.send(attemptEnded(recordOf(task, ports), refuse("E-TSK-014", { attempt: number, reason: whyNot(ending) })))
    return false
  }

  async function run(): Promise<void> {
    const plan = planOf(task, ports)
    if (isRefusal(plan)) return fail(plan)
    if (stop.aborted) return finishStopped()
    const record = claimed.state === "claimed" ? await decide(plan) : claimed
    if (stop.aborted) return finishStopped()
    if (record.state === "running" || record.state === "emitted") {
      const why = refuse("E-TSK-014", { attempt: record.attempt, reason: "the node was restarted" })
      ports.send(attemptEnded(record, why))
    } else {
      ports.send(reportOf(record))
    }
    if (record.state === "rejected") return tellEnd(record, ports)
    if (record.state === "approved") ports.log.info(`${task.type} task approved`, { task: task.task_id })
    await attempts(record)
  }

  /** Fails the task, as soon as the store lets it: a disk that is full now has room later, and no task stays without an end. */
  async function broken(error: unknown): Promise<void> {
    ports.log.error("task stopped", { task: task.task_id, error: textOf(error) })
    const why = refuse("E-TSK-020", { reason: error instanceof CosignerError ? error.code : "an internal error" })
    while (!suspended.signal.aborted) {
      try {
        if (!isFinal(recordOf(task, ports).state)) fail(why)
        return
      } catch (again) {
        ports.log.warn("the end of a task could not be recorded", { task: task.task_id, error: textOf(again) })
        using later = ports.alarm(ports.now() + RECORD_AGAIN_MS)
        await fired(AbortSignal.any([later.signal, suspended.signal]))
      }
    }
  }

  const over = run()
    .catch(broken)
    .finally(() => alarm[Symbol.dispose]())

  return {
    task,
    start: (number) => {
      if (current !== undefined && number <= current.number) {
        ports.send({ ...reportOf(recordOf(task, ports)), attempt: current.number })
        return
      }
      asked = Math.max(asked, number)
      commands.put({ kind: "start", attempt: number })
      // A higher attempt ends the one that runs; the loop then takes the command up.
      current?.attempt.session.cancel("cancelled")
    },
    certificate: (acks) => {
      commands.put({ kind: "certificate", acks })
      current?.attempt.session.cancel("cancelled")
    },
    deliver: (envelope) => {
      current?.attempt.session.deliver(envelope)
      // Peers that were faster to begin an attempt do not say again what they said; what is not of its session it drops.
      if (asked > begunLast && hasRoom(envelope)) early.push(envelope)
    },
    cancel: (reason) => cancelled.abort(reason),
    suspend: () => suspended.abort(),
    banned: (groupId, peer) => {
      if (current?.plan.group?.groupId === groupId && current.plan.ecdsa && current.plan.participants.includes(peer)) {
        current.attempt.session.cancel("cancelled")
      }
    },
    over,
  }
}

export const textOf = (error: unknown): string => (error instanceof CosignerError ? describe(error) : String(error))

function fired(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve()
    else signal.addEventListener("abort", () => resolve(), { once: true })
  })
}

/** Approves only what both mechanisms approve; every rule's outcome is kept. */
function both(embedded: Decision, callbacks: Verdict): Decision {
  if (embedded.verdict.action !== "approve") return embedded
  const rules = callbacks === embedded.verdict ? callbacks.rules : [...embedded.verdict.rules, ...callbacks.rules]
  return { verdict: { ...callbacks, rules }, debits: embedded.debits }
}

/** One line per task; the words of the first are what scripts look for. */
function tellEnd(record: TaskRecord, ports: TaskPorts): void {
  const session = `${record.taskId}:${record.attempt}`
  if (record.state === "completed") ports.log.info(`${record.type} task completed in session ${session}`, {})
  else ports.log.warn(`${record.type} task ${record.state}`, { session, code: record.code, reason: record.reason })
}

function recordOf(task: Task, ports: TaskPorts): TaskRecord {
  const record = ports.journal.get(task.task_id)
  if (record === undefined) throw new CosignerError("E-CLI-001", { what: "a running task is not in the journal" })
  return record
}

function whyNot(ending: Exclude<Ending, { kind: "done" }>): string {
  switch (ending.kind) {
    case "blamed":
      return ending.blame.reason
    case "deadline":
      return "the other participants did not answer in time"
    case "cancelled":
      return "it was cancelled"
    case "crashed":
      return "the session broke off on this node"
  }
}

/** The group of a certificate that this node had promised and lacked the acks of; undefined if the acks prove nothing. */
export function certified(task: Task, acks: readonly Bytes[], ports: TaskPorts): TaskOutcome | undefined {
  if (task.type !== "KeyGen" && task.type !== "KeyReshare") return undefined
  const groupId = task.type === "KeyGen" ? task.group_id : task.new_group_id
  const ofGroup = ports.groups.list().filter((group) => group.groupId === groupId)
  // A first key is made once: the acks of an attempt that was given up may come to light long after another one made it.
  // Epochs of a reshare are of one key, and rank decides between them.
  if (task.type === "KeyGen" && ofGroup.some((group) => group.status !== "PREPARED")) return undefined
  const epochs = ofGroup.filter((group) => group.certificate === undefined)
  const proven = epochs.find((group) => verifyCertificate(group, acks))
  return proven && groupOutcome(ports.groups.activate(proven.groupId, proven.epochId, acks))
}
