/**
 * TSS_JWT_MSG, the signed token that the node and its callback and event servers exchange (formats.md 1.2): RS256 only, over
 * {package_data: base64 of the body, exp, iss}. Owns making and opening tokens; callback/ and events/ own the bodies.
 */
import type { KeyObject } from "node:crypto"
import { CompactSign, compactVerify, decodeProtectedHeader, errors } from "jose"
import { utf8 } from "../bytes.ts"
import { CosignerError } from "../errors.ts"

/** The name of the form field with the token; the form has no other. */
export const FORM_FIELD = "TSS_JWT_MSG"

/** How far the two clocks may differ. */
const CLOCK_SKEW_MS = 60_000

const MIN_RSA_BITS = 2048
/** Larger keys add no useful security and make verification slow. */
const MAX_RSA_BITS = 8192

/** Signs `body` as a token that is valid until `expiresMs`. */
export type SignToken = (body: string, expiresMs: number) => Promise<string>

/** Throws E-RSK-132 unless the key is a private RSA key of 2048 to 8192 bits; `what` names the key in the error. */
export function tokenSigner(privateKey: KeyObject, what: string): SignToken {
  const problem = privateKey.type !== "private" ? "it is not a private key" : rsaProblem(privateKey)
  if (problem !== undefined) throw new CosignerError("E-RSK-132", { what, problem })
  return (body, expiresMs) => {
    const claims = { package_data: utf8(body).toBase64(), exp: Math.floor(expiresMs / 1000), iss: "" }
    return new CompactSign(utf8(JSON.stringify(claims)))
      .setProtectedHeader({ alg: "RS256", typ: "JWT" })
      .sign(privateKey)
  }
}

/** Why the key cannot be used (kind or size), as the end of a sentence; undefined if it can. */
export function rsaProblem(key: KeyObject): string | undefined {
  if (key.asymmetricKeyType !== "rsa") return `it is a key of type ${key.asymmetricKeyType ?? "unknown"}, not RSA`
  const bits = key.asymmetricKeyDetails?.modulusLength ?? 0
  if (bits < MIN_RSA_BITS) return `it has ${bits} bits, fewer than ${MIN_RSA_BITS}`
  return bits > MAX_RSA_BITS ? `it has ${bits} bits, more than ${MAX_RSA_BITS}` : undefined
}

export type TokenFault = "notToken" | "algorithm" | "signature" | "expired" | "future" | "claims"

type OpenedToken =
  | {
      readonly ok: true
      /** The decoded package_data. */
      readonly body: string
      readonly expiresMs: number
      /** The sender's clock when it signed (`iat`), if the token says it. */
      readonly issuedMs: number | undefined
    }
  | {
      readonly ok: false
      readonly fault: TokenFault
      readonly reason: string
      /** By how much the sender's clock seems to be ahead of ours, ms; undefined if the token does not tell. */
      readonly skewMs: number | undefined
    }

/** Verifies algorithm, signature and times. Ignores claims other than package_data, exp, nbf and iat. */
export async function openToken(token: string, publicKey: KeyObject, nowMs: number): Promise<OpenedToken> {
  try {
    const { payload } = await compactVerify(token, publicKey, { algorithms: ["RS256"] })
    return readClaims(payload, nowMs)
  } catch (error) {
    if (error instanceof errors.JOSEAlgNotAllowed) return fault("algorithm", algorithmOf(token))
    if (error instanceof errors.JWSSignatureVerificationFailed) {
      return fault("signature", "another key signed it, or it was altered")
    }
    if (error instanceof errors.JOSEError) return fault("notToken", `it is not a compact JWS (${error.code})`)
    throw error
  }
}

/** The algorithm that the header claims; only for the error text. */
const algorithmOf = (token: string): string => JSON.stringify(decodeProtectedHeader(token).alg).slice(0, 40)

function readClaims(payload: Uint8Array, nowMs: number): OpenedToken {
  const claims = parseObject(payload)
  if (claims === undefined) return fault("claims", "its payload is no JSON object")
  const { package_data: packed, exp } = claims
  // Some servers send absent claims as null.
  const nbf = claims["nbf"] ?? undefined
  const iat = claims["iat"] ?? undefined
  if (typeof exp !== "number" || !optionalNumber(nbf) || !optionalNumber(iat)) {
    return fault("claims", "exp is missing, or exp, nbf or iat is not a number")
  }
  const issuedMs = iat === undefined ? undefined : iat * 1000
  const ahead = Math.max(nbf === undefined ? 0 : nbf * 1000 - nowMs, issuedMs === undefined ? 0 : issuedMs - nowMs)
  if (ahead > CLOCK_SKEW_MS) return fault("future", apart(ahead, "ahead of"), ahead)
  const late = nowMs - exp * 1000
  if (late >= CLOCK_SKEW_MS) {
    return fault(
      "expired",
      `it expired ${seconds(late)} s ago by our clock`,
      issuedMs === undefined ? undefined : issuedMs - nowMs,
    )
  }
  const body = typeof packed === "string" ? decodeStandardBase64(packed) : undefined
  if (body === undefined) return fault("claims", "package_data is not text in standard padded base64")
  return { ok: true, body, expiresMs: exp * 1000, issuedMs }
}

const seconds = (ms: number): number => Math.round(ms / 1000)
const apart = (ms: number, how: string): string =>
  `its clock is ${seconds(ms)} s ${how} ours (limit ${seconds(CLOCK_SKEW_MS)} s)`
const optionalNumber = (value: unknown): value is number | undefined => value === undefined || typeof value === "number"

const fault = (kind: TokenFault, reason: string, skewMs?: number): OpenedToken => ({
  ok: false,
  fault: kind,
  reason,
  skewMs,
})

function parseObject(payload: Uint8Array): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(decodeText(payload))
    return typeof value === "object" && value !== null && !Array.isArray(value) ? { ...value } : undefined
  } catch {
    return undefined
  }
}

function decodeStandardBase64(text: string): string | undefined {
  try {
    const bytes = Uint8Array.fromBase64(text)
    // Only the canonical spelling: padded, without white space, without stray bits.
    return bytes.toBase64() === text ? decodeText(bytes) : undefined
  } catch {
    return undefined
  }
}

const decodeText = (bytes: Uint8Array): string => new TextDecoder("utf-8", { fatal: true }).decode(bytes)
