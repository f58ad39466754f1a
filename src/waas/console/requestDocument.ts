/** Makes the console's document of one request from the records of WaaS. The console's thread adds what its payloads do (intents.ts). */
import { decodeSignedStatement } from "../../approvals/approver.ts"
import { isUnfit, readStatement } from "../../approvals/statement.ts"
import { cut } from "../../panel/schemas.ts"
import { READ } from "../../tasks/report.ts"
import { wordsOf } from "../engine/approvals.ts"
import { awaitedText } from "../engine/awaited.ts"
import { isRefusal } from "../engine/causes.ts"
import { isFinal } from "../engine/progress.ts"
import { hasEnded, signersOf, wasAsked } from "../engine/quorum.ts"
import { isOpen } from "../engine/requests.ts"
import type {
  HolderGroup,
  NodeReport,
  ShareSignRequest,
  SignRequest,
  TssRequest,
  WaasTask,
  WalletTransaction,
} from "../store/model.ts"
import type { ConsoleRequest } from "./documents.ts"

export type KindedRequest =
  | { readonly kind: "sign"; readonly request: SignRequest }
  | { readonly kind: "tss"; readonly request: TssRequest }
  | { readonly kind: "shareSign"; readonly request: ShareSignRequest }

interface RequestParts {
  readonly kinded: KindedRequest
  readonly tasks: readonly WaasTask[]
  readonly vaultName: string
  readonly group: HolderGroup | undefined
  readonly transaction: WalletTransaction | undefined
  readonly waitingFor: readonly string[]
}

const ALGORITHM = { 1: "ECDSA", 2: "EdDSA", 3: "BIP-340" } as const
const PATHS = 3
const MOST_PEOPLE = 20
/** The longest text of a caller or node in a document; documents must stay small. */
const MOST_WORDS = 512

export function requestDocument(parts: RequestParts): ConsoleRequest {
  const { kinded, tasks, vaultName, group, transaction, waitingFor } = parts
  const { request } = kinded
  const messages = kinded.kind === "sign" ? kinded.request.messages : []
  const names = new Map(group?.holders.map(({ nodeId, name }) => [nodeId, name]))
  return {
    ...identityOf(kinded),
    state: stateOf(request),
    status: request.status,
    vault_id: request.vaultId,
    vault: cut(vaultName, MOST_WORDS),
    description: cut(request.description, MOST_WORDS),
    messages: messages.length,
    paths: messages.slice(0, PATHS).map(({ bip32_path }) => bip32_path),
    intents: [],
    unread: "",
    transaction:
      transaction === undefined
        ? null
        : {
            type: transaction.type,
            chain: transaction.chainId,
            status: transaction.status,
            hash: transaction.transactionHash ?? "",
          },
    tasks: tasks.map((task) => taskOf(task, names)),
    awaits_people: isOpen(request.status) && tasks.some((task) => awaited(task, names).length > 0),
    waiting_for: waitingFor.map((words) => cut(words, MOST_WORDS)),
    code: request.code,
    reason: cut(request.reason, MOST_WORDS),
    created_ms: request.createdMs,
    updated_ms: request.updatedMs,
    deadline_ms: tasks[0]?.deadlineMs ?? null,
  }
}

function identityOf(kinded: KindedRequest): Pick<ConsoleRequest, "id" | "kind" | "what" | "request_id" | "group_id"> {
  switch (kinded.kind) {
    case "sign": {
      const { signRequestId, requestId, groupId, signatureType } = kinded.request
      const what = `KeySign ${ALGORITHM[signatureType]}`
      return { id: signRequestId, kind: "signature", what, request_id: cut(requestId, MOST_WORDS), group_id: groupId }
    }
    case "tss": {
      const { tssRequestId, type, targetGroupId } = kinded.request
      return { id: tssRequestId, kind: "key", what: type, request_id: "", group_id: targetGroupId }
    }
    case "shareSign": {
      const { shareSignRequestId, groupId } = kinded.request
      return { id: shareSignRequestId, kind: "check-up", what: "KeyShareSign", request_id: "", group_id: groupId }
    }
  }
}

/** E-WAA-021: somebody cancelled it. */
const CANCELLED = "E-WAA-021"

function stateOf({ status, code, reason }: KindedRequest["request"]): ConsoleRequest["state"] {
  if (isOpen(status)) return "open"
  switch (status) {
    case "Completed":
    case "Success":
      return "done"
    case "Canceled":
      return "cancelled"
    case "Declined":
      return "refused"
    default:
      if (code === CANCELLED) return "cancelled"
      return isRefusal(code) || isRefusal(/E-[A-Z]+-\d+/.exec(reason)?.[0] ?? "") ? "refused" : "failed"
  }
}

function taskOf(task: WaasTask, names: ReadonlyMap<string, string>): ConsoleRequest["tasks"][number] {
  return {
    task_id: task.taskId,
    state: task.state,
    attempt: task.attempt,
    needed: task.threshold ?? task.nodeIds.length,
    nodes: task.nodeIds.map((nodeId) => {
      const report = task.reports[nodeId]
      const later = task.putOff?.[nodeId]?.code ?? ""
      // An approving node says in this field what it read, for WaaS to compare: that is no reason for people.
      const isShown = report !== undefined && !report.reason.startsWith(READ)
      return {
        node_id: nodeId,
        name: cut(names.get(nodeId) ?? "", MOST_WORDS),
        said: saidBy(task, nodeId, report),
        code: report?.code || later,
        reason: isShown ? cut(report.reason, MOST_WORDS) : "",
      }
    }),
    causes: (task.causes ?? []).map((cause) => cut(cause, MOST_WORDS)),
    awaits: [...awaited(task, names)],
    people: wordsOf(task).slice(-MOST_PEOPLE).flatMap(personOf),
  }
}

/** The statements of people that nodes wait for, each with the nodes that wait for it. */
function awaited(task: WaasTask, names: ReadonlyMap<string, string>): ConsoleRequest["tasks"][number]["awaits"] {
  if (isFinal(task)) return []
  const places = Object.entries(task.awaits ?? {}).map(([nodeId, { words }]) => ({ nodeId, text: awaitedText(words) }))
  return [...Map.groupBy(places, ({ text }) => text)].map(([text, where]) => ({
    text: cut(text, MOST_WORDS),
    nodes: where.map(({ nodeId }) => cut(names.get(nodeId) || nodeId, MOST_WORDS)),
  }))
}

/** The approver and decision of a statement, for display. Only nodes can tell whether the statement counts. */
function personOf(word: Uint8Array): ConsoleRequest["tasks"][number]["people"] {
  const signed = decodeSignedStatement(word)
  const statement = isUnfit(signed) ? signed : readStatement(signed.statement)
  if (isUnfit(statement)) return []
  const { approver, decision, notAfter } = statement
  return [{ approver, decision, not_after_ms: notAfter * 1000 }]
}

function saidBy(task: WaasTask, nodeId: string, report: NodeReport | undefined): SaidWord {
  if (report !== undefined && hasEnded(report)) return ENDED[report.status] ?? "failed"
  if (report?.status === 140 && report.code === "" && signersOf(task).includes(nodeId)) return "signing"
  if (report?.approved === true) return "approved"
  if (task.awaits?.[nodeId] !== undefined) return "awaits people"
  if (task.putOff?.[nodeId] !== undefined) return "later"
  return wasAsked(task, nodeId) ? "asked" : "not asked"
}

type SaidWord = ConsoleRequest["tasks"][number]["nodes"][number]["said"]
const ENDED: Readonly<Record<number, SaidWord>> = { 160: "refused", 170: "failed", 180: "cancelled", 190: "done" }
