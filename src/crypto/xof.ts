/**
 * Native hashes and key streams for the hot loops of the OT protocols, which hash thousands of short inputs per signature (threshold.md
 * 9.3). Use it only for fixed layouts that begin with a unique 32-byte hash (threshold.md 1.4). Everything else is framed by frame.ts.
 *
 * The runtime's one-shot digests write into a buffer of ours. They cost half as much as node:crypto's, and leave no secret in memory that
 * cannot be wiped.
 */
import { createCipheriv } from "node:crypto"

const ZERO_IV = new Uint8Array(16)

/** SHA-256 of `input` into `out` (32 bytes). */
export function sha256Into(input: Uint8Array, out: Uint8Array): void {
  Bun.SHA256.hash(input, out)
}

/** SHA-512 of `input` into `out` (64 bytes). */
export function sha512Into(input: Uint8Array, out: Uint8Array): void {
  Bun.SHA512.hash(input, out)
}

/**
 * PRG of threshold.md 5.3: one AES-256-CTR stream per (session, tree, leaf), keyed by SHA-256(psid1 || tree || leaf || seed).
 * The bytes are loaded as little-endian words. One instance per direction and session; dispose it.
 */
export class LeafStreams implements Disposable {
  readonly #input = new Uint8Array(66)
  readonly #key = new Uint8Array(32)
  readonly #zeros: Uint8Array

  /** `psid1`: 32 bytes. `words`: 32-bit words per stream. */
  constructor(psid1: Uint8Array, words: number) {
    this.#input.set(psid1, 0)
    this.#zeros = new Uint8Array(4 * words)
  }

  /** Writes the stream of leaf `leaf` in tree `tree`, whose seed begins at seeds[at], to `out` as stream number `leaf`. */
  write(tree: number, leaf: number, seeds: Uint8Array, at: number, out: Uint8Array): void {
    this.#input[32] = tree
    this.#input[33] = leaf
    for (let i = 0; i < 32; i++) this.#input[34 + i] = seeds[at + i] ?? 0
    sha256Into(this.#input, this.#key)
    const stream = createCipheriv("aes-256-ctr", this.#key, ZERO_IV).update(this.#zeros)
    out.set(stream, leaf * this.#zeros.length)
    stream.fill(0)
  }

  [Symbol.dispose](): void {
    this.#input.fill(0)
    this.#key.fill(0)
  }
}
