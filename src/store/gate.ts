/**
 * Between the node that commits and whoever copies its file: an operating-system lock on `<file>.gate`. A copier shares it for the
 * seconds of its copy, the node takes it alone for each commit; so no commit falls into a copy that this program makes, and a copier
 * that hangs costs the node one commit that fails before it has begun. It dies with the process and guards against no attacker:
 * a copy that was made without it is whole or refused, as any copy by another program is (scan.ts).
 */
import { Database } from "bun:sqlite"
import { chmodSync, realpathSync } from "node:fs"
import { sqliteCode } from "./faults.ts"

/** How long a commit waits for a copy, and a copy for a commit, before it gives up. */
export const BUSY_MS = 5_000

export class CopyGate implements Disposable {
  readonly #db: Database

  private constructor(db: Database) {
    this.#db = db
    db.run(`PRAGMA busy_timeout = ${BUSY_MS}`)
    // nothing is ever written: no journal file is to be made for it
    db.run("PRAGMA journal_mode = MEMORY")
  }

  /** For the node, which may make the file. */
  static ofWriter(path: string): CopyGate {
    const gate = gateOf(path)
    const db = new Database(gate, { create: true, readwrite: true })
    // chmod, not open: closing another descriptor of this file would drop the lock (POSIX record locks).
    chmodSync(gate, 0o600)
    return new CopyGate(db)
  }

  /** For whoever copies. Undefined where there is none: no node of today has ever run there. */
  static ofReader(path: string): CopyGate | undefined {
    try {
      return new CopyGate(new Database(gateOf(path), { readonly: true }))
    } catch (error) {
      if (/^SQLITE_(?:CANTOPEN|READONLY|PERM)/.test(sqliteCode(error) ?? "")) return undefined
      throw error
    }
  }

  /** Nobody copies until it is disposed. Throws SQLITE_BUSY. */
  alone(): Disposable {
    this.#db.run("BEGIN EXCLUSIVE")
    return this.#held()
  }

  /** No commit until it is disposed. Throws SQLITE_BUSY. */
  shared(): Disposable {
    this.#db.run("BEGIN")
    const held = this.#held()
    try {
      // BEGIN alone takes no lock: reading does
      this.#db.query("SELECT count(*) FROM sqlite_schema").get()
      return held
    } catch (error) {
      held[Symbol.dispose]()
      throw error
    }
  }

  #held(): Disposable {
    return { [Symbol.dispose]: () => void this.#db.run("ROLLBACK") }
  }

  [Symbol.dispose](): void {
    this.#db.close()
  }
}

/** Beside the file itself, whatever links lead to it. */
const gateOf = (path: string): string => `${realpathSync(path)}.gate`
