/**
 * Who calls: the API key, its signature over the request, the rate it may call at, and that a request is carried out
 * once. Every failure before the signature is proven reads the same to the caller.
 */

import { type Bytes, fromHex, toHex } from "../../bytes.ts"
import { TokenBucket } from "../../tokenBucket.ts"
import { verifiesApiSignature } from "../apiKey.ts"
import { ApiFailure } from "../failure.ts"
import type { ApiKey } from "../store/model.ts"
import type { Store } from "../store/store.ts"
import { signedHash, signedStrings, type Target } from "./canonical.ts"

export interface Call {
  readonly method: string
  readonly target: Target
  readonly headers: Headers
  /** UTF-8 text exactly as sent; empty without a body. */
  readonly body: string
}

export interface AuthLimits {
  readonly requestsPerSecond: number
  readonly burst: number
  /** How long the nonce of a POST or PUT is remembered, and how many of them. */
  readonly nonceWindowMs: number
  readonly nonces: number
}

const MAX_NONCE = 128
const KEY = /^(?:[0-9a-f]{64}|[0-9a-f]{66})$/
/** DER of two 33-byte integers has 72 bytes. */
const MAX_SIGNATURE = 72

type Keys = Pick<Store, "apiKey" | "spendNonce">

export type Authenticate = (call: Call) => Promise<ApiKey>

/** Rejects with 2024 (who are you), 2026 (too fast). */
export function authenticator(store: Keys, now: () => number, limits: AuthLimits): Authenticate {
  const mayCall = rateLimit(now, limits)
  return async (call) => {
    const key = call.headers.get("biz-api-key")?.toLowerCase() ?? ""
    const nonce = call.headers.get("biz-api-nonce") ?? ""
    const signature = fromHex(call.headers.get("biz-api-signature")?.toLowerCase() ?? "")
    const wellFormed = KEY.test(key) && nonce !== "" && nonce.length <= MAX_NONCE
    if (!wellFormed || signature === undefined || signature.length > MAX_SIGNATURE) throw denied()
    // At once: to verify for strangers would let them keep WaaS busy, and nobody can guess a key that is known.
    const known = await store.apiKey(key)
    if (known === undefined || known.revokedMs !== undefined) throw denied()
    const covered = coveredHash(known.publicKey, call, nonce, signature)
    if (covered === undefined) throw denied()
    if (!mayCall(key)) throw new ApiFailure(2026, "too many requests with this API key; slow down")
    if (call.method !== "GET") await spend(store, now(), limits, known, covered)
    return known
  }
}

/** The hash that the signature verifies over, if there is one. Every candidate is tried, whichever fits. */
function coveredHash(publicKey: string, call: Call, nonce: string, signature: Bytes): Bytes | undefined {
  const hashes = signedStrings(call.method, call.target, nonce, call.body).map(signedHash)
  const fitting = hashes.filter((hash) => verifiesApiSignature(publicKey, hash, signature))
  return fitting[0]
}

/**
 * The hash covers key holder's nonce, method, path and body: the same hash under the same key is the same request again.
 * Recorded only for requests that are proven, so that a stranger can neither fill nor read the memory.
 */
async function spend(store: Keys, nowMs: number, limits: AuthLimits, key: ApiKey, hash: Bytes): Promise<void> {
  const fresh = await store.spendNonce(`${key.publicKey}:${toHex(hash)}`, nowMs, limits.nonceWindowMs, limits.nonces)
  if (!fresh) throw new ApiFailure(2024, "this very request was received before; sign it again with a new nonce")
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
