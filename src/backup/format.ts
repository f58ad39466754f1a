/**
 * The bytes of a backup file: a clear header, then a stream of sealed chunks (stream.ts) that carries records and, last, a
 * manifest. Owns header, keys and framing; what the records mean is the store's, files are file.ts's.
 *
 *     header   magic 8, version u16, argon2id memory KiB u32, passes u32, lanes u32, salt 32, check 16, SHA-256 of it all 32
 *     stream   records: kind u8, version u8, length u32, body; kind 255 is the manifest and ends the stream
 *     end      8 bytes, in clear, that tell a file that was cut off from one that was changed; nothing relies on them
 */
import { hkdfSync, randomBytes } from "node:crypto"
import { type Bytes, concat, copy, equal, secretEqual, u8, u16be, u32be, utf8 } from "../bytes.ts"
import { sha256 } from "../crypto/frame.ts"
import { isAffordable, type Kdf, passwordKey } from "../crypto/passwordKey.ts"
import { Secret } from "../secret.ts"

export const FORMAT = 1
/** What is sealed: a node's records, the database of a WaaS, or the signing key of one. None passes for another. */
export const MAGIC = { node: utf8("CSGNBKUP"), waas: utf8("CSGNWAAS"), waasKey: utf8("CSGNWKEY") } as const
export const SEALED_KINDS = ["node", "waas", "waasKey"] as const
export type SealedKind = (typeof SEALED_KINDS)[number]
export const END = utf8("CSGNEND\n")
const CHECKED = 8 + 2 + 12 + 32 + 16
export const HEADER_LENGTH = CHECKED + 32

/** One record as it travels. The producer owns the body's memory: a consumer that wants to keep it must copy it. */
export interface BackupRecord {
  readonly kind: number
  readonly version: number
  readonly body: Uint8Array
}

export const MANIFEST = 255
export const RECORD_HEAD = 6
/** Longer than any record of the store. */
export const MAX_BODY = 64 * 1024 * 1024

interface OpenedHeader {
  /** Seals the chunks; bound to every byte of the header. */
  readonly key: Secret
  readonly header: Bytes
}

/** A new header and its key. */
export function newHeader(password: Secret, kdf: Kdf, kind: SealedKind = "node"): OpenedHeader {
  const salt = copy(randomBytes(32))
  using root = passwordKey(password, kdf, salt)
  const head = concat(
    MAGIC[kind],
    u16be(FORMAT),
    u32be(kdf.memoryKiB),
    u32be(kdf.passes),
    u32be(kdf.parallelism),
    salt,
    checkOf(root),
  )
  const header = concat(head, sha256(head))
  return { header, key: streamKey(root, header) }
}

export type HeaderProblem =
  | { readonly problem: "foreign" }
  | { readonly problem: "version"; readonly found: number }
  | { readonly problem: "cost" | "damaged" | "password" | "short" }

/** The key of the stream behind this header, or why there is none. Distinguishes a wrong password from a damaged header. */
export function openHeader(
  bytes: Uint8Array,
  password: Secret,
  kind: SealedKind = "node",
): OpenedHeader | HeaderProblem {
  const magic = MAGIC[kind]
  if (!equal(bytes.subarray(0, magic.length), magic.subarray(0, bytes.length)) || bytes.length === 0) {
    return { problem: "foreign" }
  }
  if (bytes.length < 10) return { problem: "short" }
  const from = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const found = from.getUint16(8)
  if (found !== FORMAT) return { problem: "version", found }
  if (bytes.length < HEADER_LENGTH) return { problem: "short" }
  const header = copy(bytes.subarray(0, HEADER_LENGTH))
  if (!equal(sha256(header.subarray(0, CHECKED)), header.subarray(CHECKED))) return { problem: "damaged" }
  const kdf: Kdf = { memoryKiB: from.getUint32(10), passes: from.getUint32(14), parallelism: from.getUint32(18) }
  if (!isAffordable(kdf)) return { problem: "cost" }
  using root = passwordKey(password, kdf, header.subarray(22, 54))
  if (!secretEqual(checkOf(root), header.subarray(54, CHECKED))) return { problem: "password" }
  return { header, key: streamKey(root, header) }
}

export const recordHead = (kind: number, version: number, length: number): Bytes =>
  concat(u8(kind), u8(version), u32be(length))

const derive = (root: Secret, salt: Uint8Array, use: string, length: number): Bytes =>
  new Uint8Array(hkdfSync("sha256", root.expose(), salt, `cosigner/backup/1/${use}`, length))

/** Distinguishes a wrong password from a damaged stream. For guessing passwords it reveals no more than the first chunk does. */
const checkOf = (root: Secret): Bytes => derive(root, new Uint8Array(0), "check", 16)

const streamKey = (root: Secret, header: Bytes): Secret => Secret.take(derive(root, sha256(header), "stream", 32))
