/** Scripts: addresses on every network as a second implementation spells them, what has none, what OP_RETURN carries. */
import { describe, expect, test } from "bun:test"
import fc from "fast-check"
import { concat, copy, fromHex, toHex, u8 } from "../../../src/bytes.ts"
import { NETWORKS, type Network } from "../../../src/intent/bitcoin/network.ts"
import { carriedData, destinationOf, ownership, templateOf } from "../../../src/intent/bitcoin/scripts.ts"
import { Dice } from "./plans.ts"
import { addressOf, CHAINS, type ChainName, KINDS, keyAt, MERKLE_ROOT, scriptOf } from "./wallet.ts"

const hex = (text: string) => fromHex(text) ?? new Uint8Array(0)
const NAMES = Object.keys(CHAINS) as ChainName[]
const network = (name: ChainName): Network => NETWORKS.get(CHAINS[name])!

describe("addresses", () => {
  test("of every template on every network are bitcoinjs-lib's", () => {
    fc.assert(
      fc.property(fc.nat(), (seed) => {
        const dice = new Dice(seed)
        const scripts = [
          concat(hex("76a914"), dice.bytes(20), hex("88ac")),
          concat(hex("a914"), dice.bytes(20), hex("87")),
          concat(hex("0014"), dice.bytes(20)),
          concat(hex("0020"), dice.bytes(32)),
          scriptOf({ kind: "p2tr", path: [dice.roll(30)] }),
        ]
        for (const name of NAMES) {
          for (const script of scripts) expect(destinationOf(script, network(name))).toBe(addressOf(script, name))
        }
      }),
      { numRuns: 30 },
    )
  })
  test("of witness versions to come: BIP-350's vectors", () => {
    const cases: readonly (readonly [script: string, address: string])[] = [
      ["6002751e", "bc1sw50qgdz25j"],
      ["5210751e76e8199196d454941c45d1b3a323", "bc1zw508d6qejxtdg4y5r3zarvaryvaxxpcs"],
      [
        "5128751e76e8199196d454941c45d1b3a323f1433bd6751e76e8199196d454941c45d1b3a323f1433bd6",
        "bc1pw508d6qejxtdg4y5r3zarvary0c5xw7kw508d6qejxtdg4y5r3zarvary0c5xw7kt5nd6y",
      ],
    ]
    for (const [script, address] of cases) expect(destinationOf(hex(script), network("mainnet"))).toBe(address)
  })
  test("BIP-86's first address", () => {
    const key = hex("03cc8a4bc64d897bddc5fbc2f670f7a8ba0b386779106cf1223c6fc5d7cd6fc115")
    const script = hex("5120a60869f0dbcf1dc659c9cecbaf8050135ea9e8cdc487053f1dc6880949dc684c")
    expect(ownership(key, script)).toBe("p2tr")
    expect(destinationOf(script, network("mainnet"))).toBe(
      "bc1p5cyxnuxmeuwuvkwfem96lqzszd02n6xdcjrs20cac6yqjjwudpxqkedrcr",
    )
  })
  test("what has none is its script, and the hash of a long one", () => {
    const none = [
      "",
      "51",
      "6a",
      "0015".padEnd(46, "1"),
      "0014".padEnd(42, "1"),
      "76a914".padEnd(50, "1"),
      "a914".padEnd(46, "1"),
    ]
    for (const script of none) expect(destinationOf(hex(script), network("mainnet"))).toBe(`script:${script}`)
    // OP_1 with a push of 41 bytes, of 1 byte, and with something behind it
    for (const script of ["5129".padEnd(86, "1"), "510111", "51020000ac"]) {
      expect(templateOf(hex(script)).kind).toBe("other")
    }
    expect(destinationOf(new Uint8Array(257), network("mainnet"))).toMatch(/^script-sha256:[0-9a-f]{64}$/)
    expect(destinationOf(new Uint8Array(256), network("mainnet"))).toBe(`script:${"00".repeat(256)}`)
  })
})

test("OP_RETURN: the data of a lone push, all that follows else", () => {
  const cases: readonly (readonly [script: string, data: string])[] = [
    ["6a", ""],
    ["6a00", ""],
    ["6a0161", "61"],
    ["6a4c0161", "61"],
    ["6a4d010061", "61"],
    ["6a01610162", "01610162"],
    ["6a0261", "0261"],
    ["6a4e0100000061", "4e0100000061"],
    ["6a51", "51"],
    ["6aff", "ff"],
  ]
  for (const [script, data] of cases) expect(toHex(carriedData(hex(script)))).toBe(data)
})

describe("ownership", () => {
  const path = [1, 2, 3]
  test("each kind of script is owned by its key as that kind, and by no other key", () => {
    for (const kind of KINDS) {
      const script = scriptOf({ kind, path })
      expect(ownership(keyAt(path), script, MERKLE_ROOT)).toBe(kind)
      expect(ownership(keyAt([1, 2, 4]), script, MERKLE_ROOT)).toBeUndefined()
    }
  })
  test("a tree of scripts that is not named is not owned", () => {
    expect(ownership(keyAt(path), scriptOf({ kind: "p2tr-tree", path }))).toBeUndefined()
    expect(ownership(keyAt(path), scriptOf({ kind: "p2tr-tree", path }), new Uint8Array(32))).toBeUndefined()
  })
  test("one bit of a script decides", () => {
    for (const kind of KINDS) {
      const script = scriptOf({ kind, path })
      for (let at = 0; at < script.length; at++) {
        const changed = copy(script)
        changed[at] = changed[at]! ^ 1
        expect(ownership(keyAt(path), changed, MERKLE_ROOT)).toBeUndefined()
        expect(ownership(keyAt(path), concat(script, u8(0)), MERKLE_ROOT)).toBeUndefined()
      }
    }
  })
})
