/**
 * Handles what nodes send about tasks: reports, *later*, *awaits*, and envelopes to each other. Each node may send only so much (heard.ts,
 * relayQuotas.ts); what is dropped it sends again. Reports on tasks of other replicas go to foreign.ts.
 */
import { isDeepStrictEqual } from "node:util"
import type { Log } from "../../log.ts"
import type { Clock } from "../../tasks/ports.ts"
import type { Awaits, Later, Report } from "../../wire/frames.ts"
import type { NodeReport, WaasTask } from "../store/model.ts"
import type { SharedStore } from "../store/shared.ts"
import type { WaasStore } from "../store/store.ts"
import { awaited } from "./approvals.ts"
import { isLater } from "./causes.ts"
import type { EpochNews } from "./epochNews.ts"
import { heardOfForeign, isAbout } from "./foreign.ts"
import { type EnvelopeFrame, judgementOf, nodeReport, receiversOf } from "./frames.ts"
import { ReportQuota } from "./heard.ts"
import type { LiveTasks } from "./liveTasks.ts"
import type { RelayPort } from "./ports.ts"
import { isFinal, reported, saidLater } from "./progress.ts"
import { hasEnded, withReading } from "./quorum.ts"
import { RelayQuotas } from "./relayQuotas.ts"

interface NodesSayParts {
  readonly live: LiveTasks
  readonly store: WaasStore
  readonly shared: SharedStore
  readonly news: EpochNews
  readonly relay: RelayPort
  readonly now: Clock
  readonly log: Log
  /** Runs `work` in the engine's turn, and resolves when its changes are durable. */
  readonly durably: (work: () => Promise<void>) => Promise<void>
}

export class NodesSay {
  readonly #parts: NodesSayParts
  readonly #heard: ReportQuota
  readonly #quotas = new RelayQuotas()
  /** Counted since this process started. */
  readonly dropped = { envelopes: 0, reports: 0 }

  constructor(parts: NodesSayParts) {
    this.#parts = parts
    this.#heard = new ReportQuota(parts.now, parts.log)
  }

  async onFrame(nodeId: string, frame: Later | Awaits | Report): Promise<void> {
    const work = () =>
      frame.kind === "later"
        ? this.#later(nodeId, frame)
        : frame.kind === "awaits"
          ? this.#awaits(nodeId, frame)
          : this.#report(nodeId, frame)
    const isHeard = await this.#heard.inTurn(nodeId, () => this.#parts.durably(work))
    if (!isHeard) this.#drop(nodeId, "report dropped: too many of that node wait", frame)
  }

  relay(from: string, envelope: EnvelopeFrame): void {
    const { live, relay } = this.#parts
    const task = live.atWork.get(envelope.taskId)
    const receivers = receiversOf(task, from, envelope)
    if (task === undefined || !this.#quotas.takes(task, from, receivers, envelope)) {
      this.dropped.envelopes++
      return
    }
    for (const id of receivers) {
      relay.send(id, { kind: "envelope", taskId: envelope.taskId, envelope: envelope.envelope })
    }
  }

  /** The task needs nothing more: forgets its quotas. */
  forget(taskId: string): void {
    this.#heard.forget(taskId)
    this.#quotas.forget(taskId)
  }

  // ---- inside ------------------------------------------------------------------------------------------------------

  async #later(nodeId: string, { taskId, digest, code }: Pick<Later, "taskId" | "digest" | "code">): Promise<void> {
    const { live } = this.#parts
    live.leaveAlone(nodeId)
    const task = live.atWork.get(taskId)
    if (!isAbout(task, nodeId, { digest })) return
    await live.commit([{ before: task, ...saidLater(task, nodeId, code, live.situation()) }])
  }

  async #awaits(nodeId: string, frame: Awaits): Promise<void> {
    const { live, store } = this.#parts
    const task = live.atWork.get(frame.taskId)
    // The task is final or belongs to another replica: the node did nothing wrong, so nothing is counted as dropped.
    if (task === undefined && isAbout(await store.task(frame.taskId), nodeId, frame)) return
    if (!isAbout(task, nodeId, frame) || !this.#heard.take(task.taskId, nodeId)) {
      return this.#drop(nodeId, "what a node waits for was dropped: no such task, or said too often", frame)
    }
    await live.commit([{ before: task, ...awaited(task, nodeId, frame) }])
  }

  async #report(nodeId: string, report: Report): Promise<void> {
    const { live } = this.#parts
    const task = live.atWork.get(report.taskId)
    const isKnown = task === undefined ? await this.#ofForeign(nodeId, report) : isAbout(task, nodeId, report)
    if (!isKnown) return this.#drop(nodeId, "report dropped: no such task for that node", report)
    if (task !== undefined) await this.#ofTask(task, nodeId, report)
  }

  #ofForeign(nodeId: string, report: Report): Promise<boolean> {
    const { live, store, shared } = this.#parts
    return heardOfForeign(nodeId, report, {
      store,
      shared,
      situation: () => live.situation(),
      send: (task, sends) => live.send(task, sends),
      heard: async (task) => {
        await this.#ofTask(task, nodeId, report)
        await live.flush()
      },
    })
  }

  async #ofTask(task: WaasTask, nodeId: string, report: Report): Promise<void> {
    const { live, log, news } = this.#parts
    if (report.status === 160 && isLater(report.code)) return this.#later(nodeId, report)
    // The ending of this node is stored: what it repeats is not verified again, however often it comes.
    if (hasEnded(task.reports[nodeId])) {
      return live.send(task, hasEnded(report) ? [{ kind: "outcomeStored", to: nodeId }] : [])
    }
    const judgement = judgementOf(task, report)
    if (judgement?.kind === "refused") {
      log.warn("outcome refused", { node: nodeId, task: task.taskId, problem: judgement.problem })
    }
    const said = nodeReport(report, judgement, 0)
    if (!hasEnded(report) && !this.#mayWrite(task, nodeId, said)) {
      // A final task needs no record of the report, but a node that still works on it must learn that it ended.
      const { send } = reported(task, { nodeId, report: said, judgement }, live.situation())
      if (isFinal(task)) return live.send(task, send)
      return this.#drop(nodeId, "report dropped: that node says too much of one task", report)
    }
    const incarnation = hasEnded(report) ? await news.incarnationOf(nodeId) : 0
    const arrival = { nodeId, report: nodeReport(report, judgement, incarnation), judgement }
    await live.commit([{ before: task, ...reported(task, arrival, live.situation()) }])
  }

  /** Whether a report that is no ending may be stored: always if it repeats the one before, which costs nothing; else within the quota. */
  #mayWrite({ taskId, reports }: WaasTask, nodeId: string, report: NodeReport): boolean {
    if (isDeepStrictEqual(reports[nodeId], withReading(report, reports[nodeId]))) return true
    return this.#parts.live.atWork.has(taskId) && this.#heard.take(taskId, nodeId)
  }

  #drop(nodeId: string, why: string, { taskId }: Pick<Report, "taskId">): void {
    this.dropped.reports++
    this.#heard.complain(nodeId, why, { task: taskId })
  }
}
