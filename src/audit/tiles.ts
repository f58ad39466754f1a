/** Tiles (C2SP tlog-tiles): the files that hold the hashes and the leaves of a log of a given size, and their contents. */
import { type Bytes, concat, u16be } from "../bytes.ts"

/** Leaves of a tile, and hashes in one. */
export const TILE_WIDTH = 256

export interface Tile {
  readonly level: number | "entries"
  readonly index: number
  /** 1 to 256. */
  readonly width: number
}

/** `tile/0/x001/234.p/7` */
export function tilePath({ level, index, width }: Tile): string {
  const digits = String(index).padStart(3, "0")
  const padded = digits.padStart(3 * Math.ceil(digits.length / 3), "0")
  const parts = padded.match(/\d{3}/g) ?? []
  const path = parts.map((part, at) => (at === parts.length - 1 ? part : `x${part}`)).join("/")
  return `tile/${level}/${path}${width === TILE_WIDTH ? "" : `.p/${width}`}`
}

/** Every tile of a log of that size, leaves and hashes, each with its width. */
export function* tilesOf(size: number): Generator<Tile, void> {
  for (let [level, count] = [0, size]; count > 0; level++, count = Math.floor(count / TILE_WIDTH)) {
    for (let index = 0; index * TILE_WIDTH < count; index++) {
      const width = Math.min(TILE_WIDTH, count - index * TILE_WIDTH)
      yield { level, index, width }
      if (level === 0) yield { level: "entries", index, width }
    }
  }
}

export const bundleOf = (leaves: readonly Uint8Array[]): Bytes =>
  concat(...leaves.flatMap((leaf) => [u16be(leaf.length), leaf]))

/** Undefined unless there are exactly that many leaves. */
export function leavesOf(bundle: Uint8Array, width: number): readonly Bytes[] | undefined {
  const leaves: Bytes[] = []
  let at = 0
  while (at + 2 <= bundle.length && leaves.length < width) {
    const length = (bundle[at] ?? 0) * 256 + (bundle[at + 1] ?? 0)
    at += 2
    if (at + length > bundle.length) return undefined
    leaves.push(Uint8Array.from(bundle.subarray(at, at + length)))
    at += length
  }
  return at === bundle.length && leaves.length === width ? leaves : undefined
}
