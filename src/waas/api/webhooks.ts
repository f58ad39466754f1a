/**
 * The calls about webhooks (formats.md 7.5): endpoints, the events made for them, and each attempt to deliver one. WaaS calls only hosts
 * that its operator allows, whatever a caller registers.
 */
import { type Static, Type } from "@sinclair/typebox"
import { ApiFailure, notFound } from "../failure.ts"
import { newUuid } from "../ids.ts"
import type { WebhookEndpoint, WebhookEvent } from "../store/webhookModel.ts"
import { webhookEndpoint, webhookEvent, webhookLog } from "../webhooks/shapes.ts"
import { problemOfTarget } from "../webhooks/target.ts"
import { EVENT_TYPES } from "../webhooks/types.ts"
import type { ApiContext } from "./context.ts"
import { pageFields, pageOf, pageQuery } from "./page.ts"
import { closed, param, type Route, route, Words } from "./route.ts"

const ENDPOINTS = "/v2/webhooks/endpoints"
const ENDPOINT = `${ENDPOINTS}/:endpoint_id`
const EVENTS = `${ENDPOINT}/events`

/** The most endpoints: each change writes one event for every endpoint that subscribes to it. */
const MOST_ENDPOINTS = 50

const EventType = Type.String({ maxLength: 100 })
const Subscribed = Type.Array(EventType, { minItems: 1, maxItems: EVENT_TYPES.length, uniqueItems: true })
const EndpointStatus = Type.Union([Type.Literal("STATUS_ACTIVE"), Type.Literal("STATUS_INACTIVE")])
const EventStatus = Type.Union([Type.Literal("Success"), Type.Literal("Retrying"), Type.Literal("Failed")])

const NewEndpoint = closed({
  url: Type.String({ minLength: 1, maxLength: 500 }),
  subscribed_events: Subscribed,
  description: Type.Optional(Words(0, 512)),
})
const ChangedEndpoint = closed({
  subscribed_events: Type.Optional(Subscribed),
  status: Type.Optional(EndpointStatus),
  description: Type.Optional(Words(0, 512)),
})

export const webhookRoutes = (api: ApiContext): readonly Route[] => [...endpointRoutes(api), ...eventRoutes(api)]

const endpointRoutes = (api: ApiContext): readonly Route[] => [
  route({
    method: "GET",
    path: ENDPOINTS,
    summary: "The webhook endpoints, newest first",
    query: closed({ status: Type.Optional(EndpointStatus), event_type: Type.Optional(EventType), ...pageFields }),
    handle: async ({ query }) => {
      const { status, event_type: type } = query
      const filter = { ...(status === undefined ? {} : { status }), ...(type === undefined ? {} : { type }) }
      return pageOf(await api.store.webhookEndpoints(filter, pageQuery(query)), webhookEndpoint)
    },
  }),
  route({
    method: "POST",
    path: ENDPOINTS,
    summary: "Register a webhook endpoint; its host must be one that the operator of WaaS allowed",
    body: NewEndpoint,
    handle: async ({ body }) => webhookEndpoint(await newEndpoint(api, body)),
  }),
  route({
    method: "GET",
    path: ENDPOINT,
    summary: "One webhook endpoint",
    handle: async ({ params }) => webhookEndpoint(await endpointOf(api, params)),
  }),
  route({
    method: "PUT",
    path: ENDPOINT,
    summary: "Change the events, status or description of an endpoint",
    body: ChangedEndpoint,
    handle: async ({ params, body }) => {
      requireKnown(body.subscribed_events ?? [])
      const change = async () => {
        const before = await endpointOf(api, params)
        const changed: WebhookEndpoint = {
          ...before,
          eventTypes: body.subscribed_events ?? before.eventTypes,
          status: body.status ?? before.status,
          description: body.description ?? before.description,
        }
        await api.store.commit([{ put: "webhookEndpoint", record: changed }])
        return webhookEndpoint(changed)
      }
      return api.shared.exclusively(`endpoint ${param(params, "endpoint_id")}`, change)
    },
  }),
]

const eventRoutes = (api: ApiContext): readonly Route[] => [
  route({
    method: "GET",
    path: "/v2/webhooks/events/definitions",
    summary: "The event types",
    handle: async () => EVENT_TYPES.map(({ type, description }) => ({ event_type: type, description })),
  }),
  route({
    method: "GET",
    path: EVENTS,
    summary: "The events of an endpoint, newest first",
    query: closed({ status: Type.Optional(EventStatus), type: Type.Optional(EventType), ...pageFields }),
    handle: async ({ params, query }) => {
      const { endpointId } = await endpointOf(api, params)
      const { status, type } = query
      const filter = {
        endpointId,
        ...(status === undefined ? {} : { status }),
        ...(type === undefined ? {} : { type }),
      }
      return pageOf(await api.store.webhookEvents(filter, pageQuery(query)), webhookEvent)
    },
  }),
  route({
    method: "GET",
    path: `${EVENTS}/:event_id`,
    summary: "One event of an endpoint",
    handle: async ({ params }) => webhookEvent(await eventOf(api, params)),
  }),
  route({
    method: "GET",
    path: `${EVENTS}/:event_id/logs`,
    summary: "Each attempt to deliver an event, newest first",
    query: closed(pageFields),
    handle: async ({ params, query }) => {
      const { eventId } = await eventOf(api, params)
      return pageOf(await api.store.webhookLogs({ eventId }, pageQuery(query)), webhookLog)
    },
  }),
  route({
    method: "POST",
    path: `${EVENTS}/:event_id/retry`,
    summary: "Deliver a failed event once more",
    handle: async ({ params }) => {
      const event = await eventOf(api, params)
      if (event.status !== "Failed")
        throw new ApiFailure(2029, `the event is ${event.status}; only Failed ones are retried`)
      const again: WebhookEvent = { ...event, status: "Retrying", retriesLeft: 0, dueMs: api.now() }
      await api.store.commit([{ put: "webhookEvent", record: again }])
      return { retried: true }
    },
  }),
  route({
    method: "GET",
    path: "/v2/developers/callback_messages",
    summary: "Callback messages of WaaS: none, because nodes ask the callback servers themselves",
    query: closed({
      callback_message_ids: Type.Optional(Type.String()),
      request_ids: Type.Optional(Type.String()),
      transaction_ids: Type.Optional(Type.String()),
      wallet_ids: Type.Optional(Type.String()),
      status: Type.Optional(Type.String({ pattern: "^(?:Approved|Denied|Failed)$" })),
      ...pageFields,
    }),
    handle: async ({ query }) => {
      pageQuery(query)
      return pageOf({ items: [], before: undefined, after: undefined, total: 0 }, () => ({}))
    },
  }),
]

async function newEndpoint(api: ApiContext, body: Static<typeof NewEndpoint>): Promise<WebhookEndpoint> {
  const problem = problemOfTarget(body.url, api.webhookHosts)
  if (problem !== undefined) throw new ApiFailure(2006, `body.url: ${problem}`)
  requireKnown(body.subscribed_events)
  const { total } = await api.store.webhookEndpoints({}, { limit: 1, after: undefined, before: undefined })
  if (total >= MOST_ENDPOINTS)
    throw new ApiFailure(2029, `there are ${MOST_ENDPOINTS} endpoints already, the most there may be`)
  const endpoint: WebhookEndpoint = {
    endpointId: newUuid(),
    url: body.url,
    eventTypes: body.subscribed_events,
    description: body.description ?? "",
    status: "STATUS_ACTIVE",
    createdMs: api.now(),
  }
  await api.store.commit([{ put: "webhookEndpoint", record: endpoint }])
  return endpoint
}

function requireKnown(types: readonly string[]): void {
  const strange = types.find((type) => !EVENT_TYPES.some((known) => known.type === type))
  if (strange === undefined) return
  throw new ApiFailure(
    2006,
    `body.subscribed_events: ${JSON.stringify(strange)} is no event type; see /v2/webhooks/events/definitions`,
  )
}

/** The endpoint that the path names. Throws 2028. */
async function endpointOf(api: ApiContext, params: Readonly<Record<string, string>>): Promise<WebhookEndpoint> {
  const id = param(params, "endpoint_id")
  const endpoint = await api.store.webhookEndpoint(id)
  if (endpoint === undefined) throw notFound("webhook endpoint", id)
  return endpoint
}

/** The event that the path names. Throws 2028 if there is none, or if it belongs to another endpoint. */
async function eventOf(api: ApiContext, params: Readonly<Record<string, string>>): Promise<WebhookEvent> {
  const { endpointId } = await endpointOf(api, params)
  const id = param(params, "event_id")
  const event = await api.store.webhookEvent(id)
  if (event?.endpointId !== endpointId) throw notFound("webhook event", id)
  return event
}
