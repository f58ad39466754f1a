/** `cosigner info` and `cosigner info group [id]`. Both read beside a running node. */
import { toHex } from "../bytes.ts"
import { EXIT } from "../errors/entry.ts"
import { CosignerError } from "../errors.ts"
import { epochStatusOf, ownEpochs } from "../keys/epochStatus.ts"
import { type GroupPublic, rootExtendedPublicKey } from "../keys/group.ts"
import { byShareId, formatGroupInfo, goTime, sharePublicKeyText } from "../keys/groupInfo.ts"
import type { PartyId } from "../keys/party.ts"
import { openStore, type Store } from "../store/store.ts"
import { nodeIdOf } from "../wire/nodeId.ts"
import { type CommandBase, command, optional, required } from "./command.ts"
import { taskJson, taskText } from "./infoTask.ts"
import { publicKeyPem, selfOf } from "./nodeKeys.ts"

export const info = command({
  summary: "Show the node id and the callback public key",
  run: async (base) => {
    using store = await openForReading(base)
    using seed = store.identity()
    using callbackKey = store.callbackKey()
    const { nodeId } = selfOf(seed)
    const pem = publicKeyPem(callbackKey)
    base.out.result({ node_id: nodeId, callback_public_key: pem, db: store.path }, [
      `Node ID: ${nodeId}`,
      "Callback public key:",
      pem.trimEnd(),
    ])
    return EXIT.ok
  },
})

export const group = command({
  summary: "Show the groups this node holds key shares of",
  details: "Of each group the epoch that signs, or the newest where none does yet. Private shares are never shown.",
  args: { group: optional("group-id", "only this group") },
  examples: [["cosigner info group --json", "for programs"]],
  run: async (base) => {
    using store = await openForReading(base)
    using seed = store.identity()
    const { party } = selfOf(seed)
    const groups = ownEpochs(store.groups.list(), party)
    const wanted = base.args.group
    const chosen = wanted === undefined ? groups : groups.filter(({ groupId }) => groupId === wanted)
    if (wanted !== undefined && chosen.length === 0) {
      throw new CosignerError("E-CLI-011", { what: "such group", known: groups.map(({ groupId }) => groupId) })
    }
    const total = wanted === undefined ? [`Total number of groups: ${groups.length}, from ${store.path}`] : []
    base.out.result(
      chosen.map((group) => json(group, party, store)),
      [...total, ...chosen.flatMap((group) => text(group, party, store))],
    )
    return EXIT.ok
  },
})

export const task = command({
  summary: "Show what the journal knows of one task",
  details:
    "What was asked, what this node read in its payloads, the verdict, and how it ended. Payloads themselves are kept until the end.",
  args: { task: required("task-id", "as in the log, in events and at WaaS") },
  examples: [["cosigner info task 5f0c… --json", "for programs"]],
  run: async (base) => {
    using store = await openForReading(base)
    const record = store.tasks.get(base.args.task)
    if (record === undefined) {
      const known = store.tasks.list({ limit: 5 }).map(({ taskId }) => taskId)
      throw new CosignerError("E-CLI-011", { what: "such task", known })
    }
    base.out.result(taskJson(record), taskText(record))
    return EXIT.ok
  },
})

async function openForReading({ config, passwords }: CommandBase): Promise<Store> {
  const { db } = await config()
  using password = await passwords.existing(db)
  return openStore(db.path, password, { readOnly: true })
}

/** The block that scripts know, and below it what is ours: state, epoch, and peers that ECDSA is over with. */
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
    share_public_key: sharePublicKeyText(group.curve, member.sharePublicKey),
  })),
  last_checkup: checkupJson(group, store),
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
