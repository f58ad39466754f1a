/**
 * Reports on tasks that this replica does not work on. A task that another replica works on is written by that one alone; this replica
 * answers the node with what the store has. A task that no replica works on any more is written by the replica that gets a late report of
 * it, one replica at a time.
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
  /** Handles the report on a task that no replica works on, as one on a task of its own; durable when it resolves. */
  readonly heard: (task: WaasTask) => Promise<void>
}

/** Handles the report; false if there is no such task, or the node takes no part in it. */
export async function heardOfForeign(nodeId: string, report: Report, parts: ForeignParts): Promise<boolean> {
  const { store, shared } = parts
  const task = await store.task(report.taskId)
  if (!isAbout(task, nodeId, report)) return false
  if (!isFinal(task)) return true
  // The ending of this node is stored: a repeated one is acknowledged, and nothing else is heard.
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

/** Whether the task has the digest that the node named, and the node takes part in it. */
export const isAbout = (
  task: WaasTask | undefined,
  nodeId: string,
  { digest }: Pick<Report, "digest">,
): task is WaasTask => task?.digest === digest && task.nodeIds.includes(nodeId)

/** Answers from the store. A report that would change the task's end gets no answer, so that the node repeats it to the task's replica. */
function sayWhatStands(task: WaasTask, nodeId: string, report: Report, { situation, send }: ForeignParts): void {
  const judgement = judgementOf(task, report)
  const arrival = { nodeId, report: nodeReport(report, judgement, 0), judgement }
  const { record, send: frames } = reported(task, arrival, situation())
  if (record.state === task.state && record.outcome === task.outcome) send(task, frames)
}
