/**
 * Three WaaS on one Postgres against one of them, in one run: the same database, nodes and callers, rounds of three and of one in
 * turn. Calls go to any WaaS that is there. 2 of 3 without rules and callbacks, one message a request, EdDSA and ECDSA, many at once.
 * All processes share the cores of this machine, so three have no more of them than one: `against_one` says what it costs to be three,
 * and could rise above 1 by more than a little only where each had a machine of its own.
 */
import type { DemoVault } from "../../src/kit/demo/keys.ts"
import { missingPostgres } from "../../test/support/postgres.ts"
import { Cluster } from "../campaign/cluster.ts"
import { pairsThatDoNotSign, signed } from "../campaign/load.ts"

const REPLICAS = 3
const ROUNDS = 3
const REQUESTS = 96
const AT_ONCE = 16
const READY_MS = 60_000
const SCHEMES = ["eddsa", "ecdsa"] as const
type Scheme = (typeof SCHEMES)[number]

interface Row {
  readonly op: string
  readonly replicas: number
  readonly requests: number
  readonly at_once: number
  readonly per_second: number
  readonly p50_ms: number
  readonly p99_ms: number
  /** Requests a second by those of one replica. */
  readonly against_one: number
}

interface Round {
  readonly scheme: Scheme
  readonly replicas: number
  readonly tookMs: number
  readonly times: readonly number[]
}

export async function benchReplicas(): Promise<readonly (Row | { readonly op: string; readonly left_out: string })[]> {
  if (missingPostgres !== undefined) return [{ op: "replicas", left_out: missingPostgres }]
  const { cluster, vault } = await Cluster.start({ replicas: REPLICAS, nodes: 3, hasWires: false }, Math.random)
  try {
    const rounds: Round[] = []
    await readied(cluster, vault, REPLICAS)
    for (const scheme of SCHEMES) await load(cluster, vault, scheme)
    for (let round = 0; round < ROUNDS; round++) {
      for (const replicas of [REPLICAS, 1]) {
        const others = cluster.replicas.slice(1)
        await Promise.all(others.map((name) => (replicas === 1 ? cluster.end(name, "SIGTERM") : undefined)))
        await readied(cluster, vault, replicas)
        for (const scheme of SCHEMES) rounds.push({ scheme, replicas, ...(await load(cluster, vault, scheme)) })
        if (replicas === 1) for (const name of others) await cluster.begin(name)
      }
    }
    return SCHEMES.flatMap((scheme) => [REPLICAS, 1].map((replicas) => rowOf(rounds, scheme, replicas)))
  } finally {
    await cluster[Symbol.asyncDispose]()
  }
}

/** So many serve, and each has every node. */
async function readied(cluster: Cluster, vault: DemoVault, replicas: number): Promise<void> {
  const { callers } = cluster
  if (!(await callers.untilReady(replicas, READY_MS))) throw new Error(`${replicas} WaaS do not serve`)
  while (callers.ready().length > replicas) await Bun.sleep(100)
  for (const client of callers.ready()) {
    if ((await pairsThatDoNotSign(client, vault, cluster.nodes)) > 0) throw new Error("a pair of nodes does not sign")
  }
}

async function load({ client }: Cluster, vault: DemoVault, scheme: Scheme): Promise<Pick<Round, "times" | "tookMs">> {
  const times: number[] = []
  const begun = performance.now()
  let left = REQUESTS
  const lane = async (): Promise<void> => {
    while (left-- > 0) {
      const from = performance.now()
      const { status, reason } = await signed(client, vault, left, { scheme })
      if (status !== "Completed") throw new Error(`${status}: ${reason}`)
      times.push(performance.now() - from)
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, lane))
  return { times, tookMs: performance.now() - begun }
}

function rowOf(rounds: readonly Round[], scheme: Scheme, replicas: number): Row {
  const times = rounds.filter((one) => one.scheme === scheme && one.replicas === replicas).flatMap((one) => one.times)
  const sorted = times.toSorted((a, b) => a - b)
  const quantile = (share: number): number => Math.round(sorted[Math.floor(sorted.length * share)] ?? Number.NaN)
  const perSecond = (count: number): number => {
    const these = rounds.filter((one) => one.scheme === scheme && one.replicas === count)
    return (these.length * REQUESTS * 1000) / these.reduce((sum, { tookMs }) => sum + tookMs, 0)
  }
  return {
    op: `replicas_${scheme}`,
    replicas,
    requests: times.length,
    at_once: AT_ONCE,
    per_second: Math.round(perSecond(replicas) * 10) / 10,
    p50_ms: quantile(0.5),
    p99_ms: quantile(0.99),
    against_one: Math.round((perSecond(replicas) / perSecond(1)) * 100) / 100,
  }
}
