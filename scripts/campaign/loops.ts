/** How late the main threads of processes are: each measures itself over 10 s, and shows it on its page. */
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { object } from "../../src/kit/demo/deployment.ts"
import type { Fleet } from "./fleet.ts"

const PATIENCE_MS = 30_000
/** After so long no page shows what was before: each shows the last full window of 10 s. */
export const STALE_LOOPS_MS = 21_000

/** Behind the configuration of a node, which says then how late it is. */
export const NODE_PAGE = '[status]\nenable = true\nlisten = "unix:status.sock"\n'
/** The same for WaaS. */
export const WAAS_PAGE = '[waas.console]\nenable = true\nlisten = "unix:console.sock"\n'

export interface LoopDelay {
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
export async function waasLoop(dir: string): Promise<LoopDelay | undefined> {
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

/** Until the result is called, which tells the worst of WaaS and of all nodes. */
export function watchLoops({ dir, nodes }: Fleet): () => Promise<Readonly<Record<string, unknown>>> {
  const words = [process.execPath, join(import.meta.dir, "loopsProgram.ts"), dir, ...nodes.map((node) => node.dir)]
  const child = Bun.spawn(words, { stdin: "pipe", stdout: "pipe", stderr: "inherit" })
  return async () => {
    await child.stdin.end()
    const said = await child.stdout.text()
    if ((await child.exited) !== 0) throw new Error("nobody looked at main threads: see above")
    return object(said)
  }
}
