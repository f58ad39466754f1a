/** The records of the log for auditors (auditLog.ts), and of what a node remembers as a witness of its peers' logs (witnessMemory.ts). */
import type { Bytes } from "../bytes.ts"
import * as c from "../codec.ts"
import type { PartyId } from "../keys/party.ts"
import type { Secret } from "../secret.ts"
import { kind, party } from "./records.ts"

/** The 32-byte seed of the log's Ed25519 key. The node's key as a witness is derived from it (jobs/auditSigner.ts). */
export const AUDIT_KEY = kind<Secret>(30, "audit key", c.secret)

interface StoredLeaf {
  readonly seq: number
  readonly leaf: Bytes
}

/** A leaf that is in no full tile yet. */
export const AUDIT_LEAF = kind<StoredLeaf>(31, "audit leaf", c.struct<StoredLeaf>({ seq: c.u64, leaf: c.bytes }))

/** What this node knows about a peer's log, and about the peer as a witness of this node's log. Keys are texts (audit/note.ts). */
export interface WitnessedLog {
  readonly party: PartyId
  /** The key of the peer's log; empty before its first checkpoint. Never replaced. */
  readonly key: string
  /** The newest checkpoint of the peer that this node has cosigned; empty before the first. */
  readonly note: string
  /** The last checkpoint of each earlier incarnation of the peer, newest first. */
  readonly earlier: readonly string[]
  /** The key with which the peer cosigns; empty before its first cosignature. Never replaced. */
  readonly witness: string
}

export const WITNESSED = kind<WitnessedLog>(
  33,
  "witnessed log",
  c.struct<WitnessedLog>({ party, key: c.text, note: c.text, earlier: c.list(c.text), witness: c.text }),
)

/** The newest checkpoint of this node's own log that others have cosigned, a signed note. */
export const COSIGNED = kind<string>(34, "cosigned checkpoint", c.text)

/** Evidence that this log went back: a checkpoint that its key signed and that contradicts the log as it is now. */
export interface LogDoubt {
  readonly note: string
  /** Who sent it: the node id of a peer. */
  readonly from: string
  readonly atMs: number
}

export const LOG_DOUBT = kind<LogDoubt>(
  35,
  "doubt of the log",
  c.struct<LogDoubt>({ note: c.text, from: c.text, atMs: c.u64 }),
)

/** A full tile of 256 leaves, in the form that an export has. */
export interface StoredTile {
  readonly index: number
  /** The root of the subtree of its leaves. */
  readonly root: Bytes
  /** The tile of level 0: the hashes of its leaves. */
  readonly hashes: Bytes
  /** The leaves themselves as an entry bundle (audit/tiles.ts); empty after they were pruned. */
  readonly bundle: Bytes
}

export const AUDIT_TILE = kind<StoredTile>(
  32,
  "audit tile",
  c.struct<StoredTile>({ index: c.u64, root: c.fixed(32), hashes: c.fixed(256 * 32), bundle: c.bytes }),
)
