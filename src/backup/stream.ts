/**
 * The sealed stream: chunks of AES-256-GCM whose nonces count up and mark the last one (the STREAM construction of
 * Hoang, Reyhanitabar, Rogaway and Vizar, CRYPTO 2015). A chunk that is missing, moved, repeated or cut off does not open.
 * One key seals only one stream, so the nonce needs no random part.
 */
import { createCipheriv, createDecipheriv } from "node:crypto"
import { type Bytes, concat } from "../bytes.ts"
import type { Secret } from "../secret.ts"

/** Plain bytes of every chunk but the last, which has fewer or as many. */
export const CHUNK = 64 * 1024
const TAG = 16
export const SEALED_CHUNK = CHUNK + TAG

/** 3 zero bytes, the number of the chunk (u64), 1 for the last. */
function nonceOf(index: number, isLast: boolean): Bytes {
  const nonce = new Uint8Array(12)
  new DataView(nonce.buffer).setBigUint64(3, BigInt(index))
  nonce[11] = isLast ? 1 : 0
  return nonce
}

/** Collects plain bytes and passes on sealed chunks. Holds one chunk; dispose it. */
export class SealingStream implements Disposable {
  readonly #key: Secret
  readonly #emit: (sealed: Uint8Array) => void
  readonly #chunk = new Uint8Array(CHUNK)
  #length = 0
  #index = 0

  constructor(key: Secret, emit: (sealed: Uint8Array) => void) {
    this.#key = key
    this.#emit = emit
  }

  add(plain: Uint8Array): void {
    for (let at = 0; at < plain.length; ) {
      // A full chunk waits for more bytes: only then is it certain that it is not the last one.
      if (this.#length === CHUNK) this.#seal(false)
      const part = plain.subarray(at, at + CHUNK - this.#length)
      this.#chunk.set(part, this.#length)
      this.#length += part.length
      at += part.length
    }
  }

  finish(): void {
    this.#seal(true)
  }

  #seal(isLast: boolean): void {
    const cipher = createCipheriv("aes-256-gcm", this.#key.expose(), nonceOf(this.#index, isLast))
    this.#emit(concat(cipher.update(this.#chunk.subarray(0, this.#length)), cipher.final(), cipher.getAuthTag()))
    this.#index++
    this.#length = 0
  }

  [Symbol.dispose](): void {
    this.#chunk.fill(0)
  }
}

/** The plain bytes of one chunk, which the caller wipes; undefined if it is not that chunk of that stream. */
export function openChunk(key: Secret, index: number, isLast: boolean, sealed: Uint8Array): Buffer | undefined {
  if (sealed.length < TAG) return undefined
  const decipher = createDecipheriv("aes-256-gcm", key.expose(), nonceOf(index, isLast), { authTagLength: TAG })
  decipher.setAuthTag(sealed.subarray(-TAG))
  const plain = decipher.update(sealed.subarray(0, -TAG))
  try {
    decipher.final()
    return plain
  } catch {
    plain.fill(0)
    return undefined
  }
}
