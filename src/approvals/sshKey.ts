/**
 * Public keys of OpenSSH (RFC 4253 6.6, RFC 5656, RFC 8709, OpenSSH PROTOCOL.u2f): the four kinds that approvers may have. A key has
 * one form here, its blob. Base64 with other padding, a name that differs from the blob's, and a point in another form are refused.
 */
import { type Bytes, copy, equal } from "../bytes.ts"
import { ByteReader, Malformed } from "../codec.ts"
import { isStrictKey } from "../crypto/ed25519.ts"
import { sha256 } from "../crypto/frame.ts"
import { isP256Key } from "./p256.ts"
import type { Unfit } from "./statement.ts"

const SSH_KEY_TYPES = [
  "ssh-ed25519",
  "sk-ssh-ed25519@openssh.com",
  "ecdsa-sha2-nistp256",
  "sk-ecdsa-sha2-nistp256@openssh.com",
] as const
type SshKeyType = (typeof SSH_KEY_TYPES)[number]

export interface SshKey {
  readonly type: SshKeyType
  /** The bytes that are compared, and that a signature carries. */
  readonly blob: Bytes
  /** Ed25519: 32 bytes. P-256: the uncompressed point. */
  readonly key: Bytes
  /** For keys in a security key: the application that it signs for, mostly `ssh:`. */
  readonly application: Bytes | undefined
}

const MAX_TEXT = 2048
const MAX_BLOB = 1024
const MAX_APPLICATION = 256

/** A line as `ssh-keygen` writes it: type, base64, and a comment that is ignored. */
export function readSshPublicKey(text: string): SshKey | Unfit {
  if (text.length > MAX_TEXT) return { problem: "too long for a public key of OpenSSH" }
  const [, name = "", base64 = ""] = /^([a-z0-9@.-]+) ([A-Za-z0-9+/]+={0,2})(?: [^\r\n]*)?\n?$/.exec(text) ?? []
  if (name === "") return { problem: "not one line `TYPE BASE64` as in a .pub file of ssh-keygen" }
  if (SSH_KEY_TYPES.every((type) => type !== name)) {
    return { problem: `keys of type ${name} are not taken; these are: ${SSH_KEY_TYPES.join(", ")}` }
  }
  const blob = Buffer.from(base64, "base64")
  if (blob.toString("base64") !== base64) return { problem: "its base64 is not in the one form" }
  const key = readSshKeyBlob(blob)
  return "problem" in key || key.type === name ? key : { problem: `it says ${name} and is ${key.type}` }
}

export function readSshKeyBlob(blob: Uint8Array): SshKey | Unfit {
  if (blob.length > MAX_BLOB) return { problem: "too long for a public key" }
  try {
    return keyOf(copy(blob))
  } catch (error) {
    if (error instanceof Malformed) return { problem: `not a public key of OpenSSH: ${error.message}` }
    throw error
  }
}

function keyOf(blob: Bytes): SshKey | Unfit {
  const from = new ByteReader(blob)
  const name = sshString(from, 64).toString("latin1")
  const type = SSH_KEY_TYPES.find((known) => known === name)
  if (type === undefined) return { problem: "a type of key that is not taken" }
  const isEcdsa = type.includes("ecdsa")
  if (isEcdsa && sshString(from, 64).toString("latin1") !== "nistp256")
    return { problem: "another curve than its type" }
  const key = copy(sshString(from, 65))
  const application = type.startsWith("sk-") ? copy(sshString(from, MAX_APPLICATION)) : undefined
  from.end()
  const isFit = isEcdsa ? isP256Key(key) : key.length === 32 && isStrictKey(key)
  return isFit ? { type, blob, key, application } : { problem: "its point is none of the curve, or in another form" }
}

/** A `string` of RFC 4251 5, of at most `max` bytes. Throws Malformed. */
export const sshString = (from: ByteReader, max: number): Buffer => Buffer.from(from.block(0, max))

export const isSameKey = (a: SshKey, b: SshKey): boolean => equal(a.blob, b.blob)

/** `SHA256:…`, as ssh-keygen -l shows it. */
export const fingerprintOf = ({ blob }: SshKey): string =>
  `SHA256:${Buffer.from(sha256(blob)).toString("base64").replace(/=+$/, "")}`
