/** The events and log fields that report the progress of a task. */
import type { Verdict } from "../policy/verdict.ts"
import type { Task } from "../wire/task.ts"
import { statusOf } from "./endings.ts"
import { type Intents, taskIntentHash, wordsOf } from "./intents.ts"
import type { Finish, OutboxEvent, TaskChange, TaskPorts } from "./ports.ts"

type EventPorts = Pick<TaskPorts, "eventsFor" | "now">

export const eventsOfVerdict = (
  ports: EventPorts,
  task: Task,
  intents: Intents,
  { action, code, reason, rules }: Verdict,
): readonly OutboxEvent[] => {
  const said = rules.filter(({ rule }) => rule.includes(".require.")).map((one) => one.reason)
  const approvals = said.length === 0 ? {} : { approvals: said.join("; ") }
  return action === "approve"
    ? eventsAt(ports, task, intents, { status: 140, failedReason: "", ...approvals })
    : eventsAt(ports, task, intents, { status: 160, failedReason: `${code} ${reason}`, ...approvals })
}

/** The events when a task begins to wait for the words of people, or waits for others of them. */
export const eventsOfWaiting = (
  ports: EventPorts,
  task: Task,
  intents: Intents,
  missing: string,
): readonly OutboxEvent[] =>
  eventsAt(ports, task, intents, { status: 130, failedReason: "", approvals: `waits for ${missing}` })

export const eventsOfEnd = (ports: EventPorts, task: Task, intents: Intents, end: Finish): readonly OutboxEvent[] =>
  end.state === "completed"
    ? eventsAt(ports, task, intents, { status: 190, failedReason: "", outcome: end.outcome })
    : eventsAt(ports, task, intents, { status: statusOf(end.state), failedReason: `${end.code} ${end.reason}` })

function eventsAt(
  { eventsFor, now }: EventPorts,
  task: Task,
  intents: Intents,
  change: Pick<TaskChange, "status" | "failedReason" | "approvals"> & Partial<Pick<TaskChange, "outcome">>,
): readonly OutboxEvent[] {
  const read = intents.length === 0 ? {} : { intents }
  return eventsFor({ task, ...read, outcome: undefined, ...change, atMs: now() })
}

/** Log fields that show what is about to be signed. */
export function shownIntents(intents: Intents): { readonly intent_hash?: string; readonly intent?: string } {
  const hash = taskIntentHash(intents)
  return hash === undefined ? {} : { intent_hash: hash, intent: wordsOf(intents) }
}
