/**
 * The files of minisign: a public key, a secret key under a password, a detached signature. `minisign -V` verifies what is signed here,
 * and either program reads the other's keys. A signature is Ed25519 over BLAKE2b-512 of the file (only the prehashed form is made
 * and accepted), and a second signature over the first one and the trusted comment.
 */
import { scryptSync, sign } from "node:crypto"
import { blake2b } from "@noble/hashes/blake2.js"
import { type Bytes, bigToLe, concat, copy, equal, leToBig, secretEqual, toHex, utf8 } from "../../bytes.ts"
import { verifyEd25519 } from "../../crypto/ed25519.ts"
import type { Rng } from "../../crypto/random.ts"
import { privateKeyOf, rawPublicKey } from "../../crypto/rawKeys.ts"
import { Secret } from "../../secret.ts"

export interface ReleasePublicKey {
  /** 8 bytes that distinguish keys; they prove nothing. */
  readonly id: Bytes
  readonly publicKey: Bytes
}

/** Dispose it. */
interface ReleaseKey extends ReleasePublicKey, Disposable {
  readonly seed: Secret
}

/** Why a file is not what it should be: for people. */
export class NotMinisign extends Error {}

const KEY_ALGORITHM = utf8("Ed")
const PREHASHED = utf8("ED")
const ID = 8
const SIGNATURE = 64
const COMMENT = "untrusted comment: "
const TRUSTED = "trusted comment: "
/** A key or a signature has some 400 characters. */
export const MAX_MINISIGN = 8192
const MAX_COMMENT = 1024

export function newReleaseKey(rng: Rng): ReleaseKey {
  return keyOf(rng(ID), Secret.take(rng(32)))
}

function keyOf(id: Bytes, seed: Secret): ReleaseKey {
  const publicKey = rawPublicKey(privateKeyOf("ed25519", seed.expose()))
  return { id, seed, publicKey, [Symbol.dispose]: () => seed.wipe() }
}

/** As minisign prints it: the bytes as a little-endian number. */
export const keyIdText = (id: Bytes): string => toHex(copy(id).reverse()).toUpperCase()

// ---- public keys ---------------------------------------------------------------------------------------------------

/** The line that is published. */
export const publicKeyLine = ({ id, publicKey }: ReleasePublicKey): string =>
  concat(KEY_ALGORITHM, id, publicKey).toBase64()

export const publicKeyFile = (key: ReleasePublicKey): string =>
  `${COMMENT}minisign public key ${keyIdText(key.id)}\n${publicKeyLine(key)}\n`

/** From the file, or from its line alone. */
export function parsePublicKey(text: string): ReleasePublicKey {
  const [line = "", ...more] = linesOf(text).filter((one) => !one.startsWith(COMMENT))
  const bytes = base64(line, 2 + ID + 32, "public key")
  if (more.length > 0 || !equal(bytes.subarray(0, 2), KEY_ALGORITHM))
    throw new NotMinisign("it is no public key of minisign")
  return { id: bytes.slice(2, 2 + ID), publicKey: bytes.slice(2 + ID) }
}

// ---- signatures ----------------------------------------------------------------------------------------------------

/** The hash of a file that is signed. */
export const fileHash = () => blake2b.create({ dkLen: 64 })

/** The .minisig of a file with this hash. `comment` is signed too. */
export function signatureFile(key: ReleaseKey, hash: Uint8Array, comment: string): string {
  if (!isComment(comment)) throw new NotMinisign("a comment is one line of at most 1024 printable characters")
  const privateKey = privateKeyOf("ed25519", key.seed.expose())
  const signature = sign(null, hash, privateKey)
  const both = sign(null, concat(signature, utf8(comment)), privateKey)
  return [
    `${COMMENT}signature from cosigner release key ${keyIdText(key.id)}`,
    concat(PREHASHED, key.id, signature).toBase64(),
    `${TRUSTED}${comment}`,
    copy(both).toBase64(),
    "",
  ].join("\n")
}

/** The trusted comment of a signature of a file with this hash under the key. Throws NotMinisign. */
export function verifySignature(key: ReleasePublicKey, hash: Uint8Array, text: string): string {
  const [first = "", line = "", comment = "", last = "", ...more] = linesOf(text)
  if (!first.startsWith(COMMENT) || !comment.startsWith(TRUSTED) || more.length > 0)
    throw new NotMinisign("it is no signature of minisign")
  const bytes = base64(line, 2 + ID + SIGNATURE, "signature")
  const trusted = comment.slice(TRUSTED.length)
  if (!equal(bytes.subarray(0, 2), PREHASHED)) throw new NotMinisign("it is not of the prehashed form (minisign -H)")
  if (!equal(bytes.subarray(2, 2 + ID), key.id))
    throw new NotMinisign(`it is of key ${keyIdText(bytes.slice(2, 2 + ID))}, not of ${keyIdText(key.id)}`)
  const signature = bytes.subarray(2 + ID)
  if (!verifyEd25519(key.publicKey, hash, signature)) throw new NotMinisign("the signature is not of this file")
  const both = base64(last, SIGNATURE, "signature of the comment")
  if (!isComment(trusted) || !verifyEd25519(key.publicKey, concat(signature, utf8(trusted)), both))
    throw new NotMinisign("the trusted comment is not the one that was signed")
  return trusted
}

const PRINTABLE = /^[\t\u0020-\u007e]*$/
const isComment = (text: string): boolean => text.length <= MAX_COMMENT && PRINTABLE.test(text)

// ---- secret keys ---------------------------------------------------------------------------------------------------

/** libsodium's two parameters for scrypt. These need 128 MiB and some tenths of a second; minisign's own need eight times that. */
interface ScryptCost {
  readonly work: bigint
  readonly memory: bigint
}
const COST: ScryptCost = { work: 1n << 22n, memory: 1n << 27n }
/** The parameters that minisign uses for its keys; a file that asks for more is refused before anything is computed. */
const MOST: ScryptCost = { work: 1n << 25n, memory: 1n << 30n }

const SEALED = utf8("EdScB2")
const SALT = 32
/** Key id, seed and public key, checksum. */
const INNER = ID + 64 + 32

/** The secret key's file, which the password opens. */
export function secretKeyFile(key: ReleaseKey, password: Secret, rng: Rng): string {
  const salt = rng(SALT)
  const inner = concat(key.id, key.seed.expose(), key.publicKey, new Uint8Array(32))
  const stream = keystream(password, salt, COST)
  try {
    inner.set(checksum(inner), INNER - 32)
    xor(inner, stream)
    const costs = [bigToLe(COST.work, 8), bigToLe(COST.memory, 8)]
    return `${COMMENT}minisign encrypted secret key\n${concat(SEALED, salt, ...costs, inner).toBase64()}\n`
  } finally {
    inner.fill(0)
    stream.fill(0)
  }
}

/** Throws NotMinisign, also for a wrong password. */
export function openSecretKey(text: string, password: Secret): ReleaseKey {
  const [first = "", line = "", ...more] = linesOf(text)
  if (!first.startsWith(COMMENT) || more.length > 0) throw new NotMinisign("it is no secret key of minisign")
  const bytes = base64(line, 6 + SALT + 16 + INNER, "secret key")
  if (!equal(bytes.subarray(0, 6), SEALED)) throw new NotMinisign("it is no secret key under a password")
  const [work, memory] = [leToBig(bytes.subarray(38, 46)), leToBig(bytes.subarray(46, 54))]
  if (work > MOST.work || memory > MOST.memory) throw new NotMinisign("its password costs more than minisign asks for")
  const inner = bytes.slice(6 + SALT + 16)
  const stream = keystream(password, bytes.slice(6, 6 + SALT), { work, memory })
  try {
    xor(inner, stream)
    if (!secretEqual(checksum(inner), inner.subarray(INNER - 32)))
      throw new NotMinisign("the password is wrong, or the file is damaged")
    const key = keyOf(inner.slice(0, ID), Secret.from(inner.subarray(ID, ID + 32)))
    if (equal(key.publicKey, inner.subarray(ID + 32, ID + 64))) return key
    key[Symbol.dispose]()
    throw new NotMinisign("its two halves do not belong together")
  } finally {
    inner.fill(0)
    stream.fill(0)
  }
}

/** Over the algorithm, the id and the two halves. */
const checksum = (inner: Uint8Array): Uint8Array => {
  const hash = blake2b.create({ dkLen: 32 })
  return hash
    .update(KEY_ALGORITHM)
    .update(inner.subarray(0, INNER - 32))
    .digest()
}

/** libsodium's choice of N and p for the two numbers, with r = 8. */
function keystream(password: Secret, salt: Uint8Array, { work, memory }: ScryptCost): Uint8Array {
  const operations = work < 32_768n ? 32_768n : work
  const isSmall = operations < memory / 32n
  const most = isSmall ? operations / 32n : memory / 1024n
  let log = 1
  while (log < 20 && 1n << BigInt(log) <= most / 2n) log++
  const p = isSmall ? 1 : Number(operations / 4n / (1n << BigInt(log)) / 8n)
  if (p < 1) throw new NotMinisign("its password has a cost that no program writes")
  return scryptSync(password.expose(), salt, INNER, { N: 2 ** log, r: 8, p, maxmem: 2 ** 31 - 1 })
}

function xor(into: Uint8Array, stream: Uint8Array): void {
  for (const [i, byte] of stream.entries()) into[i] = (into[i] ?? 0) ^ byte
}

// ---- text ----------------------------------------------------------------------------------------------------------

function linesOf(text: string): readonly string[] {
  if (text.length > MAX_MINISIGN) throw new NotMinisign("it is longer than any file of minisign")
  return text.replace(/\r?\n$/, "").split(/\r?\n/)
}

/** In the one spelling of base64. */
function base64(line: string, length: number, what: string): Bytes {
  try {
    const bytes = copy(Uint8Array.fromBase64(line))
    if (bytes.length === length && bytes.toBase64() === line) return bytes
  } catch {
    // said below
  }
  throw new NotMinisign(`it has no ${what} of ${length} bytes in base64`)
}
