/**
 * The folder of one WaaS: configuration, database, signing key, lock. The key stands apart from the database, so that a
 * copy of the one is not a copy of the other.
 */
import { Database } from "bun:sqlite"
import { hkdfSync, randomBytes } from "node:crypto"
import { closeSync, constants, fstatSync, fsyncSync, openSync, readSync, writeSync } from "node:fs"
import { join } from "node:path"
import { copy, fromHex, toHex, utf8 } from "../bytes.ts"
import { CosignerError, errorText } from "../errors.ts"
import { Secret } from "../secret.ts"
import type { Signer } from "../wire/signed.ts"
import { ed25519Signer } from "./apiKey.ts"

export interface WaasFiles {
  readonly dir: string
  readonly config: string
  readonly database: string
  readonly key: string
  readonly lock: string
}

export const filesIn = (dir: string): WaasFiles => ({
  dir,
  config: join(dir, "waas.toml"),
  database: join(dir, "waas.db"),
  key: join(dir, "waas.key"),
  lock: join(dir, "waas.lock"),
})

export interface WaasKeys {
  /** Signs tasks; nodes pin its public key. */
  readonly tasks: Signer
  /** Signs REST answers: another key, so that no answer can ever pass for a task. */
  readonly responses: Signer
}

const SEED_TEXT = /^([0-9a-f]{64})\n?$/

/** Makes the key file, mode 600, durably. Throws E-WAA-001 if there is one. */
export function createKeyFile({ dir, key }: WaasFiles): WaasKeys {
  using seed = Secret.take(copy(randomBytes(32)))
  let fd: number
  try {
    fd = openSync(key, "wx", 0o600)
  } catch (cause) {
    if (errnoOf(cause) === "EEXIST") throw new CosignerError("E-WAA-001", { dir, file: key })
    throw new CosignerError("E-WAA-006", { file: key, problem: errnoOf(cause) }, { cause })
  }
  try {
    writeSync(fd, `${toHex(seed.expose())}\n`)
    fsyncSync(fd)
  } finally {
    closeSync(fd)
  }
  return keysOf(seed)
}

/** Reads the key. Throws E-WAA-002 if it is missing, E-WAA-003 for a link, for other modes, and for other contents. */
export function readKeyFile({ dir, key }: WaasFiles): WaasKeys {
  const refuse = (problem: string, cause?: unknown) => new CosignerError("E-WAA-003", { file: key, problem }, { cause })
  let fd: number
  try {
    fd = openSync(key, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK)
  } catch (cause) {
    if (errnoOf(cause) === "ENOENT") throw new CosignerError("E-WAA-002", { dir, file: key })
    throw refuse(errnoOf(cause) === "ELOOP" ? "it is a link" : errnoOf(cause), cause)
  }
  try {
    const stat = fstatSync(fd)
    if (!stat.isFile()) throw refuse("it is not a plain file")
    if ((stat.mode & 0o077) !== 0) throw refuse("others may read it")
    using text = Secret.take(new Uint8Array(66))
    const length = readSync(fd, text.expose())
    const hex = SEED_TEXT.exec(Buffer.from(text.expose().subarray(0, length)).toString("latin1"))?.[1]
    const seed = hex === undefined ? undefined : fromHex(hex)
    if (seed === undefined) throw refuse("it does not hold 64 hex digits")
    using secret = Secret.take(seed)
    return keysOf(secret)
  } finally {
    closeSync(fd)
  }
}

function keysOf(seed: Secret): WaasKeys {
  const info = utf8("cosigner/waas/responses")
  using responses = Secret.take(copy(new Uint8Array(hkdfSync("sha256", seed.expose(), new Uint8Array(), info, 32))))
  return { tasks: ed25519Signer(seed), responses: ed25519Signer(responses) }
}

/** Keeps other processes from serving the folder for as long as it is held; gone with the process. Throws E-WAA-004. */
export function lock({ dir, lock }: WaasFiles): Disposable {
  const db = new Database(lock, { create: true })
  try {
    db.run("PRAGMA busy_timeout = 0")
    db.run("PRAGMA locking_mode = EXCLUSIVE")
    db.run("BEGIN EXCLUSIVE")
  } catch (cause) {
    db.close()
    throw new CosignerError("E-WAA-004", { dir }, { cause })
  }
  return { [Symbol.dispose]: () => db.close() }
}

export const errnoOf = (error: unknown): string =>
  error instanceof Error && "code" in error ? String(error.code) : errorText(error)
