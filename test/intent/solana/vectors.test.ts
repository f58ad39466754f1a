/** Readings that must never change without a new reader version: messages of the second implementation, kept as a file. */
import { expect, test } from "bun:test"
import { copy, fromHex } from "../../../src/bytes.ts"
import { type Context, DEFAULT_SETTINGS } from "../../../src/intent/decoder.ts"
import { readingJson } from "../../../src/intent/json.ts"
import { read } from "../../../src/intent/read.ts"
import { isProblem } from "../../../src/intent/reading.ts"
import vectors from "../../vectors/intent-solana.json"

const bytesOf = (hex: string) => fromHex(hex) ?? new Uint8Array(0)

test("there are more than a hundred", () => expect(vectors.length).toBeGreaterThan(100))

for (const [i, { name, message, keys, lookupTables, mints, reading }] of vectors.entries()) {
  test(`${i}: ${name}`, async () => {
    const context: Context = {
      curve: "ed25519",
      messages: keys.map((key, at) => ({ path: [44, 501, at], publicKey: bytesOf(key), signature: "EdDSA" })),
      derive: () => undefined,
      chains: [reading.chain],
      settings: {
        ...DEFAULT_SETTINGS,
        solana: { mints, lookupTables: new Map(Object.entries(lookupTables)) },
      },
    }
    const decoded = await read({ format: "solana/message", data: bytesOf(message) }, context)
    if (isProblem(decoded)) throw new Error(`${decoded.code} ${decoded.at}`)
    const { format, digests, text, ...rest } = readingJson(decoded, { intentHash: undefined, text: [] })
    expect({ format, ...rest }).toEqual({ format: "solana/message", ...reading })
    expect(digests).toEqual(keys.map(() => `0x${message}`))
    expect(decoded.signs.map(({ bytes }) => bytes)).toEqual(keys.map(() => copy(bytesOf(message))))
  })
}
