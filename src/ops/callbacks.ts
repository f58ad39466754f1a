/** The callback servers of a running node: which ones it asks now (a bundle may change this while it runs), and what is known about each. */
import { type AskerParts, createAsker } from "../callback/ask.ts"
import { createMonitor, type Monitor, runPings } from "../callback/monitor.ts"
import type { CallbackServer } from "../callback/servers.ts"
import type { RiskPort } from "../tasks/ports.ts"

export interface AskedServers {
  readonly servers: readonly CallbackServer[]
  readonly askKeyShareSign: boolean
}

export interface Callbacks {
  readonly ask: RiskPort["ask"]
  readonly states: Monitor["states"]
  /** Tasks that are decided from now on ask these servers. */
  use(asked: AskedServers): void
  /** Resolves once no more pings are sent. */
  readonly pings: Promise<void>
}

interface CallbackParts extends Omit<AskerParts, keyof AskedServers | "observe"> {
  readonly asked: AskedServers
  readonly observe: AskerParts["observe"]
  /** Undefined: no pings. */
  readonly pingMs: number | undefined
  readonly stopping: AbortSignal
}

export function callbacksOf({ asked, observe, pingMs, stopping, ...parts }: CallbackParts): Callbacks {
  const make = (used: AskedServers) => {
    const monitor = createMonitor(used.servers.map(({ address }) => address))
    const asker = createAsker({
      ...parts,
      ...used,
      observe: (tried) => {
        monitor.observe(tried)
        observe(tried)
      },
    })
    return { used, monitor, asker }
  }
  let present = make(asked)
  // Each round of pings looks up the current servers.
  const pinged = {
    ask: present.asker.ask,
    get servers() {
      return present.asker.servers
    },
    ping: (server: CallbackServer, signal: AbortSignal) => present.asker.ping(server, signal),
  }
  return {
    ask: (task, _group, signal, intents, words) => present.asker.ask(task, signal, intents, words),
    states: () => present.monitor.states(),
    use(next) {
      if (!isSame(present.used, next)) present = make(next)
    },
    pings: pingMs === undefined ? Promise.resolve() : runPings(pinged, pingMs, stopping),
  }
}

const isSame = (a: AskedServers, b: AskedServers): boolean =>
  a.askKeyShareSign === b.askKeyShareSign &&
  a.servers.length === b.servers.length &&
  a.servers.every((server, i) => {
    const other = b.servers[i]
    return other !== undefined && isSameServer(server, other)
  })

const isSameServer = (a: CallbackServer, b: CallbackServer): boolean =>
  a.address === b.address && a.version === b.version && a.publicKey.equals(b.publicKey)

/** The servers, including those of a policy that waits: a new server is asked already, and a server that changes or is removed is asked as before. */
export function withWaiting(now: AskedServers, waiting: AskedServers | undefined): AskedServers {
  if (waiting === undefined) return now
  const known = new Set(now.servers.map(({ address }) => address))
  return {
    servers: [...now.servers, ...waiting.servers.filter(({ address }) => !known.has(address))],
    askKeyShareSign: now.askKeyShareSign || waiting.askKeyShareSign,
  }
}
