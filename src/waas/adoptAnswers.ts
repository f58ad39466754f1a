/** Collects what the named nodes answer to `waas adopt`: group records in parts, and reports of tasks. Bounds both. */
import { toHex } from "../bytes.ts"
import { sha256 } from "../crypto/frame.ts"
import type { FromNode } from "../wire/frames.ts"
import type { TaskType } from "../wire/task.ts"
import type { TellingNode } from "./adoption.ts"

/** Bounds the reports of tasks that are kept; further ones are ignored. */
const MOST_REPORTS = 10_000
/** Room for the records of some 80 000 groups. */
const MOST_BYTES = 256 * 1024 * 1024

/** A task that a node reported, in its latest state. */
export interface LostTask {
  readonly taskId: string
  readonly type: TaskType
  readonly status: number
}

export interface Collector {
  take(nodeId: string, frame: FromNode): void
  /** Resolves when every named node has answered, or after `limitMs`. */
  all(limitMs: number): Promise<void>
  /** Complete answers only. */
  answers(): readonly TellingNode[]
  /** The latest report of each task, from any node. */
  reports(): readonly LostTask[]
  /** Named nodes without a complete answer. */
  silent(): readonly string[]
}

/** `mostBytes` bounds the different records of one node: a node that sends more counts as silent, and nothing of it is kept. */
export function collector(nodeIds: readonly string[], mostBytes = MOST_BYTES): Collector {
  const told = new Map(nodeIds.map((nodeId) => [nodeId, newAnswer()]))
  const done = new Set<string>()
  const reports = new Map<string, LostTask>()
  const { promise, resolve } = Promise.withResolvers<void>()
  return {
    take(nodeId, frame) {
      if (frame.kind === "report" && reports.size < MOST_REPORTS) {
        const { taskId, type, status } = frame
        reports.set(taskId, { taskId, type, status })
      }
      const answer = told.get(nodeId)
      if (frame.kind !== "groups" || answer === undefined || done.has(nodeId)) return
      add(answer, frame.records, mostBytes)
      if (frame.isLast && answer.bytes <= mostBytes) done.add(nodeId)
      if (nodeIds.every((id) => done.has(id))) resolve()
    },
    async all(limitMs) {
      const limit = setTimeout(resolve, limitMs)
      await promise
      clearTimeout(limit)
    },
    // A node whose answer broke off has not answered.
    answers: () => [...done].map((nodeId) => ({ nodeId, records: [...(told.get(nodeId)?.records.values() ?? [])] })),
    reports: () => [...reports.values()],
    silent: () => nodeIds.filter((id) => !done.has(id)),
  }
}

interface GroupsAnswer {
  /** By digest: a node that was asked again, because its connection broke, sends the same records again. */
  readonly records: Map<string, Uint8Array>
  /** The bytes of all different records; beyond the bound it grows no more, and the answer never counts. */
  bytes: number
}

const newAnswer = (): GroupsAnswer => ({ records: new Map(), bytes: 0 })

function add(answer: GroupsAnswer, records: readonly Uint8Array[], mostBytes: number): void {
  for (const record of records) {
    const digest = toHex(sha256(record))
    if (answer.bytes > mostBytes || answer.records.has(digest)) continue
    answer.records.set(digest, record)
    answer.bytes += record.length
    if (answer.bytes > mostBytes) answer.records.clear()
  }
}
