/**
 * A session seen from outside: a specification that is plain data, a stream of envelopes in and out, records that
 * must be durable before it goes on, and one typed ending. Its host (this thread or a worker) sees nothing else.
 */
import type { Bytes } from "../bytes.ts"
import type { CurveName } from "../crypto/curve.ts"
import type { GroupPublic, GroupSecret } from "../keys/group.ts"
import type { Member, PartyId } from "../keys/party.ts"
import type { Blame } from "./blame.ts"
import type { SessionRecord } from "./exchange.ts"

interface SessionCommon {
  readonly self: PartyId
  readonly taskId: string
  /** From 1; each attempt of a task is a session of its own, with its own sid. */
  readonly attempt: number
}

export interface DkgSpec extends SessionCommon {
  readonly protocol: "dkg"
  readonly groupId: string
  readonly curve: CurveName
  readonly threshold: number
  /** All members, self included, in ascending order of party. */
  readonly members: readonly Member[]
  readonly createdMs: number
  readonly suite?: SetUpSuite
}

/**
 * secp256k1 only. 2: every pair confirms its state before anybody acknowledges (threshold.md 3.5). 3: in addition, members sign with the
 * key before anybody acknowledges (3.8). Absent: suite 1.
 */
export type SetUpSuite = 2 | 3

/** Every suite that a set-up may have been made in: undefined is suite 1. */
export const SET_UP_SUITES: readonly (SetUpSuite | undefined)[] = [undefined, 2, 3]

export type Algorithm = "ecdsa" | "eddsa" | "bip340"

export interface MessageToSign {
  /** Non-hardened indices below 2^31; empty signs under the root key. */
  readonly path: readonly number[]
  /** 32-byte digest for ecdsa and bip340; the whole message for eddsa. */
  readonly message: Bytes
  /** bip340 only: undefined = plain BIP-340; empty = Taproot key path without scripts; 32 bytes = with that merkle root. */
  readonly taproot: Bytes | undefined
  /** The hash of this node's reading of the message's payload, 32 bytes; absent without a payload, and in suite 1. */
  readonly intent?: Bytes
}

/** What a session id from suite 2 on covers in addition to the task: the suite, and 16 random bytes of the start that began it. */
export interface SuiteTerms {
  readonly suite: SetUpSuite
  readonly nonce: Bytes
}

export interface SignSpec<S = GroupSecret> extends SessionCommon {
  readonly protocol: "sign"
  readonly algorithm: Algorithm
  readonly group: GroupPublic
  readonly secret: S
  /** Exactly `threshold` members, self included, ascending. */
  readonly signers: readonly PartyId[]
  readonly messages: readonly MessageToSign[]
  /** Absent: suite 1. */
  readonly terms?: SuiteTerms
}

export interface ReshareSpec<S = GroupSecret> extends SessionCommon {
  readonly protocol: "reshare"
  readonly mode: "extend" | "replace"
  readonly curve: CurveName
  readonly oldGroupId: string
  readonly newGroupId: string
  /** enc(PK), pinned by the approved task. */
  readonly rootPublicKey: Bytes
  /** Also pinned by the task. Both together are the group's extended key, which determines every address. */
  readonly chainCode: Bytes
  readonly oldThreshold: number
  /** Dealers with their old share ids; a node that holds no old record derives them from the node ids in the task. */
  readonly dealers: readonly Member[]
  readonly newThreshold: number
  readonly members: readonly Member[]
  readonly createdMs: number
  readonly suite?: SetUpSuite
  /** This node's own record of the old epoch, if it has one; with the secret only if it is a dealer. */
  readonly old: { readonly group: GroupPublic; readonly secret: S | undefined } | undefined
}

/** The specification as a protocol reads it. */
export type SessionSpec<S = GroupSecret> = DkgSpec | SignSpec<S> | ReshareSpec<S>

/**
 * The specification as a task passes it to the host of the session: the group's secret part is still the bytes that the store held
 * (keys/groupCodec.ts), in a buffer of their own. They are decoded once, where the session runs.
 */
export type EncodedSpec = SessionSpec<Bytes>

export interface MessageSignature {
  /** The key that verifies: 33 bytes (ecdsa), 32 (eddsa), 32 x-only (bip340, Taproot output key). */
  readonly publicKey: Bytes
  /** 64 bytes: r || s big-endian and low-s (ecdsa), R || z (eddsa, bip340). */
  readonly signature: Bytes
  /** ecdsa only: 0..3. */
  readonly recoveryId: number | undefined
}

export type SessionResult =
  /** The new epoch was stored PREPARED and certified by the acks of all participants. */
  | {
      readonly kind: "epoch"
      readonly groupId: string
      readonly epochId: Bytes
      readonly certificate: readonly Bytes[]
    }
  | { readonly kind: "signatures"; readonly signatures: readonly MessageSignature[] }

/** How a session ends; exactly one of these, always. */
export type Ending =
  | { readonly kind: "done"; readonly result: SessionResult }
  | { readonly kind: "blamed"; readonly blame: Blame }
  | { readonly kind: "deadline" }
  | { readonly kind: "cancelled" }
  /** More messages came than the session can ever need; its host would accept no more. */
  | { readonly kind: "flooded" }
  /** The host failed (worker died, out of memory, a broken invariant): no party is to blame. */
  | { readonly kind: "crashed"; readonly reason: string }

export interface SessionIo {
  /** One complete signed envelope for its receiver (or for all participants). Held back until the row is durable. */
  send(envelope: Bytes): void
  /** Resolves when the record is durable; a rejection ends the session as crashed before anything more is sent. */
  record(record: SessionRecord): Promise<void>
  /** Resolves when the blame is durable (a BAN with the erasure of threshold.md 2.5): before the abort, or anything else, is sent. */
  blamed(blame: Blame, sid: Bytes): Promise<void>
  /** Called immediately before the messages of round 2 and later are released; false ends the session (a ban came in). */
  mayRelease(): Promise<boolean>
}

export interface HostIo extends SessionIo {
  /**
   * Called with the session's id. Resolves when its row is durable; nothing is sent before. A rejection (a sid or attempt
   * that was used before) ends the session as crashed.
   */
  begin(sid: Bytes): Promise<void>
}

export interface RunningSession {
  readonly sid: Bytes
  /** Never throws: an envelope that does not belong to the session is dropped and counted. */
  deliver(envelope: Bytes): void
  cancel(reason: "deadline" | "cancelled" | "flooded"): void
  readonly ending: Promise<Ending>
}
