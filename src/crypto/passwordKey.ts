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

/** 32 bytes. The caller checks a cost that comes from a file against its limits first. */
export function passwordKey(password: Secret, cost: Kdf, salt: Uint8Array): Secret {
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
