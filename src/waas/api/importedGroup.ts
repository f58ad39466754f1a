/** Makes a key share holder group from the signed records of its nodes (threshold.md 6.5), with one share group for each curve. */
import { toHex } from "../../bytes.ts"
import { CosignerError } from "../../errors.ts"
import { type GroupPublic, rootExtendedPublicKey } from "../../keys/group.ts"
import { groupOfRecords, type ImportRecord } from "../../keys/importRecord.ts"
import { nodeIdOf, parseNodeId } from "../../wire/nodeId.ts"
import { curveTypeOf } from "../engine/requests.ts"
import { ApiFailure } from "../failure.ts"
import { newUuid } from "../ids.ts"
import type { HolderGroup } from "../store/model.ts"

interface GivenRecord {
  readonly node_id: string
  readonly group: string
  readonly signature: string
}

/** Throws 2006 unless the records make one group, with the same nodes and threshold on each curve. */
export function importedHolders(vaultId: string, given: readonly GivenRecord[], createdMs: number): HolderGroup {
  const records = given.map((record, index): ImportRecord => {
    const party = parseNodeId(record.node_id)
    if (party === undefined) throw new ApiFailure(2006, `body.records.${index}.node_id is not a node id`)
    return { party, group: record.group, signature: record.signature }
  })
  const groups = byCurve(records)
  const [first] = groups
  if (first === undefined) throw new ApiFailure(2006, "body.records: no record")
  for (const group of groups)
    if (!isAlike(first, group)) {
      throw new ApiFailure(2006, "body.records: the groups of the two curves have other nodes or thresholds")
    }
  return {
    groupId: newUuid(),
    vaultId,
    type: "MainGroup",
    status: "Valid",
    threshold: first.threshold,
    holders: first.members.map(({ party }, i) => ({
      name: `imported ${i + 1}`,
      type: "API",
      nodeId: nodeIdOf(party),
      signer: true,
    })),
    shareGroups: groups.map((group) => ({
      shareGroupId: group.groupId,
      curve: curveTypeOf(group.curve),
      rootPubkey: rootExtendedPublicKey(group),
      epoch: { createdMs: group.createdMs, epochId: toHex(group.epochId) },
    })),
    createdMs,
  }
}

/** One group for each set of equal records. Throws 2006 for records that prove no group, and for two groups on one curve. */
function byCurve(records: readonly ImportRecord[]): readonly GroupPublic[] {
  const sets = new Map<string, ImportRecord[]>()
  for (const record of records) sets.set(record.group, [...(sets.get(record.group) ?? []), record])
  try {
    const groups = [...sets.values()].map(groupOfRecords)
    if (new Set(groups.map(({ curve }) => curve)).size !== groups.length) {
      throw new ApiFailure(2006, "body.records: the nodes recorded different groups")
    }
    return groups
  } catch (error) {
    if (error instanceof CosignerError) throw new ApiFailure(2006, `body.records: ${error.message}`)
    throw error
  }
}

const isAlike = (a: GroupPublic, b: GroupPublic): boolean =>
  a.threshold === b.threshold &&
  a.members.length === b.members.length &&
  a.members.every(({ party }, i) => party === b.members[i]?.party)
