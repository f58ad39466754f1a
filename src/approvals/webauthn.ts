/**
 * Assertions of passkeys (WebAuthn Level 2, 7.2) over a statement. The challenge is SHA-256 of the statement, so even a browser that
 * shows something else signs exactly the statement. Origin and relying party are pinned with the key, and the device must have checked
 * the person twice: presence and verification.
 *
 * The client data is JSON that a browser wrote. Only the one serialisation that WebAuthn fixes (5.8.1.1) is accepted, and no member may
 * occur twice: a reader that takes the first one and a reader that takes the last one would see two challenges.
 */
import { type Bytes, concat, copy, equal, utf8 } from "../bytes.ts"
import { isStrictKey, verifyEd25519 } from "../crypto/ed25519.ts"
import { sha256 } from "../crypto/frame.ts"
import { parseJsonTree } from "../intent/evm/jsonTree.ts"
import { attempt } from "../intent/problem.ts"
import { isP256Key, verifyP256 } from "./p256.ts"
import type { Unfit } from "./statement.ts"

/** A credential as a node's file pins it. */
export interface Passkey {
  readonly credentialId: Bytes
  readonly publicKey: CoseKey
  /** `approvals.example.com`. */
  readonly rpId: string
  /** `https://approvals.example.com`. */
  readonly origin: string
}

interface CoseKey {
  readonly algorithm: "ES256" | "EdDSA"
  /** The uncompressed point, or 32 bytes of Ed25519. */
  readonly key: Bytes
}

export interface Assertion {
  readonly credentialId: Bytes
  readonly authenticatorData: Bytes
  readonly clientDataJson: Bytes
  readonly signature: Bytes
}

export const MAX_CREDENTIAL_ID = 1023
export const MAX_AUTHENTICATOR_DATA = 1024
export const MAX_CLIENT_DATA = 2048
export const MAX_ASSERTION_SIGNATURE = 128

const USER_PRESENT = 0x01
const USER_VERIFIED = 0x04
const ATTESTED = 0x40
const EXTENSIONS = 0x80
/** rpIdHash, flags, counter. */
const DATA_LENGTH = 37

// CTAP2 writes COSE keys in one canonical CBOR, so the bytes before and between the coordinates never vary.
const EC2_HEAD = Uint8Array.of(0xa5, 0x01, 0x02, 0x03, 0x26, 0x20, 0x01, 0x21, 0x58, 0x20)
const EC2_BETWEEN = Uint8Array.of(0x22, 0x58, 0x20)
const OKP_HEAD = Uint8Array.of(0xa4, 0x01, 0x01, 0x03, 0x27, 0x20, 0x06, 0x21, 0x58, 0x20)

/** A COSE_Key (RFC 9052 7) of ES256 on P-256 or of EdDSA on Ed25519, as authenticators write it. */
export function readCoseKey(bytes: Uint8Array): CoseKey | Unfit {
  if (startsWith(bytes, EC2_HEAD) && bytes.length === 77 && equal(bytes.subarray(42, 45), EC2_BETWEEN)) {
    const key = concat(Uint8Array.of(4), bytes.subarray(10, 42), bytes.subarray(45))
    return isP256Key(key) ? { algorithm: "ES256", key } : { problem: "its point is not on P-256" }
  }
  if (startsWith(bytes, OKP_HEAD) && bytes.length === 42) {
    const key = copy(bytes.subarray(10))
    return isStrictKey(key) ? { algorithm: "EdDSA", key } : { problem: "its point is not a key of Ed25519" }
  }
  return { problem: "neither an ES256 key on P-256 nor an EdDSA key on Ed25519 in COSE's canonical form" }
}

const startsWith = (bytes: Uint8Array, head: Uint8Array): boolean => equal(bytes.subarray(0, head.length), head)

/** Returns undefined if the assertion is the passkey's signature over `message`, otherwise why it is not. */
export function problemOfAssertion(assertion: Assertion, message: Uint8Array, passkey: Passkey): string | undefined {
  const { credentialId, authenticatorData, clientDataJson, signature } = assertion
  if (!equal(credentialId, passkey.credentialId)) return "it was made with another passkey"
  const amiss = problemOfClientData(clientDataJson, message, passkey) ?? problemOfData(authenticatorData, passkey)
  if (amiss !== undefined) return amiss
  const signed = concat(authenticatorData, sha256(clientDataJson))
  const { algorithm, key } = passkey.publicKey
  const isValid =
    algorithm === "ES256" ? verifyP256(key, signed, signature, "der") : verifyEd25519(key, signed, signature)
  return isValid ? undefined : "it does not verify"
}

function problemOfData(data: Uint8Array, { rpId }: Passkey): string | undefined {
  if (data.length < DATA_LENGTH || data.length > MAX_AUTHENTICATOR_DATA)
    return "its authenticator data has no fit length"
  if (!equal(data.subarray(0, 32), sha256(utf8(rpId)))) return "it was made for another relying party"
  const flags = data[32] ?? 0
  if ((flags & USER_PRESENT) === 0) return "nobody was present"
  if ((flags & USER_VERIFIED) === 0) return "nobody was verified: no PIN, finger or face"
  if ((flags & ATTESTED) !== 0) return "it carries a new credential, which no assertion does"
  if ((flags & EXTENSIONS) === 0 && data.length !== DATA_LENGTH) return "its authenticator data is longer than it says"
  return undefined
}

const challengeOf = (message: Uint8Array): string => Buffer.from(sha256(message)).toString("base64url")

/** WebAuthn 5.8.1.1 fixes how a client writes these members, in this order. Members that a client adds come after them. */
function problemOfClientData(json: Uint8Array, message: Uint8Array, { origin }: Passkey): string | undefined {
  if (json.length > MAX_CLIENT_DATA) return "its client data is too long"
  const tree = attempt(() => parseJsonTree(json))
  if ("code" in tree || tree.kind !== "object") return "its client data is no JSON, or a member stands twice in it"
  const said = (name: string): string | undefined => {
    const node = tree.members.get(name)
    return node?.kind === "text" ? node.text : node?.kind
  }
  if (said("type") !== "webauthn.get") return "it is no assertion"
  if (said("challenge") !== challengeOf(message)) return "it was made for another statement"
  if (said("origin") !== origin) return "it was made at another origin"
  // Clients of Level 1 do not send it.
  if ((said("crossOrigin") ?? "false") !== "false" || tree.members.has("topOrigin")) {
    return "it was made in a frame of another origin"
  }
  const head = `{"type":"webauthn.get","challenge":"${challengeOf(message)}","origin":${JSON.stringify(origin)}`
  return startsWith(json, utf8(head)) ? undefined : "its client data is not written as WebAuthn says"
}
