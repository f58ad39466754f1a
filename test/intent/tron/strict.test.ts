/** The one canonical encoding: each way to write a transaction otherwise is refused, by its own code and place. */
import { describe, expect, test } from "bun:test"
import { concat } from "../../../src/bytes.ts"
import { isProblem } from "../../../src/intent/reading.ts"
import { tronTransaction } from "../../../src/intent/tron/transaction.ts"
import { contextOf, KEYS } from "./scenario.ts"
import { encode, fromHex, numbered } from "./web.ts"

const [KEY] = KEYS
const OWNER = fromHex(KEY!.account.hex)
const TO = fromHex(numbered("t", 1).hex)
const of = (...values: readonly number[]): Uint8Array => Uint8Array.from(values)

const varint = (value: bigint): Uint8Array => {
  const out: number[] = []
  let rest = value
  for (; rest >= 128n; rest >>= 7n) out.push(Number(rest & 127n) | 128)
  return Uint8Array.from([...out, Number(rest)])
}
const int = (number: number, value: bigint | Uint8Array): Uint8Array =>
  concat(varint(BigInt(number << 3)), typeof value === "bigint" ? varint(value) : value)
const bytes = (number: number, value: Uint8Array): Uint8Array =>
  concat(varint(BigInt((number << 3) | 2)), varint(BigInt(value.length)), value)
const text = (value: string): Uint8Array => new TextEncoder().encode(value)

/** A transfer of 5 sun, as its parts; every list is what stands in the message, in order. */
const parts = () => ({
  value: [bytes(1, OWNER), bytes(2, TO), int(3, 5n)],
  url: "type.googleapis.com/protocol.TransferContract",
  type: int(1, 1n),
  contract: [] as readonly Uint8Array[],
  before: [bytes(1, of(0, 1)), bytes(4, of(0, 0, 0, 0, 0, 0, 0, 1)), int(8, 9000n)],
  after: [int(14, 8n)] as readonly Uint8Array[],
})
type Parts = ReturnType<typeof parts>
const contractOf = ({ value, url, type, contract }: Parts): Uint8Array =>
  concat(type, bytes(2, concat(bytes(1, text(url)), bytes(2, concat(...value)))), ...contract)
const built = (change: Partial<Parts> = {}): Uint8Array => {
  const all = { ...parts(), ...change }
  return concat(...all.before, bytes(11, contractOf(all)), ...all.after)
}
const decode = (data: Uint8Array) => tronTransaction.decode(data, contextOf(KEY))
const codeOf = (data: Uint8Array): string => {
  const decoded = decode(data)
  return isProblem(decoded) ? decoded.code : "read"
}

test("the parts are what the second implementation writes", () => {
  const { bytes: theirs } = encode({
    ...{ type: "TransferContract", refBlock: "0001", refHash: "0000000000000001", expiration: 9000, timestamp: 8 },
    value: { owner_address: KEY!.account.hex, to_address: numbered("t", 1).hex, amount: 5 },
  })
  expect(built()).toEqual(theirs)
  expect(codeOf(built())).toBe("read")
})

const [block, hash, expiration] = parts().before as [Uint8Array, Uint8Array, Uint8Array]
const contract = bytes(11, contractOf(parts()))
const amount = (value: Uint8Array): Uint8Array =>
  built({ value: [...parts().value.slice(0, 2), concat(of(0x18), value)] })
const NEGATIVE = of(0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1)

const broken: Readonly<Record<string, readonly [code: string, data: Uint8Array]>> = {
  "no bytes": ["E-INT-126", new Uint8Array(0)],
  "bytes behind its end": ["E-INT-120", concat(built(), of(0))],
  "an end too early": ["E-INT-120", built().slice(0, -1)],
  "fields out of order": ["E-INT-120", concat(hash, block, expiration, contract)],
  "a field twice": ["E-INT-120", built({ before: [block, block, hash, expiration] })],
  "the contract's owner twice": ["E-INT-120", built({ value: [bytes(1, OWNER), ...parts().value] })],
  "a field that is not known": ["E-INT-120", built({ after: [int(14, 8n), int(18, 1n), int(19, 1n)] })],
  "the number of a block, which the chain passes over": [
    "E-INT-120",
    built({ before: [block, int(3, 7n), hash, expiration] }),
  ],
  "scripts, which the chain passes over": ["E-INT-120", built({ after: [bytes(12, of(1)), int(14, 8n)] })],
  "a provider": ["E-INT-120", built({ contract: [bytes(3, of(1))] })],
  "field number 0": ["E-INT-120", concat(int(0, 1n), built())],
  "a field number beyond 2^29": ["E-INT-120", concat(built(), varint((2n ** 29n) << 3n), of(1))],
  "a default that is written": ["E-INT-120", amount(of(0))],
  "an empty memo that is written": ["E-INT-120", built({ before: [block, hash, expiration, bytes(10, of())] })],
  "a number longer than it needs to be": ["E-INT-120", amount(of(0x85, 0))],
  "a number of eleven bytes": ["E-INT-120", amount(concat(new Uint8Array(10).fill(0x80), of(1)))],
  "a number beyond 64 bits": ["E-INT-120", amount(concat(NEGATIVE.slice(0, 9), of(2)))],
  "a negative amount": ["E-INT-127", amount(NEGATIVE)],
  "a negative fee limit": ["E-INT-127", built({ after: [int(14, 8n), int(18, NEGATIVE)] })],
  "a wrong wire type": ["E-INT-120", built({ before: [block, hash, bytes(8, of(1))] })],
  "a fixed wire type": ["E-INT-120", built({ before: [concat(of(0x0d), of(0, 0, 0, 1)), hash, expiration] })],
  "a length beyond the end": ["E-INT-120", concat(...parts().before, of(0x5a, 0xff, 0x7f))],
  "a length beyond 2^53": ["E-INT-120", concat(of(0x0a), NEGATIVE)],
  "a permission that does not fit 32 bits": ["E-INT-120", built({ contract: [int(5, 2n ** 31n)] })],
  "a negative permission": ["E-INT-127", built({ contract: [int(5, NEGATIVE)] })],
  "no contract": ["E-INT-121", concat(block, hash, expiration, int(14, 8n))],
  "two contracts": ["E-INT-121", concat(block, hash, expiration, contract, contract, int(14, 8n))],
  "a contract without parameter": ["E-INT-122", concat(...parts().before, bytes(11, int(1, 1n)), int(14, 8n))],
  "a type that is not known": ["E-INT-122", built({ type: int(1, 999n) })],
  "a shielded transfer": [
    "E-INT-122",
    built({ type: int(1, 51n), url: "type.googleapis.com/protocol.ShieldedTransferContract" }),
  ],
  "a type that is not the URL's": ["E-INT-122", built({ type: int(1, 2n) })],
  "a URL that is not the type's": ["E-INT-122", built({ url: "type.googleapis.com/protocol.TransferAssetContract" })],
  "a URL of somebody else's": ["E-INT-122", built({ url: "example.org/protocol.TransferContract" })],
  "permission 10": ["E-INT-123", built({ contract: [int(5, 10n)] })],
  "an owner that is too short": [
    "E-INT-124",
    built({ value: [bytes(1, OWNER.slice(0, 20)), ...parts().value.slice(1)] }),
  ],
  "an owner with another prefix": [
    "E-INT-124",
    built({ value: [bytes(1, OWNER.with(0, 0xa0)), ...parts().value.slice(1)] }),
  ],
  "no owner": ["E-INT-124", built({ value: parts().value.slice(1) })],
  "no recipient": ["E-INT-124", built({ value: [bytes(1, OWNER), int(3, 5n)] })],
  "no block": ["E-INT-126", built({ before: [hash, expiration] })],
  "a block's hash of 7 bytes": [
    "E-INT-126",
    built({ before: [block, bytes(4, new Uint8Array(7).fill(1)), expiration] }),
  ],
  "no expiration": ["E-INT-126", built({ before: [block, hash] })],
}

describe("every other encoding is refused", () => {
  for (const [what, [code, data]] of Object.entries(broken)) {
    test(`${what}: ${code}`, () => {
      expect(codeOf(data)).toBe(code)
      expect(decode(data)).toMatchObject({ message: expect.any(String), at: expect.any(String) })
    })
  }
})

test("places are in the payload, inside the contract too", () => {
  const negative = amount(NEGATIVE)
  const at = Buffer.from(negative).indexOf(Buffer.from([0x18, ...NEGATIVE]))
  expect(decode(negative)).toMatchObject({ code: "E-INT-127", at: `byte ${at}` })
})

test("the largest amount is read exactly", () => {
  expect(decode(amount(varint(2n ** 63n - 1n)))).toMatchObject({ effects: [{ amount: 2n ** 63n - 1n }] })
})

describe("contracts that the chain refuses", () => {
  const typed = (type: bigint, name: string, value: readonly Uint8Array[]): string =>
    codeOf(
      built({ type: int(1, type), url: `type.googleapis.com/protocol.${name}`, value: [bytes(1, OWNER), ...value] }),
    )
  const vote = bytes(2, concat(bytes(1, TO), int(2, 1n)))
  const key = bytes(7, concat(bytes(1, TO), int(2, 1n)))
  const permission = (count: number): Uint8Array => concat(int(4, 1n), ...Array<Uint8Array>(count).fill(key))
  const token = (name: Uint8Array): string =>
    codeOf(
      built({
        ...{ type: int(1, 2n), url: "type.googleapis.com/protocol.TransferAssetContract" },
        value: [bytes(1, name), bytes(2, OWNER), bytes(3, TO), int(4, 5n)],
      }),
    )

  test("votes, permissions, resources: their bounds", () => {
    expect(typed(4n, "VoteWitnessContract", Array<Uint8Array>(30).fill(vote))).toBe("read")
    expect(typed(4n, "VoteWitnessContract", Array<Uint8Array>(31).fill(vote))).toBe("E-INT-128")
    expect(typed(4n, "VoteWitnessContract", [])).toBe("E-INT-128")
    expect(typed(46n, "AccountPermissionUpdateContract", [bytes(2, permission(5))])).toBe("read")
    expect(typed(46n, "AccountPermissionUpdateContract", [bytes(2, permission(6))])).toBe("E-INT-128")
    expect(typed(46n, "AccountPermissionUpdateContract", [bytes(2, permission(0))])).toBe("E-INT-128")
    const actives = (count: number) => Array<Uint8Array>(count).fill(bytes(4, permission(1)))
    expect(typed(46n, "AccountPermissionUpdateContract", [bytes(2, permission(1)), ...actives(8)])).toBe("read")
    expect(typed(46n, "AccountPermissionUpdateContract", [bytes(2, permission(1)), ...actives(9)])).toBe("E-INT-128")
    const named = concat(bytes(3, of(0xc3)), permission(1))
    expect(typed(46n, "AccountPermissionUpdateContract", [bytes(2, named)])).toBe("E-INT-120")
    expect(typed(54n, "FreezeBalanceV2Contract", [int(2, 5n), int(3, 3n)])).toBe("E-INT-128")
    expect(typed(30n, "CreateSmartContract", [])).toBe("E-INT-128")
  })
  test("truth is 1, and enumerations have 32 bits", () => {
    const locked = (value: bigint) => typed(57n, "DelegateResourceContract", [int(3, 5n), bytes(4, TO), int(5, value)])
    expect([locked(1n), locked(2n), locked(2n ** 62n)]).toEqual(["read", "E-INT-120", "E-INT-120"])
    expect(typed(54n, "FreezeBalanceV2Contract", [int(2, 5n), int(3, 2n ** 32n + 1n)])).toBe("E-INT-120")
    expect(typed(4n, "VoteWitnessContract", [vote, int(3, 2n)])).toBe("E-INT-120")
  })
  test("tokens have numbers", () => {
    expect(token(text("1002000"))).toBe("read")
    for (const name of ["", "0", "01", "USDT", "1e6", "-1", "1002000 "]) {
      expect(`${name}: ${token(text(name))}`).toBe(`${name}: ${name === "" ? "E-INT-120" : "E-INT-129"}`)
    }
    expect(typed(31n, "TriggerSmartContract", [bytes(2, TO), int(5, 7n)])).toBe("E-INT-129")
    expect(typed(31n, "TriggerSmartContract", [bytes(2, TO), int(5, 7n), int(6, 1_002_000n)])).toBe("read")
  })
  test("types that are calls have their one encoding too", () => {
    expect(typed(5n, "WitnessCreateContract", [bytes(2, text("url"))])).toBe("read")
    expect(typed(5n, "WitnessCreateContract", [bytes(3, of(1)), bytes(2, text("url"))])).toBe("E-INT-120")
    expect(typed(5n, "WitnessCreateContract", [concat(of(0x15), of(1, 2, 3, 4))])).toBe("E-INT-120")
    expect(typed(5n, "WitnessCreateContract", [int(2, of(0x85, 0))])).toBe("E-INT-120")
    const entry = (...fields: readonly Uint8Array[]): string =>
      typed(16n, "ProposalCreateContract", [bytes(2, concat(...fields))])
    expect(entry(int(1, 0n), int(2, 0n))).toBe("read")
    expect(entry(int(1, 5n))).toBe("E-INT-120")
    const map = (...keys: readonly bigint[]): string =>
      typed(
        ...([16n, "ProposalCreateContract"] as const),
        keys.map((key) => bytes(2, concat(int(1, key), int(2, 7n)))),
      )
    expect([map(1n, 3n), map(3n, 1n), map(1n, 3n, 1n)]).toEqual(["read", "read", "E-INT-120"])
    expect(typed(52n, "MarketSellAssetContract", [bytes(2, text("_")), int(3, 5n)])).toBe("read")
    expect(typed(53n, "MarketCancelOrderContract", [bytes(2, of(1))])).toBe("read")
    expect(typed(14n, "UnfreezeAssetContract", [])).toBe("read")
  })
})
