/**
 * Certificates that reach a node outside a session: the acks that it lacked, the news of an epoch made without it, or the parent of its own
 * epoch. Each certificate proves itself, so it does not matter who passed it on (threshold.md 6.4).
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

/** The public part of an outcome, which its acks must still prove; undefined if it is not an answer to the task. */
export const madeBy = (task: SetUpTask, attempt: number, outcome: GroupOutcome): MadeEpoch | undefined =>
  task.type === "KeyGen" ? generationOf(task, attempt, outcome) : successionOf(task, attempt, outcome)

/** Activates the epoch of a certified outcome and returns its record; undefined if it was known, or if the certificate proves nothing. */
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
    // Between two prepared first keys rank does not decide; kinds.ts does (`certified`).
    const isPromisedKey = own.mode === "keygen" && own.status === "PREPARED"
    const isNews = own.certificate === undefined && !isPromisedKey && verifyCertificate(own, acks)
    return isNews ? groups.activate(own.groupId, own.epochId, acks) : undefined
  }
  // No honest node acks an epoch dated more than a day ahead: it would outrank all epochs made until then.
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

/** The record that a known epoch proves: a certified epoch proves its successor; a certified or prepared one proves its parent. */
function provenBy(known: GroupPublic, made: MadeEpoch): GroupPublic | undefined {
  const isCertified = known.certificate !== undefined
  const next = isCertified ? successorOf(known, made) : undefined
  return next ?? (isCertified || known.status === "PREPARED" ? ancestorOf(known, made) : undefined)
}

/** Erases and logs the shares of older epochs of the group. The caller has seen the epoch sign. */
export function retireBefore(group: GroupPublic, ports: TaskPorts): void {
  sayErased(ports.groups.retire(group.groupId, group.epochId), ports)
}

/** Logs the erased epochs of which this node was a member. */
export function sayErased(records: readonly GroupPublic[], ports: Pick<TaskPorts, "self" | "log">): void {
  for (const erased of records) {
    if (memberOf(erased, ports.self) === undefined) continue
    ports.log.info("erased the share of a superseded epoch", {
      group: erased.groupId,
      epoch: toHex(erased.epochId),
    })
  }
}
