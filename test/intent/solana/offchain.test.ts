/** Off-chain messages against the second implementation, and every rule of their layout broken once. */
import { describe, expect, test } from "bun:test"
import {
  getOffchainMessageV0Encoder,
  getOffchainMessageV1Encoder,
  OffchainMessageContentFormat as Kind,
  type OffchainMessageApplicationDomain,
} from "@solana/kit"
import fc from "fast-check"
import { concat } from "../../../src/bytes.ts"
import { isPrintable } from "../../../src/intent/problem.ts"
import { isProblem, type Reading } from "../../../src/intent/reading.ts"
import { solanaMessage } from "../../../src/intent/solana/message.ts"
import { solanaOffchain } from "../../../src/intent/solana/offchain.ts"
import { CHAIN, FOREIGN, OWN } from "./cases.ts"
import { type Address, addressOf } from "./kit.ts"
import { contextOf } from "./scenario.ts"

const LONG = process.env["COSIGNER_LONG"] === "1"
const domain = fc.uint8Array({ minLength: 32, maxLength: 32 }).map(addressOf)
const signers = fc
  .subarray([...OWN, ...FOREIGN], { minLength: 1 })
  .filter((list) => list.some((one) => OWN.includes(one)))
const ascii = fc
  .string({ minLength: 1, maxLength: 200, unit: "grapheme-ascii" })
  .map((text) => text.replace(/[^ -~]/g, "."))
const unicode = fc.string({ minLength: 1, maxLength: 200, unit: "grapheme" })
const long = fc.string({ minLength: 1200, maxLength: 3000, unit: "grapheme" })

const version0 = (text: string, format: Kind, to: readonly Address[], application: Address): Uint8Array =>
  Uint8Array.from(
    getOffchainMessageV0Encoder().encode({
      version: 0,
      applicationDomain: application as string as OffchainMessageApplicationDomain,
      content: { format, text } as never,
      requiredSignatories: to.map((address) => ({ address })),
    }),
  )
const version1 = (text: string, to: readonly Address[]): Uint8Array =>
  Uint8Array.from(
    getOffchainMessageV1Encoder().encode({
      ...{ version: 1, content: text },
      requiredSignatories: to.map((address) => ({ address })),
    }),
  )

function reads(bytes: Uint8Array, text: string, to: readonly Address[], application?: Address): void {
  const own = to.filter((one) => OWN.includes(one))
  const decoded = solanaOffchain.decode(bytes, contextOf(own)) as Reading
  expect(decoded).toMatchObject({
    ...{ format: "solana/offchain", chain: CHAIN, from: own },
    fee: { max: 0n, asset: `${CHAIN}/slip44:501`, unbounded: false },
    signs: own.map((_, i) => ({ path: [44, 501, i], bytes })),
  })
  if (isPrintable(text)) {
    const named = application === undefined ? {} : { domain: application }
    expect(decoded.effects).toEqual(own.map((from) => ({ kind: "message", from, text, ...named })))
  } else {
    expect(decoded.effects.map(({ kind }) => kind)).toEqual(own.map(() => "opaque_hash"))
  }
}

describe("what the second implementation encodes", () => {
  const numRuns = LONG ? 20_000 : 100
  test("version 0, ASCII", () => {
    fc.assert(
      fc.property(ascii, signers, domain, (text, to, application) =>
        reads(version0(text, Kind.RESTRICTED_ASCII_1232_BYTES_MAX, to, application), text, to, application),
      ),
      { numRuns },
    )
  })
  test("version 0, UTF-8", () => {
    fc.assert(
      fc.property(unicode, signers, domain, (text, to, application) =>
        reads(version0(text, Kind.UTF8_1232_BYTES_MAX, to, application), text, to, application),
      ),
      { numRuns },
    )
  })
  test("version 0, long UTF-8", () => {
    fc.assert(
      fc.property(long, signers, domain, (text, to, application) =>
        reads(version0(text, Kind.UTF8_65535_BYTES_MAX, to, application), text, to, application),
      ),
      { numRuns: Math.ceil(numRuns / 5) },
    )
  })
  test("version 1", () => {
    fc.assert(
      fc.property(unicode, signers, (text, to) => reads(version1(text, to), text, to)),
      { numRuns },
    )
  })
})

describe("the layout", () => {
  const to = [OWN[0]!, FOREIGN[0]!]
  const good = version0("hello", Kind.RESTRICTED_ASCII_1232_BYTES_MAX, to, OWN[1]!)
  const changed = (at: number, ...bytes: readonly number[]): Uint8Array =>
    concat(good.slice(0, at), Uint8Array.from(bytes), good.slice(at + bytes.length))
  const codeOf = (bytes: Uint8Array, own = [OWN[0]!]): string => {
    const decoded = solanaOffchain.decode(bytes, contextOf(own))
    return isProblem(decoded) ? decoded.code : "read"
  }
  const sorted = version1("hello", to)
  const [first, second] = [sorted.slice(18, 50), sorted.slice(50, 82)]

  const cases: Readonly<Record<string, readonly [code: string, bytes: Uint8Array]>> = {
    "as it is": ["read", good],
    "another signing domain": ["E-INT-099", changed(0, 0xfe)],
    "version 2": ["E-INT-099", changed(16, 2)],
    "a kind of text that is not known": ["E-INT-099", changed(49, 3)],
    "no signer": ["E-INT-099", concat(good.slice(0, 50), Uint8Array.of(0), good.slice(115))],
    "a signer twice": ["E-INT-099", concat(good.slice(0, 83), good.slice(51, 83), good.slice(115))],
    "a length that is not the text's": ["E-INT-099", changed(115, 4, 0)],
    "a length beyond the end": ["E-INT-099", changed(115, 6, 0)],
    "bytes behind the end": ["E-INT-099", concat(good, Uint8Array.of(65))],
    "an end too early": ["E-INT-099", good.slice(0, -1)],
    "no text": ["E-INT-099", concat(good.slice(0, 115), Uint8Array.of(0, 0))],
    "ASCII that is none": ["E-INT-099", changed(117, 0x0a)],
    "UTF-8 that is none": ["E-INT-099", concat(changed(49, 1).slice(0, 117), Uint8Array.of(0xc3, 65, 65, 65, 65))],
    "short text that is long": [
      "E-INT-099",
      concat(good.slice(0, 115), Uint8Array.of(0xb0, 4), new Uint8Array(1200).fill(65)),
    ],
    "version 1 as it is": ["read", sorted],
    "version 1 with its signers out of order": [
      "E-INT-099",
      concat(sorted.slice(0, 18), second, first, sorted.slice(82)),
    ],
    "version 1 with a signer twice": ["E-INT-099", concat(sorted.slice(0, 18), first, first, sorted.slice(82))],
    "version 1 without text": ["E-INT-099", sorted.slice(0, 82)],
  }
  for (const [what, [code, bytes]] of Object.entries(cases)) {
    test(`${what}: ${code}`, () => expect(codeOf(bytes)).toBe(code))
  }
  test("a key that it does not ask for", () => {
    expect(codeOf(good, [OWN[2]!])).toBe("E-INT-098")
  })
  test("is never a transaction, and no transaction is one", () => {
    expect(solanaMessage.decode(good, contextOf([OWN[0]!]))).toMatchObject({ code: "E-INT-091" })
  })
})

test("noise gives a problem, never an exception", () => {
  const good = version0("hello", Kind.UTF8_1232_BYTES_MAX, [OWN[0]!], OWN[1]!)
  const noise = fc.oneof(
    fc.uint8Array({ maxLength: 300 }),
    fc.uint8Array({ maxLength: 300 }).map((bytes) => concat(good.slice(0, 17), bytes)),
    fc.record({ at: fc.nat(good.length - 1), to: fc.nat(255) }).map(({ at, to }) => good.with(at, to)),
  )
  fc.assert(
    fc.property(noise, (bytes) => {
      const decoded = solanaOffchain.decode(bytes, contextOf([OWN[0]!]))
      if (!isProblem(decoded)) expect(decoded.signs).toEqual([{ path: [44, 501, 0], bytes: Uint8Array.from(bytes) }])
    }),
    { numRuns: LONG ? 300_000 : 1000 },
  )
})
