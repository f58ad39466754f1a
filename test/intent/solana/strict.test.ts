/** Every rule of the layout is broken once, and the instruction readers' demands on data and accounts. */
import { describe, expect, test } from "bun:test"
import { concat } from "../../../src/bytes.ts"
import { isProblem } from "../../../src/intent/reading.ts"
import { readMessage } from "../../../src/intent/solana/layout.ts"
import { solanaMessage } from "../../../src/intent/solana/message.ts"
import { addressBytes } from "../../../src/intent/solana/pda.ts"
import * as programs from "../../../src/intent/solana/programs.ts"
import { OWN } from "./cases.ts"
import { type Address, bytesOf, numbered } from "./kit.ts"
import { contextOf } from "./scenario.ts"

const HASH = new Uint8Array(32).fill(9)
const A = bytesOf(OWN[0]!)
const B = bytesOf(numbered("b", 1))
const SYSTEM = bytesOf(programs.SYSTEM as Address)
const of = (...values: readonly number[]): Uint8Array => Uint8Array.from(values)
const zeros = (length: number): Uint8Array => new Uint8Array(length)

/** One transfer of 5 lamports from A to B, as its parts. */
const parts = () => ({
  header: of(1, 0, 1),
  keys: [of(3), A, B, SYSTEM],
  hash: HASH,
  instructions: [of(1), of(2, 2, 0, 1, 12, 2, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0)],
  rest: [] as readonly Uint8Array[],
})
type Parts = ReturnType<typeof parts>
const joined = ({ header, keys, hash, instructions, rest }: Parts): Uint8Array =>
  concat(header, ...keys, hash, ...instructions, ...rest)
const legacy = (change: Partial<Parts> = {}): Uint8Array => joined({ ...parts(), ...change })
const version0 = (change: Partial<Parts> = {}): Uint8Array => concat(of(0x80), legacy({ rest: [of(0)], ...change }))

const codeOf = (bytes: Uint8Array): string => {
  const decoded = solanaMessage.decode(bytes, contextOf([OWN[0]!]))
  return isProblem(decoded) ? decoded.code : "read"
}
const withInstruction = (...bytes: readonly number[]): Uint8Array => legacy({ instructions: [of(1), of(...bytes)] })

describe("the layout of a message", () => {
  test("the plain ones are read", () => {
    expect(codeOf(legacy())).toBe("read")
    expect(codeOf(version0())).toBe("read")
    expect(readMessage(version0())).toMatchObject({ version: 0, requiredSignatures: 1, readonlyUnsigned: 1 })
  })

  const broken: Readonly<Record<string, readonly [code: string, bytes: Uint8Array]>> = {
    "no bytes at all": ["E-INT-090", zeros(0)],
    "bytes behind its end": ["E-INT-090", concat(legacy(), of(0))],
    "bytes behind its end, version 0": ["E-INT-090", concat(version0(), of(0))],
    "an end too early": ["E-INT-090", legacy().slice(0, -1)],
    "version 0 without lookups": ["E-INT-090", version0().slice(0, -1)],
    "a length in two bytes that fits one": ["E-INT-090", legacy({ keys: [of(0x83, 0), A, B, SYSTEM] })],
    "a length in three bytes that fits one": ["E-INT-090", legacy({ keys: [of(0x83, 0x80, 0), A, B, SYSTEM] })],
    "a length of more than 16 bits": ["E-INT-090", legacy({ keys: [of(0xff, 0xff, 4), A, B, SYSTEM] })],
    "a length of four bytes": ["E-INT-090", legacy({ keys: [of(0x83, 0x80, 0x80, 0), A, B, SYSTEM] })],
    "more keys than bytes": ["E-INT-090", legacy({ keys: [of(0xff, 0xff, 3), A, B, SYSTEM] })],
    "raw text, as wallets sign it": ["E-INT-090", new TextEncoder().encode("log in to example.org")],
    "version 1": ["E-INT-091", concat(of(0x81), version0().slice(1))],
    "version 127, where off-chain messages begin": ["E-INT-091", concat(of(0xff), version0().slice(1))],
    "no signer": ["E-INT-092", legacy({ header: of(0, 0, 1) })],
    "only read-only signers": ["E-INT-092", legacy({ header: of(1, 1, 1) })],
    "more signers than keys": ["E-INT-092", legacy({ header: of(4, 0, 0) })],
    "signers and read-only accounts beyond the keys": ["E-INT-092", legacy({ header: of(2, 0, 2) })],
    "no keys": ["E-INT-092", legacy({ header: of(0, 0, 0), keys: [of(0)], instructions: [of(0)] })],
    "a key twice": ["E-INT-092", legacy({ keys: [of(3), A, A, SYSTEM] })],
    "the fee payer as program": ["E-INT-092", withInstruction(0, 0, 0)],
    "a program beyond the keys": ["E-INT-092", withInstruction(3, 0, 0)],
    "an account beyond the keys": ["E-INT-092", withInstruction(2, 1, 3, 0)],
    "a program out of a lookup table": [
      "E-INT-092",
      version0({ instructions: [of(1), of(3, 0, 0)], rest: [of(1), HASH, of(1, 0, 0)] }),
    ],
    "a lookup of nothing": ["E-INT-092", version0({ rest: [of(1), HASH, of(0, 0)] })],
    "more than 256 accounts": [
      "E-INT-092",
      version0({ rest: [of(2), HASH, of(0x82, 1), zeros(130), of(0), SYSTEM, of(0x82, 1), zeros(130), of(0)] }),
    ],
    "one byte more than a packet": ["E-INT-093", zeros(1233)],
  }
  for (const [what, [code, bytes]] of Object.entries(broken)) {
    test(`${what} is ${code}`, () => {
      const decoded = solanaMessage.decode(bytes, contextOf([OWN[0]!]))
      expect(isProblem(decoded) ? decoded.code : "read").toBe(code as never)
      expect(decoded).toMatchObject({ message: expect.any(String), at: expect.any(String) })
    })
  }

  test("1232 bytes with its signatures are read, one more is not", () => {
    const memo = bytesOf(programs.MEMO_3 as Address)
    const text = (length: number) => [of(1), of(1, 0, 0x80 | (length & 0x7f), length >> 7), zeros(length).fill(65)]
    const sized = (length: number) =>
      legacy({ header: of(1, 0, 1), keys: [of(2), A, memo], instructions: text(length) })
    const most = 1232 - 65 - (sized(1000).length - 1000)
    expect(codeOf(sized(most))).toBe("read")
    expect(codeOf(sized(most + 1))).toBe("E-INT-093")
  })
})

describe("instructions of known programs", () => {
  const transfer = [12, 2, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0]
  const cases: Readonly<Record<string, readonly [code: string, bytes: Uint8Array]>> = {
    "a transfer with a byte too many": ["E-INT-094", withInstruction(2, 2, 0, 1, 13, ...transfer.slice(1), 0)],
    "a transfer with a byte too few": ["E-INT-094", withInstruction(2, 2, 0, 1, 11, ...transfer.slice(1, 12))],
    "a transfer to nobody": ["E-INT-095", withInstruction(2, 1, 0, ...transfer)],
    "a transfer with accounts that nobody needs": ["read", withInstruction(2, 3, 0, 1, 2, ...transfer)],
    "a number that is not known": ["read", withInstruction(2, 0, 4, 77, 0, 0, 0)],
    "no data": ["read", withInstruction(2, 0, 0)],
  }
  for (const [what, [code, bytes]] of Object.entries(cases)) {
    test(`${what}: ${code}`, () => expect(codeOf(bytes)).toBe(code))
  }
  const of1 = (program: string, accounts: readonly number[], data: readonly number[]): string =>
    codeOf(
      legacy({
        keys: [of(3), A, B, bytesOf(program as Address)],
        instructions: [of(1), of(2, accounts.length, ...accounts, data.length, ...data)],
      }),
    )
  test("trailing bytes, option tags, seeds, text", () => {
    expect(of1(programs.TOKEN, [0, 1, 0], [3, ...zeros(8), 0])).toBe("E-INT-094")
    expect(of1(programs.TOKEN, [0, 1, 0], [3, ...zeros(8)])).toBe("read")
    expect(of1(programs.TOKEN, [0, 1], [3, ...zeros(8)])).toBe("E-INT-095")
    expect(of1(programs.TOKEN, [0, 1], [6, 2, 2])).toBe("E-INT-094")
    expect(of1(programs.TOKEN, [0, 1], [6, 2, 0, 0])).toBe("E-INT-094")
    expect(of1(programs.TOKEN, [0, 1, 0], [9, 0])).toBe("E-INT-094")
    expect(of1(programs.TOKEN, [], [])).toBe("read")
    expect(of1(programs.TOKEN_2022, [0, 1, 1, 0], [26, 1, ...zeros(18)])).toBe("E-INT-094")
    expect(of1(programs.TOKEN_2022, [0, 1, 1, 0], [26])).toBe("read")
    expect(of1(programs.SYSTEM, [1, 0], [10, 0, 0, 0, ...A, 33, ...zeros(7), ...zeros(33), ...A])).toBe("E-INT-094")
    expect(of1(programs.SYSTEM, [1, 0], [10, 0, 0, 0, ...A, 1, ...zeros(7), 0xff, ...A])).toBe("E-INT-094")
    expect(of1(programs.MEMO_3, [], [0xc3])).toBe("E-INT-094")
    expect(of1(programs.STAKE, [0, 1], [1, 0, 0, 0, ...A, 2, 0, 0, 0])).toBe("E-INT-094")
    expect(of1(programs.ASSOCIATED_TOKEN, [0, 1, 0, 1, 2, 2], [0, 0])).toBe("E-INT-094")
    expect(of1(programs.ASSOCIATED_TOKEN, [0, 1, 0, 1, 2], [])).toBe("E-INT-095")
  })
  test("a batch: its accounts, its nesting, its end", () => {
    const inner = [3, 9, 3, ...zeros(8)]
    expect(of1(programs.TOKEN, [0, 1, 0], [255, ...inner])).toBe("read")
    expect(of1(programs.TOKEN, [0, 1], [255, ...inner])).toBe("E-INT-095")
    expect(of1(programs.TOKEN, [0, 1, 0], [255, ...inner.slice(0, -1)])).toBe("E-INT-094")
    expect(of1(programs.TOKEN, [0, 1, 0], [255, 3, 1, 255])).toBe("E-INT-094")
  })
  test("the compute budget: once each, known numbers, exact", () => {
    const budget = (...instructions: readonly (readonly number[])[]): string =>
      codeOf(
        legacy({
          keys: [of(3), A, B, bytesOf(programs.COMPUTE_BUDGET as Address)],
          instructions: [of(instructions.length), ...instructions.map((data) => of(2, 0, data.length, ...data))],
        }),
      )
    expect(budget([2, 1, 0, 0, 0], [3, ...zeros(8)], [1, 0, 0, 1, 0], [4, 0, 0, 1, 0])).toBe("read")
    expect(budget([3, ...zeros(8)], [3, ...zeros(8)])).toBe("E-INT-097")
    expect(budget([0, ...zeros(8)])).toBe("E-INT-097")
    expect(budget([5, ...zeros(8)])).toBe("E-INT-097")
    expect(budget([3, ...zeros(9)])).toBe("E-INT-094")
    expect(budget([2, 0])).toBe("E-INT-094")
    expect(budget([])).toBe("E-INT-094")
  })
  test("a sysvar at a place of the stake program where none belongs", () => {
    const clock = bytesOf(programs.CLOCK as Address)
    const stake = bytesOf(programs.STAKE as Address)
    const authorize = (...accounts: readonly number[]): string =>
      codeOf(
        legacy({
          header: of(1, 0, 1),
          keys: [of(4), A, B, clock, stake],
          instructions: [of(1), of(3, accounts.length, ...accounts, 8, 10, 0, 0, 0, 1, 0, 0, 0)],
        }),
      )
    expect(authorize(1, 2, 0, 0)).toBe("read")
    expect(authorize(1, 0, 0)).toBe("read")
    expect(authorize(1, 0, 2, 0)).toBe("E-INT-094")
    expect(authorize(1, 0)).toBe("E-INT-095")
  })
})

test("every program that is named has an address of 32 bytes", () => {
  const names = Object.values(programs)
    .flat()
    .filter((value) => typeof value === "string")
  expect(names.length).toBeGreaterThan(15)
  expect(names.map((name) => addressBytes(name)?.length).filter((length) => length !== 32)).toEqual([])
})
