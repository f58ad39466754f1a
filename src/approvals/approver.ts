/** Who may approve: a name and its keys (an SSH key, a passkey or both), and the check that a signature over a statement was made with that key. */
import { type Bytes, concat, u8 } from "../bytes.ts"
import { ByteReader, block, Malformed } from "../codec.ts"
import type { SshKey } from "./sshKey.ts"
import { MAX_SSHSIG_BYTES, problemOfSshsig } from "./sshsig.ts"
import { MAX_STATEMENT_BYTES, type Unfit } from "./statement.ts"
import {
  type Assertion,
  MAX_ASSERTION_SIGNATURE,
  MAX_AUTHENTICATOR_DATA,
  MAX_CLIENT_DATA,
  MAX_CREDENTIAL_ID,
  type Passkey,
  problemOfAssertion,
} from "./webauthn.ts"

/** The purposes of signatures. A signature made for one purpose does not count for another. */
export type SignatureNamespace = "cosigner-approval" | "cosigner-policy" | "cosigner-freeze" | "cosigner-operation"

type ApproverKey =
  | { readonly kind: "ssh"; readonly ssh: SshKey }
  | { readonly kind: "passkey"; readonly passkey: Passkey }

export interface Approver {
  readonly name: string
  /** At least one, at most one of each kind. A signature by any one of them counts. */
  readonly keys: readonly ApproverKey[]
}

export type ApproverSignature =
  /** The bytes inside the armor. */
  { readonly kind: "ssh"; readonly blob: Bytes } | { readonly kind: "passkey"; readonly assertion: Assertion }

/** A statement as it travels: its bytes and the signature that came with them. */
export interface SignedStatement {
  readonly statement: Bytes
  readonly signature: ApproverSignature
}

/**
 * Returns undefined if `signature` is this approver's signature over exactly these bytes, otherwise why it is not. A passkey has no
 * namespaces. Its challenge covers the statement, whose first line names its purpose, so every text signed with passkeys must begin
 * with such a line.
 */
export function problemOfSigned(
  statement: Uint8Array,
  signature: ApproverSignature,
  { keys }: Approver,
  namespace: SignatureNamespace,
): string | undefined {
  if (signature.kind === "ssh") {
    const key = keys.find((one) => one.kind === "ssh")
    if (key === undefined) return "an SSH key signed where a passkey is configured"
    return problemOfSshsig(signature.blob, statement, key.ssh, namespace)
  }
  const key = keys.find((one) => one.kind === "passkey")
  if (key === undefined) return "a passkey signed where an SSH key is configured"
  return problemOfAssertion(signature.assertion, statement, key.passkey)
}

const KINDS = ["ssh", "passkey"] as const

/** The encoding in frames and records. */
export function encodeSignedStatement({ statement, signature }: SignedStatement): Bytes {
  const head = concat(block(statement), u8(KINDS.indexOf(signature.kind)))
  if (signature.kind === "ssh") return concat(head, block(signature.blob))
  const { credentialId, authenticatorData, clientDataJson, signature: bytes } = signature.assertion
  return concat(head, block(credentialId), block(authenticatorData), block(clientDataJson), block(bytes))
}

export const MAX_SIGNED_BYTES = MAX_STATEMENT_BYTES + 8192

export function decodeSignedStatement(bytes: Uint8Array): SignedStatement | Unfit {
  try {
    const from = new ByteReader(bytes)
    const statement = from.block(1, MAX_STATEMENT_BYTES)
    const signature = signatureFrom(from)
    from.end()
    return { statement, signature }
  } catch (error) {
    if (error instanceof Malformed) return { problem: `not a signed statement: ${error.message}` }
    throw error
  }
}

function signatureFrom(from: ByteReader): ApproverSignature {
  if (from.oneOf(KINDS) === "ssh") return { kind: "ssh", blob: from.block(1, MAX_SSHSIG_BYTES) }
  const credentialId = from.block(1, MAX_CREDENTIAL_ID)
  const authenticatorData = from.block(1, MAX_AUTHENTICATOR_DATA)
  const clientDataJson = from.block(1, MAX_CLIENT_DATA)
  const signature = from.block(1, MAX_ASSERTION_SIGNATURE)
  return { kind: "passkey", assertion: { credentialId, authenticatorData, clientDataJson, signature } }
}
