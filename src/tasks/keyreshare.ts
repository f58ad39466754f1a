/**
 * KeyReshare: new shares of a group's key, for the same or other nodes (threshold.md 6). A node takes part as a dealer of the old epoch, as
 * a member of the new one, or as both. Mode `extend` makes another group beside the old one; mode `replace` makes the next epoch of it.
 */
import { type Bytes, equal } from "../bytes.ts"
import { type GroupPublic, outranks, rootExtendedPublicKey } from "../keys/group.ts"
import type { PartyId } from "../keys/party.ts"
import { shareIdOf } from "../keys/shareId.ts"
import type { Succession } from "../mpc/reshare/succession.ts"
import { type ReshareTerms, reshareSid } from "../mpc/sid.ts"
import type { GroupOutcome } from "../wire/frames.ts"
import { nodeIdOf } from "../wire/nodeId.ts"
import type { KeyReshareTask } from "../wire/task.ts"
import {
  decodeRoot,
  epochOutcome,
  inEverySuite,
  partiesOf,
  publicSharesOf,
  sessionTaskId,
  setUpSuite,
  withShareIds,
} from "./keygen.ts"
import { fromTheFuture, type Plan, type Refusal, refuse } from "./plan.ts"
import type { TaskPorts } from "./ports.ts"

export function planKeyReshare(task: KeyReshareTask, ports: TaskPorts): Plan | Refusal {
  const root = decodeRoot(task.root_pub_key, task.curve)
  if (root === undefined) return refuse("E-TSK-007", { groupId: task.old_group_id })
  const dealers = partiesOf(task.used_node_ids)
  const members = partiesOf(task.new_node_ids)
  const participants = [...new Set([...dealers, ...members])].sort()
  if (!participants.includes(ports.self)) return refuse("E-TSK-008", {})

  const old = currentEpoch(ports.groups.list(), task.old_group_id)
  const isDealer = dealers.includes(ports.self)
  if (isDealer && old?.status !== "ACTIVE") return refuse("E-TSK-006", { groupId: task.old_group_id })
  const wrong = (old && contradiction(task, dealers, old)) ?? outOfTurn(task, ports)
  if (wrong !== undefined) return wrong

  return {
    groupId: task.new_group_id,
    group: old,
    participants,
    kind: "setup",
    ecdsa: false,
    open: ({ attempt, terms }) => ({
      ...termsOf(task, attempt, root),
      ...setUpSuite(task.curve, terms),
      protocol: "reshare",
      self: ports.self,
      chainCode: root.chainCode,
      old: old && {
        group: old,
        secret: isDealer ? ports.groups.encodedSecret(old.groupId, old.epochId) : undefined,
      },
    }),
    outcome: (result) => epochOutcome(result, ports),
  }
}

/** The group's current epoch as far as this node knows: the certified one of highest rank, whether or not this node has a share of it. */
function currentEpoch(all: readonly GroupPublic[], groupId: string): GroupPublic | undefined {
  const certified = all.filter((group) => group.groupId === groupId && group.certificate !== undefined)
  return certified.reduce<GroupPublic | undefined>(
    (best, group) => (best === undefined || outranks(group, best) ? group : best),
    undefined,
  )
}

/** Compares the task with this node's own record of the old group: E-TSK-007, -009 or -024. */
function contradiction(task: KeyReshareTask, dealers: readonly PartyId[], old: GroupPublic): Refusal | undefined {
  if (rootExtendedPublicKey(old) !== task.root_pub_key || old.curve !== task.curve) {
    return refuse("E-TSK-007", { groupId: old.groupId })
  }
  if (old.threshold !== task.old_threshold) {
    return refuse("E-TSK-009", { problem: `the threshold of the old group is ${old.threshold}` })
  }
  const stranger = dealers.find((party) => !old.members.some((member) => member.party === party))
  if (stranger !== undefined) {
    return refuse("E-TSK-009", { problem: `${nodeIdOf(stranger)} is not a member of the old group` })
  }
  // All nodes compute the dealers' share ids from their node ids. A record with other share ids was made by other software.
  const isForeign = old.members.some(({ party, shareId }) => shareId !== shareIdOf(party))
  return isForeign ? refuse("E-TSK-024", { groupId: old.groupId }) : undefined
}

/** The rules of threshold.md 6.1 about time, and that the id of a new group is not taken: E-TSK-022, -016 or -021. */
function outOfTurn(task: KeyReshareTask, ports: TaskPorts): Refusal | undefined {
  const early = fromTheFuture(task, ports.now())
  if (early !== undefined) return early
  const epochs = ports.groups.list().filter((group) => group.groupId === task.new_group_id)
  if (task.mode === "extend") {
    // The id of a certified group is taken. An uncertified group is an attempt of this node, which may be repeated.
    const taken = epochs.some((group) => group.certificate !== undefined)
    return taken ? refuse("E-TSK-016", { groupId: task.new_group_id }) : undefined
  }
  const newer = epochs.find((group) => group.createdMs >= task.created_ms && !isAttemptOf(task, group, ports))
  return newer && refuse("E-TSK-021", { groupId: task.new_group_id, createdMs: newer.createdMs })
}

/** True if an earlier attempt of this same task made the epoch. Attempts of one task do not block each other. */
function isAttemptOf(task: KeyReshareTask, group: GroupPublic, ports: TaskPorts): boolean {
  if (group.createdMs !== task.created_ms) return false
  const attempts = ports.journal.get(task.task_id)?.attempt ?? 0
  return keyReshareSids(task, attempts).some((sid) => equal(sid, group.sid))
}

/** The session ids of attempts 1 to `attempts`, in every suite. */
export function keyReshareSids(task: KeyReshareTask, attempts: number): readonly Bytes[] {
  const root = decodeRoot(task.root_pub_key, task.curve)
  return root === undefined ? [] : inEverySuite(attempts, (attempt) => termsOf(task, attempt, root)).map(reshareSid)
}

const termsOf = (task: KeyReshareTask, attempt: number, root: { readonly publicKey: Bytes }): ReshareTerms => ({
  taskId: sessionTaskId(task),
  attempt,
  mode: task.mode,
  curve: task.curve,
  oldGroupId: task.old_group_id,
  newGroupId: task.new_group_id,
  rootPublicKey: root.publicKey,
  oldThreshold: task.old_threshold,
  dealers: withShareIds(partiesOf(task.used_node_ids)),
  newThreshold: task.new_threshold,
  members: withShareIds(partiesOf(task.new_node_ids)),
  createdMs: task.created_ms,
})

/** The public part of a reported outcome, which its acks must still prove; undefined if it is not an answer to the task. */
export function successionOf(task: KeyReshareTask, attempt: number, outcome: GroupOutcome): Succession | undefined {
  const root = decodeRoot(task.root_pub_key, task.curve)
  const fits =
    outcome.group_id === task.new_group_id &&
    outcome.curve === task.curve &&
    outcome.threshold === task.new_threshold &&
    outcome.root_extended_public_key === task.root_pub_key
  if (root === undefined || !fits) return undefined
  return { ...publicSharesOf(outcome), chainCode: root.chainCode, terms: termsOf(task, attempt, root) }
}
