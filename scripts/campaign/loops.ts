/** How late the main threads of processes are: each measures itself over 10 s, and shows it on its page. */
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { object } from "../../src/kit/demo/deployment.ts"
import { sleep } from "../../src/sleep.ts"
import type { Fleet } from "./fleet.ts"

const LOOK_MS = 2_000
const PATIENCE_MS = 5_000

/** Behind the configuration of a node, which says then how late it is. */
export const NODE_PAGE = '[status]\nenable = true\nlisten = "unix:status.sock"\n'
/** The same for WaaS. */
export const WAAS_PAGE = '[waas.console]\nenable = true\nlisten = "unix:console.sock"\n'

interface LoopDelay {
  /** 99 of 100 turns of its event loop were at most so late. */
  readonly p99Ms: number
  readonly maxMs: number
}

/** Undefined where it says nothing, because its main thread hangs just now: its next word will say how long. */
export async function nodeLoop(dir: string): Promise<LoopDelay | undefined> {
  const answer = await ask(join(dir, "status.sock"), "status", {})
  return answer && delayIn(answer)
}

/** `dir`: where it was started, beside the folder waas. */
async function waasLoop(dir: string): Promise<LoopDelay | undefined> {
  const token = readFileSync(join(dir, "waas", "console.token"), "utf8").trim()
  const answer = await ask(join(dir, "console.sock"), "overview", { authorization: `Bearer ${token}` })
  return answer && delayIn(Object(answer["overview"]))
}

async function ask(unix: string, page: string, headers: Readonly<Record<string, string>>) {
  const signal = AbortSignal.timeout(PATIENCE_MS)
  const answer = await fetch(`http://localhost/${page}`, { unix, headers, signal })
  return answer.ok ? object(await answer.text()) : undefined
}

function delayIn(document: Readonly<Record<string, unknown>>): LoopDelay {
  const of = (name: string): number => Number(Reflect.get(Object(document["event_loop"]), name))
  return { p99Ms: of("p99_ms"), maxMs: of("max_ms") }
}

/** Looks until `over` fires, and then once more: the worst of WaaS, and of all nodes. */
export async function worstLoops({ dir, nodes }: Fleet, over: AbortSignal): Promise<Readonly<Record<string, number>>> {
  const [waas, node]: [LoopDelay[], LoopDelay[]] = [[], []]
  for (let isLast = false; !isLast; ) {
    await sleep(LOOK_MS, over)
    isLast = over.aborted
    waas.push(...heard([await waasLoop(dir)]))
    node.push(...heard(await Promise.all(nodes.map((one) => nodeLoop(one.dir)))))
  }
  const most = (of: readonly number[]): number => Math.round(Math.max(...of))
  return {
    waas_loop_p99_ms: most(waas.map(({ p99Ms }) => p99Ms)),
    waas_loop_max_ms: most(waas.map(({ maxMs }) => maxMs)),
    node_loop_p99_ms: most(node.map(({ p99Ms }) => p99Ms)),
    node_loop_max_ms: most(node.map(({ maxMs }) => maxMs)),
  }
}

const heard = (all: readonly (LoopDelay | undefined)[]): readonly LoopDelay[] => all.filter((one) => one !== undefined)
