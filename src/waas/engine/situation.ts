/** Makes the Situation that decides how tasks go on (quorum.ts): which nodes are online, able, silent or have room at this moment. */
import { randomBytes } from "node:crypto"
import type { SharedStore } from "../store/shared.ts"
import type { NodeHealth } from "./nodeHealth.ts"
import type { NodeLoad } from "./nodeLoad.ts"
import type { EngineOptions } from "./options.ts"
import type { Windows } from "./ports.ts"
import type { Situation } from "./quorum.ts"
import type { VersionsOf } from "./versions.ts"

/**
 * So many tasks of one node may wait for approvers, of the 256 that a node takes. Nobody knows beforehand which tasks will wait, so they
 * are asked like others and counted apart once they do.
 */
const MOST_WAITING = 120
/**
 * The least that each replica may ask of a node, however many replicas there are: all callers may use one of them. A node that gets too
 * much of it says "later".
 */
const LEAST: Windows = { asked: 32, running: 6 }

interface SituationParts extends Pick<EngineOptions, "now" | "pace" | "relay" | "windows"> {
  readonly shared: Pick<SharedStore, "living">
  readonly versions: VersionsOf
  readonly health: NodeHealth
  readonly loads: NodeLoad
  /** This process was stopped or busy: that nothing came from a node means nothing. */
  readonly isLate: boolean
}

export function situationOf({ health, loads, isLate, ...parts }: SituationParts): Situation {
  const { now, pace, relay, shared, versions } = parts
  const windows = windowsAmong(parts.windows, shared.living())
  return {
    nowMs: now(),
    pace,
    online: (nodeId) => relay.online(nodeId),
    versions,
    newNonce: () => randomBytes(16).toString("hex"),
    whyUnable: (nodeId, key) => health.whyUnable(nodeId, key),
    isSilent: (nodeId, sinceMs) => !isLate && health.isSilent(nodeId, sinceMs),
    hasRoom: (nodeId) => {
      // At most half of what the node accepts (formats.md 12). Set-ups and check-ups do not wait for room.
      const half = Math.floor((health.most(nodeId) ?? Number.POSITIVE_INFINITY) / 2)
      const { asked, waiting } = loads.of(nodeId)
      if (asked >= Math.min(windows.asked, half) || waiting >= Math.min(MOST_WAITING, half)) return false
      return !health.isLeftAlone(nodeId)
    },
    mayRun: (nodeId) => loads.of(nodeId).running < windows.running,
    load: (nodeId) => loads.of(nodeId).asked,
  }
}

/** Replicas share what may be asked of a node: together they ask about as much as one would alone. */
const windowsAmong = (windows: Windows, replicas: number): Windows => ({
  asked: shareOf(windows.asked, replicas, LEAST.asked),
  running: shareOf(windows.running, replicas, LEAST.running),
})

const shareOf = (all: number, replicas: number, least: number): number =>
  Math.max(Math.ceil(all / Math.max(replicas, 1)), Math.min(least, all))
