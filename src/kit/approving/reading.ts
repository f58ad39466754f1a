/**
 * A task's document, read by an approver's own program with the decoders of the nodes: what it does in words, the contents of the
 * statement about it, and what had to be taken from WaaS without a check.
 */
import type { SignedStatement } from "../../approvals/approver.ts"
import { readingLines, type StatementSubject } from "../../approvals/statement.ts"
import type { Bytes } from "../../bytes.ts"
import { CosignerError } from "../../errors.ts"
import {
  type IntentSettings,
  type Intents,
  intentKeyOf,
  isUnread,
  NO_INTENTS,
  readIntents,
} from "../../tasks/intents.ts"
import { subjectOf } from "../../tasks/subject.ts"
import { decodeTask, type Task, taskDigest } from "../../wire/task.ts"
import type { WaitingTask } from "./desk.ts"

/** A task as WaaS gives it out. */
export interface HandedOut {
  readonly requestId: string
  readonly document: Bytes
  /** Of the share that would sign, hex. */
  readonly epoch: string | undefined
  readonly awaited: string
  readonly signed: readonly SignedStatement[]
}

/** What the approver's program itself knows that matters for reading. */
interface ReaderKnowledge {
  readonly settings: IntentSettings
  /** Root extended public keys that it accepts; empty where it names none. */
  readonly roots: readonly string[]
}

/** Throws E-CLI-032 if it is not a task, or has a root key other than the known ones. */
export async function readHandedOut(given: HandedOut, knowledge: ReaderKnowledge): Promise<WaitingTask> {
  const { requestId, document, epoch, awaited, signed } = given
  const task = decodeTask(document)
  if ("problem" in task) throw amiss(`the task of request ${requestId} is none: ${task.problem}`)
  const { settings, roots } = knowledge
  if (task.type === "KeySign" && roots.length > 0 && !roots.includes(task.root_pub_key))
    throw amiss(`task ${task.task_id} signs with ${task.root_pub_key}, which the profile does not name`)
  const intents =
    task.type === "KeySign" ? await readIntents(task, intentKeyOf(task.root_pub_key), settings) : NO_INTENTS
  const problem = isUnread(intents) ? oneLine(`${intents.code} ${intents.message} (at ${intents.at})`) : undefined
  const read = isUnread(intents) ? NO_INTENTS : intents
  const subject = subjectOf(task, taskDigest(document), epoch, read)
  return {
    requestId,
    task,
    awaited: oneLine(awaited),
    signed,
    subject,
    words: wordsOf(task, subject, read),
    unverified: unverifiedOf(task, roots),
    problem,
  }
}

const amiss = (what: string): CosignerError => new CosignerError("E-CLI-032", { what })

/** Text of WaaS or of a payload, shown beside what is signed: it must not look like a line of its own. */
const oneLine = (text: string): string => readingLines([text]).join("")

/** The lines of the statement, but with the names of this program's own file, and with notes. */
function wordsOf(task: Task, subject: StatementSubject, intents: Intents): readonly string[] {
  if (task.type !== "KeySign") return subject.reading
  const blind = task.messages.filter((_, i) => !intents.some(({ messages }) => messages.includes(i)))
  const unread = subjectOf({ ...task, messages: blind }, subject.document, subject.epoch, NO_INTENTS)
  return readingLines([...intents.flatMap(({ text }) => text), ...unread.reading])
}

/** Contents of the task that no reading covers. */
function unverifiedOf(task: Task, roots: readonly string[]): readonly string[] {
  if (task.type !== "KeySign") return ["who runs the nodes: compare each id with `cosigner info` on its host"]
  const isNamed = roots.length > 0
  const hasMore = Object.keys(task.extra_info).length > 0
  return [
    ...(isNamed ? [] : ["whose key it is: the profile names no roots; `cosigner info group` on a node shows them"]),
    ...(hasMore ? ["what WaaS says beside the payload (extra_info); it is not shown"] : []),
  ]
}
