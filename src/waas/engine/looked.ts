/** What the engine knows of nodes and of open tasks just now, for people: it only looks, and costs nothing that lasts. */
import type { Readiness } from "../../wire/frames.ts"
import type { NodeVersions } from "../../wire/versions.ts"
import type { TaskKey, WaasTask } from "../store/model.ts"
import type { LiveTasks } from "./liveTasks.ts"
import type { RelayPort } from "./ports.ts"
import { isFinal } from "./progress.ts"

interface NodeNow {
  readonly isOnline: boolean
  /** Since it was heard last; undefined while it is offline. */
  readonly silentMs: number | undefined
  /** What it said last on this connection; undefined: nothing yet. */
  readonly readiness: Readiness | undefined
  readonly versions: NodeVersions
  /** Tasks that it has in work, and its sessions that run. */
  readonly asked: number
  readonly running: number
}

export interface EngineLook {
  node(nodeId: string): NodeNow
  /** Why the node cannot sign with the key just now, for people; undefined where it can, as far as it said. */
  whyUnable(nodeId: string, key: TaskKey | undefined): string | undefined
  /** undefined for a task that needs nothing more. */
  task(taskId: string): WaasTask | undefined
  /** Tasks with which a node waits for words of people, newest first. */
  awaiting(): readonly WaasTask[]
}

export const lookAt = (live: LiveTasks, relay: RelayPort, versions: (nodeId: string) => NodeVersions): EngineLook => ({
  node: (nodeId) => ({
    isOnline: relay.online(nodeId),
    silentMs: relay.silentMs(nodeId),
    readiness: live.health.of(nodeId),
    versions: versions(nodeId),
    ...live.atWork.loads.of(nodeId),
  }),
  whyUnable: (nodeId, key) => live.health.whyUnable(nodeId, key),
  task: (taskId) => live.atWork.get(taskId),
  awaiting: () =>
    [...live.atWork.values()]
      .filter((task) => !isFinal(task) && Object.keys(task.awaits ?? {}).length > 0)
      .sort((one, other) => other.createdMs - one.createdMs),
})
