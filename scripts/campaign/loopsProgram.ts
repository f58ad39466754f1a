/**
 * `bun loopsProgram.ts FOLDER NODE...`: looks at main threads until its input ends, and prints the worst. A process of its own: the one
 * that asks for ten thousand signatures at once would come to no look, and its runtime to no further request. The median of all looks
 * tells how it is while the backlog is worked off; the worst is mostly that of its begin, when all requests come at once.
 */
import { sleep } from "../../src/sleep.ts"
import { type LoopDelay, nodeLoop, waasLoop } from "./loops.ts"

const LOOK_MS = 2_000

const [dir = "", ...nodeDirs] = process.argv.slice(2)
const over = new AbortController()
process.stdin.once("end", () => over.abort()).resume()

const [waas, nodes]: [LoopDelay[], LoopDelay[]] = [[], []]
for (let isLast = false; !isLast; ) {
  await sleep(LOOK_MS, over.signal)
  isLast = over.signal.aborted
  waas.push(...heard([await waasLoop(dir)]))
  nodes.push(...heard(await Promise.all(nodeDirs.map(nodeLoop))))
}
console.log(
  JSON.stringify({
    waas_loop_p99_ms: most(waas.map(({ p99Ms }) => p99Ms)),
    waas_loop_p99_ms_median: median(waas.map(({ p99Ms }) => p99Ms)),
    waas_loop_max_ms: most(waas.map(({ maxMs }) => maxMs)),
    node_loop_p99_ms: most(nodes.map(({ p99Ms }) => p99Ms)),
    node_loop_p99_ms_median: median(nodes.map(({ p99Ms }) => p99Ms)),
    node_loop_max_ms: most(nodes.map(({ maxMs }) => maxMs)),
  }),
)

function heard(all: readonly (LoopDelay | undefined)[]): readonly LoopDelay[] {
  return all.filter((one) => one !== undefined)
}

function median(of: readonly number[]): number {
  return Math.round(of.toSorted((a, b) => a - b)[of.length >> 1] ?? 0)
}

function most(of: readonly number[]): number {
  return Math.round(Math.max(...of))
}
