/** Commitments (threshold.md 1.6). Each is bound to session, purpose and party, so another party gains nothing by copying one. */
import { type Bytes, secretEqual, utf8 } from "../bytes.ts"
import { H } from "./frame.ts"

/** The party that a commitment or a proof is bound to: its 32-byte node id, and sc(x) of its share id in this group. */
export interface Speaker {
  readonly nodeId: Bytes
  readonly shareId: Bytes
}

/** deal: commits to the polynomial of a set-up. sign: commits to the nonces of an ECDSA signature. */
export type Purpose = "deal" | "sign"

export const SALT_LENGTH = 32
export const COMMITMENT_LENGTH = 32

/** H("com"; sid, purpose, node id, sc(x), message, salt), 32 bytes. The caller draws 32 fresh bytes of salt for each commitment. */
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
