/**
 * Reshares as WaaS sees them: which groups one may go from and to, who deals, and how the records of groups change with each curve that
 * completes. Each curve has its own task and certificate, so keys move one by one. If one of two has moved and the other has not, the
 * records say so, and the same request made again moves the rest.
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
  /** The nodes that deal; undefined lets WaaS choose as many as the threshold, online ones first. */
  readonly dealers: readonly string[] | undefined
  /** Whether a node may hold shares in several groups of the vault after this. */
  readonly allowSharedNodes: boolean
}

/**
 * Checks a reshare to `target` and chooses its dealers; `others` are all groups of the vault. Throws 2028 for a source that is not among
 * them, 2029 for groups that do not fit the type, 2006 for nodes that do not fit, 30032 if there are no dealers with a common version.
 */
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
 * Throws 2006 if a node of the target holds shares in another group of the vault: with two shares of one key at one node, the groups are
 * no longer independent of each other (formats.md 8). Groups that end with the request do not count.
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
 * The writes that follow from the completed tasks of a request, of which `tasks` are all: changed groups, and the nodes that follow the
 * share groups. A certificate may come long after its request was given up, and after later requests: for each key the epoch of the
 * highest rank counts, as it does on the nodes.
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
  // A main group that was given up may get its keys after another one took its place: it does not become the main group again.
  const isTaken = after.type === "MainGroup" && after.status === "Unavailable" && [...groups.values()].some(isValidMain)
  if (isDone && after.status !== "Valid" && !isTaken) {
    groups.set(target.groupId, { ...after, status: "Valid" })
    if (request.type === "Recovery") endOtherMains(groups, target.groupId)
  }
  const changed = [...groups.values()].filter((group) => group !== before.get(group.groupId))
  const news = completed.flatMap((task) => followWrites(task, concerned(task, source)))
  return [...changed.map((record): StoreWrite => ({ put: "group", record })), ...news]
}

/** Writes that make these nodes follow the share group of a completed set-up: they are sent its certificates from then on. */
export function followWrites({ taskId, type, outcome }: WaasTask, nodeIds: readonly string[]): readonly StoreWrite[] {
  if (outcome?.type !== "group" || (type !== "KeyGen" && type !== "KeyReshare")) return []
  const shareGroupId = outcome.group_id
  return nodeIds.map((nodeId) => ({ put: "succession", nodeId, taskId, type, shareGroupId }))
}

/**
 * Writes that make the participants of a reshare follow its share group from the start: if the reshare comes to nothing, they may hold a
 * prepared epoch, and must learn which epoch was certified instead.
 */
export function followWritesAtStart({ taskId, document, nodeIds }: WaasTask): readonly StoreWrite[] {
  const asked = decodeTask(document)
  if (!("mode" in asked) || asked.mode !== "replace") return []
  const shareGroupId = asked.new_group_id
  return nodeIds.map((nodeId) => ({ put: "succession", nodeId, taskId, type: "KeyReshare", shareGroupId }))
}

/** Moves the key that the task made to the target group. The group that had it becomes Unavailable with its last key. */
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
  // Two requests extended the same key to this target: both share groups exist at their nodes, and the target has the later one.
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

/** Whether epoch `a` has the higher rank: the order in which nodes rank the epochs of a group. */
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
 * The nodes that took part in the reshare, and those whose epoch it ends. Nodes that left the group earlier, or whose epoch was outranked,
 * follow the share group already.
 */
function concerned(task: Pick<WaasTask, "document" | "nodeIds">, source: HolderGroup): readonly string[] {
  const asked = decodeTask(task.document)
  const ends = "mode" in asked && asked.mode === "replace"
  return [...new Set([...task.nodeIds, ...(ends ? source.holders.map(({ nodeId }) => nodeId) : [])])]
}
