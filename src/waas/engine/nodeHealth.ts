/**
 * What WaaS knows of each node besides whether it is online: its readiness as it reports it, whether it fell silent while it owed an
 * answer, and whether it said "later". Kept in memory: after a restart WaaS finds it out again.
 */
import type { Clock } from "../../tasks/ports.ts"
import type { Readiness } from "../../wire/frames.ts"
import type { TaskKey } from "../store/model.ts"
import type { Pace, RelayPort } from "./ports.ts"

interface HealthParts {
  readonly relay: RelayPort
  readonly now: Clock
  readonly pace: Pace
}

export class NodeHealth {
  readonly #parts: HealthParts
  readonly #readiness = new Map<string, { readonly said: Readiness; readonly blocked: ReadonlySet<string> }>()
  /** Nodes that fell silent while they owed an answer, until something comes from them again. */
  readonly #suspects = new Set<string>()
  readonly #leftAloneUntil = new Map<string, number>()

  constructor(parts: HealthParts) {
    this.#parts = parts
  }

  said(nodeId: string, readiness: Readiness): void {
    const blocked = new Set(readiness.blocked.map(({ groupId, algorithm }) => `${groupId}/${algorithm}`))
    this.#readiness.set(nodeId, { said: readiness, blocked })
  }

  /** The node's latest readiness frame on this connection; undefined before the first. */
  of(nodeId: string): Readiness | undefined {
    return this.#readiness.get(nodeId)?.said
  }

  /** The node has connected: forgets everything about it, since it may have been restarted. */
  connected(nodeId: string): void {
    this.#readiness.delete(nodeId)
    this.#suspects.delete(nodeId)
    this.#leftAloneUntil.delete(nodeId)
  }

  /** The node said "later": it is asked for no new task for `pace.laterMs`. */
  leaveAlone(nodeId: string): void {
    this.#leftAloneUntil.set(nodeId, this.#parts.now() + this.#parts.pace.laterMs)
  }

  isLeftAlone(nodeId: string): boolean {
    const leftMs = (this.#leftAloneUntil.get(nodeId) ?? 0) - this.#parts.now()
    // More time left than there was in the beginning means that the clock was set back: the pause is over.
    return leftMs > 0 && leftMs <= this.#parts.pace.laterMs
  }

  /** Why the node cannot sign with the key just now, for people; undefined if it can, as far as WaaS knows. */
  whyUnable(nodeId: string, key: TaskKey | undefined): string | undefined {
    if (!this.#parts.relay.online(nodeId)) return "offline"
    if (this.#suspects.has(nodeId)) {
      if (this.#isQuiet(nodeId)) return "silent"
      this.#suspects.delete(nodeId)
    }
    const known = this.#readiness.get(nodeId)
    if (known === undefined) return undefined
    if (known.said.code !== "") return `not ready: ${known.said.code}`
    const isBlocked = key !== undefined && known.blocked.has(`${key.shareGroupId}/${key.algorithm}`)
    return isBlocked ? "its key is blocked" : undefined
  }

  /** How many tasks the node accepts at a time; undefined if it has not told. */
  most(nodeId: string): number | undefined {
    return this.#readiness.get(nodeId)?.said.most
  }

  /** Whether a node that has owed an answer since `sinceMs` is silent. If so, it counts as unable until something comes from it. */
  isSilent(nodeId: string, sinceMs: number): boolean {
    const isIt = this.#parts.now() >= sinceMs + this.#parts.pace.silentMs && this.#isQuiet(nodeId)
    if (isIt) this.#suspects.add(nodeId)
    return isIt
  }

  #isQuiet(nodeId: string): boolean {
    return (this.#parts.relay.silentMs(nodeId) ?? Number.POSITIVE_INFINITY) >= this.#parts.pace.silentMs
  }
}
