/**
 * Reports about tasks that this replica does not work on. Of one that is open, or that another replica still has something to do for,
 * only that one may write; whoever is asked says from the store what is durable there. One that nobody works on any more is written
 * by whom a late word reaches, one replica at a time.
 */
import type { Report } from "../../wire/frames.ts"
import type { WaasTask } from "../store/model.ts"
import type { SharedStore } from "../store/shared.ts"
import type { WaasStore } from "../store/store.ts"
import { judgementOf, nodeReport } from "./frames.ts"
import { isFinal, type OutgoingFrame, reported } from "./progress.ts"
import { hasEnded, type Situation } from "./quorum.ts"

interface ForeignParts {
  readonly store: Pick<WaasStore, "task">
  readonly shared: Pick<SharedStore, "ownerOf" | "exclusively">
  readonly situation: () => Situation
  readonly send: (task: WaasTask, sends: readonly OutgoingFrame[]) => void
  /** The node's word on a task that nobody works on, as on one of our own; durable when it resolves. */
  readonly heard: (task: WaasTask) => Promise<void>
}

/** False where there is no such task of that node. */
export async function heardOfForeign(nodeId: string, report: Report, parts: ForeignParts): Promise<boolean> {
  const { store, shared } = parts
  const task = await store.task(report.taskId)
  if (!isAbout(task, nodeId, report)) return false
  if (!isFinal(task)) return true
  // Whose ending stands is heard no more.
  if (hasEnded(task.reports[nodeId])) {
    parts.send(task, hasEnded(report) ? [{ kind: "outcomeStored", to: nodeId }] : [])
    return true
  }
  if ((await shared.ownerOf(task.taskId)) === "other") {
    sayWhatStands(task, nodeId, report, parts)
    return true
  }
  await shared.exclusively(`task ${task.taskId}`, async () => {
    const now = await store.task(task.taskId)
    if (now !== undefined) await parts.heard(now)
  })
  return true
}

export const isAbout = (
  task: WaasTask | undefined,
  nodeId: string,
  { digest }: Pick<Report, "digest">,
): task is WaasTask => task?.digest === digest && task.nodeIds.includes(nodeId)

/** What would change the end, its own replica is to hear: it is not acknowledged here, and so said again. */
function sayWhatStands(task: WaasTask, nodeId: string, report: Report, { situation, send }: ForeignParts): void {
  const judgement = judgementOf(task, report)
  const arrival = { nodeId, report: nodeReport(report, judgement, 0), judgement }
  const { record, send: frames } = reported(task, arrival, situation())
  if (record.state === task.state && record.outcome === task.outcome) send(task, frames)
}
