/**
 * Verifies an exported log (docs/spec/audit.md 5) with the log's key alone: the log is one complete tree, under a checkpoint that the
 * key signed; its leaves are what the tree hashes; the named witnesses have seen it. Trusts nothing that it reads.
 */
import { createHash } from "node:crypto"
import { type Bytes, concat, equal, utf8 } from "../bytes.ts"
import { Malformed } from "../codec.ts"
import { incarnationOf, isOfLog, parseSigned, type SignedCheckpoint } from "./checkpoint.ts"
import { type AuditLeaf, parseLeaf } from "./entry.ts"
import { type Frontier, frontierOf, grown, HASH_BYTES, leafHash, NO_LEAVES, rootOf } from "./merkle.ts"
import { type NoteKey, signedBy } from "./note.ts"
import { leavesOf, TILE_WIDTH, type Tile, tilePath, tilesOf } from "./tiles.ts"

export const CHECKPOINT = "checkpoint"
/** The newest checkpoint that witnesses signed, if it is not the same one. */
export const COSIGNED = "checkpoint.cosigned"
export const LEAVES = "leaves.jsonl"

/** The files of an export. */
export interface ExportReader {
  /** Relative paths of all files, in any order. */
  readonly paths: readonly string[]
  read(path: string): Bytes
  /** SHA-256 of a file, which may be large. */
  digest(path: string): Uint8Array
}

interface VerifyOptions {
  readonly key: NoteKey
  readonly witnesses: readonly NoteKey[]
  /** Leaves may be missing at the beginning, because the export is a part or the log was pruned. */
  readonly isPartial: boolean
  /** Earlier checkpoints of the same key, with the places they come from. The log must begin with each of them. */
  readonly earlier?: readonly { readonly path: string; readonly text: string }[]
  /** Called with every leaf, in order. */
  readonly onLeaf?: (leaf: AuditLeaf) => void
}

export interface VerifiedExport {
  readonly origin: string
  readonly size: number
  readonly root: Bytes
  /** The first leaf of the export; `size` if it has none. */
  readonly first: number
  /** When each of the named witnesses signed, in their order, and the size of the log at that time. */
  readonly cosigned: readonly { readonly name: string; readonly atMs: number; readonly size: number }[]
}

/** What is wrong with an export, and where. */
export class ExportProblem extends Error {
  override readonly name = "ExportProblem"
  constructor(
    readonly path: string,
    message: string,
  ) {
    super(message)
  }
}

/** Throws ExportProblem for the first problem found. */
export function verifyExport(reader: ExportReader, options: VerifyOptions): VerifiedExport {
  const signed = checkpointIn(reader, CHECKPOINT, options.key)
  const cosigned = reader.paths.includes(COSIGNED) ? checkpointIn(reader, COSIGNED, options.key) : undefined
  const { origin, size, root } = signed.checkpoint
  if (cosigned !== undefined && (cosigned.checkpoint.origin !== origin || cosigned.checkpoint.size > size)) {
    throw new ExportProblem(COSIGNED, "it is of another log, or of a longer one")
  }
  // This comes first: only the log's key vouches for the size, and nothing may count up to it unchecked.
  if (size / TILE_WIDTH > reader.paths.length) throw new ExportProblem(CHECKPOINT, "most of the tiles are missing")
  const first = firstLeaf(reader, size, options.isPartial)
  expectFiles(reader, size, first)
  const earlier = (options.earlier ?? []).map(({ path, text }) => ({ path, signed: signedIn(path, text, options.key) }))
  const before = [...earlier, ...(cosigned === undefined ? [] : [{ path: COSIGNED, signed: cosigned }])]
  const walk = new Walk(reader, options, first, new Set(before.map(({ signed }) => signed.checkpoint.size)))
  const frontier = walk.over(size)
  if (!equal(rootOf(frontier), root)) throw new ExportProblem(CHECKPOINT, "the tiles have another root than it says")
  for (const { path, signed } of before) {
    if (!equal(walk.rootsThen.get(signed.checkpoint.size) ?? utf8(""), signed.checkpoint.root)) {
      throw new ExportProblem(path, "the log that the tiles have does not begin with that one")
    }
  }
  if (!equal(walk.digest(), reader.digest(LEAVES)))
    throw new ExportProblem(LEAVES, "its lines are not the leaves of the tiles")
  expectIncarnation(origin, options.key, walk.incarnation, first)
  return { origin, size, root, first, cosigned: cosignaturesOf([signed, cosigned], options.witnesses) }
}

function checkpointIn(reader: ExportReader, path: string, key: NoteKey): SignedCheckpoint {
  if (!reader.paths.includes(path)) throw new ExportProblem(path, "it is missing")
  return signedIn(path, textOf(reader.read(path)) ?? "", key)
}

function signedIn(path: string, text: string, key: NoteKey): SignedCheckpoint {
  const signed = parseSigned(text)
  if (signed === undefined) throw new ExportProblem(path, "it is no signed checkpoint")
  if (!isOfLog(signed, key)) throw new ExportProblem(path, "it is not signed by that key")
  return signed
}

/** Undefined for bytes that are not UTF-8: each reader would repair them in its own way. */
export function textOf(bytes: Uint8Array): string | undefined {
  const text = Buffer.from(bytes).toString("utf8")
  return equal(utf8(text), bytes) ? text : undefined
}

const bundles = (size: number): readonly Tile[] => [...tilesOf(size)].filter(({ level }) => level === "entries")

function firstLeaf({ paths }: ExportReader, size: number, isPartial: boolean): number {
  const present = new Set(paths)
  const found = bundles(size).find((tile) => present.has(tilePath(tile)))
  const first = found === undefined ? size : found.index * TILE_WIDTH
  if (first > 0 && !isPartial)
    throw new ExportProblem("tile/entries/000", "leaves are missing from the beginning; see --partial")
  return first
}

/** The export must have exactly the files of such a log: a missing file was removed, and an additional file was never signed. */
function expectFiles({ paths }: ExportReader, size: number, first: number): void {
  const expected = new Set([CHECKPOINT, LEAVES])
  for (const tile of tilesOf(size)) {
    if (tile.level !== "entries" || tile.index * TILE_WIDTH >= first) expected.add(tilePath(tile))
  }
  for (const path of paths) {
    if (!expected.delete(path) && path !== COSIGNED) throw new ExportProblem(path, "no file of this log has that name")
  }
  for (const path of expected) throw new ExportProblem(path, "it is missing")
}

/** Reads tiles in their order, and compares each with the tiles below it. */
class Walk {
  readonly #reader: ExportReader
  readonly #options: VerifyOptions
  readonly #first: number
  readonly #then: ReadonlySet<number>
  readonly #lines = createHash("sha256")
  #frontier: Frontier = NO_LEAVES
  /** Roots by size, for the sizes that were asked for. */
  readonly rootsThen = new Map<number, Bytes>()
  incarnation: number | undefined

  constructor(reader: ExportReader, options: VerifyOptions, first: number, then: ReadonlySet<number>) {
    this.#reader = reader
    this.#options = options
    this.#first = first
    this.#then = then
    if (then.has(0)) this.rootsThen.set(0, rootOf(NO_LEAVES))
  }

  over(size: number): Frontier {
    let below: readonly Bytes[] = []
    for (let [level, count] = [0, size]; count > 0; level++, count = Math.floor(count / TILE_WIDTH)) {
      const made: Bytes[] = []
      for (let index = 0; index * TILE_WIDTH < count; index++) {
        const width = Math.min(TILE_WIDTH, count - index * TILE_WIDTH)
        const path = tilePath({ level, index, width })
        const hashes = hashesOf(path, this.#reader.read(path), width)
        if (level === 0) this.#leaves(index, width, hashes)
        else if (!hashes.every((hash, at) => equal(hash, below[index * TILE_WIDTH + at] ?? utf8("")))) {
          throw new ExportProblem(path, "it does not hold the roots of the tiles below it")
        }
        if (width === TILE_WIDTH) made.push(rootOf(frontierOf(hashes)))
      }
      below = made
    }
    return this.#frontier
  }

  /** Digest of the lines that the leaves make. */
  digest(): Uint8Array {
    return this.#lines.digest()
  }

  #leaves(index: number, width: number, hashes: readonly Bytes[]): void {
    const start = index * TILE_WIDTH
    const path = tilePath({ level: "entries", index, width })
    const leaves = start < this.#first ? undefined : leavesOf(this.#reader.read(path), width)
    if (start >= this.#first && leaves === undefined) throw new ExportProblem(path, "it is not so many leaves")
    for (const [at, hash] of hashes.entries()) {
      const leaf = leaves?.[at]
      if (leaf !== undefined) this.#leaf(path, start + at, leaf, hash)
      this.#frontier = grown(this.#frontier, hash)
      const { size } = this.#frontier
      if (this.#then.has(size)) this.rootsThen.set(size, rootOf(this.#frontier))
    }
  }

  #leaf(path: string, seq: number, leaf: Bytes, hash: Bytes): void {
    if (!equal(leafHash(leaf), hash)) throw new ExportProblem(path, `leaf ${seq} is not the one of the tree`)
    const read = parsed(path, seq, leaf)
    if (read.seq !== seq) throw new ExportProblem(path, `leaf ${seq} names another place`)
    this.#lines.update(leaf).update("\n")
    const { incarnation } = read.facts
    if (typeof incarnation === "number" && SAYS_INCARNATION.includes(read.kind)) {
      this.incarnation = incarnation
    }
    this.#options.onLeaf?.(read)
  }
}

function parsed(path: string, seq: number, leaf: Bytes): AuditLeaf {
  try {
    return parseLeaf(leaf)
  } catch (error) {
    if (error instanceof Malformed) throw new ExportProblem(path, `leaf ${seq} is not one of this version`)
    throw error
  }
}

function hashesOf(path: string, bytes: Bytes, width: number): readonly Bytes[] {
  if (bytes.length !== width * HASH_BYTES) throw new ExportProblem(path, `it is not ${width} hashes long`)
  return Array.from({ length: width }, (_, at) => bytes.slice(at * HASH_BYTES, (at + 1) * HASH_BYTES))
}

/** The last decision to go on from an older copy must be a leaf, and the origin must name it. */
function expectIncarnation(origin: string, key: NoteKey, said: number | undefined, first: number): void {
  const named = incarnationOf(origin, key.name)
  if (said === undefined ? first > 0 || named === 0 : named === said) return
  throw new ExportProblem(CHECKPOINT, "its origin is not the one that the last restore in the log began")
}

function cosignaturesOf(
  checkpoints: readonly (SignedCheckpoint | undefined)[],
  witnesses: readonly NoteKey[],
): VerifiedExport["cosigned"] {
  return witnesses.map((witness) => {
    for (const signed of checkpoints) {
      const atMs = signed && signedBy(signed.note, witness)
      if (signed !== undefined && atMs !== undefined) return { name: witness.name, atMs, size: signed.checkpoint.size }
    }
    throw new ExportProblem(CHECKPOINT, `${witness.name} has not cosigned it`)
  })
}

const SAYS_INCARNATION: readonly string[] = ["start", "restore", "rollback"]

/** A bundle of leaves as lines. */
export const linesOf = (leaves: readonly Uint8Array[]): Bytes => concat(...leaves.flatMap((leaf) => [leaf, utf8("\n")]))
