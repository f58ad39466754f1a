/**
 * What changes of records mean for webhook endpoints. The events are written in the same commit as the change: an event is
 * told if and only if the change is durable.
 */
import { newUuid } from "../ids.ts"
import { mpcVault, tssRequest } from "../shapes.ts"
import type { TssRequestStatus, WebhookEndpoint, WebhookEvent } from "../store/model.ts"
import type { StoreWrite, WaasStore } from "../store/store.ts"
import type { WebhookEventType } from "./types.ts"

/** Deliveries after the first that did not succeed; with the pauses of delivery.ts an hour and a half in all. */
export const RETRIES = 10

interface Announcement {
  readonly type: WebhookEventType
  readonly objectId: string
  readonly data: Readonly<Record<string, unknown>>
}

/** The store, but each commit also writes the events that follow from it. `onNews`: some were written. */
export function announcing(store: WaasStore, now: () => number, onNews: () => void): WaasStore {
  let endpoints: readonly WebhookEndpoint[] | undefined
  return {
    ...store,
    async commit(writes) {
      endpoints ??= await store.activeWebhookEndpoints()
      const events = await eventsOf(writes, endpoints, store, now())
      await store.commit([...writes, ...events.map((record): StoreWrite => ({ put: "webhookEvent", record }))])
      if (writes.some(({ put }) => put === "webhookEndpoint")) endpoints = undefined
      if (events.length > 0 || writes.some(({ put }) => put === "webhookEvent")) onNews()
    },
  }
}

async function eventsOf(
  writes: readonly StoreWrite[],
  endpoints: readonly WebhookEndpoint[],
  store: WaasStore,
  nowMs: number,
): Promise<readonly WebhookEvent[]> {
  if (endpoints.length === 0) return []
  const changes = (await Promise.all(writes.map((write) => changeOf(write, store)))).filter(
    (change) => change !== undefined,
  )
  return changes.flatMap((change) =>
    endpoints
      .filter(({ eventTypes }) => eventTypes.includes(change.type))
      .map(({ endpointId, url }) => ({
        ...change,
        ...{ eventId: newUuid(), endpointId, url },
        ...({ status: "Retrying", retriesLeft: RETRIES, dueMs: nowMs, createdMs: nowMs } as const),
      })),
  )
}

async function changeOf(write: StoreWrite, store: WaasStore): Promise<Announcement | undefined> {
  switch (write.put) {
    case "tssRequest": {
      const { record } = write
      const before = await store.tssRequest(record.tssRequestId)
      if (before?.status === record.status) return undefined
      const data = { data_type: "TSSRequest", ...tssRequest(record) }
      return {
        type: before === undefined ? "wallets.mpc.tss_request.created" : typeOf(record.status),
        objectId: record.tssRequestId,
        data,
      }
    }
    case "vault": {
      const { record } = write
      const before = await store.vault(record.vaultId)
      const data = { data_type: "MPCVault", ...mpcVault(record) }
      return {
        type: before === undefined ? "mpc_vaults.created" : "mpc_vaults.updated",
        objectId: record.vaultId,
        data,
      }
    }
    default:
      return undefined
  }
}

function typeOf(status: TssRequestStatus): WebhookEventType {
  switch (status) {
    case "Success":
      return "wallets.mpc.tss_request.succeeded"
    case "KeyGeneratingFailed":
    case "KeyHolderConfirmationFailed":
      return "wallets.mpc.tss_request.failed"
    default:
      return "wallets.mpc.tss_request.updated"
  }
}
