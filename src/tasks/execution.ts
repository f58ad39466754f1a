/**
 * The execution of a task from top to bottom: check, rules, people, callback servers, approval, attempts, end. What differs by task type is
 * in its Plan (kinds.ts). runner.ts has claimed the task before, so it is in the journal.
 */
import type { Bytes } from "../bytes.ts"
import { CosignerError, codeField, errorText } from "../errors.ts"
import type { Problem as IntentProblem } from "../intent/reading.ts"
import type { PartyId } from "../keys/party.ts"
import { senderOf } from "../mpc/envelope.ts"
import type { Verdict } from "../policy/verdict.ts"
import { nodeIdOf } from "../wire/nodeId.ts"
import type { StartTerms } from "../wire/signed.ts"
import type { Task } from "../wire/task.ts"
import { eventsOfVerdict, shownIntents } from "./announced.ts"
import { type Attempt, beginAttempt, type EndedAttempt } from "./attempt.ts"
import type { CheckLocks } from "./checks.ts"
import { Consent } from "./consent.ts"
import { askEverybody, decideAnew } from "./decision.ts"
import { EarlyEnvelopes } from "./early.ts"
import { isStoreFault, late, resumed, storeFault, tellEnd, tellLater, whyNot } from "./endings.ts"
import { holdDecision, releaseRefusal } from "./hold.ts"
import { type Intents, isAsApproved, isUnread, NO_INTENTS, unreadDecision } from "./intents.ts"
import { certified, intentsFor, madeOutcome, planOf } from "./kinds.ts"
import { type CommandMailbox, mailbox } from "./mailbox.ts"
import { type AttemptStart, isRefusal, type LonePlan, type Plan, refuse } from "./plan.ts"
import { type Alarm, isFinal, type TaskPorts, type TaskRecord } from "./ports.ts"
import { Postponement } from "./postponement.ts"
import { attemptEnded, reportOf } from "./report.ts"
import { SessionInbox } from "./senderQuota.ts"
import { onFired } from "./signals.ts"
import { amongSigners, isLeftBehind, planOfSigners, unableFor } from "./signers.ts"
import { retireBefore } from "./succession.ts"
import { journalled, pause, TaskEnd } from "./taskEnd.ts"

type TaskCommand =
  | { readonly kind: "start"; readonly attempt: number; readonly terms: StartTerms | undefined }
  | { readonly kind: "certificate"; readonly acks: readonly Bytes[] }

interface Running {
  readonly number: number
  readonly attempt: Attempt
  readonly plan: Plan
  readonly inbox: SessionInbox
}

export class TaskExecution {
  readonly task: Task
  /** Resolves when nothing is left to do for the task in this process. Never rejects. */
  readonly over: Promise<void>
  readonly #claimed: TaskRecord
  readonly #answered: Verdict | undefined
  readonly #ports: TaskPorts
  readonly #locks: CheckLocks
  readonly #onBan: (groupId: string, peer: PartyId) => void
  readonly #commands: CommandMailbox<TaskCommand> = mailbox()
  readonly #cancelled = new AbortController()
  readonly #suspended = new AbortController()
  readonly #alarm: Alarm
  /** Fires at the deadline, on a cancel or veto, and when the node stops. */
  readonly #stop: AbortSignal
  readonly #early = new EarlyEnvelopes()
  readonly #consent: Consent
  readonly #postponement: Postponement
  #vetoed: string | undefined
  /** The highest attempt that WaaS asked for, and the attempt begun last. */
  #asked: number
  #begunLast: number
  #running: Running | undefined
  /** The intents of the task's payloads; empty until they are read. */
  #intents: Intents = NO_INTENTS
  readonly #end: TaskEnd

  /** Begins at once. `answered` is the verdict if the task was decided before its claim (admissionDecision.ts). */
  constructor(
    task: Task,
    claimed: TaskRecord,
    ports: TaskPorts,
    locks: CheckLocks,
    onBan: (groupId: string, peer: PartyId) => void,
    answered?: Verdict,
  ) {
    this.task = task
    this.#claimed = claimed
    this.#answered = answered
    this.#ports = ports
    this.#locks = locks
    this.#onBan = onBan
    this.#consent = new Consent(task, claimed.digest, ports, (reason) => {
      this.#vetoed = reason
      this.#cancelled.abort(reason)
    })
    this.#end = new TaskEnd(task, ports, () => this.#intents)
    this.#postponement = new Postponement(task, claimed.digest, ports)
    this.#asked = claimed.attempt
    this.#begunLast = claimed.attempt
    this.#alarm = ports.alarm(task.deadline_ms)
    this.#stop = AbortSignal.any([this.#alarm.signal, this.#cancelled.signal, this.#suspended.signal])
    this.over = this.#untilOver().finally(() => this.#alarm[Symbol.dispose]())
  }

  // ---- calls from outside ------------------------------------------------------------------------------------------

  start(number: number, terms: StartTerms | undefined): void {
    if (this.#running !== undefined && number <= this.#running.number) {
      this.#ports.send({ ...reportOf(this.#record()), attempt: this.#running.number })
      return
    }
    this.#asked = Math.max(this.#asked, number)
    this.#commands.put({ kind: "start", attempt: number, terms })
    // A higher attempt ends the running one. Then the loop takes this command.
    this.#running?.attempt.session.cancel("cancelled")
  }

  certificate(acks: readonly Bytes[]): void {
    this.#commands.put({ kind: "certificate", acks })
    this.#running?.attempt.session.cancel("cancelled")
  }

  deliver(envelope: Bytes): void {
    const sender = senderOf(envelope)
    if (sender === undefined) return
    this.#running?.inbox.deliver(sender, envelope)
    // A peer that began the next attempt earlier does not repeat its messages. The attempt drops envelopes of other sessions.
    if (this.#asked > this.#begunLast) this.#early.keep(sender, envelope)
  }

  /** Takes a person's signed word that WaaS sent. */
  word(signed: Uint8Array): void {
    this.#consent.take(signed)
  }

  /** Asks again what the task waits for: people, or a decision that was put off. */
  reconsider(): void {
    this.#consent.reconsider()
    this.#postponement.reconsider()
  }

  cancel(reason: string): void {
    this.#cancelled.abort(reason)
  }

  /** Stops without an end, because the node stops. The task goes on after the next start. */
  suspend(): void {
    this.#suspended.abort()
  }

  /** Ends a running ECDSA attempt with a peer that was just banned. */
  banned(groupId: string, peer: PartyId): void {
    const plan = this.#running?.plan
    const isWithIt = plan?.group?.groupId === groupId && plan.ecdsa && plan.participants.includes(peer)
    if (isWithIt) this.#running?.attempt.session.cancel("cancelled")
  }

  /** Ends a running attempt that a freeze, or a doubt of the audit log, holds now. */
  frozen(): void {
    if (releaseRefusal(this.task, this.#ports) !== undefined) this.#running?.attempt.session.cancel("cancelled")
  }

  // ---- the execution --------------------------------------------------------------------------------------------------

  /** A task that came to no end yet when the store failed is begun anew from what is on the disk. */
  async #untilOver(): Promise<void> {
    const { log, journal } = this.#ports
    while (!this.#suspended.signal.aborted) {
      try {
        return await this.#run()
      } catch (error) {
        if (!isStoreFault(error)) return this.#broken(error)
        if (journal.forsake(this.task.task_id)) return tellLater(this.task, this.#claimed.digest, error, this.#ports)
        if (this.#end.isKnown) return this.#broken(error)
        log.warn("a task was put off", { task: this.task.task_id, ...storeFault(error) })
        await pause(this.#ports, this.#suspended.signal)
      }
    }
  }

  async #run(): Promise<void> {
    const made = madeOutcome(this.task, this.#ports)
    if (made !== undefined) return this.#end.complete(() => made)
    const plan = planOf(this.task, this.#ports)
    if (isRefusal(plan)) return this.#end.fail(plan)
    if (this.#isStopped()) return this.#finishStopped()
    const reading = intentsFor(this.task, plan, this.#ports)
    // Most tasks have no payload, and continue in the same turn of the event loop.
    const read = reading instanceof Promise ? await reading : reading
    if (!isUnread(read)) {
      this.#intents = read
      this.#consent.begin(plan.group, read)
    }
    const decide = (): Promise<TaskRecord> => this.#decide(plan, read)
    const decided = this.#claimed.state === "claimed" && (await this.#postponement.decided(decide, this.#stop))
    if (decided === "forsaken") return
    const record = decided || this.#claimed
    if (!isFinal(record.state) && this.#isStopped()) return this.#finishStopped()
    this.#ports.send(resumed(record) ?? reportOf(record))
    if (record.state === "rejected") return tellEnd(record, this.#ports)
    if (record.state === "approved") {
      this.#ports.log.info(`${this.task.type} task approved`, {
        task: this.task.task_id,
        ...shownIntents(this.#intents),
      })
    }
    if (!isFinal(record.state) && (isUnread(read) || !isAsApproved(this.task, record.verdict, read))) {
      return this.#end.fail(refuse("E-TSK-039", {}))
    }
    await this.#attempts(record)
  }

  /** Asks everybody and records the decision. Throws E-TSK-045, and what the store throws. */
  async #decide(plan: Plan | LonePlan, read: Intents | IntentProblem): Promise<TaskRecord> {
    const { journal, now } = this.#ports
    const asked = isUnread(read)
      ? unreadDecision(read).verdict
      : (holdDecision(this.task, this.#ports)?.verdict ??
        this.#answered ??
        (await askEverybody(this.task, plan, read, this.#ports, this.#stop, this.#consent)))
    if (this.#isStopped()) return this.#claimed
    return journal.approve(
      this.task.task_id,
      now(),
      (usage, isSpent) =>
        decideAnew({ task: this.task, plan, read, asked, consent: this.#consent }, this.#ports, usage, isSpent),
      (verdict) => eventsOfVerdict(this.#ports, this.task, this.#intents, verdict),
    )
  }

  /** Runs the attempts that WaaS starts, until the task has ended. */
  async #attempts(approved: TaskRecord): Promise<void> {
    let record = approved
    for (;;) {
      const command = await this.#commands.next(this.#stop)
      if (command === undefined || this.#isStopped()) return this.#finishStopped()
      try {
        if (await this.#obey(command, record)) return
        record = this.#ports.journal.get(this.task.task_id) ?? record
      } catch (error) {
        // Nothing was sent before it was durable, so the task continues from what is durable.
        if (!isStoreFault(error) || this.#end.isKnown) throw error
        await this.#putOff(command, record, error)
      }
    }
  }

  /** Carries out a command. Returns true if the task is over. */
  async #obey(command: TaskCommand, record: TaskRecord): Promise<boolean> {
    if (command.kind === "certificate") {
      const outcome = certified(this.task, command.acks, this.#ports) ?? madeOutcome(this.task, this.#ports)
      if (outcome !== undefined) await this.#end.complete(() => outcome)
      return outcome !== undefined
    }
    if (command.attempt <= record.attempt) {
      const why = refuse("E-TSK-019", { attempt: command.attempt, highest: record.attempt })
      this.#ports.send(attemptEnded(record, why))
      return false
    }
    const unable = unableFor(this.task, command.terms, this.#ports)
    if (unable === undefined) return this.#attempt(command.attempt, command.terms)
    this.#ports.send({ ...attemptEnded(record, unable), attempt: command.attempt })
    return false
  }

  /**
   * After a failure of the store: answers a start, so that WaaS can begin another attempt with other nodes; tries a certificate again
   * later.
   */
  async #putOff(command: TaskCommand, record: TaskRecord, error: CosignerError): Promise<void> {
    const why = storeFault(error)
    this.#ports.log.warn("a step of a task was put off", { task: this.task.task_id, ...why })
    if (command.kind === "start") return this.#ports.send({ ...attemptEnded(record, why), attempt: command.attempt })
    await pause(this.#ports, this.#stop)
    this.#commands.put(command)
  }

  /** Runs one attempt. Returns true if the task is over. */
  async #attempt(number: number, terms: StartTerms | undefined): Promise<boolean> {
    const task = amongSigners(this.task, terms)
    const plan = planOfSigners(task, this.#ports) // planned again: there may be a ban or a new epoch since the approval
    if (isRefusal(plan)) {
      // WaaS can start another attempt with other signers, unless the task itself names the signers or no choice can work.
      const isOver = terms?.signers === undefined || isLeftBehind(task, this.#ports)
      if (isOver) await this.#end.fail(plan)
      else this.#ports.send({ ...attemptEnded(this.#record(), plan), attempt: number })
      return isOver
    }
    if (plan.kind === "alone") return this.#alone(number, plan)
    await this.#end.closeLast()
    const presented = this.#consent.presented()
    const start: AttemptStart = { attempt: number, terms, intents: this.#intents, presented }
    const attempt = beginAttempt(task, start, plan, this.#ports, this.#locks, {
      // Reported only after the session row is durable: if the node dies before, WaaS must not believe that the attempt began.
      begun: () => this.#ports.send({ ...reportOf(this.#record()), status: 140, attempt: number }),
      ban: this.#onBan,
    })
    const { participants } = plan
    const deliver = (envelope: Bytes): void => attempt.session.deliver(envelope)
    const inbox = new SessionInbox({ ...this.#ports, participants, taskId: task.task_id, deliver })
    this.#running = { number, attempt, plan, inbox }
    this.#begunLast = number
    for (const { sender, envelope } of this.#early.take()) inbox.deliver(sender, envelope)
    const ended = await this.#ended(attempt, plan)
    this.#running = undefined
    return this.#settle(ended, number, plan)
  }

  /**
   * Carries out a task without a session. There is no session start that asks the rules again, so they are asked here. True if it is over.
   */
  async #alone(number: number, plan: LonePlan): Promise<boolean> {
    const { risk, journal, now } = this.#ports
    const presented = this.#consent.presented()
    const { verdict } = risk.evaluate(this.task, plan.group, journal.usage, now(), this.#intents, presented)
    if (verdict.action !== "approve") {
      const { code, reason } = verdict
      this.#ports.send({ ...attemptEnded(this.#record(), refuse("E-TSK-030", { code, reason })), attempt: number })
      return false
    }
    const outcome = plan.outcome()
    await this.#end.complete(() => outcome)
    return true
  }

  /** Waits for the end of an attempt; the time limit of an attempt and #stop cancel its session. */
  async #ended({ session, ended }: Attempt, plan: Plan): Promise<EndedAttempt> {
    const { limits, now, alarm } = this.#ports
    const limit = plan.kind === "sign" ? limits.signSessionMs : limits.setupSessionMs
    using timeout = alarm(Math.min(this.task.deadline_ms, now() + limit))
    using _deadline = onFired(timeout.signal, () => session.cancel("deadline"))
    using _stop = onFired(this.#stop, () => session.cancel("cancelled"))
    return await ended
  }

  /** Records or reports how an attempt ended. Returns true if the task is over. */
  async #settle(ended: EndedAttempt, number: number, plan: Plan): Promise<boolean> {
    const { ending, refused, closing } = ended
    this.#end.leaveOpen(ended.unclosed)
    if (ending.kind === "done") {
      const { result } = ending
      await this.#end.complete(() => plan.outcome(result), closing)
      // A signature of this epoch exists, so shares of earlier epochs are not needed any more (threshold.md 6.4).
      if (plan.kind === "sign" && plan.group !== undefined) retireBefore(plan.group, this.#ports)
      return true
    }
    if (this.#isStopped()) {
      await this.#finishStopped()
      return true
    }
    if (ending.kind === "blamed" && ending.blame.kind !== "SESSION") {
      await this.#end.fail(
        refuse("E-TSK-015", { kind: ending.blame.kind, parties: ending.blame.parties.map(nodeIdOf) }),
      )
      return true
    }
    const why = refused ?? releaseRefusal(this.task, this.#ports) ?? whyNot(ending, number)
    if (ending.kind === "flooded") this.#ports.log.error("attempt ended", { task: this.task.task_id, ...why })
    // Also reports an attempt that was never begun, because WaaS hears nothing else about it.
    this.#ports.send({ ...attemptEnded(this.#record(), why), attempt: number })
    return false
  }

  // ---- endings -----------------------------------------------------------------------------------------------------

  /** Also reads the clock: after the machine slept the alarm may be late, and an approval must not outlive its deadline. */
  #isStopped(): boolean {
    return this.#stop.aborted || this.#ports.now() >= this.task.deadline_ms
  }

  /** Records the end that the stop asks for. Records none if the node itself stops. */
  async #finishStopped(): Promise<void> {
    if (this.#suspended.signal.aborted) return
    if (this.#vetoed !== undefined) return this.#end.fail(refuse("E-APR-002", { reason: this.#vetoed }))
    if (!this.#cancelled.signal.aborted) return this.#end.fail(this.#consent.late() ?? late(this.task))
    const reason = String(this.#cancelled.signal.reason)
    await this.#end.as(() => ({ state: "cancelled", ...refuse("E-TSK-005", { reason }) }))
  }

  /** A defect ends the task. An end that it has come to already is recorded as soon as the store takes it. */
  async #broken(error: unknown): Promise<void> {
    this.#ports.log.error("task stopped", { task: this.task.task_id, ...codeField(error), error: errorText(error) })
    const reason = error instanceof CosignerError ? error.code : "an internal error"
    await this.#end.anyhow(refuse("E-TSK-020", { reason }), this.#suspended.signal)
  }

  #record(): TaskRecord {
    return journalled(this.task, this.#ports)
  }
}
