/** Turns webhook records into the REST objects of formats.md 7.5. */
import type { JsonObject } from "../shapes.ts"
import type { WebhookEndpoint, WebhookEvent, WebhookLog } from "../store/webhookModel.ts"

/** Unlike all other times, `created_timestamp` of an endpoint is in seconds, as in the published model. */
export const webhookEndpoint = (endpoint: WebhookEndpoint): JsonObject => ({
  endpoint_id: endpoint.endpointId,
  url: endpoint.url,
  subscribed_events: endpoint.eventTypes,
  description: endpoint.description,
  status: endpoint.status,
  created_timestamp: Math.floor(endpoint.createdMs / 1000),
})

/** The body that is sent to an endpoint; the same in every attempt. */
export const webhookBody = ({ eventId, url, createdMs, type, data }: WebhookEvent): JsonObject => ({
  event_id: eventId,
  url,
  created_timestamp: createdMs,
  type,
  data,
})

export const webhookEvent = (event: WebhookEvent): JsonObject => ({
  ...webhookBody(event),
  status: event.status,
  ...(event.status === "Retrying" ? { next_retry_timestamp: event.dueMs, retries_left: event.retriesLeft } : {}),
})

export const webhookLog = (log: WebhookLog): JsonObject => ({
  id: log.logId,
  created_timestamp: log.createdMs,
  request_headers: log.requestHeaders,
  request_body: JSON.parse(log.requestBody),
  ...(log.response === undefined
    ? {}
    : { response_status_code: log.response.status, response_body: log.response.body }),
  response_time: log.tookMs,
  success: log.failure === "",
  ...(log.failure === "" ? {} : { failure_reason: log.failure }),
})
