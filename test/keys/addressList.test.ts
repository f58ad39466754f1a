import { expect, test } from "bun:test"
import fc from "fast-check"
import { type CurveName, K1 } from "../../src/crypto/curve.ts"
import { AddressList } from "../../src/keys/addressList.ts"
import { ChildKeys } from "../../src/keys/childKeys.ts"
import { deriveTweak } from "../../src/keys/derive.ts"
import {
  decodeExtendedPublicKey,
  encodeExtendedPrivateKey,
  encodeExtendedPublicKey,
  neuter,
  rootPrivateKey,
} from "../../src/keys/extendedKey.ts"
import { derivePrivateKey } from "../support/extendedKeys.ts"
import bip32 from "../vectors/bip32.json"
import { codeOf } from "./codeOf.ts"
import { digest } from "./groups.ts"

/** Rows without quotes. */
const rows = (text: string) =>
  text
    .trimEnd()
    .split("\n")
    .map((line, i) => ({ line: i + 1, cells: line.split(",") }))

// ---- children of one root ------------------------------------------------------------------------------------------

const roots = {
  secp256k1: rootPrivateKey("secp256k1", 77n, digest("chain")),
  ed25519: rootPrivateKey("ed25519", 99n, digest("chain")),
}

test("kept parents change nothing: every child is the one derived from the root", () => {
  for (const curve of ["secp256k1", "ed25519"] as const) {
    const children = ChildKeys.ofPrivate(roots[curve])
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 2 }), { maxLength: 4 }), (path) => {
        const { child, secret } = children.at(path)
        expect(encodeExtendedPrivateKey(secret!)).toBe(encodeExtendedPrivateKey(derivePrivateKey(roots[curve], path)))
        expect(encodeExtendedPublicKey(child)).toBe(encodeExtendedPublicKey(neuter(secret!)))
      }),
      { seed: 5, numRuns: 60 },
    )
  }
})

test("below a key that is no root itself", () => {
  const { parent, child, index } = bip32.children[1]!
  const children = ChildKeys.ofPublic(decodeExtendedPublicKey(parent.xpub))
  expect(encodeExtendedPublicKey(children.at([index]).child)).toBe(child.xpub)
  expect(children.at([]).secret).toBeUndefined()
  expect(encodeExtendedPublicKey(children.at([]).child)).toBe(parent.xpub)
})

// ---- the list --------------------------------------------------------------------------------------------------------

const OLD = "wallet name,coin,address,memo,address label,HD path,child publickey"
const NEW = "wallet name,coin,address,curve,memo,address label,HD path,child publickey"

function listOf(curves: readonly CurveName[], withPrivate = true): AddressList {
  const children = curves.map((curve) => {
    const root = roots[curve]
    return [curve, withPrivate ? ChildKeys.ofPrivate(root) : ChildKeys.ofPublic(neuter(root))] as const
  })
  return new AddressList(new Map(children), withPrivate, "list.csv")
}

const complete = (list: AddressList, text: string) => {
  const [heading, ...body] = rows(text)
  return { heading: list.heading(heading!), results: body.map((row) => list.row(row)) }
}

test("both shapes: the three columns of the vendor's tool, then the addresses", () => {
  const path = [44, 60, 0, 0, 5]
  const child = derivePrivateKey(roots.secp256k1, path)
  const xpub = encodeExtendedPublicKey(neuter(child))
  const old = complete(listOf(["secp256k1"]), `${OLD}\nmain,ETH,,,,m/44/60/0/0/5,${xpub}\n`)
  const young = complete(listOf(["secp256k1"]), `${NEW}\nmain,ETH,,secp256k1,,,m/44/60/0/0/5,${xpub}\n`)
  const why = "with the root extended public key it gives the root private key"
  const columns = `hex private key (${why}),extended private key (${why}),extended public key`
  const kinds = ["btc-p2wpkh", "btc-p2tr", "eth", "tron", "sol"].map((kind) => `${kind} address`).join(",")
  expect([old.heading, young.heading]).toEqual([`${OLD},${columns},${kinds}\n`, `${NEW},${columns},${kinds}\n`])
  for (const { results } of [old, young]) {
    const [only] = results
    if (only?.kind !== "derived") throw new Error("derived")
    const cells = only.text.trimEnd().split(",")
    const hex = `0x${Buffer.from(child.scalar.expose()).toString("hex")}`
    expect(cells.slice(-8, -5)).toEqual([hex, encodeExtendedPrivateKey(child), xpub])
    expect(cells.at(-3)).toMatch(/^0x[0-9a-fA-F]{40}$/)
    expect(cells.at(-1)).toBe("")
  }
})

test("the heading is true: one row and the root extended public key give the root private key", () => {
  const root = roots.secp256k1
  const [row] = complete(listOf(["secp256k1"]), `${OLD}\nmain,ETH,,,,m/44/60/0/0/5,\n`).results
  if (row?.kind !== "derived") throw new Error("derived")
  const child = BigInt(row.text.trimEnd().split(",").at(-8) ?? "")
  const { publicKey, chainCode } = neuter(root)
  const { tweak } = deriveTweak("secp256k1", publicKey, chainCode, [44, 60, 0, 0, 5])
  expect(K1.encodeScalar(K1.mod(child - tweak))).toEqual(root.scalar.expose())
})

test("the row's own address is looked for among the derived ones", () => {
  const first = complete(listOf(["secp256k1"]), `${OLD}\nmain,ETH,,,,m/1,\n`).results[0]!
  if (first.kind !== "derived") throw new Error("derived")
  const [eth, tron] = first.text.trimEnd().split(",").slice(-3)
  const confirmed = (address: string) => {
    const [row] = complete(listOf(["secp256k1"]), `${OLD}\nmain,X,${address},,,m/1,\n`).results
    return row?.kind === "derived" && row.confirmed
  }
  expect([eth!, eth!.toLowerCase(), ` ${tron} `].map(confirmed)).toEqual([true, true, true])
  expect([tron!.toLowerCase(), "cosmos1xyz", ""].map(confirmed)).toEqual([false, false, false])
})

test("without private keys there is no private column", () => {
  const { heading, results } = complete(listOf(["secp256k1"], false), `${OLD}\nmain,ETH,,,,m/1,\n`)
  expect(heading).not.toContain("private")
  expect(results[0]?.kind === "derived" && results[0].text).not.toMatch(/[xc]prv/)
})

test("rows of a curve without a root are skipped, rows of both curves each derived with their own", () => {
  const text = `${NEW}\nmain,SOL,,ed25519,,,m/44/501/0,\nmain,ETH,,secp256k1,,,m/44/60/0,\n`
  expect(complete(listOf(["secp256k1"]), text).results.map(({ kind }) => kind)).toEqual(["skipped", "derived"])
  const both = complete(listOf(["secp256k1", "ed25519"]), text).results
  expect(both.map((row) => row.kind === "derived" && /[xc]prv/.exec(row.text)?.[0])).toEqual(["cprv", "xprv"])
})

test("bad rows, each with its line and its reason", () => {
  const child = encodeExtendedPublicKey(neuter(derivePrivateKey(roots.secp256k1, [2])))
  const lines = [
    "main,ETH,,secp256k1,,,m/44'/60,",
    "main,ETH,,secp256k1,,,,",
    "main,ETH,,secp256k1,,m/1,",
    "main,ETH,,p256,,,m/1,",
    `main,ETH,,secp256k1,,,m/1,${child}`,
    `main,ETH,,secp256k1,,,m/2,${child}`,
  ]
  const { results } = complete(listOf(["secp256k1"]), [NEW, ...lines].join("\n"))
  expect(results.map((row) => (row.kind === "bad" ? row.line : row.kind))).toEqual([2, 3, 4, 5, 6, "derived"])
  const problems = results.map((row) => (row.kind === "bad" ? row.problem : ""))
  expect(problems.slice(2, 5)).toEqual([
    "7 columns in place of 8",
    "the curve is neither secp256k1 nor ed25519",
    "the child key of the list is not the one at its path",
  ])
  expect(problems.join()).not.toMatch(/[xc]prv/)
})

test("what is no address list", () => {
  const headings = ["", "coin,address", "wallet name", `${OLD},more`, NEW.replace("curve", "kurve")]
  for (const heading of headings) {
    const [row] = rows(`${heading}\n`)
    if (row === undefined) continue
    expect([heading, codeOf(() => listOf(["secp256k1"]).heading(row))]).toEqual([heading, "E-KEY-030"])
  }
})
