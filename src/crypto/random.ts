/**
 * Session randomness (threshold.md 1.5): one hedged stream per session. Everything random in a protocol is read from an Rng
 * that it is handed, so a test can repeat a run. A cloned machine does not repeat a nonce: the session id differs where WaaS
 * started another attempt, and the kernel's bytes differ where it did not.
 */
import { createCipheriv, hkdfSync, randomBytes } from "node:crypto"
import { type Bytes, beToBig, concat, copy, u64be } from "../bytes.ts"

/** The next `length` bytes; a fresh array that the caller owns and may wipe. */
export type Rng = (length: number) => Bytes

/** The operating system's, for what is no session: salts of files, the hedge of a check-up signature. */
export const systemRng: Rng = (length) => copy(randomBytes(length))

/** What one session's stream is made of; none of it alone is trusted to be fresh. */
export interface Entropy {
  /** 64 bytes of the runtime's generator. It asks the kernel once in thousands of calls, so a clone of the machine may repeat them. */
  readonly system: Bytes
  /** 32 bytes read from the kernel itself, for this session: what a clone of the machine does not repeat. */
  readonly kernel: Bytes
  /** 32 bytes that never leave the node. */
  readonly nodeSecret: Bytes
  /** Starts of the process on this database, and sessions since. */
  readonly bootCounter: number
  readonly sessionCounter: number
}

/** HKDF-SHA512 over all of it, bound to the session id, read as an AES-256-CTR stream. Wipes `system` and `kernel`. */
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

/** Uniform in [1, order): 48 bytes modulo the order (bias below 2^-128), again on 0. */
export function randomScalar(rng: Rng, order: bigint): bigint {
  for (;;) {
    const bytes = rng(48)
    const scalar = beToBig(bytes) % order
    bytes.fill(0)
    if (scalar !== 0n) return scalar
  }
}
