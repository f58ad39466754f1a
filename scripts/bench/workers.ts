/**
 * Sessions in workers: how many cores parallel sessions keep busy (processor time by wall time), and how long the main
 * thread's event loop is held meanwhile (p50, p99 and max of a 5 ms timer's lateness, ms).
 */
import { availableParallelism } from "node:os"
import { hosts } from "../../test/workers/hosts.ts"

interface Row {
  readonly op: string
  readonly workers: number
  readonly sessions: number
  readonly wall_ms: number
  readonly cores: number
  readonly cores_busy: number
  readonly loop_delay_p50_ms: number
  readonly loop_delay_p99_ms: number
  readonly loop_delay_max_ms: number
}

const TICK_MS = 5

export async function benchWorkers(): Promise<readonly Row[]> {
  const workers = availableParallelism()
  using it = await hosts(2, workers)
  await it.keygen("warm", "secp256k1", 2)
  return [
    await measured("ecdsa_dkg", workers, 8, (n) => it.keygen(`gen ${n}`, "secp256k1", 2)),
    await measured("ecdsa_sign_batch_16", workers, 16, (n) => it.sign(`sign ${n}`, "ecdsa", [0, 1], 16).endings),
  ]
}

async function measured(
  op: string,
  workers: number,
  sessions: number,
  start: (n: number) => Promise<readonly { readonly kind: string }[]>,
): Promise<Row> {
  const late: number[] = []
  let due = performance.now() + TICK_MS
  const timer = setInterval(() => {
    const now = performance.now()
    late.push(Math.max(0, now - due))
    due = now + TICK_MS
  }, TICK_MS)
  const begun = performance.now()
  const cpu = process.cpuUsage()
  const all = await Promise.all(Array.from({ length: sessions }, (_, n) => start(n)))
  const wall = performance.now() - begun
  const used = process.cpuUsage(cpu)
  clearInterval(timer)
  for (const endings of all)
    for (const { kind } of endings) if (kind !== "done") throw new Error(`a session ended as ${kind}`)
  late.sort((a, b) => a - b)
  const at = (quantile: number): number =>
    Math.round((late[Math.min(late.length - 1, Math.floor(quantile * late.length))] ?? 0) * 10) / 10
  return {
    op,
    workers,
    sessions,
    wall_ms: Math.round(wall),
    cores: availableParallelism(),
    cores_busy: Math.round((used.user + used.system) / wall / 10) / 100,
    loop_delay_p50_ms: at(0.5),
    loop_delay_p99_ms: at(0.99),
    loop_delay_max_ms: at(1),
  }
}
