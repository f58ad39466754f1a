/** Which nodes have to learn how a share group went on, and what they are sent: certificates of epochs, and check-ups of their members. */
import type { WaasTask } from "../store/model.ts"
import type { StoreWrite, WaasStore } from "../store/store.ts"
import { awaitingCheckups, latestCheckups } from "./checkups.ts"
import type { Change } from "./consequences.ts"
import { groupsWithNews, untoldEpochs } from "./epochs.ts"
import { hasEnded } from "./quorum.ts"

interface Untold {
  /** Tasks whose certificates the node has not confirmed. */
  readonly certificates: readonly WaasTask[]
  /** They prove that shares of earlier epochs are not needed any more. */
  readonly checkups: Awaited<ReturnType<typeof latestCheckups>>
}

export class EpochNews {
  readonly #store: WaasStore

  constructor(store: WaasStore) {
    this.#store = store
  }

  /** The nodes that these writes concern, without participants whose part of the task has not ended: they reach its end by themselves. */
  async concerned(writes: readonly StoreWrite[], changes: readonly Change[]): Promise<ReadonlySet<string>> {
    const takesPart = (nodeId: string): boolean =>
      changes.some(({ record: { nodeIds, reports } }) => nodeIds.includes(nodeId) && !hasEnded(reports[nodeId]))
    const followers = await Promise.all(groupsWithNews(writes).map((groupId) => this.#store.followersOf(groupId)))
    const waiting = await awaitingCheckups(writes, this.#store)
    return new Set([...followers.flat().filter((nodeId) => !takesPart(nodeId)), ...waiting])
  }

  /** Everything that the node may not know yet. The node drops what it knows already. */
  async untold(nodeId: string): Promise<Untold> {
    const setUps = await this.#store.successions(nodeId)
    const certificates = untoldEpochs(nodeId, await this.incarnationOf(nodeId), setUps)
    return { certificates, checkups: await latestCheckups(setUps, this.#store) }
  }

  /** The incarnation of the database with which the node last connected; 0 if it has never connected. */
  async incarnationOf(nodeId: string): Promise<number> {
    return (await this.#store.fencingToken(nodeId))?.incarnation ?? 0
  }
}
