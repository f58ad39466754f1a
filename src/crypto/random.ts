/**
 * Session randomness (threshold.md 1.5): one hedged stream per session. A protocol reads all its randomness from the Rng that it is given,
 * so a test can repeat a run. A cloned machine does not repeat a nonce: another attempt has another session id, and within the same attempt
 * the kernel's bytes differ.
 */
import { createCipheriv, hkdfSync, randomBytes } from "node:crypto"
import { type Bytes, beToBig, concat, copy, u64be } from "../bytes.ts"

/** Returns the next `length` bytes in a fresh array, which the caller owns and may wipe. */
export type Rng = (length: number) => Bytes

/** Randomness for everything outside sessions: salts of files, the hedge of a check-up signature. */
export const systemRng: Rng = (length) => copy(randomBytes(length))

/** The inputs of one session's stream. None of them alone is trusted to be fresh. */
export interface Entropy {
  /** 64 bytes of the runtime's generator. It reads from the kernel once in thousands of calls, so a cloned machine may repeat them. */
  readonly system: Bytes
  /** 32 bytes read from the kernel for this session. A cloned machine does not repeat them. */
  readonly kernel: Bytes
  /** The node's 32-byte secret (Store.entropy), which never leaves the node. */
  readonly nodeSecret: Bytes
  /** The number of starts on this database, and the number of the session since the last start. */
  readonly bootCounter: number
  readonly sessionCounter: number
}

/**
 * The stream of a session: AES-256-CTR under a key that HKDF-SHA512 derives from all inputs and the session id. Wipes `system` and
 * `kernel`.
 */
export function sessionRandom(entropy: Entropy, sid: Bytes): Rng {
  const { system, kernel, nodeSecret } = entropy
  if (system.length !== 64 || kernel.length !== 32 || nodeSecret.length !== 32) {
    throw new RangeError("entropy of wrong length")
  }
  const ikm = concat(system, kernel, nodeSecret, u64be(entropy.bootCounter), u64be(entropy.sessionCounter))
  const key = new Uint8Array(hkdfSync("sha512", ikm, new Uint8Array(0), sid, 48))
  for (const drawn of [ikm, system, kernel]) drawn.fill(0)
  const cipher = createCipheriv("aes-256-ctr", key.subarray(0, 32), key.subarray(32))
  key.fill(0)
  return (length) => {
    const out = new Uint8Array(length)
    const stream = cipher.update(out)
    out.set(stream)
    stream.fill(0)
    return out
  }
}

/** A scalar in [1, order): 48 bytes modulo the order (bias below 2^-128), drawn again if 0. */
export function randomScalar(rng: Rng, order: bigint): bigint {
  for (;;) {
    const bytes = rng(48)
    const scalar = beToBig(bytes) % order
    bytes.fill(0)
    if (scalar !== 0n) return scalar
  }
}
