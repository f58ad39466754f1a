/**
 * The journal as running tasks use it. Each step resolves when it is durable, and steps of different tasks share commits. A claim waits
 * for the first step of its task, so a task costs no commit before it is decided. If a crash loses a claim, WaaS sends the task again.
 */
import type { Bytes } from "../bytes.ts"
import type { PartyId } from "../keys/party.ts"
import type { Decision, SpentWord, Usage } from "../policy/decision.ts"
import type { Claim, Finish, OutboxEvent, SessionRow, TaskPort, TaskRecord } from "../tasks/ports.ts"
import type { CommitQueue } from "./commitQueue.ts"
import { type ClaimedTask, claimedRecord, type Tasks } from "./tasks.ts"

/** A claim is written, with its event, after this time at the latest. */
const CLAIM_MS = 250
/** A task counts as at work for this time after its last step. */
const AT_WORK_MS = 2_000
/** How long the record that WaaS has an outcome may wait. If a crash loses it, the node reports the outcome once more. */
const DELIVERED_MS = 2_000

export class QueuedTasks implements TaskPort {
  readonly #tasks: Tasks
  readonly #queue: CommitQueue
  /** Claims that are not durable yet. */
  readonly #unwritten: Map<string, ClaimedTask> = new Map()

  /** What undecided tasks wait for, in words for people; by task id. */
  readonly #waits: Map<string, string> = new Map()
  /** When each unfinished task took its last step, by the monotonic clock; the oldest first. */
  readonly #steps: Map<string, number> = new Map()

  constructor(tasks: Tasks, queue: CommitQueue) {
    this.#tasks = tasks
    this.#queue = queue
  }

  /** The number of tasks whose next step is expected soon. Tasks that wait for people or for an absent node drop out by time. */
  get atWork(): number {
    const sinceMs = performance.now() - AT_WORK_MS
    for (const [taskId, atMs] of this.#steps) {
      if (atMs > sinceMs) break
      this.#steps.delete(taskId)
    }
    return this.#steps.size
  }

  get usage(): Usage {
    return this.#tasks.usage
  }

  claim(task: ClaimedTask): Claim {
    const { taskId } = task
    const known = this.get(taskId)
    if (known !== undefined) return { kind: known.digest === task.digest ? "known" : "conflict", record: known }
    this.#unwritten.set(taskId, task)
    const written = this.#queue.soon(() => this.#write(taskId), CLAIM_MS)
    // A claim that could not be written stays in memory: the task's next step writes it, or fails and tells its caller.
    written.then(() => this.#unwritten.delete(taskId)).catch(() => undefined)
    return { kind: "new", record: recordOf(task) }
  }

  forsake(taskId: string): boolean {
    this.#steps.delete(taskId)
    return !this.#tasks.has(taskId) && this.#unwritten.delete(taskId)
  }

  approve(
    taskId: string,
    nowMs: number,
    decide: Parameters<TaskPort["approve"]>[2],
    events: Parameters<TaskPort["approve"]>[3],
  ): Promise<TaskRecord> {
    return this.#step(taskId, () => this.#tasks.approve(taskId, nowMs, decide, events))
  }

  startSession(row: SessionRow, nowMs: number, decide: (usage: Usage) => Decision): Promise<void> {
    return this.#step(row.taskId, () => this.#tasks.startSession(row, nowMs, decide))
  }

  endSession(sid: Bytes, how: string, nowMs: number, unproven: readonly PartyId[]): Promise<void> {
    return this.#queue.now(() => this.#tasks.endSession(sid, how, nowMs, unproven))
  }

  emitted(taskId: string, digest: Bytes, nowMs: number): Promise<void> {
    return this.#step(taskId, () => this.#tasks.emitted(taskId, digest, nowMs))
  }

  finish(
    taskId: string,
    end: Finish,
    nowMs: number,
    events: readonly OutboxEvent[],
    closing: Bytes | undefined,
  ): Promise<TaskRecord> {
    const done = this.#step(taskId, () => this.#tasks.finish(taskId, end, nowMs, events, closing))
    this.#steps.delete(taskId)
    return done
  }

  delivered(taskId: string): Promise<void> {
    return this.#queue.soon(() => this.#tasks.delivered(taskId), DELIVERED_MS)
  }

  get(taskId: string): TaskRecord | undefined {
    if (this.#tasks.has(taskId)) return this.#tasks.get(taskId)
    const claim = this.#unwritten.get(taskId)
    return claim && recordOf(claim)
  }

  waits(taskId: string, missing: string, events: readonly OutboxEvent[]): void {
    if (events.length > 0) this.#queue.soon(() => this.#tasks.tell(events), CLAIM_MS).catch(() => undefined)
    if (missing === "") this.#waits.delete(taskId)
    else this.#waits.set(taskId, missing)
  }

  waitsFor(taskId: string): string {
    return this.#waits.get(taskId) ?? ""
  }

  words(taskId: string): readonly SpentWord[] {
    return this.#tasks.has(taskId) ? this.#tasks.words(taskId) : []
  }

  list(filter: Parameters<TaskPort["list"]>[0]): readonly TaskRecord[] {
    return this.#tasks.list(filter)
  }

  unfinished(): readonly TaskRecord[] {
    const unwritten = [...this.#unwritten.values()].filter(({ taskId }) => !this.#tasks.has(taskId))
    return [...this.#tasks.unfinished(), ...unwritten.map(recordOf)]
  }

  async #step<T>(taskId: string, step: () => T): Promise<T> {
    this.#steps.delete(taskId)
    this.#steps.set(taskId, performance.now())
    const result = await this.#queue.now(() => {
      this.#write(taskId)
      return step()
    })
    this.#unwritten.delete(taskId)
    return result
  }

  /** Writes the claim if it is not durable yet. Runs inside a commit. */
  #write(taskId: string): void {
    const claim = this.#unwritten.get(taskId)
    if (claim !== undefined && !this.#tasks.has(taskId)) this.#tasks.claim(claim)
  }
}

const recordOf = ({ nowMs, events: _, ...task }: ClaimedTask): TaskRecord => claimedRecord(task, nowMs)
