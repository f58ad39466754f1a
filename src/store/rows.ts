/** The rows of the table as the vault sees them: their form, the clear header row, and the short forms kept in memory. */
import { type Bytes, equal } from "../bytes.ts"
import { decode, Malformed } from "../codec.ts"
import { CosignerError } from "../errors.ts"
import type { Secret } from "../secret.ts"
import { asFault, damage } from "./faults.ts"
import type { SecretsFile } from "./file.ts"
import { headerChecksum, unwrapKey } from "./header.ts"
import { codecOf, type RecordKind } from "./records.ts"
import {
  type Head,
  ID_LENGTH,
  isSealLength,
  type RecordPlace,
  type RecordSealer,
  SEAL_LENGTH,
  type SealedRecord,
} from "./seal.ts"

export const HEADER_ID = new Uint8Array(ID_LENGTH)
const HEADER_KIND = 0
const HEADER_VERSION = 1

/** Each box begins with the generation of the commit that sealed it: a root that is older than a record shows. */
export const PREFIX = 8

/** Name of a record that is alone in its kind. */
export const NO_NAME = new Uint8Array(0)

/** id -> mark: the one valid seal of every record, as text of one character per byte, so that 100 000 stay small. */
export interface Index {
  get(id: string): string | undefined
  set(id: string, mark: string): unknown
  delete(id: string): unknown
}

/**
 * For a file that is only being made: it looks in the file itself, so that nothing is held per record. What changes the
 * file behind our back is then seen at the first start, and not before.
 */
export class FileIndex implements Index {
  readonly #file: SecretsFile

  constructor(file: SecretsFile) {
    this.#file = file
  }

  get(id: string): string | undefined {
    const bytes = Buffer.from(id, "latin1")
    const row = this.#file.sql.head.get(bytes)
    if (row === null) return undefined
    assertHead(this.#file, { id: bytes, ...row })
    return markOf(row)
  }

  /** The file has it already. */
  set(): void {}

  delete(): void {}
}

export const keyOf = (id: Uint8Array): string => latin1(id)

/** Kind, version and seal; with the id, all that decides whether a box is the right one. */
export const markOf = (record: Omit<Head, "id">): string =>
  String.fromCharCode(record.kind, record.version) + latin1(record.seal)

export function unmark(mark: string): Omit<Head, "id"> {
  const bytes = Buffer.from(mark, "latin1")
  return { kind: bytes.readUInt8(0), version: bytes.readUInt8(1), seal: bytes.subarray(2) }
}

export const placeOf = ({ id, kind, version }: RecordPlace): RecordPlace => ({ id, kind, version })

export function putRow(file: SecretsFile, { id, kind, version, seal, box }: SealedRecord): void {
  file.sql.put.run(id, kind, version, seal, box)
}

/** The row of that id. A damaged file may hold any SQLite value in any column: such a row is refused here. */
export function getRow(file: SecretsFile, id: Uint8Array): SealedRecord | undefined {
  const row = file.sql.get.get(id)
  if (row === null) return undefined
  const record = { id, ...row }
  assertForm(file, record)
  return record
}

export function assertForm(file: SecretsFile, record: SealedRecord): void {
  assertHead(file, record)
  if (!isBlob(record.box)) throw malformed(file)
}

export function assertHead(file: SecretsFile, { id, kind, version, seal }: Head): void {
  const good = isBlob(id, ID_LENGTH) && isByte(kind) && isByte(version) && isBlob(seal) && isSealLength(seal.length)
  if (!good) throw malformed(file)
}

const isBlob = (value: unknown, length?: number): boolean =>
  value instanceof Uint8Array && (length === undefined || value.length === length)
const isByte = (value: unknown): boolean => Number.isInteger(value) && Number(value) >= 0 && Number(value) <= 255
const malformed = ({ path }: SecretsFile): CosignerError => damage(path, "a row is not of the form this program writes")

export function writeHeader(file: SecretsFile, header: Bytes): void {
  putRow(file, { id: HEADER_ID, kind: HEADER_KIND, version: HEADER_VERSION, seal: headerSeal(header), box: header })
}

/** The header as it stands, for the key derivation that comes before everything else. */
export function readHeader(file: SecretsFile): Uint8Array {
  const { path } = file
  try {
    const row = getRow(file, HEADER_ID)
    if (row === undefined) throw new CosignerError("E-STO-010", { path, what: "its header" })
    const intact =
      row.kind === HEADER_KIND &&
      row.version === HEADER_VERSION &&
      equal(row.seal, headerSeal(row.box, row.seal.length))
    if (!intact) throw damage(path, "bits of its header have changed")
    return row.box
  } catch (error) {
    throw asFault(error, path, "read")
  }
}

/** The key of everything else. Throws E-STO-004 for another password. */
export function openHeader(file: SecretsFile, password: Secret): Secret {
  const dataKey = unwrapKey(readHeader(file), password)
  if (dataKey === undefined) throw new CosignerError("E-STO-004", { path: file.path })
  if (dataKey === "malformed")
    throw damage(file.path, "its header, or the password cost in it, is not one this program writes")
  return dataKey
}

/** Opens the box, hands its content (the body begins after PREFIX) to `use`, and wipes it. Undefined when the box does not open. */
export function withPlain<T>(
  sealer: RecordSealer,
  record: SealedRecord,
  use: (plain: Buffer) => T,
): { readonly value: T } | undefined {
  const plain = sealer.open(record)
  if (plain === undefined) return undefined
  try {
    return { value: use(plain) }
  } finally {
    plain.fill(0)
  }
}

/** The commit that sealed an opened record. */
export const generationOf = (plain: Buffer): number => Number(plain.readBigUInt64BE(0))

/** Decodes a record that has been opened; E-STO-027 when it is genuine and yet not readable. */
export function parseBody<T>(path: string, kind: RecordKind<T>, version: number, plain: Uint8Array): T {
  try {
    const codec = codecOf(kind, version)
    if (codec !== undefined) return decode(codec, plain.subarray(PREFIX))
  } catch (error) {
    if (!(error instanceof Malformed)) throw error
  }
  throw new CosignerError("E-STO-027", { path, kind: kind.byte, version })
}

/** Format 1 kept as much of it as its seals were long. */
const headerSeal = (box: Uint8Array, length = SEAL_LENGTH): Uint8Array => headerChecksum(box).subarray(0, length)

const latin1 = (bytes: Uint8Array): string => String.fromCharCode(...bytes)
