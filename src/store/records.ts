/**
 * Which kinds of record Secrets.db holds, and the layout of each. A kind's number and version are bound into the seal
 * of every record; a change of layout is a new version. Pure; sealing is seal.ts's, meaning is the repositories'.
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
  /** The kind byte, in clear in the file. Never reused for anything else. */
  readonly byte: number
  /** For people; nothing depends on it. */
  readonly name: string
  readonly version: number
  readonly codec: c.Codec<T>
  /** How earlier versions are read, from version 1 on; they are written no more. */
  readonly earlier: readonly c.Codec<T>[]
}

/** Each codec is a version; the last is the one that is written. */
export const kind = <T>(
  byte: number,
  name: string,
  first: c.Codec<T>,
  ...later: readonly c.Codec<T>[]
): RecordKind<T> => {
  const versions = [first, ...later]
  return { byte, name, version: versions.length, codec: later.at(-1) ?? first, earlier: versions.slice(0, -1) }
}

/** The codec of a version of a kind; undefined for one that this binary does not know. */
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

/** What every commit renews: it vouches for the set of all other records (vault.ts). */
export interface Root {
  /** Commits since the file was made. */
  readonly generation: number
  /** Records beside the header and the root. */
  readonly count: number
  /** Multiset hash of those records, a number below 2^512. */
  readonly sum: bigint
  /** SHA-256 of the header row. */
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
/** Seed of the node's Ed25519 identity key. */
export const IDENTITY = kind<Secret>(2, "identity", c.secret)
/** The node-local secret of threshold.md 1.5. */
export const ENTROPY = kind<Secret>(3, "entropy", c.secret)
export const BOOTS = kind<number>(4, "boots", c.u64)
/** PKCS#8 DER of the RSA key that signs tokens for callback servers. */
export const CALLBACK_KEY = kind<Secret>(5, "callback key", c.secret)
export const EVENT_KEY = kind<Secret>(6, "event key", c.secret)
/** Milliseconds since 1970 of the last write that was made only to see whether writing works. */
export const PROBE = kind<number>(14, "probe", c.u64)

/** Counts the decisions to go on from an older copy (a restore, an accepted rollback): the highest one is the node. */
export const INCARNATION = kind<number>(20, "lineage", c.u64)

// ---- groups --------------------------------------------------------------------------------------------------------

/** The name of everything that belongs to one epoch: injective, because the group id is preceded by its length. */
export const epochName = (groupId: string, epochId: Uint8Array): Bytes => {
  const group = utf8(groupId)
  return concat(c.encode(c.u32, group.length), group, epochId)
}

export const peerName = (groupId: string, epochId: Uint8Array, peer: PartyId): Bytes =>
  concat(partyBytes(peer), epochName(groupId, epochId))

// The layout of both parts is the group's own (keys/groupCodec.ts); here each is one field.
const whole = <T>(encode: (value: T) => Bytes, parse: (bytes: Uint8Array) => T | undefined): c.Codec<T> => ({
  write(out, value) {
    const encoded = encode(value)
    c.bytes.write(out, encoded)
    encoded.fill(0)
  },
  read(from) {
    // A window, not a copy: the bytes are the caller's to wipe, once.
    const value = parse(from.view(from.u32()))
    if (value === undefined) throw new c.Malformed("not a group")
    return value
  },
})

export const GROUP = kind<GroupPublic>(7, "group", whole(encodeGroupPublic, decodeGroupPublic))
export const GROUP_SECRET = kind<GroupSecret>(8, "group secret", whole(encodeGroupSecret, decodeGroupSecret))
/**
 * The same record, read without decoding it: for the thread that signs, so that this one holds no share in clear parts. Of the
 * newest version alone; one day's earlier version is to be read by the kind above and encoded again.
 */
export const ENCODED_GROUP_SECRET: RecordKind<Bytes> = { ...GROUP_SECRET, codec: c.bytes, earlier: [] }

export const BAN = kind<Ban>(
  11,
  "ban",
  c.struct<Ban>({ groupId: c.text, epochId: c.bytes, peer: party, reason: c.text, sid: c.bytes, bannedMs: c.u64 }),
)

/** Checks of one peer that began and were never seen to pass (threshold.md 2.5 rule 9). */
export interface UnprovenChecks {
  readonly groupId: string
  readonly epochId: Bytes
  readonly peer: PartyId
  readonly count: number
  /** The OT state with this peer is gone; only a reshare makes ECDSA with it possible again. */
  readonly disabled: boolean
}

export const CHECKS = kind<UnprovenChecks>(
  12,
  "checks",
  c.struct<UnprovenChecks>({ groupId: c.text, epochId: c.bytes, peer: party, count: c.u32, disabled: c.bool }),
)

/** ECDSA waits in this epoch until a refresh makes a new one: its OT state is gone, or may have been used since. */
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
  /** Empty: the share opened, belongs to its public share, and signed. Otherwise what was wrong. */
  readonly problem: string
}

export const CHECKUP = kind<Checkup>(
  22,
  "checkup",
  c.struct<Checkup>({ groupId: c.text, epochId: c.bytes, atMs: c.u64, problem: c.text }),
)

/** What is remembered of one peer's misbehaviour (threshold.md 2.4). */
export interface StrikeRecord {
  readonly peer: PartyId
  /** Since the last pardon. */
  readonly count: number
  /** Ever. */
  readonly total: number
  /** The newest, in the order in which they came. */
  readonly strikes: readonly Strike[]
  /** The newest, in the order in which they came. */
  readonly pardons: readonly Pardon[]
}

interface Pardon {
  readonly atMs: number
  /** How many strikes it lifted. */
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

/** A task record and what only the store asks of it. */
export interface Journal {
  readonly record: TaskRecord
  /** Order of claims. */
  readonly seq: number
  /** What the approval debited; emptied when it is released. */
  readonly debits: readonly Debit[]
  readonly debitedMs: number
  /** Digests whose shares left the node. Not empty = the task counts as signed, whatever its state. */
  readonly emitted: readonly Bytes[]
  /** Every session that was started for it. */
  readonly sids: readonly Bytes[]
}

/** What version 1 could say: signatures alone. */
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
  /** Undefined while it runs; found so at a start, it was cut off by a crash. */
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
  /** Of the last attempt; 0 before the first. */
  readonly lastMs: number
}

export interface Queued {
  /** Order of events. */
  readonly seq: number
  readonly event: OutboxEvent
  /** Servers that have not got it yet; the record goes with the last of them. */
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
