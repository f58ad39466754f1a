/**
 * What else changes when tasks of a request take a step: other tasks that end with them, and the records of the request, the group and
 * the vault. All of it goes into one commit.
 */
import { CosignerError } from "../../errors.ts"
import type { HolderGroup, ShareSignRequest, SignRequest, TssRequest, WaasTask } from "../store/model.ts"
import type { StoreWrite, WaasStore } from "../store/store.ts"
import { checkupsMade } from "./checkups.ts"
import { endedBy } from "./ports.ts"
import { cancelled, isFinal, type ProgressStep } from "./progress.ts"
import { shareSignRequestNow, signRequestNow, tssRequestNow, validGroup, vaultWithKeys } from "./requests.ts"
import { followWrites, reshared } from "./reshare.ts"

/** A step of one task, with the record before it: the same object as `record` if frames are only repeated. */
export interface Change extends ProgressStep {
  readonly before: WaasTask
}

interface Consequences {
  /** The given steps, and a step for each task that ends with them. */
  readonly changes: readonly Change[]
  /** What is written besides the tasks. */
  readonly writes: readonly StoreWrite[]
  /** The request's new status, for the log; undefined while it is the same. */
  readonly status: Pick<AnyRequest, "status" | "code" | "reason"> | undefined
}

export type AnyRequest = TssRequest | SignRequest | ShareSignRequest

interface KnownRequests {
  readonly store: WaasStore
  readonly tasksOf: (request: AnyRequest) => Promise<readonly WaasTask[]>
  readonly nowMs: number
}

export async function consequencesOf(
  { kind, id }: WaasTask["request"],
  steps: readonly Change[],
  known: KnownRequests,
): Promise<Consequences> {
  if (kind === "sign") {
    const before = (await known.store.signRequest(id)) ?? missingRecord(id)
    const { tasks, changes } = joined(await known.tasksOf(before), steps)
    const after = signRequestNow(before, tasks, known.nowMs)
    return { changes, writes: [{ put: "signRequest", record: after }], status: statusChange(before, after) }
  }
  if (kind === "shareSign") {
    const before = (await known.store.shareSignRequest(id)) ?? missingRecord(id)
    const { tasks, changes } = joined(await known.tasksOf(before), steps)
    const after = shareSignRequestNow(before, tasks, known.nowMs)
    const writes: readonly StoreWrite[] = [{ put: "shareSignRequest", record: after }, ...changes.flatMap(checkupsMade)]
    return { changes, writes, status: statusChange(before, after) }
  }
  const before = (await known.store.tssRequest(id)) ?? missingRecord(id)
  const { tasks, changes } = joined(await known.tasksOf(before), steps)
  const after = tssRequestNow(before, tasks, known.nowMs)
  const made = await groupsNow(before, after, tasks, changes, known.store)
  return { changes, writes: [{ put: "tssRequest", record: after }, ...made], status: statusChange(before, after) }
}

async function groupsNow(
  before: TssRequest,
  after: TssRequest,
  tasks: readonly WaasTask[],
  changes: readonly Change[],
  store: WaasStore,
): Promise<readonly StoreWrite[]> {
  if (after.type === "KeyGen") {
    return after.status === "Success" && before.status !== "Success" ? keysMade(after, tasks, store) : []
  }
  // A task may be completed by the certificate of one attempt, and then get that of another attempt, which outranks it.
  const isCompleted = ({ before, record }: Change) =>
    record.state === "completed" && (before.state !== "completed" || before.outcome !== record.outcome)
  return changes.some(isCompleted) ? reshared(after, tasks, store) : []
}

function statusChange(before: AnyRequest, { status, code, reason }: AnyRequest) {
  return before.status === status ? undefined : { status, code, reason }
}

/**
 * All tasks of a request after `steps`. A task that ended without completing ends the open ones too, with E-WAA-026, which names it.
 */
function joined(
  tasks: readonly WaasTask[],
  steps: readonly Change[],
): { readonly tasks: readonly WaasTask[]; readonly changes: readonly Change[] } {
  const stepped = new Map(steps.map((step) => [step.record.taskId, step]))
  const after = tasks.map((task) => stepped.get(task.taskId)?.record ?? task)
  const cause = after.find((task) => isFinal(task) && task.state !== "completed")
  if (cause === undefined) return { tasks: after, changes: steps }
  const why = endedBy(new CosignerError("E-WAA-026", { task: cause.taskId }))
  const ended = after.filter((task) => !isFinal(task)).map((before) => ({ before, ...cancelled(before, why) }))
  const byId = new Map(ended.map((step) => [step.record.taskId, step.record]))
  return { tasks: after.map((task) => byId.get(task.taskId) ?? task), changes: [...steps, ...ended] }
}

/** The group becomes Valid, and a main group's keys are the vault's. */
async function keysMade(
  request: TssRequest,
  tasks: readonly WaasTask[],
  store: WaasStore,
): Promise<readonly StoreWrite[]> {
  const before: HolderGroup = (await store.group(request.targetGroupId)) ?? missingRecord(request.targetGroupId)
  const group = validGroup(before, tasks)
  if (group === undefined) throw new CosignerError("E-CLI-001", { what: "a completed key generation has no group" })
  const vault = (await store.vault(request.vaultId)) ?? missingRecord(request.vaultId)
  const news = tasks.flatMap((task) => followWrites(task, task.nodeIds))
  if (group.type !== "MainGroup") return [{ put: "group", record: group }, ...news]
  return [{ put: "group", record: group }, { put: "vault", record: vaultWithKeys(vault, group) }, ...news]
}

/** The request that a task belongs to. */
export async function requestOf(
  { kind, id }: WaasTask["request"],
  store: Pick<WaasStore, "signRequest" | "shareSignRequest" | "tssRequest">,
): Promise<AnyRequest | undefined> {
  if (kind === "sign") return store.signRequest(id)
  return kind === "tss" ? store.tssRequest(id) : store.shareSignRequest(id)
}

/** Throws E-CLI-001, a defect: a record that another one refers to is always written before it or with it. */
export function missingRecord(id: string): never {
  throw new CosignerError("E-CLI-001", { what: `the record ${id} of a task is missing` })
}

export const liveWrite = (record: WaasTask, live: boolean): StoreWrite => ({ put: "task", record, live })

/**
 * Whether a step of a signing task has to be stored: it begins an attempt, brings a signature or an approver's statement, ends the task,
 * or changes for which approvers a node waits, which every replica shows.
 */
export const isDurable = ({ before, record }: Change): boolean =>
  record.attempt !== before.attempt ||
  record.outcome !== before.outcome ||
  record.approvals !== before.approvals ||
  record.awaits !== before.awaits ||
  isFinal(record) !== isFinal(before)
