/**
 * What the backup commands and the schedule share: they write a snapshot to a file, prove a file in a scratch place, and make a
 * database from a file. Connects store/ and backup/; neither knows the other.
 */

import { createHash, randomBytes } from "node:crypto"
import { join } from "node:path"
import { type ConfigFile, configRecord, isConfigFile, readConfigFile } from "../backup/configFile.ts"
import { writing } from "../backup/faults.ts"
import { BackupWriter, nameBackup, readBackup } from "../backup/file.ts"
import type { BackupRecord } from "../backup/format.ts"
import { GroupList, groupJson, type Manifest, type ManifestGroup } from "../backup/manifest.ts"
import { build } from "../build.ts"
import { copy, toHex } from "../bytes.ts"
import type { Kdf } from "../crypto/passwordKey.ts"
import { CosignerError } from "../errors.ts"
import { identityOf } from "../mpc/envelope.ts"
import { Secret } from "../secret.ts"
import { checkStore } from "../store/check.ts"
import type { Snapshot } from "../store/snapshot.ts"
import { type Imported, importStore, type OnGroup } from "../store/transfer.ts"
import { nodeIdOf } from "../wire/nodeId.ts"
import { scratchToProve, unprovenOf } from "./scratch.ts"

export interface Written {
  readonly manifest: Manifest
  readonly bytes: number
}

interface Proven {
  readonly manifest: Manifest
  readonly imported: Imported
  /** The configuration files in the backup; none if it has none. */
  readonly files: readonly ConfigFile[]
}

/** The scratch database exists for a second under a random key, so its password hash needs no cost. */
const SCRATCH_KDF: Kdf = { memoryKiB: 8, passes: 1, parallelism: 1 }
/** Time between two pauses, ms. */
const SLICE_MS = 4
const IDENTITY_KIND = 2
/** Records read, or slices written, after which a process that does nothing else collects garbage. */
const COLLECT_AFTER = { records: 1024, slices: 64 }

interface WriteOptions {
  readonly password: Secret
  /** The ids of the groups to write; all if undefined. */
  readonly chosen: ReadonlySet<string> | undefined
  readonly nowMs: number
  /** Awaited every few milliseconds, so that a node can go on with its work. */
  readonly pause: () => Promise<void>
  readonly kdf?: Kdf
  /** Configuration files to add to the backup. */
  readonly files?: readonly ConfigFile[]
}

/** Writes the snapshot's records to `path`: a whole file, or none. Throws E-BAK-012 for chosen groups that do not exist. */
export async function writeBackup(path: string, snapshot: Snapshot, options: WriteOptions): Promise<Written> {
  using writer = new BackupWriter(path, options.password, options.kdf)
  const unknown = new Set(options.chosen)
  const groups = new GroupList()
  const records = snapshot.records(options.chosen, (group) => {
    unknown.delete(group.groupId)
    groups.add(named(group))
  })
  let [count, nodeId, sliceMs] = [0, "", performance.now()]
  for (const file of options.files ?? []) {
    writer.add(configRecord(file))
    count++
  }
  for (;;) {
    const next = records.next()
    if (next.done === true) {
      if (unknown.size > 0) throw new CosignerError("E-BAK-012", { unknown: [...unknown] })
      const { incarnation, ...position } = next.value
      const manifest: Manifest = {
        program: build.version,
        created_ms: options.nowMs,
        node_id: nodeId,
        ...position,
        lineage: incarnation,
        chosen_groups: options.chosen !== undefined,
        records: count,
        groups,
      }
      writer.finish(manifest)
      return { manifest, bytes: writer.bytes }
    }
    if (next.value !== undefined) {
      if (next.value.kind === IDENTITY_KIND) nodeId = nodeIdIn(next.value)
      writer.add(next.value)
      count++
    }
    if (performance.now() - sliceMs < SLICE_MS) continue
    await options.pause()
    sliceMs = performance.now()
  }
}

/** The identity record is the seed, preceded by its length (u32). */
const nodeIdIn = ({ body }: BackupRecord): string => nodeIdOf(identityOf(copy(body.subarray(4))).party)

/** The pause for a process that does nothing else: it collects garbage now and then, because records leave much behind. */
export function collecting(): () => Promise<void> {
  let slices = 0
  return async () => {
    if (++slices % COLLECT_AFTER.slices === 0) Bun.gc(true)
  }
}

/** A group in the form of the manifest. */
const named = ({ groupId, epochId, curve, status, threshold }: Parameters<OnGroup>[0]): ManifestGroup => ({
  group_id: groupId,
  epoch_id: toHex(epochId),
  curve,
  status,
  threshold,
})

/** Restores the backup in a scratch place, proves each share, and checks the result as a start would. Leaves nothing behind. */
export function proveBackup(path: string, password: Secret, nowMs: number): Proven {
  using scratch = scratchToProve(path, nowMs)
  using key = Secret.take(copy(randomBytes(32)))
  const db = join(scratch.path, "secrets.db")
  const proven = restoreBackup(path, password, { db, password: key, nowMs, kdf: SCRATCH_KDF })
  checkStore(db, key)
  return proven
}

interface RestoreOptions {
  readonly db: string
  readonly password: Secret
  readonly nowMs: number
  readonly kdf?: Kdf
}

/** Makes a new database from the backup, whole or not at all; every share is proven before the file has its name. */
export function restoreBackup(path: string, password: Secret, to: RestoreOptions): Proven {
  let manifest: Manifest | undefined
  let records = 0
  // The groups of file and manifest are compared by a hash of their texts, so that no list is kept. Both have the same order.
  const passed = createHash("sha256")
  let groups = 0
  const files: ConfigFile[] = []
  const refused = (what: string) => new CosignerError("E-BAK-013", { path, what })
  function* counted(): Generator<BackupRecord, void> {
    const read = readBackup(path, password)
    for (;;) {
      const next = read.next()
      if (next.done === true) {
        manifest = next.value
        break
      }
      if (++records % COLLECT_AFTER.records === 0) Bun.gc(true)
      if (isConfigFile(next.value)) files.push(readConfigFile(path, next.value))
      else yield next.value
    }
    if (manifest.records !== records) throw refused(`it names ${manifest.records} records and has ${records}`)
    const listed = createHash("sha256").update(manifest.groups.json)
    if (!listed.digest().equals(passed.digest())) throw refused("it names other groups than it has")
  }
  const { kdf } = to
  const imported = importStore(to.db, to.password, counted(), {
    nowMs: to.nowMs,
    onGroup: (group) => passed.update((groups++ === 0 ? "" : ",") + groupJson(named(group))),
    ...(kdf === undefined ? {} : { kdf }),
  })
  if (manifest === undefined) throw new CosignerError("E-CLI-001", { what: "a backup ended without its manifest" })
  return { manifest, imported, files }
}

/** Gives a proven backup its name. Throws E-BAK-001 if the name is taken. */
export function nameProven(path: string): void {
  writing(path, () => nameBackup(unprovenOf(path), path))
}
