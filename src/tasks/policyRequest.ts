/**
 * Makes the request that the embedded rules judge, from a task and this node's own record of its group. What the record states is taken
 * from the record. If task and record differ, or a field makes no sense, the request is `unreadable`, which the rules reject.
 */
import { toHex } from "../bytes.ts"
import type { CurveName } from "../crypto/curve.ts"
import { CosignerError } from "../errors.ts"
import { decodeExtendedPublicKey } from "../keys/extendedKey.ts"
import { type GroupPublic, rootExtendedPublicKey } from "../keys/group.ts"
import { parsePath } from "../keys/path.ts"
import type { Decision, Usage } from "../policy/decision.ts"
import { evaluate } from "../policy/evaluate.ts"
import type { Presented } from "../policy/people.ts"
import type { KeySignRequest, PolicyRequest, SignatureName, UnreadableRequest } from "../policy/request.ts"
import type { Rules } from "../policy/schema.ts"
import { stricter } from "../policy/stricter.ts"
import type { KeyReshareTask, KeySignTask, SignatureType, Task } from "../wire/task.ts"
import { type Intents, NO_INTENTS } from "./intents.ts"
import type { RiskPort } from "./ports.ts"

const SIGNATURE_NAMES: Readonly<Record<SignatureType, SignatureName>> = { 1: "ECDSA", 2: "EdDSA", 3: "Schnorr" }

/** The facts about a group from this node's own record. */
export interface OwnGroup {
  readonly groupId: string
  readonly curve: CurveName
  /** xpub or cpub. */
  readonly rootPubKey: string
  /** The same as rootKey of KeySignRequest: see rootKeyOf. */
  readonly rootKey: string
}

/** One name for one key, from its extended public key. The chain code is not part of it: it changes child keys, not the key itself. */
export function rootKeyOf(rootPubKey: string): string {
  const { curve, publicKey } = decodeExtendedPublicKey(rootPubKey)
  return `${curve}/${toHex(publicKey)}`
}

export function ownGroup(group: GroupPublic): OwnGroup {
  const rootPubKey = rootExtendedPublicKey(group)
  return { groupId: group.groupId, curve: group.curve, rootPubKey, rootKey: rootKeyOf(rootPubKey) }
}

/** The decision of `rules` on a task: RiskPort.evaluate with the rules as a parameter. */
export function judge(
  rules: Rules,
  task: Task,
  group: GroupPublic | undefined,
  usage: Usage,
  nowMs: number,
  intents: Intents = NO_INTENTS,
  presented?: Presented,
): Decision {
  const request = policyRequest(task, group === undefined ? undefined : ownGroup(group), intents)
  return evaluate(rules, request, usage, nowMs, presented)
}

/** The rules in force, and those of a policy version that waits, which must approve too (bundle.md 2.4). */
export interface RulesInForce {
  readonly rules: Rules
  readonly also: Rules | undefined
}

export function judgeBy({ rules, also }: RulesInForce, ...asked: Parameters<RiskPort["evaluate"]>): Decision {
  const first = judge(rules, ...asked)
  return also === undefined ? first : stricter(first, () => judge(also, ...asked))
}

/** `group` is this node's record of the task's group: required for KeySign; for KeyReshare the old group, if this node knows it. */
export function policyRequest(
  task: Task,
  group: OwnGroup | undefined,
  intents: Intents = NO_INTENTS,
): PolicyRequest | UnreadableRequest {
  const common = { taskId: task.task_id, extraInfo: task.extra_info }
  switch (task.type) {
    case "KeyGen":
      return {
        ...common,
        type: "key_gen",
        groupId: task.group_id,
        curve: task.curve,
        threshold: task.threshold,
        nodeIds: task.node_ids,
      }
    case "KeySign":
      return keySignRequest(task, group, intents)
    case "KeyReshare":
      return keyReshareRequest(task, group)
    case "KeyShareSign":
      if (task.details.length === 0) return unreadable(task, "it asks for no signature")
      return { ...common, type: "key_share_sign", groupIds: task.details.map((detail) => detail.group_id) }
    default:
      return unreadable(task, "its type is unknown")
  }
}

function keySignRequest(
  task: KeySignTask,
  group: OwnGroup | undefined,
  intents: Intents,
): PolicyRequest | UnreadableRequest {
  if (group === undefined || group.groupId !== task.group_id) return unreadable(task, "this node has no such group")
  if (group.rootPubKey !== task.root_pub_key) return unreadable(task, "its root_pub_key is not that of the group")
  const messages = messagesOf(task, intents)
  if (messages === undefined) return unreadable(task, "a bip32_path is malformed or hardened")
  if (messages.length === 0) return unreadable(task, "it asks for no signature")
  const signatureType = SIGNATURE_NAMES[task.signature_type]
  if (signatureType === undefined) return unreadable(task, "its signature_type is unknown")
  return {
    type: "key_sign",
    taskId: task.task_id,
    extraInfo: task.extra_info,
    groupId: group.groupId,
    rootPubKey: group.rootPubKey,
    rootKey: group.rootKey,
    curve: group.curve,
    signatureType,
    usedNodeIds: task.used_node_ids,
    messages,
    intents: intents.map(({ reading, accounts }) => ({ reading, accounts })),
  }
}

function messagesOf(task: KeySignTask, intents: Intents): KeySignRequest["messages"] | undefined {
  try {
    return task.messages.map((message, index) => {
      const payload = intents.findIndex(({ messages }) => messages.includes(index))
      const asked = { path: parsePath(message.bip32_path), hash: message.msg_hash }
      return payload < 0 ? asked : { ...asked, payload }
    })
  } catch (error) {
    if (error instanceof CosignerError) return undefined
    throw error
  }
}

// A node that is new to the group has no record of it. Then the task's values are used, and the allow list of the rules must pin them.
function keyReshareRequest(task: KeyReshareTask, group: OwnGroup | undefined): PolicyRequest | UnreadableRequest {
  if (group !== undefined) {
    if (group.groupId !== task.old_group_id) return unreadable(task, "its old_group_id is not that of the group")
    if (group.curve !== task.curve) return unreadable(task, "its curve is not that of the group")
    if (group.rootPubKey !== task.root_pub_key) return unreadable(task, "its root_pub_key is not that of the group")
  }
  return {
    type: "key_reshare",
    taskId: task.task_id,
    extraInfo: task.extra_info,
    oldGroupId: task.old_group_id,
    newGroupId: task.new_group_id,
    rootPubKey: task.root_pub_key,
    curve: task.curve,
    usedNodeIds: task.used_node_ids,
    oldThreshold: task.old_threshold,
    newThreshold: task.new_threshold,
    newNodeIds: task.new_node_ids,
  }
}

const unreadable = (task: { readonly task_id: string }, problem: string): UnreadableRequest => ({
  type: "unreadable",
  taskId: task.task_id,
  problem,
})
