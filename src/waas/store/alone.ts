/** SharedStore for a store that one process serves alone: all work is its own, and every agreement is made in memory. */
import { isNewest } from "../engine/fencing.ts"
import { KeyedTurns } from "../engine/turns.ts"
import type { NodeFencingToken } from "./model.ts"
import type { Errand, KeptErrand, SharedStore, StoreNews, TaskOwner } from "./shared.ts"
import type { WaasStore } from "./store.ts"

export function alone(store: Pick<WaasStore, "fencingToken" | "commit" | "liveTasks">): SharedStore {
  const turns = new KeyedTurns()
  const listeners = new Set<(news: StoreNews) => void>()
  const errands = new Map<string, KeptErrand>()
  let numbered = 0
  const tell = (news: StoreNews): void => {
    for (const listener of listeners) listener(news)
  }
  return {
    replicaId: "1",
    isLeader: () => true,
    living: () => 1,
    exclusively: (name, work) => turns.take(name, work),
    takeOver: async () => [],
    // The caller works on all open tasks itself and did not find the task among them, so it is not open.
    ownerOf: async (): Promise<TaskOwner> => "none",
    async leaveErrand(requestId: string, errand: Errand) {
      if (!(await store.liveTasks()).some(({ request }) => request.id === requestId)) return false
      const id = `${++numbered}`
      errands.set(id, { id, requestId, errand })
      tell({ kind: "errands" })
      return true
    },
    errands: async () => [...errands.values()],
    async errandDone(id) {
      errands.delete(id)
    },
    subscribe(listener) {
      listeners.add(listener)
      return {
        [Symbol.dispose]: () => {
          listeners.delete(listener)
        },
      }
    },
    tell,
    // Never "twin": the relay of this process knows all connections of its nodes.
    admit: (nodeId: string, token: NodeFencingToken) =>
      turns.take(`fencing ${nodeId}`, async () => {
        if (!isNewest(token, await store.fencingToken(nodeId))) return "behind"
        await store.commit([{ put: "fencingToken", nodeId, record: token }])
        return "newest"
      }),
    left: async () => {},
    handOver: async () => false,
    resign: async () => {},
  }
}
