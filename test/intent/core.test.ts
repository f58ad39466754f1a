/** The core of intents: hash, text, JSON, the comparison with the task, the bounded reader, chains and assets. */
import { describe, expect, test } from "bun:test"
import { createHash } from "node:crypto"
import fc from "fast-check"
import { toHex, utf8 } from "../../src/bytes.ts"
import { K1 } from "../../src/crypto/curve.ts"
import { sha256 } from "../../src/crypto/frame.ts"
import { formatDecimal, isUnlimited, parseDecimal } from "../../src/intent/amount.ts"
import { chainOf, defaultChainsOf, isAssetId, isChainId, NATIVE_ASSETS, namespaceOf } from "../../src/intent/caip.ts"
import { bytesFor, check } from "../../src/intent/check.ts"
import { contextOf, offlineContext } from "../../src/intent/context.ts"
import { Cursor } from "../../src/intent/cursor.ts"
import { allowChain, type Context, DEFAULT_SETTINGS, deeper, onlyChain, onlyMessage } from "../../src/intent/decoder.ts"
import { intentHash } from "../../src/intent/hash.ts"
import { boundedLines, effectJson, problemJson, readingJson } from "../../src/intent/json.ts"
import { attempt, excerpt, isPrintable, problem, refuse } from "../../src/intent/problem.ts"
import { read } from "../../src/intent/read.ts"
import type { Effect, Problem, Reading } from "../../src/intent/reading.ts"
import { type Annotations, intentText } from "../../src/intent/text.ts"
import { deriveTweak } from "../../src/keys/derive.ts"
import { ALICE, BOB, EFFECTS, READING, USDC } from "./sample.ts"

const CONTEXT: Context = {
  curve: "secp256k1",
  messages: [],
  derive: () => undefined,
  chains: [],
  settings: DEFAULT_SETTINGS,
}
const hashOf = (reading: Reading, key = "xpub1"): string => toHex(intentHash(reading, key))
const codeOf = (made: unknown): string | undefined =>
  typeof made === "object" && made !== null && "code" in made && typeof made.code === "string" ? made.code : undefined

describe("the hash of a reading", () => {
  test("is stable: records of older versions hold it", () => {
    expect(hashOf(READING)).toMatchInlineSnapshot(`"90ff54126946a3b7b5f553f442ac87c37ee8117f4c4f9b97c41be1b60f0ef73d"`)
  })
  test("is what intents.md 6.1 says, worked out from its text", () => {
    const u32 = (value: number) => Buffer.from(value.toString(16).padStart(8, "0"), "hex")
    const list = (...parts: readonly (string | Uint8Array)[]): Buffer =>
      Buffer.concat([u32(parts.length), ...parts.flatMap((part) => [u32(Buffer.from(part).length), Buffer.from(part)])])
    const hashed = (tag: string, ...fields: readonly (string | Uint8Array)[]): Buffer => {
      const framed = fields.flatMap((field) => [u32(Buffer.from(field).length), Buffer.from(field)])
      const head = [Buffer.from("TSSN1"), Buffer.of(tag.length), Buffer.from(tag), Buffer.of(fields.length)]
      return createHash("sha256")
        .update(Buffer.concat([...head, ...framed]))
        .digest()
    }
    const letter = (value: unknown): Buffer => {
      if (typeof value === "string") return Buffer.from(`s${value}`)
      if (typeof value === "bigint") return Buffer.from(`i${value}`)
      if (value instanceof Uint8Array) return Buffer.concat([Buffer.from("b"), value])
      return Buffer.from(`u${(value as { unresolved: string }).unresolved}`)
    }
    const effects = EFFECTS.map((effect) => {
      const names = Object.keys(effect).sort()
      return hashed("intent/effect", ...names.flatMap((name) => [name, letter(Reflect.get(effect, name))]))
    })
    const [first = READING.signs[0]!, second = READING.signs[1]!] = READING.signs
    const expected = hashed(
      "intent",
      u32(1),
      ...["evm/transaction", "xpub1", "eip155:1", list(ALICE), Buffer.concat(effects)],
      list("2100000000000000", "eip155:1/slip44:60", "false"),
      ...[list("7"), list("100")],
      list(list(list("m/44/60/0/0/0"), list(), first.bytes), list(list("m/44/60/0/0/1"), list("2"), second.bytes)),
    )
    expect(hashOf(READING)).toBe(expected.toString("hex"))
  })
  test("does not depend on the order in which fields were written", () => {
    const [first = EFFECTS[0]!] = EFFECTS
    const turned = Object.fromEntries(Object.entries(first).reverse()) as unknown as Effect
    expect(hashOf({ ...READING, effects: [turned, ...EFFECTS.slice(1)] })).toBe(hashOf(READING))
  })
  test("changes with every field of the reading, and with the key", () => {
    const { nonce: _, ...withoutNonce } = READING
    const { expires: __, ...withoutExpiry } = READING
    const others: readonly Reading[] = [
      { ...READING, format: "evm/message" },
      { ...READING, chain: "eip155:2" },
      { ...READING, from: [BOB] },
      { ...READING, from: [] },
      { ...READING, effects: [...EFFECTS].reverse() },
      { ...READING, effects: EFFECTS.slice(1) },
      { ...READING, fee: { ...READING.fee, max: 1n } },
      { ...READING, fee: { ...READING.fee, asset: USDC } },
      { ...READING, fee: { ...READING.fee, unbounded: true } },
      withoutNonce,
      withoutExpiry,
      { ...withoutNonce, expires: "7" },
      { ...READING, nonce: "8" },
      { ...READING, expires: "8" },
      { ...READING, signs: [...READING.signs].reverse() },
      { ...READING, signs: READING.signs.map((sign) => ({ ...sign, path: [1] })) },
      { ...READING, signs: READING.signs.map((sign) => ({ ...sign, path: undefined })) },
      { ...READING, signs: READING.signs.map((sign) => ({ ...sign, input: 9 })) },
      { ...READING, signs: READING.signs.map((sign) => ({ ...sign, bytes: utf8("x") })) },
    ]
    const hashes = [READING, ...others].map((reading) => hashOf(reading))
    hashes.push(hashOf(READING, "xpub2"))
    expect(new Set(hashes).size).toBe(others.length + 2)
  })
  test("is not of the notes, which are words", () => {
    expect(hashOf({ ...READING, notes: ["change"] })).toBe(hashOf(READING))
  })
  test("changes with every field of every effect, with its type and with its absence", () => {
    const seen = new Set([hashOf(READING)])
    let variants = 1
    for (const [i, effect] of EFFECTS.entries()) {
      for (const name of Object.keys(effect)) {
        for (const value of ["other", 99n, utf8("other"), { unresolved: "other" }, undefined]) {
          const changed = { ...effect, [name]: value } as unknown as Effect
          seen.add(hashOf({ ...READING, effects: EFFECTS.with(i, changed) }))
          variants++
        }
      }
    }
    expect(seen.size).toBe(variants)
  })
})

describe("the comparison with the task", () => {
  const claims = READING.signs.map(({ path = [], input, bytes }) =>
    input === undefined ? { path, hash: bytes } : { path, input, hash: bytes },
  )
  test("passes exactly what the payload asks for, in any order", () => {
    expect(check(READING, claims)).toBeUndefined()
    expect(check(READING, [...claims].reverse())).toBeUndefined()
  })
  test("refuses another hash, another path, another input, one too many, one too few, one twice", () => {
    const [first = claims[0]!, second = claims[1]!] = claims
    const codes = [
      [{ ...first, hash: utf8("digesT") }, second],
      [{ ...first, path: [1] }, second],
      [first, { ...second, input: 1 }],
      [first, second, { path: [3], hash: utf8("x") }],
      [first],
      [first, first, second],
      [],
    ].map((list) => check(READING, list)?.code)
    expect(codes).toEqual(["E-INT-005", ...Array<"E-INT-006">(6).fill("E-INT-006")])
  })
  test("refuses a reading that was made without a key, and one that asks for the same twice", () => {
    const [first = READING.signs[0]!] = READING.signs
    expect(check({ ...READING, signs: [{ ...first, path: undefined }] }, [])?.code).toBe("E-INT-006")
    expect(check({ ...READING, signs: [first, first] }, claims)?.code).toBe("E-INT-006")
  })
  test("fills in hashes that were left out", () => {
    expect(bytesFor(READING, { path: [44, 60, 0, 0, 1], input: 2 })).toEqual(utf8("another"))
    expect(bytesFor(READING, { path: [44, 60, 0, 0, 1] })).toBeUndefined()
  })
})

describe("words", () => {
  test("one line for each effect, addresses whole, amounts by their decimals", () => {
    const annotations: Annotations = {
      asset: (id) => (id === USDC ? { name: "USDC", decimals: 6 } : undefined),
      names: (_, address) => (address === BOB ? ["exchange"] : []),
      call: () => undefined,
    }
    const transfer: Effect = { kind: "transfer", from: ALICE, to: BOB, asset: USDC, amount: 22_588_000_000n }
    expect(intentText({ ...READING, effects: [transfer] }, annotations)).toEqual([
      `transfer 22 588 USDC to ${BOB} (@exchange) on eip155:1, fee at most 0.0021 ETH`,
    ])
    const lines = intentText(READING, annotations)
    expect(lines).toHaveLength(EFFECTS.length)
    expect(lines.join("\n")).toMatchInlineSnapshot(`
      "transfer 22 588 USDC token 7 to 0xd8dA6BF26964aF9D7eEd9e03E53415D37aA96045 (@exchange) on eip155:1, fee at most 0.0021 ETH
      approve unlimited (115792089237316195423570985008687907853269984665640564039457584007913129639935 base units of) USDC to 0xd8dA6BF26964aF9D7eEd9e03E53415D37aA96045 (@exchange), deadline 9 on eip155:1, fee at most 0.0021 ETH
      permit 5 base units of an unresolved asset (entry 3 of a table) to 0xd8dA6BF26964aF9D7eEd9e03E53415D37aA96045 (@exchange) on eip155:1, fee at most 0.0021 ETH
      call 0xd8dA6BF26964aF9D7eEd9e03E53415D37aA96045 (@exchange) with 0xa9059cbb (4 bytes) on eip155:1, fee at most 0.0021 ETH
      run the code of 0xd8dA6BF26964aF9D7eEd9e03E53415D37aA96045 (@exchange) as 0x0f76F604fd7762Bd94B48CA2523F69ab9665c97f with 0xa9059cbb (4 bytes) on eip155:1, fee at most 0.0021 ETH
      delegate unresolved (entry 3 of a table) to the code of 0xd8dA6BF26964aF9D7eEd9e03E53415D37aA96045 (@exchange) for eip155:* at its nonce 3 on eip155:1, fee at most 0.0021 ETH
      deploy 4 bytes of code at 0xd8dA6BF26964aF9D7eEd9e03E53415D37aA96045 (@exchange) on eip155:1, fee at most 0.0021 ETH
      add the owner 0xd8dA6BF26964aF9D7eEd9e03E53415D37aA96045 (@exchange) of 0x0f76F604fd7762Bd94B48CA2523F69ab9665c97f, 2 of them needed on eip155:1, fee at most 0.0021 ETH
      close 0x0f76F604fd7762Bd94B48CA2523F69ab9665c97f in favour of 0xd8dA6BF26964aF9D7eEd9e03E53415D37aA96045 (@exchange) on eip155:1, fee at most 0.0021 ETH
      stake: delegate 0.000003 USDC to 0xd8dA6BF26964aF9D7eEd9e03E53415D37aA96045 (@exchange) on eip155:1, fee at most 0.0021 ETH
      use the durable nonce 0x0f76F604fd7762Bd94B48CA2523F69ab9665c97f of 0xd8dA6BF26964aF9D7eEd9e03E53415D37aA96045 (@exchange): it never expires on eip155:1, fee at most 0.0021 ETH
      memo "for\\nlunch" on eip155:1, fee at most 0.0021 ETH
      sign the message "hello \\u{202e} world" on eip155:1, fee at most 0.0021 ETH
      sign "P" of "D" for 0xd8dA6BF26964aF9D7eEd9e03E53415D37aA96045 (@exchange) on eip155:1, fee at most 0.0021 ETH
      approve the hash 0x68 at 0xd8dA6BF26964aF9D7eEd9e03E53415D37aA96045 (@exchange): 32 bytes on eip155:1, fee at most 0.0021 ETH
      nothing for anybody but 0x0f76F604fd7762Bd94B48CA2523F69ab9665c97f on eip155:1, fee at most 0.0021 ETH"
    `)
  })
  test("no line of a stranger's text begins a line of its own or turns the reading direction", () => {
    expect(intentText(READING).every((line) => !/[\n\r\u202e]/.test(line))).toBe(true)
  })
  test("what people do not see is not printable", () => {
    expect(["hello\nworld", "Grüße, 世界", "a b"].map(isPrintable)).toEqual([true, true, true])
    for (const hidden of ["a\u0000", "a\u202eb", "a\u200bb", "a\u00a0b", "\ud800", "a\u2028b", "a\rb", "\u{e0041}"]) {
      expect(isPrintable(hidden)).toBe(false)
    }
    expect(excerpt(`a\u202e${"b".repeat(100)}`)).toBe(`"a\\u{202e}${"b".repeat(38)}…"`)
  })
})

describe("JSON", () => {
  test("of a reading: amounts are decimal strings, bytes are hex, names are the fields'", () => {
    const json = readingJson(READING, { intentHash: "0xab", text: ["line"] })
    expect(json).toMatchObject({ chain: "eip155:1", from: [ALICE], intent_hash: "0xab", text: ["line"], nonce: "7" })
    expect(json["fee"]).toEqual({ max: "2100000000000000", asset: "eip155:1/slip44:60", unbounded: false })
    expect(json["digests"]).toEqual(READING.signs.map(({ bytes }) => `0x${toHex(bytes)}`))
    expect(EFFECTS.map((effect) => effectJson(effect))[2]).toEqual({
      kind: "permit",
      from: ALICE,
      spender: BOB,
      asset: { unresolved: "entry 3 of a table" },
      amount: "5",
    })
    expect(JSON.parse(JSON.stringify(json))).toEqual(json)
  })
  test("of a problem", () => {
    expect(problemJson(problem("E-INT-002", "data", "0 bytes"))).toEqual({
      error: { code: "E-INT-002", message: "the payload has a size that is not read: 0 bytes", at: "data" },
    })
  })
})

describe("amounts", () => {
  test("go to text and back exactly, up to 2^256", () => {
    fc.assert(
      fc.property(fc.bigInt(0n, (1n << 256n) - 1n), fc.nat({ max: 77 }), (amount, decimals) => {
        expect(parseDecimal(formatDecimal(amount, decimals), decimals)).toBe(amount)
      }),
    )
  })
  test("are decimal numbers and nothing else", () => {
    for (const text of ["-1", "+1", "01", "1.", ".1", "1e3", "0x1", " 1", "1,0", "", "1.0000001"]) {
      expect(parseDecimal(text, 6)).toBeUndefined()
    }
  })
  test("are unlimited where contracts treat them so", () => {
    const ones = (bits: bigint) => (1n << bits) - 1n
    expect([256n, 160n, 128n, 96n].map((bits) => isUnlimited(ones(bits)))).toEqual([true, true, true, true])
    expect([1n << 255n, ones(255n), ones(64n), 10n ** 30n].map(isUnlimited)).toEqual([true, false, false, false])
  })
})

describe("chains and assets", () => {
  test("the ids have the form of CAIP-2 and CAIP-19", () => {
    for (const [chain, { id }] of NATIVE_ASSETS) {
      expect([isChainId(chain), isAssetId(id), chainOf(id), namespaceOf(id)]).toEqual([
        true,
        true,
        chain,
        namespaceOf(chain),
      ])
    }
    expect(isAssetId(USDC)).toBe(true)
    expect(["eip155:1", "eip155:1/erc20", "USDC", ""].map(isAssetId)).toEqual([false, false, false, false])
  })
  test("a path signs for the mainnet of its coin type, or for nothing", () => {
    expect(
      [
        [44, 60, 0, 0, 0],
        [84, 0, 0, 1, 7],
        [44, 501],
        [44, 195],
      ].map(defaultChainsOf),
    ).toEqual([
      ["eip155:1"],
      ["bip122:000000000019d6689c085ae165831e93"],
      ["solana:5eykt4UsFv8P8NJdTREpY1vzqKqZKvdp"],
      ["tron:728126428"],
    ])
    expect([[], [44], [44, 1, 0], [60, 60], [0, 0]].map(defaultChainsOf)).toEqual([[], [], [], [], []])
  })
  test("a chain that the path does not sign for is refused, and so is a choice between two", () => {
    const asked = { path: [1], publicKey: utf8(""), signature: "ECDSA" } as const
    const context = { ...CONTEXT, messages: [asked], chains: ["eip155:1", "solana:a", "solana:b"] }
    expect(codeOf(attempt(() => allowChain(context, "eip155:1", "chainId")))).toBeUndefined()
    expect(codeOf(attempt(() => allowChain(context, "eip155:10", "chainId")))).toBe("E-INT-004")
    expect(codeOf(attempt(() => allowChain({ ...context, chains: [] }, "eip155:1", "chainId")))).toBe("E-INT-004")
    expect(codeOf(attempt(() => onlyChain(context, "solana", "solana:a")))).toBe("E-INT-004")
    expect(codeOf(attempt(() => onlyChain(context, "tron", "tron:a")))).toBe("E-INT-004")
    expect(onlyChain({ ...context, chains: ["solana:b"] }, "solana", "solana:a")).toBe("solana:b")
    expect(onlyChain(CONTEXT, "solana", "solana:a")).toBe("solana:a")
    expect(codeOf(attempt(() => onlyMessage({ ...context, messages: [asked, asked] })))).toBe("E-INT-006")
    expect(codeOf(attempt(() => onlyMessage({ ...context, messages: [{ ...asked, input: 0 }] })))).toBe("E-INT-006")
  })
  test("eight levels are read", () => {
    expect(deeper(7, "x")).toBe(8)
    expect(codeOf(attempt(() => deeper(8, "x")))).toBe("E-INT-009")
  })
})

describe("a context", () => {
  const key = { curve: "secp256k1", publicKey: K1.encodePoint(K1.generator), chainCode: new Uint8Array(32) } as const
  const of = (...paths: readonly number[][]) =>
    contextOf(
      key,
      paths.map((path) => ({ path, signature: "ECDSA" as const })),
      { chainsOf: defaultChainsOf, settings: DEFAULT_SETTINGS },
    )
  test("has each message's key, derived by the node, and the chains that all paths sign for", () => {
    const path = [44, 60, 0, 0, 5]
    const derived = deriveTweak("secp256k1", key.publicKey, key.chainCode, path).publicKey
    const { messages, chains, derive } = of(path, [44, 60, 1])
    expect(messages[0]?.publicKey).toEqual(derived)
    expect(derive(path)).toEqual(derived)
    expect(chains).toEqual(["eip155:1"])
    expect(derive([0x8000_0000])).toBeUndefined()
  })
  test("of paths that share no chain allows none", () => {
    expect(of([44, 60, 0], [44, 195, 0]).chains).toEqual([])
    expect(of([1, 2, 3]).chains).toEqual([])
  })
  test("offline has no messages and every chain", () => {
    const context = offlineContext("secp256k1", DEFAULT_SETTINGS)
    expect(attempt(() => allowChain(context, "eip155:5", "chainId"))).toBeUndefined()
    expect(context.derive([1])).toBeUndefined()
  })
})

describe("reading", () => {
  test("refuses formats outside the list and sizes outside the bounds, without a decoder", async () => {
    const codes = await Promise.all(
      [
        { format: "evm/other", data: utf8("x") },
        { format: "__proto__", data: utf8("x") },
        { format: "evm/message", data: utf8("") },
        { format: "evm/message", data: new Uint8Array(1024 * 1024 + 1) },
      ].map(async (payload) => codeOf(await read(payload, CONTEXT))),
    )
    expect(codes).toEqual(["E-INT-007", "E-INT-007", "E-INT-002", "E-INT-002"])
  })
  test("a cursor never reads past the end and says where it stopped", () => {
    const cursor = new Cursor(Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8), "E-INT-002", 100)
    expect([cursor.u8(), cursor.uintBe(2), cursor.uintLe(2), cursor.bigLe(2)]).toEqual([1, 0x0203, 0x0504, 0x0706n])
    const late = attempt(() => cursor.end()) as Problem
    const short = attempt(() => cursor.take(2)) as unknown as Problem
    expect([late.at, short.at, cursor.left, [...cursor.take(1)], cursor.left]).toEqual([
      "byte 107",
      "byte 107",
      1,
      [8],
      0,
    ])
    expect(codeOf(attempt(() => cursor.peek()))).toBe("E-INT-002")
    expect(attempt(() => cursor.end())).toBeUndefined()
  })
  test("only what a decoder refuses becomes a value", () => {
    expect(codeOf(attempt(() => refuse("E-INT-003", "x", "y")))).toBe("E-INT-003")
    expect(() =>
      attempt(() => {
        throw new TypeError("bug")
      }),
    ).toThrow(TypeError)
  })
})

describe("JSON within bounds", () => {
  const bounds = { field: 8, effects: 400, text: 30 }
  const transfers = Array.from({ length: 10 }, (_, i) => ({
    kind: "transfer" as const,
    from: "a",
    to: `to${i}`,
    asset: "c/e:1",
    amount: BigInt(i),
  }))
  const json = (reading: Reading, text: readonly string[] = []) =>
    readingJson(reading, { intentHash: undefined, text }, bounds)
  test("effects that are left out are one effect of a kind that no rule knows, with their number", () => {
    const { effects } = json({ ...READING, effects: transfers })
    const list: readonly unknown[] = Array.isArray(effects) ? effects : []
    expect(list.length).toBeLessThan(transfers.length)
    expect(list.slice(0, -1)).toEqual(transfers.slice(0, list.length - 1).map((effect) => effectJson(effect)))
    expect(list.at(-1)).toEqual({ kind: "left_out", effects: String(transfers.length - list.length + 1) })
    expect(json({ ...READING, effects: transfers.slice(0, 2) })["effects"]).toHaveLength(2)
  })
  test("a long field says what it was", () => {
    const call = (data: Uint8Array<ArrayBuffer>): Effect => ({
      kind: "call",
      from: "a",
      to: "b",
      selector: "0x",
      data,
      value: 0n,
    })
    expect(effectJson(call(new Uint8Array(8).fill(1)), bounds)["data"]).toBe(`0x${"01".repeat(8)}`)
    expect(effectJson(call(new Uint8Array(9).fill(1)), bounds)["data"]).toEqual({
      cut: `0x${"01".repeat(8)}`,
      bytes: "9",
      sha256: toHex(sha256(new Uint8Array(9).fill(1))),
    })
    expect(effectJson({ kind: "message", from: "a", text: "123456789" }, bounds)["text"]).toEqual({
      cut: "12345678",
      characters: "9",
    })
  })
  test("lines that are left out are counted in the last one", () => {
    const lines = ["one", "two", "x".repeat(30), "four"]
    expect(json(READING, lines)["text"]).toEqual(["one", "two", "2 lines more are left out"])
    expect(boundedLines(lines, 1000, 3)).toEqual([...lines.slice(0, 3), "1 lines more are left out"])
    expect(boundedLines(lines, 1000, 4)).toEqual(lines)
  })
  test("without bounds nothing is left out", () => {
    const whole = readingJson({ ...READING, effects: transfers }, { intentHash: undefined, text: [] })
    expect(whole["effects"]).toEqual(transfers.map((effect) => effectJson(effect)))
  })
})
