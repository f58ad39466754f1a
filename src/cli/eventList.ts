/** `cosigner event list`: what event servers are still to get, and the events that they never took. */
import { EXIT } from "../errors/entry.ts"
import { requestIdOf } from "../events/envelope.ts"
import { goTime } from "../keys/groupInfo.ts"
import type { DeadLetter } from "../store/outbox.ts"
import { openStore } from "../store/store.ts"
import { command } from "./command.ts"

export const list = command({
  summary: "Show what event servers are still to get, and the events that they never took",
  details: [
    "An event whose tries are spent (retry_times) is kept as it was to be sent, and not sent again; it is forgotten when the task",
    "journal forgets its task. With --json each comes with its body.",
  ].join("\n"),
  examples: [["cosigner event list --json > events.json", "for the event server's operator"]],
  run: async ({ config, passwords, out }) => {
    const { db } = await config()
    using password = await passwords.existing(db)
    using store = openStore(db.path, password, { readOnly: true })
    const backlog = store.outbox.backlog()
    const dead = store.outbox.deadLetters()
    out.result({ servers: backlog, not_taken: dead.map(json) }, [
      `Event servers with a backlog: ${backlog.length}, from ${db.path}`,
      ...backlog.map(({ server, pending, failed }) => `    ${server}: ${pending} waiting, ${failed} never taken`),
      ...dead.map(text),
    ])
    return EXIT.ok
  },
})

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
