/** What several links come to as one: the node is online while any of them is. Pure. */
import { type CosignerError, isCode } from "../errors.ts"
import type { Measured } from "./connection.ts"
import type { LinkState } from "./link.ts"

/** Since when any link is up, or none: only who hears of each change knows. */
export function joined(links: readonly LinkState[], sinceMs: number): LinkState {
  const online = links.filter(({ phase }) => phase === "online")
  const isOnline = online.length > 0
  return {
    phase: phaseOf(links),
    sinceMs,
    failures: isOnline ? 0 : Math.min(...links.map(({ failures }) => failures)),
    connections: sum(links, ({ connections }) => connections),
    measured: measuredOf(isOnline ? online : links),
    silentMs: silentOf(isOnline ? online : links),
    // One that takes writes is enough to be asked something new.
    waasProblem: online.every(({ waasProblem }) => waasProblem !== undefined) ? online[0]?.waasProblem : undefined,
    lastError: errorOf(isOnline ? online : links),
    dropped: {
      malformed: sum(links, ({ dropped }) => dropped.malformed),
      duplicate: sum(links, ({ dropped }) => dropped.duplicate),
      handlerFailed: sum(links, ({ dropped }) => dropped.handlerFailed),
      queueFull: sum(links, ({ dropped }) => dropped.queueFull),
    },
    queue: {
      frames: sum(links, ({ queue }) => queue.frames),
      bytes: sum(links, ({ queue }) => queue.bytes),
      inFlight: sum(links, ({ queue }) => queue.inFlight),
    },
    replicas: links.flatMap(({ replicas }) => replicas),
  }
}

const PHASES = ["online", "connecting", "waiting", "stopped"] as const

/** The best of them. */
const phaseOf = (links: readonly LinkState[]): LinkState["phase"] =>
  PHASES.find((phase) => links.some((link) => link.phase === phase)) ?? "stopped"

const sum = (links: readonly LinkState[], of: (link: LinkState) => number): number =>
  links.reduce((all, link) => all + of(link), 0)

function silentOf(links: readonly LinkState[]): number | undefined {
  const all = links.flatMap(({ silentMs }) => silentMs ?? [])
  return all.length === 0 ? undefined : Math.min(...all)
}

/** The middle one, so that one replica whose clock is off stops nobody and excuses nobody; of two the worse. */
function measuredOf(links: readonly LinkState[]): Measured | undefined {
  const all = links.flatMap(({ measured }) => measured ?? [])
  all.sort((a, b) => a.clockOffsetMs - b.clockOffsetMs)
  const middle = all.length / 2
  const [low, high] = [all[Math.ceil(middle) - 1], all[Math.floor(middle)]]
  if (low === undefined || high === undefined) return undefined
  return Math.abs(low.clockOffsetMs) > Math.abs(high.clockOffsetMs) ? low : high
}

/** What a machine says that is not there, or hangs up. */
const OF_THE_WAY = ["E-LNK-001", "E-LNK-003", "E-LNK-009", "E-LNK-011", "E-LNK-013", "E-LNK-014"] as const

/** What WaaS said against this node says more than that another replica was not reached. */
function errorOf(links: readonly LinkState[]): CosignerError | undefined {
  const all = links.flatMap(({ lastError }) => lastError ?? [])
  return all.find((error) => !OF_THE_WAY.some((code) => isCode(error, code))) ?? all[0]
}
