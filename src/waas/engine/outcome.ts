/**
 * Judges the outcomes that nodes report. WaaS trusts no node: a group must answer the task and parse, signatures must verify under the
 * child keys that WaaS derives itself, by another implementation than the one that made them.
 */
import { schnorr, secp256k1 } from "@noble/curves/secp256k1.js"
import { type Bytes, beToBig, copy, equal, fromHex, toHex, utf8 } from "../../bytes.ts"
import { curveNamed, K1 } from "../../crypto/curve.ts"
import { verifyEd25519 } from "../../crypto/ed25519.ts"
import { sha256 } from "../../crypto/frame.ts"
import { CosignerError } from "../../errors.ts"
import { checkupDigest, verifyCheckup } from "../../keys/checkupSign.ts"
import { DerivationCache } from "../../keys/derive.ts"
import { decodeExtendedPublicKey } from "../../keys/extendedKey.ts"
import { parsePath } from "../../keys/path.ts"
import { claimsSession, provenEpoch } from "../../mpc/reshare/succession.ts"
import { messageBytes } from "../../tasks/keyshareSign.ts"
import { madeBy } from "../../tasks/succession.ts"
import type { GroupOutcome, TaskOutcome } from "../../wire/frames.ts"
import type { KeyGenTask, KeyReshareTask, KeyShareSignTask, KeySignTask, SignMessage, Task } from "../../wire/task.ts"
import type { ShareKey } from "../store/model.ts"
import { curveNameOf } from "./requests.ts"

type SignaturesOutcome = Extract<TaskOutcome, { type: "signatures" }>
type ShareSignaturesOutcome = Extract<TaskOutcome, { type: "shareSignatures" }>
type Signature = SignaturesOutcome["signatures"][number]

export type Judgement =
  | { readonly kind: "group"; readonly outcome: GroupOutcome }
  | { readonly kind: "signatures"; readonly outcome: SignaturesOutcome }
  | { readonly kind: "shareSignatures"; readonly outcome: ShareSignaturesOutcome }
  | { readonly kind: "refused"; readonly problem: string }

const refused = (problem: string): Judgement => ({ kind: "refused", problem })

/** Judges the outcome of a KeyGen, KeyReshare or KeySign. `attempts`: how many were begun; a certificate is for the session of one. */
export function judge(task: Task, outcome: TaskOutcome, attempts: number): Judgement {
  if (task.type === "KeyGen" && outcome.type === "group") return judgeGroup(task, outcome)
  if (task.type === "KeyReshare" && outcome.type === "group") {
    return isProven(task, outcome, attempts) ? { kind: "group", outcome } : refused("its certificate does not prove it")
  }
  if (task.type === "KeySign" && outcome.type === "signatures") return judgeSignatures(task, outcome)
  return refused(`a ${outcome.type} outcome does not answer a ${task.type} task`)
}

/** Whether `outcome` has, for every detail of the task, a signature that verifies under the share key recorded for it. */
export function judgeShares(task: KeyShareSignTask, outcome: TaskOutcome, keys: readonly ShareKey[]): Judgement {
  if (outcome.type !== "shareSignatures")
    return refused(`a ${outcome.type} outcome does not answer a KeyShareSign task`)
  if (outcome.signatures.length !== task.details.length) return refused("not one signature per group")
  for (const [index, { group_id, message }] of task.details.entries()) {
    const given = outcome.signatures[index]
    const key = keys.find(({ shareGroupId }) => shareGroupId === group_id)
    if (given?.group_id !== group_id || given.signed_msg !== message)
      return refused(`signature ${index} is for another`)
    const bytes = messageBytes(message)
    const signature = fromHex(given.signature.replace(/^0x/, ""))
    const publicKey = key && fromHex(key.publicKey)
    if (key === undefined || bytes === undefined || signature === undefined || publicKey === undefined) {
      return refused(`signature ${index} cannot be read`)
    }
    if (given.msg_hash !== `0x${toHex(checkupDigest(bytes))}`) return refused(`signature ${index} has another digest`)
    if (!verifyCheckup(curveNameOf(key.curve), publicKey, bytes, signature)) {
      return refused(`signature ${index} does not verify under the recorded share key`)
    }
  }
  return { kind: "shareSignatures", outcome }
}

/** SHA-256 of the outcome with the keys of every object in one order, hex: equal digests are equal outcomes. */
export const outcomeDigest = (outcome: TaskOutcome): string => toHex(sha256(utf8(canonicalJson(outcome))))

/** JSON with the keys of every object sorted and without undefined members. */
export function canonicalJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(",")}]`
  if (typeof value !== "object" || value === null) return JSON.stringify(value) ?? "null"
  const members = Object.entries(value).filter(([, member]) => member !== undefined)
  members.sort(([a], [b]) => (a < b ? -1 : 1))
  return `{${members.map(([key, member]) => `${JSON.stringify(key)}:${canonicalJson(member)}`).join(",")}}`
}

// ---- groups --------------------------------------------------------------------------------------------------------

function judgeGroup(task: KeyGenTask, outcome: GroupOutcome): Judgement {
  if (outcome.group_id !== task.group_id) return refused("another group id")
  if (outcome.curve !== task.curve) return refused("another curve")
  if (outcome.threshold !== task.threshold) return refused("another threshold")
  const members = outcome.participants.map((participant) => participant.node_id)
  if (canonicalJson([...members].sort()) !== canonicalJson([...task.node_ids].sort())) return refused("other members")
  const root = rootOf(outcome.root_extended_public_key)
  if (root === undefined || root.curve !== task.curve) return refused("no root key of that curve")
  return { kind: "group", outcome }
}

/** Whether all participants of the reshare acknowledged exactly this epoch: then it counts, whoever reports it. */
function isProven(task: KeyReshareTask, outcome: GroupOutcome, attempts: number): boolean {
  const attempt = attemptOf(task, outcome, attempts)
  const made = attempt === undefined ? undefined : madeBy(task, attempt, outcome)
  const proven = made && provenEpoch(made)
  return proven !== undefined && toHex(proven.epochId) === outcome.epoch_id
}

/** The attempt whose session the outcome's acknowledgements name; undefined for none. Does not verify them: whoever relies on them does. */
export function attemptOf(
  task: KeyGenTask | KeyReshareTask,
  outcome: GroupOutcome,
  attempts: number,
): number | undefined {
  for (let attempt = attempts; attempt > 0; attempt--) {
    const made = madeBy(task, attempt, outcome)
    if (made !== undefined && claimsSession(made)) return attempt
  }
  return undefined
}

function rootOf(text: string): ReturnType<typeof decodeExtendedPublicKey> | undefined {
  try {
    const key = decodeExtendedPublicKey(text)
    return key.depth === 0 ? key : undefined
  } catch (error) {
    if (error instanceof CosignerError) return undefined
    throw error
  }
}

// ---- signatures ----------------------------------------------------------------------------------------------------

function judgeSignatures(task: KeySignTask, outcome: SignaturesOutcome): Judgement {
  if (outcome.signatures.length !== task.messages.length) return refused("not one signature per message")
  for (const [index, asked] of task.messages.entries()) {
    const given = outcome.signatures[index]
    const problem = given === undefined ? "missing" : signatureProblem(task, asked, given)
    if (problem !== undefined) return refused(`signature ${index}: ${problem}`)
  }
  return { kind: "signatures", outcome }
}

/** What determines the keys and the scheme of a task's signatures. */
type SignedUnder = Pick<KeySignTask, "root_pub_key" | "signature_type">

/** Why `given` is no signature of what was asked under a child of that root; undefined if it is one. */
export function signatureProblem(task: SignedUnder, asked: SignMessage, given: Signature): string | undefined {
  const same = asked.bip32_path === given.bip32_path && asked.msg_hash === given.msg_hash && asked.tweak === given.tweak
  if (!same) return "it is for another message"
  const message = fromHex(asked.msg_hash.slice(2))
  const signature = fromHex(given.signature)
  const key = childKey(task, asked)
  if (message === undefined || signature?.length !== 64) return "it is not 64 bytes of hex"
  if (given.public_key !== toHex(key)) return "it names another public key"
  const recovery = given.signature_recovery
  if (!verifiesOnce(task, key, message, signature, recovery)) return "it does not verify"
  return undefined
}

/** Signatures that verified, oldest first. All signers report the same signatures, so each is verified once only. */
const verified = new Set<string>()
const REMEMBERED = 4096

function verifiesOnce(task: SignedUnder, key: Bytes, message: Bytes, signature: Bytes, recovery: string): boolean {
  // No two sets of fields have the same name: no field contains a space (wire/outcome.ts).
  const name = [task.signature_type, recovery, toHex(key), toHex(signature), toHex(message)].join(" ")
  if (verified.has(name)) return true
  if (!verifies(task, key, message, signature, recovery)) return false
  for (const oldest of verified) {
    if (verified.size < REMEMBERED) break
    verified.delete(oldest)
  }
  verified.add(name)
  return true
}

/** Derived keys and their parents: a wallet signs below the same parents again, and deriving a key costs more than verifying under it. */
const derived = new DerivationCache()

/** The key that must verify: 33 bytes (ECDSA), 32 (EdDSA), 32 x-only, tweaked as asked (Schnorr). */
function childKey(task: SignedUnder, asked: SignMessage): Bytes {
  const root = decodeExtendedPublicKey(task.root_pub_key)
  const path = parsePath(asked.bip32_path)
  const child = derived.nodeAt(curveNamed(root.curve), root.publicKey, root.chainCode, path).publicKey
  if (task.signature_type !== 3) return child
  const internal = child.slice(1)
  return asked.tweak === "" ? internal : taprootOutputKey(internal, fromHex(asked.tweak.slice(2)) ?? new Uint8Array())
}

/** BIP-341: x(P + int(hash_TapTweak(x(P) || merkle root)) G), with P the point of even y. */
export function taprootOutputKey(internal: Uint8Array, merkleRoot: Uint8Array): Bytes {
  const tweak = beToBig(schnorr.utils.taggedHash("TapTweak", internal, merkleRoot))
  const point = schnorr.utils.lift_x(beToBig(internal))
  if (tweak >= K1.order) throw new RangeError("the standard defines no output key here")
  return copy(schnorr.utils.pointToBytes(point.add(secp256k1.Point.BASE.multiply(tweak))))
}

function verifies(task: SignedUnder, key: Bytes, message: Bytes, signature: Bytes, recovery: string): boolean {
  switch (task.signature_type) {
    case 1:
      return verifiesEcdsa(key, message, signature, recovery)
    case 2:
      return recovery === "" && verifyEd25519(key, message, signature)
    case 3:
      return recovery === "" && schnorr.verify(signature, message, key)
  }
}

/**
 * Low-s only, and the recovery id must lead back to the key: users build transactions from it. Recovery finds the one key under which
 * the signature verifies with that nonce point, so no second verification is needed.
 */
function verifiesEcdsa(key: Bytes, hash: Bytes, signature: Bytes, recovery: string): boolean {
  if (!/^0[0-3]$/.test(recovery)) return false
  try {
    const parsed = secp256k1.Signature.fromBytes(signature, "compact")
    if (parsed.hasHighS()) return false
    const point = parsed.addRecoveryBit(Number(recovery)).recoverPublicKey(hash)
    return equal(copy(point.toBytes(true)), key)
  } catch {
    return false
  }
}
