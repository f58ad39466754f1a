/**
 * Signatures over files as `ssh-keygen -Y sign` makes them (OpenSSH PROTOCOL.sshsig), verified under one known key and one known
 * namespace. A signature names its purpose, so a signature that was made for another namespace does not verify here.
 *
 * A signature of a security key must show that somebody touched it (the flag of user presence). Its counter is signed but not
 * compared: the counter would only tell clones of a device apart, and the statement's nonce already prevents replay.
 */
import { type Bytes, concat, copy, equal, u8, u32be, utf8 } from "../bytes.ts"
import { ByteReader, block, Malformed } from "../codec.ts"
import { verifyEd25519 } from "../crypto/ed25519.ts"
import { sha256, sha512 } from "../crypto/frame.ts"
import { verifyP256 } from "./p256.ts"
import { isSameKey, readSshKeyBlob, type SshKey, sshString } from "./sshKey.ts"
import type { Unfit } from "./statement.ts"

const MAGIC = utf8("SSHSIG")
export const MAX_SSHSIG_BYTES = 2048
const BEGIN = "-----BEGIN SSH SIGNATURE-----"
const END = "-----END SSH SIGNATURE-----"
const MAX_ARMORED = 4096
const USER_PRESENT = 0x01

/** The bytes of an armored signature. The text must be the whole armor, with nothing around it but a line end. */
export function dearmorSshsig(text: string): Bytes | Unfit {
  if (text.length > MAX_ARMORED) return { problem: "too long for a signature of ssh-keygen" }
  const lines = text.trimEnd().split(/\r?\n/)
  const [first, ...rest] = lines
  if (first !== BEGIN || rest.pop() !== END) return { problem: `not between \`${BEGIN}\` and \`${END}\`` }
  if (rest.some((line) => !/^[A-Za-z0-9+/]{1,76}={0,2}$/.test(line))) return { problem: "a line of it is no base64" }
  const base64 = rest.join("")
  const bytes = Buffer.from(base64, "base64")
  return bytes.length > 0 && bytes.toString("base64") === base64
    ? copy(bytes)
    : { problem: "its base64 is not in the one form" }
}

/** As ssh-keygen writes it. */
export function armorSshsig(blob: Uint8Array): string {
  const base64 = Buffer.from(blob).toString("base64")
  return [BEGIN, ...(base64.match(/.{1,70}/g) ?? []), END, ""].join("\n")
}

interface ReadSshsig {
  readonly key: SshKey
  readonly namespace: string
  readonly hash: "sha256" | "sha512"
  readonly signature: SshSignature
}

interface SshSignature {
  readonly type: string
  /** Ed25519: 64 bytes. P-256: r and s, 32 bytes each. */
  readonly bytes: Bytes
  /** For security keys: flags and counter as they are signed. */
  readonly device: { readonly flags: number; readonly counter: number } | undefined
}

/** Returns undefined if `blob` is `key`'s signature over `message` for `namespace`, otherwise why it is not. */
export function problemOfSshsig(
  blob: Uint8Array,
  message: Uint8Array,
  key: SshKey,
  namespace: string,
): string | undefined {
  const read = readSshsig(blob)
  if ("problem" in read) return read.problem
  if (!isSameKey(read.key, key)) return "it was made with another key"
  if (read.namespace !== namespace) return `it was made for another namespace than ${namespace}`
  const { signature } = read
  if (signature.type !== key.type) return "its kind is not that of its key"
  const digest = read.hash === "sha512" ? sha512(message) : sha256(message)
  const signed = concat(MAGIC, block(utf8(namespace)), block(utf8("")), block(utf8(read.hash)), block(digest))
  return problemOfSignature(signature, signed, key)
}

function problemOfSignature({ bytes, device }: SshSignature, signed: Bytes, key: SshKey): string | undefined {
  let message = signed
  if (key.application !== undefined) {
    if (device === undefined) return "it has no flags and counter of a security key"
    if ((device.flags & USER_PRESENT) === 0) return "nobody touched the security key"
    message = concat(sha256(key.application), u8(device.flags), u32be(device.counter), sha256(signed))
  }
  const isValid = key.type.includes("ecdsa")
    ? verifyP256(key.key, message, bytes, "compact")
    : verifyEd25519(key.key, message, bytes)
  return isValid ? undefined : "it does not verify"
}

function readSshsig(blob: Uint8Array): ReadSshsig | Unfit {
  if (blob.length > MAX_SSHSIG_BYTES) return { problem: "too long for a signature of ssh-keygen" }
  try {
    return sshsigOf(blob)
  } catch (error) {
    if (error instanceof Malformed) return { problem: `not a signature of ssh-keygen: ${error.message}` }
    throw error
  }
}

function sshsigOf(blob: Uint8Array): ReadSshsig | Unfit {
  const from = new ByteReader(blob)
  if (!equal(from.take(MAGIC.length), MAGIC)) return { problem: "it does not begin as one of ssh-keygen" }
  if (from.u32() !== 1) return { problem: "another version of the format" }
  const key = readSshKeyBlob(sshString(from, 1024))
  if ("problem" in key) return key
  const namespace = sshString(from, 64).toString("latin1")
  // The reserved field is empty; otherwise this is another format.
  sshString(from, 0)
  const hash = sshString(from, 16).toString("latin1")
  if (hash !== "sha256" && hash !== "sha512") return { problem: "another hash than SHA-256 or SHA-512" }
  const signature = new ByteReader(sshString(from, 512))
  from.end()
  return { key, namespace, hash, signature: signatureOf(signature, key) }
}

function signatureOf(from: ByteReader, key: SshKey): SshSignature {
  const type = sshString(from, 64).toString("latin1")
  const value = sshString(from, 128)
  const bytes = key.type.includes("ecdsa") ? ecdsaPair(new ByteReader(value)) : copy(value)
  const device = key.application === undefined ? undefined : { flags: from.u8(), counter: from.u32() }
  from.end()
  return { type, bytes, device }
}

/** Two `mpint`s as 32 bytes each. */
function ecdsaPair(from: ByteReader): Bytes {
  const pair = concat(mpint32(from), mpint32(from))
  from.end()
  return pair
}

/** A positive `mpint` (RFC 4251 5) below 2^256, in the one form: its only leading zero is the one that keeps it positive. */
function mpint32(from: ByteReader): Bytes {
  const bytes = from.block(1, 33)
  const [first = 0, second = 0] = bytes
  if (first >= 0x80) from.refuse("a negative number")
  if (first === 0 && (bytes.length === 1 || second < 0x80)) from.refuse("a number in another form")
  const digits = first === 0 ? bytes.subarray(1) : bytes
  if (digits.length > 32) from.refuse("a number beyond 2^256")
  return concat(new Uint8Array(32 - digits.length), digits)
}
