/**
 * Sealed backups of a WaaS: its database and its configuration in one file, its signing key in another, so that a person can have one
 * without the other. Each is proven before it gets its name: a database by a restore in a scratch place, a key in memory alone. Connects
 * waas/store and backup/.
 */
import { closeSync, existsSync, openSync, readSync, rmSync } from "node:fs"
import { basename, join } from "node:path"
import { type Static, type TSchema, Type } from "@sinclair/typebox"
import { Value } from "@sinclair/typebox/value"
import { writing } from "../backup/faults.ts"
import { BackupWriter, nameBackup, readSealed } from "../backup/file.ts"
import type { SealedKind } from "../backup/format.ts"
import { build } from "../build.ts"
import { toHex, utf8 } from "../bytes.ts"
import type { Kdf } from "../crypto/passwordKey.ts"
import { CosignerError, errorText, isCode } from "../errors.ts"
import { makeFolder, NewFile, nameNew, writeNew } from "../files.ts"
import { Secret } from "../secret.ts"
import { readConfig } from "../waas/config.ts"
import { readKeyFile, readKeySeed, type WaasFiles, waasKeysOf, writeKeySeed } from "../waas/files.ts"
import { refuseShared } from "../waas/opening.ts"
import { copyDatabase, openCopy } from "../waas/store/copy.ts"
import { scratchBeside, scratchToProve, unprovenOf } from "./scratch.ts"

/** Kinds of records in either file. */
const DATABASE = 1
const CONFIG = 2
const SEED = 3
const VERSION = 1
const SEED_BYTES = 32
const PIECE = 1024 * 1024
/** Bytes between two progress lines. */
const TOLD_BYTES = 256 * 1024 * 1024

const Count = Type.Integer({ minimum: 0 })
const Hex32 = Type.String({ pattern: "^[0-9a-f]{64}$" })
const schema = Type.Object(
  {
    program: Type.String({ maxLength: 64 }),
    created_ms: Count,
    /** The public key of waas.key, which is not in the backup; absent if the key was not available. */
    public_key: Type.Optional(Hex32),
    token: Type.Object({ incarnation: Count, mark: Count }, { additionalProperties: false }),
    counts: Type.Object(
      { vaults: Count, groups: Count, requests: Count, tasks: Count },
      { additionalProperties: false },
    ),
    database_bytes: Count,
    config: Type.Boolean(),
  },
  { additionalProperties: false },
)
const keySchema = Type.Object(
  { program: Type.String({ maxLength: 64 }), created_ms: Count, public_key: Hex32 },
  { additionalProperties: false },
)
export type WaasManifest = Static<typeof schema>
type KeyManifest = Static<typeof keySchema>

interface SealOptions {
  readonly password: Secret
  readonly nowMs: number
  readonly kdf?: Kdf
  /** Progress for people who wait. */
  readonly tell: (line: string) => void
}

// ---- writing ---------------------------------------------------------------------------------------------------------

/**
 * Makes a proven backup at `path`, of a WaaS that may be running. Throws E-BAK-001, -008 to -010, -018 and -024, E-WAA-002, -003, -006 and
 * -077.
 */
export function backUpWaas(
  files: WaasFiles,
  path: string,
  options: SealOptions,
): { readonly manifest: WaasManifest; readonly bytes: number } {
  if (existsSync(path)) throw new CosignerError("E-BAK-001", { path })
  if (existsSync(files.config)) refuseShared(readConfig(files), "waas backup")
  const publicKey = keyAtHand(files)
  if (!existsSync(files.database)) throw new CosignerError("E-WAA-002", { dir: files.dir, file: files.database })
  const unproven = unprovenOf(path)
  try {
    const made = sealed(files, { path, unproven, publicKey }, options)
    options.tell("proving the backup: restoring it in a scratch place")
    proveWaasBackup(unproven, options.password, options.nowMs)
    writing(path, () => nameBackup(unproven, path))
    return made
  } catch (error) {
    rmSync(unproven, { force: true })
    if (error instanceof CosignerError && !/^E-(?:BAK-0(?:0[3-7]|13)|WAA-0(?:05|15|65))$/.test(error.code)) throw error
    throw new CosignerError("E-BAK-018", { path, said: errorText(error) }, { cause: error })
  }
}

interface Sealing {
  readonly path: string
  readonly unproven: string
  readonly publicKey: string | undefined
}

/** A key that only the service gets, as a systemd credential, is not available to a command beside it. */
function keyAtHand(files: WaasFiles): string | undefined {
  try {
    return toHex(readKeyFile(files).tasks.publicKey)
  } catch (error) {
    if (isCode(error, "E-WAA-002")) return undefined
    throw error
  }
}

function sealed(files: WaasFiles, { path, unproven, publicKey }: Sealing, options: SealOptions) {
  using scratch = scratchBeside(path, options.nowMs)
  const copy = join(scratch.path, "waas.db")
  options.tell("copying the database")
  copyDatabase(files.database, copy)
  const { counts, token } = openCopy(copy)
  using writer = new BackupWriter(unproven, options.password, options.kdf, "waas")
  const config = existsSync(files.config)
  if (config) writePieces(writer, files.config, CONFIG, () => {})
  const bytes = writePieces(writer, copy, DATABASE, (done) => {
    options.tell(`sealed ${Math.round(done / 1024 / 1024)} MiB`)
  })
  const manifest: WaasManifest = {
    program: build.version,
    created_ms: options.nowMs,
    ...(publicKey !== undefined && { public_key: publicKey }),
    token,
    counts,
    database_bytes: bytes,
    config,
  }
  writer.finishWith([utf8(JSON.stringify(manifest))])
  return { manifest, bytes: writer.bytes }
}

function writePieces(writer: BackupWriter, path: string, kind: number, tell: (done: number) => void): number {
  const fd = openSync(path, "r")
  const piece = new Uint8Array(PIECE)
  let [bytes, told] = [0, 0]
  try {
    for (;;) {
      const read = readSync(fd, piece, 0, PIECE, null)
      if (read === 0) return bytes
      writer.add({ kind, version: VERSION, body: piece.subarray(0, read) })
      bytes += read
      if (bytes - told < TOLD_BYTES) continue
      told = bytes
      tell(bytes)
    }
  } finally {
    closeSync(fd)
  }
}

/** The signing key in a file of its own. Throws as the other does. */
export function backUpKey(files: WaasFiles, path: string, { password, nowMs, kdf }: SealOptions): KeyManifest {
  if (existsSync(path)) throw new CosignerError("E-BAK-001", { path })
  const manifest: KeyManifest = {
    program: build.version,
    created_ms: nowMs,
    public_key: toHex(readKeyFile(files).tasks.publicKey),
  }
  const unproven = unprovenOf(path)
  try {
    using seed = readKeySeed(files)
    using writer = new BackupWriter(unproven, password, kdf, "waasKey")
    writer.add({ kind: SEED, version: VERSION, body: seed.expose() })
    writer.finishWith([utf8(JSON.stringify(manifest))])
    proveKeyBackup(unproven, password)
    writing(path, () => nameBackup(unproven, path))
    return manifest
  } finally {
    rmSync(unproven, { force: true })
  }
}

// ---- reading ---------------------------------------------------------------------------------------------------------

/** Restores it in a scratch place and checks it as a start would. Throws E-BAK-002 to -007 and -013, E-WAA-065. */
export function proveWaasBackup(path: string, password: Secret, nowMs: number): WaasManifest {
  using scratch = scratchToProve(path, nowMs)
  const database = join(scratch.path, "waas.db")
  const { manifest } = unsealed(path, password, database)
  const { counts, token } = openCopy(database)
  if (!Value.Equal(counts, manifest.counts) || !Value.Equal(token, manifest.token)) {
    throw new CosignerError("E-WAA-065", { path, what: "its database holds other records than it names" })
  }
  return manifest
}

/**
 * Opens it and checks that it contains the key that it names. No part of it is written to a disk. Throws E-BAK-002 to -007 and -013,
 * E-WAA-065.
 */
export function proveKeyBackup(path: string, password: Secret): KeyManifest {
  const { seed, manifest } = keyUnsealed(path, password)
  using _ = seed
  return manifest
}

interface RestoreParts {
  readonly path: string
  readonly password: Secret
  readonly nowMs: number
}

interface RestoredWaas {
  readonly manifest: WaasManifest
  /** Higher than any before, because the operator decides that this is the WaaS from now on. */
  readonly incarnation: number
  /** The path of its configuration; undefined if it has none, or if another one stays. */
  readonly config: string | undefined
}

/** Makes waas.db in a folder that has none; it gets its name when it is whole. Throws E-WAA-062, -063 and -077. */
export function restoreWaas(files: WaasFiles, { path, password, nowMs }: RestoreParts): RestoredWaas {
  if (existsSync(files.config)) refuseShared(readConfig(files), "waas backup restore")
  requireAbsent(databaseOf(files))
  writing(files.database, () => makeFolder(files.dir))
  const draft = join(files.dir, `.${basename(files.database)}.restoring`)
  rmSync(draft, { force: true })
  try {
    const { manifest, config } = unsealed(path, password, draft)
    if (existsSync(files.key)) requireKey(files, manifest.public_key)
    const { token } = openCopy(draft, { nowMs })
    const isNewConfig = config !== undefined && !existsSync(files.config)
    if (isNewConfig) writing(files.config, () => writeNew(files.config, config))
    writing(files.database, () => nameNew(draft, files.database))
    return { manifest, incarnation: token.incarnation, config: isNewConfig ? files.config : undefined }
  } finally {
    rmSync(draft, { force: true })
  }
}

/** Writes waas.key in a folder that has neither key nor database. Throws E-WAA-062, and -063 for the key of another WaaS. */
export function restoreKey(
  files: WaasFiles,
  { path, password }: Omit<RestoreParts, "nowMs">,
  publicKey: string | undefined,
): void {
  requireAbsent([files.key, ...databaseOf(files)])
  const { seed, manifest } = keyUnsealed(path, password)
  using _ = seed
  if (publicKey !== undefined && manifest.public_key !== publicKey)
    throw new CosignerError("E-WAA-063", { file: path, key: manifest.public_key, wanted: publicKey })
  writing(files.key, () => {
    makeFolder(files.dir)
    writeKeySeed(files, seed.expose())
  })
}

const databaseOf = ({ database }: WaasFiles): readonly string[] => [database, `${database}-wal`]

function requireAbsent(files: readonly string[]): void {
  const taken = files.find((file) => existsSync(file))
  if (taken !== undefined) throw new CosignerError("E-WAA-062", { file: taken })
}

function requireKey(files: WaasFiles, wanted: string | undefined): void {
  if (wanted === undefined) return
  const key = toHex(readKeyFile(files).tasks.publicKey)
  if (key !== wanted) throw new CosignerError("E-WAA-063", { file: files.key, key, wanted })
}

/** The database of a backup as a file, and the text of its configuration. */
function unsealed(path: string, password: Secret, database: string) {
  const config: Buffer[] = []
  using file = writing(database, () => new NewFile(database))
  let bytes = 0
  const manifest = manifestOf(path, schema, password, "waas", (kind, body) => {
    if (kind === DATABASE) {
      writing(database, () => file.write(body))
      bytes += body.length
    } else if (kind === CONFIG) config.push(Buffer.from(body))
    else return false
    return true
  })
  if (bytes !== manifest.database_bytes) {
    throw new CosignerError("E-WAA-065", {
      path,
      what: `it names a database of ${manifest.database_bytes} bytes and has ${bytes}`,
    })
  }
  writing(database, () => file.finish(nameNew))
  return { manifest, config: manifest.config ? Buffer.concat(config).toString("utf8") : undefined }
}

/** The key in a key backup, which the caller disposes; it is the one that the backup names. */
function keyUnsealed(path: string, password: Secret): { readonly seed: Secret; readonly manifest: KeyManifest } {
  using unsealed = new DisposableStack()
  let seed: Secret | undefined
  const manifest = manifestOf(path, keySchema, password, "waasKey", (kind, body) => {
    if (kind !== SEED || seed !== undefined || body.length !== SEED_BYTES) return false
    seed = unsealed.use(Secret.from(body))
    return true
  })
  if (seed === undefined) throw new CosignerError("E-WAA-065", { path, what: "there is no key in it" })
  const key = toHex(waasKeysOf(seed).tasks.publicKey)
  if (key !== manifest.public_key)
    throw new CosignerError("E-WAA-065", { path, what: `it names the key ${manifest.public_key} and has ${key}` })
  unsealed.move()
  return { seed, manifest }
}

/** Reads the whole file. `take` gets each record, and returns whether it knows the kind. */
function manifestOf<S extends TSchema>(
  path: string,
  form: S,
  password: Secret,
  sealedKind: SealedKind,
  take: (kind: number, body: Uint8Array) => boolean,
): Static<S> {
  const records = readSealed(path, password, sealedKind)
  for (;;) {
    const next = records.next()
    if (next.done === true) return readForm(path, form, next.value)
    const { kind, version, body } = next.value
    if (version !== VERSION || !take(kind, body)) {
      throw new CosignerError("E-BAK-013", { path, what: `it has a record of kind ${kind}, version ${version}` })
    }
  }
}

function readForm<S extends TSchema>(path: string, form: S, bytes: Uint8Array): Static<S> {
  let value: unknown
  try {
    value = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes))
  } catch {
    value = undefined
  }
  if (Value.Check(form, value)) return value
  throw new CosignerError("E-BAK-013", { path, what: "its manifest has another form" })
}
