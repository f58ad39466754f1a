/** Which accounts of a reading a node knows: its own key's, by deriving them, and the owners of associated token accounts. */
import { expect, test } from "bun:test"
import { curveNamed } from "../../src/crypto/curve.ts"
import { SOLANA } from "../../src/intent/caip.ts"
import type { Effect, Reading } from "../../src/intent/reading.ts"
import { associatedTokenAddress } from "../../src/intent/solana/pda.ts"
import { ethereumAddress, solanaAddress } from "../../src/keys/addresses.ts"
import { deriveTweak } from "../../src/keys/derive.ts"
import { NO_INTENT_TABLE } from "../../src/policy/intentTable.ts"
import { type Names, NO_NAMES, namesIn } from "../../src/policy/names.ts"
import { parsePathPattern } from "../../src/policy/pathPattern.ts"
import { accountsIn, TRIED } from "../../src/tasks/accounts.ts"
import { READING } from "../intent/sample.ts"

const CHAIN_CODE = new Uint8Array(32).fill(5)
const keyAt = (curve: "secp256k1" | "ed25519") => {
  const group = curveNamed(curve)
  const root = group.encodePoint(group.multiplyBase(7n))
  return (path: readonly number[]) => deriveTweak(curve, root, CHAIN_CODE, path).publicKey
}
const k1 = keyAt("secp256k1")
const ed = keyAt("ed25519")
const PATH = [44, 60, 0, 0, 3]
const evm = (...effects: readonly Effect[]): Reading => ({ ...READING, effects })
const paid = (to: string): Effect => ({ kind: "transfer", from: "0x1", to, asset: "eip155:1/slip44:60", amount: 1n })
const knownIn = (reading: Reading, names: Names = NO_NAMES) =>
  Object.fromEntries(accountsIn(reading, { paths: [PATH], derive: k1, rootKey: "k1", names }))

const named = (path: string, chain = "eip155:1"): Names => {
  const pattern = parsePathPattern(path)
  if (pattern === undefined) throw new Error("a pattern")
  return namesIn({ ...NO_INTENT_TABLE, addresses: [{ name: "own", chain, path: pattern }] })
}

test("the signing address, its neighbours and nobody else are this key's own", () => {
  const own = ethereumAddress(k1(PATH))
  const neighbour = ethereumAddress(k1([44, 60, 0, 0, TRIED - 1]))
  const beyond = ethereumAddress(k1([44, 60, 0, 0, TRIED]))
  const elsewhere = ethereumAddress(k1([44, 60, 0, 1, 3]))
  const stranger = `0x${"11".repeat(20)}`
  const reading = evm(...[own, neighbour, beyond, elsewhere, stranger].map(paid))
  expect(knownIn(reading)).toEqual({
    [own]: { ownPath: PATH },
    [neighbour]: { ownPath: [44, 60, 0, 0, TRIED - 1] },
  })
})

test("a configured pattern is tried too, on its own chain, from its first index on", () => {
  const at = (index: number) => ethereumAddress(k1([44, 60, 9, 0, index]))
  const reading = evm(...[500, 501, 500 + TRIED].map((index) => paid(at(index))))
  expect(knownIn(reading, named("m/44/60/9/0/500-900"))).toEqual({
    [at(500)]: { ownPath: [44, 60, 9, 0, 500] },
    [at(501)]: { ownPath: [44, 60, 9, 0, 501] },
  })
  expect(knownIn(reading, named("m/44/60/9/0/500-900", "eip155:137"))).toEqual({})
})

test("an address in another spelling is the same account, under the reading's own", () => {
  const lower = ethereumAddress(k1(PATH)).toLowerCase()
  expect(knownIn(evm(paid(lower)))).toEqual({ [lower]: { ownPath: PATH } })
})

test("spenders, delegates and authorities count, unresolved accounts do not", () => {
  const own = ethereumAddress(k1(PATH))
  const approve: Effect = { kind: "approve", from: "0x1", spender: own, asset: "eip155:1/slip44:60", amount: 1n }
  expect(knownIn(evm(approve))).toEqual({ [own]: { ownPath: PATH } })
  const unresolved: Effect = { kind: "close_account", from: own, to: { unresolved: "entry 1" } }
  expect(knownIn(evm(unresolved))).toEqual({ [own]: { ownPath: PATH } })
})

test("a Bitcoin reading says itself what is its own", () => {
  expect(knownIn({ ...evm(paid("bc1q")), chain: "bip122:000000000019d6689c085ae165831e93" })).toEqual({})
})

test("whose an associated token account is: a configured address's, this key's, or nobody's that is known", () => {
  const path = [44, 501, 0, 0]
  const mint = "EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v"
  const program = "TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA"
  const exchange = solanaAddress(ed([1]))
  const stranger = solanaAddress(ed([2]))
  const own = solanaAddress(ed(path))
  const account = (owner: string) => associatedTokenAddress(owner, mint, program) ?? ""
  const effects = [exchange, stranger, own].map(
    (owner): Effect => ({
      kind: "transfer",
      from: own,
      to: account(owner),
      asset: `${SOLANA}/token:${mint}`,
      amount: 1n,
      program,
    }),
  )
  const names = namesIn({ ...NO_INTENT_TABLE, addresses: [{ name: "exchange", chain: SOLANA, address: exchange }] })
  const reading: Reading = { ...READING, chain: SOLANA, effects }
  const known = Object.fromEntries(accountsIn(reading, { paths: [path], derive: ed, rootKey: "ed", names }))
  expect(known).toEqual({
    [own]: { ownPath: path },
    [account(exchange)]: { owner: exchange },
    [account(own)]: { owner: own },
  })
})
