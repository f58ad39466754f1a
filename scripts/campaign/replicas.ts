/**
 * The campaign of a shared store: whoever serves is killed or stopped, the database is stopped or cut off, nodes are killed, all under
 * load. Every request ends once, no answer changes, and requests that met a fault are answered soon after it.
 */
import type { DemoVault } from "../../src/kit/demo/keys.ts"
import { Cluster } from "./cluster.ts"
import type { Draw } from "./faults.ts"
import { answerNow, type Signed, signed } from "./load.ts"

/** What requests that met a fault may take, the slowest hundredth left out. */
const MOST_MS = 10_000
const AT_ONCE = 4

const FAULTS: readonly { readonly name: string; readonly work: (cluster: Cluster, draw: Draw) => Promise<unknown> }[] =
  [
    {
      name: "kill -9 of the WaaS that serves",
      work: async (cluster) => cluster.kill((await cluster.active()) ?? "waas1"),
    },
    {
      name: "SIGSTOP of it for 8 s",
      work: async (cluster) => cluster.pause((await cluster.active()) ?? "waas1", 8_000),
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
      work: (cluster, draw) => cluster.kill(cluster.nodes[Math.floor(draw() * cluster.nodes.length)]?.name ?? "node1"),
    },
  ]

interface Timed extends Signed {
  readonly beganAt: number
  readonly endedAt: number
}

export interface ReplicaRow {
  readonly row: Readonly<Record<string, string | number>>
  readonly isSound: boolean
}

export async function replicas(minutes: number, draw: Draw): Promise<ReplicaRow> {
  const { cluster, vault } = await Cluster.start()
  try {
    return await played(cluster, vault, { minutes, draw })
  } finally {
    await cluster[Symbol.asyncDispose]()
  }
}

async function played(
  cluster: Cluster,
  vault: DemoVault,
  { minutes, draw }: { readonly minutes: number; readonly draw: Draw },
): Promise<ReplicaRow> {
  const end = performance.now() + minutes * 60_000
  const all: Timed[] = []
  const faults: { readonly from: number; readonly to: number }[] = []
  const worker = async (first: number): Promise<void> => {
    for (let index = first; performance.now() < end; index += AT_ONCE) {
      const beganAt = performance.now()
      const answer = await signed(cluster.client, vault, index)
      all.push({ ...answer, beganAt, endedAt: performance.now() })
    }
  }
  const faulting = (async () => {
    for (let nth = 0; performance.now() < end; nth++) {
      await Bun.sleep(2_000 + draw() * 3_000)
      const fault = FAULTS[nth % FAULTS.length]
      if (fault === undefined) continue
      const from = performance.now()
      await fault.work(cluster, draw)
      faults.push({ from, to: performance.now() })
    }
  })()
  await Promise.all([...Array.from({ length: AT_ONCE }, (_, index) => worker(index)), faulting])
  const unfinished = all.filter(({ status }) => status !== "Completed")
  for (const { id, status, reason } of unfinished) console.error(`replicas: ${id} ${status} ${reason}`)
  let changed = 0
  for (const one of all) {
    const now = await answerNow(cluster.client, vault, one.id)
    if (now.status !== one.status || now.signatures !== one.signatures) changed++
  }
  // A request that was made twice would stand there twice.
  const { requests, replicas: starts } = await cluster.counts()
  const twice = Math.abs(requests - all.length) + (all.length - new Set(all.map(({ id }) => id)).size)
  const met = all.filter(({ beganAt, endedAt }) => faults.some(({ from, to }) => beganAt <= to && endedAt >= from))
  const p99 = quantile(
    met.map(({ beganAt, endedAt }) => endedAt - beganAt),
    0.99,
  )
  const isSound = unfinished.length + changed + twice === 0 && p99 <= MOST_MS
  return {
    isSound,
    row: {
      campaign: "replicas",
      faults: faults.length,
      starts_that_served: starts,
      requests: all.length,
      completed: all.length - unfinished.length,
      changed_answers: changed,
      made_twice: twice,
      met_a_fault: met.length,
      p50_ms: quantile(
        all.map(({ beganAt, endedAt }) => endedAt - beganAt),
        0.5,
      ),
      p99_ms_after_a_fault: p99,
    },
  }
}

function quantile(times: readonly number[], share: number): number {
  const sorted = [...times].sort((a, b) => a - b)
  return Math.round(sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0)
}
