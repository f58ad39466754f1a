/**
 * The check of the whole file: every box opens in its place, and the records are exactly the set that the root record authenticates. It
 * runs at each start, before any record is used, and when an operator asks for it.
 */
import { type Bytes, equal } from "../bytes.ts"
import { CosignerError } from "../errors.ts"
import { damage } from "./faults.ts"
import type { SecretsFile } from "./file.ts"
import { headerChecksum } from "./header.ts"
import { ROOT, type Root } from "./records.ts"
import {
  assertForm,
  generationOf,
  getRow,
  HEADER_ID,
  keyOf,
  markOf,
  NO_NAME,
  parseBody,
  placeOf,
  withPlain,
} from "./rows.ts"
import { addWeight, type RecordSealer, type SealedRecord } from "./seal.ts"

/**
 * Gets one opened record, prefix included; the bytes are wiped when it returns. It does not get a view of the body alone, because making
 * that view of a large record that nobody decodes costs more than decrypting it.
 */
export type Visit = (version: number, plain: Uint8Array) => void
/** The visitor for records of a kind, or undefined. Header and root are not visited. */
export type Visitors = (kind: number) => Visit | undefined

/** Called for every record but header and root. Only what it keeps grows with their number. */
type Keep = (id: string, mark: string) => void

interface Scanned {
  readonly root: Root
  /** Number of records, without header and root. */
  readonly size: number
}

/** Throws E-STO-007 to -012 for the first problem, and what a visitor throws. */
export function scan(
  file: SecretsFile,
  sealer: RecordSealer,
  how: "start" | "thorough",
  visitors: Visitors,
  keep: Keep = () => {},
): Scanned {
  file.begin()
  try {
    file.checkPages(how)
    const root = readRoot(file, sealer)
    if (root === undefined) throw new CosignerError("E-STO-010", { path: file.path, what: "its root record" })
    const found = readRecords(file, sealer, root, visitors, keep)
    compare(file.path, root, found)
    return { root, size: found.size }
  } finally {
    file.rollback()
  }
}

/** The root record; undefined in a file that had no transaction yet. Throws if it does not open. */
export function readRoot(file: SecretsFile, sealer: RecordSealer): Root | undefined {
  const record = getRow(file, sealer.blind(ROOT.byte, NO_NAME))
  if (record === undefined) return undefined
  const opened = withPlain(sealer, record, (plain) => parseBody(file.path, ROOT, record.version, plain))
  if (opened === undefined) throw suspect(file, sealer, record, undefined)
  return opened.value
}

interface FoundRecord {
  readonly size: number
  readonly sum: bigint
  /** The highest generation in any record. */
  readonly newest: number
  readonly header: Bytes | undefined
}

function readRecords(file: SecretsFile, sealer: RecordSealer, root: Root, visitors: Visitors, keep: Keep): FoundRecord {
  const rootId = sealer.blind(ROOT.byte, NO_NAME)
  let [sum, size, newest] = [0n, 0, 0]
  let header: Bytes | undefined
  let previous: Uint8Array | undefined
  for (const record of file.sql.scan.iterate()) {
    assertForm(file, record)
    if (previous !== undefined && Buffer.compare(previous, record.id) >= 0) {
      throw damage(file.path, "its rows are out of order")
    }
    previous = record.id
    if (equal(record.id, HEADER_ID)) {
      header = headerChecksum(record.box)
      continue
    }
    const isRoot = equal(record.id, rootId)
    const visit = isRoot ? undefined : visitors(record.kind)
    const opened = withPlain(sealer, record, (plain) => {
      newest = Math.max(newest, generationOf(plain))
      visit?.(record.version, plain)
    })
    if (opened === undefined) throw suspect(file, sealer, record, root)
    if (isRoot) continue
    keep(keyOf(record.id), markOf(record))
    size++
    sum = addWeight(sum, sealer.weight(record))
  }
  return { size, sum, newest, header }
}

/** Throws E-STO-010, -011 or -012 unless the records found are exactly the set that the root authenticates. */
export function compare(path: string, root: Root, found: FoundRecord): void {
  const { header, newest, size, sum } = found
  if (header === undefined) throw new CosignerError("E-STO-010", { path, what: "its header" })
  if (newest > root.generation) throw new CosignerError("E-STO-011", { path, what: "the root record" })
  if (!equal(header, root.header)) throw new CosignerError("E-STO-011", { path, what: "the header" })
  const missing = root.count - size
  if (missing > 0) throw new CosignerError("E-STO-010", { path, what: `${missing} record(s)` })
  if (missing < 0) throw new CosignerError("E-STO-012", { path, extra: -missing })
  if (sum !== root.sum) throw new CosignerError("E-STO-011", { path, what: "a record" })
}

/** The likely cause why a record does not open: E-STO-009 if it was moved, E-STO-012 if there are too many records, otherwise damage. */
export function suspect(
  file: SecretsFile,
  sealer: RecordSealer,
  record: SealedRecord,
  root: Root | undefined,
): CosignerError {
  const { path } = file
  const places = file.sql.places.all().map(placeOf)
  const isMoved = places.some((place) => withPlain(sealer, { ...record, ...place }, () => true) !== undefined)
  if (isMoved) return new CosignerError("E-STO-009", { path })
  // The root does not count itself and the header.
  const extra = root === undefined ? 0 : places.length - 2 - root.count
  if (extra > 0) return new CosignerError("E-STO-012", { path, extra })
  return damage(path, "a record does not open: bits in it have changed")
}
