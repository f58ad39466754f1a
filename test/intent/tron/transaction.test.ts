/** TRON transactions and messages against the second implementation: every type of contract. */
import { describe, expect, test } from "bun:test"
import fc from "fast-check"
import { isPrintable } from "../../../src/intent/problem.ts"
import type { Reading } from "../../../src/intent/reading.ts"
import { tronMessage } from "../../../src/intent/tron/message.ts"
import { tronTransaction } from "../../../src/intent/tron/transaction.ts"
import { runs } from "../../support/runs.ts"
import { CHAIN, KINDS } from "./cases.ts"
import { anyScenario, contextOf, KEYS, PATH, type Scenario, scenarioWith } from "./scenario.ts"
import { hashMessage } from "./web.ts"

const readsAsExpected = ({ encoded, context, expected }: Scenario): void =>
  expect(tronTransaction.decode(encoded.bytes, context)).toEqual(expected)

describe("what the second implementation encodes", () => {
  for (const [name, one] of Object.entries(KINDS)) {
    test(`${name} is read as it was meant`, () => {
      fc.assert(fc.property(scenarioWith(one), readsAsExpected), { numRuns: runs(30, 2000) })
    })
  }
  test("all types are read as they were meant", () => {
    fc.assert(fc.property(anyScenario, readsAsExpected), { numRuns: runs(300, 100_000) })
  }, 1_800_000)
})

describe("personal messages", () => {
  const [key] = KEYS
  const read = (message: Uint8Array) => tronMessage.decode(message, contextOf(key)) as Reading
  test("have the digest of the second implementation, and the text that people can read", () => {
    const message = fc.oneof(
      fc.string({ maxLength: 300, unit: "grapheme" }).map((text) => new TextEncoder().encode(text)),
      fc.uint8Array({ maxLength: 100 }),
      fc.uint8Array({ minLength: 32, maxLength: 32 }),
    )
    fc.assert(
      fc.property(message, (bytes) => {
        const reading = read(bytes)
        expect(reading).toMatchObject({
          ...{ format: "tron/message", chain: CHAIN, from: [key!.account.text] },
          signs: [{ path: PATH, bytes: hashMessage(bytes) }],
          fee: { max: 0n, asset: `${CHAIN}/slip44:195`, unbounded: false },
        })
        const text = Buffer.from(bytes).toString()
        const isText = Buffer.compare(Buffer.from(text), bytes) === 0 && isPrintable(text) && bytes.length !== 32
        expect(reading.effects).toMatchObject(
          isText ? [{ kind: "message", from: key!.account.text, text }] : [{ kind: "opaque_hash" }],
        )
      }),
      { numRuns: runs(300, 50_000) },
    )
  })
  test("of 32 bytes are a hash, even if they are text", () => {
    const effects = read(new TextEncoder().encode("log in to example.org, nonce 123")).effects
    expect(effects).toMatchObject([{ kind: "opaque_hash", reason: expect.stringContaining("any hash") }])
  })
  test("offline, the signer is not known", () => {
    expect(tronMessage.decode(new TextEncoder().encode("hello"), contextOf(undefined))).toMatchObject({
      ...{ from: [], effects: [{ kind: "message", from: { unresolved: "the signer" } }] },
      signs: [{ path: undefined }],
    })
  })
})
