/**
 * Writes test/vectors/intent-evm.json: payloads that viem encodes, with the readings that their inputs say (never ours). Run it
 * when the meaning of a reading changes, and read what it changes.
 */
import { join } from "node:path"
import fc from "fast-check"
import { hashMessage, hashStruct, keccak256 } from "viem"
import { readingJson } from "../../../src/intent/json.ts"
import type { Format, Reading } from "../../../src/intent/reading.ts"
import { arbitraryTransaction, encodeTransaction, hexOf, readingOf } from "./arbitrary.ts"
import { OWNER } from "./kit.ts"
import { arbitraryDocument, type Document, json, viemDigest } from "./typedArbitrary.ts"

const vector = (
  format: Format,
  payload: string,
  digest: string,
  expected: Omit<Reading, "signs" | "format">,
): string => {
  const whole = readingJson({ ...expected, format, signs: [] }, { intentHash: undefined, text: [] })
  const { format: _, digests: __, text: ___, ...reading } = whole
  return JSON.stringify({ format, payload, digest, reading })
}

const transactions = fc.sample(arbitraryTransaction, { seed: 601, numRuns: 100 }).map((transaction) => {
  const payload = encodeTransaction(transaction)
  return vector("evm/transaction", payload, keccak256(payload), readingOf(transaction))
})

const noFee = (chain: string) => ({ max: 0n, asset: `${chain}/slip44:60`, unbounded: false })

const declaration = (name: string, members: Document["types"][string] | undefined): string =>
  members === undefined ? "" : `${name}(${members.map((member) => `${member.type} ${member.name}`).join(",")})`

function typed(document: Document): string {
  const { types, primaryType, message, domain } = document
  const given = { types, primaryType, data: message } as unknown as Parameters<typeof hashStruct>[0]
  const hash = Uint8Array.from(Buffer.from(hashStruct(given).slice(2), "hex"))
  const payload = hexOf(new TextEncoder().encode(json(document)))
  return vector("evm/typed-data", payload, viemDigest(document), {
    chain: "eip155:1",
    from: [OWNER.address],
    effects: [
      {
        kind: "typed_data",
        from: OWNER.address,
        to: String(domain["verifyingContract"]),
        domain: String(domain["name"]),
        primaryType,
        encodeType: ["Root", "Leaf"].map((name) => declaration(name, types[name])).join(""),
        hash,
      },
    ],
    fee: noFee("eip155:1"),
  })
}
const documents = fc.sample(arbitraryDocument, { seed: 602, numRuns: 20 }).map(typed)

const messages = ["hello world", "Grüße, 世界", "line one\nline two", "a", "x".repeat(1000)].map((text) => {
  const payload = hexOf(new TextEncoder().encode(text))
  return vector("evm/message", payload, hashMessage(text), {
    chain: "eip155:*",
    from: [OWNER.address],
    effects: [{ kind: "message", from: OWNER.address, text }],
    fee: noFee("eip155:*"),
  })
})

const lines = [...transactions, ...documents, ...messages]
await Bun.write(join(import.meta.dir, "../../vectors/intent-evm.json"), `[\n${lines.join(",\n")}\n]\n`)
