/** The rows of the table: checks of their form, the header row, and the short marks that the vault keeps in memory. */
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

/** Bytes at the start of each box: the generation of the commit that sealed it. So a scan detects a root that is older than a record. */
export const PREFIX = 8

/** The name of the only record of its kind. */
export const NO_NAME = new Uint8Array(0)

/** Maps the id of every record to its mark, which holds its one valid seal. Both are strings, one character per byte, to save memory. */
export interface Index {
  get(id: string): string | undefined
  set(id: string, mark: string): unknown
  delete(id: string): unknown
}

/**
 * The index for a file in the making. It reads the file itself, so memory does not grow with the number of records. A change of the file by
 * somebody else is then detected at the first start only.
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

  /** Nothing to do: the row is in the file already. */
  set(): void {}

  delete(): void {}
}

export const keyOf = (id: Uint8Array): string => latin1(id)

/** Kind, version and seal. Together with the id they decide whether a box is the valid one. */
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

/** The row of that id; undefined if there is none. Throws E-STO-008 for a malformed row: in a damaged file a column may hold anything. */
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

/** The bytes of the header, which the key derivation needs before anything else can be read. Throws E-STO-008 and -010. */
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

/** The data key, which the caller disposes. Throws E-STO-004 for a wrong password. */
export function openHeader(file: SecretsFile, password: Secret): Secret {
  const dataKey = unwrapKey(readHeader(file), password)
  if (dataKey === undefined) throw new CosignerError("E-STO-004", { path: file.path })
  if (dataKey === "malformed")
    throw damage(file.path, "its header, or the password cost in it, is not one this program writes")
  return dataKey
}

/** Opens the box, passes its content (the body begins after PREFIX) to `use`, and wipes it. Undefined if the box does not open. */
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

/** The generation of the commit that sealed an opened record. */
export const generationOf = (plain: Buffer): number => Number(plain.readBigUInt64BE(0))

/** Decodes a record that has been opened. Throws E-STO-027 as decodeBody does. */
export const parseBody = <T>(path: string, kind: RecordKind<T>, version: number, plain: Uint8Array): T =>
  decodeBody(path, kind, version, plain.subarray(PREFIX))

/** Decodes the body of a record. Throws E-STO-027 if this version cannot read it. */
export function decodeBody<T>(path: string, kind: RecordKind<T>, version: number, body: Uint8Array): T {
  try {
    const codec = codecOf(kind, version)
    if (codec !== undefined) return decode(codec, body)
  } catch (error) {
    if (!(error instanceof Malformed)) throw error
  }
  throw new CosignerError("E-STO-027", { path, kind: kind.byte, version })
}

/** The header row's seal: its checksum, cut to the length of a seal. Seals of format 1 were shorter. */
const headerSeal = (box: Uint8Array, length = SEAL_LENGTH): Uint8Array => headerChecksum(box).subarray(0, length)

const latin1 = (bytes: Uint8Array): string => String.fromCharCode(...bytes)
