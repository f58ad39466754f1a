/** Derives from a request's tasks its status and, once keys are made, the records of its group and vault. */
import type { CurveName } from "../../crypto/curve.ts"
import type { GroupOutcome } from "../../wire/frames.ts"
import { ApiFailure } from "../failure.ts"
import type {
  CurveType,
  HolderGroup,
  RootKey,
  ShareSignRequest,
  SignRequest,
  SignStatus,
  TssRequest,
  TssRequestStatus,
  Vault,
  WaasTask,
} from "../store/model.ts"
import type { WaasStore } from "../store/store.ts"
import type { EndReason } from "./ports.ts"

export const curveTypeOf = (curve: CurveName): CurveType => (curve === "secp256k1" ? "SECP256K1" : "ED25519")
export const curveNameOf = (curve: CurveType): CurveName => (curve === "SECP256K1" ? "secp256k1" : "ed25519")

/** The request with the status and reason that follow from `tasks`, which are all of its tasks. */
export function tssRequestNow(request: TssRequest, tasks: readonly WaasTask[], nowMs: number): TssRequest {
  return { ...request, status: tssStatus(tasks), ...reasonOf(tasks), updatedMs: nowMs }
}

export function signRequestNow(request: SignRequest, tasks: readonly WaasTask[], nowMs: number): SignRequest {
  return { ...request, status: signStatus(tasks), ...reasonOf(tasks), updatedMs: nowMs }
}

export function shareSignRequestNow(
  request: ShareSignRequest,
  tasks: readonly WaasTask[],
  nowMs: number,
): ShareSignRequest {
  return { ...request, status: signStatus(tasks), ...reasonOf(tasks), updatedMs: nowMs }
}

export const isOpen = (status: TssRequestStatus | SignStatus): boolean =>
  status === "PendingKeyHolderConfirmation" ||
  status === "MPCProcessing" ||
  status === "KeyGenerating" ||
  status === "Initializing" ||
  status === "Approving" ||
  status === "Processing"

function tssStatus(tasks: readonly WaasTask[]): TssRequestStatus {
  // A task that failed before its first attempt did not get the approval of all its nodes.
  const unconfirmed = tasks.some(({ state, attempt }) => state === "rejected" || (state === "failed" && attempt === 0))
  if (unconfirmed) return "KeyHolderConfirmationFailed"
  if (tasks.some(({ state }) => state === "failed" || state === "cancelled")) return "KeyGeneratingFailed"
  if (tasks.every(({ state }) => state === "completed")) return "Success"
  if (tasks.every(({ state }) => state !== "approving")) return "KeyGenerating"
  return tasks.every(allHeard) ? "MPCProcessing" : "PendingKeyHolderConfirmation"
}

function signStatus(tasks: readonly WaasTask[]): SignStatus {
  if (tasks.some(({ state }) => state === "rejected")) return "Declined"
  if (tasks.some(({ state }) => state === "failed")) return "Failed"
  if (tasks.some(({ state }) => state === "cancelled")) return "Canceled"
  if (tasks.every(({ state }) => state === "completed")) return "Completed"
  if (tasks.every(({ state }) => state !== "approving")) return "Processing"
  return tasks.every((task) => allHeard(task) || waitsForPeople(task)) ? "Approving" : "Initializing"
}

const waitsForPeople = ({ awaits = {} }: WaasTask): boolean => Object.keys(awaits).length > 0

/** Whether every participant has reported on the task, and so has it. */
const allHeard = ({ nodeIds, reports }: WaasTask): boolean => nodeIds.every((id) => reports[id] !== undefined)

/** The reason of the task that ended the request. A task that was cancelled may have been cancelled because of it, so it comes last. */
function reasonOf(tasks: readonly WaasTask[]): EndReason {
  const cause =
    tasks.find(({ state }) => state === "rejected") ??
    tasks.find(({ state }) => state === "failed") ??
    tasks.find(({ state }) => state === "cancelled")
  return { code: cause?.code ?? "", reason: cause?.reason ?? "" }
}

/** The group, Valid and with the keys that `tasks` made; undefined if one of them has not made one. */
export function validGroup(group: HolderGroup, tasks: readonly WaasTask[]): HolderGroup | undefined {
  const outcomes = tasks.flatMap(({ outcome }): readonly GroupOutcome[] => (outcome?.type === "group" ? [outcome] : []))
  if (outcomes.length !== tasks.length) return undefined
  const shareGroups = outcomes.map((outcome) => ({
    shareGroupId: outcome.group_id,
    curve: curveTypeOf(outcome.curve),
    rootPubkey: outcome.root_extended_public_key,
  }))
  return { ...group, status: "Valid", shareGroups }
}

/** The vault with the root keys of its main group. */
export function vaultWithKeys(vault: Vault, main: HolderGroup): Vault {
  const rootKeys = main.shareGroups.map(({ curve, rootPubkey }): RootKey => ({ curve, rootPubkey }))
  return { ...vault, rootKeys }
}

/** The signing request that came under this request_id before. Throws 30001 if that one asked for something else. */
export async function earlierRequest(
  { requestId, fingerprint }: Pick<SignRequest, "requestId" | "fingerprint">,
  live: { requestUnder(requestId: string): SignRequest | undefined },
  store: Pick<WaasStore, "signRequestOf">,
): Promise<SignRequest | undefined> {
  const known = live.requestUnder(requestId) ?? (await store.signRequestOf(requestId))
  if (known === undefined || known.fingerprint === fingerprint) return known
  throw new ApiFailure(30001, `request_id ${requestId} was used for another request`)
}
