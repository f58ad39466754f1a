/**
 * The address list of a wallet, as the vendor's portal exports it (formats.md 5.2), row by row: which key each row asks
 * for, whether this is the key that the list names, and the columns added to it. This file touches no files on disk.
 */
import { toHex } from "../bytes.ts"
import type { CurveName } from "../crypto/curve.ts"
import { CosignerError } from "../errors.ts"
import { type AddressKind, addressesOf } from "./addresses.ts"
import type { ChildKeys } from "./childKeys.ts"
import { type ExtendedPrivateKey, encodeExtendedPrivateKey, encodeExtendedPublicKey } from "./extendedKey.ts"
import { parsePath } from "./path.ts"

const ADDRESS_KINDS: readonly AddressKind[] = ["btc-p2wpkh", "btc-p2tr", "eth", "tron", "sol"]
const ADDRESS_AT = 2

/** Paths are not hardened, so the key of one row together with the root extended public key gives the root key (BIP 32, "Security"). */
const GIVES_ROOT = "with the root extended public key it gives the root private key"
const PRIVATE_COLUMNS = [`hex private key (${GIVES_ROOT})`, `extended private key (${GIVES_ROOT})`]

/** The columns of one form of the list. Without a curve column all rows are secp256k1. */
interface ListShape {
  readonly columns: number
  readonly curveAt: number | undefined
  readonly pathAt: number
  readonly keyAt: number
}

const WITHOUT_CURVE: ListShape = { columns: 7, curveAt: undefined, pathAt: 5, keyAt: 6 }
const WITH_CURVE: ListShape = { columns: 8, curveAt: 3, pathAt: 6, keyAt: 7 }

export interface ListRow {
  /** The line of the row's first character, from 1. */
  readonly line: number
  readonly cells: readonly string[]
}

export type RowResult =
  /** `confirmed`: the row's own address is one of the child's. */
  | { readonly kind: "derived"; readonly text: string; readonly confirmed: boolean }
  /** A row of a curve for which no root key was given. */
  | { readonly kind: "skipped" }
  | { readonly kind: "bad"; readonly line: number; readonly problem: string }

export class AddressList {
  #shape: ListShape | undefined

  /** `roots` by curve; with `withPrivate` each of them has its private key. `file` names the list in errors. */
  constructor(
    readonly roots: ReadonlyMap<CurveName, ChildKeys>,
    readonly withPrivate: boolean,
    readonly file: string,
  ) {}

  /** The heading of the output. Throws E-KEY-030 unless the row is one of the two headings. */
  heading(row: ListRow): string {
    const [first] = row.cells
    const has = (columns: number) => row.cells.length === columns
    if (first?.trim() !== "wallet name") throw this.#noList('line 1 lacks "wallet name"')
    if (has(WITHOUT_CURVE.columns)) this.#shape = WITHOUT_CURVE
    else if (has(WITH_CURVE.columns) && row.cells[3]?.trim() === "curve") this.#shape = WITH_CURVE
    else throw this.#noList(`line 1 has ${row.cells.length} columns of unknown meaning`)
    const secrets = this.withPrivate ? PRIVATE_COLUMNS : []
    return csvLine([...row.cells, ...secrets, "extended public key", ...ADDRESS_KINDS.map((kind) => `${kind} address`)])
  }

  row(row: ListRow): RowResult {
    const shape = this.#shape
    if (shape === undefined) throw new TypeError("the heading comes first")
    const bad = (problem: string): RowResult => ({ kind: "bad", line: row.line, problem })
    if (row.cells.length !== shape.columns) return bad(`${row.cells.length} columns in place of ${shape.columns}`)
    const curve = shape.curveAt === undefined ? "secp256k1" : row.cells[shape.curveAt]?.trim()
    if (curve !== "secp256k1" && curve !== "ed25519") return bad("the curve is neither secp256k1 nor ed25519")
    const keys = this.roots.get(curve)
    if (keys === undefined) return { kind: "skipped" }
    try {
      const { child, point, secret } = keys.at(parsePath(row.cells[shape.pathAt] ?? ""))
      using _scalar = secret?.scalar
      const extended = encodeExtendedPublicKey(child)
      const expected = row.cells[shape.keyAt]?.replaceAll(" ", "").trim()
      if (expected !== "" && expected !== extended) return bad("the child key of the list is not the one at its path")
      const addresses = addressesOf(curve, child.publicKey, point)
      const columns = ADDRESS_KINDS.map((kind) => addresses.find((one) => one.kind === kind)?.address ?? "")
      const text = csvLine([...row.cells, ...this.#secretColumns(secret), extended, ...columns])
      return { kind: "derived", text, confirmed: isOneOf(row.cells[ADDRESS_AT] ?? "", columns) }
    } catch (error) {
      if (error instanceof CosignerError) return bad(error.message)
      throw error
    }
  }

  #secretColumns(secret: ExtendedPrivateKey | undefined): readonly string[] {
    if (!this.withPrivate) return []
    if (secret === undefined) throw new TypeError("private columns want private roots")
    return [`0x${toHex(secret.scalar.expose())}`, encodeExtendedPrivateKey(secret)]
  }

  #noList(reason: string) {
    return new CosignerError("E-KEY-030", { file: this.file, reason })
  }
}

/** One row with its line end, quoted as RFC 4180 says. */
const csvLine = (cells: readonly string[]): string =>
  `${cells.map((cell) => (/[",\r\n]/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell)).join(",")}\n`

// Hex addresses may be written in any case. In base58 the case matters, but no two different addresses are equal without it by accident.
const isOneOf = (address: string, known: readonly string[]): boolean => {
  const plain = address.trim()
  if (plain === "") return false
  return known.some((one) => one === plain || (one.startsWith("0x") && one.toLowerCase() === plain.toLowerCase()))
}
