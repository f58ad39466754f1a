/**
 * Certificates of reshares that reach a node from outside a session: the acks that it lacked, or the news that a group went
 * on without it. Each proves itself; which node handed it on does not matter (tss.md 6.4).
 */
import { equal, fromHex, toHex } from "../bytes.ts"
import { type GroupPublic, memberOf } from "../keys/group.ts"
import { verifyCertificate } from "../mpc/dkg/certificate.ts"
import { successorOf } from "../mpc/reshare/succession.ts"
import type { GroupOutcome } from "../wire/frames.ts"
import type { KeyReshareTask } from "../wire/task.ts"
import { successionOf } from "./keyreshare.ts"
import type { TaskPorts } from "./ports.ts"

/** The epoch as this node has it now; undefined if it knew that already or the certificate proves nothing to it. */
export function succeed(
  task: KeyReshareTask,
  attempt: number,
  outcome: GroupOutcome,
  ports: TaskPorts,
): GroupPublic | undefined {
  const acks = outcome.certificate.flatMap((ack) => fromHex(ack) ?? [])
  const epochId = fromHex(outcome.epoch_id) ?? new Uint8Array(0)
  const known = ports.groups.list().filter((group) => group.groupId === task.new_group_id)
  const own = known.find((group) => equal(group.epochId, epochId))
  if (own !== undefined) {
    const isNews = own.certificate === undefined && verifyCertificate(own, acks)
    return isNews ? ports.groups.activate(own.groupId, own.epochId, acks) : undefined
  }
  for (const old of known.filter((group) => group.certificate !== undefined)) {
    const succession = successionOf(task, attempt, outcome, old)
    const next = succession && successorOf(old, succession)
    if (next === undefined || !equal(next.epochId, epochId)) continue
    ports.groups.acknowledge(next)
    return ports.groups.activate(next.groupId, next.epochId, acks)
  }
  return undefined
}

/** Under an epoch whose use this node has seen, older shares of the group are erased, and it is said. */
export function retireBefore(group: GroupPublic, ports: TaskPorts): void {
  sayErased(ports.groups.retire(group.groupId, group.epochId), ports)
}

export function sayErased(records: readonly GroupPublic[], ports: Pick<TaskPorts, "self" | "log">): void {
  for (const erased of records) {
    if (memberOf(erased, ports.self) === undefined) continue
    ports.log.info("erased the share of an epoch that is over", {
      group: erased.groupId,
      epoch: toHex(erased.epochId),
    })
  }
}
