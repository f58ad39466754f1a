/**
 * The token of WaaS: how far its database has come, signed with its key (formats.md 14.1). Nodes follow the newest token that they
 * were shown and refuse an older one. So if two copies of one WaaS run, or an older copy was restored, the older one is fenced off.
 * Pure.
 */
import { type Bytes, concat, equal, u64be } from "../bytes.ts"
import type { ByteReader } from "../codec.ts"
import { verifyEd25519 } from "../crypto/ed25519.ts"
import { frame } from "../crypto/frame.ts"
import { onceSigned, type RemoteSigner, type Signer } from "./signed.ts"

export interface WaasToken {
  /** An operator's decision to continue from an older copy, or from none, raises it. The copy with the higher one is the newer. */
  readonly incarnation: number
  /** Rises at every start and every few seconds while WaaS runs. */
  readonly mark: number
  /** 16 random bytes of this mark: two copies with the same counts differ in them. */
  readonly markId: Bytes
}

export interface SignedWaasToken {
  readonly token: WaasToken
  readonly signature: Bytes
}

export const MARK_ID_BYTES = 16
const SIGNATURE_BYTES = 64

const encodeToken = ({ incarnation, mark, markId }: WaasToken): Bytes => concat(u64be(incarnation), u64be(mark), markId)

export const encodeSignedToken = ({ token, signature }: SignedWaasToken): Bytes => concat(encodeToken(token), signature)

export function readSignedToken(from: ByteReader): SignedWaasToken {
  const [incarnation, mark] = [from.u64(), from.u64()]
  const markId = from.take(MARK_ID_BYTES)
  return { token: { incarnation, mark, markId }, signature: from.take(SIGNATURE_BYTES) }
}

const signedBytes = (token: WaasToken): Bytes => frame("waas/token", encodeToken(token))

export function signToken(by: Signer, token: WaasToken): SignedWaasToken
export function signToken(by: RemoteSigner, token: WaasToken): SignedWaasToken | Promise<SignedWaasToken>
export function signToken(by: RemoteSigner, token: WaasToken) {
  return onceSigned(by.sign(signedBytes(token)), (signature): SignedWaasToken => ({ token, signature }))
}

export const isTokenOf = (waasKey: Uint8Array, { token, signature }: SignedWaasToken): boolean =>
  verifyEd25519(waasKey, signedBytes(token), signature)

/** Whether `now` is as new as `seen` or newer. At the same mark the ids must be equal, because a mark belongs to one copy. */
export function isNewestWaas(now: WaasToken, seen: WaasToken | undefined): boolean {
  if (seen === undefined) return true
  if (now.incarnation !== seen.incarnation) return now.incarnation > seen.incarnation
  return now.mark === seen.mark ? equal(now.markId, seen.markId) : now.mark > seen.mark
}

export const isSameToken = (a: WaasToken, b: WaasToken): boolean =>
  a.incarnation === b.incarnation && a.mark === b.mark && equal(a.markId, b.markId)

/** The token as error texts and logs show it. */
export const tokenText = ({ incarnation, mark }: WaasToken): string => `incarnation ${incarnation}, mark ${mark}`
