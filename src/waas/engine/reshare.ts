/**
 * What a reshare is at WaaS: which groups it may go from and to, who deals, and what becomes of groups and vault with each
 * curve that is done. A certificate decides on each curve by itself, so the keys move one by one: while one of two is
 * through and the other not, each is where its nodes have it, and the same request made again does the rest.
 */
import { decodeTask } from "../../wire/task.ts"
import { ApiFailure } from "../failure.ts"
import type { HolderGroup, TaskRecord, TssRequest, TssRequestType } from "../store/model.ts"
import type { Store, Write } from "../store/store.ts"
import { chooseSigners } from "./choose.ts"
import type { ReshareFrom } from "./create.ts"
import { withKeys, withoutCurves } from "./requests.ts"

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
  online: (nodeId: string) => boolean,
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
  const dealers = wish.dealers === undefined ? chooseSigners(source, online) : namedDealers(source, wish.dealers)
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
 * (compat.md 8). Groups that end with the request do not count.
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

/** Groups and news as they are once these tasks of the request are completed; `tasks` are all of the request. */
export async function reshared(
  request: TssRequest,
  tasks: readonly TaskRecord[],
  store: Store,
): Promise<readonly Write[]> {
  const [target, source] = await Promise.all([
    store.group(request.targetGroupId),
    store.group(request.source?.groupId ?? ""),
  ])
  if (target === undefined || source === undefined) return []
  const completed = tasks.filter(({ state }) => state === "completed")
  const outcomes = completed.flatMap(({ outcome }) => (outcome?.type === "group" ? [outcome] : []))
  const replaces = request.type === "KeyReshare"
  const isRefresh = target.groupId === source.groupId
  const withNew = withKeys(target, outcomes)
  const rest = replaces && !isRefresh ? withoutCurves(source, outcomes) : source
  const isDone = completed.length === tasks.length
  const groups: HolderGroup[] = [isDone ? { ...withNew, status: "Valid" } : withNew]
  if (!isRefresh) groups.push(isDone && replaces ? { ...rest, status: "Unavailable" } : rest)
  if (isDone && request.type === "Recovery") {
    const main = await store.groupOf(request.vaultId, "MainGroup", "Valid")
    if (main !== undefined && main.groupId !== target.groupId) groups.push({ ...main, status: "Unavailable" })
  }
  const news = completed.flatMap((task) =>
    toBeTold(task, source).map((nodeId): Write => ({ put: "succession", nodeId, taskId: task.taskId })),
  )
  return [...groups.map((record): Write => ({ put: "group", record })), ...news]
}

/** Everybody who promised the epoch, and everybody whose own epoch it ends. */
function toBeTold(task: TaskRecord, source: HolderGroup): readonly string[] {
  const asked = decodeTask(task.document)
  const ends = "mode" in asked && asked.mode === "replace"
  return [...new Set([...task.nodeIds, ...(ends ? source.holders.map(({ nodeId }) => nodeId) : [])])]
}
