/**
 * What the kernel shows of running processes to whoever may look: the words they were started with and their environment,
 * taken at the start and again and again while they run, of their children too.
 */
import { readFileSync } from "node:fs"
import type { LogTap } from "../../../src/kit/demo/processes.ts"
import type { LeakScanner } from "./leakScanner.ts"

const EVERY_MS = 250
/** A millisecond each. */
const TRIES = 20

export interface Watching extends Disposable {
  readonly logTap: LogTap
}

/** Processes are named by their words, so that a finding can be read. */
export function watchProcesses(leakScanner: LeakScanner): Watching {
  const running = new Map<number, string>()
  /** Undefined when the process is gone, false while it has no words yet, or no environment. */
  const look = (pid: number, name: string): boolean | undefined => {
    const words = seen(`/proc/${pid}/cmdline`)
    const environ = seen(`/proc/${pid}/environ`)
    if (words === undefined) return undefined
    leakScanner.hear("argv", name, words)
    if (environ !== undefined) leakScanner.hear("environ", name, environ)
    for (const child of childrenOf(pid)) if (!running.has(child)) running.set(child, `${name} > ${child}`)
    return words.length > 0 && environ?.length !== 0
  }
  const round = (): void => {
    for (const [pid, name] of [...running]) if (look(pid, name) === undefined) running.delete(pid)
  }
  const timer = setInterval(round, EVERY_MS)
  return {
    logTap: {
      started(pid, args) {
        const name = args.slice(0, 3).join(" ")
        running.set(pid, name)
        // on its way to its program it shows nothing, and a command may be over before the next round
        for (let tries = 0; tries < TRIES && look(pid, name) === false; tries++) Bun.sleepSync(1)
      },
      said: (_pid, args, text) => leakScanner.hear("output", args.slice(0, 3).join(" "), text),
    },
    [Symbol.dispose]() {
      clearInterval(timer)
      round()
    },
  }
}

/** Undefined for what is gone, or is not for our eyes: a process that is not dumpable shows its environment to root alone. */
function seen(path: string): Uint8Array | undefined {
  try {
    return readFileSync(path)
  } catch {
    return undefined
  }
}

function childrenOf(pid: number): readonly number[] {
  const listed = Buffer.from(seen(`/proc/${pid}/task/${pid}/children`) ?? "").toString()
  return listed
    .split(" ")
    .filter((word) => word !== "")
    .map(Number)
}
