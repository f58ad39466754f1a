/**
 * The folder of one WaaS: configuration, database, signing key, lock. The key is in a file of its own, so that a copy of the database
 * is not a copy of the key.
 */
import { Database } from "bun:sqlite"
import { hkdfSync, randomBytes } from "node:crypto"
import { dirname, join } from "node:path"
import { copy, fromHex, toHex, utf8 } from "../bytes.ts"
import { CosignerError, errorText } from "../errors.ts"
import { errnoOf, isTaken, readPrivate, UnusableFile, writeNew } from "../files.ts"
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

/** The files of the folder; `config` replaces its waas.toml. The key is a systemd credential if the unit has one. */
export const filesIn = (dir: string, config = join(dir, "waas.toml")): WaasFiles => ({
  dir,
  config,
  database: join(dir, "waas.db"),
  key: credentialOf("waas-key") ?? join(dir, "waas.key"),
  lock: join(dir, "waas.lock"),
})

interface WaasKeys {
  /** Signs tasks; nodes pin its public key. */
  readonly tasks: Signer
  /** Signs REST answers. It is another key, so that no answer can pass for a task. */
  readonly responses: Signer
}

const SEED_TEXT = /^([0-9a-f]{64})\n?$/

/** Makes the key file, mode 600, durably. Throws E-WAA-001 if there is one. */
export function createKeyFile({ dir, key }: WaasFiles): WaasKeys {
  using seed = Secret.take(copy(randomBytes(32)))
  try {
    writeKeySeed({ key }, seed.expose())
  } catch (cause) {
    if (errnoOf(cause) === "EEXIST") throw new CosignerError("E-WAA-001", { dir, file: key })
    throw new CosignerError("E-WAA-006", { file: key, problem: errorWord(cause) }, { cause })
  }
  return waasKeysOf(seed)
}

/** Reads the key file. Throws E-WAA-002 if it is missing, E-WAA-003 for a wrong mode or wrong contents. */
export function readKeyFile(files: Pick<WaasFiles, "dir" | "key">): WaasKeys {
  using seed = readKeySeed(files)
  return waasKeysOf(seed)
}

/** Writes a new key file of that seed (32 bytes), mode 600, durably. Throws the system's error, EEXIST if the file exists. */
export const writeKeySeed = ({ key }: Pick<WaasFiles, "key">, seed: Uint8Array): void =>
  writeNew(key, `${toHex(seed)}\n`)

/** Reads the 32-byte seed of the key, for a backup or for the key pairs. The caller disposes it. Throws as readKeyFile does. */
export function readKeySeed({ dir, key }: Pick<WaasFiles, "dir" | "key">): Secret {
  const refuse = (problem: string, cause?: unknown) => new CosignerError("E-WAA-003", { file: key, problem }, { cause })
  try {
    using text = readPrivate(key, 65, { allowReadable: isCredential(key) })
    const hex = SEED_TEXT.exec(Buffer.from(text.expose()).toString("latin1"))?.[1]
    const seed = hex === undefined ? undefined : fromHex(hex)
    if (seed === undefined) throw refuse("it does not hold 64 hex digits")
    return Secret.take(seed)
  } catch (error) {
    if (!(error instanceof UnusableFile)) throw error
    if (errnoOf(error.cause) === "ENOENT") throw new CosignerError("E-WAA-002", { dir, file: key })
    throw refuse(error.message, error)
  }
}

/** The file of a systemd credential; undefined if the unit gives none of that name. */
export function credentialOf(name: string): string | undefined {
  const folder = process.env["CREDENTIALS_DIRECTORY"]
  const file = folder === undefined ? undefined : join(folder, name)
  return file !== undefined && isTaken(file) ? file : undefined
}

/** Whether the file is a systemd credential. Its mode is not checked then: systemd sets it, and only the service sees the folder. */
export const isCredential = (file: string): boolean => dirname(file) === process.env["CREDENTIALS_DIRECTORY"]

/** The key pairs of that seed: the seed itself for tasks, HKDF-SHA256 of it for REST answers. */
export function waasKeysOf(seed: Secret): WaasKeys {
  const info = utf8("cosigner/waas/responses")
  using responses = Secret.take(copy(new Uint8Array(hkdfSync("sha256", seed.expose(), new Uint8Array(), info, 32))))
  return { tasks: ed25519Signer(seed), responses: ed25519Signer(responses) }
}

/** Locks the folder against other processes that would serve it. The lock ends with the process. Throws E-WAA-004 if it is taken. */
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

/** The system's word for the error, such as `EADDRINUSE`; errorText for an error without one. */
export const errorWord = (error: unknown): string => errnoOf(error) ?? errorText(error)
