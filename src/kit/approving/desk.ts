/**
 * What an approver's own program does with a task, whichever way it signs: the types of a task that waits and of where it comes
 * from, and the statement about it. Nothing here is WaaS's word but what says so.
 */
import { randomBytes } from "node:crypto"
import type { SignedStatement } from "../../approvals/approver.ts"
import { type ApprovalDecision, type StatementSubject, writeStatement } from "../../approvals/statement.ts"
import { type Bytes, toHex } from "../../bytes.ts"
import type { Task } from "../../wire/task.ts"

/** A task that waits for people, as this program read it from its document. */
export interface WaitingTask {
  readonly requestId: string
  readonly task: Task
  readonly subject: StatementSubject
  /** What it does, one line for each effect, with the names of this program's own configuration. */
  readonly words: readonly string[]
  /** What was taken at WaaS's word, and nobody here could check. */
  readonly unverified: readonly string[]
  /** Why its payload cannot be read; such a task can be rejected alone. */
  readonly problem: string | undefined
  /** What nodes wait for, as WaaS says: `the asker, 2 of treasury (ada)`. */
  readonly awaited: string
  /** Signed statements about it that WaaS tells of. */
  readonly signed: readonly SignedStatement[]
}

/** Where tasks come from, and where what is signed goes. */
export interface Desk {
  /** Newest first. */
  readonly waiting: (most: number) => Promise<readonly WaitingTask[]>
  /** The tasks of a request that people have a say in; most have one. Throws E-CLI-052 where there is none. */
  readonly open: (requestId: string) => Promise<readonly WaitingTask[]>
  readonly send: (requestId: string, signed: SignedStatement) => Promise<void>
}

/** A statement counts as long as its task waits, and never longer than this. */
const MOST_SECONDS = 7 * 86_400
const NONCE_BYTES = 16

/** What a person is to sign; its nonce is new. */
export function statementFor(
  { subject, task }: WaitingTask,
  decision: ApprovalDecision,
  approver: string,
  nowMs: number,
): Bytes {
  const notAfter = Math.min(Math.floor(task.deadline_ms / 1000), Math.floor(nowMs / 1000) + MOST_SECONDS)
  return writeStatement({ ...subject, decision, approver, notAfter, nonce: toHex(randomBytes(NONCE_BYTES)) })
}
