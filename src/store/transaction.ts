/** The changes of one transaction so far, and the root record that will authenticate them. vault.ts begins, commits and undoes it. */
import { type Bytes, concat, u64be } from "../bytes.ts"
import { encode } from "../codec.ts"
import type { SecretsFile } from "./file.ts"
import { headerChecksum } from "./header.ts"
import { GROUP_SECRET, type RecordKind, ROOT, type Root } from "./records.ts"
import { keyOf, markOf, NO_NAME, putRow, unmark, writeHeader } from "./rows.ts"
import { addWeight, type RecordSealer, type SealedRecord, subtractWeight } from "./seal.ts"

/** A change of memory that belongs to a transaction. */
interface MemoryChange {
  apply(): void
  undo(): void
}

/** A saved state of the transaction, for `restore`. */
interface TransactionMark {
  readonly changes: ReadonlyMap<string, string | undefined>
  readonly kinds: ReadonlySet<string>
  readonly root: Root
}

export class StoreTransaction {
  /** The new mark of each changed id, or undefined if it was removed. */
  readonly changes: Map<string, string | undefined> = new Map()
  readonly #memory: MemoryChange[] = []
  /** Names of the kinds of record that it changed. */
  readonly kinds: Set<string> = new Set()
  readonly #file: SecretsFile
  readonly #sealer: RecordSealer
  readonly #markBefore: (id: string) => string | undefined
  #root: Root
  #isNewHeader = false
  #step = 0
  #replacesSecret = false

  constructor(file: SecretsFile, sealer: RecordSealer, before: Root, markBefore: (id: string) => string | undefined) {
    this.#file = file
    this.#sealer = sealer
    this.#markBefore = markBefore
    this.#root = { ...before, generation: before.generation + 1 }
  }

  /** The generation of the database after this transaction. */
  get generation(): number {
    return this.#root.generation
  }

  get isEmpty(): boolean {
    return this.changes.size === 0 && !this.#isNewHeader
  }

  /** True if it replaces or removes a group's secret part or the header. The old bytes must not stay on the disk then. */
  get replacesSecret(): boolean {
    return this.#replacesSecret
  }

  put<T>(kind: RecordKind<T>, name: Uint8Array, value: T): void {
    const record = this.#seal(kind, name, value)
    if (this.#uncount(record.id) && kind.byte === GROUP_SECRET.byte) this.#replacesSecret = true
    this.kinds.add(kind.name)
    putRow(this.#file, record)
    this.#root = {
      ...this.#root,
      count: this.#root.count + 1,
      sum: addWeight(this.#root.sum, this.#sealer.weight(record)),
    }
    this.changes.set(keyOf(record.id), markOf(record))
  }

  /** Removes a record. Does nothing if there is none. */
  remove(kind: RecordKind<unknown>, name: Uint8Array): void {
    const id = this.#sealer.blind(kind.byte, name)
    if (!this.#uncount(id)) return
    if (kind.byte === GROUP_SECRET.byte) this.#replacesSecret = true
    this.kinds.add(kind.name)
    this.#file.sql.remove.run(id)
    this.changes.set(keyOf(id), undefined)
  }

  /** Replaces the header: the same data key, wrapped again. */
  replaceHeader(header: Bytes): void {
    writeHeader(this.#file, header)
    this.#root = { ...this.#root, header: headerChecksum(header) }
    this.#isNewHeader = true
    this.#replacesSecret = true
  }

  /**
   * Registers a change of memory. `apply` is called once the transaction is durable. In a group of transactions it is called before the
   * next one begins, which must see it, and `undo` is called if the group fails to commit. Neither may throw.
   */
  remember(apply: () => void, undo: () => void): void {
    this.#memory.push({ apply, undo })
  }

  /** Changes whenever memory changes are applied or taken back. Values computed from memory are stale after that. */
  get step(): number {
    return this.#step
  }

  /** Applies the registered memory changes; returns the functions that undo them, in the order to call them (last first). */
  applyMemory(): readonly (() => void)[] {
    this.#step++
    const changes = this.#memory.splice(0)
    for (const { apply } of changes) apply()
    return changes.map(({ undo }) => undo).reverse()
  }

  mark(): TransactionMark {
    return { changes: new Map(this.changes), kinds: new Set(this.kinds), root: this.#root }
  }

  /** Goes back to a mark, after the caller has undone the file. `replacesSecret` stays set; at worst that empties the log unnecessarily. */
  restore({ changes, kinds, root }: TransactionMark): void {
    this.#step++
    this.#memory.length = 0
    this.#root = root
    this.changes.clear()
    for (const [id, mark] of changes) this.changes.set(id, mark)
    this.kinds.clear()
    for (const kind of kinds) this.kinds.add(kind)
  }

  /** Writes the root record: the last write of every transaction. */
  putRoot(): Root {
    putRow(this.#file, this.#seal(ROOT, NO_NAME, this.#root))
    return this.#root
  }

  #seal<T>(kind: RecordKind<T>, name: Uint8Array, value: T): SealedRecord {
    const id = this.#sealer.blind(kind.byte, name)
    const body = encode(kind.codec, value)
    const plain = concat(u64be(this.generation), body)
    try {
      return this.#sealer.seal({ id, kind: kind.byte, version: kind.version }, plain, this.generation)
    } finally {
      body.fill(0)
      plain.fill(0)
    }
  }

  /** Takes a record out of the root's count and sum; false if there is none. */
  #uncount(id: Uint8Array): boolean {
    const mark = this.#markBefore(keyOf(id))
    if (mark === undefined) return false
    const weight = this.#sealer.weight({ id, ...unmark(mark) })
    this.#root = { ...this.#root, count: this.#root.count - 1, sum: subtractWeight(this.#root.sum, weight) }
    return true
  }
}

/** Puts back the earlier value of a key in a map; removes the key if it had none. */
export function putBack<K, V>(map: Map<K, V>, key: K, before: V | undefined): void {
  if (before === undefined) map.delete(key)
  else map.set(key, before)
}
