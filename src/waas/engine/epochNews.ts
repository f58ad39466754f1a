/** Which nodes are to be told how a group went on, and of what: certificates of epochs, then check-ups of their members. */
import type { WaasTask } from "../store/model.ts"
import type { StoreWrite, WaasStore } from "../store/store.ts"
import { awaitingCheckups, latestCheckups } from "./checkups.ts"
import type { Change } from "./consequences.ts"
import { groupsWithNews, untoldEpochs } from "./epochs.ts"
import { hasEnded } from "./quorum.ts"

interface Untold {
  /** Tasks whose certificates the node has not confirmed. */
  readonly certificates: readonly WaasTask[]
  /** Whose shares of what came before are not needed again. */
  readonly checkups: Awaited<ReturnType<typeof latestCheckups>>
}

export class EpochNews {
  readonly #store: WaasStore

  constructor(store: WaasStore) {
    this.#store = store
  }

  /** Whom what was just written concerns. Participants that are still at it come to the end of their task by themselves. */
  async concerned(writes: readonly StoreWrite[], changes: readonly Change[]): Promise<ReadonlySet<string>> {
    const isAtIt = (nodeId: string): boolean =>
      changes.some(({ record: { nodeIds, reports } }) => nodeIds.includes(nodeId) && !hasEnded(reports[nodeId]))
    const told = await Promise.all(groupsWithNews(writes).map((groupId) => this.#store.toldOf(groupId)))
    const waiting = await awaitingCheckups(writes, this.#store)
    return new Set([...told.flat().filter((nodeId) => !isAtIt(nodeId)), ...waiting])
  }

  /** Everything that the node may not know yet; what it knows already, it drops. */
  async untold(nodeId: string): Promise<Untold> {
    const setUps = await this.#store.successions(nodeId)
    const certificates = untoldEpochs(nodeId, await this.incarnationOf(nodeId), setUps)
    return { certificates, checkups: await latestCheckups(setUps, this.#store) }
  }

  /** Of the database that the node last connected with; 0 where none is known. */
  async incarnationOf(nodeId: string): Promise<number> {
    return (await this.#store.fencingToken(nodeId))?.incarnation ?? 0
  }
}
