/**
 * The recovery file (formats.md 5.1): one node's shares of one or more groups, each sealed under a password. Owns the JSON
 * form in both directions. recoveryBox.ts owns the sealing, recoverySet.ts what several files prove together.
 *
 * Reading is strict in the fields that it uses and tolerant of unknown fields: these files outlive programs and come from other makers,
 * and everything in them that matters is proven against the root key afterwards.
 */
import { secp256k1 } from "@noble/curves/secp256k1.js"
import { type Bytes, copy, equal, toHex } from "../bytes.ts"
import { type CurveName, curveNamed } from "../crypto/curve.ts"
import type { Rng } from "../crypto/random.ts"
import { CosignerError } from "../errors.ts"
import type { Secret } from "../secret.ts"
import { decodeExtendedPublicKey, type ExtendedPublicKey } from "./extendedKey.ts"
import { type GroupPublic, memberOf, rootExtendedPublicKey } from "./group.ts"
import { byShareId, goTime, groupType, sharePublicKeyText } from "./groupInfo.ts"
import type { PartyId } from "./party.ts"
import {
  HASHES,
  MAX_ITERATIONS,
  MAX_TOTAL_ITERATIONS,
  type RecoveryKdf,
  type SealedShare,
  sealer,
} from "./recoveryBox.ts"
import { malformed, RecoveryFields } from "./recoveryFields.ts"

/** Format written. 1: the box holds the share's bytes. 2 and 3: it holds JSON around their base64. */
const VERSION = 3
const MAX_PARTICIPANTS = 1000
/** The most bytes that a caller should read: a file of 10 000 groups of 32 is about 70 MB. */
export const MAX_FILE = 256 * 1024 * 1024
const MAX_GROUPS = 100_000

export interface RecoveryParticipant {
  readonly nodeId: string
  /** As written; only its residue modulo q matters. */
  readonly shareId: bigint
  /** enc(S_j). */
  readonly sharePublicKey: Bytes
}

/** One group of a file: all its public fields, and the sealed share. */
export interface RecoveryGroup {
  /** The file's name, for messages. */
  readonly file: string
  readonly version: 1 | 2 | 3
  readonly groupId: string
  readonly createdTime: string
  readonly curve: CurveName
  readonly threshold: number
  readonly rootExtendedPublicKey: string
  readonly chainCode: Bytes
  readonly participants: readonly RecoveryParticipant[]
  /** The participant to whom this share belongs. */
  readonly own: RecoveryParticipant
  readonly sealed: SealedShare
}

// ---- writing -------------------------------------------------------------------------------------------------------

export interface ShareToExport {
  readonly group: GroupPublic
  readonly self: PartyId
  /** sc(s_i). */
  readonly share: Secret
}

/**
 * The text of a recovery file. One key derivation serves the whole file, because every box has its own nonce. So an export of
 * thousands of groups takes seconds. Throws E-KEY-023 for a password too short to be read back.
 */
export function encodeRecoveryFile(
  shares: readonly ShareToExport[],
  password: Secret,
  rng: Rng,
  nodeIdOf: (party: PartyId) => string,
  iterations?: number,
): string {
  using seal = sealer(password, rng, iterations)
  const groups = shares.map(({ group, self, share }) => {
    const own = memberOf(group, self)
    if (own === undefined) throw new TypeError("a node exports shares of its own groups")
    const participant = ({ party, shareId, sharePublicKey }: typeof own) => ({
      node_id: nodeIdOf(party),
      share_id: shareId.toString(),
      share_public_key: sharePublicKeyText(sharePublicKey),
    })
    const { box, kdf } = seal.share(group.curve, share)
    return {
      version: VERSION,
      group_info: {
        id: group.groupId,
        created_time: goTime(group.createdMs),
        type: groupType(group.curve),
        root_extended_public_key: rootExtendedPublicKey(group),
        chaincode: `0x${toHex(group.chainCode)}`,
        curve: group.curve,
        threshold: group.threshold,
        participants: byShareId(group.members).map(participant),
      },
      share_info: { ...participant(own), encrypted_share: Buffer.from(box).toString("base64"), kdf: kdfJson(kdf) },
    }
  })
  return `${JSON.stringify({ recovery_groups: groups }, null, 2)}\n`
}

const kdfJson = (kdf: RecoveryKdf) => ({
  length: kdf.length,
  iterations: kdf.iterations,
  salt: `0x${toHex(kdf.salt)}`,
  hash_type: kdf.hashType,
  hash_name: HASHES.get(kdf.hashType)?.goName ?? "",
})

// ---- reading -------------------------------------------------------------------------------------------------------

/**
 * The text of a file that an editor or another system may have rewritten: UTF-8 with or without a byte order mark, or UTF-16 of either
 * byte order. Throws E-KEY-010 for anything else.
 */
export function recoveryText(bytes: Uint8Array, file: string): string {
  const [first, second] = bytes
  const encoding =
    (first === 0xff && second === 0xfe) || (first !== 0 && second === 0)
      ? "utf-16le"
      : (first === 0xfe && second === 0xff) || (first === 0 && second !== 0)
        ? "utf-16be"
        : "utf-8"
  try {
    // The decoder removes a byte order mark at the start.
    return new TextDecoder(encoding, { fatal: true }).decode(bytes)
  } catch (cause) {
    throw new CosignerError("E-KEY-010", { file, reason: "its text is neither UTF-8 nor UTF-16" }, { cause })
  }
}

/**
 * The groups of a file: an object with recovery_groups, a bare array, or a single group. `file` names it in errors.
 * Throws E-KEY-010 for text that is cut, malformed or out of range, E-KEY-011 and E-KEY-012 for an unknown version or sealing,
 * E-KEY-013 for participants that contradict each other. Opens no share.
 */
export function parseRecoveryFile(text: string, file: string): readonly RecoveryGroup[] {
  const top = parseJson(text, file)
  const groups = listOfGroups(top)
  if (groups.length === 0 || groups.length > MAX_GROUPS) throw malformed(file, "it holds no list of recovery groups")
  const read = groups.map((group, i) => readGroup(new RecoveryFields(group, file, `group ${i + 1}`)))
  if (new Set(read.map(({ groupId }) => groupId)).size !== read.length) throw malformed(file, "it names a group twice")
  requireAffordable(read, file)
  return read
}

/** Checks what all sealings of the file cost together. Equal sealings count once, because they are derived once. */
function requireAffordable(groups: readonly RecoveryGroup[], file: string): void {
  const costs = new Map(
    groups.map(({ sealed: { kdf } }) => [
      `${kdf.hashType} ${kdf.length} ${kdf.iterations} ${toHex(kdf.salt)}`,
      kdf.iterations,
    ]),
  )
  let total = 0
  for (const iterations of costs.values()) total += iterations
  if (total > MAX_TOTAL_ITERATIONS) throw malformed(file, `its shares ask for ${total} iterations together`)
}

function listOfGroups(top: unknown): readonly unknown[] {
  if (Array.isArray(top)) return top
  if (typeof top !== "object" || top === null || !("recovery_groups" in top)) return [top]
  return Array.isArray(top.recovery_groups) ? top.recovery_groups : []
}

function parseJson(text: string, file: string): unknown {
  try {
    return JSON.parse(text)
  } catch (cause) {
    // JSON.parse quotes the text where it fails, and a recovery file's text must not appear in a message.
    const reason = text.trim() === "" ? "it is empty" : "it is not JSON, or was cut short"
    throw new CosignerError("E-KEY-010", { file, reason }, { cause: cause instanceof Error ? cause.name : undefined })
  }
}

function readGroup(fields: RecoveryFields): RecoveryGroup {
  const { file } = fields
  const info = fields.object("group_info")
  const share = fields.object("share_info")
  const groupId = info.text("id", 256)
  const version = fields.integer("version", 0, 2 ** 31 - 1)
  if (version !== 1 && version !== 2 && version !== 3)
    throw new CosignerError("E-KEY-011", { file, group: groupId, version })
  const curve = info.oneOf("curve", ["secp256k1", "ed25519"])
  if (info.integer("type", 1, 2) !== groupType(curve)) throw info.wrong("type", "it does not fit the curve")
  const participants = info.list("participants", MAX_PARTICIPANTS).map((entry) => readParticipant(entry, curve))
  const contradiction = contradictionAmong(participants, curveNamed(curve).order)
  if (contradiction !== undefined) throw new CosignerError("E-KEY-013", { file, group: groupId, reason: contradiction })
  const self = readParticipant(share, curve)
  const own = participants.find((other) => sameParticipant(self, other))
  if (own === undefined) {
    throw new CosignerError("E-KEY-013", { file, group: groupId, reason: "the share's owner is not one of them" })
  }
  const chainCode = info.prefixedHex("chaincode", 32, 32)
  return {
    file,
    version,
    groupId,
    createdTime: info.optionalText("created_time", 256),
    curve,
    threshold: info.integer("threshold", 1, participants.length),
    rootExtendedPublicKey: readRootKey(info, curve, chainCode),
    chainCode,
    participants,
    own,
    sealed: { version, box: share.base64("encrypted_share", 4096), kdf: readKdf(share.object("kdf"), groupId) },
  }
}

function readParticipant(fields: RecoveryFields, curve: CurveName): RecoveryParticipant {
  return {
    nodeId: fields.text("node_id", 256),
    shareId: fields.decimal("share_id"),
    sharePublicKey: readPoint(fields, "share_public_key", curve),
  }
}

export const sameParticipant = (a: RecoveryParticipant, b: RecoveryParticipant): boolean =>
  a.nodeId === b.nodeId && a.shareId === b.shareId && toHex(a.sharePublicKey) === toHex(b.sharePublicKey)

/** Why these cannot be participants of one group: ids count modulo q (threshold.md 1.2), and 0 would be the key itself. */
function contradictionAmong(participants: readonly RecoveryParticipant[], order: bigint): string | undefined {
  const ids = participants.map(({ shareId }) => shareId % order)
  const repeats = (values: readonly unknown[]) => new Set(values).size !== values.length
  if (ids.includes(0n)) return "a share id is 0 modulo the group order"
  if (repeats(ids)) return "two share ids are equal modulo the group order"
  if (repeats(participants.map(({ nodeId }) => nodeId))) return "a node is listed twice"
  if (repeats(participants.map(({ sharePublicKey }) => toHex(sharePublicKey)))) return "a public share is listed twice"
  return undefined
}

/** enc(S). An Ed25519 key may follow one byte, which the vendor's tool ignores; a secp256k1 key may be uncompressed. */
function readPoint(fields: RecoveryFields, name: string, curve: CurveName): Bytes {
  const bytes = fields.prefixedHex(name, 32, 65)
  const point = curve === "secp256k1" ? compressed(bytes) : bytes.length === 33 ? bytes.slice(1) : bytes
  if (point === undefined || curveNamed(curve).decodePoint(point) === undefined) {
    throw fields.wrong(name, `it is not a point of ${curve}`)
  }
  return point
}

function compressed(bytes: Bytes): Bytes | undefined {
  try {
    return copy(secp256k1.Point.fromBytes(bytes).toBytes(true))
  } catch {
    return undefined
  }
}

/** The root extended public key. It must be a root, of this curve, with the chain code that the file states beside it. */
function readRootKey(info: RecoveryFields, curve: CurveName, chainCode: Bytes): string {
  const name = "root_extended_public_key"
  const text = info.text(name, 128)
  let key: ExtendedPublicKey
  try {
    key = decodeExtendedPublicKey(text)
  } catch (error) {
    if (error instanceof CosignerError) throw info.wrong(name, error.message)
    throw error
  }
  if (key.curve !== curve || key.depth !== 0) throw info.wrong(name, `it is not the root key of a group on ${curve}`)
  if (!equal(key.chainCode, chainCode)) throw info.wrong(name, "it has another chain code than the group")
  return text
}

function readKdf(kdf: RecoveryFields, group: string): RecoveryKdf {
  const unknown = (reason: string) => new CosignerError("E-KEY-012", { file: kdf.file, group, reason })
  const length = kdf.integer("length", 0, 2 ** 31 - 1)
  const hashType = kdf.integer("hash_type", 0, 2 ** 31 - 1)
  const iterations = kdf.integer("iterations", 1, 2 ** 31 - 1)
  if (length !== 16 && length !== 24 && length !== 32) throw unknown(`a key of ${length} bytes`)
  if (!HASHES.has(hashType)) throw unknown(`hash type ${hashType}`)
  if (iterations > MAX_ITERATIONS) throw unknown(`${iterations} iterations, more than any computer would do`)
  return { length, iterations, salt: kdf.prefixedHex("salt", 1, 1024), hashType }
}
