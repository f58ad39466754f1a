/**
 * Private keys in OpenSSH's own file format (PROTOCOL.key): reads them to sign, and makes them. Only ssh-ed25519 and
 * ecdsa-sha2-nistp256 without a passphrase. ssh-keygen and the agent open keys that a passphrase protects, or that a security key
 * holds.
 */
import { sign as signWith } from "node:crypto"
import { readFileSync } from "node:fs"
import { p256 } from "@noble/curves/nist.js"
import { type Bytes, concat, copy, equal, secretEqual, u32be, utf8 } from "../bytes.ts"
import { ByteReader, block, Malformed } from "../codec.ts"
import { privateKeyOf, rawPublicKey } from "../crypto/rawKeys.ts"
import { CosignerError } from "../errors.ts"
import { errnoOf, readPrivate, UnusableFile } from "../files.ts"
import { Secret } from "../secret.ts"
import { type SshSigner, sshsigInput, sshsigOf } from "./signer.ts"
import { ECDSA_P256, ED25519, ed25519Blob, mpint, NISTP256, p256Blob, sshText } from "./sshWire.ts"

/** The largest files that ssh-keygen makes for these kinds are below 3 kB. */
const MAX_FILE = 16 * 1024
const MAGIC = concat(utf8("openssh-key-v1"), Uint8Array.of(0))
const BEGIN = "-----BEGIN OPENSSH PRIVATE KEY-----"
const END = "-----END OPENSSH PRIVATE KEY-----"
const MAX_FIELD = 8 * 1024
/** Block size of an unencrypted key; the file is padded to it. */
const BLOCK = 8

/** The signer of a key file, which only its owner may read. Throws E-CLI-045. */
export const openKeyFile = (file: string): SshSigner =>
  usable(file, () => {
    using text = readPrivate(file, MAX_FILE)
    using bytes = unarmored(text)
    return signerOf(bytes.expose())
  })

/** The public key of a file that holds either half; a passphrase does not hide it. Throws E-CLI-045. */
export const publicKeyIn = (file: string): Bytes =>
  usable(file, () => {
    const text = readFileSync(file)
    if (text.length > MAX_FILE) throw new Malformed(`it is longer than ${MAX_FILE} bytes`)
    const [, type = "", base64 = ""] = PUBLIC.exec(text.toString("latin1")) ?? []
    if (type === "") {
      using whole = Secret.from(text)
      text.fill(0)
      using bytes = unarmored(whole)
      return publicHalf(new ByteReader(bytes.expose())).blob
    }
    const blob = copy(Buffer.from(base64, "base64"))
    const from = new ByteReader(blob)
    if (Buffer.from(blob).toString("base64") !== base64 || field(from) !== type)
      from.refuse("its key is not as it says")
    return blob
  })

/** Whether a file holds only the public half. Throws E-CLI-045. */
export const isPublicKeyFile = (file: string): boolean =>
  usable(file, () => PUBLIC.test(readFileSync(file, "latin1").slice(0, MAX_FILE)))

function usable<T>(file: string, read: () => T): T {
  try {
    return read()
  } catch (error) {
    const errno = errnoOf(error)
    const isUnusable = error instanceof UnusableFile || error instanceof Malformed
    if (!isUnusable && errno === undefined) throw error
    const why = errno ?? (error instanceof Error ? error.message : "")
    throw new CosignerError("E-CLI-045", { file, why }, { cause: error })
  }
}

/** The line of a `.pub` file. */
const PUBLIC = /^((?:ssh|ecdsa|sk)-[\w@.-]{1,60}) ([A-Za-z0-9+/]{1,10000}={0,2})(?:[ \t][^\n]*)?\n?$/

/** A new ssh-ed25519 key: the text of its file, and of its public half. */
export function newKeyFile(seed: Secret, check: Uint8Array, comment: string): { secret: Secret; publicText: string } {
  const publicKey = rawPublicKey(privateKeyOf("ed25519", seed.expose()))
  const blob = ed25519Blob(publicKey)
  const both = concat(seed.expose(), publicKey)
  const bare = concat(check, check, sshText(ED25519), block(publicKey), block(both), sshText(comment))
  const padding = Uint8Array.from({ length: (BLOCK - (bare.length % BLOCK)) % BLOCK }, (_, i) => i + 1)
  const inner = concat(bare, padding)
  const whole = concat(MAGIC, sshText("none"), sshText("none"), sshText(""), u32be(1), block(blob), block(inner))
  const lines =
    Buffer.from(whole)
      .toString("base64")
      .match(/.{1,70}/g) ?? []
  for (const one of [both, bare, inner, whole]) one.fill(0)
  return {
    secret: Secret.take(utf8([BEGIN, ...lines, END, ""].join("\n"))),
    publicText: `${ED25519} ${Buffer.from(blob).toString("base64")} ${comment}`,
  }
}

/** The bytes between the lines that OpenSSH writes. */
function unarmored(file: Secret): Secret {
  const text = Buffer.from(file.expose()).toString("latin1").trim()
  if (!text.startsWith(BEGIN) || !text.endsWith(END)) throw new Malformed("it is no private key in the form of OpenSSH")
  const body = text.slice(BEGIN.length, -END.length).replace(/\s/g, "")
  const bytes = copy(Buffer.from(body, "base64"))
  if (Buffer.from(bytes).toString("base64") !== body) throw new Malformed("it is not base64")
  return Secret.take(bytes)
}

/** The part before the private half; afterwards the reader is positioned at the private half. */
function publicHalf(from: ByteReader): { readonly blob: Bytes; readonly isLocked: boolean } {
  if (!equal(from.view(Math.min(MAGIC.length, from.left())), MAGIC)) from.refuse("it is no openssh-key-v1")
  const cipher = field(from)
  const kdf = field(from)
  from.window(4, 0, MAX_FIELD)
  if (from.u32() !== 1) from.refuse("it holds more than one key")
  return { blob: from.block(1, MAX_FIELD), isLocked: cipher !== "none" || kdf !== "none" }
}

function signerOf(bytes: Bytes): SshSigner {
  const from = new ByteReader(bytes)
  const { blob, isLocked } = publicHalf(from)
  if (isLocked) throw new Malformed("a passphrase protects it")
  const inner = new ByteReader(from.window(4, 1, MAX_FIELD))
  from.end()
  const [check, again] = [inner.u32(), inner.u32()]
  if (check !== again) inner.refuse("its check numbers differ")
  const type = field(inner)
  const made = type === ED25519 ? ed25519Signer(inner) : type === ECDSA_P256 ? p256Signer(inner) : refuseType(type)
  field(inner)
  const padding = inner.rest()
  if (padding.length >= BLOCK || padding.some((byte, i) => byte !== i + 1)) inner.refuse("its padding is not OpenSSH's")
  if (!equal(blob, made.publicKey)) inner.refuse("its public half belongs to another key")
  return made
}

const field = (from: ByteReader): string => from.text(4, MAX_FIELD)

function refuseType(type: string): never {
  const shown = /^[\w@.-]{1,64}$/.test(type) ? type : "of an unknown kind"
  throw new Malformed(`its key is ${shown}, and this program signs with ${ED25519} and ${ECDSA_P256} itself`)
}

function ed25519Signer(from: ByteReader): SshSigner {
  const publicKey = from.block(32, 32)
  using both = Secret.take(from.block(64, 64))
  const key = privateKeyOf("ed25519", both.expose().subarray(0, 32))
  if (!equal(rawPublicKey(key), publicKey) || !secretEqual(both.expose().subarray(32), publicKey))
    from.refuse("its halves do not belong together")
  const blob = ed25519Blob(publicKey)
  return {
    publicKey: blob,
    sign: async (namespace, message) => {
      const signature = signWith(null, sshsigInput(namespace, message), key)
      return sshsigOf(blob, namespace, concat(sshText(ED25519), block(signature)))
    },
    // the key object of node:crypto has no bytes here to wipe
    [Symbol.dispose]: () => undefined,
  }
}

function p256Signer(from: ByteReader): SshSigner {
  if (field(from) !== NISTP256) from.refuse(`its curve is not ${NISTP256}`)
  const point = from.block(65, 65)
  const scalar = scalarOf(from)
  if (!p256.utils.isValidSecretKey(scalar.expose()) || !isHalfOf(scalar, point)) {
    scalar.wipe()
    from.refuse("its halves do not belong together")
  }
  const blob = p256Blob(point)
  return {
    publicKey: blob,
    sign: async (namespace, message) => {
      const signature = p256.sign(sshsigInput(namespace, message), scalar.expose(), { format: "compact" })
      const numbers = concat(mpint(signature.subarray(0, 32)), mpint(signature.subarray(32)))
      return sshsigOf(blob, namespace, concat(sshText(ECDSA_P256), block(numbers)))
    },
    [Symbol.dispose]: () => scalar.wipe(),
  }
}

const isHalfOf = (scalar: Secret, point: Uint8Array): boolean => equal(p256.getPublicKey(scalar.expose(), false), point)

/** A number of up to 32 bytes, preceded by a zero byte if its first bit is set. */
function scalarOf(from: ByteReader): Secret {
  using number = Secret.take(from.block(1, 33))
  const bytes = number.expose()
  const bare = bytes.length === 33 && bytes[0] === 0 ? bytes.subarray(1) : bytes
  if (bare.length > 32) return from.refuse("its number is too large")
  const scalar = new Uint8Array(32)
  scalar.set(bare, 32 - bare.length)
  return Secret.take(scalar)
}
