/**
 * Requests that wait here for a node to which another replica is linked: they go to that one. A link that is cut, or a node that may
 * reach one replica only, so costs a moment and no request.
 */
import type { WaasTask } from "../store/model.ts"
import type { SharedStore } from "../store/shared.ts"
import type { LiveTasks } from "./liveTasks.ts"
import { isFinal } from "./progress.ts"
import { hasChoice, hasEnded, remaining } from "./quorum.ts"

/** How long a request waits here first; twice as long after each time that it went away and came back. */
const PATIENCE_MS = 2_000
const MOST_PATIENCE_MS = 60_000
/** At one look: each costs a look into the store. */
const AT_ONCE = 16

interface HandOverParts {
  readonly shared: Pick<SharedStore, "handOver" | "living">
  readonly live: LiveTasks
  readonly online: (nodeId: string) => boolean
  readonly now: () => number
}

export class HandOvers {
  readonly #parts: HandOverParts
  /** Since when a request waits for somebody who is away here, and how patient it is. */
  readonly #waiting = new Map<string, { readonly untilMs: number; readonly patienceMs: number }>()

  constructor(parts: HandOverParts) {
    this.#parts = parts
  }

  /** To be called in turn with everything else. */
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
    for (const requestId of this.#waiting.keys()) if (!open.has(requestId)) this.#cool(requestId)
    const due = [...stuck].filter(([requestId]) => this.#isDue(requestId)).slice(0, AT_ONCE)
    for (const [requestId, nodeId] of due) await this.#handOver(requestId, nodeId)
  }

  /** A node that is away, without which the task does not go on here. */
  #missedBy(task: WaasTask): string | undefined {
    const { online } = this.#parts
    const isAway = (id: string): boolean => !online(id) && !hasEnded(task.reports[id])
    // Where others can sign, another attempt comes sooner.
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
    // Of what another works on nothing is written here any more. If it is not known whether it does, the store says so later.
    const tasks = await live.release(requestId)
    if (!(await shared.handOver(requestId, nodeId))) await live.takeOver(tasks)
  }

  /** It may come back: its patience is remembered for a while. */
  #cool(requestId: string): void {
    const known = this.#waiting.get(requestId)
    if (known !== undefined && this.#parts.now() >= known.untilMs + MOST_PATIENCE_MS) this.#waiting.delete(requestId)
  }
}
