/** Readings that must never change without a new reader version: transactions of the second implementation, kept as a file. */
import { expect, test } from "bun:test"
import { fromHex } from "../../../src/bytes.ts"
import { type Context, DEFAULT_SETTINGS } from "../../../src/intent/decoder.ts"
import { readingJson } from "../../../src/intent/json.ts"
import { read } from "../../../src/intent/read.ts"
import { isProblem } from "../../../src/intent/reading.ts"
import vectors from "../../vectors/intent-tron.json"
import { PATH } from "./scenario.ts"

const bytesOf = (hex: string) => fromHex(hex) ?? new Uint8Array(0)

test("there are more than a hundred", () => expect(vectors.length).toBeGreaterThan(100))

for (const [i, { name, rawData, key, bandwidthPrice, reading }] of vectors.entries()) {
  test(`${i}: ${name}`, async () => {
    const context: Context = {
      curve: "secp256k1",
      messages: [{ path: PATH, publicKey: bytesOf(key), signature: "ECDSA" }],
      derive: () => undefined,
      chains: [reading.chain],
      settings: { ...DEFAULT_SETTINGS, tron: { bandwidthPrice: BigInt(bandwidthPrice) } },
    }
    const decoded = await read({ format: "tron/transaction", data: bytesOf(rawData) }, context)
    if (isProblem(decoded)) throw new Error(`${decoded.code} ${decoded.at}`)
    const { format, text, ...rest } = readingJson(decoded, { intentHash: undefined, text: [] })
    expect<unknown>({ format, ...rest }).toEqual({ format: "tron/transaction", ...reading })
  })
}
