/** intent decode, as typed: what it prints, and how it ends. */

import { afterAll, describe, expect, test } from "bun:test"
import { mkdirSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { secp256k1 } from "@noble/curves/secp256k1.js"
import { getTransferSolInstruction } from "@solana-program/system"
import { encodeFunctionData, serializeTransaction } from "viem"
import { HDKey, publicKeyToAddress } from "viem/accounts"
import { toHex } from "../../src/bytes.ts"
import { ED, K1 } from "../../src/crypto/curve.ts"
import { encodeExtendedPublicKey, rootPublicKey } from "../../src/keys/extendedKey.ts"
import { ALICE_ADDRESS, PAYMENT } from "../intent/bitcoin/simple.ts"
import { ROOT as BITCOIN_ROOT, encode } from "../intent/bitcoin/wallet.ts"
import { addressOf, compile, numbered, signer } from "../intent/solana/kit.ts"
import { derivePublicKey } from "../support/extendedKeys.ts"
import { temporaryFolder } from "../support/temporaryFolder.ts"
import { cli } from "./world.ts"

const dir = temporaryFolder("intent").path
afterAll(() => rmSync(dir, { recursive: true, force: true }))

/** The example of EIP-155. */
const DATA = "0xec098504a817c800825208943535353535353535353535353535353535353535880de0b6b3a764000080018080"
const DIGEST = "0xdaf5a779ae972f972197303d7b574746c7ef83eadac0f2791ad23db92e4c8e53"
const ROOT = encodeExtendedPublicKey(
  rootPublicKey("secp256k1", K1.encodePoint(K1.generator), new Uint8Array(32).fill(7)),
)
const ALICE = "0xd8dA6BF26964aF9D7eEd9e03E53415D37aA96045"
const decode = (...args: readonly string[]) => cli(["intent", "decode", ...args])

describe("a transaction", () => {
  test("without a key: what it does, and that nobody vouches for the sender", async () => {
    expect(await decode("--format", "evm/transaction", "--data", DATA)).toEqual({
      exit: 0,
      stdout:
        "transfer 1 ETH to 0x3535353535353535353535353535353535353535 from unresolved (the signer) on eip155:1, fee at most 0.00042 ETH\n" +
        `signs ${DIGEST}\n`,
      stderr: "no key was given: the sender is as the payload states it, unverified\n",
    })
  })
  test("with the key: the node's own reading, with its hash", async () => {
    const given = ["--format", "evm/transaction", "--data", DATA, "--root", ROOT, "--path", "m/44/60/0/0/5"]
    const { exit, stdout, stderr } = await decode(...given, "--json")
    expect([exit, stderr]).toEqual([0, ""])
    const key = HDKey.fromExtendedKey(ROOT).derive("m/44/60/0/0/5").publicKey ?? new Uint8Array(0)
    const from = publicKeyToAddress(`0x${toHex(secp256k1.Point.fromBytes(key).toBytes(false))}`)
    expect(JSON.parse(stdout)).toEqual({
      format: "evm/transaction",
      chain: "eip155:1",
      from: [from],
      effects: [
        {
          kind: "transfer",
          from,
          to: "0x3535353535353535353535353535353535353535",
          asset: "eip155:1/slip44:60",
          amount: "1000000000000000000",
        },
      ],
      fee: { max: "420000000000000", asset: "eip155:1/slip44:60", unbounded: false },
      nonce: "9",
      digests: [DIGEST],
      intent_hash: expect.stringMatching(/^0x[0-9a-f]{64}$/),
      text: ["transfer 1 ETH to 0x3535353535353535353535353535353535353535 on eip155:1, fee at most 0.00042 ETH"],
    })
    expect((await decode(...given)).stdout).toEndWith(`\nintent ${JSON.parse(stdout).intent_hash}\n`)
  })
  test("that cannot be read: exit 3, its code, its place", async () => {
    const { exit, stdout, stderr } = await decode("--format", "evm/transaction", "--data", `${DATA}00`)
    expect([exit, stdout]).toEqual([3, ""])
    expect(stderr).toBe(
      "E-INT-020 the payload is not RLP in its one canonical form: bytes after its end: 1 (at byte 45); encode the unsigned transaction again\n",
    )
    const json = await decode("--format", "evm/transaction", "--data", `${DATA}00`, "--json")
    expect([json.exit, JSON.parse(json.stdout), json.stderr]).toEqual([
      3,
      {
        error: {
          code: "E-INT-020",
          message: "the payload is not RLP in its one canonical form: bytes after its end: 1",
          at: "byte 45",
        },
      },
      "",
    ])
  })
  test("on a path of another chain: exit 3", async () => {
    const given = ["--format", "evm/transaction", "--data", DATA, "--root", ROOT, "--path", "m/44/966/0/0/5", "--json"]
    const { exit, stdout } = await decode(...given)
    expect([exit, JSON.parse(stdout).error.code]).toEqual([3, "E-INT-004"])
  })
})

describe("other chains", () => {
  test("a PSBT: each path with the input that it signs", async () => {
    const psbt = join(dir, "payment.psbt")
    writeFileSync(psbt, encode(PAYMENT))
    const given = ["--format", "bitcoin/psbt", "--file", psbt, "--root", encodeExtendedPublicKey(BITCOIN_ROOT)]
    const { exit, stdout } = await decode(...given, "--path", "m/84/0/0/0/0@0", "--json")
    expect(exit).toBe(0)
    expect(JSON.parse(stdout)).toMatchObject({
      chain: "bip122:000000000019d6689c085ae165831e93",
      effects: [{ kind: "transfer", to: ALICE_ADDRESS, amount: "60000" }],
      fee: { max: "1000", unbounded: false },
    })
    const wrong = await decode(...given, "--path", "m/84/0/0/0/1@0", "--json")
    expect([wrong.exit, JSON.parse(wrong.stdout).error.code]).toEqual([3, "E-INT-070"])
  })
  test("Solana: the digest is the message itself", async () => {
    const root = rootPublicKey("ed25519", ED.encodePoint(ED.generator), new Uint8Array(32).fill(7))
    const from = addressOf(derivePublicKey(root, [44, 501, 0, 0]).publicKey)
    const to = numbered("r", 1)
    const transfer = getTransferSolInstruction({ source: signer(from), destination: to, amount: 5n })
    const { bytes } = compile([transfer], {
      version: "legacy",
      feePayer: from,
      blockhash: numbered("b", 1),
      tables: {},
    })
    const data = `0x${toHex(bytes)}`
    const given = ["--format", "solana/message", "--data", data, "--json"]
    const { exit, stdout } = await decode(...given, "--root", encodeExtendedPublicKey(root), "--path", "m/44/501/0/0")
    expect(exit).toBe(0)
    expect(JSON.parse(stdout)).toMatchObject({
      from: [from],
      effects: [{ kind: "transfer", to, amount: "5" }],
      digests: [data],
    })
    expect(JSON.parse((await decode(...given)).stdout).from).toEqual([from])
  })
})

describe("a configuration", () => {
  const file = join(dir, "node.toml")
  const given = ["--format", "evm/transaction", "--data", DATA, "--config", file]
  test("names addresses and says which chains a path signs for", async () => {
    writeFileSync(
      file,
      [
        '[[intent.addresses]]\nname = "exchange"\nchain = "eip155:1"',
        'address = "0x3535353535353535353535353535353535353535"',
        '[[intent.paths]]\npath = "m/7/**"\nchain = "eip155:1"',
        '[[intent.paths]]\npath = "m/44/60/**"\nchain = "eip155:11155111"',
      ].join("\n"),
    )
    const named = await decode(...given, "--root", ROOT, "--path", "m/7/1")
    expect(named.stdout).toStartWith(
      "transfer 1 ETH to 0x3535353535353535353535353535353535353535 (@exchange) on eip155:1, fee at most 0.00042 ETH\n",
    )
    const other = await decode(...given, "--root", ROOT, "--path", "m/44/60/0/0/0", "--json")
    expect([other.exit, JSON.parse(other.stdout).error.code]).toEqual([3, "E-INT-004"])
  })
  test("that is not there, or is wrong: exit 2", async () => {
    expect((await decode(...given, "--config", join(dir, "nowhere.toml"))).exit).toBe(2)
    writeFileSync(file, "[intent]\nbitcoin_change_limit = -1\n")
    expect((await decode(...given)).exit).toBe(2)
  })
  test("annotates, and changes no hash", async () => {
    writeFileSync(
      file,
      '[[intent.assets]]\nname = "X"\nid = "eip155:1/erc20:0xa0b86991c6218b36c1d19d4a2e9eb0ce3606eb48"\ndecimals = 6\n',
    )
    const key = ["--root", ROOT, "--path", "m/44/60/0/0/0", "--json"]
    const [plain, annotated] = [await decode(...given.slice(0, 4), ...key), await decode(...given, ...key)]
    expect(JSON.parse(plain.stdout).intent_hash).toBe(JSON.parse(annotated.stdout).intent_hash)
  })
})

describe("the ABI of a contract", () => {
  const file = join(dir, "contracts.toml")
  const abi = join(dir, "router.json")
  const router = "0x3535353535353535353535353535353535353535"
  const contract = `[[intent.contracts]]\nname = "router"\nchain = "eip155:1"\naddress = "${router}"\nabi = "${abi}"\n`
  const pay = { name: "pay", type: "function" as const, stateMutability: "payable" as const, outputs: [] }
  const functions = [{ ...pay, inputs: [{ name: "recipient", type: "address" as const }] }] as const
  const data = serializeTransaction({
    chainId: 1,
    nonce: 0,
    gas: 0n,
    gasPrice: 0n,
    to: router,
    data: encodeFunctionData({ abi: functions, args: [ALICE] }),
  })
  const given = ["--format", "evm/transaction", "--data", data, "--config", file]
  test("names the function and its arguments, and changes no hash", async () => {
    writeFileSync(file, `${contract}[[intent.addresses]]\nname = "alice"\nchain = "eip155:1"\naddress = "${ALICE}"\n`)
    writeFileSync(abi, JSON.stringify(functions))
    const { exit, stdout } = await decode(...given)
    expect([exit, stdout]).toEqual([0, expect.stringContaining(`: pay(recipient: ${ALICE} (@alice)) on eip155:1`)])
    const key = ["--root", ROOT, "--path", "m/44/60/0/0/0", "--json"]
    const [plain, named] = [await decode(...given.slice(0, 4), ...key), await decode(...given, ...key)]
    expect(JSON.parse(plain.stdout).intent_hash).toBe(JSON.parse(named.stdout).intent_hash)
    writeFileSync(abi, JSON.stringify([{ ...pay, inputs: [] }]))
    expect((await decode(...given)).stdout).toContain(": unread: its ABI has no function 0x")
  })
  test("that cannot be used: exit 2, the key, the file, the place", async () => {
    writeFileSync(file, contract)
    writeFileSync(abi, '[\n  {"type":"function","name":"f"}]')
    const { exit, stderr } = await decode(...given)
    expect([exit, stderr]).toEqual([
      2,
      expect.stringContaining(
        `intent.contracts[0].abi: the ABI ${abi} cannot be used: line 2, column 3: there are no inputs`,
      ),
    ])
    for (const [make, why] of [
      [() => rmSync(abi), "there is no such file"],
      [() => mkdirSync(abi), "it is not a regular file"],
    ] as const) {
      make()
      expect((await decode(...given)).stderr).toContain(`cannot be used: ${why}`)
    }
  })
})

describe("a file", () => {
  const file = join(dir, "message.txt")
  test("is the payload, every byte of it", async () => {
    writeFileSync(file, "hello world")
    const { stdout } = await decode("--format", "evm/message", "--file", file)
    expect(stdout).toBe(
      'sign the message "hello world" from unresolved (the signer) on eip155:*, no fee\n' +
        "signs 0xd9eba16ed0ecae432b71fe008c98cc872bb4cc214d3220a36f365326cf807d68\n",
    )
  })
  test("that is empty, too long or endless: exit 3", async () => {
    writeFileSync(file, "")
    const long = join(dir, "long")
    writeFileSync(long, new Uint8Array(1024 * 1024 + 1))
    for (const given of [file, long, "/dev/zero"]) {
      const { exit, stderr } = await decode("--format", "evm/message", "--file", given)
      expect([exit, stderr.slice(0, 9)]).toEqual([3, "E-INT-002"])
    }
  })
})

describe("refused as usage", () => {
  const cases: Readonly<Record<string, readonly string[]>> = {
    "no format": ["--data", DATA],
    "a format that is not known": ["--format", "evm/other", "--data", DATA],
    "no payload": ["--format", "evm/message"],
    "two payloads": ["--format", "evm/message", "--data", DATA, "--file", "x"],
    "hex without 0x": ["--format", "evm/message", "--data", "abcd"],
    "odd hex": ["--format", "evm/message", "--data", "0xabc"],
    "a file that is not there": ["--format", "evm/message", "--file", join(dir, "nothing")],
    "a folder": ["--format", "evm/message", "--file", dir],
    "a root without a path": ["--format", "evm/message", "--data", DATA, "--root", ROOT],
    "a path without a root": ["--format", "evm/message", "--data", DATA, "--path", "m/44/60/0/0/0"],
    "a path that is none": ["--format", "evm/message", "--data", DATA, "--root", ROOT, "--path", "m/44/60/x"],
    "a hardened path": ["--format", "evm/message", "--data", DATA, "--root", ROOT, "--path", "m/44'/60"],
    "a root that is none": ["--format", "evm/message", "--data", DATA, "--root", "xpub", "--path", "m/44/60"],
  }
  for (const [name, args] of Object.entries(cases)) {
    test(name, async () => {
      const { exit, stdout } = await decode(...args)
      expect([exit, stdout]).toEqual([1, ""])
    })
  }
})
