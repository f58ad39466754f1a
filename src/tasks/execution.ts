/**
 * The execution of every task, top to bottom: check, rules, callback servers, approve, attempts, finish. What differs by type is
 * in its Plan (kinds.ts). Claiming is runner.ts's; here a task is in the journal already.
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
import { pause, TaskEnd } from "./taskEnd.ts"

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
  /** Resolves when there is nothing left to do for the task in this process. Never rejects. */
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
  /** Fires with the deadline, a cancel, or the end of the process. */
  readonly #stop: AbortSignal
  readonly #early = new EarlyEnvelopes()
  readonly #consent: Consent
  readonly #postponement: Postponement
  #vetoed: string | undefined
  /** The highest attempt that was asked for, and the one begun last. */
  #asked: number
  #begunLast: number
  #running: Running | undefined
  /** What the payloads of the task do, once they are read. */
  #intents: Intents = NO_INTENTS
  readonly #end: TaskEnd

  /** Begins at once. `answered`: what the callback servers said, where they were asked before the claim (admissionDecision.ts). */
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
    this.over = this.#run()
      .catch((error: unknown) => this.#broken(error))
      .finally(() => this.#alarm[Symbol.dispose]())
  }

  // ---- what the outside says ---------------------------------------------------------------------------------------

  start(number: number, terms: StartTerms | undefined): void {
    if (this.#running !== undefined && number <= this.#running.number) {
      this.#ports.send({ ...reportOf(this.#record()), attempt: this.#running.number })
      return
    }
    this.#asked = Math.max(this.#asked, number)
    this.#commands.put({ kind: "start", attempt: number, terms })
    // A higher attempt ends the one that runs; the loop then takes the command up.
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
    // A peer that began the attempt earlier does not repeat its messages. The attempt drops those that are not of its session.
    if (this.#asked > this.#begunLast) this.#early.keep(sender, envelope)
  }

  /** Of a person, as WaaS brought it. */
  word(signed: Uint8Array): void {
    this.#consent.take(signed)
  }

  reconsider(): void {
    this.#consent.reconsider()
    this.#postponement.reconsider()
  }

  cancel(reason: string): void {
    this.#cancelled.abort(reason)
  }

  /** Stops without an ending: the node stops, and the task goes on after the next start. */
  suspend(): void {
    this.#suspended.abort()
  }

  /** A peer was banned: a running attempt of this epoch with it ends at once. */
  banned(groupId: string, peer: PartyId): void {
    const plan = this.#running?.plan
    const isWithIt = plan?.group?.groupId === groupId && plan.ecdsa && plan.participants.includes(peer)
    if (isWithIt) this.#running?.attempt.session.cancel("cancelled")
  }

  /** A freeze began: an attempt that it is about ends at once. */
  frozen(): void {
    if (releaseRefusal(this.task, this.#ports) !== undefined) this.#running?.attempt.session.cancel("cancelled")
  }

  // ---- the execution --------------------------------------------------------------------------------------------------

  async #run(): Promise<void> {
    const made = madeOutcome(this.task, this.#ports)
    if (made !== undefined) return this.#end.complete(() => made)
    const plan = planOf(this.task, this.#ports)
    if (isRefusal(plan)) return this.#end.fail(plan)
    if (this.#isStopped()) return this.#finishStopped()
    const reading = intentsFor(this.task, plan, this.#ports)
    // Most tasks have no payload, and go on in the same turn.
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

  /** Throws E-TSK-045. */
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

  /** Runs attempts as WaaS starts them, until one ends the task. */
  async #attempts(approved: TaskRecord): Promise<void> {
    let record = approved
    for (;;) {
      const command = await this.#commands.next(this.#stop)
      if (command === undefined || this.#isStopped()) return this.#finishStopped()
      try {
        if (await this.#obey(command, record)) return
        record = this.#ports.journal.get(this.task.task_id) ?? record
      } catch (error) {
        // Nothing left before it was on the disk, so the task goes on from what is on the disk.
        if (!isStoreFault(error) || this.#end.isKnown) throw error
        await this.#putOff(command, record, error)
      }
    }
  }

  /** Whether the task is over. */
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

  /** The store failed. A start is answered, so that WaaS may begin another attempt with other nodes; a certificate is tried again here. */
  async #putOff(command: TaskCommand, record: TaskRecord, error: CosignerError): Promise<void> {
    const why = storeFault(error)
    this.#ports.log.warn("a step of a task was put off", { task: this.task.task_id, ...why })
    if (command.kind === "start") return this.#ports.send({ ...attemptEnded(record, why), attempt: command.attempt })
    await pause(this.#ports, this.#stop)
    this.#commands.put(command)
  }

  /** Whether the task is over. */
  async #attempt(number: number, terms: StartTerms | undefined): Promise<boolean> {
    const task = amongSigners(this.task, terms)
    const plan = planOfSigners(task, this.#ports) // anew: a ban or a new epoch may have come since the approval
    if (isRefusal(plan)) {
      // WaaS may begin it with other signers, unless none would do.
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
      // After the durable row: if the node dies before it, the attempt was not begun, and WaaS must not believe that it was.
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

  /** Whether the task is over. It has no session to be refused at, so the rules are asked here once more. */
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

  /** The ending of an attempt, which its own deadline and whatever stops the task bring about. */
  async #ended({ session, ended }: Attempt, plan: Plan): Promise<EndedAttempt> {
    const { limits, now, alarm } = this.#ports
    const limit = plan.kind === "sign" ? limits.signSessionMs : limits.setupSessionMs
    using timeout = alarm(Math.min(this.task.deadline_ms, now() + limit))
    using _deadline = onFired(timeout.signal, () => session.cancel("deadline"))
    using _stop = onFired(this.#stop, () => session.cancel("cancelled"))
    return await ended
  }

  /** Whether the task is over. */
  async #settle(ended: EndedAttempt, number: number, plan: Plan): Promise<boolean> {
    const { ending, refused, closing } = ended
    this.#end.leaveOpen(ended.unclosed)
    if (ending.kind === "done") {
      const { result } = ending
      await this.#end.complete(() => plan.outcome(result), closing)
      // This node contributed to a signature of this epoch, so shares of earlier epochs are not needed any more (threshold.md 6.4).
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
    // An attempt that was not begun is reported too: WaaS hears nothing else of its end.
    this.#ports.send({ ...attemptEnded(this.#record(), why), attempt: number })
    return false
  }

  // ---- endings -----------------------------------------------------------------------------------------------------

  /** Looks at the clock as well: after a sleep of the machine the alarm may be late, and an approval must not outlive its deadline. */
  #isStopped(): boolean {
    return this.#stop.aborted || this.#ports.now() >= this.task.deadline_ms
  }

  /** The ending that a fired stop asks for; none when the node merely goes down. */
  async #finishStopped(): Promise<void> {
    if (this.#suspended.signal.aborted) return
    if (this.#vetoed !== undefined) return this.#end.fail(refuse("E-APR-002", { reason: this.#vetoed }))
    if (!this.#cancelled.signal.aborted) return this.#end.fail(this.#consent.late() ?? late(this.task))
    const reason = String(this.#cancelled.signal.reason)
    await this.#end.as(() => ({ state: "cancelled", ...refuse("E-TSK-005", { reason }) }))
  }

  /** A defect ends the task. A fault of the store gives back a claim that is not on the disk, so that WaaS may ask other nodes. */
  async #broken(error: unknown): Promise<void> {
    const { log, journal } = this.#ports
    log.error("task stopped", { task: this.task.task_id, ...codeField(error), error: errorText(error) })
    if (isStoreFault(error) && journal.forsake(this.task.task_id))
      return tellLater(this.task, this.#claimed.digest, error, this.#ports)
    const reason = error instanceof CosignerError ? error.code : "an internal error"
    await this.#end.anyhow(refuse("E-TSK-020", { reason }), this.#suspended.signal)
  }

  #record(): TaskRecord {
    const record = this.#ports.journal.get(this.task.task_id)
    if (record === undefined) throw new CosignerError("E-CLI-001", { what: "a running task is not in the journal" })
    return record
  }
}
