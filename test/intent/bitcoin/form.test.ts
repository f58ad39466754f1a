/** The outer form of PSBTs and the form of transactions: what is not the one way to write it is refused, with its code and place. */
import { describe, expect, test } from "bun:test"
import * as bitcoin from "bitcoinjs-lib"
import { bigToLe, concat, copy, fromHex, u8, utf8 } from "../../../src/bytes.ts"
import { readPsbt } from "../../../src/intent/bitcoin/psbtFields.ts"
import { readTransaction, serialized } from "../../../src/intent/bitcoin/transaction.ts"
import { attempt } from "../../../src/intent/problem.ts"
import { isProblem } from "../../../src/intent/reading.ts"
import { fieldOf, join, MAGIC, pair, set, split, withMap } from "./craft.ts"
import {
  ALICE,
  CHANGE,
  contextFor,
  P2WPKH,
  PAYMENT,
  pay,
  planWith,
  previousWith,
  read,
  refusalOf,
  spend,
} from "./simple.ts"
import { addressOf, encode, encodeV0, encodeV2, scriptOf, unsignedOf } from "./wallet.ts"

const V0 = encodeV0(PAYMENT)
const V2 = encodeV2(PAYMENT)
const CONTEXT = contextFor(PAYMENT)
const refusal = (psbt: Uint8Array): string => refusalOf(psbt, CONTEXT)
const code = (psbt: Uint8Array): string => refusal(psbt).split(" ")[0] ?? ""
/** Of bytes in base64, whatever they are. */
const codeOfText = (text: string): string => {
  const made = attempt(() => readPsbt(Buffer.from(text, "base64")))
  return typeof made === "object" && "code" in made && typeof made.code === "string" ? made.code : "read"
}
const hex = (text: string) => fromHex(text) ?? new Uint8Array()

describe("the outer form", () => {
  test("both versions read, and put together again they are the same bytes", () => {
    expect([refusal(V0), refusal(V2)]).toEqual(["read", "read"])
    expect(join(split(V0))).toEqual(V0)
    expect(join(split(V2))).toEqual(V2)
    expect(read(PAYMENT, V2)).toEqual(read(PAYMENT, V0))
  })
  test("what is cut at any byte is refused", () => {
    for (const psbt of [V0, V2]) {
      for (let length = 0; length < psbt.length; length++) expect(refusal(psbt.subarray(0, length))).not.toBe("read")
    }
  })
  test("bytes behind the last map", () => {
    expect(refusal(concat(V0, u8(0)))).toBe(`E-INT-060 byte ${V0.length}`)
    expect(code(concat(V0, V0))).toBe("E-INT-060")
  })
  test("another magic", () => {
    expect(refusal(concat(utf8("psbu"), V0.subarray(4)))).toBe("E-INT-060 byte 0")
    expect(refusal(utf8(Buffer.from(V0).toString("base64")))).toBe("E-INT-060 byte 0")
    expect(refusal(copy(unsignedOf(PAYMENT).toBuffer()))).toBe("E-INT-060 byte 0")
  })
  test("a key twice, next to its twin and far from it, known and unknown", () => {
    for (const type of [0x01, 0x03, 0x77, 0xfc]) {
      const twice = withMap(V0, 1, (map) => [pair(type, u8(1), u8(9)), ...map, pair(type, u8(1), u8(9))])
      expect(["E-INT-061", "E-INT-062"]).toContain(code(twice))
    }
    const unknown = withMap(V0, 1, (map) => [pair(0x77, u8(1)), ...map, pair(0x77, u8(2))])
    expect(code(unknown)).toBe("E-INT-061")
    const global = withMap(V0, 0, (map) => [...map, map[0]!])
    expect(code(global)).toBe("E-INT-061")
  })
  test("one key in two maps is no key twice; unknown and proprietary keys are counted and shown", () => {
    const more = withMap(
      withMap(V0, 1, (map) => [...map, pair(0x77, u8(1))]),
      2,
      (map) => [...map, pair(0x77, u8(1)), pair(0xfc, u8(1), utf8("wallet"))],
    )
    const { notes, ...reading } = read(PAYMENT, more)
    const { notes: plain, ...expected } = read(PAYMENT, V0)
    expect(reading).toEqual(expected)
    expect(plain).toEqual([`change 0.00039 BTC to ${addressOf(scriptOf(CHANGE), "mainnet")} (m/84/0/0/1/0)`])
    expect(notes).toEqual([...(plain ?? []), "2 unknown keys were passed over", "1 proprietary keys were passed over"])
  })
  test("lengths that are not the shortest: of a key, of a value, of a key's type, in a count", () => {
    const body = V0.subarray(MAGIC.length)
    expect(body[0]).toBe(1)
    expect(refusal(concat(MAGIC, hex("fd0100"), body.subarray(1)))).toBe("E-INT-060 byte 5")
    expect(refusal(concat(MAGIC, hex("fe01000000"), body.subarray(1)))).toBe("E-INT-060 byte 5")
    expect(refusal(concat(MAGIC, hex("ff0100000000000000"), body.subarray(1)))).toBe("E-INT-060 byte 5")
    expect(refusal(concat(MAGIC, u8(3), hex("fd0000"), body.subarray(2)))).toBe("E-INT-060 byte 6")
    expect(body[2]).toBeLessThan(0xfd)
    expect(refusal(concat(MAGIC, body.subarray(0, 2), u8(0xfd), u8(body[2] ?? 0), u8(0), body.subarray(3)))).toBe(
      "E-INT-060 byte 7",
    )
    expect(code(withMap(V2, 0, set(0x04, hex("fd0100"))))).toBe("E-INT-062")
    expect(code(withMap(V2, 0, set(0x04, hex("010000"))))).toBe("E-INT-062")
  })
  test("a length beyond what there is costs nothing", () => {
    expect(code(concat(MAGIC, hex("feffffffff"), u8(0)))).toBe("E-INT-060")
    expect(code(concat(MAGIC, hex("ffffffffffffffffff"), u8(0)))).toBe("E-INT-060")
    expect(code(withMap(V2, 0, set(0x04, hex("fe00000001"))))).toBe("E-INT-003")
    expect(code(withMap(V2, 0, set(0x05, hex("feffffffff"))))).toBe("E-INT-003")
  })
})

describe("fields", () => {
  test("known keys have their data and their values have their lengths", () => {
    const wrong: readonly (readonly [map: number, type: number, value: string, keyData?: string])[] = [
      [0, 0xfb, "00"],
      [0, 0x01, "01020304", "02"],
      [1, 0x01, "00"],
      [1, 0x03, "01"],
      [1, 0x03, "01000000", "00"],
      [1, 0x02, "00", "02"],
      [1, 0x06, "0102030405", "02".padEnd(66, "1")],
      [1, 0x13, "00"],
      [1, 0x14, "00", "02".padEnd(128, "1")],
      [1, 0x15, "c0", "c0"],
      [1, 0x16, "00", "11".repeat(32)],
      [1, 0x17, "00".repeat(33)],
      [1, 0x18, "00".repeat(31)],
      [2, 0x02, "010203", "02".padEnd(66, "1")],
      [2, 0x05, "00".repeat(33)],
      [2, 0x07, "01", "11".repeat(32)],
      [2, 0x07, "0001020304050607", "11".repeat(32)],
    ]
    for (const [map, type, value, keyData = ""] of wrong) {
      const psbt = withMap(V0, map, (pairs) => [...set(type, undefined)(pairs), pair(type, hex(value), hex(keyData))])
      expect(`${map} ${type} ${code(psbt)}`).toBe(`${map} ${type} E-INT-062`)
    }
  })
  test("versions: one that is unknown, fields of the other, fields that are missing", () => {
    expect(refusal(withMap(V0, 0, set(0xfb, hex("01000000"))))).toBe("E-INT-063 global")
    expect(refusal(withMap(V0, 0, set(0xfb, hex("02000000"))))).toBe("E-INT-063 global")
    expect(refusal(withMap(V0, 0, set(0xfb, hex("00000000"))))).toBe("read")
    expect(refusal(withMap(V2, 0, set(0xfb, undefined)))).toBe("E-INT-063 global")
    expect(refusal(withMap(V2, 0, set(0x00, fieldOf(split(V0)[0]!, 0)!)))).toBe("E-INT-063 global")
    expect(refusal(withMap(V0, 0, set(0x00, undefined)))).toBe("E-INT-063 global")
    expect(refusal(withMap(V0, 1, set(0x10, hex("fdffffff"))))).toBe("E-INT-063 input 0")
    expect(refusal(withMap(V0, 2, set(0x03, bigToLe(60_000n, 8))))).toBe("E-INT-063 output 0")
    for (const type of [0x02, 0x04, 0x05])
      expect(refusal(withMap(V2, 0, set(type, undefined)))).toBe("E-INT-063 global")
    for (const type of [0x0e, 0x0f]) expect(refusal(withMap(V2, 1, set(type, undefined)))).toBe("E-INT-063 input 0")
    for (const type of [0x03, 0x04]) expect(refusal(withMap(V2, 2, set(type, undefined)))).toBe("E-INT-063 output 0")
  })
  test("one map too few and one too many", () => {
    expect(code(join(split(V0).slice(0, -1)))).toBe("E-INT-060")
    expect(code(join([...split(V0), []]))).toBe("E-INT-060")
    expect(refusal(withMap(V2, 0, set(0x04, u8(0))))).toBe("E-INT-064 global")
    const [global = [], input = []] = split(V2)
    expect(refusal(join([set(0x05, u8(0))(global), input]))).toBe("E-INT-064 global")
  })
  test("the sequence of version 2 is final where it is absent; the lock time is chosen as BIP-370 has it", () => {
    const lockTime = (...inputs: readonly { readonly time?: number; readonly height?: number }[]): number | string => {
      const [global = [], input = [], ...outputs] = split(V2)
      const maps = inputs.map(({ time, height }, i) => {
        const other = set(0x0e, new Uint8Array(32).fill(i + 1))(input)
        const timed = set(0x11, time === undefined ? undefined : bigToLe(BigInt(time), 4))(other)
        return set(0x12, height === undefined ? undefined : bigToLe(BigInt(height), 4))(timed)
      })
      const fallback = set(0x03, bigToLe(77n, 4))(set(0x04, u8(inputs.length))(global))
      const made = attempt(() => readPsbt(join([fallback, ...maps, ...outputs])))
      return "tx" in made ? made.tx.lockTime : made.code
    }
    const time = 1_700_000_000
    expect(lockTime({})).toBe(77)
    expect(lockTime({ height: 10 }, { height: 20 }, {})).toBe(20)
    expect(lockTime({ time }, { time: time + 1 })).toBe(time + 1)
    expect(lockTime({ height: 10, time }, { time: time + 1 })).toBe(time + 1)
    expect(lockTime({ height: 10, time }, { height: 9, time: time + 1 })).toBe(10)
    expect(lockTime({ height: 10 }, { time })).toBe("E-INT-063")
    expect(lockTime({ height: 500_000_000 })).toBe("E-INT-063")
    expect(lockTime({ height: 0 })).toBe("E-INT-063")
    expect(lockTime({ time: 499_999_999 })).toBe("E-INT-063")
    const made = readPsbt(withMap(V2, 1, set(0x10, undefined)))
    expect(made.tx.inputs[0]?.sequence).toBe(0xffff_ffff)
  })
})

describe("invalid PSBTs of BIP-174 and BIP-371", () => {
  const LIST: readonly (readonly [what: string, code: string, psbt: string])[] = [
    ["no inputs", "E-INT-064", "cHNidP8BACoCAAAAAAFAQg8AAAAAABepFG6Rty1Vk+fUOR4v9E6R6YXDFkHwhwAAAAAAAQEAAQEBagA="],
    [
      "a witness UTXO twice",
      "E-INT-061",
      "cHNidP8BADMBAAAAAREREREREREREREREREREREREfrK3hERERERERERERERfwAAAAD/////AAAAAAAAAQEJ//////////8AAQEJAADK/gAAAAAAAA==",
    ],
    [
      "a sighash type twice",
      "E-INT-061",
      "cHNidP8BADMBAAAAAREREREREREREREREREREREREfrK3hERERERERERERERfwAAAAD/////AAAAAAAAAQMErd7f7gEDBAEAAAAA",
    ],
    [
      "a redeem script twice",
      "E-INT-061",
      "cHNidP8BADMBAAAAAREREREREREREREREREREREREfrK3hERERERERERERERfwAAAAD/////AAAAAAAAAQQAAQQBagA=",
    ],
    [
      "a final scriptSig twice",
      "E-INT-061",
      "cHNidP8BADMBAAAAAREREREREREREREREREREREREfrK3hERERERERERERERfwAAAAD/////AAAAAAAAAQcAAQcBUQA=",
    ],
    [
      "an internal key of 33 bytes",
      "E-INT-062",
      "cHNidP8BAHECAAAAASd0Srq/MCf+DWzyOpbu4u+xiO9SMBlUWFiD5ptmJLJCAAAAAAD/////Anh8AQAAAAAAFgAUg6fjS9mf8DpJYu+KGhAbspVGHs5gawQqAQAAABYAFHrDad8bIOAz1hFmI5V7CsSfPFLoAAAAAAABASsA8gUqAQAAACJRIFosLPW1LPMfg60ujaY/8DGD7Nj2CcdRCuikjgORCgdXARchAv40kGTJjW4qhT+jybEr2LMEoZwZXGDvp+4jkwRtP6IyAAAA",
    ],
    [
      "a Taproot signature of 63 bytes",
      "E-INT-062",
      "cHNidP8BAHECAAAAASd0Srq/MCf+DWzyOpbu4u+xiO9SMBlUWFiD5ptmJLJCAAAAAAD/////Anh8AQAAAAAAFgAUg6fjS9mf8DpJYu+KGhAbspVGHs5gawQqAQAAABYAFHrDad8bIOAz1hFmI5V7CsSfPFLoAAAAAAABASsA8gUqAQAAACJRIFosLPW1LPMfg60ujaY/8DGD7Nj2CcdRCuikjgORCgdXARM/Fzuz02wHSvtxb+xjB6BpouRQuZXzyCeFlFq43w4kJg3NcDsMvzTeOZGEqUgawrNYbbZgHwJqd/fkk4SBvDR1AAAA",
    ],
  ]
  for (const [what, expected, text] of LIST) test(what, () => expect(codeOfText(text)).toBe(expected))
})

describe("transactions", () => {
  const previous = previousWith(new Uint8Array([0x51]), 5n)
  const witnessed = previousWith(new Uint8Array([0x51]), 5n)
  witnessed.setWitness(0, [new Uint8Array(71), new Uint8Array(0)])
  const tryRead = (bytes: Uint8Array, witnesses: "allowed" | "none" = "allowed") =>
    attempt(() => readTransaction({ bytes, offset: 0 }, witnesses, "E-INT-065"))
  const at = (bytes: Uint8Array): string => {
    const made = tryRead(bytes)
    return "code" in made && typeof made.code === "string" ? made.at : "read"
  }

  test("the id is a second implementation's, with witnesses and without", () => {
    for (const tx of [previous, witnessed]) {
      const made = tryRead(copy(tx.toBuffer()))
      if (!("txid" in made)) throw new Error("it reads")
      expect(made.txid).toEqual(copy(tx.getHash()))
      expect(serialized(made)).toEqual(copy(previous.toBuffer()))
    }
  })
  test("is refused: cut anywhere, longer, a witness mark over nothing, another flag, witnesses in an unsigned one", () => {
    const bytes = copy(witnessed.toBuffer())
    for (let length = 0; length < bytes.length; length++) expect(at(bytes.subarray(0, length))).not.toBe("read")
    expect(at(concat(bytes, u8(0)))).toBe(`byte ${bytes.length}`)
    const plain = copy(previous.toBuffer())
    const emptyWitness = concat(plain.subarray(0, 4), hex("0001"), plain.subarray(4, -4), u8(0), plain.subarray(-4))
    expect(at(emptyWitness)).not.toBe("read")
    const otherFlag = copy(bytes)
    otherFlag[5] = 2
    expect(at(otherFlag)).not.toBe("read")
    expect(isProblemLike(tryRead(bytes, "none"))).toBe(true)
  })
  test("amounts above 21 million coins, one by one and together", () => {
    const tx = (...amounts: readonly bigint[]) => {
      const made = new bitcoin.Transaction()
      made.addInput(new Uint8Array(32).fill(1), 0)
      for (const amount of amounts) made.addOutput(new Uint8Array([0x51]), amount)
      return at(copy(made.toBuffer()))
    }
    const all = 2_100_000_000_000_000n
    expect(tx(all)).toBe("read")
    expect(tx(all + 1n)).toBe("byte 47")
    expect(tx((1n << 63n) - 1n)).toBe("byte 47")
    expect(tx(all, 1n)).toBe("byte 0")
  })
  test("the same where version 2 describes them, and in what is spent", () => {
    const paying = (...amounts: readonly bigint[]) =>
      encodeV2(
        planWith(
          [spend(P2WPKH, 1000n)],
          amounts.map((amount) => pay(ALICE, amount)),
        ),
      )
    const all = 2_100_000_000_000_000n
    expect(refusal(withMap(paying(1n), 2, set(0x03, bigToLe(all + 1n, 8))))).toBe("E-INT-064 output 0")
    expect(refusal(paying(all, 1n))).toBe("E-INT-064 global")
    expect(refusal(paying(all))).toBe("E-INT-073 outputs")
    const rich = planWith([spend(P2WPKH, all, {}, 1), spend(P2WPKH, 1n, {}, 2)], [pay(ALICE, 1n)])
    expect(refusalOf(encode(rich), contextFor(rich))).toBe("E-INT-065 inputs")
  })
  test("counts that cannot be true cost nothing; no inputs at all", () => {
    const start = hex("02000000")
    for (const count of ["feffffffff", "fdffff", "ff0000000001000000"]) {
      expect(at(concat(start, hex(count), new Uint8Array(100)))).toBe("byte 4")
    }
    const plain = copy(previous.toBuffer())
    // version, count, one input, then the number of outputs
    expect(at(concat(plain.subarray(0, 46), hex("feffffff7f"), plain.subarray(47)))).toBe("byte 46")
    const output = concat(new Uint8Array(8), u8(0))
    expect(at(concat(start, hex("0002"), output, output, new Uint8Array(4)))).toBe("byte 4")
  })
})

const isProblemLike = (made: object): boolean => "code" in made && "at" in made

test("the unsigned transaction has no scriptSig and spends nothing twice", () => {
  const tx = unsignedOf(PAYMENT)
  const signed = tx.clone()
  signed.ins[0]!.script = new Uint8Array([0x51])
  expect(refusal(withMap(V0, 0, set(0x00, signed.toBuffer())))).toBe("E-INT-064 input 0")
  const twice = tx.clone()
  twice.addInput(tx.ins[0]!.hash, tx.ins[0]!.index)
  const [, input = [], ...outputs] = split(V0)
  expect(refusal(join([[pair(0x00, twice.toBuffer())], input, input, ...outputs]))).toBe("E-INT-064 input 1")
  const reading = read(PAYMENT, encode(PAYMENT))
  expect(isProblem(reading)).toBe(false)
})
