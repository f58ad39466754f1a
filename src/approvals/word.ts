/**
 * Decides whether a signed statement (here: a word) counts for a task. It must be in the one form and be about exactly this task, group,
 * epoch and reading. The approver that it names must have signed it with the key that this node's own file has for them. It does not
 * matter who carried it.
 */
import { type Approver, problemOfSigned, type SignedStatement } from "./approver.ts"
import { type ApprovalStatement, isUnfit, readStatement, type StatementSubject, type Unfit } from "./statement.ts"

/** A person's signed statement about one task, verified. */
export interface Word {
  readonly statement: ApprovalStatement
  readonly signed: SignedStatement
}

/** A statement may end at most this far ahead. */
const MAX_WORD_SECONDS = 31 * 86_400

/** Makes the cheap comparisons first, so that a statement about something else costs no verification. */
export function wordOn(
  signed: SignedStatement,
  subject: StatementSubject,
  approvers: ReadonlyMap<string, Approver>,
): Word | Unfit {
  const statement = readStatement(signed.statement)
  if (isUnfit(statement)) return statement
  const other = differing(statement, subject)
  if (other !== undefined) return { problem: `it is about another ${other}` }
  const approver = approvers.get(statement.approver)
  if (approver === undefined) return { problem: `this node knows no approver ${statement.approver}` }
  const problem = problemOfSigned(signed.statement, signed.signature, approver, "cosigner-approval")
  return problem === undefined ? { statement, signed } : { problem }
}

function differing(statement: ApprovalStatement, subject: StatementSubject): keyof StatementSubject | undefined {
  for (const field of ["task", "document", "intent", "group", "epoch"] as const) {
    if (statement[field] !== subject[field]) return field
  }
  const { reading } = statement
  const isSame = reading.length === subject.reading.length && reading.every((line, i) => line === subject.reading[i])
  return isSame ? undefined : "reading"
}

/** False if the statement has expired, or ends further ahead than is allowed. */
export const isInTime = ({ statement: { notAfter } }: Word, nowMs: number): boolean =>
  nowMs < notAfter * 1000 && notAfter * 1000 <= nowMs + MAX_WORD_SECONDS * 1000
