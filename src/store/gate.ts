/**
 * Keeps the commits of a node and the copies of other processes apart: an operating-system lock on `<file>.gate`. A copier takes it shared
 * for the duration of its copy, and the node takes it exclusively for each commit. If a copier hangs, the node waits once for BUSY_MS, then
 * commits anyway, and does not wait again until that copier is gone. The copier detects such a commit and copies again (privateCopy.ts).
 * The lock ends with the process that holds it.
 *
 * The gate avoids useless copies; it is not what makes copies safe. A copy made without it (cp, a snapshot of the disk) may mix the pages
 * of two commits. If it does, it cannot be opened, because the root record authenticates the exact set of records (scan.ts). So every copy
 * that can be opened is the complete state after one commit.
 */
import { Database } from "bun:sqlite"
import { chmodSync, realpathSync } from "node:fs"
import { isBusy, sqliteCode } from "./faults.ts"

/** How long a commit waits for a copy to end, and a copy for a commit. */
export const BUSY_MS = 5_000

const NOTHING: Disposable = { [Symbol.dispose]() {} }

export class CopyGate implements Disposable {
  readonly #db: Database
  readonly #waitMs: number
  /** The last wait timed out: do not wait again until that copier is gone. */
  #isGivenUp = false

  private constructor(db: Database, waitMs: number) {
    this.#db = db
    this.#waitMs = waitMs
    this.#waitFor(waitMs)
    // Nothing is ever written to the gate, so it needs no journal file.
    db.run("PRAGMA journal_mode = MEMORY")
  }

  /** The gate for the node; makes the file if there is none. */
  static ofWriter(path: string, waitMs = BUSY_MS): CopyGate {
    const gate = gateOf(path)
    const db = new Database(gate, { create: true, readwrite: true })
    // chmod, not open: closing another descriptor of this file would drop the lock (POSIX record locks).
    chmodSync(gate, 0o600)
    return new CopyGate(db, waitMs)
  }

  /** The gate for a copier; undefined if it cannot be opened, as when no release that has a gate ever opened the database. */
  static ofReader(path: string, waitMs = BUSY_MS): CopyGate | undefined {
    try {
      return new CopyGate(new Database(gateOf(path), { readonly: true }), waitMs)
    } catch (error) {
      if (/^SQLITE_(?:CANTOPEN|READONLY|PERM)/.test(sqliteCode(error) ?? "")) return undefined
      throw error
    }
  }

  /** Keeps copies from beginning until it is disposed. Holds nothing back while the node has given up on a copier that hangs. */
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

  /** Keeps commits from beginning until it is disposed, or until the node gives up waiting. Throws SQLITE_BUSY after its own wait. */
  shared(): Disposable {
    this.#db.run("BEGIN")
    const held = this.#held()
    try {
      // BEGIN alone takes no lock; the first read does.
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

/** Beside the real file, so that all links to it use one gate. */
const gateOf = (path: string): string => `${realpathSync(path)}.gate`
