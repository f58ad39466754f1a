/** EIP-712 documents: random ones, their JSON, and the digest that viem works out. */
import fc from "fast-check"
import { hashTypedData, maxUint256 } from "viem"
import { arbitraryAddress, arbitraryHex } from "./arbitrary.ts"

const TOKEN = "0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48"

export const DOMAIN = [
  { name: "name", type: "string" },
  { name: "version", type: "string" },
  { name: "chainId", type: "uint256" },
  { name: "verifyingContract", type: "address" },
] as const

export interface Document {
  readonly types: Readonly<Record<string, readonly { readonly name: string; readonly type: string }[]>>
  readonly primaryType: string
  readonly domain: Readonly<Record<string, unknown>>
  readonly message: Readonly<Record<string, unknown>>
}

export const json = (value: unknown): string =>
  JSON.stringify(value, (_, one: unknown) => (typeof one === "bigint" ? one.toString() : one))

export const viemDigest = (document: Document): string =>
  hashTypedData(document as unknown as Parameters<typeof hashTypedData>[0])

/** A random graph: each struct may use those after it. */
const atoms: Readonly<Record<string, fc.Arbitrary<unknown>>> = {
  address: arbitraryAddress,
  bool: fc.boolean(),
  string: fc.string({ unit: "grapheme", maxLength: 20 }),
  bytes: arbitraryHex(0, 70),
  bytes32: arbitraryHex(32),
  bytes1: arbitraryHex(1),
  uint256: fc.bigInt(0n, maxUint256),
  uint8: fc.nat(255),
  int256: fc.bigInt(-(2n ** 255n), 2n ** 255n - 1n),
  int16: fc.integer({ min: -32768, max: 32767 }),
}
const lists = (base: string, value: fc.Arbitrary<unknown>): readonly [string, fc.Arbitrary<unknown>][] => [
  [base, value],
  [`${base}[]`, fc.array(value, { maxLength: 3 })],
  [`${base}[2]`, fc.array(value, { minLength: 2, maxLength: 2 })],
  [`${base}[][2]`, fc.array(fc.array(value, { maxLength: 2 }), { minLength: 2, maxLength: 2 })],
]
const struct = (inner: readonly [string, fc.Arbitrary<unknown>][]) =>
  fc.shuffledSubarray([...inner], { minLength: 1, maxLength: 6 }).chain((chosen) =>
    fc.record({
      members: fc.constant(chosen.map(([type], i) => ({ name: `m${i}`, type }))),
      value: fc.record(Object.fromEntries(chosen.map(([, value], i) => [`m${i}`, value]))),
    }),
  )
const elementary = Object.entries(atoms).flatMap(([name, value]) => [...lists(name, value)])
export const arbitraryDocument: fc.Arbitrary<Document> = struct(elementary).chain((leaf) =>
  struct([...elementary, ...lists("Leaf", fc.constant(leaf.value))]).map((root): Document => {
    const uses = root.members.some(({ type }) => type.startsWith("Leaf"))
    return {
      types: { EIP712Domain: DOMAIN, Root: root.members, ...(uses ? { Leaf: leaf.members } : {}) },
      primaryType: "Root",
      domain: { name: "Ä", version: "1", chainId: 1, verifyingContract: TOKEN },
      message: root.value as Record<string, unknown>,
    }
  }),
)
