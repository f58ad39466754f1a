/** The log as files for others (docs/spec/audit.md 5): written from the database, and read again to verify it. */
import { createHash } from "node:crypto"
import { closeSync, openSync, readdirSync, readFileSync, readSync, statSync } from "node:fs"
import { dirname, join } from "node:path"
import { type AuditLeaf, parseLeaf } from "../audit/entry.ts"
import { CHECKPOINT, COSIGNED, type ExportReader, LEAVES, linesOf } from "../audit/exported.ts"
import { noteText } from "../audit/note.ts"
import { bundleOf, TILE_WIDTH, type Tile, tilePath, tilesOf } from "../audit/tiles.ts"
import { type Bytes, copy, utf8 } from "../bytes.ts"
import { makeFolder, NewFile, nameNew } from "../files.ts"
import type { AuditLog } from "../store/auditLog.ts"
import type { ShownCheckpoints } from "./auditSigner.ts"

/** Writes all files except the leaves before `since`. Returns the number of leaves written. */
export function writeExport(
  audit: AuditLog,
  folder: string,
  { signed, cosigned }: ShownCheckpoints,
  since: number,
): number {
  const { size } = signed.checkpoint
  // Reads them first: a running node soon turns them into a tile, and a missing record stops a reader.
  const loose = new Map<number, readonly Bytes[]>()
  for (let index = audit.fullTiles; index * TILE_WIDTH < size; index++) {
    loose.set(index, audit.bundle(index, Math.min(TILE_WIDTH, size - index * TILE_WIDTH)) ?? [])
  }
  const leavesAt = ({ index, width }: Tile): readonly Bytes[] | undefined =>
    loose.get(index) ?? audit.bundle(index, width)
  makeFolder(folder)
  let written = 0
  using lines = new NewFile(join(folder, LEAVES))
  for (const tile of tilesOf(size)) {
    if (tile.level !== "entries") {
      writeNewBytes(join(folder, tilePath(tile)), audit.tile(tile.level, tile.index, tile.width))
      continue
    }
    const leaves = (tile.index + 1) * TILE_WIDTH <= since ? undefined : leavesAt(tile)
    if (leaves === undefined) continue
    writeNewBytes(join(folder, tilePath(tile)), bundleOf(leaves))
    lines.write(linesOf(leaves))
    written += leaves.length
  }
  lines.finish(nameNew)
  if (cosigned !== undefined) writeNewBytes(join(folder, COSIGNED), utf8(noteText(cosigned.note)))
  writeNewBytes(join(folder, CHECKPOINT), utf8(noteText(signed.note)))
  return written
}

/** Every leaf that is not pruned, in order. */
export function* readLeaves(audit: AuditLog): Generator<AuditLeaf, void> {
  const { size } = audit
  for (let first = 0; first < size; first += TILE_WIDTH) {
    const leaves = audit.bundle(first / TILE_WIDTH, Math.min(TILE_WIDTH, size - first)) ?? []
    for (const leaf of leaves) yield parseLeaf(leaf)
  }
}

export function writeNewBytes(path: string, bytes: Uint8Array): void {
  makeFolder(dirname(path))
  using file = new NewFile(path)
  file.write(bytes)
  file.finish(nameNew)
}

/** Larger files than a tile are only hashed. */
const MAX_READ = 2 * 1024 * 1024
const PIECE = 1024 * 1024

export function exportReader(folder: string): ExportReader {
  const paths = readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => !entry.isDirectory())
    .map((entry) => join(entry.parentPath, entry.name).slice(join(folder, "x").length - 1))
  return {
    paths,
    read(path) {
      const file = join(folder, path)
      if (statSync(file).size > MAX_READ) return new Uint8Array(0)
      return copy(readFileSync(file))
    },
    digest(path) {
      const hash = createHash("sha256")
      const piece = new Uint8Array(PIECE)
      const fd = openSync(join(folder, path), "r")
      try {
        for (;;) {
          const read = readSync(fd, piece)
          if (read === 0) return hash.digest()
          hash.update(piece.subarray(0, read))
        }
      } finally {
        closeSync(fd)
      }
    },
  }
}
