/**
 * The only record of secrets.db in clear: the parameters that turn the password into a key (argon2id, RFC 9106), and the data key wrapped
 * under that key. A new password wraps the same data key again, and nothing else is rewritten. rows.ts places it in the file.
 */
import { createCipheriv, createDecipheriv, randomBytes } from "node:crypto"
import { type Bytes, concat, copy, utf8 } from "../bytes.ts"
import * as c from "../codec.ts"
import { sha256 } from "../crypto/frame.ts"
import { isAffordable, type Kdf, passwordKey } from "../crypto/passwordKey.ts"
import { Secret } from "../secret.ts"

interface StoreHeader {
  readonly kdf: Kdf
  readonly salt: Bytes
  readonly nonce: Bytes
  readonly tag: Bytes
  readonly wrapped: Bytes
}

const kdfCodec = c.struct<Kdf>({ memoryKiB: c.u32, passes: c.u32, parallelism: c.u32 })
const codec = c.struct<StoreHeader>({
  kdf: kdfCodec,
  salt: c.fixed(32),
  nonce: c.fixed(12),
  tag: c.fixed(16),
  wrapped: c.fixed(32),
})

/** 32 bytes, not secret and not a MAC: distinguishes a damaged header from a wrong password. The root record authenticates the header. */
export const headerChecksum = (header: Uint8Array): Bytes => sha256(concat(utf8("cosigner/store/header"), header))

const associated = (kdf: Kdf, salt: Uint8Array): Bytes =>
  concat(utf8("cosigner/store/1/wrap"), c.encode(kdfCodec, kdf), salt)

/** A new header for the 32-byte data key, with a new salt and a new nonce. */
export function wrapKey(dataKey: Secret, password: Secret, kdf: Kdf): Bytes {
  const salt = copy(randomBytes(32))
  const nonce = copy(randomBytes(12))
  using key = passwordKey(password, kdf, salt)
  const cipher = createCipheriv("aes-256-gcm", key.expose(), nonce)
  cipher.setAAD(associated(kdf, salt))
  const wrapped = concat(cipher.update(dataKey.expose()), cipher.final())
  return c.encode(codec, { kdf, salt, nonce, tag: copy(cipher.getAuthTag()), wrapped })
}

/** The data key. "malformed" if the bytes are no header or ask for too high a cost; undefined if the password is wrong. */
export function unwrapKey(bytes: Uint8Array, password: Secret): Secret | "malformed" | undefined {
  const header = parse(bytes)
  if (header === undefined) return "malformed"
  using key = passwordKey(password, header.kdf, header.salt)
  const decipher = createDecipheriv("aes-256-gcm", key.expose(), header.nonce, { authTagLength: 16 })
  decipher.setAAD(associated(header.kdf, header.salt))
  decipher.setAuthTag(header.tag)
  const plain = decipher.update(header.wrapped)
  try {
    decipher.final()
    return Secret.from(plain)
  } catch {
    return undefined
  } finally {
    plain.fill(0)
  }
}

function parse(bytes: Uint8Array): StoreHeader | undefined {
  try {
    const header = c.decode(codec, bytes)
    return isAffordable(header.kdf) ? header : undefined
  } catch (error) {
    if (error instanceof c.Malformed) return undefined
    throw error
  }
}
