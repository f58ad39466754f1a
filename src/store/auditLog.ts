/**
 * The log for auditors in the database (docs/spec/audit.md). A leaf is appended in the transaction that it records, so neither exists
 * without the other. This file owns the order of the leaves, the frontier of their Merkle tree and the storage of full tiles. The writer
 * of a leaf decides what it says (audit/entry.ts).
 *
 * A new leaf is one record. When there are 256 of them, `pack` replaces them by one tile record, in a commit of its own: so a database
 * that is years old has few records, and no signature's commit pays for the packing.
 */
import { randomBytes } from "node:crypto"
import { type AuditEntry, leafBytes, parseLeaf } from "../audit/entry.ts"
import { type Frontier, frontierOf, grown, leafHash, NO_LEAVES, nodeHash, rangeRoot, rootOf } from "../audit/merkle.ts"
import { bundleOf, leavesOf, TILE_WIDTH } from "../audit/tiles.ts"
import { type Bytes, concat, copy, u64be } from "../bytes.ts"
import { CosignerError } from "../errors.ts"
import { Secret } from "../secret.ts"
import { AUDIT_KEY, AUDIT_LEAF, AUDIT_TILE, type StoredTile } from "./auditRecords.ts"
import { NO_NAME } from "./rows.ts"
import type { StoreTransaction } from "./transaction.ts"
import type { RecordVault } from "./vault.ts"

/** The parts of its records that the log reads at the start. */
export interface FoundLog {
  readonly tiles: readonly Pick<StoredTile, "index" | "root">[]
  readonly leaves: readonly { readonly seq: number; readonly hash: Bytes }[]
}

const TILE_LEVEL = Math.log2(TILE_WIDTH)

export class AuditLog {
  readonly #vault: RecordVault
  #frontier: Frontier = NO_LEAVES
  /** The roots of the full tiles, by index. */
  readonly #tileRoots: Bytes[] = []
  /** The hashes of the leaves after the last full tile. */
  readonly #loose: Bytes[] = []
  /** The frontier with what the transaction in progress has appended. */
  #pending: { readonly tx: StoreTransaction; readonly step: number; readonly frontier: Frontier } | undefined
  #rules = ""
  /** The leaves of all tiles before this index are known to be pruned. Starts at 0 in each process. */
  #pruned = 0

  constructor(vault: RecordVault) {
    this.#vault = vault
  }

  /** Takes the records found at the start, in any order. Throws E-AUD-001 where one of them is missing. */
  restore({ tiles, leaves }: FoundLog): void {
    const roots = [...tiles].sort((a, b) => a.index - b.index)
    const hashes = [...leaves].sort((a, b) => a.seq - b.seq)
    const first = roots.length * TILE_WIDTH
    const isWhole = roots.every(({ index }, at) => index === at) && hashes.every(({ seq }, at) => seq === first + at)
    if (!isWhole) throw new CosignerError("E-AUD-001", { path: this.#vault.path })
    this.#tileRoots.splice(0, Number.POSITIVE_INFINITY, ...roots.map(({ root }) => root))
    this.#loose.splice(0, Number.POSITIVE_INFINITY, ...hashes.map(({ hash }) => hash))
    const { size, peaks } = frontierOf(this.#tileRoots)
    this.#frontier = this.#loose.reduce(grown, { size: size * TILE_WIDTH, peaks })
  }

  get size(): number {
    return this.#frontier.size
  }

  get root(): Bytes {
    return rootOf(this.#frontier)
  }

  /** The SHA-256 of the rules in force, hex; empty before the first. Decisions name it. */
  get rules(): string {
    return this.#rules
  }

  set rules(digest: string) {
    this.#rules = digest
  }

  // ---- appending -----------------------------------------------------------------------------------------------------

  /**
   * Appends a leaf in the caller's transaction: either both are durable or neither. Returns the leaf's number. Facts that are too long for
   * a leaf are cut (leafBytes). They must not contain a secret.
   */
  append(tx: StoreTransaction, nowMs: number, entry: AuditEntry): number {
    const before = this.#ahead(tx)
    const seq = before.size
    const leaf = leafBytes({ ...entry, seq, atMs: nowMs })
    const hash = leafHash(leaf)
    const frontier = grown(before, hash)
    tx.put(AUDIT_LEAF, u64be(seq), { seq, leaf })
    this.#pending = { tx, step: tx.step, frontier }
    tx.remember(
      () => {
        this.#frontier = frontier
        this.#loose.push(hash)
      },
      () => {
        this.#frontier = before
        this.#loose.pop()
      },
    )
    return seq
  }

  /** Appends leaves in a transaction of their own, for facts that change no other record. */
  record(nowMs: number, ...entries: readonly AuditEntry[]): void {
    this.#vault.transaction((tx) => {
      for (const entry of entries) this.append(tx, nowMs, entry)
    })
  }

  /** The frontier that includes what this transaction has appended so far. */
  #ahead(tx: StoreTransaction): Frontier {
    const pending = this.#pending
    return pending?.tx === tx && pending.step === tx.step ? pending.frontier : this.#frontier
  }

  // ---- the log's key ---------------------------------------------------------------------------------------------------

  /** The seed of the log's Ed25519 key, which the caller disposes; undefined before the node's first start with a log. */
  key(): Secret | undefined {
    return this.#vault.read(AUDIT_KEY, NO_NAME)
  }

  /** Makes the log's key if there is none. A node that an earlier version made gets it at its first start. */
  ensureKey(): void {
    if (this.#vault.has(AUDIT_KEY, NO_NAME)) return
    using seed = Secret.take(copy(randomBytes(32)))
    this.#vault.transaction((tx) => tx.put(AUDIT_KEY, NO_NAME, seed))
  }

  // ---- what is kept ----------------------------------------------------------------------------------------------------

  /** Packs the oldest 256 loose leaves into a tile, in one commit. Returns false if there are fewer. */
  pack(): boolean {
    if (this.#loose.length < TILE_WIDTH) return false
    const index = this.#tileRoots.length
    const seqs = Array.from({ length: TILE_WIDTH }, (_, at) => index * TILE_WIDTH + at)
    const hashes = this.#loose.slice(0, TILE_WIDTH)
    const root = rootOf(frontierOf(hashes))
    const bundle = bundleOf(seqs.map((seq) => this.#looseLeaf(seq)))
    this.#vault.transaction((tx) => {
      for (const seq of seqs) tx.remove(AUDIT_LEAF, u64be(seq))
      tx.put(AUDIT_TILE, u64be(index), { index, root, hashes: concat(...hashes), bundle })
      tx.remember(
        () => {
          this.#tileRoots.push(root)
          this.#loose.splice(0, TILE_WIDTH)
        },
        () => {
          this.#tileRoots.pop()
          this.#loose.unshift(...hashes)
        },
      )
    })
    return true
  }

  /**
   * Deletes the leaves of up to `limit` tiles, oldest first, whose leaves are all older than `beforeMs`. The hashes stay, so every proof
   * can still be made. One commit, which also appends a leaf about it. Returns the number of tiles; call again until it is 0.
   */
  prune(beforeMs: number, nowMs: number, limit = 8): number {
    const old: StoredTile[] = []
    for (let index = this.#pruned; index < this.#tileRoots.length && old.length < limit; index++) {
      const tile = this.#tile(index)
      if (tile.bundle.length > 0) {
        const last = leavesOf(tile.bundle, TILE_WIDTH)?.at(-1)
        if (last === undefined) throw new CosignerError("E-AUD-001", { path: this.#vault.path })
        if (parseLeaf(last).atMs >= beforeMs) break
        old.push(tile)
      } else if (old.length === 0) this.#pruned = index + 1
    }
    const [first] = old
    if (first === undefined) return 0
    this.#vault.transaction((tx) => {
      for (const tile of old) tx.put(AUDIT_TILE, u64be(tile.index), { ...tile, bundle: new Uint8Array(0) })
      const facts = { from: first.index * TILE_WIDTH, to: (first.index + old.length) * TILE_WIDTH - 1 }
      this.append(tx, nowMs, { kind: "prune", facts })
    })
    return old.length
  }

  /** The number of full tiles. */
  get fullTiles(): number {
    return this.#tileRoots.length
  }

  /** The first `width` hashes of a tile (audit/tiles.ts), 32 bytes each, joined. */
  tile(level: number, index: number, width: number): Bytes {
    if (level === 0) return concat(...this.#hashes(index).slice(0, width))
    return concat(
      ...Array.from({ length: width }, (_, at) => this.subtree(TILE_LEVEL * level, TILE_WIDTH * index + at)),
    )
  }

  /** `width` leaves from number `index` * 256 on; undefined if they were pruned. Throws RangeError beyond the end of the log. */
  bundle(index: number, width: number): readonly Bytes[] | undefined {
    const first = index * TILE_WIDTH
    if (first + width > this.size) throw new RangeError(`leaves to ${first + width} of ${this.size}`)
    if (index >= this.#tileRoots.length) return Array.from({ length: width }, (_, at) => this.#looseLeaf(first + at))
    const { bundle } = this.#tile(index)
    if (bundle.length === 0) return undefined
    const leaves = leavesOf(bundle, TILE_WIDTH)
    if (leaves === undefined) throw new CosignerError("E-AUD-001", { path: this.#vault.path })
    return leaves.slice(0, width)
  }

  /** The root of a complete subtree of 2^level leaves. */
  readonly subtree = (level: number, index: number): Bytes => {
    if (level >= TILE_LEVEL) return this.#above(level - TILE_LEVEL, index)
    const first = index * 2 ** level
    const tile = Math.floor(first / TILE_WIDTH)
    const at = first - tile * TILE_WIDTH
    const hashes = this.#hashes(tile)
    return rangeRoot(0, 2 ** level, (under, i) =>
      rootOf(frontierOf(hashes.slice(at + i * 2 ** under, at + (i + 1) * 2 ** under))),
    )
  }

  /** The root that the log had when it had `size` leaves. */
  rootAt(size: number): Bytes {
    return size === this.size ? this.root : rangeRoot(0, size, this.subtree)
  }

  #above(level: number, index: number): Bytes {
    if (level > 0) return nodeHash(this.#above(level - 1, 2 * index), this.#above(level - 1, 2 * index + 1))
    return this.#tileRoots[index] ?? rootOf(frontierOf(this.#hashes(index).slice(0, TILE_WIDTH)))
  }

  /** The hashes of a tile's leaves. For a tile that is not full: all loose hashes from its first on. */
  #hashes(tile: number): readonly Bytes[] {
    const full = this.#tileRoots.length
    if (tile >= full) return this.#loose.slice((tile - full) * TILE_WIDTH)
    const { hashes } = this.#tile(tile)
    return Array.from({ length: TILE_WIDTH }, (_, at) => hashes.slice(at * 32, (at + 1) * 32))
  }

  #tile(index: number): StoredTile {
    return this.#there(this.#vault.read(AUDIT_TILE, u64be(index)))
  }

  #looseLeaf(seq: number): Bytes {
    return this.#there(this.#vault.read(AUDIT_LEAF, u64be(seq))).leaf
  }

  #there<T>(record: T | undefined): T {
    if (record === undefined) throw new CosignerError("E-AUD-001", { path: this.#vault.path })
    return record
  }
}
