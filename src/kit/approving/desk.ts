/**
 * What an approver's own program does with a task, however the person signs: the types of a waiting task and of its source,
 * and the statement about it. Only fields that say so rely on what WaaS states.
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
  /** What was taken from WaaS and could not be checked here. */
  readonly unverified: readonly string[]
  /** Why its payload cannot be read; such a task can only be rejected. */
  readonly problem: string | undefined
  /** What nodes wait for, as WaaS states it: `the asker, 2 of treasury (ada)`. */
  readonly awaited: string
  /** Signed statements about it that WaaS reports. */
  readonly signed: readonly SignedStatement[]
}

/** The source of tasks, and the receiver of what is signed. */
export interface Desk {
  /** Newest first. */
  readonly waiting: (most: number) => Promise<readonly WaitingTask[]>
  /** The tasks of a request that people decide about; most requests have one. Throws E-CLI-052 if there is none. */
  readonly open: (requestId: string) => Promise<readonly WaitingTask[]>
  readonly send: (requestId: string, signed: SignedStatement) => Promise<void>
}

/** A statement is valid as long as its task waits, but never longer than this. */
const MOST_SECONDS = 7 * 86_400
const NONCE_BYTES = 16

/** The statement for a person to sign, with a new nonce. */
export function statementFor(
  { subject, task }: WaitingTask,
  decision: ApprovalDecision,
  approver: string,
  nowMs: number,
): Bytes {
  const notAfter = Math.min(Math.floor(task.deadline_ms / 1000), Math.floor(nowMs / 1000) + MOST_SECONDS)
  return writeStatement({ ...subject, decision, approver, notAfter, nonce: toHex(randomBytes(NONCE_BYTES)) })
}
