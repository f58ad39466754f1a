/** What one transaction has changed so far, and the root that will vouch for it. Begun, committed and undone by the vault. */
import { type Bytes, concat, u64be } from "../bytes.ts"
import { encode } from "../codec.ts"
import type { SecretsFile } from "./file.ts"
import { headerChecksum } from "./header.ts"
import { GROUP_SECRET, type RecordKind, ROOT, type Root } from "./records.ts"
import { keyOf, markOf, NO_NAME, putRow, unmark, writeHeader } from "./rows.ts"
import { addWeight, type RecordSealer, type SealedRecord, subtractWeight } from "./seal.ts"

/** What follows from a transaction for what is kept in memory. */
interface MemoryChange {
  apply(): void
  undo(): void
}

/** A state of the transaction to go back to. */
interface TransactionMark {
  readonly changes: ReadonlyMap<string, string | undefined>
  readonly kinds: ReadonlySet<string>
  readonly root: Root
}

export class StoreTransaction {
  /** id -> the new mark, or undefined when removed. */
  readonly changes: Map<string, string | undefined> = new Map()
  readonly #memory: MemoryChange[] = []
  /** Names of the kinds that it touched. */
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

  /** The generation that this transaction will make. */
  get generation(): number {
    return this.#root.generation
  }

  get isEmpty(): boolean {
    return this.changes.size === 0 && !this.#isNewHeader
  }

  /** Whether it replaces or removes a group's secret part, or the data key wrapped under an old password: both must leave the disk. */
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

  /** Removing what is not there is no change. */
  remove(kind: RecordKind<unknown>, name: Uint8Array): void {
    const id = this.#sealer.blind(kind.byte, name)
    if (!this.#uncount(id)) return
    if (kind.byte === GROUP_SECRET.byte) this.#replacesSecret = true
    this.kinds.add(kind.name)
    this.#file.sql.remove.run(id)
    this.changes.set(keyOf(id), undefined)
  }

  /** The same data key wrapped again. */
  replaceHeader(header: Bytes): void {
    writeHeader(this.#file, header)
    this.#root = { ...this.#root, header: headerChecksum(header) }
    this.#isNewHeader = true
    this.#replacesSecret = true
  }

  /**
   * For what is kept in memory. `apply` is called once the transaction is on the disk; in a group of transactions, before the next
   * of them, which must see it, and `undo` should the group not come to the disk. Neither may throw.
   */
  remember(apply: () => void, undo: () => void): void {
    this.#memory.push({ apply, undo })
  }

  /** Another number after each time that memory was brought up to date, or that changes were taken back. */
  get step(): number {
    return this.#step
  }

  /** Applies what was to be remembered since the last call; what undoes it, last first. */
  applyMemory(): readonly (() => void)[] {
    this.#step++
    const changes = this.#memory.splice(0)
    for (const { apply } of changes) apply()
    return changes.map(({ undo }) => undo).reverse()
  }

  mark(): TransactionMark {
    return { changes: new Map(this.changes), kinds: new Set(this.kinds), root: this.#root }
  }

  /** Goes back to a mark; the caller has undone the file. `replacesSecret` stays set: that only empties the log without need. */
  restore({ changes, kinds, root }: TransactionMark): void {
    this.#step++
    this.#memory.length = 0
    this.#root = root
    this.changes.clear()
    for (const [id, mark] of changes) this.changes.set(id, mark)
    this.kinds.clear()
    for (const kind of kinds) this.kinds.add(kind)
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
      return this.#sealer.seal({ id, kind: kind.byte, version: kind.version }, plain, this.generation)
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

/** Puts back what a map had under a key; nothing where that is what it had. */
export function restored<K, V>(map: Map<K, V>, key: K, before: V | undefined): void {
  if (before === undefined) map.delete(key)
  else map.set(key, before)
}
