/**
 * The sealed table in use: records by kind and name, changed in transactions that are one SQLite transaction and one new root
 * each. An index in memory knows the one valid seal of every record, so that what changes behind our back is seen when it is
 * read, not only at the next start; only a file in the making does without. What the records say is the repositories'.
 */
import type { Bytes } from "../bytes.ts"
import { CosignerError } from "../errors.ts"
import { asFault, damage } from "./faults.ts"
import type { SecretsFile } from "./file.ts"
import { headerChecksum } from "./header.ts"
import type { RecordKind, Root } from "./records.ts"
import { getRow, type Index, keyOf, markOf, parseBody, withPlain, writeHeader } from "./rows.ts"
import { readRoot, scan, type Visitors } from "./scan.ts"
import type { RecordSealer, SealedRecord } from "./seal.ts"
import { StoreTransaction } from "./transaction.ts"

/** Told of every transaction: how long it took, whether it stands, and the kinds of record that it touched. Must not throw. */
export type ObserveCommit = (tookMs: number, isDone: boolean, kinds: ReadonlySet<string>) => void

const NO_KINDS: ReadonlySet<string> = new Set()

export class RecordVault {
  readonly #file: SecretsFile
  readonly #sealer: RecordSealer
  #index: Index
  #root: Root = { generation: 0, count: 0, sum: 0n, header: new Uint8Array(32) }
  /** Commits before the first root of a file in the making. */
  #begunAt = 0
  #current: StoreTransaction | undefined
  /** While parts of a group run: their transaction, and the steps that undo their changes in memory, last first. */
  #group: { readonly tx: StoreTransaction; readonly undo: (() => void)[] } | undefined
  #stopped: CosignerError | undefined
  #observe: ObserveCommit = () => {}
  #opened = 0

  constructor(file: SecretsFile, sealer: RecordSealer, index: Index = new Map()) {
    this.#file = file
    this.#sealer = sealer
    this.#index = index
  }

  get path(): string {
    return this.#file.path
  }

  /** Commits since the file was made. */
  get generation(): number {
    return this.#root.generation
  }

  /** Records that were read and decrypted since the file was opened. */
  get opened(): number {
    return this.#opened
  }

  /** From now on; one observer. */
  observe(observe: ObserveCommit): void {
    this.#observe = observe
  }

  /** Begins an empty file with this header; the first transaction adds the root. It goes on counting commits from `generation`. */
  initialise(header: Bytes, generation = 0): void {
    this.#begunAt = generation
    writeHeader(this.#file, header)
    this.#root = { ...this.#root, generation, header: headerChecksum(header) }
  }

  /** Checks the whole file and takes it into use; throws, and uses nothing of it, at the first thing that is not right. */
  load(visitors: Visitors): void {
    this.#guarded("read", () => {
      const index: Index = new Map()
      const { root } = scan(this.#file, this.#sealer, "start", visitors, (id, mark) => index.set(id, mark))
      this.#root = root
      this.#index = index
    })
  }

  /** The check of the start and SQLite's own, on a store in use; returns the number of records. */
  verify(visitors: Visitors): number {
    return this.#guarded("read", () => {
      const { root, size } = scan(this.#file, this.#sealer, "thorough", visitors)
      if (root.generation !== this.#root.generation) throw this.#changedBeneath("replaced")
      return size
    })
  }

  has(kind: RecordKind<unknown>, name: Uint8Array): boolean {
    return this.#markOf(keyOf(this.#sealer.blind(kind.byte, name))) !== undefined
  }

  /** The record, or undefined when there is none. Throws if it is not exactly the one that was last written. */
  read<T>(kind: RecordKind<T>, name: Uint8Array): T | undefined {
    return this.#guarded("read", () => {
      const id = this.#sealer.blind(kind.byte, name)
      const mark = this.#markOf(keyOf(id))
      if (mark === undefined) return undefined
      const record = this.#expect(getRow(this.#file, id), mark)
      this.#opened += 1
      const opened = withPlain(this.#sealer, record, (plain) => parseBody(this.path, kind, record.version, plain))
      if (opened === undefined) throw damage(this.path, "a record does not open: bits in it have changed")
      return opened.value
    })
  }

  /**
   * Runs `body` and commits what it changed: on the disk when this returns, and nothing has changed when it throws. In a part of a
   * group it joins that, and is on the disk with the group.
   */
  transaction<T>(body: (tx: StoreTransaction) => T): T {
    const group = this.#group
    if (group === undefined) return this.#alone(body)
    const result = body(group.tx)
    group.undo.unshift(...group.tx.applyMemory())
    return result
  }

  /**
   * Runs all `parts` in one transaction, which is one sync of the disk for all of them. Each part sees what those before it changed;
   * one that throws changes nothing and is rejected. Throws when the whole does not come to the disk: then no part has changed anything.
   */
  group(parts: readonly (() => unknown)[]): readonly PromiseSettledResult<unknown>[] {
    const undo: (() => void)[] = []
    try {
      return this.#alone((tx) => {
        this.#group = { tx, undo }
        try {
          return parts.map((part) => this.#part(tx, part, undo))
        } finally {
          this.#group = undefined
        }
      })
    } catch (error) {
      for (const step of undo) step()
      throw error
    }
  }

  #part(tx: StoreTransaction, part: () => unknown, undo: (() => void)[]): PromiseSettledResult<unknown> {
    const mark = tx.mark()
    const before = undo.length
    this.#file.savepoint()
    try {
      const value = part()
      this.#file.keepPart()
      return { status: "fulfilled", value }
    } catch (error) {
      for (const step of undo.splice(0, undo.length - before)) step()
      tx.restore(mark)
      try {
        this.#file.undoPart()
      } catch {
        throw error // SQLite has ended the transaction by itself, as on a full disk: the group has failed as a whole
      }
      return { status: "rejected", reason: asFault(error, this.path, "write to") }
    }
  }

  #alone<T>(body: (tx: StoreTransaction) => T): T {
    const begunMs = performance.now()
    let isDone = false
    let kinds = NO_KINDS
    try {
      const result = this.#guarded("write to", () => {
        const tx = this.#begin()
        kinds = tx.kinds
        let result: T
        try {
          result = body(tx)
          if (!tx.isEmpty) this.#commit(tx)
        } finally {
          this.#current = undefined
          this.#undo()
        }
        tx.applyMemory()
        return result
      })
      isDone = true
      return result
    } finally {
      this.#observe(performance.now() - begunMs, isDone, kinds)
    }
  }

  /** Nothing works from here on. */
  close(): void {
    this.#stopped = new CosignerError("E-STO-019", { path: this.path, why: "it was closed" })
  }

  #begin(): StoreTransaction {
    const { path, readOnly } = this.#file
    if (readOnly) throw new CosignerError("E-STO-019", { path, why: "it was opened to read only" })
    if (this.#current !== undefined) throw new CosignerError("E-STO-019", { path, why: "a transaction is still open" })
    if (!this.#file.inPlace()) throw this.#changedBeneath("moved or replaced")
    this.#file.begin()
    this.#current = new StoreTransaction(this.#file, this.#sealer, this.#root, (id) => this.#markOf(id))
    return this.#current
  }

  #commit(tx: StoreTransaction): void {
    const root = tx.putRoot()
    try {
      this.#file.commit()
    } catch (error) {
      this.#undo()
      // A commit that reports a failure is normally undone. Should it stand all the same, memory and disk have parted.
      if (this.#generationOnDisk() !== this.#root.generation) throw this.#inDoubt()
      throw error
    }
    this.#root = root
    if (tx.replacesSecret) this.#forgetReplaced()
    for (const [id, mark] of tx.changes) {
      if (mark === undefined) this.#index.delete(id)
      else this.#index.set(id, mark)
    }
  }

  /** A failure does not undo the commit: later commits overwrite the log, or the end of the process removes it. */
  #forgetReplaced(): void {
    try {
      this.#file.forgetReplaced()
    } catch {}
  }

  /** Ends what is not committed; after a commit there is nothing to end. */
  #undo(): void {
    try {
      this.#file.rollback()
    } catch {
      throw this.#inDoubt()
    }
  }

  #generationOnDisk(): number | undefined {
    try {
      return readRoot(this.#file, this.#sealer)?.generation ?? this.#begunAt
    } catch {
      return undefined
    }
  }

  #markOf(id: string): string | undefined {
    const changes = this.#current?.changes
    return changes?.has(id) ? changes.get(id) : this.#index.get(id)
  }

  #expect(record: SealedRecord | undefined, mark: string): SealedRecord {
    if (record !== undefined && markOf(record) === mark) return record
    const { path } = this.#file
    if (record === undefined) throw new CosignerError("E-STO-010", { path, what: "a record" })
    throw new CosignerError("E-STO-011", { path, what: "a record" })
  }

  #changedBeneath(how: string): CosignerError {
    this.#stopped = new CosignerError("E-STO-017", { path: this.path, how })
    return this.#stopped
  }

  #inDoubt(): CosignerError {
    this.#stopped = new CosignerError("E-STO-029", { path: this.path })
    return this.#stopped
  }

  #guarded<T>(doing: string, action: () => T): T {
    if (this.#stopped !== undefined) throw this.#stopped
    try {
      return action()
    } catch (error) {
      throw asFault(error, this.path, doing)
    }
  }
}
