/**
 * KeyShareSign: this node alone signs one message for each named group with its own share, to show that it still holds the share
 * (threshold.md 8, external form). The message is given in hex; this node computes the SHA-256 of its bytes and signs that. Neither a
 * session nor another node is needed.
 */
import { type Bytes, fromHex, toHex } from "../bytes.ts"
import type { Rng } from "../crypto/random.ts"
import { CosignerError } from "../errors.ts"
import { checkupDigest, MAX_MESSAGE, signCheckup, verifyCheckup } from "../keys/checkupSign.ts"
import { checkShare, type GroupPublic, memberOf, wipeGroupSecret } from "../keys/group.ts"
import type { PartyId } from "../keys/party.ts"
import type { TaskOutcome } from "../wire/frames.ts"
import { nodeIdOf } from "../wire/nodeId.ts"
import type { KeyShareSignTask } from "../wire/task.ts"
import { isRefusal, type LonePlan, type Refusal, refuse } from "./plan.ts"
import type { GroupPort, TaskPorts } from "./ports.ts"

/** What is needed to sign with a share. */
export interface ShareSigner {
  readonly self: PartyId
  readonly groups: Pick<GroupPort, "active" | "open">
  readonly rng: Rng
}

interface WantedCheckup {
  readonly group: GroupPublic
  readonly message: string
  readonly bytes: Bytes
}

/** The bytes of a message: hex with or without 0x, 1 to 4096 bytes; undefined for anything else. */
export function messageBytes(message: string): Bytes | undefined {
  const bytes = fromHex(message.replace(/^0[xX]/, "").toLowerCase())
  return bytes === undefined || bytes.length === 0 || bytes.length > MAX_MESSAGE ? undefined : bytes
}

/** The check-ups that the task asks for, checked against this node's own records. Opens no share. */
export function planShareSign(task: KeyShareSignTask, signer: ShareSigner): readonly WantedCheckup[] | Refusal {
  if (task.node_id !== nodeIdOf(signer.self)) return refuse("E-TSK-008", {})
  const wanted: WantedCheckup[] = []
  for (const [index, { group_id, message }] of task.details.entries()) {
    const group = signer.groups.active(group_id)
    if (group === undefined) return refuse("E-TSK-006", { groupId: group_id })
    const bytes = messageBytes(message)
    if (bytes === undefined) return refuse("E-TSK-011", { index, problem: `not hex of 1 to ${MAX_MESSAGE} bytes` })
    wanted.push({ group, message, bytes })
  }
  return wanted
}

export function planKeyShareSign(task: KeyShareSignTask, ports: TaskPorts): LonePlan | Refusal {
  const wanted = planShareSign(task, ports)
  return isRefusal(wanted) ? wanted : { kind: "alone", group: undefined, outcome: () => signShares(wanted, ports) }
}

/** Signs every message with the untweaked share of its group. Throws E-KEY-008 if a share does not match its public share. */
export function signShares(wanted: readonly WantedCheckup[], signer: ShareSigner): TaskOutcome {
  const signatures = wanted.map(({ group, message, bytes }) => ({
    group_id: group.groupId,
    signed_msg: message,
    msg_hash: `0x${toHex(checkupDigest(bytes))}`,
    signature: `0x${toHex(signWith(group, bytes, signer))}`,
  }))
  return { type: "shareSignatures", signatures }
}

function signWith(group: GroupPublic, message: Bytes, { self, groups, rng }: ShareSigner): Bytes {
  const secret = groups.open(group.groupId, group.epochId)
  try {
    checkShare(group, secret, self)
    const own = memberOf(group, self)
    if (own === undefined) throw new CosignerError("E-CLI-001", { what: "a checked share has no member" })
    return signCheckup(group.curve, secret.share, own.sharePublicKey, message, rng)
  } finally {
    wipeGroupSecret(secret)
  }
}

/** Checks this node's own share: it opens, matches its public share, and makes a signature that verifies. Throws otherwise. */
export function selfCheck(group: GroupPublic, signer: ShareSigner): void {
  const message = signer.rng(32)
  const signature = signWith(group, message, signer)
  const own = memberOf(group, signer.self)
  if (own === undefined || !verifyCheckup(group.curve, own.sharePublicKey, message, signature)) {
    throw new CosignerError("E-KEY-008", { group: group.groupId })
  }
}
