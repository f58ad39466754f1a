/** How things are just now, for the steps of tasks (quorum.ts): who is there, who has room, and what nodes said of themselves. */
import { randomBytes } from "node:crypto"
import type { SharedStore } from "../store/shared.ts"
import type { NodeHealth } from "./nodeHealth.ts"
import type { NodeLoad } from "./nodeLoad.ts"
import type { EngineOptions } from "./options.ts"
import type { Windows } from "./ports.ts"
import type { Situation } from "./quorum.ts"
import type { VersionsOf } from "./versions.ts"

/** Tasks of one node that wait for people, of the 256 that a node takes: nobody knows beforehand which will. */
const MOST_WAITING = 120
/** What a replica may use of a node however many there are: a node that has too much says later, and callers may all ask one replica. */
const LEAST: Windows = { asked: 32, running: 6 }

interface SituationParts extends Pick<EngineOptions, "now" | "pace" | "relay" | "windows"> {
  readonly shared: Pick<SharedStore, "living">
  readonly versions: VersionsOf
  readonly health: NodeHealth
  readonly loads: NodeLoad
  /** This process was stopped or busy, and nobody's silence means anything. */
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
      const half = Math.floor((health.most(nodeId) ?? Number.POSITIVE_INFINITY) / 2)
      const { asked, waiting } = loads.of(nodeId)
      if (asked >= Math.min(windows.asked, half) || waiting >= Math.min(MOST_WAITING, half)) return false
      return !health.isLeftAlone(nodeId)
    },
    mayRun: (nodeId) => loads.of(nodeId).running < windows.running,
    load: (nodeId) => loads.of(nodeId).asked,
  }
}

/** Replicas share what a node takes: together they ask for no more than one would. */
const windowsAmong = (windows: Windows, replicas: number): Windows => ({
  asked: shareOf(windows.asked, replicas, LEAST.asked),
  running: shareOf(windows.running, replicas, LEAST.running),
})

const shareOf = (all: number, replicas: number, least: number): number =>
  Math.max(Math.ceil(all / Math.max(replicas, 1)), Math.min(least, all))
