/**
 * The keys of one file and their uses: blinded ids, sealed boxes (AES-256-GCM), and the weight of each record in the hash of the whole set.
 * This file knows bytes only. vault.ts decides what is written and when.
 */
import { createCipheriv, createDecipheriv, createHmac, hash, hkdfSync, randomBytes } from "node:crypto"
import { type Bytes, concat, copy, u8, u32be, utf8 } from "../bytes.ts"
import { Secret } from "../secret.ts"

export const ID_LENGTH = 32
const EPOCH_LENGTH = 4
const NONCE_LENGTH = 12
const TAG_LENGTH = 16
/** Nonce || GCM tag: the seal of format 1, which had one key for all boxes. Such records are read and never written. */
const SEAL_1_LENGTH = NONCE_LENGTH + TAG_LENGTH
/** Epoch || nonce || GCM tag. */
export const SEAL_LENGTH = EPOCH_LENGTH + SEAL_1_LENGTH
export const isSealLength = (length: number): boolean => length === SEAL_LENGTH || length === SEAL_1_LENGTH

/**
 * Number of commits that use the same subkeys. A commit writes at most a few hundred records of one kind, so fewer than 2^30 random nonces
 * of 96 bits are used under one key. Two of them are equal with a probability below 2^-36 (NIST SP 800-38D, 8.3, allows 2^32 uses).
 */
const COMMITS_PER_EPOCH = 2 ** 20
/** The most subkeys kept in memory: more than one file needs in years. */
const MOST_SUBKEYS = 4096

/** A record as it is in the file: an id that reveals no name without the key, kind and version in clear, the seal and the ciphertext. */
export interface SealedRecord {
  readonly id: Uint8Array
  readonly kind: number
  readonly version: number
  readonly seal: Uint8Array
  readonly box: Uint8Array
}

/** The place of a record. The seal authenticates it, so a box does not open in another place. */
export type RecordPlace = Pick<SealedRecord, "id" | "kind" | "version">

/** A record without its box. The GCM tag in the seal authenticates the box. */
export type Head = Omit<SealedRecord, "box">

const MODULUS = 1n << 512n

/** Sums of weights are taken modulo 2^512: the additive multiset hash of Clarke et al. (Asiacrypt 2003). */
export const addWeight = (sum: bigint, weight: bigint): bigint => (sum + weight) % MODULUS
export const subtractWeight = (sum: bigint, weight: bigint): bigint => (sum - weight + MODULUS) % MODULUS

export class RecordSealer implements Disposable {
  readonly #keys: { readonly [name in "id" | "box" | "subkeys" | "nonce" | "sum"]: Secret }
  /** By kind * 2^32 + epoch. */
  readonly #subkeys: Map<number, Secret> = new Map()

  /** Derives the keys of a file from its 32-byte data key. The caller still owns and disposes the data key. */
  constructor(dataKey: Secret) {
    const derive = (name: string): Secret => hkdf(dataKey, utf8(`cosigner/store/${name}`))
    this.#keys = {
      id: derive("1/id"),
      box: derive("1/box"),
      subkeys: derive("2/box"),
      nonce: derive("1/nonce"),
      sum: derive("1/sum"),
    }
  }

  /** The blinded id of the record `name` of that kind, 32 bytes. */
  blind(kind: number, name: Uint8Array): Bytes {
    return copy(createHmac("sha256", this.#keys.id.expose()).update(u8(kind)).update(name).digest())
  }

  /** Seals a record. `generation` is the commit that writes it; it selects the subkey. */
  seal(place: RecordPlace, plain: Uint8Array, generation: number): SealedRecord {
    const epoch = Math.floor(generation / COMMITS_PER_EPOCH)
    const nonce = this.#nonce(place, plain)
    const cipher = createCipheriv("aes-256-gcm", this.#subkey(place.kind, epoch).expose(), nonce)
    cipher.setAAD(associated(place))
    const box = concat(cipher.update(plain), cipher.final())
    return { ...place, seal: concat(u32be(epoch), nonce, cipher.getAuthTag()), box }
  }

  /** The plain bytes, which the caller wipes; undefined if any part of the record was changed. */
  open(record: SealedRecord): Buffer | undefined {
    const { kind, seal } = record
    const isFirst = seal.length === SEAL_1_LENGTH
    const at = isFirst ? 0 : EPOCH_LENGTH
    const key = isFirst ? this.#keys.box : this.#subkey(kind, uint32At(seal))
    // slice, not subarray: a view would make the engine build a buffer object for these few bytes, for every record.
    const decipher = createDecipheriv("aes-256-gcm", key.expose(), seal.slice(at, at + NONCE_LENGTH), {
      authTagLength: TAG_LENGTH,
    })
    decipher.setAAD(associated(record))
    decipher.setAuthTag(seal.slice(at + NONCE_LENGTH))
    const plain = decipher.update(record.box)
    try {
      decipher.final()
      return plain
    } catch {
      plain.fill(0)
      return undefined
    }
  }

  #subkey(kind: number, epoch: number): Secret {
    const index = kind * 2 ** 32 + epoch
    const known = this.#subkeys.get(index)
    if (known !== undefined) return known
    if (this.#subkeys.size >= MOST_SUBKEYS) this.#forget()
    const made = hkdf(this.#keys.subkeys, concat(u8(kind), u32be(epoch)))
    this.#subkeys.set(index, made)
    return made
  }

  #forget(): void {
    for (const key of this.#subkeys.values()) key.wipe()
    this.#subkeys.clear()
  }

  /** The record's summand in the hash of the whole set. */
  weight(record: Head): bigint {
    // hash(key || input) is a MAC here: key and input fit one block of SHA-512, so no input extends another. HMAC would make a start,
    // which computes this for every record, much slower.
    return BigInt(`0x${hash("sha512", concat(this.#keys.sum.expose(), associated(record), record.seal), "hex")}`)
  }

  // Random and hedged: if a cloned machine repeats its random bytes, different contents still get different nonces.
  #nonce(place: RecordPlace, plain: Uint8Array): Bytes {
    const mac = createHmac("sha256", this.#keys.nonce.expose())
    mac.update(randomBytes(32)).update(associated(place)).update(plain)
    return copy(mac.digest().subarray(0, NONCE_LENGTH))
  }

  [Symbol.dispose](): void {
    for (const key of Object.values(this.#keys)) key.wipe()
    this.#forget()
  }
}

/** HKDF-SHA256 (RFC 5869), 32 bytes; without salt, because the input is a uniform key. */
const hkdf = (key: Secret, info: Uint8Array): Secret =>
  Secret.take(new Uint8Array(hkdfSync("sha256", key.expose(), new Uint8Array(0), info, 32)))

/** The first four bytes, big-endian. */
const uint32At = (bytes: Uint8Array): number =>
  (bytes[0] ?? 0) * 2 ** 24 + (((bytes[1] ?? 0) << 16) | ((bytes[2] ?? 0) << 8) | (bytes[3] ?? 0))

// All fields have fixed lengths, so the encoding is injective.
const associated = (place: RecordPlace): Bytes => concat(place.id, u8(place.kind), u8(place.version))
