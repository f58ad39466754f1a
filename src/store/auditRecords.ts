/** The records of the log for auditors, and of what a node knows as a witness of others' logs. Kept by auditLog.ts and witnessMemory.ts. */
import type { Bytes } from "../bytes.ts"
import * as c from "../codec.ts"
import type { PartyId } from "../keys/party.ts"
import type { Secret } from "../secret.ts"
import { kind, party } from "./records.ts"

/** Seed of the log's own Ed25519 key, and of what it signs as a witness. */
export const AUDIT_KEY = kind<Secret>(30, "audit key", c.secret)

interface StoredLeaf {
  readonly seq: number
  readonly leaf: Bytes
}

/** A leaf that is in no full tile yet. */
export const AUDIT_LEAF = kind<StoredLeaf>(31, "audit leaf", c.struct<StoredLeaf>({ seq: c.u64, leaf: c.bytes }))

/** What this node knows of a peer's log, and of the peer as a witness of its own. Keys as texts (audit/note.ts). */
export interface WitnessedLog {
  readonly party: PartyId
  /** Of the peer's log; empty before its first checkpoint came. Never replaced. */
  readonly key: string
  /** The newest checkpoint that this node has cosigned; empty before. */
  readonly note: string
  /** The last ones of earlier incarnations, newest first. */
  readonly earlier: readonly string[]
  /** By which the peer cosigns; empty before it did. Never replaced. */
  readonly witness: string
}

export const WITNESSED = kind<WitnessedLog>(
  33,
  "witnessed log",
  c.struct<WitnessedLog>({ party, key: c.text, note: c.text, earlier: c.list(c.text), witness: c.text }),
)

/** The newest checkpoint of this node's own log that others have cosigned, a signed note. */
export const COSIGNED = kind<string>(34, "cosigned checkpoint", c.text)

/** Somebody has a checkpoint that this log signed and that is not of it as it is. */
export interface LogDoubt {
  readonly note: string
  /** Who brought it: a node id, or the address of a witness. */
  readonly from: string
  readonly atMs: number
}

export const LOG_DOUBT = kind<LogDoubt>(
  35,
  "doubt of the log",
  c.struct<LogDoubt>({ note: c.text, from: c.text, atMs: c.u64 }),
)

/** 256 leaves, as an export has them. */
export interface StoredTile {
  readonly index: number
  /** Of the subtree of its leaves. */
  readonly root: Bytes
  /** The tile of level 0. */
  readonly hashes: Bytes
  /** The bundle of entries; empty where they were pruned. */
  readonly bundle: Bytes
}

export const AUDIT_TILE = kind<StoredTile>(
  32,
  "audit tile",
  c.struct<StoredTile>({ index: c.u64, root: c.fixed(32), hashes: c.fixed(256 * 32), bundle: c.bytes }),
)
