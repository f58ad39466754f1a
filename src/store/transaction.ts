/** What one transaction has changed so far, and the root that will vouch for it. Begun, committed and undone by the vault. */
import { type Bytes, concat, u64be } from "../bytes.ts"
import { encode } from "../codec.ts"
import type { SecretsFile } from "./file.ts"
import { headerChecksum } from "./header.ts"
import { type RecordKind, ROOT, type Root } from "./records.ts"
import { keyOf, markOf, NO_NAME, putRow, unmark, writeHeader } from "./rows.ts"
import { addWeight, type RecordSealer, type SealedRecord, subtractWeight } from "./seal.ts"

export class StoreTransaction {
  /** id -> the new mark, or undefined when removed. */
  readonly changes: Map<string, string | undefined> = new Map()
  readonly hooks: (() => void)[] = []
  /** Names of the kinds that it touched. */
  readonly kinds: Set<string> = new Set()
  readonly #file: SecretsFile
  readonly #sealer: RecordSealer
  readonly #markBefore: (id: string) => string | undefined
  #root: Root
  #isNewHeader = false

  constructor(file: SecretsFile, sealer: RecordSealer, before: Root, markBefore: (id: string) => string | undefined) {
    this.#file = file
    this.#sealer = sealer
    this.#markBefore = markBefore
    this.#root = { ...before, generation: before.generation + 1 }
  }

  /** The generation that this transaction will make. */
  get generation(): number {
    return this.#root.generation
  }

  get isEmpty(): boolean {
    return this.changes.size === 0 && !this.#isNewHeader
  }

  put<T>(kind: RecordKind<T>, name: Uint8Array, value: T): void {
    const record = this.#seal(kind, name, value)
    this.#uncount(record.id)
    this.kinds.add(kind.name)
    putRow(this.#file, record)
    this.#root = {
      ...this.#root,
      count: this.#root.count + 1,
      sum: addWeight(this.#root.sum, this.#sealer.weight(record)),
    }
    this.changes.set(keyOf(record.id), markOf(record))
  }

  /** Removing what is not there is no change. */
  remove(kind: RecordKind<unknown>, name: Uint8Array): void {
    const id = this.#sealer.blind(kind.byte, name)
    if (!this.#uncount(id)) return
    this.kinds.add(kind.name)
    this.#file.sql.remove.run(id)
    this.changes.set(keyOf(id), undefined)
  }

  /** The same data key wrapped again. */
  replaceHeader(header: Bytes): void {
    writeHeader(this.#file, header)
    this.#root = { ...this.#root, header: headerChecksum(header) }
    this.#isNewHeader = true
  }

  /** For what is kept in memory: called once the transaction is on the disk, never when it fails. Must not throw. */
  afterCommit(hook: () => void): void {
    this.hooks.push(hook)
  }

  /** The last write of every transaction. */
  putRoot(): Root {
    putRow(this.#file, this.#seal(ROOT, NO_NAME, this.#root))
    return this.#root
  }

  #seal<T>(kind: RecordKind<T>, name: Uint8Array, value: T): SealedRecord {
    const id = this.#sealer.blind(kind.byte, name)
    const body = encode(kind.codec, value)
    const plain = concat(u64be(this.generation), body)
    try {
      return this.#sealer.seal({ id, kind: kind.byte, version: kind.version }, plain)
    } finally {
      body.fill(0)
      plain.fill(0)
    }
  }

  #uncount(id: Uint8Array): boolean {
    const mark = this.#markBefore(keyOf(id))
    if (mark === undefined) return false
    const weight = this.#sealer.weight({ id, ...unmark(mark) })
    this.#root = { ...this.#root, count: this.#root.count - 1, sum: subtractWeight(this.#root.sum, weight) }
    return true
  }
}
