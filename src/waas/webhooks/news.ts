/**
 * Turns changes of records into webhook events. An event is written in the same commit as its change, so it is delivered if and only if
 * the change is durable.
 */
import { newUuid } from "../ids.ts"
import { addressInfo, mpcVault, transaction, tssRequest, walletInfo } from "../shapes.ts"
import type { TransactionStatus, TssRequestStatus, WaasTask } from "../store/model.ts"
import type { StoreWrite, WaasStore } from "../store/store.ts"
import type { WebhookEndpoint, WebhookEvent } from "../store/webhookModel.ts"
import type { WebhookEventType } from "./types.ts"

/** Deliveries after a first that failed; with the pauses of delivery.ts they take an hour and a half in all. */
export const RETRIES = 10

interface Announcement {
  readonly type: WebhookEventType
  readonly objectId: string
  readonly data: Readonly<Record<string, unknown>>
}

/**
 * The store, except that each commit also writes the events that follow from it. `onNews` is called after a commit with events.
 * `isAlone`: no other replica lives, so the cached endpoints are current.
 */
export function announcing(
  store: WaasStore,
  now: () => number,
  onNews: () => void,
  isAlone: () => boolean = () => true,
): WaasStore {
  let endpoints: readonly WebhookEndpoint[] | undefined
  return {
    ...store,
    async commit(writes) {
      if (!isAlone()) endpoints = undefined
      if (endpoints === undefined && writes.some(isTold)) endpoints = await store.activeWebhookEndpoints()
      const events = await eventsOf(writes, endpoints ?? [], store, now())
      await store.commit([...writes, ...events.map((record): StoreWrite => ({ put: "webhookEvent", record }))])
      if (writes.some(({ put }) => put === "webhookEndpoint")) endpoints = undefined
      if (events.length > 0 || writes.some(({ put }) => put === "webhookEvent")) onNews()
    },
  }
}

/** Whether an event may follow from this write. */
const isTold = (write: StoreWrite): boolean =>
  ANNOUNCED.has(write.put) || (write.put === "task" && (write.record.awaits ?? write.record.approvals) !== undefined)

const ANNOUNCED: ReadonlySet<StoreWrite["put"]> = new Set(["tssRequest", "vault", "wallet", "address", "transaction"])

async function eventsOf(
  writes: readonly StoreWrite[],
  endpoints: readonly WebhookEndpoint[],
  store: WaasStore,
  nowMs: number,
): Promise<readonly WebhookEvent[]> {
  if (endpoints.length === 0) return []
  const ofEach = await Promise.all(writes.map((write) => changeOf(write, store)))
  const changes = [...ofEach, newAddresses(writes)].filter((change) => change !== undefined)
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
    case "task":
      return wordsOn(write.record, store)
    case "wallet": {
      const { walletId, vaultId } = write.record
      const vault = await store.vault(vaultId)
      if (vault === undefined) return undefined
      const project = vault.projectId === undefined ? undefined : await store.project(vault.projectId)
      const { orgId } = await store.organisation()
      const before = await store.wallet(walletId)
      const data = { data_type: "WalletInfo", wallet: walletInfo(write.record, vault, orgId, project) }
      return { type: before === undefined ? "wallets.created" : "wallets.updated", objectId: walletId, data }
    }
    case "transaction": {
      const { record } = write
      const before = await store.transaction(record.transactionId)
      if (before?.status === record.status && before.subStatus === record.subStatus) return undefined
      const type = before === undefined ? "wallets.transaction.created" : TRANSACTION_EVENTS[record.status]
      return { type, objectId: record.transactionId, data: { data_type: "Transaction", ...transaction(record) } }
    }
    default:
      return undefined
  }
}

/** The event that a task waits for people, or that a statement has arrived. Most tasks have neither, and cost no look into the store. */
async function wordsOn(task: WaasTask, store: WaasStore): Promise<Announcement | undefined> {
  const { taskId, request, approvals = [], awaits, deadlineMs } = task
  if (awaits === undefined && approvals.length === 0) return undefined
  const before = await store.task(taskId)
  const common = { data_type: "Approval", task_id: taskId, request_id: request.id, deadline_timestamp: deadlineMs }
  if (approvals.length > (before?.approvals?.length ?? 0)) {
    return { type: "wallets.mpc.approval.received", objectId: taskId, data: { ...common, approvals: approvals.length } }
  }
  if (awaits === undefined || before?.awaits !== undefined) return undefined
  return { type: "wallets.mpc.approval.awaited", objectId: taskId, data: common }
}

const TRANSACTION_EVENTS: Readonly<Record<TransactionStatus, WebhookEventType>> = {
  Submitted: "wallets.transaction.updated",
  PendingSignature: "wallets.transaction.updated",
  Broadcasting: "wallets.transaction.updated",
  Confirming: "wallets.transaction.updated",
  Completed: "wallets.transaction.succeeded",
  Failed: "wallets.transaction.failed",
  Rejected: "wallets.transaction.failed",
}

/** One event for all addresses of a commit; they belong to one wallet. */
function newAddresses(writes: readonly StoreWrite[]): Announcement | undefined {
  const records = writes.flatMap((write) => (write.put === "address" ? [write.record] : []))
  const objectId = records[0]?.walletId
  if (objectId === undefined) return undefined
  const addresses = records.map((record) => ({ ...addressInfo(record), wallet_id: record.walletId }))
  return { type: "wallets.addresses.created", objectId, data: { data_type: "Addresses", addresses } }
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
