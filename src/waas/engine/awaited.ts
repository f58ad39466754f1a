/** What nodes wait for from approvers. */
import type { Awaited } from "../../policy/decision.ts"
import type { NodeReport, WaasTask } from "../store/model.ts"

/** What a node waits for, for people: `the asker, 2 of treasury (alice)`. */
export const awaitedText = (words: readonly Awaited[]): string =>
  words
    .map((one) =>
      one.kind === "request"
        ? "the asker"
        : `${one.min} of ${one.group}${one.by.length === 0 ? "" : ` (${one.by.join(", ")})`}`,
    )
    .join(", ")

/** The record without what the node waited for, if the report says that the node has decided. */
export function withoutAwaits<T extends Pick<WaasTask, "awaits">>(record: T, nodeId: string, report: NodeReport): T {
  if (record.awaits?.[nodeId] === undefined || (report.status === 130 && !report.approved)) return record
  const { [nodeId]: _, ...awaits } = record.awaits
  return { ...record, awaits }
}
