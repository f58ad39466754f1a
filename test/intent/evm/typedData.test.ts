/** `evm/typed-data` and `evm/message`: EIP-712 and EIP-191 vectors, viem as second implementation, known types, refusals. */
import { describe, expect, test } from "bun:test"
import fc from "fast-check"
import { encodeFunctionData, type Hex, hashMessage, keccak256, maxUint256, parseAbi, stringToHex, toBytes } from "viem"
import { toHex } from "../../../src/bytes.ts"
import { parseTypedData, typedDataDecoder } from "../../../src/intent/evm/typedData.ts"
import { type Effect, isProblem, type Reading } from "../../../src/intent/reading.ts"
import { runs } from "../../support/runs.ts"
import {
  bytesOf,
  codeOf,
  contextFor,
  decode,
  digestOf,
  kinds,
  MAINNET,
  OFFLINE,
  OWNER,
  only,
  PATH,
  reading,
} from "./kit.ts"
import { arbitraryDocument, DOMAIN, type Document, json, viemDigest } from "./typedArbitrary.ts"

const TOKEN = "0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48"
const ERC20 = `eip155:1/erc20:${TOKEN.toLowerCase()}`
const SPENDER = "0x000000000022D473030F116dDEE9F6B43aC78BA3"
const SAFE = "0x0f76F604fd7762Bd94B48CA2523F69ab9665c97f"
const ZERO = "0x0000000000000000000000000000000000000000"

const members = (text: string) =>
  text.split(",").map((one) => ({ type: one.split(" ")[0] ?? "", name: one.split(" ")[1] ?? "" }))

/** The example of EIP-712. */
const MAIL: Document = {
  types: {
    EIP712Domain: DOMAIN,
    Person: members("string name,address wallet"),
    Mail: members("Person from,Person to,string contents"),
  },
  primaryType: "Mail",
  domain: {
    name: "Ether Mail",
    version: "1",
    chainId: 1,
    verifyingContract: "0xCcCCccccCCCCcCCCCCCcCcCccCcCCCcCcccccccC",
  },
  message: {
    from: { name: "Cow", wallet: "0xCD2a3d9F938E13CD947Ec05AbC7FE734Df8DD826" },
    to: { name: "Bob", wallet: "0xbBbBBBBbbBBBbbbBbbBbbbbBBbBbbbbBbBbbBBbB" },
    contents: "Hello, Bob!",
  },
}

/** Typed data of one struct, in the domain of a token. */
function document(declaration: string, message: Record<string, unknown>, more: Record<string, string> = {}): Document {
  const [, name = "", list = ""] = /^(\w+)\((.*)\)$/.exec(declaration) ?? []
  const others = Object.fromEntries(Object.entries(more).map(([type, text]) => [type, members(text)]))
  return {
    types: { EIP712Domain: DOMAIN, [name]: members(list), ...others },
    primaryType: name,
    domain: { name: "USD Coin", version: "2", chainId: 1, verifyingContract: TOKEN },
    message,
  }
}

/** Reads what viem hashes to the same digest. */
function read(typed: Document): Reading {
  const found = reading("evm/typed-data", json(typed))
  expect(digestOf(found)).toBe(viemDigest(typed))
  return found
}

const beside = (typed: Document): readonly Effect[] => read(typed).effects.slice(1)

describe("the example of EIP-712", () => {
  test("has the digest, type text and hash of the EIP", () => {
    const found = read(MAIL)
    expect(digestOf(found)).toBe("0xbe609aee343fb3c4b28e1df9e632fca64fcfaede20f02e86244efddf30957bd2")
    expect(found).toEqual({
      format: "evm/typed-data",
      chain: "eip155:1",
      from: [OWNER.address],
      effects: [
        {
          kind: "typed_data",
          from: OWNER.address,
          to: "0xCcCCccccCCCCcCCCCCCcCcCccCcCCCcCcccccccC",
          domain: "Ether Mail",
          primaryType: "Mail",
          encodeType: "Mail(Person from,Person to,string contents)Person(string name,address wallet)",
          hash: bytesOf("c52c0ee5d84264471806290a3f2c4cecfc5490626bf912d01f240d7a274b371e"),
        },
      ],
      fee: { max: 0n, asset: "eip155:1/slip44:60", unbounded: false },
      signs: [{ path: PATH, bytes: bytesOf("be609aee343fb3c4b28e1df9e632fca64fcfaede20f02e86244efddf30957bd2") }],
    })
  })
  test("white space and the order of members change nothing", () => {
    const { types, primaryType, domain, message } = MAIL
    const spaced = JSON.stringify({ message, domain, types, primaryType }, null, 2)
    expect(reading("evm/typed-data", spaced)).toEqual(read(MAIL))
  })
  test("one byte changed: another digest, a problem, or an equal reading", () => {
    const payload = new TextEncoder().encode(json(MAIL))
    const same = read(MAIL)
    const outcomes = { digest: 0, problem: 0, equal: 0 }
    fc.assert(
      fc.property(fc.nat(payload.length - 1), fc.integer({ min: 1, max: 255 }), (place, flip) => {
        const mutant = payload.slice()
        mutant[place] = (mutant[place] ?? 0) ^ flip
        const decoded = decode("evm/typed-data", mutant)
        if (isProblem(decoded)) outcomes.problem++
        else if (digestOf(decoded) !== digestOf(same)) outcomes.digest++
        else {
          expect(decoded).toEqual(same)
          outcomes.equal++
        }
      }),
      { numRuns: runs(10_000, 100_000) },
    )
    expect(Math.min(outcomes.digest, outcomes.problem)).toBeGreaterThan(0)
  }, 600_000)
})

describe("types as the standards print their hashes", () => {
  const cases: Readonly<Record<string, string>> = {
    "Permit(address owner,address spender,uint256 value,uint256 nonce,uint256 deadline)":
      "0x6e71edae12b1b97f4d1f60370fef10105fa2faae0126114a169c64845d6126c9",
    "Permit(address holder,address spender,uint256 nonce,uint256 expiry,bool allowed)":
      "0xea2aa0a1be11a07ed86d755c93467f4f82362b452371d1ba94d1715123511acb",
    "TransferWithAuthorization(address from,address to,uint256 value,uint256 validAfter,uint256 validBefore,bytes32 nonce)":
      "0x7c7c6cdb67a18743f49ec6fa9b35f50d52ed05cbed4cc592e13b44501c1a2267",
    "ReceiveWithAuthorization(address from,address to,uint256 value,uint256 validAfter,uint256 validBefore,bytes32 nonce)":
      "0xd099cc98ef71107a616c4f0f941f04c322d8e254fe26b3c6668db87aae413de8",
    "SafeTx(address to,uint256 value,bytes data,uint8 operation,uint256 safeTxGas,uint256 baseGas,uint256 gasPrice,address gasToken,address refundReceiver,uint256 nonce)":
      "0xbb8310d486368db6bd6f849402fdd73ad53d316b5a4b2644ad6efe0f941286d8",
    "SafeMessage(bytes message)": "0x60b3cbf8b4a223d68d641b3b6ddf9a298e7f33710cf3d3a9d1146b5a6150fbca",
    "EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)":
      "0x8b73c3c69bb8fe3d512ecc4cf759cc79239f7b179b0ffacaa9a75d522b39400f",
  }
  for (const [text, hash] of Object.entries(cases)) {
    test(text.slice(0, text.indexOf("(")), () => expect(keccak256(toBytes(text))).toBe(hash as Hex))
  }
})

describe("known types", () => {
  const OWNED = OWNER.address
  const permit = (asset: string, amount: bigint, deadline: bigint, more: object = {}): Effect =>
    ({ kind: "permit", from: OWNED, spender: SPENDER, asset, amount, deadline, ...more }) as Effect
  const ALLOWED = "address owner,address spender,uint256 value,uint256 nonce,uint256 deadline"

  test("EIP-2612", () => {
    const message = { owner: OWNED, spender: SPENDER, value: maxUint256, nonce: 0n, deadline: 99n }
    expect(beside(document(`Permit(${ALLOWED})`, message))).toEqual([permit(ERC20, maxUint256, 99n)])
  })
  test("DAI", () => {
    const type = "Permit(address holder,address spender,uint256 nonce,uint256 expiry,bool allowed)"
    const message = { holder: OWNED, spender: SPENDER, nonce: 0n, expiry: 0n }
    expect(beside(document(type, { ...message, allowed: true }))).toEqual([permit(ERC20, maxUint256, 0n)])
    expect(beside(document(type, { ...message, allowed: false }))).toEqual([permit(ERC20, 0n, 0n)])
  })
  test("ERC-721 with permit", () => {
    const type = "Permit(address spender,uint256 tokenId,uint256 nonce,uint256 deadline)"
    expect(beside(document(type, { spender: SPENDER, tokenId: 7n, nonce: 0n, deadline: 9n }))).toEqual([
      permit(ERC20.replace("erc20", "erc721"), 1n, 9n, { tokenId: 7n }),
    ])
  })
  test("EIP-3009 is a transfer", () => {
    const list = "address from,address to,uint256 value,uint256 validAfter,uint256 validBefore,bytes32 nonce"
    const message = {
      from: OWNED,
      to: SPENDER,
      value: 5n,
      validAfter: 0n,
      validBefore: 9n,
      nonce: `0x${"ab".repeat(32)}`,
    }
    for (const name of ["TransferWithAuthorization", "ReceiveWithAuthorization"]) {
      expect(beside(document(`${name}(${list})`, message))).toEqual([
        { kind: "transfer", from: OWNED, to: SPENDER, asset: ERC20, amount: 5n },
      ])
    }
  })
  test("Permit2: allowances, transfers, batches, witnesses", () => {
    const details = { token: TOKEN, amount: 5n, expiration: 77, nonce: 0 }
    const DETAILS = { PermitDetails: "address token,uint160 amount,uint48 expiration,uint48 nonce" }
    const single = "PermitSingle(PermitDetails details,address spender,uint256 sigDeadline)"
    expect(beside(document(single, { details, spender: SPENDER, sigDeadline: 9n }, DETAILS))).toEqual([
      permit(ERC20, 5n, 77n),
    ])
    const batch = "PermitBatch(PermitDetails[] details,address spender,uint256 sigDeadline)"
    const two = [details, { ...details, amount: 6n }]
    expect(beside(document(batch, { details: two, spender: SPENDER, sigDeadline: 9n }, DETAILS))).toEqual([
      permit(ERC20, 5n, 77n),
      permit(ERC20, 6n, 77n),
    ])
    const permitted = { token: TOKEN, amount: 5n }
    const terms = { spender: SPENDER, nonce: 0n, deadline: 9n }
    const PERMISSIONS = { TokenPermissions: "address token,uint256 amount" }
    const LIST = "address spender,uint256 nonce,uint256 deadline"
    expect(
      beside(document(`PermitTransferFrom(TokenPermissions permitted,${LIST})`, { permitted, ...terms }, PERMISSIONS)),
    ).toEqual([permit(ERC20, 5n, 9n)])
    expect(
      beside(
        document(
          `PermitBatchTransferFrom(TokenPermissions[] permitted,${LIST})`,
          { permitted: [permitted, permitted], ...terms },
          PERMISSIONS,
        ),
      ),
    ).toEqual([permit(ERC20, 5n, 9n), permit(ERC20, 5n, 9n)])
    expect(
      beside(
        document(
          `PermitWitnessTransferFrom(TokenPermissions permitted,${LIST},Order witness)`,
          { permitted, ...terms, witness: { id: 3n } },
          { ...PERMISSIONS, Order: "uint256 id" },
        ),
      ),
    ).toEqual([permit(ERC20, 5n, 9n)])
    expect(
      beside(
        document(
          `PermitBatchWitnessTransferFrom(TokenPermissions[] permitted,${LIST},Order witness)`,
          { permitted: [permitted], ...terms, witness: { id: 3n } },
          { ...PERMISSIONS, Order: "uint256 id" },
        ),
      ),
    ).toEqual([permit(ERC20, 5n, 9n)])
  })
  test("a type of the same name and other members is no such type", () => {
    const message = { owner: OWNED, spender: SPENDER, value: 1n, nonce: 0n, deadline: 99n, extra: 1n }
    expect(kinds(read(document(`Permit(${ALLOWED},uint256 extra)`, message)))).toEqual(["typed_data"])
  })
  test("the token of a domain without a contract is not known", () => {
    const message = { owner: OWNED, spender: SPENDER, value: 1n, nonce: 0n, deadline: 99n }
    const typed = document(`Permit(${ALLOWED})`, message)
    const bare = {
      ...typed,
      types: { ...typed.types, EIP712Domain: members("uint256 chainId") },
      domain: { chainId: 1 },
    }
    expect(beside(bare)).toMatchObject([{ kind: "permit", asset: { unresolved: "the domain names no contract" } }])
  })
})

describe("Safe", () => {
  const TYPE = (gas: string) =>
    `SafeTx(address to,uint256 value,bytes data,uint8 operation,uint256 safeTxGas,uint256 ${gas},uint256 gasPrice,address gasToken,address refundReceiver,uint256 nonce)`
  const send = encodeFunctionData({
    abi: parseAbi(["function transfer(address,uint256)"]),
    args: [SPENDER, 5n],
  })
  const safeTx = (fields: Record<string, unknown>, gas = "baseGas"): Document => {
    const typed = document(TYPE(gas), {
      ...{ to: TOKEN, value: 0n, data: send, operation: 0, safeTxGas: 0n, [gas]: 0n, gasPrice: 0n },
      ...{ gasToken: ZERO, refundReceiver: ZERO, nonce: 3n, ...fields },
    })
    const types = { ...typed.types, EIP712Domain: members("uint256 chainId,address verifyingContract") }
    return { ...typed, types, domain: { chainId: 1, verifyingContract: SAFE } }
  }
  const inner: readonly Effect[] = [
    { kind: "call", from: SAFE, to: TOKEN, selector: "0xa9059cbb", data: bytesOf(send), value: 0n },
    { kind: "transfer", from: SAFE, to: SPENDER, asset: ERC20, amount: 5n },
  ]
  test("a SafeTx does what its call does, from the Safe; old versions too", () => {
    expect(beside(safeTx({}))).toEqual([...inner])
    expect(beside(safeTx({}, "dataGas"))).toEqual([...inner])
  })
  test("a delegatecall is one, and nothing in it is credited", () => {
    expect(beside(safeTx({ operation: 1 }))).toEqual([
      { kind: "delegatecall", from: SAFE, to: TOKEN, selector: "0xa9059cbb", data: bytesOf(send) },
    ])
  })
  test("a gas price pays whoever sends it without a bound", () => {
    expect(beside(safeTx({ gasPrice: 1n, refundReceiver: SPENDER })).at(-1)).toEqual({
      kind: "transfer",
      from: SAFE,
      to: SPENDER,
      asset: "eip155:1/slip44:60",
      amount: maxUint256,
    })
  })
  test("without a chain it counts on all of them, and only where the path signs for one", () => {
    const typed = safeTx({})
    const types = { ...typed.types, EIP712Domain: members("address verifyingContract") }
    const everywhere = { ...typed, types, domain: { verifyingContract: SAFE } }
    expect(read(everywhere).chain).toBe("eip155:*")
    expect(only(read(everywhere), "transfer")[0]?.asset).toBe(`eip155:*/erc20:${TOKEN.toLowerCase()}`)
    expect(codeOf("evm/typed-data", json(everywhere), contextFor(["tron:728126428"]))).toBe("E-INT-004")
  })
  test("another operation is refused; messages and operations of ERC-4337 are opaque", () => {
    expect(codeOf("evm/typed-data", json(safeTx({ operation: 2 })))).toBe("E-INT-024")
    expect(kinds(read(document("SafeMessage(bytes message)", { message: "0xabcd" })))).toEqual([
      "typed_data",
      "opaque_hash",
    ])
    const operation = {
      ...{ sender: SAFE, nonce: 0n, initCode: "0x", callData: "0x", accountGasLimits: `0x${"00".repeat(32)}` },
      ...{ preVerificationGas: 0n, gasFees: `0x${"00".repeat(32)}`, paymasterAndData: "0x" },
    }
    const type =
      "PackedUserOperation(address sender,uint256 nonce,bytes initCode,bytes callData,bytes32 accountGasLimits,uint256 preVerificationGas,bytes32 gasFees,bytes paymasterAndData)"
    expect(kinds(read(document(type, operation)))).toEqual(["typed_data", "opaque_hash"])
  })
  test("forwarded calls are calls in the name of their sender", () => {
    const type = "ForwardRequest(address from,address to,uint256 value,uint256 gas,uint256 nonce,bytes data)"
    const message = { from: OWNER.address, to: TOKEN, value: 7n, gas: 1n, nonce: 0n, data: send }
    expect(kinds(read(document(type, message)))).toEqual(["typed_data", "transfer", "call", "transfer"])
    const meta = "MetaTransaction(uint256 nonce,address from,bytes functionSignature)"
    expect(beside(document(meta, { nonce: 0n, from: OWNER.address, functionSignature: send })).at(-1)).toEqual({
      kind: "transfer",
      from: OWNER.address,
      to: SPENDER,
      asset: ERC20,
      amount: 5n,
    })
  })
})

describe("owners", () => {
  const type = "Permit(address owner,address spender,uint256 value,uint256 nonce,uint256 deadline)"
  const typed = document(type, { owner: SAFE, spender: SPENDER, value: 1n, nonce: 0n, deadline: 9n })
  test("must be the key's own address", () => {
    expect(codeOf("evm/typed-data", json(typed))).toBe("E-INT-031")
    expect(codeOf("evm/typed-data", json(typed), OFFLINE)).toBe("read")
  })
  test("or a contract account that is configured on that chain", () => {
    const evm = (chain: string) => ({ evm: { contractAccounts: [{ chain, address: SAFE }] } })
    expect(codeOf("evm/typed-data", json(typed), contextFor(["eip155:1"], evm("eip155:1")))).toBe("read")
    expect(codeOf("evm/typed-data", json(typed), contextFor(["eip155:1"], evm("eip155:10")))).toBe("E-INT-031")
  })
})

describe("viem hashes, we hash", () => {
  test("any types and values", () => {
    fc.assert(
      fc.property(arbitraryDocument, (typed) => {
        const payload = new TextEncoder().encode(json(typed))
        expect(`0x${toHex(parseTypedData(payload).digest)}`).toBe(viemDigest(typed))
      }),
      { numRuns: runs(500, 100_000) },
    )
  }, 3_600_000)
  test("no text makes the decoder throw", () => {
    const context = contextFor(["eip155:1"])
    fc.assert(
      fc.property(
        fc.oneof(
          fc.json(),
          fc.string(),
          fc.uint8Array().map((bytes) => Buffer.from(bytes).toString("latin1")),
        ),
        (text) => {
          typedDataDecoder.decode(new TextEncoder().encode(text), context)
          typedDataDecoder.decode(new TextEncoder().encode(json({ ...MAIL, types: text, message: text })), context)
        },
      ),
      { numRuns: runs(2_000, 1_000_000) },
    )
  }, 600_000)
})

describe("refused", () => {
  const text = json(MAIL)
  const changed = (change: (typed: Record<string, never>) => void): string => {
    const copy = JSON.parse(text)
    change(copy)
    return JSON.stringify(copy)
  }
  const types = (name: string, value: unknown) => changed((typed) => Object.assign(typed["types"]!, { [name]: value }))
  const message = (value: unknown) => changed((typed) => Object.assign(typed, { message: value }))
  /** A document of one member. */
  const one = (type: string, value: string): string =>
    `{"types":{"EIP712Domain":[{"name":"chainId","type":"uint256"}],"X":[{"name":"a","type":"${type}"}]},"primaryType":"X","domain":{"chainId":1},"message":{"a":${value}}}`
  const deep = `${"[".repeat(40)}${"]".repeat(40)}`

  const CASES: Readonly<Record<string, readonly [payload: string | Uint8Array, code: string]>> = {
    "no JSON": ["{", "E-INT-028"],
    "no UTF-8": [Uint8Array.of(0x22, 0xff, 0x22), "E-INT-028"],
    "a byte order mark": [`\uFEFF${text}`, "E-INT-028"],
    "a list": ["[]", "E-INT-028"],
    "trailing bytes": [`${text}x`, "E-INT-028"],
    "a second document": [text + text, "E-INT-028"],
    "a comment": [text.replace("{", "{/**/"), "E-INT-028"],
    "a trailing comma": [text.replace(/}$/, ",}"), "E-INT-028"],
    "nested too deeply": [message(JSON.parse(deep)), "E-INT-028"],
    "100 001 values": [message(Array(100_000).fill(0)), "E-INT-028"],
    "half a character": [text.replace("Hello", "\\ud800"), "E-INT-028"],
    "an escape that is none": [text.replace("Hello", "\\x41"), "E-INT-028"],
    "a line feed in a text": [text.replace("Hello", "\n"), "E-INT-028"],
    "a member twice": [text.replace('"contents":', '"contents":"x","contents":'), "E-INT-028"],
    "a member twice, once with an escape": [
      text.replace('"contents":"H', '"c\\u006fntents":"x","contents":"H'),
      "E-INT-028",
    ],
    "the whole message twice": [text.replace('"message":', '"message":{},"message":'), "E-INT-028"],
    "an undeclared member at the top": [changed((typed) => Object.assign(typed, { extra: 1 })), "E-INT-028"],
    "no domain": [text.replace('"domain"', '"domains"'), "E-INT-028"],
    "primaryType that is a number": [text.replace('"primaryType":"Mail"', '"primaryType":1'), "E-INT-028"],
    "primaryType that is not declared": [text.replace('"primaryType":"Mail"', '"primaryType":"Mall"'), "E-INT-029"],
    "primaryType __proto__": [text.replace('"primaryType":"Mail"', '"primaryType":"__proto__"'), "E-INT-029"],
    "primaryType that is the domain": [
      text.replace('"primaryType":"Mail"', '"primaryType":"EIP712Domain"'),
      "E-INT-029",
    ],
    "a type that nothing uses": [types("Extra", [{ name: "a", type: "uint256" }]), "E-INT-029"],
    "a type that contains itself": [types("Person", [{ name: "a", type: "Person[]" }]), "E-INT-029"],
    "two types that contain one another": [types("Person", [{ name: "a", type: "Mail" }]), "E-INT-029"],
    "a type that is not declared": [types("Person", [{ name: "a", type: "Other" }]), "E-INT-029"],
    "the alias uint": [types("Person", [{ name: "a", type: "uint" }]), "E-INT-029"],
    uint7: [types("Person", [{ name: "a", type: "uint7" }]), "E-INT-029"],
    uint264: [types("Person", [{ name: "a", type: "uint264" }]), "E-INT-029"],
    bytes33: [types("Person", [{ name: "a", type: "bytes33" }]), "E-INT-029"],
    "a list of length 0": [types("Person", [{ name: "a", type: "uint8[0]" }]), "E-INT-029"],
    "nine dimensions": [types("Person", [{ name: "a", type: `uint8${"[]".repeat(9)}` }]), "E-INT-029"],
    "a struct called address": [types("address", [{ name: "a", type: "uint8" }]), "E-INT-029"],
    "a struct called uint": [types("uint", [{ name: "a", type: "uint8" }]), "E-INT-029"],
    "a name with a bracket": [types("A)B(", [{ name: "a", type: "uint8" }]), "E-INT-029"],
    "a member name with a comma": [types("Person", [{ name: "a,b", type: "uint8" }]), "E-INT-029"],
    "a type with a space": [types("Person", [{ name: "a", type: "uint8 b,uint8" }]), "E-INT-029"],
    "a member of a type twice": [
      types("Person", [
        { name: "name", type: "string" },
        { name: "name", type: "string" },
      ]),
      "E-INT-029",
    ],
    "a member with a third property": [types("Person", [{ name: "a", type: "uint8", extra: 1 }]), "E-INT-029"],
    "129 types": [
      changed((typed) =>
        Object.assign(typed["types"]!, Object.fromEntries(Array.from({ length: 129 }, (_, i) => [`T${i}`, []]))),
      ),
      "E-INT-029",
    ],
    "a text of types above 64 KiB": [
      types(
        "Person",
        Array.from({ length: 1000 }, (_, i) => ({ name: `${"n".repeat(90)}${i}`, type: "uint8" })),
      ),
      "E-INT-029",
    ],
    "a domain in another order": [types("EIP712Domain", [...DOMAIN].reverse()), "E-INT-029"],
    "a domain with a member of its own": [
      types("EIP712Domain", [...DOMAIN, { name: "x", type: "string" }]),
      "E-INT-029",
    ],
    "a domain with a chainId of text": [types("EIP712Domain", [{ name: "chainId", type: "string" }]), "E-INT-029"],
    "an empty domain": [types("EIP712Domain", []), "E-INT-029"],
    "a domain that is missing": [text.replace('"EIP712Domain"', '"Domain"'), "E-INT-029"],
    "a domain inside the message": [types("Person", [{ name: "a", type: "EIP712Domain" }]), "E-INT-029"],
    "a value that is missing": [text.replace(',"contents":"Hello, Bob!"', ""), "E-INT-030"],
    "a value that is not declared": [text.replace('"contents":"H', '"extra":1,"contents":"H'), "E-INT-030"],
    "a value called __proto__": [text.replace('"contents":"H', '"__proto__":1,"contents":"H'), "E-INT-030"],
    "an undeclared member of the domain": [text.replace('"version":"1"', '"version":"1","salt":"0x"'), "E-INT-030"],
    "a struct that is null": [message({ from: null, to: null, contents: "" }), "E-INT-030"],
    "chain id 0": [text.replace('"chainId":1', '"chainId":0'), "E-INT-022"],
    "another chain": [text.replace('"chainId":1', '"chainId":2'), "E-INT-004"],
    "a chain id in hex": [text.replace('"chainId":1', '"chainId":"0x1"'), "E-INT-030"],
    "a fraction": [one("uint256", "1.5"), "E-INT-030"],
    "an exponent": [one("uint256", "1e2"), "E-INT-030"],
    "a number above 2^53": [one("uint256", "9007199254740993"), "E-INT-030"],
    "a negative uint": [one("uint256", "-1"), "E-INT-030"],
    "minus zero": [one("int256", "-0"), "E-INT-030"],
    "a leading zero": [one("uint256", '"01"'), "E-INT-030"],
    "a plus sign": [one("uint256", '"+1"'), "E-INT-030"],
    "a space in a number": [one("uint256", '" 1"'), "E-INT-030"],
    "2^256": [one("uint256", `"${2n ** 256n}"`), "E-INT-030"],
    "256 in a uint8": [one("uint8", "256"), "E-INT-030"],
    "128 in an int8": [one("int8", "128"), "E-INT-030"],
    "-129 in an int8": [one("int8", "-129"), "E-INT-030"],
    "a truth value in a uint": [one("uint8", "true"), "E-INT-030"],
    "1 as a truth value": [one("bool", "1"), "E-INT-030"],
    "31 bytes in bytes32": [one("bytes32", `"0x${"00".repeat(31)}"`), "E-INT-030"],
    "33 bytes in bytes32": [one("bytes32", `"0x${"00".repeat(33)}"`), "E-INT-030"],
    "odd hex": [one("bytes", '"0x123"'), "E-INT-030"],
    "hex without 0x": [one("bytes", '"1234"'), "E-INT-030"],
    "a number as a text": [one("string", "1"), "E-INT-030"],
    "null as a text": [one("string", "null"), "E-INT-030"],
    "a list with an item too many": [one("uint8[2]", "[1,2,3]"), "E-INT-030"],
    "a list that is none": [one("uint8[]", "1"), "E-INT-030"],
    "an address with a wrong checksum": [text.replace("0xCD2a", "0xcD2a"), "E-INT-032"],
    "an address of 19 bytes": [one("address", `"0x${"11".repeat(19)}"`), "E-INT-032"],
    "an address as a number": [one("address", "1"), "E-INT-030"],
    "an ENS name as an address": [one("address", '"vitalik.eth"'), "E-INT-032"],
  }
  for (const [name, [payload, code]] of Object.entries(CASES)) {
    test(name, () => expect(codeOf("evm/typed-data", payload)).toBe(code))
  }
  test("an address in lower or in upper case needs no checksum", () => {
    const lower = `0x${"ab".repeat(20)}`
    for (const written of [lower, `0x${"AB".repeat(20)}`]) {
      const found = reading("evm/typed-data", one("address", `"${written}"`))
      expect(digestOf(found)).toBe(viemDigest(JSON.parse(one("address", `"${lower}"`))))
    }
  })
  test("the place of a problem is its member", () => {
    const decoded = decode("evm/typed-data", one("uint8[2]", "[1,256]"))
    expect(isProblem(decoded) && decoded.at).toBe("message.a[1]")
  })
  test("a megabyte of anything is refused or read in linear time", () => {
    const size = 1_000_000
    const payloads = [
      "[".repeat(size),
      `"${"\\\\".repeat(size / 2)}`,
      `{${'"a":{'.repeat(size / 5)}`,
      one("bytes", `"0x${"00".repeat(size / 2)}"`),
      one("uint8[]", `[${"1,".repeat(90_000)}1]`),
      message(Object.fromEntries(Array.from({ length: 90_000 }, (_, i) => [`k${i}`, 0]))),
    ]
    const start = performance.now()
    for (const payload of payloads) decode("evm/typed-data", payload)
    expect(performance.now() - start).toBeLessThan(20_000)
  })
})

describe("evm/message", () => {
  const message = (payload: string | Uint8Array): Reading => reading("evm/message", payload)
  test("known digests", () => {
    const hello = message(stringToHex("hello world"))
    expect(digestOf(hello)).toBe("0xd9eba16ed0ecae432b71fe008c98cc872bb4cc214d3220a36f365326cf807d68")
    expect([hello.chain, hello.from, hello.fee.max]).toEqual(["eip155:*", [OWNER.address], 0n])
    expect(hello.effects).toEqual([{ kind: "message", from: OWNER.address, text: "hello world" }])
  })
  test("viem hashes the same, whatever the bytes", () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1, maxLength: 200 }), (bytes) => {
        const found = message(bytes)
        expect(digestOf(found)).toBe(hashMessage({ raw: bytes }))
        expect(found.effects).toHaveLength(1)
        const [effect] = found.effects
        if (effect?.kind === "message") expect(new TextEncoder().encode(effect.text)).toEqual(bytes)
        else expect(effect?.kind).toBe("opaque_hash")
      }),
      { numRuns: runs(1_000, 100_000) },
    )
  }, 600_000)
  test("32 bytes are a hash, even if they are text; what people cannot see is opaque", () => {
    const opaque = [
      new Uint8Array(32),
      "thirty-two letters of plain text",
      Uint8Array.of(0xff, 0xfe),
      "pay \u202e0001",
      "zero\u200bwidth",
      "null\u0000byte",
    ].map((payload) => kinds(message(payload))[0])
    expect(opaque).toEqual(Array<string>(6).fill("opaque_hash"))
    expect(only(message("thirty-two letters of plain text"), "opaque_hash")[0]?.hash).toEqual(
      new TextEncoder().encode("thirty-two letters of plain text"),
    )
    expect(kinds(message("line one\nline two\tGrüße, 世界"))).toEqual(["message"])
  })
  test("only where the path signs for an EVM chain, with ECDSA, once", () => {
    const [asked = MAINNET.messages[0]!] = MAINNET.messages
    const codes = [
      contextFor(["tron:728126428"]),
      contextFor([]),
      { ...MAINNET, curve: "ed25519" as const },
      { ...MAINNET, messages: [asked, asked] },
      OFFLINE,
    ].map((context) => codeOf("evm/message", "hello", context))
    expect(codes).toEqual(["E-INT-004", "E-INT-004", "E-INT-008", "E-INT-006", "read"])
  })
})
