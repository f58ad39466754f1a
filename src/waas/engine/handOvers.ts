/**
 * Hands requests that wait for an offline node over to a replica to which that node is connected. So a link that is cut, or a node that
 * can reach one replica only, delays a request by seconds and fails none.
 */
import type { WaasTask } from "../store/model.ts"
import type { SharedStore } from "../store/shared.ts"
import type { LiveTasks } from "./liveTasks.ts"
import { isFinal } from "./progress.ts"
import { hasChoice, hasEnded, remaining } from "./quorum.ts"

/** How long a request waits before it is handed over; doubled each time, because one that comes back found no better replica. */
const PATIENCE_MS = 2_000
const MOST_PATIENCE_MS = 60_000
/** The most hand-overs at one look: each costs a statement in the store. */
const AT_ONCE = 16

interface HandOverParts {
  readonly shared: Pick<SharedStore, "handOver" | "living">
  readonly live: LiveTasks
  readonly online: (nodeId: string) => boolean
  readonly now: () => number
}

export class HandOvers {
  readonly #parts: HandOverParts
  /** Until when each request that waits for an offline node stays here, and how long it stays each time. */
  readonly #waiting = new Map<string, { readonly untilMs: number; readonly patienceMs: number }>()

  constructor(parts: HandOverParts) {
    this.#parts = parts
  }

  /** Finds requests that wait for offline nodes and hands over those that waited long enough. Runs in the engine's turn. */
  async look(): Promise<void> {
    const { shared, live } = this.#parts
    if (shared.living() === 1) return this.#waiting.clear()
    const stuck = new Map<string, string>()
    const open = new Set<string>()
    for (const task of live.atWork.values()) {
      open.add(task.request.id)
      const away = isFinal(task) ? undefined : this.#missedBy(task)
      if (away !== undefined) stuck.set(task.request.id, away)
    }
    for (const requestId of this.#waiting.keys()) {
      if (!open.has(requestId)) this.#cool(requestId)
      else if (!stuck.has(requestId)) this.#calm(requestId)
    }
    const due = [...stuck].filter(([requestId]) => this.#isDue(requestId)).slice(0, AT_ONCE)
    for (const [requestId, nodeId] of due) await this.#handOver(requestId, nodeId)
  }

  /** An offline node without which the task cannot go on; undefined if there is none. */
  #missedBy(task: WaasTask): string | undefined {
    const { online } = this.#parts
    const isAway = (id: string): boolean => !online(id) && !hasEnded(task.reports[id])
    // Where other nodes can sign, the next attempt comes sooner than a hand-over.
    if (task.state === "running") return hasChoice(task) ? undefined : task.nodeIds.find(isAway)
    const left = remaining(task)
    const away = left.filter(isAway)
    return left.length - away.length < (task.threshold ?? task.nodeIds.length) ? away[0] : undefined
  }

  #isDue(requestId: string): boolean {
    const nowMs = this.#parts.now()
    const known = this.#waiting.get(requestId)
    if (known !== undefined) return nowMs >= known.untilMs
    this.#waiting.set(requestId, { untilMs: nowMs + PATIENCE_MS, patienceMs: PATIENCE_MS })
    return false
  }

  async #handOver(requestId: string, nodeId: string): Promise<void> {
    const { shared, live, now } = this.#parts
    const patienceMs = Math.min(2 * (this.#waiting.get(requestId)?.patienceMs ?? PATIENCE_MS), MOST_PATIENCE_MS)
    this.#waiting.set(requestId, { untilMs: now() + patienceMs, patienceMs })
    // Released first: this replica must write nothing of a task that another one works on. If the hand-over fails with its outcome unknown,
    // takeOver finds later in the store whose the request is.
    const tasks = await live.release(requestId)
    if (!(await shared.handOver(requestId, nodeId))) await live.takeOver(tasks)
  }

  /** Its nodes are here: if one goes away, the request waits for its whole time again. */
  #calm(requestId: string): void {
    const known = this.#waiting.get(requestId)
    if (known !== undefined) this.#waiting.set(requestId, { ...known, untilMs: this.#parts.now() + known.patienceMs })
  }

  /** Forgets how long the request stays here, but not before it had time to come back. */
  #cool(requestId: string): void {
    const known = this.#waiting.get(requestId)
    if (known !== undefined && this.#parts.now() >= known.untilMs + MOST_PATIENCE_MS) this.#waiting.delete(requestId)
  }
}
