/**
 * The seal of a share in a recovery file (formats.md 5.1): PBKDF2-HMAC over a password, AES-GCM without associated data,
 * nonce || ciphertext || tag. The share inside is a big-endian integer on both curves.
 *
 * The format binds nothing to the box, so code that opens one must compare the share with its public key: recoverySet.ts.
 */
import { createCipheriv, createDecipheriv, pbkdf2Sync } from "node:crypto"
import { type Bytes, beToBig, bigToBe, concat, toHex, utf8 } from "../bytes.ts"
import { type CurveName, curveNamed } from "../crypto/curve.ts"
import type { Rng } from "../crypto/random.ts"
import { CosignerError } from "../errors.ts"
import { Secret } from "../secret.ts"

/** Above the 600 000 that OWASP asks of PBKDF2-HMAC-SHA256; about a quarter of a second. */
export const ITERATIONS = 1_000_000
/** Bound for reading: more iterations would keep a computer busy for over a minute, and no known program writes such a file. */
export const MAX_ITERATIONS = 10_000_000
/** Bound for all different sealings of a file together; it allows thousands of groups, each with a salt of its own. */
export const MAX_TOTAL_ITERATIONS = 2_000_000_000
/** The vendor's tool refuses shorter passwords, and trims white space as we do. */
const LEAST_PASSWORD = 8
const NONCE = 12
const TAG = 16
const SHA256 = 5
const MAX_SHARE = 64

/** Hash functions by their number in Go's crypto.Hash, which is what the file contains. */
export const HASHES: ReadonlyMap<number, { readonly goName: string; readonly digest: string }> = new Map([
  [4, { goName: "SHA-224", digest: "sha224" }],
  [SHA256, { goName: "SHA-256", digest: "sha256" }],
  [6, { goName: "SHA-384", digest: "sha384" }],
  [7, { goName: "SHA-512", digest: "sha512" }],
  [10, { goName: "SHA3-224", digest: "sha3-224" }],
  [11, { goName: "SHA3-256", digest: "sha3-256" }],
  [12, { goName: "SHA3-384", digest: "sha3-384" }],
  [13, { goName: "SHA3-512", digest: "sha3-512" }],
  [14, { goName: "SHA-512/224", digest: "sha512-224" }],
  [15, { goName: "SHA-512/256", digest: "sha512-256" }],
])

export interface RecoveryKdf {
  /** Length of the derived key in bytes: AES-128, -192 or -256. */
  readonly length: 16 | 24 | 32
  readonly iterations: number
  readonly salt: Bytes
  /** A key of HASHES. */
  readonly hashType: number
}

export interface SealedShare {
  readonly version: 1 | 2 | 3
  readonly box: Bytes
  readonly kdf: RecoveryKdf
}

/** Seals shares under one password, with one salt and one derived key, a fresh nonce each. Dispose it. */
interface Sealer extends Disposable {
  share(curve: CurveName, share: Secret): { readonly box: Bytes; readonly kdf: RecoveryKdf }
}

export function sealer(password: Secret, rng: Rng, iterations: number = ITERATIONS): Sealer {
  const kdf: RecoveryKdf = { length: 32, iterations, salt: rng(32), hashType: SHA256 }
  const key = deriveKey(password, kdf)
  return {
    share: (curve, share) => ({ box: seal(key, rng(NONCE), curve, share), kdf }),
    [Symbol.dispose]: () => key.wipe(),
  }
}

function seal(key: Secret, nonce: Bytes, curve: CurveName, share: Secret): Bytes {
  const scalar = curveNamed(curve).decodeScalar(share.expose())
  if (scalar === undefined) throw new RangeError("a share is 32 bytes below the group order")
  using bytes = Secret.take(bigToBe(scalar, 32))
  using plain = Secret.take(utf8(JSON.stringify({ encrypted_share: bytes.expose().toBase64() })))
  const cipher = createCipheriv("aes-256-gcm", key.expose(), nonce)
  return concat(nonce, cipher.update(plain.expose()), cipher.final(), cipher.getAuthTag())
}

/** Derived keys of one password: the groups of a file usually share a salt, and a derivation is slow. Dispose it. */
export class OpeningKeys implements Disposable {
  readonly #keys = new Map<string, Secret>()
  constructor(readonly password: Secret) {}

  keyFor(kdf: RecoveryKdf): Secret {
    const name = `${kdf.hashType}/${kdf.length}/${kdf.iterations}/${toHex(kdf.salt)}`
    const known = this.#keys.get(name)
    if (known !== undefined) return known
    const key = deriveKey(this.password, kdf)
    this.#keys.set(name, key)
    return key
  }

  [Symbol.dispose](): void {
    for (const key of this.#keys.values()) key.wipe()
    this.#keys.clear()
  }
}

/**
 * The share in the box, modulo q. Undefined if it does not open: a wrong password and a damaged box cannot be distinguished. Does not
 * check that it is the right share. Throws E-KEY-023 for a password that no such file can have.
 */
export function openShare(sealed: SealedShare, curve: CurveName, keys: OpeningKeys): bigint | undefined {
  using plain = decrypt(sealed.box, keys.keyFor(sealed.kdf))
  if (plain === undefined) return undefined
  using share = sealed.version === 1 ? Secret.from(plain.expose()) : unwrap(plain)
  if (share === undefined || share.length > MAX_SHARE) return undefined
  return curveNamed(curve).mod(beToBig(share.expose()))
}

function decrypt(box: Bytes, key: Secret): Secret | undefined {
  if (box.length < NONCE + TAG) return undefined
  const algorithm = key.length === 32 ? "aes-256-gcm" : key.length === 24 ? "aes-192-gcm" : "aes-128-gcm"
  const decipher = createDecipheriv(algorithm, key.expose(), box.subarray(0, NONCE), { authTagLength: TAG })
  decipher.setAuthTag(box.subarray(-TAG))
  const plain = decipher.update(box.subarray(NONCE, -TAG))
  try {
    decipher.final()
    return Secret.from(plain)
  } catch {
    return undefined
  } finally {
    plain.fill(0)
  }
}

/** The share's bytes from the JSON around them in versions 2 and 3. */
function unwrap(plain: Secret): Secret | undefined {
  try {
    const inner: unknown = JSON.parse(new TextDecoder().decode(plain.expose()))
    if (typeof inner !== "object" || inner === null || !("encrypted_share" in inner)) return undefined
    const { encrypted_share: text } = inner
    if (typeof text !== "string") return undefined
    // Buffer.from returns a slice of a pool that later buffers share.
    const decoded = Buffer.from(text, "base64")
    const share = Secret.from(decoded)
    decoded.fill(0)
    return share
  } catch {
    return undefined
  }
}

function deriveKey(password: Secret, kdf: RecoveryKdf): Secret {
  const hash = HASHES.get(kdf.hashType)
  if (hash === undefined) throw new TypeError("a Kdf has a known hash")
  const trimmed = trimmedPassword(password.expose())
  const derived = pbkdf2Sync(trimmed, kdf.salt, kdf.iterations, kdf.length, hash.digest)
  try {
    return Secret.from(derived)
  } finally {
    derived.fill(0)
  }
}

/** A view without ASCII white space at both ends; the vendor's tool trims a typed password in the same way. */
function trimmedPassword(bytes: Bytes): Bytes {
  const isSpace = (byte: number | undefined) => byte === 0x20 || (byte !== undefined && byte >= 0x09 && byte <= 0x0d)
  let [start, end] = [0, bytes.length]
  while (start < end && isSpace(bytes[start])) start++
  while (end > start && isSpace(bytes[end - 1])) end--
  if (end - start < LEAST_PASSWORD) throw new CosignerError("E-KEY-023", { least: LEAST_PASSWORD })
  return bytes.subarray(start, end)
}
