/**
 * Makes the records of a new request: the request and its tasks, whose documents are signed, and neither stored nor sent yet. What nodes
 * would refuse is refused here, with an API error code and a reason.
 */
import { isCode } from "../../errors.ts"
import type { Clock } from "../../tasks/ports.ts"
import type { SignedDocument } from "../../wire/frames.ts"
import {
  type KeyGenTask,
  type KeyReshareTask,
  type KeyShareSignTask,
  type KeySignTask,
  type SignatureType,
  type SignMessage,
  type Task,
  type TaskPayload,
  taskDigest,
} from "../../wire/task.ts"
import { ApiFailure } from "../failure.ts"
import { newShareGroupId, newTssRequestId, newUuid } from "../ids.ts"
import { keyShareHolderGroup, mpcVault, orgInfo, tssRequest } from "../shapes.ts"
import type {
  CurveType,
  HolderGroup,
  Organisation,
  ShareKey,
  ShareSignRequest,
  SignRequest,
  TssRequest,
  TssRequestType,
  Vault,
  WaasTask,
} from "../store/model.ts"
import type { StoreWrite } from "../store/store.ts"
import { batchesOf } from "./payloads.ts"
import type { Documents } from "./ports.ts"
import { curveNameOf } from "./requests.ts"

const ALGORITHM = { 1: "ecdsa", 2: "eddsa", 3: "bip340" } as const

/** Messages per task: beyond this a signing session gains nothing by growing (threshold.md 5.10). */
const BATCH = 32

export interface Making {
  readonly documents: Documents
  readonly now: Clock
  readonly online: (nodeId: string) => boolean
  readonly organisation: Organisation
  readonly organisationName: string
}

export interface TssWish {
  readonly vault: Vault
  readonly group: HolderGroup
  /** The curves on which a KeyGen makes keys. */
  readonly curves: readonly CurveType[]
  /** What a reshare starts from; undefined for a KeyGen. */
  readonly from: ReshareFrom | undefined
  readonly description: string
  readonly deadlineMs: number
}

export interface ReshareFrom {
  readonly type: Exclude<TssRequestType, "KeyGen">
  readonly group: HolderGroup
  readonly dealers: readonly string[]
  /** The keys of `group` that are dealt again. */
  readonly shareGroups: HolderGroup["shareGroups"]
}

export interface SignWish {
  readonly vault: Vault
  readonly group: HolderGroup
  readonly requestId: string
  readonly fingerprint: string
  readonly curve: CurveType
  readonly signatureType: SignatureType
  /** The signers. If they are more than the threshold, any of them may sign, and each attempt chooses among them. */
  readonly nodeIds: readonly string[]
  readonly messages: readonly SignMessage[]
  /** The payloads to which messages refer by their index. With any, the tasks are of version 2 or 3. */
  readonly payloads: readonly TaskPayload[]
  readonly extraInfo: Readonly<Record<string, unknown>>
  readonly description: string
  readonly deadlineMs: number
  /** The id of the request, where a record in `beside` refers to it; absent: a new one. */
  readonly signRequestId?: string
  /** Records that are committed together with the request. */
  readonly beside?: readonly StoreWrite[]
}

/**
 * A request's first task has the request's own id, further ones the same with -2, -3 appended. So a search for that one id finds the
 * request in API answers, events, callback requests and the logs of WaaS and nodes.
 */
const taskIdOf = (requestId: string, index: number): string => (index === 0 ? requestId : `${requestId}-${index + 1}`)

/** A key generation or reshare: one task per curve, for all nodes of the target group and, in a reshare, the dealers. Throws 2006. */
export async function makeTssRequest(
  wish: TssWish,
  by: Making,
): Promise<{ readonly request: TssRequest; readonly tasks: readonly WaasTask[] }> {
  const { vault, group, from } = wish
  const nowMs = by.now()
  const tssRequestId = newTssRequestId(nowMs)
  const parts =
    from === undefined
      ? wish.curves.map((curve) => keyGenPart(curve, group))
      : from.shareGroups.map((shareGroup) => resharePart(group, from, shareGroup))
  const request: TssRequest = {
    tssRequestId,
    vaultId: vault.vaultId,
    type: from?.type ?? "KeyGen",
    ...(from && { source: { groupId: from.group.groupId, nodeIds: from.dealers } }),
    targetGroupId: group.groupId,
    status: "PendingKeyHolderConfirmation",
    description: wish.description,
    taskIds: parts.map((_, index) => taskIdOf(tssRequestId, index)),
    code: "",
    reason: "",
    createdMs: nowMs,
    updatedMs: nowMs,
  }
  const extraInfo = {
    org: orgInfo(by.organisation, by.organisationName),
    vault: mpcVault(vault),
    ...(from && { source_key_share_holder_group: keyShareHolderGroup(from.group, by.online) }),
    target_key_share_holder_group: keyShareHolderGroup(group, by.online),
    tss_request: tssRequest(request),
  }
  const making = parts.map(({ part, nodeIds }, index): Promise<WaasTask> => {
    const task = {
      version: 1 as const,
      task_id: taskIdOf(tssRequestId, index),
      biz_task_id: tssRequestId,
      created_ms: nowMs,
      deadline_ms: wish.deadlineMs,
      extra_info: extraInfo,
      ...part,
    }
    return taskRecord(task, { kind: "tss", id: tssRequestId }, nodeIds, by)
  })
  return { request, tasks: await Promise.all(making) }
}

/** The part of a set-up task that depends on its key, and the nodes that take part. */
interface TssPart<T> {
  readonly part: Omit<T, "version" | "task_id" | "biz_task_id" | "created_ms" | "deadline_ms" | "extra_info">
  readonly nodeIds: readonly string[]
}

function keyGenPart(curve: CurveType, { threshold, holders }: HolderGroup): TssPart<KeyGenTask> {
  const nodeIds = holders.map(({ nodeId }) => nodeId)
  const key = { group_id: newShareGroupId(), curve: curveNameOf(curve), threshold }
  return { part: { type: "KeyGen", ...key, node_ids: nodeIds }, nodeIds }
}

/** A request of type KeyReshare replaces the epoch of the key's group; one of the other types makes another group of the same key. */
function resharePart(
  target: HolderGroup,
  from: ReshareFrom,
  { shareGroupId, rootPubkey, curve }: HolderGroup["shareGroups"][number],
): TssPart<KeyReshareTask> {
  const replaces = from.type === "KeyReshare"
  const newNodeIds = target.holders.map(({ nodeId }) => nodeId)
  return {
    part: {
      type: "KeyReshare",
      mode: replaces ? "replace" : "extend",
      old_group_id: shareGroupId,
      new_group_id: replaces ? shareGroupId : newShareGroupId(),
      root_pub_key: rootPubkey,
      curve: curveNameOf(curve),
      old_threshold: from.group.threshold,
      used_node_ids: from.dealers,
      new_threshold: target.threshold,
      new_node_ids: newNodeIds,
    },
    nodeIds: [...new Set([...from.dealers, ...newNodeIds])],
  }
}

/** A signing request: one task for every 32 messages. Throws 30032 if the group has no key on that curve, 2006. */
export async function makeSignRequest(
  wish: SignWish,
  by: Making,
): Promise<{ readonly request: SignRequest; readonly tasks: readonly WaasTask[] }> {
  const { vault, group } = wish
  const nowMs = by.now()
  const shareGroup = group.shareGroups.find(({ curve }) => curve === wish.curve)
  if (shareGroup === undefined) throw new ApiFailure(30032, `the group ${group.groupId} has no key on ${wish.curve}`)
  const batches = batchesOf(wish.messages, wish.payloads, BATCH)
  const signRequestId = wish.signRequestId ?? newUuid()
  const request: SignRequest = {
    signRequestId,
    requestId: wish.requestId,
    fingerprint: wish.fingerprint,
    vaultId: vault.vaultId,
    groupId: group.groupId,
    curve: wish.curve,
    signatureType: wish.signatureType,
    usedNodeIds: wish.nodeIds,
    messages: wish.messages,
    status: "Initializing",
    description: wish.description,
    taskIds: batches.map((_, index) => taskIdOf(signRequestId, index)),
    code: "",
    reason: "",
    createdMs: nowMs,
    updatedMs: nowMs,
  }
  const extraInfo = {
    ...wish.extraInfo,
    org: orgInfo(by.organisation, by.organisationName),
    vault: mpcVault(vault),
    signer_key_share_holder_group: keyShareHolderGroup(group, by.online),
  }
  const hasChoice = wish.nodeIds.length > group.threshold
  const making = batches.map(async ({ messages, payloads }, index): Promise<WaasTask> => {
    const task: KeySignTask = {
      version: hasChoice ? 3 : payloads.length === 0 ? 1 : 2,
      ...(payloads.length > 0 && { payloads }),
      task_id: taskIdOf(signRequestId, index),
      biz_task_id: request.signRequestId,
      created_ms: nowMs,
      deadline_ms: wish.deadlineMs,
      extra_info: extraInfo,
      type: "KeySign",
      group_id: shareGroup.shareGroupId,
      root_pub_key: shareGroup.rootPubkey,
      used_node_ids: wish.nodeIds,
      signature_type: wish.signatureType,
      messages,
    }
    const record = await taskRecord(task, { kind: "sign", id: request.signRequestId }, task.used_node_ids, by)
    return {
      ...record,
      key: { shareGroupId: shareGroup.shareGroupId, algorithm: ALGORITHM[wish.signatureType] },
      vaultId: vault.vaultId,
      asked: {},
      ...(hasChoice && { threshold: group.threshold }),
    }
  })
  return { request, tasks: await Promise.all(making) }
}

export interface ShareSignWish {
  readonly vault: Vault
  readonly group: HolderGroup
  readonly nodeId: string
  readonly message: string
  readonly shareKeys: readonly ShareKey[]
  readonly description: string
  readonly deadlineMs: number
}

/** A check-up of one node's shares of a group: one task, over all its keys. */
export async function makeShareSignRequest(
  wish: ShareSignWish,
  by: Making,
): Promise<{ readonly request: ShareSignRequest; readonly tasks: readonly WaasTask[] }> {
  const { vault, group, nodeId, message, shareKeys } = wish
  const nowMs = by.now()
  const taskId = newUuid()
  const request: ShareSignRequest = {
    shareSignRequestId: taskId,
    vaultId: vault.vaultId,
    groupId: group.groupId,
    nodeId,
    message,
    shareKeys,
    status: "Initializing",
    description: wish.description,
    taskIds: [taskId],
    code: "",
    reason: "",
    createdMs: nowMs,
    updatedMs: nowMs,
  }
  const task: KeyShareSignTask = {
    version: 1,
    task_id: taskId,
    biz_task_id: request.shareSignRequestId,
    created_ms: nowMs,
    deadline_ms: wish.deadlineMs,
    extra_info: {
      org: orgInfo(by.organisation, by.organisationName),
      vault: mpcVault(vault),
      target_key_share_holder_group: keyShareHolderGroup(group, by.online),
    },
    type: "KeyShareSign",
    node_id: nodeId,
    details: shareKeys.map(({ shareGroupId }) => ({ group_id: shareGroupId, message })),
  }
  const record = await taskRecord(task, { kind: "shareSign", id: request.shareSignRequestId }, [nodeId], by)
  return { request, tasks: [{ ...record, shareKeys }] }
}

async function taskRecord(
  task: Task,
  request: WaasTask["request"],
  nodeIds: readonly string[],
  { documents, now }: Making,
): Promise<WaasTask> {
  const { document, signature } = await signed(task, documents)
  return {
    taskId: task.task_id,
    request,
    type: task.type,
    document,
    signature,
    digest: taskDigest(document),
    nodeIds,
    ...(task.version === 1 ? {} : { taskVersion: task.version }),
    createdMs: task.created_ms,
    deadlineMs: task.deadline_ms,
    state: "approving",
    attempt: 0,
    attemptMs: now(),
    code: "",
    reason: "",
    outcome: undefined,
    reports: {},
  }
}

/** Throws 2006 for a task that nodes would refuse: what WaaS itself puts into it always fits, so the caller's part is the cause. */
async function signed(task: Task, documents: Documents): Promise<SignedDocument> {
  try {
    return await documents.task(task)
  } catch (error) {
    if (isCode(error, "E-LNK-020")) throw new ApiFailure(2006, `nodes would refuse it: ${error.data.problem}`)
    throw error
  }
}
