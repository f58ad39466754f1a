/** A signed statement as JSON: in REST bodies, callback bodies, lists and files of people. Bytes are base64url without padding. */
import type { SignedStatement } from "./approver.ts"
import { armorSshsig } from "./sshsig.ts"

/** Exactly one of the two signatures. */
interface SignedJson {
  /** The statement's text. */
  readonly statement: string
  /** Of SSH keys: as ssh-keygen writes it, `-----BEGIN SSH SIGNATURE-----`. */
  readonly ssh_signature?: string
  /** Of passkeys. */
  readonly passkey?: PasskeyJson
}

interface PasskeyJson {
  readonly credential_id: string
  readonly authenticator_data: string
  readonly client_data_json: string
  readonly signature: string
}

const base64url = (bytes: Uint8Array): string => Buffer.from(bytes).toString("base64url")

export function signedJson({ statement, signature }: SignedStatement): SignedJson {
  const text = Buffer.from(statement).toString("utf8")
  if (signature.kind === "ssh") return { statement: text, ssh_signature: armorSshsig(signature.blob) }
  const { credentialId, authenticatorData, clientDataJson, signature: bytes } = signature.assertion
  return {
    statement: text,
    passkey: {
      credential_id: base64url(credentialId),
      authenticator_data: base64url(authenticatorData),
      client_data_json: base64url(clientDataJson),
      signature: base64url(bytes),
    },
  }
}
