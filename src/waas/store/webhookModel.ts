/** The records of webhooks: endpoints, events for them, and attempts to deliver those. Tables are in schema.ts. */

export type WebhookEndpointStatus = "STATUS_ACTIVE" | "STATUS_INACTIVE"

/** A customer's server that WaaS tells what happens (formats.md 7.5). */
export interface WebhookEndpoint {
  readonly endpointId: string
  readonly url: string
  readonly eventTypes: readonly string[]
  readonly description: string
  readonly status: WebhookEndpointStatus
  readonly createdMs: number
}

export type WebhookEventStatus = "Success" | "Retrying" | "Failed"

/** One event for one endpoint, written in the same commit as the change that it tells of. */
export interface WebhookEvent {
  readonly eventId: string
  readonly endpointId: string
  readonly url: string
  readonly type: string
  /** The object that it is about: events of one object arrive in order. */
  readonly objectId: string
  readonly data: Readonly<Record<string, unknown>>
  readonly status: WebhookEventStatus
  readonly retriesLeft: number
  /** When it is to be sent, or sent again; a time in the past means at once. */
  readonly dueMs: number
  readonly createdMs: number
}

/** One attempt to deliver an event. */
export interface WebhookLog {
  readonly logId: string
  readonly eventId: string
  readonly endpointId: string
  readonly requestHeaders: Readonly<Record<string, string>>
  /** The body as it was sent. */
  readonly requestBody: string
  /** Undefined where no answer came. */
  readonly response: { readonly status: number; readonly body: string } | undefined
  readonly tookMs: number
  /** Why the delivery failed; empty if the endpoint accepted the event. */
  readonly failure: string
  readonly createdMs: number
}
