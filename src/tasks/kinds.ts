/**
 * What differs by the type of a task: which plan it makes, and which certificate completes it. And what all of them share:
 * nobody takes part who is struck out.
 */
import { type Bytes, equal } from "../bytes.ts"
import { outranks, rootExtendedPublicKey } from "../keys/group.ts"
import { verifyCertificate } from "../mpc/dkg/certificate.ts"
import type { TaskOutcome } from "../wire/frames.ts"
import type { Task } from "../wire/task.ts"
import { hasPayloads, intentKeyOf, NO_INTENTS, readIntents } from "./intents.ts"
import { groupOutcome, keyGenSids, planKeyGen } from "./keygen.ts"
import { keyReshareSids, planKeyReshare } from "./keyreshare.ts"
import { planKeyShareSign } from "./keyshareSign.ts"
import { planKeySign } from "./keysign.ts"
import { isRefusal, type LonePlan, type Plan, type Refusal, refusalOf } from "./plan.ts"
import type { TaskPorts } from "./ports.ts"
import { struckOut } from "./signable.ts"

/** The plan of a task, or why this node does not begin it. */
export function planOf(task: Task, ports: TaskPorts): Plan | LonePlan | Refusal {
  const plan = planByType(task, ports)
  if (isRefusal(plan) || plan.kind === "alone" || plan.areCandidates === true) return plan
  const refused = ports.strikes.refused().filter((party) => plan.participants.includes(party))
  const struck = struckOut(refused)
  return struck === undefined ? plan : refusalOf(struck)
}

/** What the task's payloads do. At once for the tasks that have none, which are most. */
export const intentsFor = (task: Task, plan: Plan | LonePlan, ports: TaskPorts) =>
  plan.group !== undefined && hasPayloads(task, ports.intents)
    ? readIntents(task, intentKeyOf(rootExtendedPublicKey(plan.group)), ports.intents)
    : NO_INTENTS

function planByType(task: Task, ports: TaskPorts): Plan | LonePlan | Refusal {
  switch (task.type) {
    case "KeyGen":
      return planKeyGen(task, ports)
    case "KeySign":
      return planKeySign(task, ports)
    case "KeyReshare":
      return planKeyReshare(task, ports)
    case "KeyShareSign":
      return planKeyShareSign(task, ports)
  }
}

/**
 * What a certified epoch of one of the task's attempts is as an outcome. Where there is one the task is done, whatever came
 * between its certificate and the journal: nobody else may hold that certificate.
 */
export function madeOutcome(task: Task, ports: TaskPorts): TaskOutcome | undefined {
  if (task.type !== "KeyGen" && task.type !== "KeyReshare") return undefined
  const attempts = ports.journal.get(task.task_id)?.attempt ?? 0
  const sids = task.type === "KeyGen" ? keyGenSids(task, attempts) : keyReshareSids(task, attempts)
  const made = ports.groups
    .list()
    .filter(({ certificate, sid }) => certificate !== undefined && sids.some((own) => equal(own, sid)))
  const [first, ...others] = made
  return first && groupOutcome(others.reduce((best, epoch) => (outranks(epoch, best) ? epoch : best), first))
}

/** The group of a certificate that this node had promised and lacked the acks of; undefined if the acks prove nothing. */
export function certified(task: Task, acks: readonly Bytes[], ports: TaskPorts): TaskOutcome | undefined {
  if (task.type !== "KeyGen" && task.type !== "KeyReshare") return undefined
  const groupId = task.type === "KeyGen" ? task.group_id : task.new_group_id
  const ofGroup = ports.groups.list().filter((group) => group.groupId === groupId)
  // A first key is made once: the acks of an attempt that was given up may come to light long after another one made it.
  // Epochs of a reshare are of one key, and rank decides between them.
  if (task.type === "KeyGen" && ofGroup.some((group) => group.status !== "PREPARED")) return undefined
  const epochs = ofGroup.filter((group) => group.certificate === undefined)
  const proven = epochs.find((group) => verifyCertificate(group, acks))
  return proven && groupOutcome(ports.groups.activate(proven.groupId, proven.epochId, acks))
}
