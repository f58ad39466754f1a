/** A waiting task, for people and as JSON: what was read, what could not be verified, who has signed what. */
import { secondsText } from "../../approvals/statement.ts"
import type { WaitingTask } from "../../kit/approving/desk.ts"
import { type HeardWord, heardWords } from "../../kit/approving/sign.ts"
import type { People } from "../../policy/people.ts"

const untilText = ({ task }: WaitingTask): string => secondsText(Math.floor(task.deadline_ms / 1000))

export function shownLines(waiting: WaitingTask, people: People | undefined): readonly string[] {
  const { requestId, task, subject, words, unverified, problem, awaited } = waiting
  return [
    `Request ${requestId}: ${task.type}, task ${subject.task}, until ${untilText(waiting)}`,
    ...(problem === undefined ? words.map((line) => `  ${line}`) : [`  It cannot be read: ${problem}`]),
    ...unverified.map((line) => `  not verified here: ${line}`),
    `  waits, as WaaS says, for ${awaited}`,
    ...heardWords(waiting, people).map((heard) => `  ${heardText(heard)}`),
  ]
}

function heardText({ stated, isVerified }: HeardWord): string {
  const { decision, approver } = stated
  const how = isVerified === undefined ? "as WaaS says" : isVerified ? "verified" : "DOES NOT VERIFY"
  return `${decision} by ${approver} (${how})`
}

export function shownJson(waiting: WaitingTask, people: People | undefined): Readonly<Record<string, unknown>> {
  const { requestId, task, subject, words, unverified, problem, awaited } = waiting
  return {
    request_id: requestId,
    task_id: subject.task,
    type: task.type,
    deadline_ms: task.deadline_ms,
    document_sha256: subject.document,
    intent_hash: subject.intent ?? null,
    group: subject.group ?? null,
    epoch: subject.epoch ?? null,
    text: words,
    reading: subject.reading,
    unverified,
    problem: problem ?? null,
    awaited,
    statements: heardWords(waiting, people).map(({ stated, isVerified }) => ({
      decision: stated.decision,
      approver: stated.approver,
      not_after: secondsText(stated.notAfter),
      verified: isVerified ?? null,
    })),
  }
}
