/** KeySign: a batch of messages under child keys of one group, by exactly threshold members (threshold.md 5, 7). */
import { type Bytes, fromHex, toHex } from "../bytes.ts"
import { CosignerError } from "../errors.ts"
import { type GroupPublic, rootExtendedPublicKey } from "../keys/group.ts"
import { formatPath, parsePath } from "../keys/path.ts"
import { mayUse, type PathRule } from "../keys/pathRule.ts"
import type { Algorithm, MessageToSign, SessionResult } from "../mpc/session.ts"
import type { TaskOutcome } from "../wire/frames.ts"
import { nodeIdOf } from "../wire/nodeId.ts"
import type { StartTerms } from "../wire/signed.ts"
import type { KeySignTask, SignatureType, SignMessage } from "../wire/task.ts"
import { type Intents, intentBytesOf } from "./intents.ts"
import { partiesOf, sessionTaskId } from "./keygen.ts"
import { isRefusal, type Plan, type Refusal, refusalOf, refuse } from "./plan.ts"
import type { TaskPorts } from "./ports.ts"
import { blockedAmong } from "./signable.ts"

const ALGORITHMS: Readonly<Record<SignatureType, Algorithm>> = { 1: "ecdsa", 2: "eddsa", 3: "bip340" }

export function planKeySign(task: KeySignTask, ports: TaskPorts): Plan | Refusal {
  const group = ports.groups.active(task.group_id)
  if (group === undefined) return refuse("E-TSK-006", { groupId: task.group_id })
  if (rootExtendedPublicKey(group) !== task.root_pub_key) return refuse("E-TSK-007", { groupId: task.group_id })

  const algorithm = ALGORITHMS[task.signature_type]
  if ((algorithm === "eddsa") !== (group.curve === "ed25519")) {
    return refuse("E-TSK-010", { algorithm, curve: group.curve })
  }
  const signers = partiesOf(task.used_node_ids)
  if (!signers.includes(ports.self)) return refuse("E-TSK-008", {})
  const stranger = signers.find((party) => !group.members.some((member) => member.party === party))
  if (stranger !== undefined) return refuse("E-TSK-009", { problem: `${nodeIdOf(stranger)} is not a member` })
  const areCandidates = task.version === 3 && signers.length > group.threshold
  if (signers.length !== group.threshold && !areCandidates) {
    return refuse("E-TSK-009", { problem: `${signers.length} signers where the threshold is ${group.threshold}` })
  }
  // Among candidates the start names the signers, and the plan of that attempt checks each of them.
  const blocked = blockedAmong(group, algorithm, areCandidates ? [] : signers, ports.bans)
  if (blocked !== undefined) return refusalOf(blocked)
  const messages = messagesOf(task, algorithm, ports)
  if (isRefusal(messages)) return messages

  return {
    groupId: group.groupId,
    group,
    participants: signers,
    ...(areCandidates && { areCandidates }),
    kind: "sign",
    ecdsa: algorithm === "ecdsa",
    open: ({ attempt, terms, intents }) => {
      if (areCandidates) throw new TypeError("a session has exactly as many signers as the threshold")
      return {
        protocol: "sign",
        self: ports.self,
        taskId: sessionTaskId(task),
        attempt,
        algorithm,
        group,
        secret: ports.groups.encodedSecret(group.groupId, group.epochId),
        signers,
        ...(terms === undefined ? { messages } : sessionOf(terms, messages, intents)),
      }
    },
    outcome: (result) => signaturesOutcome(task.messages, result, group),
  }
}

/** For suite 2: the session id covers the terms of the start and the intent hash of each message's payload. */
function sessionOf(terms: StartTerms, messages: readonly MessageToSign[], intents: Intents) {
  const bound = messages.map((message, index): MessageToSign => {
    const intent = intentBytesOf(intents, index)
    return intent === undefined ? message : { ...message, intent }
  })
  return { messages: bound, terms: { suite: terms.suite, nonce: fromHex(terms.nonce) ?? new Uint8Array(0) } }
}

function messagesOf(task: KeySignTask, algorithm: Algorithm, ports: TaskPorts): readonly MessageToSign[] | Refusal {
  const { batch } = ports.limits
  if (task.messages.length > batch) {
    return refuse("E-TSK-011", { index: batch, problem: `one task signs at most ${batch} messages` })
  }
  const messages: MessageToSign[] = []
  for (const [index, entry] of task.messages.entries()) {
    const message = messageOf(entry, index, algorithm, ports.pathRules)
    if (isRefusal(message)) return message
    messages.push(message)
  }
  return messages
}

function messageOf(
  entry: SignMessage,
  index: number,
  algorithm: Algorithm,
  rules: readonly PathRule[],
): MessageToSign | Refusal {
  const path = pathOf(entry.bip32_path)
  if (path === undefined) {
    return refuse("E-TSK-011", {
      index,
      problem: `the path ${JSON.stringify(entry.bip32_path)} is malformed or hardened`,
    })
  }
  if (!mayUse(path, algorithm, rules)) return refuse("E-TSK-012", { path: formatPath(path), algorithm })
  const taproot = entry.tweak === "" ? undefined : prefixedBytes(entry.tweak)
  return { path, message: prefixedBytes(entry.msg_hash), taproot }
}

function pathOf(text: string): readonly number[] | undefined {
  try {
    return parsePath(text)
  } catch (error) {
    if (error instanceof CosignerError) return undefined
    throw error
  }
}

function prefixedBytes(text: string): Bytes {
  const bytes = fromHex(text.slice(2))
  if (bytes === undefined) throw new TypeError("a decoded task holds hex that parses")
  return bytes
}

function signaturesOutcome(asked: readonly SignMessage[], result: SessionResult, group: GroupPublic): TaskOutcome {
  if (result.kind !== "signatures" || result.signatures.length !== asked.length) {
    throw new TypeError(`a signing session of group ${group.groupId} ends with one signature per message`)
  }
  return {
    type: "signatures",
    signatures: result.signatures.map((signed, index) => {
      const message = asked[index]
      if (message === undefined) throw new TypeError("lengths were compared")
      return {
        bip32_path: message.bip32_path,
        msg_hash: message.msg_hash,
        tweak: message.tweak,
        public_key: toHex(signed.publicKey),
        signature: toHex(signed.signature),
        signature_recovery: signed.recoveryId === undefined ? "" : `0${signed.recoveryId}`,
      }
    }),
  }
}
