/**
 * The health of each callback server: when it last answered, what last went wrong, how far its clock is off. Every try of a
 * task feeds it, and pings do where monitor_interval is set. Status and metrics show it; it decides nothing.
 */
import { sleep } from "../sleep.ts"
import type { Asker, Tried } from "./ask.ts"

export interface ServerState {
  readonly server: string
  /** Undefined: no try has ended yet. */
  readonly healthy: boolean | undefined
  readonly lastAnswerMs: number | undefined
  readonly lastTookMs: number | undefined
  /** The server's clock minus ours, as last seen. */
  readonly skewMs: number | undefined
  /** Tries in a row that gave no decision. */
  readonly failures: number
  /** Code and reason of the last failed try; empty if the last try succeeded. */
  readonly failure: string
}

export interface Monitor {
  readonly observe: (tried: Tried) => void
  readonly states: () => readonly ServerState[]
}

export function createMonitor(addresses: readonly string[]): Monitor {
  const states = new Map<string, ServerState>(addresses.map((server) => [server, unheard(server)]))
  return {
    states: () => [...states.values()],
    observe({ server, answer, tookMs, atMs }) {
      const before = states.get(server) ?? unheard(server)
      const skewMs = answer.skewMs ?? before.skewMs
      states.set(
        server,
        answer.kind === "failed"
          ? {
              ...before,
              skewMs,
              healthy: false,
              failures: before.failures + 1,
              failure: `${answer.code}: ${answer.reason}`,
            }
          : { server, skewMs, healthy: true, lastAnswerMs: atMs, lastTookMs: tookMs, failures: 0, failure: "" },
      )
    },
  }
}

const unheard = (server: string): ServerState => ({
  server,
  healthy: undefined,
  lastAnswerMs: undefined,
  lastTookMs: undefined,
  skewMs: undefined,
  failures: 0,
  failure: "",
})

/** Pings every server now and then every `intervalMs` until the signal fires. A slow round delays the next one and never overlaps it. */
export async function runPings(asker: Asker, intervalMs: number, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    await Promise.all(asker.servers.map((server) => asker.ping(server, signal)))
    await sleep(intervalMs, signal)
  }
}
