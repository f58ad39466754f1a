/**
 * Between the node that commits and whoever copies its file: an operating-system lock on `<file>.gate`. A copier shares it for the
 * seconds of its copy, the node takes it alone for each commit; so no commit falls into a copy. A copier that hangs costs the node one
 * wait: then the node commits all the same, and does not wait again until that copier is gone. The copier notices (privateCopy.ts).
 * The lock goes with its process. It is no protection against anybody: who copies without it has a copy that is whole, or one that
 * is refused when it is opened (scan.ts).
 */
import { Database } from "bun:sqlite"
import { chmodSync, realpathSync } from "node:fs"
import { isBusy, sqliteCode } from "./faults.ts"

/** How long a commit waits for a copy, and a copy for a commit. */
export const BUSY_MS = 5_000

const NOTHING: Disposable = { [Symbol.dispose]() {} }

export class CopyGate implements Disposable {
  readonly #db: Database
  readonly #waitMs: number
  /** The last wait was in vain. */
  #isGivenUp = false

  private constructor(db: Database, waitMs: number) {
    this.#db = db
    this.#waitMs = waitMs
    this.#waitFor(waitMs)
    // nothing is ever written: no journal file is to be made for it
    db.run("PRAGMA journal_mode = MEMORY")
  }

  /** For the node, which may make the file. */
  static ofWriter(path: string, waitMs = BUSY_MS): CopyGate {
    const gate = gateOf(path)
    const db = new Database(gate, { create: true, readwrite: true })
    // chmod, not open: closing another descriptor of this file would drop the lock (POSIX record locks).
    chmodSync(gate, 0o600)
    return new CopyGate(db, waitMs)
  }

  /** For whoever copies. Undefined where there is none: no node of today has ever run there. */
  static ofReader(path: string, waitMs = BUSY_MS): CopyGate | undefined {
    try {
      return new CopyGate(new Database(gateOf(path), { readonly: true }), waitMs)
    } catch (error) {
      if (/^SQLITE_(?:CANTOPEN|READONLY|PERM)/.test(sqliteCode(error) ?? "")) return undefined
      throw error
    }
  }

  /** Nobody copies until it is disposed, but for one who had not finished when the wait was over. */
  alone(): Disposable {
    try {
      this.#db.run("BEGIN EXCLUSIVE")
    } catch (error) {
      if (!isBusy(error)) throw error
      if (!this.#isGivenUp) this.#waitFor(0)
      this.#isGivenUp = true
      return NOTHING
    }
    if (this.#isGivenUp) this.#waitFor(this.#waitMs)
    this.#isGivenUp = false
    return this.#held()
  }

  /** No commit until it is disposed, or until the node has waited for too long. Throws SQLITE_BUSY. */
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

  #waitFor(ms: number): void {
    this.#db.run(`PRAGMA busy_timeout = ${ms}`)
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
