/** From a password to a key: argon2id (RFC 9106), for the files that a password opens. */
import { argon2Sync } from "node:crypto"
import { Secret } from "../secret.ts"

/** What one derivation costs; stored with each file, so that a default can rise without a new format. */
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
/** Memory times passes, KiB: twenty times what the default costs, some seconds of one core. */
const MOST_WORK = 4 * 1024 * 1024

/** A cost that comes from a file may be any number: beyond these bounds the file is refused before anything is computed. */
export const isAffordable = ({ memoryKiB, passes, parallelism }: Kdf): boolean =>
  passes >= 1 &&
  passes <= MOST_PASSES &&
  parallelism >= 1 &&
  parallelism <= MOST_LANES &&
  memoryKiB >= 8 * parallelism &&
  memoryKiB <= MOST_KIB &&
  memoryKiB * passes <= MOST_WORK

/** 32 bytes. The caller has refused a cost that is not affordable; here that is a bug. */
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
