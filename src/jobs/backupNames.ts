/**
 * The names of backups that have none given, `backup-20261122T121314Z.cosigner` of a node and `waas-…` of a WaaS: names sort by time. A
 * backup gets its name only after it was proven, so every file with such a name was proven.
 */
import { readdirSync, rmSync } from "node:fs"
import { basename, join } from "node:path"

const SUFFIX = ".cosigner"

class BackupNames {
  readonly #prefix: string

  constructor(prefix: string) {
    this.#prefix = prefix
  }

  /** The name of a backup that is begun at that moment, ms since 1970. */
  at(nowMs: number): string {
    return `${this.#prefix}${new Date(nowMs).toISOString().replace(/[-:]|\.\d+/g, "")}${SUFFIX}`
  }

  /** The paths of the backups in a folder, oldest first; none if the folder cannot be read. */
  in(folder: string): readonly string[] {
    try {
      return readdirSync(folder)
        .filter((name) => this.#msOf(name) !== undefined)
        .sort()
        .map((name) => join(folder, name))
    } catch {
      return []
    }
  }

  /** When the newest backup in a folder was begun, ms since 1970. */
  newestMs(folder: string): number | undefined {
    const newest = this.in(folder).at(-1)
    return newest === undefined ? undefined : this.#msOf(basename(newest))
  }

  /** Removes the oldest backups in a folder beyond `keep`. Returns how many. */
  prune(folder: string, keep: number): number {
    const old = this.in(folder).slice(0, -keep)
    for (const path of old) rmSync(path, { force: true })
    return old.length
  }

  #msOf(name: string): number | undefined {
    if (!name.startsWith(this.#prefix) || !name.endsWith(SUFFIX)) return undefined
    const time = name.slice(this.#prefix.length, -SUFFIX.length)
    const found = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(time)
    const [year, month, day, hour, minute, second] = found?.slice(1) ?? []
    const ms = Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`)
    return Number.isNaN(ms) ? undefined : ms
  }
}

export const NODE_BACKUPS = new BackupNames("backup-")
export const WAAS_BACKUPS = new BackupNames("waas-")
