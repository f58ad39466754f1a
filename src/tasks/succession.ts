/**
 * Certificates that reach a node from outside a session: the acks that it lacked, the news that a group went on without it, or
 * the epoch that its own was dealt from. Each proves itself; which node handed it on does not matter (threshold.md 6.4).
 */
import { equal, fromHex, toHex } from "../bytes.ts"
import { type GroupPublic, memberOf } from "../keys/group.ts"
import { verifyCertificate } from "../mpc/dkg/certificate.ts"
import { ancestorOf, type MadeEpoch, successorOf } from "../mpc/reshare/succession.ts"
import type { GroupOutcome } from "../wire/frames.ts"
import type { KeyGenTask, KeyReshareTask } from "../wire/task.ts"
import { generationOf } from "./keygen.ts"
import { successionOf } from "./keyreshare.ts"
import { fromTheFuture } from "./plan.ts"
import type { TaskPorts } from "./ports.ts"

type SetUpTask = KeyGenTask | KeyReshareTask

/** What an outcome of the task says in public, to be proven by its acks; undefined where it is no answer to the task. */
export const madeBy = (task: SetUpTask, attempt: number, outcome: GroupOutcome): MadeEpoch | undefined =>
  task.type === "KeyGen" ? generationOf(task, attempt, outcome) : successionOf(task, attempt, outcome)

/** The epoch as this node has it now; undefined if it knew that already or the certificate proves nothing to it. */
export function succeed(
  task: SetUpTask,
  attempt: number,
  outcome: GroupOutcome,
  ports: TaskPorts,
): GroupPublic | undefined {
  const { groups } = ports
  const acks = outcome.certificate.flatMap((ack) => fromHex(ack) ?? [])
  const epochId = fromHex(outcome.epoch_id) ?? new Uint8Array(0)
  const known = groups.list().filter(({ groupId }) => groupId === outcome.group_id)
  const own = known.find((group) => equal(group.epochId, epochId))
  if (own !== undefined) {
    // Which of two first keys that were promised counts, no rank decides; kinds.ts does.
    const isPromisedKey = own.mode === "keygen" && own.status === "PREPARED"
    const isNews = own.certificate === undefined && !isPromisedKey && verifyCertificate(own, acks)
    return isNews ? groups.activate(own.groupId, own.epochId, acks) : undefined
  }
  // No honest node promises what is dated beyond tomorrow: it would outrank all that is made until then.
  const made = fromTheFuture(task, ports.now()) === undefined ? madeBy(task, attempt, outcome) : undefined
  if (made === undefined) return undefined
  for (const other of known) {
    const record = provenBy(other, made)
    if (record === undefined || !equal(record.epochId, epochId)) continue
    groups.acknowledge(record)
    return groups.activate(record.groupId, record.epochId, acks)
  }
  return undefined
}

/** What an epoch on record proves: one that is certified, what came after it; one that is ours at least by promise, what it was dealt from. */
function provenBy(known: GroupPublic, made: MadeEpoch): GroupPublic | undefined {
  const isCertified = known.certificate !== undefined
  const next = isCertified ? successorOf(known, made) : undefined
  return next ?? (isCertified || known.status === "PREPARED" ? ancestorOf(known, made) : undefined)
}

/** Under an epoch whose use this node has seen, older shares of the group are erased, and it is said. */
export function retireBefore(group: GroupPublic, ports: TaskPorts): void {
  sayErased(ports.groups.retire(group.groupId, group.epochId), ports)
}

export function sayErased(records: readonly GroupPublic[], ports: Pick<TaskPorts, "self" | "log">): void {
  for (const erased of records) {
    if (memberOf(erased, ports.self) === undefined) continue
    ports.log.info("erased the share of a superseded epoch", {
      group: erased.groupId,
      epoch: toHex(erased.epochId),
    })
  }
}
