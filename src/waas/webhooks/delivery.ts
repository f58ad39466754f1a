/**
 * Delivers webhook events (formats.md 7.5): signed like REST answers, in order for each endpoint and object, and repeated with growing
 * pauses. All state is in the store, so a restart continues. Deliveries at one time and bytes read of an answer are bounded.
 */
import { randomUUID } from "node:crypto"
import { errorText } from "../../errors.ts"
import { errnoOf } from "../../files.ts"
import type { Log } from "../../log.ts"
import { AS_IT_IS, type Fetch, readBounded, requestOptions } from "../../outbound.ts"
import { sleep } from "../../sleep.ts"
import type { Signer } from "../../wire/signed.ts"
import { signatureHeaders } from "../api/signedAnswer.ts"
import type { StoreWrite, WaasStore } from "../store/store.ts"
import type { WebhookEvent, WebhookLog } from "../store/webhookModel.ts"
import { RETRIES } from "./news.ts"
import { webhookBody } from "./shapes.ts"
import { problemOfTarget } from "./target.ts"

interface WebhookDeliveryParts {
  readonly store: WaasStore
  /** Whether this process delivers; one process does for all replicas. */
  readonly isLeader: () => boolean
  /** The key that signs REST answers too (formats.md 7.2). */
  readonly responseKey: Signer
  /** The allowed hosts, checked again at every delivery: a host that the operator removes is not called any more. */
  readonly hosts: readonly string[]
  readonly timeoutMs: number
  readonly keepMs: number
  readonly now: () => number
  readonly fetch: Fetch
  readonly log: Log
}

export interface WebhookDelivery {
  /** Says that events were written, so that delivery looks for them now. */
  poke(): void
  /** Stops; resolves when no delivery is under way any more. */
  stop(): Promise<void>
}

/** Deliveries at one time to one endpoint. */
const AT_ONCE = 4
/** How often events are looked for without a poke. */
const LOOK_ANYWAY_MS = 5_000
const FORGET_EVERY_MS = 600_000
/** How much of an endpoint's answer is read, for the log of the delivery. */
const ANSWER_BYTES = 1024
const FIRST_PAUSE_MS = 5_000

export function startWebhookDelivery(parts: WebhookDeliveryParts): WebhookDelivery {
  const stopping = new AbortController()
  let wake = new AbortController()
  const poke = () => wake.abort()
  const rest = async (): Promise<void> => {
    await sleep(LOOK_ANYWAY_MS, AbortSignal.any([stopping.signal, wake.signal]))
    wake = new AbortController()
  }
  const over = deliverAll(parts, stopping.signal, rest, poke)
  return {
    poke,
    stop() {
      stopping.abort()
      return over
    },
  }
}

/** Serves each endpoint independently, so that one that hangs or fails delays no other. */
async function deliverAll(
  parts: WebhookDeliveryParts,
  stopping: AbortSignal,
  rest: () => Promise<void>,
  onServed: () => void,
): Promise<void> {
  const served = new Map<string, Promise<void>>()
  const serve = async (endpointId: string): Promise<void> => {
    const due = await parts.store.dueWebhookEvents(endpointId, parts.now(), AT_ONCE)
    await Promise.all(due.map((event) => deliver(parts, event, stopping)))
    if (due.length > 0) onServed()
  }
  let forgotMs = Number.NEGATIVE_INFINITY
  while (!stopping.aborted) {
    if (!parts.isLeader()) {
      await rest()
      continue
    }
    try {
      if (parts.now() - forgotMs > FORGET_EVERY_MS) {
        forgotMs = parts.now()
        await parts.store.forgetWebhookEvents(parts.now() - parts.keepMs)
      }
      for (const { endpointId } of await parts.store.activeWebhookEndpoints()) {
        if (served.has(endpointId)) continue
        const work = serve(endpointId)
          .catch((error: unknown) => failed(parts, error))
          .finally(() => served.delete(endpointId))
        served.set(endpointId, work)
      }
    } catch (error) {
      failed(parts, error)
    }
    await rest()
  }
  await Promise.all(served.values())
}

/** Logs a failure of the store, such as a full disk. Events that are not recorded as delivered are delivered again. */
const failed = ({ log }: WebhookDeliveryParts, error: unknown): void =>
  log.error("webhooks could not be delivered; they are tried again", { error: errorText(error) })

async function deliver(parts: WebhookDeliveryParts, event: WebhookEvent, stopping: AbortSignal): Promise<void> {
  const body = JSON.stringify(webhookBody(event))
  const headers = { "content-type": "application/json", ...signatureHeaders(body, parts.responseKey, parts.now()) }
  const began = performance.now()
  const outcome = await post(parts, event.url, body, headers, stopping)
  // Stopped in the middle of a delivery: its outcome is unknown, so nothing is recorded, and the event is sent again after the start.
  if (stopping.aborted && outcome.failure !== "") return
  const record: WebhookLog = {
    ...{ logId: randomUUID(), eventId: event.eventId, endpointId: event.endpointId },
    ...{ requestHeaders: headers, requestBody: body, ...outcome },
    tookMs: Math.round(performance.now() - began),
    createdMs: parts.now(),
  }
  const after = stepped(event, outcome.failure === "", parts.now())
  const writes: readonly StoreWrite[] = [
    { put: "webhookLog", record },
    { put: "webhookEvent", record: after },
  ]
  await parts.store.commit(writes)
  if (after.status === "Failed") {
    parts.log.warn("a webhook event was given up", {
      endpoint: event.endpointId,
      event: event.eventId,
      reason: outcome.failure,
    })
  }
}

/** The event after one delivery, which succeeded if `taken`. Pauses double: 5 s, 10 s, and so on. */
export function stepped(event: WebhookEvent, taken: boolean, nowMs: number): WebhookEvent {
  if (taken) return { ...event, status: "Success", retriesLeft: 0 }
  if (event.retriesLeft <= 0) return { ...event, status: "Failed", retriesLeft: 0 }
  const pause = FIRST_PAUSE_MS * 2 ** (RETRIES - event.retriesLeft)
  return { ...event, retriesLeft: event.retriesLeft - 1, dueMs: nowMs + pause }
}

async function post(
  { hosts, timeoutMs, fetch }: WebhookDeliveryParts,
  url: string,
  body: string,
  headers: Readonly<Record<string, string>>,
  stopping: AbortSignal,
): Promise<Pick<WebhookLog, "response" | "failure">> {
  const problem = problemOfTarget(url, hosts)
  if (problem !== undefined) return { response: undefined, failure: problem }
  const late = AbortSignal.timeout(timeoutMs)
  try {
    const answer = await fetch(url, {
      ...requestOptions(),
      method: "POST",
      headers: { ...headers, ...AS_IT_IS },
      body,
      signal: AbortSignal.any([late, stopping]),
    })
    const text = (await readBounded(answer, ANSWER_BYTES))?.toString("utf8") ?? `(longer than ${ANSWER_BYTES} bytes)`
    const response = { status: answer.status, body: text }
    return { response, failure: answer.status === 200 || answer.status === 201 ? "" : `HTTP ${answer.status}` }
  } catch (error) {
    if (late.aborted) return { response: undefined, failure: `no answer within ${timeoutMs / 1000} s` }
    const word = errnoOf(error) ?? (error instanceof Error ? error.name : "unknown error")
    return { response: undefined, failure: word }
  }
}
