/**
 * The newest vaults and requests of WaaS: which of them the console shows, and which must be sent to it again. It sees commits of this
 * process as they are made, finds older records at the start, and polls for those of other replicas.
 */
import type { Log } from "../../log.ts"
import { createFeed, type Feed } from "../../panel/feed.ts"
import type { GroupType, VaultType, WaasTask } from "../store/model.ts"
import type { StoreWrite, WaasStore } from "../store/store.ts"

const MOST_REQUESTS = 500
const MOST_VAULTS = 200
/** The most that one look sends; a look comes once a second. */
const PORTION = { documents: 50, characters: 1024 * 1024 }
/** To find the newest requests of all, at least so many requests of each vault are read. */
const OF_EACH_VAULT = 20
/** Well below the length of the lists, so that an entry that left a list does not come back as new. */
const NEWEST_OF_OTHERS = 100

export interface Recent {
  readonly requests: Feed
  readonly vaults: Feed
  /** Takes note of a durable commit of this process. */
  written(writes: readonly StoreWrite[]): void
  /** Fills the lists from the store; once, at the start. */
  look(): Promise<void>
  /** Finds what other replicas made. */
  lookForOthers(): Promise<void>
  /** Has everything made again, which also finds what has left the store. */
  again(): void
  /** Has all vaults made again, because their documents show the state of nodes. */
  nodesChanged(): void
}

type RequestKey = `${WaasTask["request"]["kind"]}:${string}`

export const requestKey = (kind: WaasTask["request"]["kind"], id: string): RequestKey => `${kind}:${id}`

/** The key of the request that a write belongs to, and whether it writes the request itself. */
function requestOf(write: StoreWrite): { readonly key: string; readonly isItself: boolean } | undefined {
  switch (write.put) {
    case "signRequest":
      return { key: requestKey("sign", write.record.signRequestId), isItself: true }
    case "tssRequest":
      return { key: requestKey("tss", write.record.tssRequestId), isItself: true }
    case "shareSignRequest":
      return { key: requestKey("shareSign", write.record.shareSignRequestId), isItself: true }
    case "task":
      return { key: requestKey(write.record.request.kind, write.record.request.id), isItself: false }
    case "transaction":
      return { key: requestKey("sign", write.record.transactionId), isItself: false }
    default:
      return undefined
  }
}

export function createRecent(store: WaasStore, log: Log): Recent {
  const requests = createFeed({ name: "requests", most: MOST_REQUESTS, portion: PORTION, log })
  const vaults = createFeed({ name: "vaults", most: MOST_VAULTS, portion: PORTION, log })
  let vaultIds: readonly string[] = []

  function seen(key: string, isItself: boolean): void {
    if (requests.has(key)) requests.changed(key)
    else if (isItself) requests.added(key)
  }

  function added(vaultId: string): void {
    vaults.added(vaultId)
    vaultIds = [...new Set([...vaultIds, vaultId])].slice(-MOST_VAULTS)
  }

  return {
    requests,
    vaults,
    written(writes) {
      for (const write of writes) {
        const request = requestOf(write)
        if (request !== undefined) seen(request.key, request.isItself)
        if (write.put === "vault") {
          if (vaults.has(write.record.vaultId)) vaults.changed(write.record.vaultId)
          else added(write.record.vaultId)
        }
        if (write.put === "group") vaults.changed(write.record.vaultId)
      }
    },
    async look() {
      const found = await newest(store)
      vaultIds = found.vaults
      vaults.replace(found.vaults)
      requests.replace(found.requests)
    },
    async lookForOthers() {
      for (const type of VAULT_TYPES) {
        const { items } = await store.vaults({ type }, { limit: NEWEST_OF_OTHERS, ...FIRST })
        for (const { vaultId } of items.toReversed()) if (!vaults.has(vaultId)) added(vaultId)
      }
      for (const { kind, id } of await store.newestRequests(NEWEST_OF_OTHERS)) {
        const key = requestKey(kind, id)
        if (!requests.has(key)) requests.added(key)
      }
    },
    again() {
      vaults.again()
      requests.again()
    },
    nodesChanged() {
      for (const vaultId of vaultIds) vaults.changed(vaultId)
    },
  }
}

const FIRST = { after: undefined, before: undefined }
const VAULT_TYPES: readonly VaultType[] = ["Org-Controlled", "User-Controlled"]
const GROUP_TYPES: readonly GroupType[] = ["MainGroup", "SigningGroup", "RecoveryGroup"]

interface Dated {
  readonly key: string
  readonly createdMs: number
}

/** The newest vaults and requests of the store, oldest first. */
async function newest(
  store: WaasStore,
): Promise<{ readonly vaults: readonly string[]; readonly requests: readonly string[] }> {
  const vaults: Dated[] = []
  for (const type of VAULT_TYPES) {
    const { items } = await store.vaults({ type }, { limit: MOST_VAULTS, ...FIRST })
    // Pages are newest first. Reversed, records of the same millisecond are in order too, because the sort below is stable.
    vaults.push(...items.toReversed().map(({ vaultId, createdMs }) => ({ key: vaultId, createdMs })))
  }
  const shown = oldToNew(vaults, MOST_VAULTS)
  const each = Math.min(MOST_REQUESTS, Math.max(OF_EACH_VAULT, Math.ceil((2 * MOST_REQUESTS) / shown.length)))
  const requests: Dated[] = []
  for (const vaultId of shown) {
    requests.push(...(await requestsOf(store, vaultId, each)))
    // Gives other work its turn between two vaults.
    await new Promise((resolve) => setImmediate(resolve))
  }
  return { vaults: shown, requests: oldToNew(requests, MOST_REQUESTS) }
}

const oldToNew = (dated: readonly Dated[], most: number): readonly string[] =>
  [...dated]
    .sort((a, b) => a.createdMs - b.createdMs)
    .slice(-most)
    .map(({ key }) => key)

async function requestsOf(store: WaasStore, vaultId: string, limit: number): Promise<readonly Dated[]> {
  const page = { limit, ...FIRST }
  const signed = await store.signRequests({ vaultId }, page)
  const checkups = await store.shareSignRequests({ vaultId }, page)
  const made: Dated[] = []
  for (const type of GROUP_TYPES) {
    const groups = await store.groups({ vaultId, type }, page)
    for (const { groupId } of groups.items) {
      const { items } = await store.tssRequests({ vaultId, groupId }, page)
      made.push(...items.map(({ tssRequestId, createdMs }) => ({ key: requestKey("tss", tssRequestId), createdMs })))
    }
  }
  return [
    ...made.toReversed(),
    ...signed.items
      .toReversed()
      .map(({ signRequestId, createdMs }) => ({ key: requestKey("sign", signRequestId), createdMs })),
    ...checkups.items.toReversed().map((one) => ({
      key: requestKey("shareSign", one.shareSignRequestId),
      createdMs: one.createdMs,
    })),
  ]
}
