/**
 * What differs by task type: the plan, and the certificate that completes the task. And a rule for all types: no peer with too many strikes
 * takes part.
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

/** The plan of a task, or why this node does not take part in it. */
export function planOf(task: Task, ports: TaskPorts): Plan | LonePlan | Refusal {
  const plan = planByType(task, ports)
  if (isRefusal(plan) || plan.kind === "alone" || plan.areCandidates === true) return plan
  const refused = ports.strikes.refused().filter((party) => plan.participants.includes(party))
  const struck = struckOut(refused)
  return struck === undefined ? plan : refusalOf(struck)
}

/** The intents of the task's payloads. Returns no promise for a task without payloads, as most are. */
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
 * The outcome of a task one of whose attempts made a certified epoch; undefined if none did. Such a task is completed, even if a crash came
 * between the certificate and the journal: perhaps no other node holds that certificate.
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

/** Activates a prepared group of the task with acks that this node lacked, durably; undefined if the acks prove nothing. */
export function certified(task: Task, acks: readonly Bytes[], ports: TaskPorts): TaskOutcome | undefined {
  if (task.type !== "KeyGen" && task.type !== "KeyReshare") return undefined
  const groupId = task.type === "KeyGen" ? task.group_id : task.new_group_id
  const ofGroup = ports.groups.list().filter((group) => group.groupId === groupId)
  // The first key of a group is made once. The acks of an abandoned attempt may appear long after another attempt made the key.
  // Epochs of a reshare share one key, so rank decides between them.
  if (task.type === "KeyGen" && ofGroup.some((group) => group.status !== "PREPARED")) return undefined
  const epochs = ofGroup.filter((group) => group.certificate === undefined)
  const proven = epochs.find((group) => verifyCertificate(group, acks))
  return proven && groupOutcome(ports.groups.activate(proven.groupId, proven.epochId, acks))
}
