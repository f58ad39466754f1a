/** A signed statement as JSON: in REST bodies, callback bodies, lists and files of people. Bytes are base64url without padding. */
import { type Bytes, copy, utf8 } from "../bytes.ts"
import type { ApproverSignature, SignedStatement } from "./approver.ts"
import { armorSshsig, dearmorSshsig } from "./sshsig.ts"
import { isUnfit, type Unfit } from "./statement.ts"

/** Exactly one of the two signatures. */
export interface SignedJson {
  /** The statement's text. */
  readonly statement: string
  /** For an SSH key: as ssh-keygen writes it, `-----BEGIN SSH SIGNATURE-----`. */
  readonly ssh_signature?: string
  /** For a passkey. */
  readonly passkey?: PasskeyJson
}

interface PasskeyJson {
  readonly credential_id: string
  readonly authenticator_data: string
  readonly client_data_json: string
  readonly signature: string
}

const base64url = (bytes: Uint8Array): string => Buffer.from(bytes).toString("base64url")

/** Decodes at least one byte in the one form without padding; undefined for any other text. */
export function fromBase64Url(text = ""): Bytes | undefined {
  const bytes = Buffer.from(text, "base64url")
  return bytes.length > 0 && bytes.toString("base64url") === text ? copy(bytes) : undefined
}

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

export function signedFromJson({ statement, ssh_signature, passkey }: SignedJson): SignedStatement | Unfit {
  if ((ssh_signature === undefined) === (passkey === undefined)) {
    return { problem: "it has not exactly one of ssh_signature and passkey" }
  }
  const signature = ssh_signature === undefined ? fromPasskey(passkey) : fromArmor(ssh_signature)
  return isUnfit(signature) ? signature : { statement: utf8(statement), signature }
}

function fromArmor(text: string): ApproverSignature | Unfit {
  const blob = dearmorSshsig(text)
  return isUnfit(blob) ? blob : { kind: "ssh", blob }
}

function fromPasskey(passkey: PasskeyJson | undefined): ApproverSignature | Unfit {
  const credentialId = fromBase64Url(passkey?.credential_id)
  const authenticatorData = fromBase64Url(passkey?.authenticator_data)
  const clientDataJson = fromBase64Url(passkey?.client_data_json)
  const signature = fromBase64Url(passkey?.signature)
  if (!credentialId || !authenticatorData || !clientDataJson || !signature) {
    return { problem: "a field of its passkey is not base64url in its one form" }
  }
  return { kind: "passkey", assertion: { credentialId, authenticatorData, clientDataJson, signature } }
}
