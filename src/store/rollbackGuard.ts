/**
 * The guard against an older copy of the database: a small file beside it (`<db>.guard`) that records how far the database had come on
 * this host. It is neither secret nor authenticated. It detects a restored copy, a rolled-back snapshot and a clone, all of which would
 * undo bans (threshold.md 2.5 rule 11). WaaS records the same for copies on other hosts.
 *
 * The guard is not part of a commit, so that no commit waits for a second file. It is written at every start, and then every few seconds
 * while there are commits (jobs/rollbackGuard.ts). So it always detects a copy from before the last start, and a copy from within a run
 * unless that is younger than those seconds.
 */
import { readFileSync } from "node:fs"
import { toHex, utf8 } from "../bytes.ts"
import { sha256 } from "../crypto/frame.ts"
import { CosignerError } from "../errors.ts"
import { errnoOf, replaceFile } from "../files.ts"
import { asFault } from "./faults.ts"

/** The position of a database in its history; compares two copies. */
export interface DatabaseAge {
  /** Rises with each decision to continue from an older copy. Compared first. */
  readonly incarnation: number
  /** Number of starts of the node. */
  readonly boot: number
  /** Number of commits. */
  readonly generation: number
}

export const rollbackGuardPath = (db: string): string => `${db}.guard`

/** True if `a` is an older copy than `known`. */
const isBehind = (a: DatabaseAge, known: DatabaseAge): boolean =>
  a.incarnation !== known.incarnation
    ? a.incarnation < known.incarnation
    : a.boot < known.boot || a.generation < known.generation

const fencingTokenText = ({ incarnation, boot, generation }: DatabaseAge): string =>
  `start ${boot}, commit ${generation}${incarnation === 0 ? "" : `, incarnation ${incarnation}`}`

/** Throws E-BAK-015 if this host has seen a later state of the database, E-BAK-016 if the guard cannot be read. */
export function checkRollbackGuard(db: string, fencingToken: DatabaseAge): void {
  const known = readRollbackGuard(db)
  if (known === undefined || !isBehind(fencingToken, known)) return
  throw new CosignerError("E-BAK-015", {
    path: db,
    have: fencingTokenText(fencingToken),
    known: fencingTokenText(known),
  })
}

/** Undefined if there is no guard yet. Throws E-BAK-016 if it cannot be read. */
export function readRollbackGuard(db: string): DatabaseAge | undefined {
  const path = rollbackGuardPath(db)
  let text: string
  try {
    text = readFileSync(path, "utf8")
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return undefined
    throw new CosignerError("E-BAK-016", { path }, { cause: error })
  }
  const fencingToken = parse(text)
  if (fencingToken === undefined) throw new CosignerError("E-BAK-016", { path })
  return fencingToken
}

/** Durable when it returns. */
export function writeRollbackGuard(db: string, fencingToken: DatabaseAge): void {
  const path = rollbackGuardPath(db)
  try {
    replaceFile(path, textOf(fencingToken))
  } catch (error) {
    throw asFault(error, path, "write")
  }
}

const bodyOf = ({ incarnation, boot, generation }: DatabaseAge): string =>
  `cosigner-guard 1 ${incarnation} ${boot} ${generation}`
const checkOf = (body: string): string => toHex(sha256(utf8(body))).slice(0, 16)
const textOf = (fencingToken: DatabaseAge): string => `${bodyOf(fencingToken)} ${checkOf(bodyOf(fencingToken))}\n`

function parse(text: string): DatabaseAge | undefined {
  const found = /^cosigner-guard 1 (\d{1,16}) (\d{1,16}) (\d{1,16}) [0-9a-f]{16}\n$/.exec(text)
  if (found === null) return undefined
  const [incarnation, boot, generation] = found.slice(1, 4).map(Number)
  if (incarnation === undefined || boot === undefined || generation === undefined) return undefined
  const fencingToken = { incarnation, boot, generation }
  return text === textOf(fencingToken) ? fencingToken : undefined
}
