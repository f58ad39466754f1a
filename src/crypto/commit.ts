/** Commitments (threshold.md 1.6): bound to the session, to their purpose and to whoever opens them, so that a copy is worthless. */
import { type Bytes, secretEqual, utf8 } from "../bytes.ts"
import { H } from "./frame.ts"

/** Whom a commitment or a proof is bound to: the 32-byte node id and sc(x), its share id in this group. */
export interface Speaker {
  readonly nodeId: Bytes
  readonly shareId: Bytes
}

/** deal: the polynomial of a set-up. sign: the nonces of an ECDSA signature. */
export type Purpose = "deal" | "sign"

export const SALT_LENGTH = 32
export const COMMITMENT_LENGTH = 32

/** H("com"; sid, purpose, node id, sc(x), message, salt). The salt is 32 fresh bytes, never used again. */
export const commitTo = (sid: Bytes, speaker: Speaker, purpose: Purpose, message: Bytes, salt: Bytes): Bytes =>
  H("com", sid, utf8(purpose), speaker.nodeId, speaker.shareId, message, salt)

export const opens = (
  commitment: Bytes,
  sid: Bytes,
  speaker: Speaker,
  purpose: Purpose,
  message: Bytes,
  salt: Bytes,
): boolean => secretEqual(commitment, commitTo(sid, speaker, purpose, message, salt))
