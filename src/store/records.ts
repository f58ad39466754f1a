/**
 * The kinds of record in secrets.db and their layouts. The seal of a record authenticates the number and the version of its kind. A changed
 * layout is a new version. No I/O here: seal.ts seals, and the repositories give records their meaning.
 */
import { type Bytes, concat, utf8 } from "../bytes.ts"
import * as c from "../codec.ts"
import type { GroupPublic, GroupSecret } from "../keys/group.ts"
import { decodeGroupPublic, decodeGroupSecret, encodeGroupPublic, encodeGroupSecret } from "../keys/groupCodec.ts"
import { type PartyId, partyBytes, partyOf } from "../keys/party.ts"
import { type CountDebit, type Debit, isAmount } from "../policy/decision.ts"
import type { RuleOutcome, Verdict } from "../policy/verdict.ts"
import type { Secret } from "../secret.ts"
import { currentDebits } from "../tasks/counters.ts"
import type { Ban, OutboxEvent, SessionRow, Strike, TaskRecord } from "../tasks/ports.ts"
import { TASK_STATES } from "../tasks/ports.ts"
import type { TaskOutcome } from "../wire/frames.ts"
import { TASK_TYPES } from "../wire/task.ts"

export interface RecordKind<T> {
  /** The kind's number, in clear in the file. A number is never reused. */
  readonly byte: number
  /** For people; nothing depends on it. */
  readonly name: string
  readonly version: number
  readonly codec: c.Codec<T>
  /** The codecs of earlier versions, from version 1 on. They are read and never written. */
  readonly earlier: readonly c.Codec<T>[]
}

/** Defines a kind. Each codec is one version, from version 1 on; the last one is written. */
export const kind = <T>(
  byte: number,
  name: string,
  first: c.Codec<T>,
  ...later: readonly c.Codec<T>[]
): RecordKind<T> => {
  const versions = [first, ...later]
  return { byte, name, version: versions.length, codec: later.at(-1) ?? first, earlier: versions.slice(0, -1) }
}

/** The codec of a version of a kind; undefined for a version that this program does not know. */
export const codecOf = <T>(known: RecordKind<T>, version: number): c.Codec<T> | undefined =>
  version === known.version ? known.codec : known.earlier[version - 1]

export const party: c.Codec<PartyId> = c.map(
  c.fixed(32),
  (bytes) => {
    const id = partyOf(bytes)
    if (id === undefined) throw new c.Malformed("not a party")
    return id
  },
  partyBytes,
)

// ---- the root and the node's own secrets ---------------------------------------------------------------------------

/** The root record, which every commit rewrites. It authenticates the set of all other records (scan.ts). */
export interface Root {
  /** Commits since the file was made. */
  readonly generation: number
  /** Number of records, without header and root. */
  readonly count: number
  /** Multiset hash of those records, a number below 2^512. */
  readonly sum: bigint
  /** headerChecksum of the header. */
  readonly header: Bytes
}

const u512: c.Codec<bigint> = c.map(
  c.struct<{ high: bigint; low: bigint }>({ high: c.u256, low: c.u256 }),
  ({ high, low }) => (high << 256n) | low,
  (value) => ({ high: value >> 256n, low: value & ((1n << 256n) - 1n) }),
)

export const ROOT = kind<Root>(
  1,
  "root",
  c.struct<Root>({ generation: c.u64, count: c.u64, sum: u512, header: c.fixed(32) }),
)
/** 32-byte seed of the node's Ed25519 identity key. */
export const IDENTITY = kind<Secret>(2, "identity", c.secret)
/** The node-local secret of threshold.md 1.5. */
export const ENTROPY = kind<Secret>(3, "entropy", c.secret)
/** Number of starts of the node. */
export const BOOTS = kind<number>(4, "boots", c.u64)
/** PKCS#8 DER of the RSA key that signs tokens for callback servers. */
export const CALLBACK_KEY = kind<Secret>(5, "callback key", c.secret)
/** PKCS#8 DER of the key that signs for event servers. */
export const EVENT_KEY = kind<Secret>(6, "event key", c.secret)
/** Time, ms since 1970, of the last write that only tested whether writing works. */
export const PROBE = kind<number>(14, "probe", c.u64)

/** Rises with each decision to continue from an older copy (a restore, an accepted rollback). Of two copies the higher one is the node. */
export const INCARNATION = kind<number>(20, "lineage", c.u64)

// ---- groups --------------------------------------------------------------------------------------------------------

/** The name of records that belong to one epoch. Injective, because the length precedes the group id. */
export const epochName = (groupId: string, epochId: Uint8Array): Bytes => {
  const group = utf8(groupId)
  return concat(c.encode(c.u32, group.length), group, epochId)
}

export const peerName = (groupId: string, epochId: Uint8Array, peer: PartyId): Bytes =>
  concat(partyBytes(peer), epochName(groupId, epochId))

// keys/groupCodec.ts defines the layout of both parts; here each part is one field.
const whole = <T>(encode: (value: T) => Bytes, parse: (bytes: Uint8Array) => T | undefined): c.Codec<T> => ({
  write(out, value) {
    const encoded = encode(value)
    c.bytes.write(out, encoded)
    encoded.fill(0)
  },
  read(from) {
    // A view, not a copy, so that the caller's one wipe removes the secret.
    const value = parse(from.view(from.u32()))
    if (value === undefined) throw new c.Malformed("not a group")
    return value
  },
})

export const GROUP = kind<GroupPublic>(7, "group", whole(encodeGroupPublic, decodeGroupPublic))
export const GROUP_SECRET = kind<GroupSecret>(8, "group secret", whole(encodeGroupSecret, decodeGroupSecret))
/**
 * GROUP_SECRET read without decoding: the main thread passes the bytes to a session worker, so it holds no decoded share itself. Reads only
 * the newest version. When there is a second version, read an earlier one by GROUP_SECRET and encode it again.
 */
export const ENCODED_GROUP_SECRET: RecordKind<Bytes> = { ...GROUP_SECRET, codec: c.bytes, earlier: [] }

export const BAN = kind<Ban>(
  11,
  "ban",
  c.struct<Ban>({ groupId: c.text, epochId: c.bytes, peer: party, reason: c.text, sid: c.bytes, bannedMs: c.u64 }),
)

/** The number of checks of one peer that began and whose verdict this node never saw (threshold.md 2.5 rule 9). */
export interface UnprovenChecks {
  readonly groupId: string
  readonly epochId: Bytes
  readonly peer: PartyId
  readonly count: number
  /** The OT state with this peer was erased; only a reshare makes ECDSA with it possible again. */
  readonly disabled: boolean
}

export const CHECKS = kind<UnprovenChecks>(
  12,
  "checks",
  c.struct<UnprovenChecks>({ groupId: c.text, epochId: c.bytes, peer: party, count: c.u32, disabled: c.bool }),
)

/** ECDSA is stopped in this epoch until a refresh makes a new one: its OT state is missing, or another copy of the database has used it. */
export interface AwaitsRefresh {
  readonly groupId: string
  readonly epochId: Bytes
  readonly why: "restored" | "rollback" | "import"
  readonly sinceMs: number
}

export const AWAITS_REFRESH = kind<AwaitsRefresh>(
  21,
  "awaits refresh",
  c.struct<AwaitsRefresh>({
    groupId: c.text,
    epochId: c.bytes,
    why: c.oneOf("restored", "rollback", "import"),
    sinceMs: c.u64,
  }),
)

/** How this node's last check-up of one epoch's share went. */
export interface Checkup {
  readonly groupId: string
  readonly epochId: Bytes
  readonly atMs: number
  /** Empty if the share opened, matched its public share, and signed. Otherwise what was wrong. */
  readonly problem: string
}

export const CHECKUP = kind<Checkup>(
  22,
  "checkup",
  c.struct<Checkup>({ groupId: c.text, epochId: c.bytes, atMs: c.u64, problem: c.text }),
)

/** The recorded misbehaviour of one peer (threshold.md 2.4). */
export interface StrikeRecord {
  readonly peer: PartyId
  /** Strikes since the last pardon. */
  readonly count: number
  /** All strikes ever. */
  readonly total: number
  /** The newest KEPT_STRIKES (strikes.ts), oldest first. */
  readonly strikes: readonly Strike[]
  /** The newest KEPT_STRIKES, oldest first. */
  readonly pardons: readonly Pardon[]
}

interface Pardon {
  readonly atMs: number
  /** The number of strikes that it lifted. */
  readonly strikes: number
}

export const STRIKES = kind<StrikeRecord>(
  23,
  "strikes",
  c.struct<StrikeRecord>({
    peer: party,
    count: c.u32,
    total: c.u32,
    strikes: c.list(
      c.struct<Strike>({
        peer: party,
        kind: c.oneOf("FAULT", "EQUIV"),
        reason: c.text,
        sid: c.bytes,
        taskId: c.text,
        atMs: c.u64,
        evidence: c.list(c.bytes),
      }),
    ),
    pardons: c.list(c.struct<Pardon>({ atMs: c.u64, strikes: c.u32 })),
  }),
)

// ---- the journal ---------------------------------------------------------------------------------------------------

const outcome: c.Codec<TaskOutcome> = c.variant<"type", TaskOutcome>("type", {
  group: c.struct({
    group_id: c.text,
    epoch_id: c.text,
    curve: c.oneOf("secp256k1", "ed25519"),
    root_extended_public_key: c.text,
    threshold: c.u32,
    participants: c.list(c.struct({ node_id: c.text, share_id: c.text, share_public_key: c.text })),
    certificate: c.list(c.text),
  }),
  signatures: c.struct({
    signatures: c.list(
      c.struct({
        bip32_path: c.text,
        msg_hash: c.text,
        tweak: c.text,
        public_key: c.text,
        signature: c.text,
        signature_recovery: c.text,
      }),
    ),
  }),
  shareSignatures: c.struct({
    signatures: c.list(c.struct({ group_id: c.text, signed_msg: c.text, msg_hash: c.text, signature: c.text })),
  }),
})

const verdict = c.struct<Verdict>({
  action: c.oneOf("approve", "reject"),
  code: c.text,
  reason: c.text,
  rules: c.list(c.struct<RuleOutcome>({ rule: c.text, outcome: c.oneOf("allow", "deny", "error"), reason: c.text })),
})

/** A task record with the fields that only the store needs. */
export interface Journal {
  readonly record: TaskRecord
  /** Number of the claim; claims are numbered in their order. */
  readonly seq: number
  /** What the approval debited; emptied when the debits are released. */
  readonly debits: readonly Debit[]
  readonly debitedMs: number
  /** Digests for which a signature share left the node. If not empty, the task counts as signed, whatever its state. */
  readonly emitted: readonly Bytes[]
  /** The ids of all sessions that were started for it. */
  readonly sids: readonly Bytes[]
}

/** A debit of version 1, which only counted signatures. */
const countDebit: c.Codec<Debit> = c.struct<CountDebit>({ counter: c.text, amount: c.amount })

interface WrittenDebit {
  readonly counter: string
  readonly count: number | undefined
  readonly spent: { readonly amount: bigint; readonly replaces: string } | undefined
}

const debit: c.Codec<Debit> = c.map(
  c.struct<WrittenDebit>({
    counter: c.text,
    count: c.optional(c.amount),
    spent: c.optional(c.struct<{ amount: bigint; replaces: string }>({ amount: u512, replaces: c.text })),
  }),
  ({ counter, count, spent }) => {
    if ((count === undefined) === (spent === undefined)) throw new c.Malformed("not one debit")
    return spent === undefined ? { counter, amount: count ?? 0 } : { counter, ...spent }
  },
  (one) =>
    isAmount(one)
      ? { counter: one.counter, count: undefined, spent: { amount: one.amount, replaces: one.replaces } }
      : { counter: one.counter, count: one.amount, spent: undefined },
)

const journalWith = (one: c.Codec<Debit>): c.Codec<Journal> =>
  c.map(
    c.struct<Journal>({
      record: c.struct<TaskRecord>({
        taskId: c.text,
        digest: c.text,
        type: c.oneOf(...TASK_TYPES),
        document: c.bytes,
        state: c.oneOf(...TASK_STATES),
        attempt: c.u32,
        claimedMs: c.u64,
        updatedMs: c.u64,
        deadlineMs: c.u64,
        verdict: c.optional(verdict),
        code: c.text,
        reason: c.text,
        outcome: c.optional(outcome),
        delivered: c.bool,
      }),
      seq: c.u64,
      debits: c.list(one),
      debitedMs: c.u64,
      emitted: c.list(c.bytes),
      sids: c.list(c.bytes),
    }),
    (read) => ({ ...read, debits: currentDebits(read.debits, read.record.document) }),
    (written) => written,
  )

export const TASK = kind<Journal>(9, "task", journalWith(countDebit), journalWith(debit))

export interface StoredSession {
  readonly row: SessionRow
  readonly startedMs: number
  /** Undefined while the session runs. If it is undefined at a start, a crash cut the session off. */
  readonly ended: { readonly how: string; readonly atMs: number } | undefined
}

export const SESSION = kind<StoredSession>(
  10,
  "session",
  c.struct<StoredSession>({
    row: c.struct<SessionRow>({
      sid: c.bytes,
      taskId: c.text,
      attempt: c.u32,
      groupId: c.text,
      epochId: c.bytes,
      peers: c.list(party),
      ecdsa: c.bool,
    }),
    startedMs: c.u64,
    ended: c.optional(c.struct<{ how: string; atMs: number }>({ how: c.text, atMs: c.u64 })),
  }),
)

// ---- events --------------------------------------------------------------------------------------------------------

export interface Delivery {
  readonly server: string
  readonly state: "pending" | "failed"
  readonly attempts: number
  /** Time of the last attempt, ms since 1970; 0 before the first. */
  readonly lastMs: number
}

export interface Queued {
  /** Number of the event; events are numbered in their order. */
  readonly seq: number
  readonly event: OutboxEvent
  /** One for each server that has not got the event yet. The record is deleted with the last of them. */
  readonly deliveries: readonly Delivery[]
}

export const EVENT = kind<Queued>(
  13,
  "event",
  c.struct<Queued>({
    seq: c.u64,
    event: c.struct<OutboxEvent>({ eventId: c.text, eventType: c.text, createdMs: c.u64, body: c.text }),
    deliveries: c.list(
      c.struct<Delivery>({ server: c.text, state: c.oneOf("pending", "failed"), attempts: c.u32, lastMs: c.u64 }),
    ),
  }),
)
