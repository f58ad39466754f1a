/** The events that servers have not got yet, and the events that they never took, for people and for programs. */
import { requestIdOf } from "../../events/envelope.ts"
import { goTime } from "../../keys/groupInfo.ts"
import type { DeadLetter } from "../../store/outbox.ts"
import type { Store } from "../../store/store.ts"
import type { Shown } from "./shown.ts"

/** At most `most` events that were never taken, the newest ones; the backlog has their number. */
export function showEvents(store: Store, most: number): Shown {
  const backlog = store.outbox.backlog()
  const dead = store.outbox.deadLetters(most)
  return {
    value: { servers: backlog, not_taken: dead.map(json) },
    lines: [
      `Event servers with a backlog: ${backlog.length}, from ${store.path}`,
      ...backlog.map(({ server, pending, failed }) => `    ${server}: ${pending} waiting, ${failed} never taken`),
      ...dead.map(text),
    ],
  }
}

const json = ({ server, event, attempts, lastMs }: DeadLetter): object => ({
  server,
  event_id: event.eventId,
  event_type: event.eventType,
  request_id: requestIdOf(event) ?? "",
  created_ms: event.createdMs,
  tries: attempts,
  last_try_ms: lastMs,
  body: event.body,
})

const text = ({ server, event, attempts, lastMs }: DeadLetter): string =>
  `${goTime(event.createdMs)} ${event.eventType} ${event.eventId} (request ${requestIdOf(event) ?? "none"}): ${server}, ${attempts} tries, the last ${goTime(lastMs)}`
