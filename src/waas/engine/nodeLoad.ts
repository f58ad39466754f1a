/** Counts from the records of tasks at work how many tasks each node has in work, and how many of its sessions run. */
import type { WaasTask } from "../store/model.ts"
import { isFinal } from "./progress.ts"
import { hasEnded, signersOf } from "./quorum.ts"

interface Counts {
  /** Tasks that the node was asked for and whose part in them has not ended, without those in `waiting`. */
  asked: number
  /** Those for which the node waits for approvers, who may take a day. */
  waiting: number
  /** Sessions that run. */
  running: number
}

const NONE: Readonly<Counts> = { asked: 0, waiting: 0, running: 0 }

export class NodeLoad {
  readonly #counts = new Map<string, Counts>()
  #running = 0

  /** How many tasks have a session that runs. */
  get running(): number {
    return this.#running
  }

  of(nodeId: string): Readonly<Counts> {
    return this.#counts.get(nodeId) ?? NONE
  }

  /** Counts `after` in place of `before`; undefined for a task that is new, or is forgotten. */
  change(before: WaasTask | undefined, after: WaasTask | undefined): void {
    this.#count(before, -1)
    this.#count(after, 1)
  }

  #count(record: WaasTask | undefined, by: 1 | -1): void {
    if (record === undefined || isFinal(record)) return
    const { asked = {}, awaits = {}, reports, state } = record
    for (const id of new Set([...Object.keys(asked), ...Object.keys(reports)])) {
      if (!hasEnded(reports[id])) this.#countsOf(id)[awaits[id] === undefined ? "asked" : "waiting"] += by
    }
    if (state !== "running") return
    this.#running += by
    for (const id of signersOf(record)) if (!hasEnded(reports[id])) this.#countsOf(id).running += by
  }

  #countsOf(nodeId: string): Counts {
    const counts = this.#counts.get(nodeId) ?? { asked: 0, waiting: 0, running: 0 }
    this.#counts.set(nodeId, counts)
    return counts
  }
}
