/** Converts between frames and the engine's records: frames to send, reports that came, and the receivers of an envelope. */

import { fromHex } from "../../bytes.ts"
import { CosignerError } from "../../errors.ts"
import { parseParty } from "../../keys/party.ts"
import type { FromNode, GroupOutcome, Report, SignedDocument, ToNode } from "../../wire/frames.ts"
import { nodeIdOf } from "../../wire/nodeId.ts"
import { decodeTask } from "../../wire/task.ts"
import type { NodeReport, WaasTask } from "../store/model.ts"
import { attemptOf, type Judgement, judge, judgeShares, outcomeDigest } from "./outcome.ts"
import type { Documents } from "./ports.ts"
import { isFinal, type OutgoingFrame } from "./progress.ts"
import { signersOf } from "./quorum.ts"

export type EnvelopeFrame = Extract<FromNode, { kind: "envelope" }>

/** The frame to send, as a promise where the signing key is elsewhere; undefined for a certificate that the task does not have. */
export function frameOf(
  task: WaasTask,
  send: OutgoingFrame,
  documents: Documents,
): ToNode | undefined | Promise<ToNode> {
  const { taskId, digest } = task
  switch (send.kind) {
    case "task":
      return { kind: "task", task: { document: task.document, signature: task.signature } }
    case "start":
      return framed(
        documents.start({ task_id: taskId, digest, attempt: task.attempt, ...(task.terms && { terms: task.terms }) }),
        (start) => ({ kind: "start", start }),
      )
    case "cancel":
      return framed(documents.cancel({ task_id: taskId, digest, reason: send.reason }), (cancel) => ({
        kind: "cancel",
        cancel,
      }))
    case "approval":
      return { kind: "approval", taskId, signed: send.signed }
    case "outcomeStored":
      return { kind: "outcomeStored", taskId }
    case "certificate": {
      if (task.outcome?.type !== "group") return undefined
      if (task.type === "KeyReshare" || !task.nodeIds.includes(send.to)) return succession(task, task.outcome)
      return { kind: "certificate", taskId, acks: task.outcome.certificate.flatMap((ack) => fromHex(ack) ?? []) }
    }
  }
}

const framed = (
  signed: SignedDocument | Promise<SignedDocument>,
  frame: (signed: SignedDocument) => ToNode,
): ToNode | Promise<ToNode> => (signed instanceof Promise ? signed.then(frame) : frame(signed))

/** Everything that a node needs to verify a set-up, whether or not it took part in it. */
function succession(task: WaasTask, outcome: GroupOutcome): ToNode | undefined {
  const asked = decodeTask(task.document)
  if ("problem" in asked || (asked.type !== "KeyReshare" && asked.type !== "KeyGen")) return undefined
  const attempt = attemptOf(asked, outcome, task.attempt)
  if (attempt === undefined) return undefined
  return { kind: "succession", task: { document: task.document, signature: task.signature }, attempt, outcome }
}

/** Judges the outcome of a report (outcome.ts); undefined unless the report is one of success. */
export function judgementOf(task: WaasTask, { status, outcome }: Report): Judgement | undefined {
  if (status !== 190) return undefined
  if (outcome === undefined) return { kind: "refused", problem: "it has no outcome" }
  const asked = decodeTask(task.document)
  if ("problem" in asked)
    throw new CosignerError("E-CLI-001", { what: `our own task ${task.taskId}: ${asked.problem}` })
  if (asked.type === "KeyShareSign") return judgeShares(asked, outcome, task.shareKeys ?? [])
  return judge(asked, outcome, task.attempt)
}

/** The report as it is kept, with its texts cut. `incarnation`: that of the node's database when it reported; 0 is not kept. */
export const nodeReport = (report: Report, judgement: Judgement | undefined, incarnation: number): NodeReport => ({
  status: report.status,
  attempt: report.attempt,
  approved: report.approved,
  code: report.code.slice(0, 64),
  reason: report.reason.slice(0, 1000),
  outcomeDigest: report.outcome === undefined ? "" : outcomeDigest(report.outcome),
  refused: judgement?.kind === "refused",
  ...(incarnation === 0 ? {} : { incarnation }),
})

/** The signers that are to get the envelope. None unless an attempt was begun, the task is open or completed, and the sender signs it. */
export function receiversOf(task: WaasTask | undefined, from: string, { receiver }: EnvelopeFrame): readonly string[] {
  // Signers that have not finished may still need what the first one to finish has sent, so a completed task still relays.
  const runs = task !== undefined && task.attempt > 0 && (!isFinal(task) || task.state === "completed")
  if (!runs || !signersOf(task).includes(from)) return []
  const others = signersOf(task).filter((id) => id !== from)
  if (receiver === undefined) return others
  // A receiver may be written as a node id or as a public key.
  const party = parseParty(receiver)
  const to = party === undefined ? receiver : nodeIdOf(party)
  return others.filter((id) => id === to)
}
