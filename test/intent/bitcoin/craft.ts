/** PSBTs taken apart into maps of raw keys and values and put together again, for what no encoder would write. */
import { type Bytes, bigToLe, concat, copy, toHex, utf8 } from "../../../src/bytes.ts"

export interface Pair {
  /** Type and data. */
  readonly key: Bytes
  readonly value: Bytes
}
export type RawMap = readonly Pair[]

export const MAGIC = concat(utf8("psbt"), Uint8Array.of(0xff))

export function size(length: number): Bytes {
  if (length < 0xfd) return Uint8Array.of(length)
  return length < 0x1_0000
    ? concat(Uint8Array.of(0xfd), bigToLe(BigInt(length), 2))
    : concat(Uint8Array.of(0xfe), bigToLe(BigInt(length), 4))
}

export const pair = (type: number, value: Uint8Array, keyData: Uint8Array = new Uint8Array(0)): Pair => ({
  key: concat(Uint8Array.of(type), keyData),
  value: copy(value),
})

export const joinMap = (map: RawMap): Bytes =>
  concat(...map.flatMap(({ key, value }) => [size(key.length), key, size(value.length), value]), Uint8Array.of(0))

export const join = (maps: readonly RawMap[]): Bytes => concat(MAGIC, ...maps.map(joinMap))

/** Global map first, then inputs, then outputs. */
export function split(psbt: Uint8Array): readonly RawMap[] {
  let at = MAGIC.length
  const sized = (): Bytes => {
    const first = psbt[at++]!
    const length = first < 0xfd ? first : psbt[at++]! + 256 * psbt[at++]!
    at += length
    return copy(psbt.subarray(at - length, at))
  }
  const maps: Pair[][] = []
  while (at < psbt.length) {
    const map: Pair[] = []
    for (let key = sized(); key.length > 0; key = sized()) map.push({ key, value: sized() })
    maps.push(map)
  }
  return maps
}

/** `psbt` with the map at `index` changed. */
export const withMap = (psbt: Uint8Array, index: number, change: (map: RawMap) => RawMap): Bytes =>
  join(split(psbt).map((map, i) => (i === index ? change(map) : map)))

export const fieldOf = (map: RawMap, type: number): Bytes | undefined =>
  map.find(({ key }) => key.length === 1 && key[0] === type)?.value

/** The value of a type whose key has no data set, replaced or (undefined) taken out. */
export const set =
  (type: number, value: Uint8Array | undefined) =>
  (map: RawMap): RawMap => {
    const others = map.filter(({ key }) => toHex(key) !== toHex(Uint8Array.of(type)))
    return value === undefined ? others : [...others, pair(type, value)]
  }
