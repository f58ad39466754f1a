/**
 * The course of every task, top to bottom: check, rules, callback servers, approve, attempts, finish. What differs by type is
 * in its Plan (kinds.ts). Claiming is runner.ts's; here a task is in the journal already.
 */
import type { Bytes } from "../bytes.ts"
import { CosignerError, describe } from "../errors.ts"
import type { PartyId } from "../keys/party.ts"
import type { Ending } from "../mpc/session.ts"
import type { Verdict } from "../policy/verdict.ts"
import type { TaskOutcome } from "../wire/frames.ts"
import { nodeIdOf } from "../wire/nodeId.ts"
import type { Task } from "../wire/task.ts"
import { type Attempt, beginAttempt } from "./attempt.ts"
import type { CheckLocks } from "./checks.ts"
import { EarlyEnvelopes } from "./early.ts"
import { certified, planOf } from "./kinds.ts"
import { type Mailbox, mailbox } from "./mailbox.ts"
import { isRefusal, type LonePlan, type Plan, type Refusal, refuse } from "./plan.ts"
import type { Alarm, Decision, Finish, OutboxEvent, TaskPorts, TaskRecord, TaskStatus } from "./ports.ts"
import { attemptEnded, isFinal, reportOf } from "./report.ts"
import { retireBefore } from "./succession.ts"

type Command =
  | { readonly kind: "start"; readonly attempt: number }
  | { readonly kind: "certificate"; readonly acks: readonly Bytes[] }

interface Running {
  readonly number: number
  readonly attempt: Attempt
  readonly plan: Plan
}

/** How long after a failure of the store the end of a task is tried to be recorded again. */
const RECORD_AGAIN_MS = 5_000

export class Course {
  readonly task: Task
  /** Resolves when there is nothing left to do for the task in this process. Never rejects. */
  readonly over: Promise<void>
  readonly #claimed: TaskRecord
  readonly #ports: TaskPorts
  readonly #locks: CheckLocks
  readonly #onBan: (groupId: string, peer: PartyId) => void
  readonly #commands: Mailbox<Command> = mailbox()
  readonly #cancelled = new AbortController()
  readonly #suspended = new AbortController()
  readonly #alarm: Alarm
  /** Fires with the deadline, a cancel, or the end of the process. */
  readonly #stop: AbortSignal
  readonly #early = new EarlyEnvelopes()
  /** The highest attempt that was asked for, and the one begun last. */
  #asked: number
  #begunLast: number
  #running: Running | undefined

  /** Begins at once. */
  constructor(
    task: Task,
    claimed: TaskRecord,
    ports: TaskPorts,
    locks: CheckLocks,
    onBan: (groupId: string, peer: PartyId) => void,
  ) {
    this.task = task
    this.#claimed = claimed
    this.#ports = ports
    this.#locks = locks
    this.#onBan = onBan
    this.#asked = claimed.attempt
    this.#begunLast = claimed.attempt
    this.#alarm = ports.alarm(task.deadline_ms)
    this.#stop = AbortSignal.any([this.#alarm.signal, this.#cancelled.signal, this.#suspended.signal])
    this.over = this.#run()
      .catch((error: unknown) => this.#broken(error))
      .finally(() => this.#alarm[Symbol.dispose]())
  }

  // ---- what the outside says ---------------------------------------------------------------------------------------

  start(number: number): void {
    if (this.#running !== undefined && number <= this.#running.number) {
      this.#ports.send({ ...reportOf(this.#record()), attempt: this.#running.number })
      return
    }
    this.#asked = Math.max(this.#asked, number)
    this.#commands.put({ kind: "start", attempt: number })
    // A higher attempt ends the one that runs; the loop then takes the command up.
    this.#running?.attempt.session.cancel("cancelled")
  }

  certificate(acks: readonly Bytes[]): void {
    this.#commands.put({ kind: "certificate", acks })
    this.#running?.attempt.session.cancel("cancelled")
  }

  deliver(envelope: Bytes): void {
    this.#running?.attempt.session.deliver(envelope)
    // Peers that were faster to begin an attempt do not say again what they said; what is not of its session it drops.
    if (this.#asked > this.#begunLast) this.#early.keep(envelope)
  }

  cancel(reason: string): void {
    this.#cancelled.abort(reason)
  }

  /** Stops without an ending: the node goes down, and the task goes on after the next start. */
  suspend(): void {
    this.#suspended.abort()
  }

  /** A peer was banned: a running attempt of this epoch with it ends at once. */
  banned(groupId: string, peer: PartyId): void {
    if (this.#running === undefined) return
    const { plan, attempt } = this.#running
    if (plan.group?.groupId === groupId && plan.ecdsa && plan.participants.includes(peer)) {
      attempt.session.cancel("cancelled")
    }
  }

  // ---- the course --------------------------------------------------------------------------------------------------

  async #run(): Promise<void> {
    const plan = planOf(this.task, this.#ports)
    if (isRefusal(plan)) return this.#fail(plan)
    if (this.#stop.aborted) return this.#finishStopped()
    const record = this.#claimed.state === "claimed" ? await this.#decide(plan) : this.#claimed
    if (this.#stop.aborted) return this.#finishStopped()
    if (record.state === "running" || record.state === "emitted") {
      const why = refuse("E-TSK-014", { attempt: record.attempt, reason: "the node was restarted" })
      this.#ports.send(attemptEnded(record, why))
    } else {
      this.#ports.send(reportOf(record))
    }
    if (record.state === "rejected") return tellEnd(record, this.#ports)
    if (record.state === "approved") {
      this.#ports.log.info(`${this.task.type} task approved`, { task: this.task.task_id })
    }
    await this.#attempts(record)
  }

  async #decide(plan: Plan | LonePlan): Promise<TaskRecord> {
    const { risk, journal, now } = this.#ports
    const embedded = risk.evaluate(this.task, plan.group, journal.usage, now())
    const asked =
      embedded.verdict.action === "approve" ? await risk.ask(this.task, plan.group, this.#stop) : embedded.verdict
    if (this.#stop.aborted) return this.#claimed
    return journal.approve(
      this.task.task_id,
      now(),
      (usage) => both(risk.evaluate(this.task, plan.group, usage, now()), asked),
      (verdict) =>
        verdict.action === "approve" ? this.#events(140, "") : this.#events(160, `${verdict.code} ${verdict.reason}`),
    )
  }

  /** Runs attempts as WaaS starts them, until one ends the task. */
  async #attempts(approved: TaskRecord): Promise<void> {
    let record = approved
    for (;;) {
      const command = await this.#commands.next(this.#stop)
      if (command === undefined || this.#stop.aborted) return this.#finishStopped()
      if (command.kind === "certificate") {
        const outcome = certified(this.task, command.acks, this.#ports)
        if (outcome !== undefined) return this.#finish({ state: "completed", outcome })
        continue
      }
      if (command.attempt <= record.attempt) {
        const why = refuse("E-TSK-019", { attempt: command.attempt, highest: record.attempt })
        this.#ports.send(attemptEnded(record, why))
        continue
      }
      if (await this.#attempt(command.attempt)) return
      record = this.#ports.journal.get(this.task.task_id) ?? record
    }
  }

  /** Whether the task is over. */
  async #attempt(number: number): Promise<boolean> {
    const plan = planOf(this.task, this.#ports) // anew: a ban or a new epoch may have come since the approval
    if (isRefusal(plan)) {
      this.#fail(plan)
      return true
    }
    if (plan.kind === "alone") {
      this.#finish({ state: "completed", outcome: plan.outcome() })
      return true
    }
    const attempt = beginAttempt(this.task.task_id, number, plan, this.#ports, this.#locks, {
      // Only what would be remembered is said: a node that dies before this has not begun, and WaaS must not believe it has.
      begun: () => this.#ports.send({ ...reportOf(this.#record()), status: 140, attempt: number }),
      ban: this.#onBan,
    })
    this.#running = { number, attempt, plan }
    this.#begunLast = number
    for (const envelope of this.#early.take()) attempt.session.deliver(envelope)
    const ending = await this.#ended(attempt, plan)
    this.#running = undefined
    return this.#settle(ending, number, plan)
  }

  /** The ending of an attempt, which its own deadline and whatever stops the task bring about. */
  async #ended({ session, ended }: Attempt, plan: Plan): Promise<Ending> {
    const { limits, now, alarm } = this.#ports
    const limit = plan.kind === "sign" ? limits.signSessionMs : limits.setupSessionMs
    using timeout = alarm(Math.min(this.task.deadline_ms, now() + limit))
    const onStop = (): void => session.cancel("cancelled")
    timeout.signal.addEventListener("abort", () => session.cancel("deadline"), { once: true })
    this.#stop.addEventListener("abort", onStop, { once: true })
    const ending = await ended
    this.#stop.removeEventListener("abort", onStop)
    return ending
  }

  /** Whether the task is over. */
  #settle(ending: Ending, number: number, plan: Plan): boolean {
    if (ending.kind === "done") {
      // A signature of this epoch with a part of ours: the shares that came before it are not needed again (tss.md 6.4).
      if (plan.kind === "sign" && plan.group !== undefined) retireBefore(plan.group, this.#ports)
      this.#finish({ state: "completed", outcome: plan.outcome(ending.result) })
      return true
    }
    if (this.#stop.aborted) {
      this.#finishStopped()
      return true
    }
    if (ending.kind === "blamed" && ending.blame.kind !== "SESSION") {
      this.#fail(refuse("E-TSK-015", { kind: ending.blame.kind, parties: ending.blame.parties.map(nodeIdOf) }))
      return true
    }
    const why = refuse("E-TSK-014", { attempt: number, reason: whyNot(ending) })
    this.#ports.send(attemptEnded(this.#record(), why))
    return false
  }

  // ---- endings -----------------------------------------------------------------------------------------------------

  #finish(end: Finish): void {
    const record = this.#ports.journal.finish(this.task.task_id, end, this.#ports.now(), this.#eventsOf(end))
    tellEnd(record, this.#ports)
    this.#ports.send(reportOf(record))
  }

  #fail(why: Refusal): void {
    this.#finish({ state: "failed", ...why })
  }

  /** The ending that a fired stop asks for; none when the node merely goes down. */
  #finishStopped(): void {
    if (this.#suspended.signal.aborted) return
    if (!this.#cancelled.signal.aborted) return this.#fail(refuse("E-TSK-004", { deadlineMs: this.task.deadline_ms }))
    const reason = String(this.#cancelled.signal.reason)
    this.#finish({ state: "cancelled", ...refuse("E-TSK-005", { reason }) })
  }

  /** Fails the task, as soon as the store lets it: a disk that is full now has room later, and no task stays without an end. */
  async #broken(error: unknown): Promise<void> {
    const { log, now, alarm } = this.#ports
    log.error("task stopped", { task: this.task.task_id, error: textOf(error) })
    const why = refuse("E-TSK-020", { reason: error instanceof CosignerError ? error.code : "an internal error" })
    while (!this.#suspended.signal.aborted) {
      try {
        if (!isFinal(this.#record().state)) this.#fail(why)
        return
      } catch (again) {
        log.warn("the end of a task could not be recorded", { task: this.task.task_id, error: textOf(again) })
        using later = alarm(now() + RECORD_AGAIN_MS)
        await fired(AbortSignal.any([later.signal, this.#suspended.signal]))
      }
    }
  }

  #eventsOf(end: Finish): readonly OutboxEvent[] {
    if (end.state === "completed") return this.#events(190, "", end.outcome)
    return this.#events(ENDED[end.state], `${end.code} ${end.reason}`)
  }

  #events(status: TaskStatus, failedReason: string, outcome?: TaskOutcome): readonly OutboxEvent[] {
    return this.#ports.eventsFor({ task: this.task, status, failedReason, outcome, atMs: this.#ports.now() })
  }

  #record(): TaskRecord {
    const record = this.#ports.journal.get(this.task.task_id)
    if (record === undefined) throw new CosignerError("E-CLI-001", { what: "a running task is not in the journal" })
    return record
  }
}

const ENDED: Readonly<Record<"rejected" | "failed" | "cancelled", TaskStatus>> = {
  rejected: 160,
  failed: 170,
  cancelled: 180,
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
