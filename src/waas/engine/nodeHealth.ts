/**
 * What is known of each node beside being online: how ready it says it is, whether it has fallen silent while it owes a word, and
 * whether it asked to be left alone for a while. All of it is forgotten in a restart, and found out again.
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
  /** Those that were silent when they owed a word; cleared by the next word of theirs. */
  readonly #suspects = new Set<string>()
  readonly #leftAloneUntil = new Map<string, number>()

  constructor(parts: HealthParts) {
    this.#parts = parts
  }

  said(nodeId: string, readiness: Readiness): void {
    const blocked = new Set(readiness.blocked.map(({ groupId, algorithm }) => `${groupId}/${algorithm}`))
    this.#readiness.set(nodeId, { said: readiness, blocked })
  }

  /** What it said last on this connection. */
  of(nodeId: string): Readiness | undefined {
    return this.#readiness.get(nodeId)?.said
  }

  /** A new connection: what it said before was of another start, perhaps. */
  connected(nodeId: string): void {
    this.#readiness.delete(nodeId)
    this.#suspects.delete(nodeId)
    this.#leftAloneUntil.delete(nodeId)
  }

  /** The node said later: no new task for a moment. */
  leaveAlone(nodeId: string): void {
    this.#leftAloneUntil.set(nodeId, this.#parts.now() + this.#parts.pace.laterMs)
  }

  isLeftAlone(nodeId: string): boolean {
    const leftMs = (this.#leftAloneUntil.get(nodeId) ?? 0) - this.#parts.now()
    // More is left than it was in the beginning: the clock went back.
    return leftMs > 0 && leftMs <= this.#parts.pace.laterMs
  }

  /** For people; undefined where the node could sign. */
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

  /** Tasks that the node may have in work; undefined where it has not said. */
  most(nodeId: string): number | undefined {
    return this.#readiness.get(nodeId)?.said.most
  }

  /** Whether a node that has owed a word since that moment is silent; it is not asked again before it speaks. */
  isSilent(nodeId: string, sinceMs: number): boolean {
    const isIt = this.#parts.now() >= sinceMs + this.#parts.pace.silentMs && this.#isQuiet(nodeId)
    if (isIt) this.#suspects.add(nodeId)
    return isIt
  }

  #isQuiet(nodeId: string): boolean {
    return (this.#parts.relay.silentMs(nodeId) ?? Number.POSITIVE_INFINITY) >= this.#parts.pace.silentMs
  }
}
