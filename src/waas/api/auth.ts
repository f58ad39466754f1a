/**
 * Who calls: the API key, its signature over the request, the rate it may call at, and that a request is carried out
 * once. The headers are judged before a byte of the body is read. Every failure before the signature is proven reads the
 * same to the caller.
 */

import { type Bytes, fromHex, toHex } from "../../bytes.ts"
import { TokenBucket } from "../../tokenBucket.ts"
import { verifiesApiSignature } from "../apiKey.ts"
import { ApiFailure } from "../failure.ts"
import { isAmong } from "../networks.ts"
import type { ApiKey, ApiRole } from "../store/model.ts"
import type { WaasStore } from "../store/store.ts"
import { type RequestTarget, signedHash, signedStrings } from "./canonical.ts"

interface ApiCall {
  readonly method: string
  readonly target: RequestTarget
  /** UTF-8 text exactly as sent; empty without a body. */
  readonly body: string
}

/** Somebody who named a key that is known. Nothing is proven yet. */
interface ClaimedKey {
  readonly publicKey: string
  /** Rejects with 2024 (who are you, or when was that) and 2026 (too fast). */
  prove(call: ApiCall): Promise<ApiKey>
}

export interface AuthLimits {
  readonly requestsPerSecond: number
  readonly burst: number
}

/** How far a nonce, which is the caller's time in milliseconds, may be from this clock. */
const NONCE_WINDOW_MS = 300_000
const NONCE = /^[1-9]\d{0,15}$/
const KEY = /^(?:[0-9a-f]{64}|[0-9a-f]{66})$/
/** DER of two 33-byte integers has 72 bytes. */
const MAX_SIGNATURE = 72

type ApiKeyStore = Pick<WaasStore, "apiKey" | "spendNonce">

/** Rejects with 2024 for headers that no key of ours sent; nothing of the request but its headers is looked at. */
export type Authenticate = (headers: Headers) => Promise<ClaimedKey>

export function authenticator(store: ApiKeyStore, now: () => number, limits: AuthLimits): Authenticate {
  const mayCall = rateLimit(now, limits)
  return async (headers) => {
    const key = headers.get("biz-api-key")?.toLowerCase() ?? ""
    const nonce = headers.get("biz-api-nonce") ?? ""
    const signature = fromHex(headers.get("biz-api-signature")?.toLowerCase() ?? "")
    if (!KEY.test(key) || !NONCE.test(nonce) || signature === undefined || signature.length > MAX_SIGNATURE) {
      throw denied()
    }
    // At once: to verify for strangers would let them keep WaaS busy, and nobody can guess a key that is known.
    const known = await store.apiKey(key)
    if (known === undefined || known.revokedMs !== undefined) throw denied()
    return {
      publicKey: known.publicKey,
      async prove(call) {
        const covered = coveredHash(known.publicKey, call, nonce, signature)
        if (covered === undefined) throw denied()
        if (!mayCall(key)) throw new ApiFailure(2026, "too many requests with this API key; slow down")
        requireRecent(Number(nonce), now())
        if (call.method !== "GET") await spend(store, now(), known, covered)
        return known
      },
    }
  }
}

/** The caller has proven its key by now, so it may learn how far its clock is off. */
function requireRecent(nonceMs: number, nowMs: number): void {
  const behindMs = nowMs - nonceMs
  if (Math.abs(behindMs) <= NONCE_WINDOW_MS) return
  const seconds = Math.round(Math.abs(behindMs) / 1000)
  throw new ApiFailure(
    2024,
    `BIZ-API-NONCE is the time in milliseconds, at most ${NONCE_WINDOW_MS / 1000} s from ours; it is ${seconds} s ${behindMs > 0 ? "behind" : "ahead"}: sign the request again, and check the clock`,
  )
}

/** The hash that the signature verifies over, if there is one. Every candidate is tried, whichever fits. */
function coveredHash(publicKey: string, call: ApiCall, nonce: string, signature: Bytes): Bytes | undefined {
  const hashes = signedStrings(call.method, call.target, nonce, call.body).map(signedHash)
  const fitting = hashes.filter((hash) => verifiesApiSignature(publicKey, hash, signature))
  return fitting[0]
}

/**
 * The hash covers key holder's nonce, method, path and body: the same hash under the same key is the same request again.
 * Recorded only for requests that are proven, so that a stranger can neither fill nor read the memory; until its nonce is too
 * old, so that no number of other requests makes room for a replay. The rate of a key bounds how many there are.
 */
async function spend(store: ApiKeyStore, nowMs: number, key: ApiKey, hash: Bytes): Promise<void> {
  const fresh = await store.spendNonce(`${key.publicKey}:${toHex(hash)}`, nowMs, 2 * NONCE_WINDOW_MS)
  if (!fresh) throw new ApiFailure(2024, "this very request was received before; sign it again with a new nonce")
}

const RANK: Readonly<Record<ApiRole, number>> = { read: 0, approve: 1, operate: 2, admin: 3 }

/** Throws 2025. */
export function requireRole(role: ApiRole, least: ApiRole): void {
  if (RANK[role] >= RANK[least]) return
  throw new ApiFailure(2025, `this API key has the role ${role}, and this needs ${least}`)
}

/** Throws 2025 for a key that has a list in which the address is not. Only a proven caller gets here, so it may be told. */
export function requireAddress(allowed: readonly string[], from: string | undefined): void {
  if (allowed.length === 0 || (from !== undefined && isAmong(allowed, from))) return
  throw new ApiFailure(2025, `this API key is not used from ${from ?? "an address that is not known"}`)
}

const denied = (): ApiFailure => new ApiFailure(2024, "signature verification failed")

/** A token bucket per key. Only proven keys have one, so there are as many as there are keys. */
function rateLimit(now: () => number, { requestsPerSecond, burst }: AuthLimits): (key: string) => boolean {
  const buckets = new Map<string, TokenBucket>()
  return (key) => {
    const bucket = buckets.get(key) ?? new TokenBucket({ burst, perSecond: requestsPerSecond }, now())
    buckets.set(key, bucket)
    return bucket.take(now())
  }
}
