/** Rates of the offline recovery tool: rows of an address list per second, and what sealing and opening a share cost. */
import { createHash, randomBytes } from "node:crypto"
import { type Bytes, copy } from "../../src/bytes.ts"
import { addressRows } from "../../src/cli/addressRows.ts"
import type { CurveName } from "../../src/crypto/curve.ts"
import { AddressList } from "../../src/keys/addressList.ts"
import { ChildKeys } from "../../src/keys/childKeys.ts"
import { rootPrivateKey } from "../../src/keys/extendedKey.ts"
import { ITERATIONS, OpeningKeys, openShare, sealer } from "../../src/keys/recoveryBox.ts"
import { Secret } from "../../src/secret.ts"

const HEADING = "wallet name,coin,address,curve,memo,address label,HD path,child publickey"
const WARM = 500
const ROWS = 4000

type Row = Readonly<Record<string, unknown>>

export async function benchKeys(): Promise<readonly Row[]> {
  const rows: Row[] = []
  for (const curve of ["secp256k1", "ed25519"] as const) {
    rows.push(await csvRate(curve, true), await csvRate(curve, false))
  }
  return [...rows, sealRate()]
}

/** One list from text to text: parsing, deriving, addresses, and with private keys those too. */
async function csvRate(curve: CurveName, withPrivate: boolean): Promise<Row> {
  const chainCode = createHash("sha256").update("bench").digest()
  const children = ChildKeys.ofPrivate(rootPrivateKey(curve, 2n ** 200n + 7n, chainCode))
  const complete = async (from: number, to: number) => {
    const list = new AddressList(new Map([[curve, children]]), withPrivate, "bench.csv")
    let heading = false
    for await (const row of addressRows(textOf(curve, from, to), "bench.csv")) {
      if (!heading) list.heading(row)
      else if (list.row(row).kind !== "derived") throw new Error(`row ${row.line} was not derived`)
      heading = true
    }
  }
  await complete(0, WARM)
  const start = performance.now()
  await complete(WARM, WARM + ROWS)
  const ms = performance.now() - start
  return {
    op: "csv_derive",
    curve,
    private_keys: withPrivate,
    rows: ROWS,
    rows_per_s: Math.round((ROWS / ms) * 1000),
    us_per_row: Math.round((ms / ROWS) * 1000),
  }
}

async function* textOf(curve: CurveName, from: number, to: number): AsyncGenerator<Uint8Array> {
  const encoder = new TextEncoder()
  yield encoder.encode(`${HEADING}\n`)
  for (let i = from; i < to; i++) yield encoder.encode(`main,ETH,,${curve},,label ${i},m/44/60/0/0/${i},\n`)
}

function sealRate(): Row {
  const rng = (length: number): Bytes => copy(randomBytes(length))
  using password = Secret.from(randomBytes(24))
  using share = Secret.from(new Uint8Array(32).fill(1))
  const start = performance.now()
  using seal = sealer(password, rng)
  const { box, kdf } = seal.share("secp256k1", share)
  const sealed = performance.now()
  using keys = new OpeningKeys(password)
  if (openShare({ version: 3, box, kdf }, "secp256k1", keys) === undefined) throw new Error("the share does not open")
  const opened = performance.now()
  return {
    op: "recovery_box",
    iterations: ITERATIONS,
    seal_ms: Math.round(sealed - start),
    open_ms: Math.round(opened - sealed),
  }
}
