/**
 * Which version of a protocol layer a set of nodes shares with this WaaS, and which of them to upgrade where they share none. WaaS does
 * not begin a task that its nodes cannot carry out together, so none of them fails it or blames another one for being of an older release.
 */
import { CosignerError } from "../../errors.ts"
import { type NodeVersions, newestOfAll, VERSIONS, type Versions } from "../../wire/versions.ts"

/** The versions that the node told in its hello; for one that has never connected, those that every release speaks. */
export type VersionsOf = (nodeId: string) => NodeVersions

type Layer = keyof Versions

const NAMES: Readonly<Record<Layer, string>> = {
  tasks: "version of the task document",
  suites: "suite of the signing protocol",
  readers: "reader of payloads",
}

/**
 * The newest version, `least` or above, that this WaaS and all these nodes speak. If there is none: E-WAA-028, which names those that
 * lack the newest version of all.
 */
export function agreed(
  layer: Layer,
  nodeIds: readonly string[],
  versionsOf: VersionsOf,
  least = 1,
  own: Versions = VERSIONS,
): number | CosignerError {
  const parties = [
    ...nodeIds.map((nodeId) => ({ name: nodeId, spoken: versionsOf(nodeId)[layer] })),
    { name: "this WaaS", spoken: own[layer] },
  ]
  const common = newestOfAll(parties.map(({ spoken }) => spoken.filter((version) => version >= least)))
  if (common !== undefined) return common
  const newest = Math.max(least, ...parties.flatMap(({ spoken }) => spoken))
  const outdated = parties.filter(({ spoken }) => !spoken.includes(newest)).map(({ name }) => name)
  return new CosignerError("E-WAA-028", { outdated, what: NAMES[layer] })
}
