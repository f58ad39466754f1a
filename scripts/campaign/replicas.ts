/**
 * The campaign of a shared store: each replica is killed, stopped and ended in turn, ways between single nodes and single replicas are
 * cut, the database is stopped or cut off, nodes are killed, all under load at any replica. Every request ends once, no answer changes,
 * whoever is asked, and requests that met a fault are answered soon after it.
 */
import type { DemoVault } from "../../src/kit/demo/keys.ts"
import { Cluster } from "./cluster.ts"
import { between, type Draw, oneOf, shuffled } from "./draw.ts"
import { answerNow, isChanged, pairsThatDoNotSign, signed } from "./load.ts"
import { met, quantile, type Row, type Suffered, sufferedRows, type Timed, timed } from "./suffered.ts"

/** What requests that met a fault may take, the slowest hundredth left out. */
const MOST_MS = 10_000
/** It goes on until there were so many, and every fault was there once: at most so much longer than asked for. */
const LEAST_REQUESTS = 500
const OVERTIME_MS = 600_000
const AT_ONCE = 6
const STOPPED_MS = 8_000
const READY_MS = 60_000
const REPLICAS = 3
const NODES = 4

interface Fault {
  readonly name: string
  readonly work: (cluster: Cluster, draw: Draw) => Promise<unknown>
}

const FAULTS: readonly Fault[] = [
  ...Array.from({ length: REPLICAS }, (_, index) => index).flatMap(ofReplica),
  {
    name: "one node's way to one replica cut",
    work: (it, draw) => wireOf(it, draw).suffer("cut", lasting(draw), draw),
  },
  {
    name: "one node's way to one replica half-open",
    work: (it, draw) => wireOf(it, draw).suffer("half-open", lasting(draw), draw),
  },
  {
    name: "a replica without all nodes but one",
    async work(cluster, draw) {
      const [, ...others] = shuffled(draw, cluster.nodes)
      const replica = oneOf(draw, cluster.replicas)
      const ms = lasting(draw)
      await Promise.all(others.map(({ name }) => cluster.wire(name, replica).suffer("cut", ms, draw)))
    },
  },
  {
    name: "a node without all replicas but one",
    async work(cluster, draw) {
      const [, ...others] = shuffled(draw, cluster.replicas)
      const { name } = oneOf(draw, cluster.nodes)
      const ms = lasting(draw)
      await Promise.all(others.map((replica) => cluster.wire(name, replica).suffer("cut", ms, draw)))
    },
  },
  {
    name: "Postgres stopped at once, and started",
    async work({ postgres }) {
      postgres.stop("immediate")
      postgres.start()
    },
  },
  { name: "connections to Postgres cut", work: (cluster) => cluster.cutStore() },
  {
    name: "kill -9 of a node",
    async work(cluster, draw) {
      const { name } = oneOf(draw, cluster.nodes)
      await cluster.end(name, "SIGKILL")
      await cluster.begin(name)
    },
  },
]

/** It comes back at once, or when others have taken its work over. */
function ofReplica(index: number): readonly Fault[] {
  const again = async (cluster: Cluster, draw: Draw, signal: "SIGTERM" | "SIGKILL"): Promise<void> => {
    const name = named(cluster, index)
    await cluster.end(name, signal)
    await Bun.sleep(draw() < 0.5 ? 0 : lasting(draw))
    await cluster.begin(name)
  }
  return [
    { name: `kill -9 of waas${index + 1}`, work: (cluster, draw) => again(cluster, draw, "SIGKILL") },
    {
      name: `SIGSTOP of waas${index + 1} for ${STOPPED_MS / 1000} s`,
      work: (cluster) => cluster.pause(named(cluster, index), STOPPED_MS),
    },
    { name: `orderly end of waas${index + 1}`, work: (cluster, draw) => again(cluster, draw, "SIGTERM") },
  ]
}

function named({ replicas: all }: Cluster, index: number): string {
  const name = all[index]
  if (name === undefined) throw new RangeError(`no replica ${index}`)
  return name
}

/** How long a cut lasts, and a replica is away. */
const lasting = (draw: Draw): number => between(draw, 500, 8_000)
const wireOf = (cluster: Cluster, draw: Draw) =>
  cluster.wire(oneOf(draw, cluster.nodes).name, oneOf(draw, cluster.replicas))

interface Asked extends Timed {
  readonly isCanceled: boolean
}

interface Played {
  readonly all: readonly Asked[]
  readonly faults: readonly Suffered[]
}

interface Findings {
  readonly rows: readonly Row[]
  readonly row: Row
  readonly isSound: boolean
}

export async function replicas(minutes: number, draw: Draw): Promise<Findings> {
  const { cluster, vault } = await Cluster.start({ replicas: REPLICAS, nodes: NODES }, draw)
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    process.once(signal, () => void cluster[Symbol.asyncDispose]().finally(() => process.exit(1)))
  }
  try {
    if (!(await cluster.callers.untilReady(REPLICAS, READY_MS))) throw new Error("not every replica serves")
    cluster.callers.guard()
    const { all, faults } = await played(cluster, vault, { minutes, draw })
    const areBack = await cluster.callers.untilReady(REPLICAS, READY_MS)
    return await judged(cluster, vault, { all, faults, areBack })
  } finally {
    await cluster[Symbol.asyncDispose]()
  }
}

async function played(
  cluster: Cluster,
  vault: DemoVault,
  { minutes, draw }: { readonly minutes: number; readonly draw: Draw },
): Promise<Played> {
  const end = performance.now() + minutes * 60_000
  const all: Asked[] = []
  const faults: Suffered[] = []
  const isOver = (): boolean => {
    const late = performance.now() - end
    return late > OVERTIME_MS || (late > 0 && all.length >= LEAST_REQUESTS && faults.length >= FAULTS.length)
  }
  const worker = async (first: number): Promise<void> => {
    for (let index = first; !isOver(); index += AT_ONCE) {
      const isCanceled = draw() < 0.04
      const times = draw() < 0.3 ? 2 : 1
      const scheme = draw() < 0.25 ? "ecdsa" : "eddsa"
      const answer = await timed(() => signed(cluster.client, vault, index, { times, scheme, isCanceled }))
      all.push({ ...answer, isCanceled })
    }
  }
  const faulting = (async () => {
    for (let nth = 0; !isOver(); nth++) {
      await Bun.sleep(1_000 + draw() * 2_000)
      const fault = FAULTS[nth % FAULTS.length]
      if (fault === undefined) continue
      const from = performance.now()
      await fault.work(cluster, draw)
      faults.push({ name: fault.name, from, to: performance.now() })
    }
  })()
  await Promise.all([...Array.from({ length: AT_ONCE }, (_, index) => worker(index)), faulting])
  return { all, faults }
}

async function judged(
  cluster: Cluster,
  vault: DemoVault,
  { all, faults, areBack }: Played & { readonly areBack: boolean },
): Promise<Findings> {
  const canceled = all.filter(({ status, isCanceled }) => status === "Canceled" && isCanceled)
  const unfinished = all.filter((one) => one.status !== "Completed" && !canceled.includes(one))
  for (const { id, status, reason } of unfinished) console.error(`replicas: ${id} ${status} ${reason}`)
  const ready = cluster.callers.ready()
  const { requests, starts } = await cluster.counts()
  let changed = 0
  let lame = areBack ? 0 : 1
  for (const client of ready) {
    for (const one of all) {
      if (isChanged(one, await answerNow(client, vault, one.id))) changed++
    }
    // At each replica: it has all nodes.
    lame += await pairsThatDoNotSign(client, vault, cluster.nodes)
  }
  const strikes = await cluster.strikes()
  for (const strike of strikes) console.error(`replicas: ${strike}`)
  for (const names of ["waas", "node"]) console.error(`codes in the logs of each ${names}: ${cluster.codes(names)}`)
  // A request that was made twice would stand there twice.
  const twice = Math.abs(requests - all.length) + (all.length - new Set(all.map(({ id }) => id)).size)
  const disturbed = met(all, faults)
  const p99 = quantile(disturbed, 0.99)
  for (const { id, from, to } of disturbed)
    if (to - from > MOST_MS) console.error(`replicas: ${id} took ${Math.round(to - from)} ms`)
  const isSound = unfinished.length + changed + twice + lame + strikes.length === 0 && p99 <= MOST_MS
  return {
    isSound,
    rows: sufferedRows(
      FAULTS.map(({ name }) => name),
      faults,
      all,
    ),
    row: {
      campaign: "replicas",
      faults: faults.length,
      starts,
      requests: all.length,
      completed: all.length - unfinished.length - canceled.length,
      canceled: canceled.length,
      changed_answers: changed,
      made_twice: twice,
      pairs_that_do_not_sign: lame,
      strikes: strikes.length,
      met_a_fault: disturbed.length,
      p50_ms: quantile(all, 0.5),
      p99_ms_after_a_fault: p99,
    },
  }
}
