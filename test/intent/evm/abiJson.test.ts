/** ABIs of contracts: read as viem reads them, refused with their place where they are malformed, and calls with their names. */
import { expect, test } from "bun:test"
import fc from "fast-check"
import { decodeFunctionData, encodeFunctionData, getAddress, toFunctionSelector, type Abi as ViemAbi } from "viem"
import { fromHex, utf8 } from "../../../src/bytes.ts"
import { isAbiProblem, readAbi } from "../../../src/intent/evm/abiJson.ts"
import { callText } from "../../../src/intent/evm/callText.ts"
import { addressesIn, argumentsAt, isUnread, type NamedValue, namedCall } from "../../../src/intent/evm/namedCall.ts"
import { arbitraryAddress, arbitraryHex, hexOf } from "./arbitrary.ts"

const json = (value: unknown) => utf8(JSON.stringify(value))
function abiOf(value: unknown) {
  const read = readAbi(json(value))
  if (isAbiProblem(read)) throw new Error(JSON.stringify(read))
  return read
}
const bytesOf = (hex: string) => fromHex(hex.slice(2)) ?? new Uint8Array()
const fn = (name: string, ...inputs: readonly object[]) => ({ type: "function", name, inputs, outputs: [] })

const ROUTER = [
  fn("exactInput", {
    name: "params",
    type: "tuple",
    components: [
      { name: "path", type: "bytes" },
      { name: "recipient", type: "address" },
      { name: "amountIn", type: "uint256" },
    ],
  }),
  { type: "event", name: "Swap", inputs: [] },
  { name: "old", inputs: [{ type: "uint8" }, { name: "", type: "bool[2][]" }], constant: false },
]
const TO = "0x0f76F604fd7762Bd94B48CA2523F69ab9665c97f"

test("functions alone are kept, by selector, a name for every parameter", () => {
  const abi = abiOf(ROUTER)
  expect([...abi].map(([selector, { text }]) => [selector, text])).toEqual([
    [toFunctionSelector("exactInput((bytes,address,uint256))"), "exactInput((bytes,address,uint256))"],
    [toFunctionSelector("old(uint8,bool[2][])"), "old(uint8,bool[2][])"],
  ])
  expect([...abi.values()].map(({ parameters }) => parameters.map(({ name }) => name))).toEqual([
    ["params"],
    ["0", "1"],
  ])
  expect(abiOf({ contractName: "Router", abi: ROUTER, bytecode: "0x00", linkReferences: {} })).toEqual(abi)
})

test("a call has its arguments by name, in words and by path", () => {
  const abi = abiOf(ROUTER)
  const data = bytesOf(
    encodeFunctionData({
      abi: ROUTER.slice(0, 1) as ViemAbi,
      args: [{ path: "0x1234", recipient: TO, amountIn: 5n }],
    }),
  )
  const call = namedCall(abi, data)
  if (isUnread(call)) throw new Error(call.unread)
  expect(callText(call, hexOf)).toBe(`exactInput(params: (path: 0x1234, recipient: ${TO.toLowerCase()}, amountIn: 5))`)
  expect(argumentsAt(call, ["params", "amountIn"])).toEqual([{ kind: "integer", value: 5n }])
  expect(argumentsAt(call, ["params", "amount"])).toEqual([])
  expect(argumentsAt(call, ["recipient"])).toEqual([])
  expect(addressesIn(call).map(hexOf)).toEqual([TO.toLowerCase() as `0x${string}`])
  // one byte more, one bit of padding, a function that is not in it
  expect(namedCall(abi, new Uint8Array([...data, 0]))).toMatchObject({
    unread: expect.stringContaining("after its arg"),
  })
  const padded = data.slice()
  padded[padded.length - 1] = 1
  expect(namedCall(abi, padded)).toMatchObject({ unread: expect.stringContaining("padding is not zero") })
  expect(namedCall(abi, utf8("none"))).toEqual({ unread: "its ABI has no function 0x6e6f6e65" })
  expect(namedCall(abi, data.subarray(0, 3))).toHaveProperty("unread")
  expect(namedCall(abi, new Uint8Array())).toHaveProperty("unread")
})

test("words: what is cut says so, text of a stranger is escaped, an address is never cut", () => {
  const inputs = [
    { name: "list", type: "address[]" },
    { name: "text", type: "string" },
    { name: "data", type: "bytes" },
  ]
  const abi = abiOf([fn("f", ...inputs)])
  const list = Array.from({ length: 100 }, () => TO)
  const written = (args: readonly unknown[]) => {
    const call = namedCall(abi, bytesOf(encodeFunctionData({ abi: [fn("f", ...inputs)] as unknown as ViemAbi, args })))
    return isUnread(call) ? call.unread : callText(call, (bytes) => getAddress(hexOf(bytes)))
  }
  const long = written([list, "x", "0x"])
  expect(long).toEndWith("…], …) and 78 values more")
  expect(long.split(TO)).toHaveLength(25)
  expect(written([[], "a\n) \u202e", `0x${"ab".repeat(100)}`])).toBe(
    `f(list: [], text: "a\\n) \\u{202e}", data: 0x${"ab".repeat(64)}… (100 bytes))`,
  )
  expect(written([[], "y".repeat(300), "0x"])).toContain("… (300 characters)")
})

test("more than 4 096 values are unread", () => {
  const item = fn("f", { name: "list", type: "uint256[]" })
  const args = (count: number) => [Array.from({ length: count }, () => 1n)]
  const read = (count: number) =>
    namedCall(abiOf([item]), bytesOf(encodeFunctionData({ abi: [item] as unknown as ViemAbi, args: args(count) })))
  expect(read(4095)).toHaveProperty("arguments")
  expect(read(4096)).toMatchObject({ unread: expect.stringContaining("more than 4096 arguments") })
})

test.each<[string, string, number, number, string]>([
  ["no JSON", "[", 1, 2, "no value"],
  ["a member twice", '[{"type":"function",\n "name":"f","name":"g","inputs":[]}]', 2, 19, "stands twice"],
  ["bytes after the end", "[]x", 1, 3, "after its end"],
  ["neither list nor artifact", "{}", 1, 1, "no abi"],
  ["a word", "3", 1, 1, "no list"],
  ["nothing to call", "[]", 1, 1, "no function"],
  ["an entry of another type", '[{"type":"functoin","name":"f","inputs":[]}]', 1, 10, "is no type of an ABI's entry"],
  ["a function without name", '[{"type":"function","inputs":[]}]', 1, 2, "no name"],
  ["a name that is none", '[{"name":"f(","inputs":[]}]', 1, 10, "no name of a function"],
  ["an entry that is no object", '[3,{"name":"f","inputs":[]}]', 1, 2, "an entry of an ABI is an object"],
  [
    "a parameter's name that is none",
    '[{"name":"f","inputs":[{"name":"a.b","type":"bool"}]}]',
    1,
    32,
    "no name of a parameter",
  ],
  ["no inputs", '[{"name":"f"}]', 1, 2, "no inputs"],
  ["an alias", '[{"name":"f","inputs":[{"name":"a","type":"uint"}]}]', 1, 43, '"uint" is no type'],
  ["a width that is none", '[{"name":"f","inputs":[{"name":"a","type":"uint9"}]}]', 1, 43, '"uint9" is no type'],
  ["a type that is not read", '[{"name":"f","inputs":[{"name":"a","type":"function"}]}]', 1, 43, "no type"],
  ["a list of none", '[{"name":"f","inputs":[{"name":"a","type":"bool[0]"}]}]', 1, 43, "no list"],
  ["a list that does not end", '[{"name":"f","inputs":[{"name":"a","type":"bool[2"}]}]', 1, 43, "no list"],
  ["nine brackets", `[{"name":"f","inputs":[{"name":"a","type":"bool${"[]".repeat(9)}"}]}]`, 1, 43, "no list"],
  ["a tuple without components", '[{"name":"f","inputs":[{"name":"a","type":"tuple"}]}]', 1, 24, "no components"],
  ["an empty tuple", '[{"name":"f","inputs":[{"name":"a","type":"tuple","components":[]}]}]', 1, 24, "no components"],
  ["components of no tuple", '[{"name":"f","inputs":[{"type":"bool","components":[]}]}]', 1, 24, "only a tuple"],
  [
    "two of one name",
    '[{"name":"f","inputs":[{"name":"a","type":"bool"},{"name":"a","type":"bool"}]}]',
    1,
    51,
    "are called a",
  ],
  ["larger than payloads", '[{"name":"f","inputs":[{"type":"bool[99999]"}]}]', 1, 2, "larger than any payload"],
  ["larger inside lists", '[{"name":"f","inputs":[{"type":"bool[99999][99999][]"}]}]', 1, 2, "larger than any payload"],
  ["a function twice", '[{"name":"f","inputs":[]},\n{"name":"f","inputs":[]}]', 2, 1, "f() stands twice"],
  [
    "two functions of one selector",
    '[{"name":"burn","inputs":[{"type":"uint256"}]},{"name":"collate_propagate_storage","inputs":[{"type":"bytes16"}]}]',
    1,
    48,
    "have the same selector 0x42966c68",
  ],
])("%s is refused where it stands", (_, text, line, column, why) => {
  expect(readAbi(utf8(text))).toEqual({ line, column, why: expect.stringContaining(why) })
})

test("more than 4 096 functions are refused", () => {
  const many = (count: number) => json(Array.from({ length: count }, (_, i) => ({ name: `f${i}`, inputs: [] })))
  expect(readAbi(many(4096))).toHaveProperty("size", 4096)
  expect(readAbi(many(4097))).toMatchObject({ why: expect.stringContaining("more than 4096 functions") })
})

test("a text that is no UTF-8 is its bytes, and a byte order mark is part of the text", () => {
  const item = fn("f", { name: "text", type: "bytes" })
  const abi = abiOf([{ ...item, inputs: [{ name: "text", type: "string" }] }])
  const read = (hex: `0x${string}`) => {
    const data = bytesOf(encodeFunctionData({ abi: [item] as unknown as ViemAbi, args: [hex] }))
    // Encoded alike; only the selector is another.
    data.set(bytesOf(toFunctionSelector("f(string)")))
    const call = namedCall(abi, data)
    return isUnread(call) ? call.unread : call.arguments[0]?.value
  }
  expect(read("0xff61")).toEqual({ kind: "word", text: "0xff61" })
  expect(read("0xefbbbf61")).toEqual({ kind: "text", text: "\ufeffa" })
})

test("bytes that are no UTF-8 are refused", () => {
  expect(readAbi(new Uint8Array([0xff, 0xfe]))).toMatchObject({ line: 1, why: expect.stringContaining("UTF-8") })
})

// ---- against viem -------------------------------------------------------------------------------------------------------

type Typed = { readonly type: string; readonly components?: readonly object[]; readonly value: fc.Arbitrary<unknown> }

const leaf: fc.Arbitrary<Typed> = fc.oneof(
  fc.constant<Typed>({ type: "address", value: arbitraryAddress.map((hex) => getAddress(hex)) }),
  fc.constant<Typed>({ type: "bool", value: fc.boolean() }),
  fc.constant<Typed>({ type: "uint256", value: fc.bigInt(0n, 2n ** 256n - 1n) }),
  fc.constant<Typed>({ type: "int72", value: fc.bigInt(-(2n ** 71n), 2n ** 71n - 1n) }),
  fc.constant<Typed>({ type: "bytes", value: arbitraryHex(0, 70) }),
  fc.constant<Typed>({ type: "bytes5", value: arbitraryHex(5) }),
  fc.constant<Typed>({ type: "string", value: fc.string({ unit: "grapheme", maxLength: 40 }) }),
)

const typed = fc.letrec<{ any: Typed }>((tie) => ({
  any: fc.oneof(
    { depthSize: "small", withCrossShrink: true },
    leaf,
    fc.array(tie("any"), { minLength: 1, maxLength: 3 }).map(
      (items): Typed => ({
        type: "tuple",
        components: items.map(({ value: _, ...rest }, i) => ({ ...rest, name: `n${i}` })),
        value: fc
          .tuple(...items.map(({ value }) => value))
          .map((values) => Object.fromEntries(values.map((value, i) => [`n${i}`, value]))),
      }),
    ),
    tie("any").map(
      ({ type, value, ...rest }): Typed => ({ ...rest, type: `${type}[]`, value: fc.array(value, { maxLength: 3 }) }),
    ),
    tie("any").map(
      ({ type, value, ...rest }): Typed => ({
        ...rest,
        type: `${type}[2]`,
        value: fc.array(value, { minLength: 2, maxLength: 2 }),
      }),
    ),
  ),
})).any

/** A value as viem has it. */
function plain(value: NamedValue): unknown {
  switch (value.kind) {
    case "address":
      return getAddress(hexOf(value.bytes))
    case "integer":
      return value.value
    case "word":
      return value.text === "true" || value.text === "false" ? value.text === "true" : value.text
    case "text":
      return value.text
    case "list":
      return value.items.map(plain)
    case "tuple":
      return Object.fromEntries(value.fields.map((field) => [field.name, plain(field.value)]))
  }
}

test("random functions: names and values as viem has them; a changed byte is unread or reads otherwise", () => {
  fc.assert(
    fc.property(
      fc.array(typed, { maxLength: 4 }).chain((types) => {
        const inputs = types.map(({ value: _, ...rest }, i) => ({ ...rest, name: `p${i}` }))
        return fc.record({
          inputs: fc.constant(inputs),
          args: fc.tuple(...types.map(({ value }) => value)),
          place: fc.nat(),
          flip: fc.integer({ min: 1, max: 255 }),
        })
      }),
      ({ inputs, args, place, flip }) => {
        const list = [fn("f", ...inputs)] as unknown as ViemAbi
        const data = bytesOf(encodeFunctionData({ abi: list, functionName: "f", args: [...args] }))
        const abi = abiOf(list)
        const call = namedCall(abi, data)
        if (isUnread(call)) throw new Error(call.unread)
        const theirs: readonly unknown[] = decodeFunctionData({ abi: list, data: hexOf(data) }).args ?? []
        expect(call.arguments.map(({ name, value }) => [name, plain(value)])).toEqual(
          inputs.map(({ name }, i) => [name, numbersAsBig(theirs[i])]),
        )
        const changed = data.slice()
        const at = place % data.length
        changed[at] = (changed[at] ?? 0) ^ flip
        expect(namedCall(abi, changed)).not.toEqual(call)
      },
    ),
    { numRuns: process.env["COSIGNER_LONG"] === "1" ? 100_000 : 1_000 },
  )
}, 600_000)

/** viem has small integers as numbers. */
function numbersAsBig(value: unknown): unknown {
  if (typeof value === "number") return BigInt(value)
  if (Array.isArray(value)) return value.map(numbersAsBig)
  if (typeof value !== "object" || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, numbersAsBig(inner)]))
}
