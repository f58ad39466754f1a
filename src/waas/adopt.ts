/**
 * `cosigner waas adopt` (formats.md 14): a WaaS that lost its database, or has an older one, asks nodes for the groups that they hold
 * and stores what certificates prove (adoption.ts). It serves only the relay, only to the named nodes, and ends by itself.
 */
import { existsSync } from "node:fs"
import { toHex } from "../bytes.ts"
import { CosignerError, errorText } from "../errors.ts"
import type { Log } from "../log.ts"
import { nodeIdOf, parseNodeId } from "../wire/nodeId.ts"
import { decodeTask } from "../wire/task.ts"
import { type Collector, collector, type LostTask } from "./adoptAnswers.ts"
import { provenEpochs } from "./adoption.ts"
import { caughtUp, type KnownVault } from "./catchUp.ts"
import type { WaasConfig } from "./config.ts"
import { isNewest } from "./engine/fencing.ts"
import { groupsOf } from "./engine/reshare.ts"
import { lock, type WaasFiles } from "./files.ts"
import { waasKeys } from "./keyCommand.ts"
import { newOrganisation, serveStore } from "./opening.ts"
import { createRelay } from "./relay.ts"
import { RELAY_LIMITS, type Relay } from "./relayOptions.ts"
import { serveRelay } from "./server.ts"
import { decideNewest, tokenSignerOf } from "./standing.ts"
import type { HolderGroup, Vault } from "./store/model.ts"
import { createSqliteStore } from "./store/sqlite.ts"
import type { WaasStore } from "./store/store.ts"

/** Nodes are asked again until they have answered, because an answer is lost with its connection. A node answers at most every 2 s. */
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
  /** Share groups of the database that were reshared since the copy was made, and are up to date now. */
  readonly advanced: readonly string[]
  /** Tasks that nodes reported and the database does not know: their requests are lost. */
  readonly lost: readonly LostTask[]
  /** Groups that were not adopted, and why. */
  readonly skipped: readonly { readonly groupId: string; readonly why: string }[]
  /** Named nodes that did not answer completely in time, or sent more than is kept. */
  readonly silent: readonly string[]
  readonly isNewDatabase: boolean
}

/**
 * Asks the nodes and stores what is new, in one commit. Before that, it makes this database the newest copy, durably. Throws E-WAA-002
 * to -006, -011 and -075, and for a shared database -070 to -073.
 */
export async function adopt(config: WaasConfig, files: WaasFiles, options: AdoptOptions): Promise<Adoption> {
  await using opened = new AsyncDisposableStack()
  const keys = await waasKeys(config, files)
  const isNewDatabase = config.store === undefined && !existsSync(files.database)
  const store = await storeToFill(config, files, options, opened)
  // By this decision of the operator every other copy is older from now on, and nodes that followed one of those follow this one.
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
  const { epochs, skipped } = provenEpochs(told.answers(), new Set(options.nodeIds))
  const names = new Map(options.nodeIds.map((nodeId, index) => [nodeId, `node ${index + 1}`]))
  const known = epochs.length === 0 ? [] : await knownVaults(store)
  const now = caughtUp(epochs, known, await openShareGroups(store), (nodeId) => names.get(nodeId) ?? nodeId)
  await store.commit([
    ...now.vaults.map((record) => ({ put: "vault", record }) as const),
    ...now.groups.map((record) => ({ put: "group", record }) as const),
  ])
  return {
    vaults: now.vaults,
    groups: now.groups,
    advanced: now.advanced,
    skipped: [...skipped, ...now.skipped],
    lost: await unknownTasks(store, told.reports()),
    silent: told.silent(),
    isNewDatabase,
  }
}

/** The store to fill, which no other process serves meanwhile. A missing waas.db is made; a shared database must exist. */
async function storeToFill(
  config: WaasConfig,
  files: WaasFiles,
  { log, limitMs }: AdoptOptions,
  opened: AsyncDisposableStack,
): Promise<WaasStore> {
  if (config.store === undefined) {
    opened.use(lock(files))
    return opened.adopt(createSqliteStore(files.database, newOrganisation(Date.now())), (made) => made.close())
  }
  const served = await serveStore(config, files, {
    log,
    signal: AbortSignal.timeout(limitMs),
    onUnheard() {},
    isAlone: true,
  })
  if (served === undefined) throw new CosignerError("E-WAA-004", { dir: files.dir })
  return opened.use(served).store
}

async function knownVaults(store: WaasStore): Promise<readonly KnownVault[]> {
  const known: KnownVault[] = []
  for (const type of ["Org-Controlled", "User-Controlled"] as const) {
    let after: number | undefined
    do {
      const vaults = await store.vaults({ type }, { limit: 100, after, before: undefined })
      for (const vault of vaults.items) known.push({ vault, groups: await groupsOf(store, vault.vaultId) })
      after = vaults.after
    } while (after !== undefined)
  }
  return known
}

/** Share groups that unfinished tasks of the database will make. They are left to the engine, which hears of their end from nodes. */
async function openShareGroups(store: WaasStore): Promise<ReadonlySet<string>> {
  const ids = new Set<string>()
  for (const { document } of await store.liveTasks()) {
    const task = decodeTask(document)
    if ("problem" in task) continue
    if (task.type === "KeyGen") ids.add(task.group_id)
    if (task.type === "KeyReshare") ids.add(task.new_group_id)
  }
  return ids
}

/** The reported tasks that this database does not know: they began after its copy was made. */
async function unknownTasks(store: WaasStore, reports: readonly LostTask[]): Promise<readonly LostTask[]> {
  const lost: LostTask[] = []
  for (const report of reports) if ((await store.task(report.taskId)) === undefined) lost.push(report)
  return lost
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
      // Another copy was made the newest by a clock ahead of ours. This raises ours above it, and the node comes back at once.
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
      if (!isNewest(now, await store.fencingToken(nodeId))) return "behind"
      await store.commit([{ put: "fencingToken", nodeId, record: now }])
      return "newest"
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
