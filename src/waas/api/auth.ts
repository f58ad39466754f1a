/**
 * Authentication of callers (formats.md 7.1): the API key, its signature over the request, its rate, and that no request is carried out
 * twice. The headers are judged before any byte of the body is read. Before the signature is verified, every failure has the same
 * answer.
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

/** A known key that the caller has named, but not proven yet. */
interface ClaimedKey {
  readonly publicKey: string
  /** Verifies the request. Rejects with 2024 (wrong signature, old or repeated nonce) and 2026 (too many requests). */
  prove(call: ApiCall): Promise<ApiKey>
}

export interface AuthLimits {
  readonly requestsPerSecond: number
  readonly burst: number
}

/** How far a nonce, which is the caller's time in milliseconds, may differ from this clock. */
const NONCE_WINDOW_MS = 300_000
const NONCE = /^[1-9]\d{0,15}$/
const KEY = /^(?:[0-9a-f]{64}|[0-9a-f]{66})$/
/** The longest signature: DER of two integers of 33 bytes. */
const MAX_SIGNATURE = 72

type ApiKeyStore = Pick<WaasStore, "apiKey" | "spendNonce">

/** Looks only at the headers. Rejects with 2024 if they are malformed or name no valid API key. */
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
    // This answer comes without a verification, and its time may tell that a key is unknown. Nobody can guess a known key, and strangers
    // must not be able to keep WaaS busy with verifications.
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

/** Refuses old and future nonces. The caller has proven its key by now, so it may learn how far its clock is off. */
function requireRecent(nonceMs: number, nowMs: number): void {
  const behindMs = nowMs - nonceMs
  if (Math.abs(behindMs) <= NONCE_WINDOW_MS) return
  const seconds = Math.round(Math.abs(behindMs) / 1000)
  throw new ApiFailure(
    2024,
    `BIZ-API-NONCE is the time in milliseconds, at most ${NONCE_WINDOW_MS / 1000} s from ours; it is ${seconds} s ${behindMs > 0 ? "behind" : "ahead"}: sign the request again, and check the clock`,
  )
}

/** The hash over which the signature verifies; undefined if there is none. All candidates are tried, also after one has fitted. */
function coveredHash(publicKey: string, call: ApiCall, nonce: string, signature: Bytes): Bytes | undefined {
  const hashes = signedStrings(call.method, call.target, nonce, call.body).map(signedHash)
  const fitting = hashes.filter((hash) => verifiesApiSignature(publicKey, hash, signature))
  return fitting[0]
}

/**
 * Records the request and refuses it if it came before. The hash covers method, path, nonce, query and body, so an equal hash under the
 * same key is the same request. Only proven requests are recorded, so that strangers can neither fill nor probe the memory. A record
 * stays until its nonce is too old, so that no number of other requests makes a replay possible; the rate of each key bounds their
 * number.
 */
async function spend(store: ApiKeyStore, nowMs: number, key: ApiKey, hash: Bytes): Promise<void> {
  const fresh = await store.spendNonce(`${key.publicKey}:${toHex(hash)}`, nowMs, 2 * NONCE_WINDOW_MS)
  if (!fresh) throw new ApiFailure(2024, "this very request was received before; sign it again with a new nonce")
}

const RANK: Readonly<Record<ApiRole, number>> = { read: 0, approve: 1, operate: 2, admin: 3 }

/** Throws 2025 for a key whose role is below `least`. */
export function requireRole(role: ApiRole, least: ApiRole): void {
  if (RANK[role] >= RANK[least]) return
  throw new ApiFailure(2025, `this API key has the role ${role}, and this needs ${least}`)
}

/** Throws 2025 if the key has a list of addresses and `from` is not in it. Only proven callers get here, so the reason may be told. */
export function requireAddress(allowed: readonly string[], from: string | undefined): void {
  if (allowed.length === 0 || (from !== undefined && isAmong(allowed, from))) return
  throw new ApiFailure(2025, `this API key is not used from ${from ?? "an address that is not known"}`)
}

const denied = (): ApiFailure => new ApiFailure(2024, "signature verification failed")

/** One token bucket per key. Only proven keys get one, so the number of keys bounds them. */
function rateLimit(now: () => number, { requestsPerSecond, burst }: AuthLimits): (key: string) => boolean {
  const buckets = new Map<string, TokenBucket>()
  return (key) => {
    const bucket = buckets.get(key) ?? new TokenBucket({ burst, perSecond: requestsPerSecond }, now())
    buckets.set(key, bucket)
    return bucket.take(now())
  }
}
