/**
 * Writes a new password to the key file and to the database, as two durable steps: whenever the process dies, the next start can
 * open the database. Meanwhile FILE.bak (the old password) and FILE.new (the new one) are beside the key file FILE:
 *
 *     1  FILE.bak, then FILE.new, are written and durable       FILE opens the database
 *     2  the database takes the new password, in one commit     FILE.new opens it
 *     3  FILE.new becomes FILE                                   FILE opens it
 *
 * A start tries FILE, and FILE.new if FILE is not the password; then it finishes step 3, or removes what was left.
 */
import { chownSync, realpathSync, rmSync, type Stats, statSync } from "node:fs"
import { dirname } from "node:path"
import { CosignerError, errorText, isCode } from "../errors.ts"
import { errnoOf, isTaken, NewFile, nameOver, syncPath } from "../files.ts"
import type { Secret } from "../secret.ts"
import { migrateIfDue } from "../store/migrate.ts"
import { openStore, type Store } from "../store/store.ts"
import { MOST_BYTES, readKeyFile } from "./keyFile.ts"

interface KeyedDatabase {
  readonly path: string
  readonly key_file?: string | undefined
  readonly danger_allow_readable_key_file: boolean
}

const oldOf = (file: string): string => `${file}.bak`
const newOf = (file: string): string => `${file}.new`
const draftOf = (path: string): string => `${path}.part`
const leftovers = (file: string): readonly string[] =>
  [oldOf(file), newOf(file)].flatMap((path) => [path, draftOf(path)])

/**
 * Runs `change`, which gives the database the password `next`, between the steps of the key file. Throws E-CLI-016, before
 * anything has changed, if the file cannot be written. If `change` throws, the key file stays as it was. If it is not known
 * whether the database has changed (E-ADM-002), both passwords stay, and the next start chooses.
 */
export async function changeWithKeyFile(
  db: { readonly path: string; readonly key_file: string },
  passwords: ChangedPassword,
  change: () => Promise<void>,
): Promise<void> {
  const file = stage(db, passwords)
  try {
    await change()
  } catch (error) {
    if (!isCode(error, "E-ADM-002")) discard(file)
    throw error
  }
  nameOver(newOf(file), file)
}

interface ChangedPassword {
  readonly before: Secret
  readonly next: Secret
}

function stage(
  { path, key_file: keyFile }: Parameters<typeof changeWithKeyFile>[0],
  { before, next }: ChangedPassword,
): string {
  const refuse = (why: string, cause?: unknown) => new CosignerError("E-CLI-016", { path: keyFile, why }, { cause })
  if (next.length > MOST_BYTES) throw refuse(`the new password is longer than ${MOST_BYTES} bytes`)
  let file: string | undefined
  try {
    file = realpathSync(keyFile)
    const like = statSync(file)
    // It may be left from a change that was interrupted, and be the only password that opens the database.
    if (isTaken(newOf(file)) && !opens(path, before)) {
      throw refuse(`${newOf(file)} is left of a change that was cut off, and a start of the node settles that`)
    }
    writeLike(oldOf(file), before, like)
    writeLike(newOf(file), next, like)
    return file
  } catch (cause) {
    if (errnoOf(cause) === undefined) throw cause
    if (file !== undefined && !isTaken(newOf(file))) discard(file)
    throw refuse(errorText(cause), cause)
  }
}

function opens(path: string, password: Secret): boolean {
  try {
    openStore(path, password, { readOnly: true }).close()
    return true
  } catch (error) {
    if (isCode(error, "E-STO-004")) return false
    throw error
  }
}

/** Writes with mode 600 and the owner of `like`, which is the node's user even if root changes the password. */
function writeLike(path: string, password: Secret, { uid, gid }: Stats): void {
  using file = new NewFile(path, draftOf(path))
  file.write(password.expose())
  file.finish((draft, name) => {
    if (statSync(draft).uid !== uid) chownSync(draft, uid, gid)
    nameOver(draft, name)
  })
}

/** Removes the files beside the key file. A file that cannot be removed is harmless, and the next start tries again. */
function discard(file: string): void {
  const left = leftovers(file).filter(isTaken)
  if (left.length === 0) return
  try {
    for (const path of left) rmSync(path, { force: true })
    syncPath(dirname(file))
  } catch (error) {
    if (errnoOf(error) === undefined) throw error
  }
}

/**
 * Opens the database as its node, and first migrates it to this program's format. If a change of its password was interrupted, the
 * key file is settled. `tell` reports both. Throws the errors of openStore.
 */
export function openAsNode(db: KeyedDatabase, password: Secret, tell: (note: string) => void): Store {
  const file = db.key_file === undefined ? undefined : resolved(db.key_file)
  const migrated = migrateIfDue(db.path, Date.now())
  if (migrated !== undefined) {
    tell(
      `the database had format ${migrated.from} and was migrated; the copy from before is ${migrated.copy}: no node may run on it`,
    )
  }
  try {
    const store = openStore(db.path, password, { readOnly: false })
    if (file !== undefined) discard(file)
    return store
  } catch (error) {
    if (file === undefined || !isCode(error, "E-STO-004") || !isTaken(newOf(file))) throw error
    using next = readKeyFile(newOf(file))
    const store = openStore(db.path, next, { readOnly: false })
    try {
      nameOver(newOf(file), file)
      tell(
        `a change of the password was cut off; the key file ${file} has the new one now, and ${oldOf(file)} the old one`,
      )
    } catch (cause) {
      tell(
        `a change of the password was cut off: ${newOf(file)} opens the database and ${file} does not; rename it (${errorText(cause)})`,
      )
    }
    return store
  }
}

function resolved(path: string): string | undefined {
  try {
    return realpathSync(path)
  } catch {
    return undefined
  }
}
