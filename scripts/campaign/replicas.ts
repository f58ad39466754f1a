/**
 * The campaign of a shared store: each replica is killed, stopped and ended in turn, ways between single nodes and single replicas are
 * cut, the database is stopped or cut off, nodes are killed, all under load at any replica. Every request ends once, no answer changes,
 * whoever is asked, and requests that met a fault are answered soon after it.
 */
import type { DemoVault } from "../../src/kit/demo/keys.ts"
import { Cluster } from "./cluster.ts"
import type { Draw } from "./draw.ts"
import { answerNow, pairsThatDoNotSign, type Signed, signed } from "./load.ts"

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
    work: (it, draw) => wireOf(it, draw).suffer("cut", ms(draw, 8_000), draw),
  },
  {
    name: "one node's way to one replica half-open",
    work: (it, draw) => wireOf(it, draw).suffer("half-open", ms(draw, 8_000), draw),
  },
  {
    name: "a replica without all nodes but one",
    async work(cluster, draw) {
      const [, ...others] = shuffled(cluster.nodes, draw)
      const replica = oneOf(cluster.replicas, draw)
      const lasting = ms(draw, 8_000)
      await Promise.all(others.map(({ name }) => cluster.wire(name, replica).suffer("cut", lasting, draw)))
    },
  },
  {
    name: "a node without all replicas but one",
    async work(cluster, draw) {
      const [, ...others] = shuffled(cluster.replicas, draw)
      const { name } = oneOf(cluster.nodes, draw)
      const lasting = ms(draw, 8_000)
      await Promise.all(others.map((replica) => cluster.wire(name, replica).suffer("cut", lasting, draw)))
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
      const { name } = oneOf(cluster.nodes, draw)
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
    await Bun.sleep(draw() < 0.5 ? 0 : ms(draw, 8_000))
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

const ms = (draw: Draw, most: number): number => Math.round(500 + draw() * (most - 500))
const oneOf = <T>(all: readonly T[], draw: Draw): T => {
  const one = all[Math.floor(draw() * all.length)]
  if (one === undefined) throw new RangeError("one of none")
  return one
}
const shuffled = <T>(all: readonly T[], draw: Draw): readonly T[] =>
  all
    .map((one) => ({ one, place: draw() }))
    .sort((a, b) => a.place - b.place)
    .map(({ one }) => one)
const wireOf = (cluster: Cluster, draw: Draw) =>
  cluster.wire(oneOf(cluster.nodes, draw).name, oneOf(cluster.replicas, draw))

interface Timed extends Signed {
  readonly beganAt: number
  readonly endedAt: number
  readonly isCanceled: boolean
}

interface Suffered {
  readonly name: string
  readonly from: number
  readonly to: number
}

interface Played {
  readonly all: readonly Timed[]
  readonly faults: readonly Suffered[]
}

type Row = Readonly<Record<string, string | number>>

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
  const all: Timed[] = []
  const faults: Suffered[] = []
  const isOver = (): boolean => {
    const late = performance.now() - end
    return late > OVERTIME_MS || (late > 0 && all.length >= LEAST_REQUESTS && faults.length >= FAULTS.length)
  }
  const worker = async (first: number): Promise<void> => {
    for (let index = first; !isOver(); index += AT_ONCE) {
      const beganAt = performance.now()
      const isCanceled = draw() < 0.04
      const answer = await signed(cluster.client, vault, index, {
        times: draw() < 0.3 ? 2 : 1,
        scheme: draw() < 0.25 ? "ecdsa" : "eddsa",
        isCanceled,
      })
      all.push({ ...answer, beganAt, endedAt: performance.now(), isCanceled })
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
      const now = await answerNow(client, vault, one.id)
      if (now.status !== one.status || now.signatures !== one.signatures) changed++
    }
    // At each replica: it has all nodes.
    lame += await pairsThatDoNotSign(client, vault, cluster.nodes)
  }
  const strikes = await cluster.strikes()
  for (const strike of strikes) console.error(`replicas: ${strike}`)
  for (const names of ["waas", "node"]) console.error(`codes in the logs of each ${names}: ${cluster.codes(names)}`)
  // A request that was made twice would stand there twice.
  const twice = Math.abs(requests - all.length) + (all.length - new Set(all.map(({ id }) => id)).size)
  const met = all.filter((one) => faults.some((fault) => isDuring(one, fault)))
  const p99 = quantile(met, 0.99)
  for (const { id, beganAt, endedAt } of met)
    if (endedAt - beganAt > MOST_MS) console.error(`replicas: ${id} took ${Math.round(endedAt - beganAt)} ms`)
  const isSound = unfinished.length + changed + twice + lame + strikes.length === 0 && p99 <= MOST_MS
  return {
    isSound,
    rows: FAULTS.map(({ name }) => suffered(name, all, faults)),
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
      met_a_fault: met.length,
      p50_ms: quantile(all, 0.5),
      p99_ms_after_a_fault: p99,
    },
  }
}

const isDuring = ({ beganAt, endedAt }: Timed, { from, to }: Suffered): boolean => beganAt <= to && endedAt >= from

/** What one fault did to the requests that met it. */
function suffered(name: string, all: readonly Timed[], faults: readonly Suffered[]): Row {
  const these = faults.filter((fault) => fault.name === name)
  const met = all.filter((one) => these.some((fault) => isDuring(one, fault)))
  return { fault: name, times: these.length, met: met.length, p50_ms: quantile(met, 0.5), most_ms: quantile(met, 1) }
}

function quantile(of: readonly Timed[], share: number): number {
  const sorted = of.map(({ beganAt, endedAt }) => endedAt - beganAt).sort((a, b) => a - b)
  return Math.round(sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0)
}
