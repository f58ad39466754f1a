/**
 * `cosigner waas adopt`: a WaaS without its database, or with an older one, asks nodes for the groups that they hold and stores what
 * certificates prove (adoption.ts). Serves nothing but the relay, to the nodes that were named, and ends by itself.
 */
import { existsSync } from "node:fs"
import { toHex } from "../bytes.ts"
import { errorText } from "../errors.ts"
import type { Log } from "../log.ts"
import type { FromNode } from "../wire/frames.ts"
import { nodeIdOf, parseNodeId } from "../wire/nodeId.ts"
import { provenEpochs, type TellingNode, vaultsOf } from "./adoption.ts"
import type { WaasConfig } from "./config.ts"
import { isNewest } from "./engine/fencing.ts"
import { lock, readKeyFile, type WaasFiles } from "./files.ts"
import { newOrganisation, refuseShared } from "./opening.ts"
import { createRelay } from "./relay.ts"
import { RELAY_LIMITS, type Relay } from "./relayOptions.ts"
import { serveRelay } from "./server.ts"
import { decideNewest, tokenSignerOf } from "./standing.ts"
import type { HolderGroup, Vault } from "./store/model.ts"
import { createSqliteStore } from "./store/sqlite.ts"
import type { WaasStore } from "./store/store.ts"

/** A node answers once in 2 s; what was asked before is lost with its connection. */
const ASK_AGAIN_MS = 3_000

interface AdoptOptions {
  readonly nodeIds: readonly string[]
  /** How long nodes may take to connect and to answer. */
  readonly limitMs: number
  readonly log: Log
}

interface Adoption {
  readonly vaults: readonly Vault[]
  readonly groups: readonly HolderGroup[]
  /** What was not adopted, and why. */
  readonly skipped: readonly { readonly groupId: string; readonly why: string }[]
  /** Named nodes that did not answer in time. */
  readonly silent: readonly string[]
  readonly isNewDatabase: boolean
}

/** Stores what is new, in one commit. Throws E-WAA-002 to -006 and -011. */
export async function adopt(config: WaasConfig, files: WaasFiles, options: AdoptOptions): Promise<Adoption> {
  refuseShared(config, "adopt")
  await using opened = new AsyncDisposableStack()
  const keys = readKeyFile(files)
  opened.use(lock(files))
  const isNewDatabase = !existsSync(files.database)
  const store = opened.adopt(createSqliteStore(files.database, newOrganisation(Date.now())), (made) => made.close())
  // The operator's decision: from here on every other copy is an older one, and nodes that followed it follow this one.
  await decideNewest(store, Date.now())
  const told = collector(options.nodeIds)
  const relay = relayTo(keys.tasks, store, told, options)
  opened.defer(() => relay.close())
  const server = serveRelay(config, relay)
  opened.defer(() => server.stop(true))
  options.log.info(`WaaS listening on ${server.url.origin} to adopt`, { public_key: toHex(keys.tasks.publicKey) })
  const asking = setInterval(() => {
    const online = relay.online()
    for (const nodeId of told.silent()) {
      const party = parseNodeId(nodeId)
      if (party !== undefined && online.has(party)) relay.send(party, { kind: "tellGroups" })
    }
  }, ASK_AGAIN_MS)
  opened.defer(() => clearInterval(asking))
  await told.all(options.limitMs)
  const known = await knownShareGroups(store, told.answers())
  const { epochs, skipped } = provenEpochs(told.answers(), new Set(options.nodeIds))
  const names = new Map(options.nodeIds.map((nodeId, index) => [nodeId, `node ${index + 1}`]))
  const fresh = epochs.filter(({ groupId }) => !known.has(groupId))
  const { vaults, groups } = vaultsOf(fresh, (nodeId) => names.get(nodeId) ?? nodeId)
  await store.commit([
    ...vaults.map((record) => ({ put: "vault", record }) as const),
    ...groups.map((record) => ({ put: "group", record }) as const),
  ])
  return { vaults, groups, skipped, silent: told.silent(), isNewDatabase }
}

/** Share groups that the database has: they stay as they are. */
async function knownShareGroups(store: WaasStore, told: readonly TellingNode[]): Promise<ReadonlySet<string>> {
  const known = new Set<string>()
  if (told.length === 0) return known
  for (const type of ["Org-Controlled", "User-Controlled"] as const) {
    let after: number | undefined
    do {
      const vaults = await store.vaults({ type }, { limit: 100, after, before: undefined })
      for (const { vaultId } of vaults.items) {
        const { items } = await store.groups({ vaultId }, { limit: 1000, after: undefined, before: undefined })
        for (const { shareGroups } of items) for (const { shareGroupId } of shareGroups) known.add(shareGroupId)
      }
      after = vaults.after
    } while (after !== undefined)
  }
  return known
}

interface Collector {
  take(nodeId: string, frame: FromNode): void
  /** Resolves when every named node has answered, or after so long. */
  all(limitMs: number): Promise<void>
  answers(): readonly TellingNode[]
  silent(): readonly string[]
}

function collector(nodeIds: readonly string[]): Collector {
  const records = new Map<string, Uint8Array[]>()
  const done = new Set<string>()
  const { promise, resolve } = Promise.withResolvers<void>()
  return {
    take(nodeId, frame) {
      if (frame.kind !== "groups" || done.has(nodeId)) return
      // Asked twice it may tell some twice: they are one record to whoever counts them.
      records.set(nodeId, [...(records.get(nodeId) ?? []), ...frame.records])
      if (frame.isLast) done.add(nodeId)
      if (nodeIds.every((id) => done.has(id))) resolve()
    },
    async all(limitMs) {
      const limit = setTimeout(resolve, limitMs)
      await promise
      clearTimeout(limit)
    },
    // One that was cut off in the middle has not answered.
    answers: () => [...done].map((nodeId) => ({ nodeId, records: records.get(nodeId) ?? [] })),
    silent: () => nodeIds.filter((id) => !done.has(id)),
  }
}

function relayTo(
  signer: Parameters<typeof createRelay>[0]["signer"],
  store: WaasStore,
  told: Collector,
  { nodeIds, log }: AdoptOptions,
): Relay {
  const parties = new Set(nodeIds.flatMap((nodeId) => parseNodeId(nodeId) ?? []))
  const relay = createRelay({
    signer,
    fence: {
      token: tokenSignerOf(store, signer),
      // Decided by a clock that was ahead of ours: the node comes back at once, and meets a higher one.
      async shown({ token }) {
        await decideNewest(store, Date.now(), token)
        return true
      },
      isFenced: () => false,
    },
    isKnownNode: (party) => parties.has(party),
    admitFencingToken: async (party, { bootId, ...token }, versions) => {
      const now = { ...token, bootId: toHex(bootId), versions }
      const nodeId = nodeIdOf(party)
      if (!isNewest(now, await store.fencingToken(nodeId))) return false
      await store.commit([{ put: "fencingToken", nodeId, record: now }])
      return true
    },
    onFrame: (party, frame) => told.take(nodeIdOf(party), frame),
    onOnline: (party) => {
      try {
        relay.send(party, { kind: "tellGroups" })
      } catch (error) {
        log.error("a node could not be asked", { node: nodeIdOf(party), error: errorText(error) })
      }
    },
    onOffline: () => {},
    clock: Date.now,
    log,
    limits: RELAY_LIMITS,
  })
  return relay
}
