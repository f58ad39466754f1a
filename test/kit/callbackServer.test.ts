/** The parsers and the decision of the reference server, against published vectors and by hand. */

import { afterAll, expect, test } from "bun:test"
import { createPrivateKey } from "node:crypto"
import { readFileSync, rmSync, statSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import fc from "fast-check"
import { fromHex, toHex } from "../../src/bytes.ts"
import { readServerKey } from "../../src/callback/servers.ts"
import { CosignerError } from "../../src/errors.ts"
import { formatDecimal, parseDecimal } from "../../src/intent/amount.ts"
import { addressOf, keccak, parseAddress } from "../../src/intent/evm/address.ts"
import { readReferenceConfig } from "../../src/kit/callbackServer/config.ts"
import { decide } from "../../src/kit/callbackServer/decide.ts"
import { initReferenceServer } from "../../src/kit/callbackServer/init.ts"
import { looksLike, parseEther } from "../../src/kit/callbackServer/words.ts"
import { encodeRlp, legacy } from "../../src/kit/conformance/rlpEncode.ts"
import { temporaryFolder } from "../support/temporaryFolder.ts"

const SEED = 20_261_122
const hex = (text: string) => fromHex(text) ?? new Uint8Array(0)

// ---- amounts and addresses -------------------------------------------------------------------------------------------

test.each<[string, number, bigint | undefined]>([
  ["0", 18, 0n],
  ["1.5", 18, 1_500_000_000_000_000_000n],
  ["0.000000000000000001", 18, 1n],
  ["0.0000000000000000001", 18, undefined],
  ["1.500", 1, 15n],
  ["1.51", 1, undefined],
  ["7", 0, 7n],
  ["1e3", 18, undefined],
  ["01", 18, undefined],
  [".5", 18, undefined],
  ["1.", 18, undefined],
  ["-1", 18, undefined],
  ["+1", 18, undefined],
  ["1,5", 18, undefined],
  [" 1", 18, undefined],
  ["0x1", 18, undefined],
  ["", 18, undefined],
])("the decimal %p with %d digits is %p", (text, decimals, amount) => {
  expect(parseDecimal(text, decimals)).toBe(amount)
})

test("decimals go there and back", () => {
  fc.assert(
    fc.property(fc.bigInt({ min: 0n, max: 10n ** 36n }), fc.integer({ min: 0, max: 30 }), (amount, decimals) => {
      expect(parseDecimal(formatDecimal(amount, decimals), decimals)).toBe(amount)
    }),
    { seed: SEED },
  )
})

test.each<[string, bigint | undefined]>([
  ["1.5 ether", 1_500_000_000_000_000_000n],
  ["20 gwei", 20_000_000_000n],
  ["7 wei", 7n],
  ["0.5 wei", undefined],
  ["1", undefined],
  ["1 ETH", undefined],
  ["1  ether", undefined],
  ["1 ether per day", undefined],
])("%p in wei", (text, wei) => {
  expect(parseEther(text)).toBe(wei)
})

// The examples of EIP-55.
const EIP55 = [
  "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed",
  "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359",
  "0xdbF03B407c01E7cD3CBea99509d93f8DDDC8C6FB",
  "0xD1220A0cf47c7B9Be7A2E6BA89F429762e7b9aDb",
]
test.each(EIP55)("the checksum of %s", (address) => {
  const bytes = parseAddress(address)
  expect(bytes === undefined ? "" : addressOf(bytes)).toBe(address)
  expect(parseAddress(address.toLowerCase())).toEqual(bytes)
  expect(parseAddress(`0x${address.slice(2).toUpperCase()}`)).toEqual(bytes)
  const at = 2 + [...address.slice(2)].findIndex((c) => c.toLowerCase() !== c.toUpperCase())
  const letter = address[at] ?? ""
  const other = letter === letter.toLowerCase() ? letter.toUpperCase() : letter.toLowerCase()
  expect(parseAddress(address.slice(0, at) + other + address.slice(at + 1))).toBeUndefined()
})

test.each([
  "",
  "0x",
  "0x12",
  `0x${"g".repeat(40)}`,
  `0x${"1".repeat(41)}`,
  `0X${"1".repeat(40)}`,
  `0х${"1".repeat(40)}`,
  `0x${"1".repeat(39)}\n`,
])("%p is no address", (text) => expect(parseAddress(text)).toBeUndefined())

test("look-alikes share both ends and are not equal", () => {
  const a = hex(`${"aabb".padEnd(36, "0")}ccdd`)
  const b = hex(`${"aabb".padEnd(36, "1")}ccdd`)
  expect([looksLike(a, b), looksLike(a, a), looksLike(a, hex(`${"aabc".padEnd(36, "0")}ccdd`))]).toEqual([
    true,
    false,
    false,
  ])
})

// The vector of formats.md 1.6.
const RAW = "e980842ffee68f825208940f76f604fd7762bd94b48ca2523f69ab9665c97f865af3107a400080018080"
const HASH = "0x1acf0342f77d22389a9cf6524a2af14dc420928d2942efe0dc0764be2ea5321b"
const TO = "0x0f76F604fd7762Bd94B48CA2523F69ab9665c97f"

const transfer = {
  chainId: 1n,
  to: hex(TO.slice(2).toLowerCase()),
  value: 5n,
  data: new Uint8Array(0),
  gasPrice: 3n,
  gas: 7n,
}
// ---- the decision ----------------------------------------------------------------------------------------------------

const USDT = "0xdAC17F958D2ee523a2206206994597C13D831ec7"
const rules = {
  keyGen: false,
  keyReshare: false,
  keyShareSign: false,
  evm: [
    {
      name: "ETH",
      chainId: 1n,
      destinations: [transfer.to],
      maxAmount: 10n ** 17n,
      maxFee: 10n ** 16n,
      tokens: [{ contract: parseAddress(USDT) ?? new Uint8Array(20), decimals: 6, maxAmount: 1_000_000_000n }],
    },
  ],
}
const request = (raw: Uint8Array, extra: object = {}, hash?: string) => ({
  requestId: "r",
  type: 2,
  detail: {
    msg_hash_list: [hash ?? `0x${toHex(keccak(raw))}`],
    signature_type: 1,
  },
  extraInfo: { transaction: { raw_tx_info: { unsigned_raw_tx: `0x${toHex(raw)}` }, ...extra } },
})
const shown = (address: string, amount: string) => ({ destination: { account_output: { address, amount } } })

test("the published transaction, with and without words", () => {
  expect(decide(rules, request(hex(RAW), {}, HASH))).toBeUndefined()
  expect(decide(rules, request(hex(RAW), { chain_id: "ETH", ...shown(TO, "0.0001") }))).toBeUndefined()
  expect(decide(rules, request(hex(RAW), { chain_id: "BSC" }))).toContain("another chain")
  expect(decide(rules, request(hex(RAW), shown(TO, "0.001")))).toContain("another amount")
})

const call = (selector: string, to: Uint8Array, amount: bigint, pad = "00".repeat(12)) =>
  hex(`${selector}${pad}${toHex(to)}${amount.toString(16).padStart(64, "0")}`)
const token = (data: Uint8Array, over: Partial<typeof transfer> = {}) =>
  legacy({ ...transfer, to: parseAddress(USDT) ?? transfer.to, value: 0n, data: new Uint8Array(data), ...over })

test("token transfers: contract, destination, amount and shape are checked", () => {
  const good = call("a9059cbb", transfer.to, 1_000_000_000n)
  expect(decide(rules, request(token(good)))).toBeUndefined()
  expect(decide(rules, request(token(good), shown(TO, "1000")))).toBeUndefined()
  expect(decide(rules, request(token(good), shown(TO, "1000000000")))).toContain("another amount")
  expect(decide(rules, request(token(call("a9059cbb", transfer.to, 1_000_000_001n))))).toContain("above the limit")
  expect(decide(rules, request(token(call("a9059cbb", new Uint8Array(20), 1n))))).toContain(
    "not an allowed destination",
  )
  expect(decide(rules, request(token(call("095ea7b3", transfer.to, 1n))))).toContain("no transfer")
  expect(decide(rules, request(token(call("a9059cbb", transfer.to, 1n, `${"00".repeat(11)}01`))))).toContain(
    "cannot be read",
  )
  expect(decide(rules, request(token(good, { value: 1n })))).toContain("no transfer")
  expect(decide(rules, request(token(new Uint8Array([...good, 0]))))).toContain("cannot be read")
  expect(decide(rules, request(encodeRlp([9n, 3n, 7n, transfer.to, 5n, new Uint8Array(0)])))).toContain(
    "names no chain",
  )
  expect(decide(rules, request(token(good, { to: transfer.to })))).toContain("no transfer")
})

test("kinds of requests are allowed one by one; what is unknown is refused", () => {
  const of = (type: number, over: object) =>
    decide({ ...rules, ...over }, { requestId: "r", type, detail: {}, extraInfo: {} })
  expect(of(1, { keyGen: true })).toBeUndefined()
  expect(of(3, { keyReshare: true })).toBeUndefined()
  expect(of(5, { keyShareSign: true })).toBeUndefined()
  for (const type of [1, 2, 3, 4, 5, 6, -1]) expect(of(type, {})).toBeString()
})

// ---- files -----------------------------------------------------------------------------------------------------------

const dir = temporaryFolder("reference").path
afterAll(() => rmSync(dir, { recursive: true }))

test("init writes a configuration that parses, keys that fit, and never overwrites", () => {
  const files = initReferenceServer(join(dir, "risk"), "node.pem")
  const config = readReferenceConfig(files.config)
  expect(config).toMatchObject({ host: "127.0.0.1", port: 11_020, nodeKeyFiles: [join(dir, "risk", "node.pem")] })
  expect(config.rules).toMatchObject({ keyGen: false, keyReshare: false, keyShareSign: false })
  expect(config.rules.evm).toEqual([])
  const shown = readFileSync(files.config, "utf8").replace(/^#(?=[[a-z])/gm, "")
  writeFileSync(join(dir, "shown.toml"), shown)
  expect(readReferenceConfig(join(dir, "shown.toml")).rules.evm).toMatchObject([
    {
      name: "ETH",
      chainId: 1n,
      destinations: [],
      maxAmount: 10n ** 17n,
      tokens: [{ decimals: 6, maxAmount: 10n ** 9n }],
    },
  ])
  expect(statSync(files.privateKey).mode & 0o777).toBe(0o600)
  const derived = createPrivateKey(readFileSync(config.privateKeyFile)).export({ format: "jwk" })["n"]
  expect(readServerKey(files.publicKey).export({ format: "jwk" })["n"]).toBe(String(derived))
  expect(codeOf(() => initReferenceServer(join(dir, "risk"), "node.pem"))).toBe("E-RSK-302")
  expect(codeOf(() => initReferenceServer(files.config, "node.pem"))).toBe("E-CLI-009")
})

const good = `
listen = "127.0.0.1:0"
private_key = "k"
node_public_keys = ["n"]
[key_sign]
[[key_sign.evm]]
name = "ETH"
chain_id = 1
destinations = ["${TO}"]
max_amount = "1 ether"
max_fee = "0.01 ether"
`
test.each<[string, string, string, number]>([
  ["an unknown key", `${good}max = 1`, "key_sign.evm[0].max", 12],
  ["an amount without unit", good.replace("1 ether", "1"), "key_sign.evm[0].max_amount", 10],
  ["an amount that is a number", good.replace('"1 ether"', "1"), "key_sign.evm[0].max_amount", 10],
  ["an address with a wrong checksum", good.replace("0x0f76F", "0x0f76f"), "key_sign.evm[0].destinations[0]", 9],
  ["no destinations", good.replace(/destinations.*/, ""), "key_sign.evm[0].destinations", 6],
  ["no chain id", good.replace("chain_id = 1", ""), "key_sign.evm[0].chain_id", 6],
  ["no fee limit", good.replace(/max_fee.*/, ""), "key_sign.evm[0].max_fee", 6],
  ["no node key", good.replace('["n"]', "[]"), "node_public_keys", 4],
  ["a port beyond the last", good.replace(":0", ":70000"), "listen", 2],
  ["a host name of elsewhere", good.replace("127.0.0.1", "risk.example"), "listen", 2],
  [
    "an amount of more digits than the token has",
    `${good}[[key_sign.evm.tokens]]\ncontract = "${USDT}"\ndecimals = 6\nmax_amount = "0.0000001"\n`,
    "key_sign.evm[0].tokens[0].max_amount",
    15,
  ],
])("a configuration with %s is refused at its place", (_, text, key, line) => {
  const file = join(dir, "bad.toml")
  writeFileSync(file, good)
  expect(readReferenceConfig(file).rules.evm[0]?.destinations).toEqual([transfer.to])
  writeFileSync(file, text)
  expect(() => readReferenceConfig(file)).toThrow(
    expect.objectContaining({
      code: "E-CFG-003",
      data: { problems: [expect.objectContaining({ where: `${file}:${line}`, key })] },
    }),
  )
})

function codeOf(action: () => unknown): string {
  try {
    action()
    return "none"
  } catch (error) {
    return error instanceof CosignerError ? error.code : String(error)
  }
}
