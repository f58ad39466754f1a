/**
 * The guard against an older copy of the database: a small file beside it (`<db>.guard`) that remembers how far the database
 * had come on this host. It is no secret and no proof; it catches the restored copy, the snapshot that was rolled back and
 * the clone, all of which would undo bans (tss.md 2.5 rule 11). WaaS remembers the same, for copies on other hosts.
 *
 * It is written beside the commits, not in them: exactly at every start, and afterwards whenever some seconds of commits
 * have gathered. So an older copy from before the last start is always seen, one from within a run unless it is younger
 * than those seconds; and no commit waits for a second file.
 */
import { closeSync, fsyncSync, openSync, readFileSync, renameSync, writeSync } from "node:fs"
import { dirname } from "node:path"
import { toHex, utf8 } from "../bytes.ts"
import { sha256 } from "../crypto/frame.ts"
import { CosignerError } from "../errors.ts"
import { asFault } from "./faults.ts"

/** How far a database has come. */
export interface Standing {
  /** Decisions to go on from an older copy; the higher one is the node. */
  readonly lineage: number
  /** Starts of the node. */
  readonly boot: number
  /** Commits. */
  readonly generation: number
}

export const guardPath = (db: string): string => `${db}.guard`

/** Whether `a` may be the same database as `known`, now or later. */
export const isBehind = (a: Standing, known: Standing): boolean =>
  a.lineage !== known.lineage ? a.lineage < known.lineage : a.boot < known.boot || a.generation < known.generation

export const standingText = ({ lineage, boot, generation }: Standing): string =>
  `start ${boot}, commit ${generation}${lineage === 0 ? "" : `, lineage ${lineage}`}`

/** Throws E-BAK-015 if this host has seen a later state of the database, E-BAK-016 if its memory cannot be read. */
export function checkGuard(db: string, standing: Standing): void {
  const known = readGuard(db)
  if (known === undefined || !isBehind(standing, known)) return
  throw new CosignerError("E-BAK-015", { path: db, have: standingText(standing), known: standingText(known) })
}

/** Undefined where there is no guard yet. Throws E-BAK-016. */
export function readGuard(db: string): Standing | undefined {
  const path = guardPath(db)
  let text: string
  try {
    text = readFileSync(path, "utf8")
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined
    throw new CosignerError("E-BAK-016", { path }, { cause: error })
  }
  const standing = parse(text)
  if (standing === undefined) throw new CosignerError("E-BAK-016", { path })
  return standing
}

/** On the disk when it returns. */
export function writeGuard(db: string, standing: Standing): void {
  const path = guardPath(db)
  try {
    const draft = `${path}.new`
    const fd = openSync(draft, "w", 0o600)
    try {
      writeSync(fd, textOf(standing))
      fsyncSync(fd)
    } finally {
      closeSync(fd)
    }
    renameSync(draft, path)
    const folder = openSync(dirname(path), "r")
    try {
      fsyncSync(folder)
    } finally {
      closeSync(folder)
    }
  } catch (error) {
    throw asFault(error, path, "write")
  }
}

const bodyOf = ({ lineage, boot, generation }: Standing): string => `cosigner-guard 1 ${lineage} ${boot} ${generation}`
const checkOf = (body: string): string => toHex(sha256(utf8(body))).slice(0, 16)
const textOf = (standing: Standing): string => `${bodyOf(standing)} ${checkOf(bodyOf(standing))}\n`

function parse(text: string): Standing | undefined {
  const found = /^cosigner-guard 1 (\d{1,16}) (\d{1,16}) (\d{1,16}) [0-9a-f]{16}\n$/.exec(text)
  if (found === null) return undefined
  const [lineage, boot, generation] = found.slice(1, 4).map(Number)
  if (lineage === undefined || boot === undefined || generation === undefined) return undefined
  const standing = { lineage, boot, generation }
  return text === textOf(standing) ? standing : undefined
}
