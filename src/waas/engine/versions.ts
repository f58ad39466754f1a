/**
 * Which version of a layer a set of nodes shares with this WaaS, and who is to be upgraded where there is none. Nobody is to
 * blame for being of another release: no task fails for it in a node, because WaaS does not begin it.
 */
import { CosignerError } from "../../errors.ts"
import { type NodeVersions, newestOfAll, VERSIONS, type Versions } from "../../wire/versions.ts"

/** What nodes told in their hello; of one that has never connected, what every release speaks. */
export type VersionsOf = (nodeId: string) => NodeVersions

type Layer = keyof Versions

const NAMES: Readonly<Record<Layer, string>> = {
  tasks: "version of the task document",
  suites: "suite of the signing protocol",
  readers: "reader of payloads",
}

/**
 * The newest version that this WaaS and all these nodes speak, from `least` on, or E-WAA-028 with those that lack the newest of
 * all.
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
