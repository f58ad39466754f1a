/** What the engine knows of nodes and open tasks at this moment, for people. Read-only. */
import type { Readiness } from "../../wire/frames.ts"
import type { NodeVersions } from "../../wire/versions.ts"
import type { TaskKey, WaasTask } from "../store/model.ts"
import type { LiveTasks } from "./liveTasks.ts"
import type { RelayPort } from "./ports.ts"
import { isFinal } from "./progress.ts"

interface NodeNow {
  readonly isOnline: boolean
  /** Time since anything came from the node; undefined while it is offline. */
  readonly silentMs: number | undefined
  /** Its latest readiness frame on this connection; undefined before the first. */
  readonly readiness: Readiness | undefined
  readonly versions: NodeVersions
  /** How many tasks it has in work, without those that wait for approvers. */
  readonly asked: number
  /** How many of its sessions run. */
  readonly running: number
}

export interface EngineLook {
  node(nodeId: string): NodeNow
  /** Why the node cannot sign with the key just now, for people; undefined where it can, as far as WaaS knows. */
  whyUnable(nodeId: string, key: TaskKey | undefined): string | undefined
  /** The task, if this replica works on it. */
  task(taskId: string): WaasTask | undefined
  /** Open tasks for which a node waits for approvers, newest first. */
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
