/** Signs a person's statement about a task, and verifies it before it is sent, so that a statement that nodes would not count is never sent. */
import type { Approver, SignedStatement } from "../../approvals/approver.ts"
import { readSshKeyBlob } from "../../approvals/sshKey.ts"
import { dearmorSshsig } from "../../approvals/sshsig.ts"
import { type ApprovalDecision, type ApprovalStatement, isUnfit, readStatement } from "../../approvals/statement.ts"
import { wordOn } from "../../approvals/word.ts"
import type { Bytes } from "../../bytes.ts"
import { CosignerError } from "../../errors.ts"
import type { People } from "../../policy/people.ts"
import type { SshSigner } from "../../signers/signer.ts"
import { statementFor, type WaitingTask } from "./desk.ts"

const NAMESPACE = "cosigner-approval"

interface OwnWord {
  readonly decision: ApprovalDecision
  readonly approver: string
  readonly signer: SshSigner
  /** Undefined if there is no approvers file; then the signature is checked with the signer's own key. */
  readonly people: People | undefined
  readonly nowMs: number
}

/** Throws E-CLI-049 for a signature that does not count. */
export async function signWord(waiting: WaitingTask, word: OwnWord): Promise<SignedStatement> {
  const { decision, approver, signer, people, nowMs } = word
  const statement = statementFor(waiting, decision, approver, nowMs)
  const blob = await signer.sign(NAMESPACE, statement)
  const key = people === undefined ? { publicKey: signer.publicKey } : { people }
  return counting({ statement, signature: { kind: "ssh", blob } }, waiting, approverOf(approver, key))
}

/** A statement that was signed on another machine. */
interface Elsewhere {
  readonly statement: Bytes
  readonly armored: string
}

/** The key that must have signed: one of the approvers file, or one that its owner names. */
type KnownKey = { readonly people: People } | { readonly publicKey: Bytes }

/** Takes what was signed elsewhere. Throws E-CLI-049 unless it is this decision about this task as it is read here. */
export function takenBack(
  waiting: WaitingTask,
  decision: ApprovalDecision,
  { statement, armored }: Elsewhere,
  key: KnownKey,
): SignedStatement {
  const stated = readStatement(statement)
  if (isUnfit(stated)) throw worthless(`that is no statement: ${stated.problem}`)
  if (stated.decision !== decision) throw worthless(`the statement says ${stated.decision}`)
  const blob = dearmorSshsig(armored)
  if (isUnfit(blob)) throw worthless(`that is no signature of ssh-keygen: ${blob.problem}`)
  return counting({ statement, signature: { kind: "ssh", blob } }, waiting, approverOf(stated.approver, key))
}

const approverOf = (name: string, key: KnownKey): Approver =>
  "people" in key ? namedIn(key.people, name) : ownKeyOf(name, key.publicKey)

const worthless = (why: string): CosignerError => new CosignerError("E-CLI-049", { why })

/** Judges as the nodes do. */
function counting(signed: SignedStatement, { subject }: WaitingTask, approver: Approver): SignedStatement {
  const word = wordOn(signed, subject, new Map([[approver.name, approver]]))
  if (isUnfit(word)) throw worthless(word.problem)
  return signed
}

function namedIn({ approvers }: People, name: string): Approver {
  const found = approvers.get(name)
  if (found === undefined)
    throw new CosignerError("E-CLI-011", { what: `approver ${name}`, known: [...approvers.keys()] })
  return found
}

function ownKeyOf(name: string, publicKey: Bytes): Approver {
  const ssh = readSshKeyBlob(publicKey)
  if (isUnfit(ssh)) throw worthless(`nodes take no such key: ${ssh.problem}`)
  return { name, keys: [{ kind: "ssh", ssh }] }
}

/** A statement that WaaS reports: what it says, and whether the named person signed it, as far as this program can know. */
export interface HeardWord {
  readonly stated: ApprovalStatement
  /** Undefined without an approvers file. */
  readonly isVerified: boolean | undefined
}

/** Leaves out what is not a statement. */
export function heardWords({ signed, subject }: WaitingTask, people: People | undefined): readonly HeardWord[] {
  return signed.flatMap((one) => {
    const stated = readStatement(one.statement)
    if (isUnfit(stated)) return []
    return [{ stated, isVerified: people && !isUnfit(wordOn(one, subject, people.approvers)) }]
  })
}
