/**
 * What a reshare is at WaaS: which groups it may go from and to, who deals, and what becomes of groups and vault with each
 * curve that is done. A certificate decides on each curve by itself, so the keys move one by one: while one of two is
 * through and the other not, each is where its nodes have it, and the same request made again does the rest.
 */
import { decodeTask } from "../../wire/task.ts"
import { ApiFailure } from "../failure.ts"
import type { HolderGroup, ShareGroup, TssRequest, TssRequestType, WaasTask } from "../store/model.ts"
import { everyItem } from "../store/pages.ts"
import type { StoreWrite, WaasStore } from "../store/store.ts"
import { type Candidates, chooseSigners } from "./choose.ts"
import type { ReshareFrom } from "./create.ts"
import { curveTypeOf } from "./requests.ts"

export interface ReshareWish {
  readonly type: Exclude<TssRequestType, "KeyGen">
  readonly sourceGroupId: string
  /** Those that deal; undefined lets WaaS choose as many as it takes, online ones first. */
  readonly dealers: readonly string[] | undefined
  /** Whether a node may hold shares in several groups of the vault after this. */
  readonly allowSharedNodes: boolean
}

/** Throws 2006, 2028 and 2029 for what cannot be asked. `others`: all groups of the vault. */
export function reshareFrom(
  wish: ReshareWish,
  target: HolderGroup,
  others: readonly HolderGroup[],
  candidates: Candidates,
): ReshareFrom {
  const source = others.find(({ groupId }) => groupId === wish.sourceGroupId)
  if (source === undefined) throw new ApiFailure(2028, `no key share holder group ${wish.sourceGroupId} in this vault`)
  if (source.status !== "Valid") throw new ApiFailure(2029, `the source group is ${source.status}, not Valid`)
  requireFit(wish.type, source, target)
  if (!wish.allowSharedNodes) requireOwnNodes(wish.type, source, target, others)
  const isRefresh = source.groupId === target.groupId
  const shareGroups = source.shareGroups.filter(
    ({ curve }) => isRefresh || !target.shareGroups.some((done) => done.curve === curve),
  )
  if (shareGroups.length === 0) throw new ApiFailure(2029, "the source group has no key that the target group lacks")
  const dealers = wish.dealers === undefined ? chooseSigners(source, candidates) : namedDealers(source, wish.dealers)
  return { type: wish.type, group: source, dealers, shareGroups }
}

function requireFit(type: ReshareWish["type"], source: HolderGroup, target: HolderGroup): void {
  const refuse = (what: string) => new ApiFailure(2029, `${type}: ${what}`)
  const isNew = target.status === "New"
  switch (type) {
    case "KeyGenFromKeyGroup":
      if (source.type !== "MainGroup")
        throw refuse(`the source is a ${source.type}, and only the main group makes others`)
      if (!isNew || target.type === "MainGroup") throw refuse("the target must be a New signing or recovery group")
      return
    case "Recovery":
      if (source.type !== "RecoveryGroup") throw refuse(`the source is a ${source.type}, not a recovery group`)
      if (!isNew || target.type !== "MainGroup") throw refuse("the target must be a New main group")
      return
    case "KeyReshare":
      if (source.groupId === target.groupId) return
      if (!isNew || target.type !== source.type) throw refuse(`the target must be the source, or a New ${source.type}`)
  }
}

/**
 * A node in two groups of a vault holds two shares of one key, and the groups are no longer independent of one another
 * (formats.md 8). Groups that end with the request do not count.
 */
function requireOwnNodes(
  type: ReshareWish["type"],
  source: HolderGroup,
  target: HolderGroup,
  groups: readonly HolderGroup[],
): void {
  const ends = (group: HolderGroup): boolean =>
    (type === "KeyReshare" && group.groupId === source.groupId) || (type === "Recovery" && group.type === "MainGroup")
  for (const group of groups) {
    if (group.groupId === target.groupId || group.status !== "Valid" || ends(group)) continue
    const shared = target.holders.find(({ nodeId }) => group.holders.some((holder) => holder.nodeId === nodeId))
    if (shared === undefined) continue
    throw new ApiFailure(
      2006,
      `${shared.nodeId} holds shares in the ${group.type} ${group.groupId} of this vault; set allow_shared_nodes to mean that`,
    )
  }
}

function namedDealers(source: HolderGroup, nodeIds: readonly string[]): readonly string[] {
  const at = "body.source_key_share_holder_group.tss_node_ids"
  if (new Set(nodeIds).size !== nodeIds.length) throw new ApiFailure(2006, `${at} names a node twice`)
  const stranger = nodeIds.find((id) => !source.holders.some((holder) => holder.nodeId === id))
  if (stranger !== undefined) throw new ApiFailure(2006, `${at}: ${stranger} is not in the source group`)
  if (nodeIds.length < source.threshold)
    throw new ApiFailure(2006, `${at}: it takes at least ${source.threshold} nodes`)
  return nodeIds
}

/**
 * Groups and news as they are with what is completed of the request; `tasks` are all of it. A certificate may come long after
 * its request was given up, and after others that were made since: on each key the one of highest rank counts, as on the nodes.
 */
export async function reshared(
  request: TssRequest,
  tasks: readonly WaasTask[],
  store: WaasStore,
): Promise<readonly StoreWrite[]> {
  const groups = new Map((await groupsOf(store, request.vaultId)).map((group) => [group.groupId, group]))
  const [target, source] = [groups.get(request.targetGroupId), groups.get(request.source?.groupId ?? "")]
  if (target === undefined || source === undefined) return []
  const before = new Map(groups)
  const completed = tasks.filter(({ state }) => state === "completed")
  for (const task of completed) moveKey(groups, target.groupId, task)
  const after = groups.get(target.groupId) ?? target
  const isDone = tasks.every(({ outcome }) =>
    after.shareGroups.some(({ epoch }) => epoch?.epochId === epochIdOf(outcome)),
  )
  // A main group that was given up, and comes to light after another took its place, has its keys and is not the main one.
  const isTaken = after.type === "MainGroup" && after.status === "Unavailable" && [...groups.values()].some(isValidMain)
  if (isDone && after.status !== "Valid" && !isTaken) {
    groups.set(target.groupId, { ...after, status: "Valid" })
    if (request.type === "Recovery") endOtherMains(groups, target.groupId)
  }
  const changed = [...groups.values()].filter((group) => group !== before.get(group.groupId))
  const news = completed.flatMap((task) => told(task, concerned(task, source)))
  return [...changed.map((record): StoreWrite => ({ put: "group", record })), ...news]
}

/** From now on these nodes are told how the share group of that completed set-up goes on. */
export function told({ taskId, type, outcome }: WaasTask, nodeIds: readonly string[]): readonly StoreWrite[] {
  if (outcome?.type !== "group" || (type !== "KeyGen" && type !== "KeyReshare")) return []
  const shareGroupId = outcome.group_id
  return nodeIds.map((nodeId) => ({ put: "succession", nodeId, taskId, type, shareGroupId }))
}

/** The same for the participants of a reshare that has yet to begin: should it come to nothing, they keep what they promised to it. */
export function toBeTold({ taskId, document, nodeIds }: WaasTask): readonly StoreWrite[] {
  const asked = decodeTask(document)
  if (!("mode" in asked) || asked.mode !== "replace") return []
  const shareGroupId = asked.new_group_id
  return nodeIds.map((nodeId) => ({ put: "succession", nodeId, taskId, type: "KeyReshare", shareGroupId }))
}

/** The key that the task made goes to the target, and leaves whichever group had it; that one ends with its last key. */
function moveKey(groups: Map<string, HolderGroup>, targetId: string, { createdMs, outcome }: WaasTask): void {
  if (outcome?.type !== "group") return
  const epoch = { createdMs, epochId: outcome.epoch_id }
  const isIt = ({ shareGroupId }: ShareGroup): boolean => shareGroupId === outcome.group_id
  const holder = [...groups.values()].find(({ shareGroups }) => shareGroups.some(isIt))
  const known = holder?.shareGroups.find(isIt)?.epoch
  if (known !== undefined && !outranks(epoch, known)) return
  if (holder !== undefined && holder.groupId !== targetId) {
    const shareGroups = holder.shareGroups.filter((shareGroup) => !isIt(shareGroup))
    const status = shareGroups.length === 0 ? "Unavailable" : holder.status
    groups.set(holder.groupId, { ...holder, shareGroups, status })
  }
  const target = groups.get(targetId)
  const curve = curveTypeOf(outcome.curve)
  // Two extensions to one target: both groups exist at their nodes, and the target has the later one.
  const other = target?.shareGroups.find((shareGroup) => shareGroup.curve === curve && !isIt(shareGroup))?.epoch
  if (target === undefined || (other !== undefined && outranks(other, epoch))) return
  const made: ShareGroup = {
    shareGroupId: outcome.group_id,
    curve,
    rootPubkey: outcome.root_extended_public_key,
    epoch,
  }
  groups.set(targetId, {
    ...target,
    shareGroups: [...target.shareGroups.filter(({ curve }) => curve !== made.curve), made],
  })
}

/** As the nodes rank epochs of one group. */
export const outranks = (a: ReshareEpoch, b: ReshareEpoch): boolean =>
  a.createdMs !== b.createdMs ? a.createdMs > b.createdMs : a.epochId > b.epochId

type ReshareEpoch = NonNullable<ShareGroup["epoch"]>

const epochIdOf = (outcome: WaasTask["outcome"]): string => (outcome?.type === "group" ? outcome.epoch_id : "none")

const isValidMain = ({ type, status }: HolderGroup): boolean => type === "MainGroup" && status === "Valid"

function endOtherMains(groups: Map<string, HolderGroup>, mainId: string): void {
  for (const group of [...groups.values()].filter(isValidMain)) {
    if (group.groupId !== mainId) groups.set(group.groupId, { ...group, status: "Unavailable" })
  }
}

/** All groups of a vault, newest first. */
export const groupsOf = (store: WaasStore, vaultId: string): Promise<readonly HolderGroup[]> =>
  Array.fromAsync(everyItem((page) => store.groups({ vaultId }, page)))

/**
 * Everybody who promised the epoch, and everybody whose own epoch it ends. Those that left earlier, and those of an epoch that
 * another one outranked, were told of the share group before: they follow it for as long as they hold a share.
 */
function concerned(task: Pick<WaasTask, "document" | "nodeIds">, source: HolderGroup): readonly string[] {
  const asked = decodeTask(task.document)
  const ends = "mode" in asked && asked.mode === "replace"
  return [...new Set([...task.nodeIds, ...(ends ? source.holders.map(({ nodeId }) => nodeId) : [])])]
}
