/**
 * The reference event server: a small example of what a team runs to receive its node's events. It opens the node's token, passes
 * each event on once, and answers 200 only when that is done. A node repeats an event without that answer, so the server remembers ids.
 */
import type { KeyObject } from "node:crypto"
import { Elysia } from "elysia"
import { PING } from "../events/envelope.ts"
import { FORM_FIELD, openToken } from "../wire/tssJwt.ts"

interface EventServerParts {
  /** The event keys of the nodes that may report. */
  readonly nodeKeys: readonly KeyObject[]
  readonly now: () => number
  /** Called once per event id, pings left out. What it throws makes the node send the event again. */
  readonly onEvent: (event: ReceivedEvent) => void
}

export interface ReceivedEvent {
  readonly eventId: string
  readonly eventType: string
  readonly nodeId: string
  /** The envelope as it came (formats.md 2). */
  readonly body: Readonly<Record<string, unknown>>
}

const MAX_BODY = 4 * 1024 * 1024
const IDLE_SECONDS = 10
const MAX_SEEN = 100_000

/** Listens at once; port 0 takes a free one. */
export function startEventServer(
  parts: EventServerParts,
  listen: { readonly hostname: string; readonly port: number },
) {
  const seen = new Set<string>()
  const app = new Elysia({ aot: false })
    .get("/ping", () => ({ server: "cosigner-event-server", timestamp: parts.now() }))
    .post("/v2/event", async ({ body, status }) => {
      const token: unknown = Reflect.get(Object(body), FORM_FIELD)
      const event = await open(parts, typeof token === "string" ? token : "")
      if (typeof event === "string") return status(400, event)
      if (event.eventType !== PING && !seen.has(event.eventId)) {
        parts.onEvent(event)
        seen.add(event.eventId)
        const [oldest] = seen
        if (seen.size > MAX_SEEN && oldest !== undefined) seen.delete(oldest)
      }
      return ""
    })
  return Bun.serve({ ...listen, fetch: app.fetch, maxRequestBodySize: MAX_BODY, idleTimeout: IDLE_SECONDS })
}

/** The event in a token that one of the keys signed; a text says what is wrong. */
async function open(parts: EventServerParts, token: string): Promise<ReceivedEvent | string> {
  for (const key of parts.nodeKeys) {
    const opened = await openToken(token, key, parts.now())
    if (opened.ok) return eventOf(opened.body)
    if (opened.fault !== "signature") return opened.reason
  }
  return "no known node signed it"
}

function eventOf(text: string): ReceivedEvent | string {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    return "the event is not JSON"
  }
  const body: Readonly<Record<string, unknown>> = typeof value === "object" && value !== null ? { ...value } : {}
  const { event_id: eventId, event_type: eventType, node_id: nodeId } = body
  if (typeof eventId !== "string" || typeof eventType !== "string" || typeof nodeId !== "string") {
    return "event_id, event_type and node_id are texts"
  }
  return { eventId, eventType, nodeId, body }
}
