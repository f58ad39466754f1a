/**
 * A new passkey of an approver: takes its public half from what the browser's device made, and has a first signature prove it. Nothing is
 * stored here: the result is the entry that the nodes' operator adds to their configuration.
 */
import { randomBytes } from "node:crypto"
import { APPROVER_NAME } from "../../approvals/statement.ts"
import { type Assertion, type Passkey, problemOfAssertion, readCoseKey } from "../../approvals/webauthn.ts"
import { type Bytes, copy, toHex, utf8 } from "../../bytes.ts"
import { ByteReader, Malformed } from "../../codec.ts"

/** Where passkeys of a page belong. */
export interface PagePlace {
  /** `https://approvals.example.com`. */
  readonly origin: string
  /** Its host. */
  readonly rpId: string
}

const ATTESTED = 0x40
/** rpIdHash, flags, counter; then the id of the device's model. */
const BEFORE_FLAGS = 32
const COUNTER_BYTES = 4
const AAGUID_BYTES = 16
/** The lengths of the COSE form of the two kinds of key that are accepted. */
const KEY_LENGTHS = [77, 42] as const

interface NewPasskey {
  readonly passkey: Passkey
  /** Its public key as the device wrote it. */
  readonly cose: Bytes
}

/** The passkey in a new credential's authenticator data; a text says what is wrong. */
export function newPasskey(authenticatorData: Bytes, { origin, rpId }: PagePlace): NewPasskey | string {
  try {
    const from = new ByteReader(authenticatorData)
    from.view(BEFORE_FLAGS)
    if ((from.u8() & ATTESTED) === 0) return "it tells of no new credential"
    from.view(COUNTER_BYTES + AAGUID_BYTES)
    const credentialId = copy(from.window(2, 1, 1023))
    const rest = from.rest()
    for (const length of KEY_LENGTHS) {
      const cose = copy(rest.subarray(0, length))
      const publicKey = readCoseKey(cose)
      if (!("problem" in publicKey)) return { passkey: { credentialId, publicKey, rpId, origin }, cose }
    }
    return "its key is neither ES256 nor EdDSA"
  } catch (error) {
    if (error instanceof Malformed) return `its data is cut: ${error.message}`
    throw error
  }
}

const FIRST_LINE = "cosigner passkey v1"

/** The statement that the new passkey signs to prove possession. */
export const possessionStatement = (name: string, { credentialId }: Passkey): string =>
  `${FIRST_LINE}\nname: ${name}\ncredential: ${base64(credentialId)}\nnonce: ${toHex(randomBytes(16))}\n`

const NONCE_LINE = /^nonce: [0-9a-f]{32}$/

/** Undefined if the passkey signed that statement. */
export function problemOfPossession(
  name: string,
  passkey: Passkey,
  statement: string,
  assertion: Assertion,
): string | undefined {
  if (!APPROVER_NAME.test(name)) return "that is no name of an approver"
  const [first, named, credential, nonce = "", end] = statement.split("\n")
  const isIts =
    first === FIRST_LINE &&
    named === `name: ${name}` &&
    credential === `credential: ${base64(passkey.credentialId)}` &&
    NONCE_LINE.test(nonce) &&
    end === ""
  return isIts ? problemOfAssertion(assertion, utf8(statement), passkey) : "the statement is about another passkey"
}

const base64Url = (bytes: Uint8Array): string => Buffer.from(bytes).toString("base64url")

/** The entry for the nodes' configuration and the page's approvers file. */
export const passkeyEntry = (name: string, { passkey, cose }: NewPasskey): string =>
  [
    "[[approvers]]",
    `name = "${name}"`,
    `credential_id = "${base64Url(passkey.credentialId)}"`,
    `public_key = "${base64Url(cose)}"`,
    `rp_id = "${passkey.rpId}"`,
    `origin = "${passkey.origin}"`,
    "",
  ].join("\n")

export const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString("base64")
