/**
 * The node as a whole: builds the ports that tasks work through, and owns the order in which things start and stop.
 * Start: keys, workers, risk control, events, tasks of the last run, link. Stop: the reverse order, so that nothing is asked of
 * a part that has already stopped.
 */

import { createPrivateKey, type KeyObject, randomBytes, randomInt, randomUUID } from "node:crypto"
import { availableParallelism } from "node:os"
import { type Bytes, copy } from "./bytes.ts"
import type { Startable } from "./config/startup.ts"
import { fetchTrusting } from "./config/trust.ts"
import { systemRng } from "./crypto/random.ts"
import { CosignerError, describe } from "./errors.ts"
import { eventsFor, freezeEvents } from "./events/envelope.ts"
import { type Sender, startSender } from "./events/sender.ts"
import { keepAudit, type NodeLog } from "./jobs/auditKeeper.ts"
import type { PeerWitnesses } from "./jobs/auditPeers.ts"
import { NODE_BACKUPS } from "./jobs/backupNames.ts"
import { startJobs } from "./jobs/jobs.ts"
import { keepRollbackGuard, requireNewest } from "./jobs/rollbackGuard.ts"
import { partyBytes } from "./keys/party.ts"
import { clockOff } from "./link/clockOff.ts"
import type { Link } from "./link/link.ts"
import { startLink } from "./link/links.ts"
import { LINK_TIMING } from "./link/options.ts"
import type { Log } from "./log.ts"
import { type Identity, identityOf } from "./mpc/envelope.ts"
import { MAX_BATCH } from "./mpc/sid.ts"
import { carryOut } from "./ops/admin/carryOut.ts"
import { startAdmin } from "./ops/admin/thread.ts"
import { alarmAt } from "./ops/alarm.ts"
import { type AskedServers, type Callbacks, callbacksOf } from "./ops/callbacks.ts"
import { endHeld } from "./ops/endHeld.ts"
import { freezingOf } from "./ops/freezing.ts"
import type { Shown } from "./ops/inventory/shown.ts"
import { keepSummary } from "./ops/inventory/summary.ts"
import { type NodePolicy, policyOf } from "./ops/nodePolicy.ts"
import type { Observers } from "./ops/observers.ts"
import { type Operations, openOperations } from "./ops/operations.ts"
import { type Orders, ordersOf } from "./ops/orders.ts"
import { WATCH_LIMITS } from "./ops/readiness/probes.ts"
import { tellCallbacks, tellRecovery, tellRules } from "./ops/startLines.ts"
import { WaasInForce } from "./ops/waasInForce.ts"
import type { Secret } from "./secret.ts"
import type { Store } from "./store/store.ts"
import type { IntentSettings } from "./tasks/intents.ts"
import { judgeBy } from "./tasks/policyRequest.ts"
import type { TaskLimits, TaskPorts } from "./tasks/ports.ts"
import { createTasks, type TaskRunner } from "./tasks/runner.ts"
import { CHANNEL_LIMITS } from "./wire/channel.ts"
import type { FromNode } from "./wire/frames.ts"
import { BOOT_ID_BYTES } from "./wire/hello.ts"
import { nodeIdOf, parseNodeId } from "./wire/nodeId.ts"
import { tokenSigner } from "./wire/tssJwt.ts"
import { MOST_QUEUED } from "./workers/inbound.ts"
import { kernelRandom } from "./workers/kernelRandom.ts"
import { type Pool, startPool } from "./workers/pool.ts"
import { onceForNames, startReader } from "./workers/reader.ts"
import { spawnSessionWorker } from "./workers/spawn.ts"

export interface Daemon {
  readonly nodeId: string
  /**
   * Replaces the policy by a checked one; tasks that are decided from now on use it. `waiting` names other changes of the
   * file that are not in force before a restart.
   */
  reload(policy: NodePolicy, waiting: readonly string[]): void
  /** Resolves when every task is suspended, events in flight are settled, and nothing runs any more. The store stays open. */
  stop(): Promise<void>
}

/** How long sessions may take to end at a stop; less than service managers wait. */
const DRAIN_MS = 10_000

const MIB = 1024 * 1024

const LIMITS: TaskLimits = {
  openTasks: 256,
  signSessionMs: 30_000,
  setupSessionMs: 120_000,
  batch: MAX_BATCH,
  // Room for thousands of ordinary tasks at once, and as many each day. With the times that jobs/journal.ts keeps records, this is at
  // the very worst half a gigabyte of refused tasks and some gigabytes of idle ones.
  journal: {
    refused: { burstBytes: 16 * MIB, bytesPerDay: 16 * MIB },
    idle: { burstBytes: 64 * MIB, bytesPerDay: 64 * MIB },
  },
}

const POOL_SIZE = Math.max(1, availableParallelism())

/** Time between two checks of the node, ms. */
const TICK_MS = 1_000

/** The parts that everything in the node is made from. */
interface NodeBase extends Pick<Startable, "config" | "link" | "callback" | "event"> {
  readonly store: Store
  readonly log: Log
  readonly nodeId: string
  readonly identity: Identity
  readonly observers: Observers
  readonly waas: WaasInForce
  /** Fires when the node stops. */
  readonly stopping: AbortSignal
}

/** Throws for keys that cannot be used. After it has returned, failures are states and retries. */
export async function startDaemon(
  startable: Startable,
  store: Store,
  log: Log,
  policy: NodePolicy = policyOf(startable),
): Promise<Daemon> {
  requireNewest(store)
  tellRecovery(store, log)
  keepSummary(store, (why) => log.warn(why))
  const stopping = new AbortController()
  using seed = store.identity()
  const { base, operations } = await openNode(startable, store, log, identityOf(seed.expose()), stopping.signal)
  const { config, nodeId, identity } = base

  const callbacks = startCallbacks(base, policy)
  let present = policy
  const reader = startReader()
  const settingsOf = onceForNames(reader.read)
  let waiting: readonly string[] = []
  tellRules(policy.rules, log)
  tellCallbacks(policy.servers, log)
  const events = startEvents(base)
  let link: Link | undefined
  const send = (frame: FromNode): void => void link?.send(frame)
  const onHeld = (): void => endHeld(store, tasks, link)
  const audit = keepAudit({ ...base, send, onDoubt: onHeld })
  const pool = await startSessions(base, seed, audit.started(policy.rules))
  const rollbackGuard = keepRollbackGuard(store, log)
  const tasks = makeTasks(base, {
    pool,
    events,
    audit,
    risk: {
      evaluate: (...asked) => judgeBy(present, ...asked),
      ask: callbacks.ask,
    },
    send,
    commanded: (taskId) => link?.commanded(taskId),
    clockOff: () => clockOff(link?.state().measured, WATCH_LIMITS.clockMs),
    intents: () => settingsOf(present.rules.names),
  })
  const freezing = freezingOf({ store, log, event: freezeEvents(nodeId, randomUUID), onFrozen: onHeld })
  freezing.begin()
  const people = () => present.rules.names.people
  const orders = ordersOf({ nodeId, store, freezing, people, log, now: Date.now, clock: () => performance.now() })
  tasks.resume()
  const up = dial(base, tasks, audit.peers, orders)
  link = up

  const view = {
    nodeId,
    link: () => up.state(),
    pool,
    poolSize: POOL_SIZE,
    tasksOpen: () => tasks.open(),
    callbackServers: callbacks.states,
    eventServers: () => events.sender?.states() ?? [],
    rulesEnabled: () => present.rules.enable,
    waitingKeys: () => waiting,
    witnesses: audit.state,
    backupMs: () => NODE_BACKUPS.newestMs(config.backup.directory),
  }
  operations.begin(view, { tell: (frame) => void up.send(frame), mostTasks: LIMITS.openTasks })
  const jobs = startNodeJobs(base)
  const trustWaas = (key: Bytes): Shown => {
    const shown = base.waas.trust(key, Date.now())
    up.trust(key)
    return shown
  }
  const admin = await startAdmin({
    store,
    carryOut: (command) =>
      carryOut({ store, self: identity.party, policy: () => present, freezing, orders, trustWaas }, command),
    log,
  })
  return {
    nodeId,
    reload(next, keys) {
      present = next
      if (next.isOfBundle) callbacks.use(next)
      waiting = keys
      audit.reloaded(next.rules, keys)
      tellRules(next.rules, log)
      tasks.reconsider()
    },
    async stop() {
      // This comes first, because a node that is stopping looks broken.
      const unwatched = operations.stop()
      admin.stop()
      freezing.stop()
      await endSessions(tasks, [pool, reader])
      up.stop()
      stopping.abort()
      await Promise.all([callbacks.pings, events.sender?.over, unwatched, jobs])
      store.flush()
      audit.stopped()
      rollbackGuard.stop()
    },
  }
}

/** What everything else is built on: who this node is, and what watches it. */
async function openNode(
  { config, link, callback, event, port, influx }: Startable,
  store: Store,
  log: Log,
  identity: Identity,
  stopping: AbortSignal,
): Promise<{ readonly base: NodeBase; readonly operations: Operations }> {
  const nodeId = nodeIdOf(identity.party)
  log.info(`TSS Node ID: ${nodeId}`)
  const operations = await openOperations({
    ...{ config, port, influx, store, self: identity.party, log },
    limits: WATCH_LIMITS,
    tickMs: TICK_MS,
  })
  const { observers } = operations
  const waas = new WaasInForce(store, link.waasKey, log)
  return {
    base: { config, link, callback, event, store, log, nodeId, identity, observers, waas, stopping },
    operations,
  }
}

function startNodeJobs({ config, store, identity, log, observers, stopping }: NodeBase): Promise<void> {
  const signer = { self: identity.party, groups: store.groups, rng: systemRng }
  return startJobs({ config, store, signer, log, proven: observers.proven }, stopping)
}

/** A hanging thread must not delay the stop: closing it ends its sessions or readings, and with them the tasks. */
async function endSessions(tasks: TaskRunner, threads: readonly { close(): void }[]): Promise<void> {
  const suspended = tasks.stop()
  await Promise.race([suspended, Bun.sleep(DRAIN_MS)])
  for (const thread of threads) thread.close()
  await suspended
}

function startCallbacks(
  { config, callback: { ca }, store, observers, stopping }: NodeBase,
  { servers, askKeyShareSign }: AskedServers,
): Callbacks {
  using callbackSecret = store.callbackKey()
  return callbacksOf({
    asked: { servers, askKeyShareSign },
    settings: config.callback,
    sign: tokenSigner(rsaKey(callbackSecret), "the node's callback key"),
    fetch: fetchTrusting(ca),
    now: Date.now,
    newId: randomUUID,
    observe: observers.callbackTried,
    pingMs: config.callback.monitor_interval,
    stopping,
  })
}

interface Events {
  /** Undefined without an event key. */
  readonly sender: Sender | undefined
  readonly make: ReturnType<typeof eventsFor>
}

/** Throws E-RSK-201 for event servers without an event key. */
function startEvents({ event: { servers, ca }, store, log, nodeId, observers, stopping }: NodeBase): Events {
  using eventSecret = store.eventKey()
  if (servers.length > 0 && eventSecret === undefined) throw new CosignerError("E-RSK-201", {})
  store.outbox.subscribe(servers.map(({ url, eventTypes }) => ({ server: url, eventTypes })))
  const make = eventsFor(nodeId, randomUUID)
  if (eventSecret === undefined) return { sender: undefined, make }
  const sender = startSender(
    {
      servers,
      outbox: store.outbox,
      sign: tokenSigner(rsaKey(eventSecret), "the node's event key"),
      nodeId,
      newId: randomUUID,
      now: Date.now,
      fetch: fetchTrusting(ca),
      observe: (sent) => {
        const { server, eventType, failure, givenUp } = sent
        observers.eventSent(sent)
        if (failure !== "") log.warn("an event was not delivered", { server, event: eventType, failure, givenUp })
      },
    },
    stopping,
  )
  store.outbox.whenQueued(sender.poke)
  return { sender, make }
}

function startSessions(
  { store, log, observers }: NodeBase,
  seed: Secret,
  started: ReturnType<NodeLog["started"]>,
): Promise<Pool> {
  // A failure of the random source must show now, not in the first session.
  kernelRandom(1)
  using entropy = store.entropy()
  return startPool({
    size: POOL_SIZE,
    spawn: spawnSessionWorker,
    mostQueued: MOST_QUEUED,
    identity: {
      seed: copy(seed.expose()),
      nodeSecret: copy(entropy.expose()),
      bootCounter: store.nextBoot({ nowMs: Date.now(), facts: started }),
    },
    onDeath: (reason) => {
      observers.workerDied()
      log.error("a session worker died; its sessions end and another takes its place", { reason })
    },
  })
}

interface TaskParts extends Pick<TaskPorts, "risk" | "send" | "commanded" | "clockOff"> {
  readonly pool: Pool
  readonly events: Events
  readonly audit: NodeLog
  /** By the current rules: a reload changes names too. */
  readonly intents: () => IntentSettings
}

function makeTasks({ config, waas, store, log, identity, observers }: NodeBase, parts: TaskParts): TaskRunner {
  const { pool, events, audit, risk, send, commanded, clockOff, intents } = parts
  return createTasks(waas.key, {
    self: identity.party,
    journal: observers.journal,
    groups: store.groups,
    bans: store.bans,
    strikes: store.strikes,
    freezes: store.freezes,
    logDoubt: () => store.witnessing.doubt,
    risk,
    eventsFor: events.make,
    startSession: observers.startSession(pool.startSession, ({ protocol }) =>
      protocol === "sign" ? LIMITS.signSessionMs : LIMITS.setupSessionMs,
    ),
    send,
    commanded,
    now: Date.now,
    clockOff,
    alarm: alarmAt,
    log,
    unrecorded(type, code, digest) {
      observers.taskUnrecorded(type, code)
      audit.unrecorded(code, digest)
    },
    limits: LIMITS,
    rng: systemRng,
    pathRules: config.signing.path_algorithms,
    get intents() {
      return intents()
    },
  })
}

function dial(base: NodeBase, tasks: TaskRunner, peers: PeerWitnesses, orders: Orders): Link {
  const { link, store, log, identity, waas } = base
  const bootId = copy(randomBytes(BOOT_ID_BYTES))
  return startLink(
    {
      ...link,
      node: { publicKey: partyBytes(identity.party), sign: (message) => identity.sign(copy(message)) },
      fencingToken: () => ({ ...store.fencingToken, bootId }),
      waasKey: waas.key(),
      followed: waas,
      isWaitedFor: () => tasks.open() > 0,
      limits: CHANNEL_LIMITS,
      timing: LINK_TIMING,
      clock: Date.now,
      jitter: () => randomInt(2 ** 32) / 2 ** 32,
      log,
    },
    {
      onFrame(frame) {
        if (frame.kind === "peer") peers.onMessage(parseNodeId(frame.sender), frame.message)
        else if (frame.kind === "order") orders.onOrder(frame.order)
        else tasks.onFrame(frame)
      },
      onOnline(_peer, { isFirst, concerns }) {
        tasks.onOnline(concerns)
        if (isFirst) peers.onOnline()
      },
      onOffline: (why) => log.warn("the link to WaaS is down", { code: why.code, why: describe(why) }),
      onWritable: (concerns) => tasks.onOnline(concerns),
    },
  )
}

function rsaKey(pkcs8: Secret): KeyObject {
  return createPrivateKey({ key: Buffer.from(pkcs8.expose().buffer), format: "der", type: "pkcs8" })
}
