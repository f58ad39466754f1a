/**
 * The keys of one file, and what is done with them: blinded ids, sealed boxes, and each record's weight in the hash of
 * the whole set. Knows bytes only; which record is what, and when it is written, is the vault's.
 */
import { createCipheriv, createDecipheriv, createHmac, hash, hkdfSync, randomBytes } from "node:crypto"
import { type Bytes, concat, copy, u8 } from "../bytes.ts"
import { Secret } from "../secret.ts"

export const ID_LENGTH = 32
const NONCE_LENGTH = 12
/** nonce || GCM tag. */
export const SEAL_LENGTH = NONCE_LENGTH + 16

/** What the file shows of a record: a name that means nothing without the key, the kind, and the two parts of its box. */
export interface SealedRecord {
  readonly id: Uint8Array
  readonly kind: number
  readonly version: number
  readonly seal: Uint8Array
  readonly box: Uint8Array
}

/** Where a record claims to stand; bound into its box, so that it opens nowhere else. */
export type RecordPlace = Pick<SealedRecord, "id" | "kind" | "version">

/** All of a record but its box; the tag in the seal stands for that. */
export type Head = Omit<SealedRecord, "box">

const MODULUS = 1n << 512n

/** Sums of weights live modulo 2^512, as in the additive multiset hash of Clarke et al. (Asiacrypt 2003). */
export const addWeight = (sum: bigint, weight: bigint): bigint => (sum + weight) % MODULUS
export const subtractWeight = (sum: bigint, weight: bigint): bigint => (sum - weight + MODULUS) % MODULUS

export class RecordSealer implements Disposable {
  readonly #keys: { readonly [name in "id" | "box" | "nonce" | "sum"]: Secret }

  /** Four keys from the file's 32-byte data key, which stays the caller's. */
  constructor(dataKey: Secret) {
    const derive = (name: string): Secret =>
      Secret.take(
        new Uint8Array(hkdfSync("sha256", dataKey.expose(), new Uint8Array(0), `cosigner/store/1/${name}`, 32)),
      )
    this.#keys = { id: derive("id"), box: derive("box"), nonce: derive("nonce"), sum: derive("sum") }
  }

  /** The id under which the record `name` of that kind is filed. */
  blind(kind: number, name: Uint8Array): Bytes {
    return copy(createHmac("sha256", this.#keys.id.expose()).update(u8(kind)).update(name).digest())
  }

  seal(place: RecordPlace, plain: Uint8Array): SealedRecord {
    const nonce = this.#nonce(place, plain)
    const cipher = createCipheriv("aes-256-gcm", this.#keys.box.expose(), nonce)
    cipher.setAAD(associated(place))
    const box = concat(cipher.update(plain), cipher.final())
    return { ...place, seal: concat(nonce, cipher.getAuthTag()), box }
  }

  /** The plain bytes, which the caller wipes; undefined when anything of the record is not as it was sealed. */
  open(record: SealedRecord): Buffer | undefined {
    // slice, not subarray: a view makes the engine build a buffer object around these few bytes, for every record.
    const nonce = record.seal.slice(0, NONCE_LENGTH)
    const decipher = createDecipheriv("aes-256-gcm", this.#keys.box.expose(), nonce, { authTagLength: 16 })
    decipher.setAAD(associated(record))
    decipher.setAuthTag(record.seal.slice(NONCE_LENGTH))
    const plain = decipher.update(record.box)
    try {
      decipher.final()
      return plain
    } catch {
      plain.fill(0)
      return undefined
    }
  }

  /** The record's share in the sum over all records. */
  weight(record: Head): bigint {
    // Key and input have one length always, so the key as a prefix is a MAC, and at a start a much cheaper one than HMAC.
    return BigInt(`0x${hash("sha512", concat(this.#keys.sum.expose(), associated(record), record.seal), "hex")}`)
  }

  // Random, but hedged: a cloned machine whose generator repeats itself still gives different contents different nonces.
  #nonce(place: RecordPlace, plain: Uint8Array): Bytes {
    const mac = createHmac("sha256", this.#keys.nonce.expose())
    mac.update(randomBytes(32)).update(associated(place)).update(plain)
    return copy(mac.digest().subarray(0, NONCE_LENGTH))
  }

  [Symbol.dispose](): void {
    for (const key of Object.values(this.#keys)) key.wipe()
  }
}

// Fixed lengths throughout, hence injective.
const associated = (place: RecordPlace): Bytes => concat(place.id, u8(place.kind), u8(place.version))
