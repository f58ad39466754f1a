/**
 * Orders of callers about requests under way: to cancel one, or to add an approver's statement to it. Only the replica that works on a
 * request can carry out an order. Another one leaves it in the store as an errand and waits for the effect, so that its caller gets the
 * answer that the working replica would give. An errand that is carried out twice changes nothing the second time.
 */
import type { SignedStatement } from "../../approvals/approver.ts"
import { CosignerError } from "../../errors.ts"
import { ApiFailure, notFound } from "../failure.ts"
import type { WaasTask } from "../store/model.ts"
import type { KeptErrand, SharedStore } from "../store/shared.ts"
import type { WaasStore } from "../store/store.ts"
import { approvalAdded, signedIn, taskOfWord, wordOf } from "./approvals.ts"
import { type AnyRequest, missingRecord, requestOf } from "./consequences.ts"
import type { RequestEndings } from "./endings.ts"
import type { LiveTasks } from "./liveTasks.ts"
import { endedBy } from "./ports.ts"
import { cancelled, isFinal } from "./progress.ts"
import { isOpen } from "./requests.ts"
import type { VersionsOf } from "./versions.ts"

/** How long a caller waits for the other replica, and how often it looks into the store: news of the effect may be lost. */
const WAIT_MS = 5_000
const LOOK_MS = 100

interface ErrandParts {
  readonly shared: SharedStore
  readonly store: WaasStore
  readonly live: LiveTasks
  readonly endings: RequestEndings
  readonly versions: VersionsOf
  /** Runs `work` in the engine's turn, and resolves when its changes are durable. */
  readonly durably: <T>(work: () => Promise<T>) => Promise<T>
}

export class Errands {
  readonly #parts: ErrandParts
  #isLooking = false
  /** Whether `look` was called since the errands were last read. */
  #mustLook = false

  constructor(parts: ErrandParts) {
    this.#parts = parts
  }

  /**
   * Ends the request, and returns it as it is then. Throws 2028, 60005 if it has ended otherwise, E-WAA-085 if the replica that works on
   * it does not answer, E-WAA-090 if too many errands wait for that one.
   */
  async cancelled<R extends AnyRequest>(id: string, find: () => Promise<R | undefined>): Promise<R> {
    const isOurs = await this.#parts.durably(async () => {
      const request = await find()
      if (request === undefined) throw notFound("request", id)
      if (!isOpen(request.status)) throw hasEnded(request, id)
      return this.#cancel(request)
    })
    if (!isOurs) await this.#cancelElsewhere(id, find)
    return (await find()) ?? missingRecord(id)
  }

  /**
   * Keeps an approver's statement on a task of the request, and sends it to the nodes that have the task. Throws 2006 for a statement
   * that does not fit, 60005 if the task has ended, E-WAA-085 and E-WAA-090 as `cancelled` does.
   */
  async addApproval(request: AnyRequest, signed: SignedStatement): Promise<void> {
    const foreign = await this.#parts.durably(() => this.#keepWord(request, signed))
    if (foreign !== undefined) await this.#wordElsewhere(foreign, signed)
  }

  /** Carries out the errands that other replicas left for this one. A call while that is under way makes it read the errands again. */
  async look(): Promise<void> {
    this.#mustLook = true
    if (this.#isLooking) return
    this.#isLooking = true
    const { shared, durably } = this.#parts
    try {
      while (this.#mustLook) {
        this.#mustLook = false
        for (const kept of await shared.errands()) {
          if (await durably(() => this.#carryOut(kept))) await shared.errandDone(kept.id)
        }
      }
    } finally {
      this.#isLooking = false
    }
  }

  // ---- here --------------------------------------------------------------------------------------------------------

  /** False for a request that another replica works on. */
  async #cancel(request: AnyRequest): Promise<boolean> {
    const { live } = this.#parts
    if (!live.worksOn(request)) return false
    const why = endedBy(new CosignerError(CANCELLED, {}))
    const tasks = await live.tasksOf(request)
    await live.commit(tasks.map((before) => ({ before, ...cancelled(before, why) })))
    return true
  }

  /** Keeps the statement, or returns its task if another replica works on that and has not kept the statement yet. */
  async #keepWord(request: AnyRequest, signed: SignedStatement): Promise<WaasTask | undefined> {
    const { live, versions } = this.#parts
    const { task } = taskOfWord(signed, await live.tasksOf(request))
    const step = approvalAdded(task, signed, versions)
    if (!live.atWork.has(task.taskId)) return step.record === task ? undefined : task
    await live.commit([{ before: task, ...step }])
    return undefined
  }

  /** Whether the errand is done with. False if another replica works on the request by now: that one carries it out. */
  async #carryOut({ requestId, errand }: KeptErrand): Promise<boolean> {
    const { live, store } = this.#parts
    // Its first task has the request's own id (create.ts).
    const task = await live.find(requestId)
    const request = task && (await requestOf(task.request, store))
    if (request === undefined || !isOpen(request.status)) return true
    if (!live.worksOn(request)) return false
    try {
      const signed = errand.kind === "approval" ? signedIn(errand.word) : undefined
      if (errand.kind === "cancel") await this.#cancel(request)
      else if (signed !== undefined) await this.#keepWord(request, signed)
    } catch (error) {
      // A refusal is final: the errand would be refused again.
      if (!(error instanceof ApiFailure)) throw error
    }
    return true
  }

  // ---- elsewhere ---------------------------------------------------------------------------------------------------

  async #cancelElsewhere(id: string, find: () => Promise<AnyRequest | undefined>): Promise<void> {
    // Leaves nothing if the request has ended meanwhile: then its end is found at once.
    await this.#parts.shared.leaveErrand(id, { kind: "cancel" })
    const request = await this.#until(id, async () => {
      const found = (await find()) ?? missingRecord(id)
      return isOpen(found.status) ? undefined : found
    })
    if (request.code !== CANCELLED) throw hasEnded(request, id)
  }

  async #wordElsewhere({ taskId, request }: WaasTask, signed: SignedStatement): Promise<void> {
    const { shared, store } = this.#parts
    const word = wordOf(signed)
    const isKept = ({ approvals = [] }: WaasTask): boolean => approvals.includes(word)
    await shared.leaveErrand(request.id, { kind: "approval", word })
    const task = await this.#until(request.id, async () => {
      const found = (await store.task(taskId)) ?? missingRecord(taskId)
      return isFinal(found) || isKept(found) ? found : undefined
    })
    if (!isKept(task)) throw new ApiFailure(60005, `the task ${taskId} has ended: ${task.state}`)
  }

  async #until<T>(requestId: string, look: () => Promise<T | undefined>): Promise<T> {
    const untilMs = performance.now() + WAIT_MS
    while (performance.now() < untilMs) {
      const found = await look()
      if (found !== undefined) return found
      const isKeptWaiting = await this.#parts.endings.wait(requestId, AbortSignal.timeout(LOOK_MS))
      // `wait` returns at once if too many callers wait already, or this process stops.
      if (!isKeptWaiting) await Bun.sleep(LOOK_MS)
    }
    throw new CosignerError("E-WAA-085", { request: requestId })
  }
}

/** The code of a request that was ended through the API. */
const CANCELLED = "E-WAA-021"

const hasEnded = ({ status }: AnyRequest, id: string): ApiFailure =>
  new ApiFailure(60005, `the request ${id} has ended: ${status}`)
