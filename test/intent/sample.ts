/** A reading with every optional field, and one effect of every kind: what hash, text and JSON are tested with. */
import { utf8 } from "../../src/bytes.ts"
import type { Effect, Reading } from "../../src/intent/reading.ts"

export const ALICE = "0x0f76F604fd7762Bd94B48CA2523F69ab9665c97f"
export const BOB = "0xd8dA6BF26964aF9D7eEd9e03E53415D37aA96045"
export const USDC = "eip155:1/erc20:0xa0b86991c6218b36c1d19d4a2e9eb0ce3606eb48"
const NOBODY = { unresolved: "entry 3 of a table" }

export const EFFECTS: readonly Effect[] = [
  { kind: "transfer", from: ALICE, to: BOB, asset: USDC, amount: 22_588_000_000n, tokenId: 7n, program: BOB },
  { kind: "approve", from: ALICE, spender: BOB, asset: USDC, amount: (1n << 256n) - 1n, tokenId: 1n, deadline: 9n },
  { kind: "permit", from: ALICE, spender: BOB, asset: NOBODY, amount: 5n },
  { kind: "call", from: ALICE, to: BOB, selector: "0xa9059cbb", data: utf8("data"), value: 3n },
  { kind: "delegatecall", from: ALICE, to: BOB, selector: "0xa9059cbb", data: utf8("data") },
  { kind: "delegate_7702", from: NOBODY, delegate: BOB, chain: "eip155:*", nonce: 3n },
  { kind: "deploy", from: ALICE, to: BOB, data: utf8("code"), value: 0n },
  { kind: "set_authority", from: ALICE, role: "owner", action: "add", authority: BOB, threshold: 2n },
  { kind: "close_account", from: ALICE, to: BOB },
  { kind: "stake", from: ALICE, action: "delegate", to: BOB, asset: USDC, amount: 3n },
  { kind: "nonce", from: ALICE, authority: BOB },
  { kind: "memo", data: utf8("for\nlunch") },
  { kind: "message", from: ALICE, text: "hello \u202e world" },
  { kind: "typed_data", from: ALICE, to: BOB, domain: "D", primaryType: "P", encodeType: "P()", hash: utf8("h") },
  { kind: "opaque_hash", from: ALICE, to: BOB, hash: utf8("h"), reason: "32 bytes" },
  { kind: "self", from: ALICE },
]

export const READING: Reading = {
  format: "evm/transaction",
  chain: "eip155:1",
  from: [ALICE],
  effects: EFFECTS,
  fee: { max: 2_100_000_000_000_000n, asset: "eip155:1/slip44:60", unbounded: false },
  nonce: "7",
  expires: "100",
  signs: [
    { path: [44, 60, 0, 0, 0], bytes: utf8("digest") },
    { path: [44, 60, 0, 0, 1], input: 2, bytes: utf8("another") },
  ],
}
