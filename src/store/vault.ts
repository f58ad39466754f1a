/**
 * The sealed table in use: records by kind and name. Each transaction is one SQLite transaction and writes one new root record. An index in
 * memory holds the one valid seal of every record, so a change of the file by somebody else is detected when the record is read, and not
 * only at the next start. Only a file in the making has no such index. The repositories give records their meaning.
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

/** Called after every transaction: its duration, whether it was committed, and the kinds of record that it changed. Must not throw. */
export type ObserveCommit = (tookMs: number, isDone: boolean, kinds: ReadonlySet<string>) => void

const NO_KINDS: ReadonlySet<string> = new Set()

export class RecordVault {
  readonly #file: SecretsFile
  readonly #sealer: RecordSealer
  #index: Index
  #root: Root = { generation: 0, count: 0, sum: 0n, header: new Uint8Array(32) }
  /** The generation that a file in the making starts from, before its first root is written. */
  #begunAt = 0
  #current: StoreTransaction | undefined
  /** While the parts of a group run: their transaction, and the functions that undo their memory changes, last first. */
  #group: { readonly tx: StoreTransaction; readonly undo: (() => void)[] } | undefined
  /** Set when the store must not be used any more; every later call throws it. */
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

  /** Number of records read and decrypted since the file was opened. */
  get opened(): number {
    return this.#opened
  }

  /** Sets the one observer. */
  observe(observe: ObserveCommit): void {
    this.#observe = observe
  }

  /** Begins an empty file with this header; the first transaction adds the root. Commits are counted from `generation` on. */
  initialise(header: Bytes, generation = 0): void {
    this.#begunAt = generation
    writeHeader(this.#file, header)
    this.#root = { ...this.#root, generation, header: headerChecksum(header) }
  }

  /** Checks the whole file and takes it into use. Throws at the first problem; nothing of the file is used then. */
  load(visitors: Visitors): void {
    this.#guarded("read", () => {
      const index: Index = new Map()
      const { root } = scan(this.#file, this.#sealer, "start", visitors, (id, mark) => index.set(id, mark))
      this.#root = root
      this.#index = index
    })
  }

  /** Repeats the check of a start, with SQLite's page check, on an open store. Returns the number of records. */
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

  /** The record, or undefined if there is none. Throws E-STO-010 or -011 if it is not exactly the one that was last written. */
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
   * Runs `body` and commits its changes: durable when this returns; nothing has changed if it throws. Inside a part of a group it joins the
   * group's transaction, and is durable when the group is.
   */
  transaction<T>(body: (tx: StoreTransaction) => T): T {
    const group = this.#group
    if (group === undefined) return this.#alone(body)
    const result = body(group.tx)
    group.undo.unshift(...group.tx.applyMemory())
    return result
  }

  /**
   * Runs all `parts` in one transaction, so that they share the syncs of one commit. Each part sees the changes of the parts before it. A
   * part that throws changes nothing and is rejected. Throws if the commit fails: then no part has changed anything.
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
        throw error // SQLite has rolled back the whole transaction, as on a full disk: the group fails as a whole
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

  /** Every later call throws E-STO-019. */
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
      // A commit that reports a failure is normally undone. If it stands all the same, memory and disk differ.
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

  /** Ignores a failure, which does not undo the commit: later commits overwrite the log, or closing the file removes it. */
  #forgetReplaced(): void {
    try {
      this.#file.forgetReplaced()
    } catch {}
  }

  /** Rolls back; does nothing after a commit. */
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
