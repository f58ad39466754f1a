/** Derives a key from a password with argon2id (RFC 9106), for all files that a password opens. */
import { argon2Sync } from "node:crypto"
import { Secret } from "../secret.ts"

/** The cost of one derivation. Each file stores it, so the default can rise without a new format. */
export interface Kdf {
  readonly memoryKiB: number
  readonly passes: number
  readonly parallelism: number
}

/** The second recommended choice of RFC 9106 section 4: 64 MiB, three passes, four lanes. */
export const DEFAULT_KDF: Kdf = { memoryKiB: 65_536, passes: 3, parallelism: 4 }

/** 1 GiB. */
const MOST_KIB = 1024 * 1024
const MOST_PASSES = 64
const MOST_LANES = 64
/** Bound on memory times passes, KiB: about twenty times the default, some seconds of one core. */
const MOST_WORK = 4 * 1024 * 1024

/** False for a cost beyond these bounds. A file may state any cost, so it is checked before anything is computed. */
export const isAffordable = ({ memoryKiB, passes, parallelism }: Kdf): boolean =>
  passes >= 1 &&
  passes <= MOST_PASSES &&
  parallelism >= 1 &&
  parallelism <= MOST_LANES &&
  memoryKiB >= 8 * parallelism &&
  memoryKiB <= MOST_KIB &&
  memoryKiB * passes <= MOST_WORK

/** The derived key, 32 bytes. Throws RangeError for a cost that is not affordable, which the caller must have refused. */
export function passwordKey(password: Secret, cost: Kdf, salt: Uint8Array): Secret {
  if (!isAffordable(cost)) throw new RangeError("a password hash beyond every bound")
  const key = argon2Sync("argon2id", {
    message: password.expose(),
    nonce: salt,
    parallelism: cost.parallelism,
    tagLength: 32,
    memory: cost.memoryKiB,
    passes: cost.passes,
  })
  try {
    return Secret.from(key)
  } finally {
    key.fill(0)
  }
}
