/** Folders and files of a node: who may read them, how much disk space there is, and how old the last backup is. */
import { readdirSync, type Stats, statfsSync, statSync } from "node:fs"
import { dirname, join } from "node:path"
import type { Config } from "../../config/config.ts"
import { readKeyFile } from "../../config/keyFile.ts"
import { CosignerError } from "../../errors.ts"
import { type Finding, failure, ok, skipped, warning } from "./finding.ts"

const MEGABYTE = 1024 * 1024
/** Below the first value there is a warning, below the second a failure: a full disk stops every task. */
const ROOM = { little: 1024 * MEGABYTE, none: 64 * MEGABYTE }
const DAY_MS = 86_400_000
/** Age at which a backup is old, if no schedule says how often to make one. */
const OLD_MS = 7 * DAY_MS

export function checkFiles(config: Config): readonly Finding[] {
  const { db, log, backup, source } = config
  return [
    ...checkMode("files.database", dirname(db.path), "folder"),
    ...checkMode("files.database", db.path, "file"),
    ...(source === undefined ? [] : checkMode("files.configuration", source, "shared")),
    ...(log.file.enable ? checkMode("files.logs", dirname(log.file.filename), "folder") : []),
    ...checkMode("files.backups", backup.directory, "folder"),
    checkKeyFile(config),
  ]
}

/** A group may read the configuration: root writes it, the service reads it. */
const WANTED = { folder: "700", file: "600", shared: "640" } as const

function checkMode(check: string, path: string, kind: keyof typeof WANTED): readonly Finding[] {
  const stat = look(path)
  if (stat === undefined) return [skipped(check, `${path} is not there`)]
  const uid = process.getuid?.()
  const foreign = uid !== undefined && stat.uid !== uid && stat.uid !== 0
  return [
    modeOf(check, path, stat.mode & 0o777, kind),
    ...(foreign ? [warning(check, new CosignerError("E-OPS-106", { path, owner: stat.uid, user: uid }))] : []),
  ]
}

function modeOf(check: string, path: string, mode: number, kind: keyof typeof WANTED): Finding {
  const octal = mode.toString(8)
  if ((mode & (kind === "shared" ? 0o027 : 0o077)) === 0) return ok(check, `${path} has mode ${octal}`)
  const error = new CosignerError("E-OPS-105", { path, mode: octal, wanted: WANTED[kind] })
  // That others may read the rules is only a warning; if others may write them, others control them.
  return kind === "shared" && (mode & 0o022) === 0 ? warning(check, error) : failure(check, error)
}

function checkKeyFile({ db }: Config): Finding {
  if (db.key_file === undefined) return skipped("files.key", "no key file is configured")
  try {
    let note = `${db.key_file} can be used`
    const tell = (text: string): void => {
      note = text
    }
    readKeyFile(db.key_file, { allowReadable: db.danger_allow_readable_key_file, tell })[Symbol.dispose]()
    return ok("files.key", note)
  } catch (error) {
    if (error instanceof CosignerError) return failure("files.key", error)
    throw error
  }
}

export function checkSpace({ db }: Config): Finding {
  const folder = dirname(db.path)
  if (look(folder) === undefined) return skipped("store.space", `${folder} is not there`)
  const { bavail, bsize } = statfsSync(folder)
  return spaceFinding(folder, bavail * bsize)
}

export function spaceFinding(folder: string, free: number): Finding {
  const text = `${Math.floor(free / MEGABYTE)} MB`
  if (free >= ROOM.little) return ok("store.space", `${text} are free in ${folder}`)
  const error = new CosignerError("E-OPS-107", { folder, free: text })
  return free < ROOM.none ? failure("store.space", error) : warning("store.space", error)
}

export function checkBackup({ backup }: Config, nowMs: number): Finding {
  const newest = newestIn(backup.directory)
  if (newest === undefined) return warning("backup.age", new CosignerError("E-OPS-113", { folder: backup.directory }))
  const limit = backup.interval === undefined ? OLD_MS : 2 * backup.interval
  const age = nowMs - newest
  const hours = Math.round(age / 3_600_000)
  if (age <= limit) return ok("backup.age", `the newest in ${backup.directory} is ${hours} h old`)
  return warning(
    "backup.age",
    new CosignerError("E-OPS-114", { folder: backup.directory, hours, limitHours: Math.round(limit / 3_600_000) }),
  )
}

/** When the newest file of the folder, or of a folder in it, was written. */
function newestIn(folder: string): number | undefined {
  if (look(folder) === undefined) return undefined
  const times = readdirSync(folder, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile())
    .map((entry) => look(join(entry.parentPath, entry.name))?.mtimeMs ?? 0)
  return times.length === 0 ? undefined : Math.max(...times)
}

const look = (path: string): Stats | undefined => statSync(path, { throwIfNoEntry: false })
