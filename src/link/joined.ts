/** Joins the states of several links into one: the node is online while any link is. Pure. */
import { type CosignerError, isCode } from "../errors.ts"
import type { Measured } from "./connection.ts"
import type { LinkState } from "./link.ts"

/** `sinceMs`: since when at least one link, or no link, is up. The states do not say; the caller sees each change. */
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
    // One replica that takes writes is enough: it can ask this node for new tasks.
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

/** The best phase of any link. */
const phaseOf = (links: readonly LinkState[]): LinkState["phase"] =>
  PHASES.find((phase) => links.some((link) => link.phase === phase)) ?? "stopped"

const sum = (links: readonly LinkState[], of: (link: LinkState) => number): number =>
  links.reduce((all, link) => all + of(link), 0)

function silentOf(links: readonly LinkState[]): number | undefined {
  const all = links.flatMap(({ silentMs }) => silentMs ?? [])
  return all.length === 0 ? undefined : Math.min(...all)
}

/**
 * The measurement with the median clock offset, so that one replica with a wrong clock can neither stop a node nor hide that the
 * node's own clock is wrong. Of an even number, the larger offset of the middle two (formats.md 14.4).
 */
function measuredOf(links: readonly LinkState[]): Measured | undefined {
  const all = links.flatMap(({ measured }) => measured ?? [])
  all.sort((a, b) => a.clockOffsetMs - b.clockOffsetMs)
  const middle = all.length / 2
  const [low, high] = [all[Math.ceil(middle) - 1], all[Math.floor(middle)]]
  if (low === undefined || high === undefined) return undefined
  return Math.abs(low.clockOffsetMs) > Math.abs(high.clockOffsetMs) ? low : high
}

/** Errors that say only that a replica was not reached, or that it ended the connection for the moment. */
const CONNECTIVITY_CODES = ["E-LNK-001", "E-LNK-003", "E-LNK-009", "E-LNK-011", "E-LNK-013", "E-LNK-014"] as const

/** The error to show: a refusal of this node comes before an error of connectivity, because an operator must act on it. */
function errorOf(links: readonly LinkState[]): CosignerError | undefined {
  const all = links.flatMap(({ lastError }) => lastError ?? [])
  return all.find((error) => !CONNECTIVITY_CODES.some((code) => isCode(error, code))) ?? all[0]
}
