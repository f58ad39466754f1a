/** What is told of a task as it goes on: to event servers, and in log lines. */
import type { Verdict } from "../policy/verdict.ts"
import type { TaskOutcome } from "../wire/frames.ts"
import type { Task } from "../wire/task.ts"
import { statusOf } from "./endings.ts"
import { type Intents, taskIntentHash, wordsOf } from "./intents.ts"
import type { Finish, OutboxEvent, TaskPorts, TaskStatus } from "./ports.ts"

type EventPorts = Pick<TaskPorts, "eventsFor" | "now">

export const eventsOfVerdict = (
  ports: EventPorts,
  task: Task,
  intents: Intents,
  { action, code, reason }: Verdict,
): readonly OutboxEvent[] =>
  action === "approve"
    ? eventsAt(ports, task, intents, 140, "")
    : eventsAt(ports, task, intents, 160, `${code} ${reason}`)

export const eventsOfEnd = (ports: EventPorts, task: Task, intents: Intents, end: Finish): readonly OutboxEvent[] =>
  end.state === "completed"
    ? eventsAt(ports, task, intents, 190, "", end.outcome)
    : eventsAt(ports, task, intents, statusOf(end.state), `${end.code} ${end.reason}`)

function eventsAt(
  { eventsFor, now }: EventPorts,
  task: Task,
  intents: Intents,
  status: TaskStatus,
  failedReason: string,
  outcome?: TaskOutcome,
): readonly OutboxEvent[] {
  const read = intents.length === 0 ? {} : { intents }
  return eventsFor({ task, ...read, status, failedReason, outcome, atMs: now() })
}

/** What is about to be signed, for a log line. */
export function shownIntents(intents: Intents): { readonly intent_hash?: string; readonly intent?: string } {
  const hash = taskIntentHash(intents)
  return hash === undefined ? {} : { intent_hash: hash, intent: wordsOf(intents) }
}
