/** The groups of a node, for people and for programs: the block that scripts know (formats.md 4.2), followed by our own lines. */
import { toHex } from "../../bytes.ts"
import { CosignerError } from "../../errors.ts"
import { epochStatusOf, ownEpochs } from "../../keys/epochStatus.ts"
import { type GroupPublic, rootExtendedPublicKey } from "../../keys/group.ts"
import { byShareId, formatGroupInfo, goTime, sharePublicKeyText } from "../../keys/groupInfo.ts"
import type { PartyId } from "../../keys/party.ts"
import type { Store } from "../../store/store.ts"
import { nodeIdOf } from "../../wire/nodeId.ts"
import { importStateOf } from "./imported.ts"
import type { Shown } from "./shown.ts"

/** For each group the epoch that signs, or the newest one if none does yet. Throws E-CLI-011 if `wanted` is unknown. */
export function showGroups(store: Store, self: PartyId, wanted: string | undefined): Shown {
  const groups = [...ownEpochs(store.groups.list(), self)].sort(oldestFirst)
  const chosen = wanted === undefined ? groups : groups.filter(({ groupId }) => groupId === wanted)
  if (wanted !== undefined && chosen.length === 0) {
    throw new CosignerError("E-CLI-011", { what: "such group", known: groups.map(({ groupId }) => groupId) })
  }
  const total = wanted === undefined ? [`Total number of groups: ${groups.length}, from ${store.path}`] : []
  return {
    value: chosen.map((group) => json(group, self, store)),
    lines: [...total, ...chosen.flatMap((group) => text(group, self, store))],
  }
}

/** The order of the store is that of its blinded ids, which differs between files and between starts. */
const oldestFirst = (a: GroupPublic, b: GroupPublic): number =>
  a.createdMs - b.createdMs || (a.groupId < b.groupId ? -1 : 1)

/** The block that scripts know, followed by our own lines: state, epoch, and peers with which ECDSA has ended. */
function text(group: GroupPublic, self: PartyId, store: Store): readonly string[] {
  const unusable = store.bans.unusable(group.groupId, group.epochId)
  const { waitsFor, kept, supersededBy } = epochStatusOf(group, store.groups.list())
  return [
    "Group info: ",
    ...formatGroupInfo(group, self, nodeIdOf),
    `    Status: ${group.status}`,
    `    Last Check-up: ${checkupText(group, store)}`,
    `    Epoch ID: 0x${toHex(group.epochId)}`,
    ...(supersededBy === undefined ? [] : [`    Superseded By: 0x${toHex(supersededBy.epochId)}`]),
    ...(waitsFor === "" ? [] : [`    Waits For: ${waitsFor}`]),
    ...kept.map((other) => `    Other Epoch: 0x${toHex(other.epochId)}, ${other.status}, share kept`),
    ...(store.bans.awaitsRefresh(group.groupId, group.epochId) ? ["    ECDSA: waits for a refresh"] : []),
    ...(importStateOf(store.groups.list(), group.groupId) === "unconfirmed"
      ? [
          "    Imported: its old shares are alive until they are destroyed; then: cosigner import-share --confirm-destroyed",
        ]
      : []),
    ...(unusable.length === 0 ? [] : [`    Banned Node IDs: [${unusable.map(nodeIdOf).join(" ")}]`]),
  ]
}

function checkupText({ groupId, epochId }: GroupPublic, store: Store): string {
  const last = store.checkup(groupId, epochId)
  if (last === undefined) return "never"
  return `${goTime(last.atMs)}, ${last.problem === "" ? "passed" : `FAILED: ${last.problem}`}`
}

function checkupJson({ groupId, epochId }: GroupPublic, store: Store): object | null {
  const last = store.checkup(groupId, epochId)
  return last === undefined ? null : { at_ms: last.atMs, passed: last.problem === "", problem: last.problem }
}

const json = (group: GroupPublic, self: PartyId, store: Store): object => ({
  ...epochStatusJson(group, store),
  group_id: group.groupId,
  epoch_id: toHex(group.epochId),
  status: group.status,
  mode: group.mode,
  curve: group.curve,
  threshold: group.threshold,
  created_timestamp: group.createdMs,
  root_extended_public_key: rootExtendedPublicKey(group),
  chaincode: `0x${toHex(group.chainCode)}`,
  local_node_id: nodeIdOf(self),
  participants: byShareId(group.members).map((member) => ({
    node_id: nodeIdOf(member.party),
    share_id: member.shareId,
    share_public_key: sharePublicKeyText(member.sharePublicKey),
  })),
  last_checkup: checkupJson(group, store),
  imported: importStateOf(store.groups.list(), group.groupId),
  ecdsa_waits_for_refresh: store.bans.awaitsRefresh(group.groupId, group.epochId),
  banned_node_ids: store.bans.unusable(group.groupId, group.epochId).map(nodeIdOf),
})

function epochStatusJson(group: GroupPublic, store: Store): object {
  const { waitsFor, kept, supersededBy } = epochStatusOf(group, store.groups.list())
  return {
    waits_for: waitsFor,
    superseded_by: supersededBy === undefined ? null : toHex(supersededBy.epochId),
    kept_epochs: kept.map(({ epochId, status }) => ({ epoch_id: toHex(epochId), status })),
  }
}
