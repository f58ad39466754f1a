/** A log of a test, made of nothing but its leaves: the files of its export, and proofs, as the node writes them. */
import { type Checkpoint, checkpointText } from "../../src/audit/checkpoint.ts"
import { leafBytes } from "../../src/audit/entry.ts"
import { CHECKPOINT, COSIGNED, type ExportReader, LEAVES, linesOf } from "../../src/audit/exported.ts"
import { frontierOf, leafHash, nodeHash, rangeRoot, rootOf } from "../../src/audit/merkle.ts"
import { type NoteSigner, noteSigner, noteText } from "../../src/audit/note.ts"
import { bundleOf, TILE_WIDTH, tilePath, tilesOf } from "../../src/audit/tiles.ts"
import { type Bytes, concat, utf8 } from "../../src/bytes.ts"
import { sha256 } from "../../src/crypto/frame.ts"

const seed = (name: string): Bytes => sha256(utf8(name))
export const LOG = noteSigner("cosigner/test", "log", seed("log"))
export const OTHER_LOG = noteSigner("cosigner/test", "log", seed("another log"))
export const witnessNo = (n: number): NoteSigner => noteSigner(`cosigner-witness/${n}`, "witness", seed(`witness ${n}`))

export const leafNo = (seq: number, words = "x"): Bytes =>
  leafBytes({ kind: "decision", facts: { task: `task-${seq}`, words, decision: "approve" }, seq, atMs: 1000 + seq })
export const leaves = (count: number, words?: string): readonly Bytes[] =>
  Array.from({ length: count }, (_, seq) => leafNo(seq, words))

/** Roots of complete subtrees; of one that is not, as far as it goes. */
export const subtreesOf = (all: readonly Bytes[]) => {
  const rows: (readonly Bytes[])[] = [all.map(leafHash)]
  const row = (level: number): readonly Bytes[] => {
    const known = rows[level]
    if (known !== undefined) return known
    const below = row(level - 1)
    const made = Array.from({ length: Math.floor(below.length / 2) }, (_, i) =>
      nodeHash(below[2 * i] ?? utf8(""), below[2 * i + 1] ?? utf8("")),
    )
    rows[level] = made
    return made
  }
  return (level: number, index: number): Bytes => row(level)[index] ?? utf8("")
}

interface SignOptions {
  readonly by?: NoteSigner
  readonly witnesses?: readonly NoteSigner[]
  readonly over?: Partial<Checkpoint>
}

export function checkpointOf(all: readonly Bytes[], { by = LOG, witnesses = [], over = {} }: SignOptions = {}): string {
  const root = rootOf(frontierOf(all.map(leafHash)))
  const text = checkpointText({ origin: LOG.key.name, size: all.length, root, ...over })
  return noteText({ text, signatures: [by.sign(text, 0), ...witnesses.map((witness) => witness.sign(text, 99_000))] })
}

export type Files = Map<string, Bytes>

/** With the checkpoint of so many leaves as the one that witnesses signed. */
export function filesOf(all: readonly Bytes[], cosignedAt?: number, witnesses: readonly NoteSigner[] = []): Files {
  const files: Files = new Map()
  const at = subtreesOf(all)
  for (const tile of tilesOf(all.length)) {
    const { level, index, width } = tile
    const first = index * TILE_WIDTH
    if (level === "entries") files.set(tilePath(tile), bundleOf(all.slice(first, first + width)))
    else files.set(tilePath(tile), concat(...Array.from({ length: width }, (_, n) => at(8 * level, first + n))))
  }
  files.set(LEAVES, linesOf(all))
  const isNow = cosignedAt === undefined || cosignedAt === all.length
  files.set(CHECKPOINT, utf8(checkpointOf(all, { witnesses: isNow ? witnesses : [] })))
  if (!isNow) files.set(COSIGNED, utf8(checkpointOf(all.slice(0, cosignedAt), { witnesses })))
  return files
}

export const readerOf = (files: Files): ExportReader => {
  const read = (path: string): Bytes => files.get(path) ?? utf8("")
  return { paths: [...files.keys()], read, digest: (path) => sha256(read(path)) }
}

export const rootThen = (all: readonly Bytes[], size: number): Bytes => rangeRoot(0, size, subtreesOf(all))
