/**
 * Signed statements on their way from approvers to nodes (approvals.md 5); the code calls one a word. WaaS checks only that a word has the
 * right form and names a task of its own. It knows no approver: each node decides for itself whether a word counts.
 */
import { isDeepStrictEqual } from "node:util"
import { decodeSignedStatement, encodeSignedStatement, type SignedStatement } from "../../approvals/approver.ts"
import { type ApprovalStatement, isUnfit, readStatement } from "../../approvals/statement.ts"
import { type Bytes, copy } from "../../bytes.ts"
import type { Awaits } from "../../wire/frames.ts"
import { LINK_WITH_APPROVALS } from "../../wire/versions.ts"
import { ApiFailure } from "../failure.ts"
import type { WaasTask } from "../store/model.ts"
import { isFinal, type OutgoingFrame, type ProgressStep } from "./progress.ts"
import { hasEnded, wasAsked } from "./quorum.ts"
import type { VersionsOf } from "./versions.ts"

/** How many words with one approver and decision a task keeps: more would only fill the list. */
const MOST_OF_ONE = 8
/** How many words a task keeps. */
const MOST = 128
/** How long all words of a task may be together. */
const MOST_BYTES = 1024 * 1024

const bytesOf = (word: string): Bytes => copy(Buffer.from(word, "base64"))

/** The signed statement as a task keeps it (WaasTask.approvals). */
export const wordOf = (signed: SignedStatement): string => Buffer.from(encodeSignedStatement(signed)).toString("base64")

/** The signed statement of a word; undefined for a text that `wordOf` has not made. */
export function signedIn(word: string): SignedStatement | undefined {
  const signed = decodeSignedStatement(bytesOf(word))
  return isUnfit(signed) ? undefined : signed
}

/** The words of a task in the form that nodes read. */
export const wordsOf = ({ approvals = [] }: Pick<WaasTask, "approvals">): readonly Bytes[] => approvals.map(bytesOf)

const sent = (record: WaasTask, to: string): readonly OutgoingFrame[] =>
  wordsOf(record).map((signed) => ({ kind: "approval", to, signed }))

/** The node waits for words: it is sent those of the task that WaaS has. */
export function awaited(record: WaasTask, nodeId: string, { awaited, epoch }: Awaits): ProgressStep {
  if (isFinal(record) || hasEnded(record.reports[nodeId])) return { record, send: [] }
  const said = { epoch, words: awaited }
  const send = sent(record, nodeId)
  // The node repeats itself, as it does at each connection: nothing has to be stored.
  if (isDeepStrictEqual(record.awaits?.[nodeId], said)) return { record, send }
  return { record: { ...record, awaits: { ...record.awaits, [nodeId]: said } }, send }
}

/** Repeats the words to a node that waits for some; undefined for one that does not. */
export const againTo = (record: WaasTask, nodeId: string): ProgressStep | undefined =>
  record.awaits?.[nodeId] === undefined ? undefined : { record, send: sent(record, nodeId) }

/** Whether the node has the task open, and its release reads words. */
const hears = (record: WaasTask, nodeId: string, versions: VersionsOf): boolean =>
  wasAsked(record, nodeId) && !hasEnded(record.reports[nodeId]) && versions(nodeId).link >= LINK_WITH_APPROVALS

/**
 * The step, with all words for a node that has connected: a rejection may have come while it was away. A node that waits for words says
 * so itself, and gets them then.
 */
export function withWords(step: ProgressStep, nodeId: string, versions: VersionsOf): ProgressStep {
  const { record, send } = step
  const isWaiting = record.awaits?.[nodeId] !== undefined
  if (isFinal(record) || isWaiting || !record.nodeIds.includes(nodeId) || !hears(record, nodeId, versions)) return step
  return { record, send: [...send, ...sent(record, nodeId)] }
}

/** Which of a request's tasks the word names. Throws 2006 if it names none of them, or another document; 60005 if that task has ended. */
export function taskOfWord(
  signed: SignedStatement,
  tasks: readonly WaasTask[],
): { readonly task: WaasTask; readonly statement: ApprovalStatement } {
  const statement = readStatement(signed.statement)
  if (isUnfit(statement)) throw new ApiFailure(2006, `body.statement: ${statement.problem}`)
  const task = tasks.find(({ taskId }) => taskId === statement.task)
  if (task === undefined) throw new ApiFailure(2006, "body.statement: it names no task of this request")
  if (task.digest !== statement.document) throw new ApiFailure(2006, "body.statement: it names another document")
  if (isFinal(task)) throw new ApiFailure(60005, `the task ${task.taskId} has ended: ${task.state}`)
  return { task, statement }
}

/** Keeps the word and sends it to every node that has the task. The same word again changes nothing. Throws 2006, 60005. */
export function approvalAdded(record: WaasTask, signed: SignedStatement, versions: VersionsOf): ProgressStep {
  const { statement } = taskOfWord(signed, [record])
  const word = wordOf(signed)
  const { approvals = [] } = record
  if (approvals.includes(word)) return { record, send: [] }
  const alike = approvals.filter((known) => {
    const { approver, decision } = statementIn(known)
    return approver === statement.approver && decision === statement.decision
  })
  if (alike.length >= MOST_OF_ONE)
    throw new ApiFailure(2006, `the task has ${MOST_OF_ONE} ${statement.decision} statements of ${statement.approver}`)
  const all = [...approvals, word]
  const bytes = all.reduce((sum, one) => sum + (one.length / 4) * 3, 0)
  if (all.length > MOST || bytes > MOST_BYTES)
    throw new ApiFailure(2006, "the task has as many statements as it can keep")
  const to = record.nodeIds.filter((id) => hears(record, id, versions))
  return {
    record: { ...record, approvals: all },
    send: to.map((id) => ({ kind: "approval", to: id, signed: bytesOf(word) })),
  }
}

function statementIn(word: string): Pick<ApprovalStatement, "approver" | "decision"> {
  const signed = signedIn(word)
  const statement = signed && readStatement(signed.statement)
  if (statement === undefined || isUnfit(statement)) throw new TypeError("a word was kept that is none")
  return statement
}
