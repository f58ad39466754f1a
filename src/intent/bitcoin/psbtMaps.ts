/**
 * The outer form of a PSBT (BIP-174): a magic, then maps of keys and values, each ended by a zero byte. Owns the walk: no key
 * twice in a map, every length in its shortest form, and which known keys each map may have in which version. psbtFields.ts owns
 * the meaning of the values.
 *
 * Libraries are lenient here, and leniency allows a second reading: one library takes the first of two equal keys, another the
 * last.
 */
import { type Bytes, concat, equal, utf8 } from "../../bytes.ts"
import { Cursor } from "../cursor.ts"
import { refuse } from "../problem.ts"
import { compactSize, sized } from "./compactSize.ts"
import type { PlacedBytes } from "./transaction.ts"

export type PsbtVersion = 0 | 2

/** The allowed key data and values of a known key type. */
export interface PsbtField {
  /** As the BIPs name it. */
  readonly name: string
  /** Whether a length of the key's data (what follows its type) is right. */
  readonly keyData: (length: number) => boolean
  /** Whether a length of the value is right. */
  readonly value: (length: number) => boolean
  /** Absent: in both versions. */
  readonly only?: PsbtVersion
}

export type PsbtFields = ReadonlyMap<number, PsbtField>

export interface Entry {
  readonly keyData: Uint8Array
  readonly value: PlacedBytes
}

const PROPRIETARY = 0xfc
const MAGIC: Bytes = concat(utf8("psbt"), Uint8Array.of(0xff))

/** One map. Known keys by type, in the order of the payload; other keys are counted and skipped. */
export class PsbtMap {
  readonly #entries = new Map<number, Entry[]>()
  unknown = 0
  proprietary = 0

  constructor(
    /** `global`, `input 3`, `output 0`: names the map in problems. */
    readonly name: string,
    readonly fields: PsbtFields,
  ) {}

  add(type: number, entry: Entry, known: boolean): void {
    if (type === PROPRIETARY) this.proprietary++
    else if (!known) this.unknown++
    else {
      const entries = this.#entries.get(type)
      if (entries === undefined) this.#entries.set(type, [entry])
      else entries.push(entry)
    }
  }

  /** All entries of a type whose keys carry data. */
  all(type: number): readonly Entry[] {
    return this.#entries.get(type) ?? []
  }

  /** The value of a type whose key has no data; there is at most one. */
  one(type: number): PlacedBytes | undefined {
    return this.all(type)[0]?.value
  }

  /** Like `one`, but E-INT-063 if it is missing. */
  demand(type: number): PlacedBytes {
    return this.one(type) ?? refuse("E-INT-063", this.name, `${this.fields.get(type)?.name} is missing`)
  }

  /** Refuses keys of the other version: two versions of one field would be two transactions. */
  demandVersion(version: PsbtVersion): void {
    for (const type of this.#entries.keys()) {
      const field = this.fields.get(type)
      if (field?.only !== undefined && field.only !== version) {
        refuse("E-INT-063", this.name, `${field.name} has no place in version ${version}`)
      }
    }
  }
}

/** A cursor behind the magic. Refuses data that is not a PSBT. */
export function psbtCursor(data: Uint8Array): Cursor {
  const cursor = new Cursor(data, "E-INT-060")
  if (!equal(data.subarray(0, MAGIC.length), MAGIC)) {
    refuse("E-INT-060", "byte 0", "it does not begin with the magic of a PSBT")
  }
  cursor.view(MAGIC.length)
  return cursor
}

/** The next map, including the zero byte that ends it. */
export function readMap(cursor: Cursor, name: string, fields: PsbtFields): PsbtMap {
  const map = new PsbtMap(name, fields)
  const seen = new Set<string>()
  for (;;) {
    const { offset } = cursor
    const key = sized(cursor, "the length of a key")
    if (key.length === 0) return map
    const text = Buffer.from(key.buffer, key.byteOffset, key.length).toString("latin1")
    if (seen.has(text)) refuse("E-INT-061", `byte ${offset}`, `in the map of ${name}`)
    seen.add(text)

    const inKey = new Cursor(key, "E-INT-060", cursor.offset - key.length)
    const type = compactSize(inKey, "the type of a key")
    const keyData = inKey.view(inKey.left)
    const bytes = sized(cursor, "the length of a value")
    const value = { bytes, offset: cursor.offset - bytes.length }
    const field = fields.get(type)
    if (field !== undefined) demandShape(field, keyData.length, bytes.length, offset)
    map.add(type, { keyData, value }, field !== undefined)
  }
}

function demandShape(field: PsbtField, keyData: number, value: number, offset: number): void {
  if (!field.keyData(keyData)) refuse("E-INT-062", `byte ${offset}`, `${field.name} has ${keyData} bytes of key data`)
  if (!field.value(value)) refuse("E-INT-062", `byte ${offset}`, `${field.name} has a value of ${value} bytes`)
}
