/** KeyGen: a new group on one curve, from nothing (threshold.md 3). */
import { type Bytes, fromHex, toHex } from "../bytes.ts"
import { type CurveName, curveNamed } from "../crypto/curve.ts"
import { CosignerError } from "../errors.ts"
import { decodeExtendedPublicKey } from "../keys/extendedKey.ts"
import type { GroupPublic } from "../keys/group.ts"
import { rootExtendedPublicKey } from "../keys/group.ts"
import type { Member, PartyId } from "../keys/party.ts"
import { shareIdOf } from "../keys/shareId.ts"
import type { Generation } from "../mpc/reshare/succession.ts"
import { SET_UP_SUITES, type SessionResult, type SetUpSuite } from "../mpc/session.ts"
import { type DkgTerms, dkgSid } from "../mpc/sid.ts"
import type { GroupOutcome, TaskOutcome } from "../wire/frames.ts"
import { nodeIdOf, parseNodeId } from "../wire/nodeId.ts"
import type { StartTerms } from "../wire/signed.ts"
import type { KeyGenTask, Task } from "../wire/task.ts"
import { fromTheFuture, type Plan, type Refusal, refuse } from "./plan.ts"
import type { TaskPorts } from "./ports.ts"

export function planKeyGen(task: KeyGenTask, ports: TaskPorts): Plan | Refusal {
  const early = fromTheFuture(task, ports.now())
  if (early !== undefined) return early
  const members = partiesOf(task.node_ids)
  if (!members.includes(ports.self)) return refuse("E-TSK-008", {})
  // The id of a certified group is taken. An uncertified group is an attempt of this node, which may be repeated.
  if (ports.groups.list().some((group) => group.groupId === task.group_id && group.status !== "PREPARED")) {
    return refuse("E-TSK-016", { groupId: task.group_id })
  }
  return {
    groupId: task.group_id,
    group: undefined,
    participants: members,
    kind: "setup",
    ecdsa: false,
    open: ({ attempt, terms }) => ({
      ...termsOf(task, attempt),
      ...setUpSuite(task.curve, terms),
      protocol: "dkg",
      self: ports.self,
    }),
    outcome: (result) => epochOutcome(result, ports),
  }
}

/** Every pair confirms its state before the acks where all participants can. On Ed25519 there are no pairs. */
export const setUpSuite = (curve: CurveName, terms: StartTerms | undefined): { readonly suite?: SetUpSuite } =>
  curve === "secp256k1" && terms !== undefined ? { suite: terms.suite } : {}

const termsOf = (task: KeyGenTask, attempt: number): DkgTerms => ({
  taskId: sessionTaskId(task),
  attempt,
  groupId: task.group_id,
  curve: task.curve,
  threshold: task.threshold,
  members: withShareIds(partiesOf(task.node_ids)),
  createdMs: task.created_ms,
})

/** The session ids of attempts 1 to `attempts`, in every suite. */
export const keyGenSids = (task: KeyGenTask, attempts: number): readonly Bytes[] =>
  inEverySuite(attempts, (attempt) => termsOf(task, attempt)).map(dkgSid)

/** The terms of attempts 1 to `attempts` in every suite that a start may have named. */
export const inEverySuite = <T extends object>(attempts: number, termsOfAttempt: (attempt: number) => T) =>
  Array.from({ length: attempts }, (_, i) => termsOfAttempt(i + 1)).flatMap((terms) =>
    SET_UP_SUITES.map((suite) => ({ ...terms, ...(suite && { suite }) })),
  )

/** Adds the share ids, which are derived from the node ids, so every node can compute all of them (threshold.md 1.2). */
export const withShareIds = (parties: readonly PartyId[]): readonly Member[] =>
  parties.map((party) => ({ party, x: shareIdOf(party) }))

/** The public part of a reported outcome of a key generation; like successionOf in keyreshare.ts. */
export function generationOf(task: KeyGenTask, attempt: number, outcome: GroupOutcome): Generation | undefined {
  const root = decodeRoot(outcome.root_extended_public_key, task.curve)
  const fits =
    outcome.group_id === task.group_id && outcome.curve === task.curve && outcome.threshold === task.threshold
  if (root === undefined || !fits) return undefined
  return { ...root, ...publicSharesOf(outcome), terms: termsOf(task, attempt) }
}

/** The members and acks that an outcome states. An entry that cannot be decoded is left out, so it proves nothing. */
export function publicSharesOf({ participants, certificate }: GroupOutcome): Pick<Generation, "members" | "acks"> {
  const members = participants.flatMap(({ node_id, share_id, share_public_key }) => {
    const party = parseNodeId(node_id)
    const sharePublicKey = fromHex(share_public_key)
    return party && sharePublicKey ? [{ party, shareId: BigInt(share_id), sharePublicKey }] : []
  })
  return { members, acks: certificate.flatMap((ack) => fromHex(ack) ?? []) }
}

/** Public key and chain code of an extended public key; undefined unless it is a root key of that curve. */
export function decodeRoot(
  text: string,
  curveName: CurveName,
): Pick<Generation, "publicKey" | "chainCode"> | undefined {
  try {
    const { curve, depth, publicKey, chainCode } = decodeExtendedPublicKey(text)
    return curve === curveName && depth === 0 ? { publicKey, chainCode } : undefined
  } catch (error) {
    if (error instanceof CosignerError) return undefined
    throw error
  }
}

/**
 * The name of the task in session ids. It contains the deadline, because the journal deletes a task long after its deadline. If WaaS gives
 * the task id to another document then, no session id of the first task can come again.
 */
export const sessionTaskId = ({ task_id, deadline_ms }: Task): string => `${task_id}@${deadline_ms}`

/** The parties of the node ids of a decoded task, in ascending order. */
export function partiesOf(nodeIds: readonly string[]): readonly PartyId[] {
  const parties = nodeIds.map((id) => {
    const party = parseNodeId(id)
    if (party === undefined) throw new TypeError("a decoded task holds node ids that parse")
    return party
  })
  return parties.sort()
}

/** The outcome of a set-up: activates the group under its certificate, durably, and returns its public record. */
export function epochOutcome(result: SessionResult, ports: TaskPorts): TaskOutcome {
  if (result.kind !== "epoch") throw new TypeError("a set-up ends with an epoch")
  return groupOutcome(ports.groups.activate(result.groupId, result.epochId, result.certificate))
}

export function groupOutcome(group: GroupPublic): TaskOutcome {
  return {
    type: "group",
    group_id: group.groupId,
    epoch_id: toHex(group.epochId),
    curve: curveNamed(group.curve).name,
    root_extended_public_key: rootExtendedPublicKey(group),
    threshold: group.threshold,
    participants: group.members.map((member) => ({
      node_id: nodeIdOf(member.party),
      share_id: member.shareId.toString(),
      share_public_key: toHex(member.sharePublicKey),
    })),
    certificate: (group.certificate ?? []).map(toHex),
  }
}
