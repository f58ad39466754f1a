/** Call data: every known method as viem encodes it, calls inside calls, Safes, and sloppy encodings. */
import { describe, expect, test } from "bun:test"
import fc from "fast-check"
import {
  type Abi,
  encodeFunctionData,
  encodePacked,
  getAddress,
  type Hex,
  maxUint256,
  parseAbi,
  serializeTransaction,
  toFunctionSelector,
} from "viem"
import { decodeArguments } from "../../../src/intent/evm/abi.ts"
import { parseSignature } from "../../../src/intent/evm/abiType.ts"
import { BATCH_METHODS } from "../../../src/intent/evm/batches.ts"
import { SAFE_METHODS } from "../../../src/intent/evm/safe.ts"
import { TOKEN_METHODS } from "../../../src/intent/evm/tokens.ts"
import { attempt } from "../../../src/intent/problem.ts"
import type { Effect, Reading } from "../../../src/intent/reading.ts"
import { bytesOf, codeOf, kinds, OWNER, only, reading } from "./kit.ts"

const TOKEN = "0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48"
const ERC20 = `eip155:1/erc20:${TOKEN.toLowerCase()}`
const ETH = "eip155:1/slip44:60"
const A = getAddress("0x00000000000000000000000000000000000000aa")
const B = getAddress("0x00000000000000000000000000000000000000bb")
const C = getAddress("0x00000000000000000000000000000000000000cc")
const ZERO = "0x0000000000000000000000000000000000000000"
const HASH: Hex = `0x${"ab".repeat(32)}`
const FROM = OWNER.address

const call = (signature: string, ...args: readonly unknown[]): Hex =>
  encodeFunctionData({ abi: parseAbi([`function ${signature}`] as readonly string[]) as Abi, args: [...args] })

const transactionOf = (data: Hex, to: Hex = TOKEN, value = 0n): Hex =>
  serializeTransaction({ type: "eip1559", chainId: 1, gas: 100_000n, maxFeePerGas: 1n, to, data, value })

const read = (data: Hex, to: Hex = TOKEN, value = 0n): Reading =>
  reading("evm/transaction", transactionOf(data, to, value))

/** What stands beside the outer call. */
const beside = (data: Hex, to: Hex = TOKEN): readonly Effect[] => {
  const [outer, ...rest] = read(data, to).effects
  expect(outer?.kind).toBe("call")
  return rest
}

const transfer = (from: string, to: string, asset: string, amount: bigint, tokenId?: bigint): Effect => ({
  kind: "transfer",
  from,
  to,
  asset,
  amount,
  ...(tokenId === undefined ? {} : { tokenId }),
})
const approve = (spender: string, asset: string, amount: bigint): Effect => ({
  kind: "approve",
  from: FROM,
  spender,
  asset,
  amount,
})
/** Signatures of the methods that are known. */
const KNOWN_METHODS = [...TOKEN_METHODS, ...BATCH_METHODS, ...SAFE_METHODS].map(({ signature }) => signature.text)
const NFT = `eip155:1/erc721:${TOKEN.toLowerCase()}`
const MULTI = `eip155:1/erc1155:${TOKEN.toLowerCase()}`

describe("selectors", () => {
  test("are those that viem works out", () => {
    for (const text of KNOWN_METHODS) expect(parseSignature(text).selector).toBe(toFunctionSelector(text))
    expect(new Set(KNOWN_METHODS.map((text) => parseSignature(text).selector)).size).toBe(KNOWN_METHODS.length)
  })
  test("are those that the standards print", () => {
    const printed: Readonly<Record<string, string>> = {
      "transfer(address,uint256)": "0xa9059cbb",
      "transferFrom(address,address,uint256)": "0x23b872dd",
      "approve(address,uint256)": "0x095ea7b3",
      "increaseAllowance(address,uint256)": "0x39509351",
      "setApprovalForAll(address,bool)": "0xa22cb465",
      "safeTransferFrom(address,address,uint256)": "0x42842e0e",
      "safeTransferFrom(address,address,uint256,bytes)": "0xb88d4fde",
      "safeTransferFrom(address,address,uint256,uint256,bytes)": "0xf242432a",
      "safeBatchTransferFrom(address,address,uint256[],uint256[],bytes)": "0x2eb2c2d6",
      "permit(address,address,uint256,uint256,uint8,bytes32,bytes32)": "0xd505accf",
      "permit(address,address,uint256,uint256,bool,uint8,bytes32,bytes32)": "0x8fcbaf0c",
      "withdraw(uint256)": "0x2e1a7d4d",
      "multicall(bytes[])": "0xac9650d8",
      "multicall(uint256,bytes[])": "0x5ae401dc",
      "multicall(bytes32,bytes[])": "0x1f0464d1",
      "aggregate3((address,bool,bytes)[])": "0x82ad56cb",
      "execTransaction(address,uint256,bytes,uint8,uint256,uint256,uint256,address,address,bytes)": "0x6a761202",
      "multiSend(bytes)": "0x8d80ff0a",
      "approveHash(bytes32)": "0xd4d9bdcd",
      "addOwnerWithThreshold(address,uint256)": "0x0d582f13",
      "enableModule(address)": "0x610b5925",
      "setGuard(address)": "0xe19a9dd9",
    }
    for (const [text, selector] of Object.entries(printed)) {
      expect([KNOWN_METHODS.includes(text), parseSignature(text).selector]).toEqual([true, selector])
    }
  })
})

describe("tokens", () => {
  const sig = [27, HASH, HASH] as const
  const CASES: readonly (readonly [data: Hex, ...effects: readonly Effect[]])[] = [
    [call("transfer(address,uint256)", A, 5n), transfer(FROM, A, ERC20, 5n)],
    [call("transfer(address,uint256)", ZERO, maxUint256), transfer(FROM, ZERO, ERC20, maxUint256)],
    [call("transferFrom(address,address,uint256)", A, B, 5n), transfer(A, B, ERC20, 5n)],
    [call("approve(address,uint256)", A, maxUint256), approve(A, ERC20, maxUint256)],
    [call("increaseAllowance(address,uint256)", A, 7n), approve(A, ERC20, 7n)],
    [call("increaseApproval(address,uint256)", A, 7n), approve(A, ERC20, 7n)],
    [call("transferAndCall(address,uint256)", A, 7n), transfer(FROM, A, ERC20, 7n)],
    [call("transferAndCall(address,uint256,bytes)", A, 7n, "0xab"), transfer(FROM, A, ERC20, 7n)],
    [call("transferFromAndCall(address,address,uint256)", A, B, 7n), transfer(A, B, ERC20, 7n)],
    [call("transferFromAndCall(address,address,uint256,bytes)", A, B, 7n, "0xab"), transfer(A, B, ERC20, 7n)],
    [call("approveAndCall(address,uint256)", A, 7n), approve(A, ERC20, 7n)],
    [call("approveAndCall(address,uint256,bytes)", A, 7n, "0xab"), approve(A, ERC20, 7n)],
    [
      call("permit(address,address,uint256,uint256,uint8,bytes32,bytes32)", A, B, 5n, 99n, ...sig),
      { kind: "permit", from: A, spender: B, asset: ERC20, amount: 5n, deadline: 99n },
    ],
    [
      call("permit(address,address,uint256,uint256,bytes)", A, B, 5n, 99n, "0xabcd"),
      { kind: "permit", from: A, spender: B, asset: ERC20, amount: 5n, deadline: 99n },
    ],
    [
      call("permit(address,address,uint256,uint256,bool,uint8,bytes32,bytes32)", A, B, 5n, 99n, true, ...sig),
      { kind: "permit", from: A, spender: B, asset: ERC20, amount: maxUint256, deadline: 99n },
    ],
    [
      call("permit(address,address,uint256,uint256,bool,uint8,bytes32,bytes32)", A, B, 5n, 99n, false, ...sig),
      { kind: "permit", from: A, spender: B, asset: ERC20, amount: 0n, deadline: 99n },
    ],
    [
      call(
        "transferWithAuthorization(address,address,uint256,uint256,uint256,bytes32,uint8,bytes32,bytes32)",
        ...[A, B, 5n, 0n, 9n, HASH, ...sig],
      ),
      transfer(A, B, ERC20, 5n),
    ],
    [
      call(
        "receiveWithAuthorization(address,address,uint256,uint256,uint256,bytes32,bytes)",
        ...[A, B, 5n, 0n, 9n, HASH, "0x01"],
      ),
      transfer(A, B, ERC20, 5n),
    ],
    [call("safeTransferFrom(address,address,uint256)", A, B, 77n), transfer(A, B, NFT, 1n, 77n)],
    [call("safeTransferFrom(address,address,uint256,bytes)", A, B, 77n, "0xab"), transfer(A, B, NFT, 1n, 77n)],
    [
      call("safeTransferFrom(address,address,uint256,uint256,bytes)", A, B, 77n, 3n, "0xab"),
      transfer(A, B, MULTI, 3n, 77n),
    ],
    [
      call("safeBatchTransferFrom(address,address,uint256[],uint256[],bytes)", A, B, [1n, 2n], [3n, 4n], "0x"),
      transfer(A, B, MULTI, 3n, 1n),
      transfer(A, B, MULTI, 4n, 2n),
    ],
    [call("setApprovalForAll(address,bool)", A, true), approve(A, NFT, maxUint256)],
    [call("setApprovalForAll(address,bool)", A, false), approve(A, NFT, 0n)],
    [
      call("approve(address,address,uint160,uint48)", TOKEN, A, 5n, 99),
      { ...approve(A, ERC20, 5n), deadline: 99n } as Effect,
    ],
    [call("transferFrom(address,address,uint160,address)", A, B, 5n, TOKEN), transfer(A, B, ERC20, 5n)],
    [
      call("transferFrom((address,address,uint160,address)[])", [
        [A, B, 5n, TOKEN],
        [B, C, 6n, TOKEN],
      ]),
      transfer(A, B, ERC20, 5n),
      transfer(B, C, ERC20, 6n),
    ],
    [
      call(
        "permit(address,((address,uint160,uint48,uint48),address,uint256),bytes)",
        A,
        [[TOKEN, 5n, 99, 0], B, 1n],
        "0xab",
      ),
      { kind: "permit", from: A, spender: B, asset: ERC20, amount: 5n, deadline: 99n },
    ],
    [
      call(
        "permit(address,((address,uint160,uint48,uint48)[],address,uint256),bytes)",
        ...[A, [[[TOKEN, 5n, 99, 0]], B, 1n], "0xab"],
      ),
      { kind: "permit", from: A, spender: B, asset: ERC20, amount: 5n, deadline: 99n },
    ],
    [
      call(
        "permitTransferFrom(((address,uint256),uint256,uint256),(address,uint256),address,bytes)",
        ...[[[TOKEN, 5n], 0n, 9n], [B, 4n], A, "0xab"],
      ),
      transfer(A, B, ERC20, 4n),
    ],
    [
      call(
        "permitTransferFrom(((address,uint256)[],uint256,uint256),(address,uint256)[],address,bytes)",
        ...[[[[TOKEN, 5n]], 0n, 9n], [[B, 4n]], A, "0xab"],
      ),
      transfer(A, B, ERC20, 4n),
    ],
    [
      call(
        "permitWitnessTransferFrom(((address,uint256),uint256,uint256),(address,uint256),address,bytes32,string,bytes)",
        ...[[[TOKEN, 5n], 0n, 9n], [B, 4n], A, HASH, "W w)", "0xab"],
      ),
      transfer(A, B, ERC20, 4n),
    ],
  ]
  for (const [data, ...effects] of CASES) {
    const name = KNOWN_METHODS.find((text) => parseSignature(text).selector === data.slice(0, 10)) ?? "unknown"
    test(name, () => expect(beside(data)).toEqual([...effects]))
  }
  test("of wrapped native assets: what goes in is the value, what comes out is burnt", () => {
    const WETH = "0xC02aaA39b223FE8D0A0e5C4F27eAD9083C756Cc2"
    expect(kinds(read(call("deposit()"), WETH, 5n))).toEqual(["transfer", "call"])
    expect(beside(call("withdraw(uint256)", 5n), WETH)).toEqual([
      transfer(FROM, WETH, `eip155:1/erc20:${WETH.toLowerCase()}`, 5n),
    ])
    expect(beside(call("withdraw(uint256)", 5n))).toEqual([])
  })
})

describe("calls inside calls", () => {
  const send = call("transfer(address,uint256)", A, 5n)
  const unlimited = call("approve(address,uint256)", B, maxUint256)

  test("multicall runs in the contract itself, in the name of the sender", () => {
    const inner: readonly Effect[] = [
      { kind: "call", from: FROM, to: TOKEN, selector: "0xa9059cbb", data: bytesOf(send), value: 0n },
      transfer(FROM, A, ERC20, 5n),
      { kind: "call", from: FROM, to: TOKEN, selector: "0x095ea7b3", data: bytesOf(unlimited), value: 0n },
      approve(B, ERC20, maxUint256),
    ]
    expect(beside(call("multicall(bytes[])", [send, unlimited]))).toEqual([...inner])
    expect(beside(call("multicall(uint256,bytes[])", 9n, [send, unlimited]))).toEqual([...inner])
    expect(beside(call("multicall(bytes32,bytes[])", HASH, [send, unlimited]))).toEqual([...inner])
  })
  test("Multicall3 calls from its own address, with values", () => {
    const effects = beside(
      call("aggregate3Value((address,bool,uint256,bytes)[])", [
        [TOKEN, false, 0n, send],
        [A, true, 7n, "0x"],
      ]),
      C,
    )
    expect(effects).toEqual([
      { kind: "call", from: C, to: TOKEN, selector: "0xa9059cbb", data: bytesOf(send), value: 0n },
      transfer(C, A, ERC20, 5n),
      transfer(C, A, ETH, 7n),
    ])
    const rows = [[TOKEN, send]]
    for (const data of [
      call("aggregate((address,bytes)[])", rows),
      call("blockAndAggregate((address,bytes)[])", rows),
      call("tryAggregate(bool,(address,bytes)[])", true, rows),
      call("tryBlockAndAggregate(bool,(address,bytes)[])", true, rows),
      call("aggregate3((address,bool,bytes)[])", [[TOKEN, true, send]]),
    ]) {
      expect(beside(data, C)).toEqual(effects.slice(0, 2))
    }
  })
  test("a contract account calls from its own address", () => {
    const inner: readonly Effect[] = [
      transfer(C, A, ETH, 7n),
      { kind: "call", from: C, to: TOKEN, selector: "0xa9059cbb", data: bytesOf(send), value: 0n },
      transfer(C, A, ERC20, 5n),
    ]
    const rows = [
      [A, 7n, "0x"],
      [TOKEN, 0n, send],
    ]
    expect(beside(call("execute(address,uint256,bytes)", A, 7n, "0x"), C)).toEqual(inner.slice(0, 1))
    expect(beside(call("executeBatch((address,uint256,bytes)[])", rows), C)).toEqual([...inner])
    const lists = "executeBatch(address[],uint256[],bytes[])"
    expect(beside(call(lists, [A, TOKEN], [7n, 0n], ["0x", send]), C)).toEqual([...inner])
    for (const [values, calls] of [
      [[7n], ["0x", send]],
      [[7n, 0n], ["0x"]],
      [
        [7n, 0n, 0n],
        ["0x", send],
      ],
    ] as const) {
      const data = call(lists, [A, TOKEN], values, calls)
      expect(codeOf("evm/transaction", transactionOf(data, C))).toBe("E-INT-024")
    }
  })
  test("eight levels are read, nine are refused", () => {
    const nested = (levels: number): Hex =>
      levels === 0 ? unlimited : call("multicall(bytes[])", [nested(levels - 1)])
    expect(only(read(nested(8)), "approve")).toHaveLength(1)
    expect(codeOf("evm/transaction", transactionOf(nested(9)))).toBe("E-INT-009")
  })
  test("4096 effects are read, more are refused", () => {
    const batch = (count: number): Hex => call("multicall(bytes[])", Array<Hex>(count).fill("0xdeadbeef"))
    expect(read(batch(4095)).effects).toHaveLength(4096)
    expect(codeOf("evm/transaction", transactionOf(batch(4096)))).toBe("E-INT-003")
  })
})

describe("Safe", () => {
  const SAFE = C
  const exec = (
    data: Hex,
    operation: number,
    gasPrice = 0n,
    to: Hex = TOKEN,
    value = 0n,
    token = ZERO,
    receiver = ZERO,
  ) =>
    call(
      "execTransaction(address,uint256,bytes,uint8,uint256,uint256,uint256,address,address,bytes)",
      ...[to, value, data, operation, 0n, 0n, gasPrice, token, receiver, "0xabcd"],
    )
  const send = call("transfer(address,uint256)", A, 5n)
  const packed = (operation: number, to: Hex, value: bigint, data: Hex): Hex =>
    encodePacked(
      ["uint8", "address", "uint256", "uint256", "bytes"],
      [operation, to, value, BigInt(data.length / 2 - 1), data],
    )
  const multiSend = (...calls: readonly Hex[]): Hex =>
    call("multiSend(bytes)", `0x${calls.map((one) => one.slice(2)).join("")}`)

  test("a call is the Safe's", () => {
    expect(beside(exec(send, 0), SAFE)).toEqual([
      { kind: "call", from: SAFE, to: TOKEN, selector: "0xa9059cbb", data: bytesOf(send), value: 0n },
      transfer(SAFE, A, ERC20, 5n),
    ])
    expect(beside(exec("0x", 0, 0n, A, 9n), SAFE)).toEqual([transfer(SAFE, A, ETH, 9n)])
    expect(beside(exec("0x", 0, 0n, SAFE), SAFE)).toEqual([{ kind: "self", from: SAFE }])
  })
  test("a delegatecall is one, and nothing in its data is credited", () => {
    expect(beside(exec(send, 1), SAFE)).toEqual([
      { kind: "delegatecall", from: SAFE, to: TOKEN, selector: "0xa9059cbb", data: bytesOf(send) },
    ])
  })
  test("multiSend is a delegatecall with its calls beside it; a delegatecall inside it stays closed", () => {
    const data = multiSend(packed(0, A, 3n, "0x"), packed(0, TOKEN, 0n, send), packed(1, B, 0n, send))
    expect(beside(exec(data, 1, 0n, B), SAFE)).toEqual([
      { kind: "delegatecall", from: SAFE, to: B, selector: "0x8d80ff0a", data: bytesOf(data) },
      transfer(SAFE, A, ETH, 3n),
      { kind: "call", from: SAFE, to: TOKEN, selector: "0xa9059cbb", data: bytesOf(send), value: 0n },
      transfer(SAFE, A, ERC20, 5n),
      { kind: "delegatecall", from: SAFE, to: B, selector: "0xa9059cbb", data: bytesOf(send) },
    ])
    expect(beside(multiSend(packed(0, A, 3n, "0x")), B)).toEqual([transfer(B, A, ETH, 3n)])
  })
  test("a gas price above 0 pays without a bound", () => {
    expect(beside(exec("0x", 0, 1n, A, 1n), SAFE)).toEqual([
      transfer(SAFE, A, ETH, 1n),
      {
        kind: "transfer",
        from: SAFE,
        to: { unresolved: "whoever sends the transaction" },
        asset: ETH,
        amount: maxUint256,
      },
    ])
    expect(beside(exec("0x", 0, 1n, A, 1n, TOKEN, B), SAFE)[1]).toEqual(transfer(SAFE, B, ERC20, maxUint256))
  })
  test("a module's transaction is the Safe's too", () => {
    for (const name of ["execTransactionFromModule", "execTransactionFromModuleReturnData"]) {
      expect(beside(call(`${name}(address,uint256,bytes,uint8)`, A, 5n, "0x", 0), SAFE)).toEqual([
        transfer(SAFE, A, ETH, 5n),
      ])
    }
  })
  test("an approved hash is opaque", () => {
    expect(only(read(call("approveHash(bytes32)", HASH), SAFE), "opaque_hash")[0]).toMatchObject({
      from: FROM,
      to: SAFE,
      hash: bytesOf(HASH),
    })
  })
  test("whoever may act for it is set_authority", () => {
    const set = (role: string, action: string, authority?: string, threshold?: bigint) => ({
      kind: "set_authority",
      from: SAFE,
      role,
      action,
      ...(authority === undefined ? {} : { authority }),
      ...(threshold === undefined ? {} : { threshold }),
    })
    const cases: readonly (readonly [Hex, ...(readonly object[])])[] = [
      [call("addOwnerWithThreshold(address,uint256)", A, 2n), set("owner", "add", A, 2n)],
      [call("removeOwner(address,address,uint256)", B, A, 1n), set("owner", "remove", A, 1n)],
      [call("swapOwner(address,address,address)", ZERO, A, B), set("owner", "remove", A), set("owner", "add", B)],
      [call("changeThreshold(uint256)", 1n), set("threshold", "set", undefined, 1n)],
      [call("enableModule(address)", A), set("module", "add", A)],
      [call("disableModule(address,address)", B, A), set("module", "remove", A)],
      [call("setGuard(address)", A), set("guard", "set", A)],
      [call("setGuard(address)", ZERO), set("guard", "set")],
      [call("setModuleGuard(address)", A), set("module_guard", "set", A)],
      [call("setFallbackHandler(address)", A), set("fallback_handler", "set", A)],
      [call("changeMasterCopy(address)", A), set("implementation", "set", A)],
      [call("transferOwnership(address)", A), set("owner", "set", A)],
      [call("renounceOwnership()"), set("owner", "set")],
      [call("grantRole(bytes32,address)", HASH, A), set(`role ${HASH}`, "add", A)],
      [call("revokeRole(bytes32,address)", HASH, A), set(`role ${HASH}`, "remove", A)],
      [call("upgradeTo(address)", A), set("implementation", "set", A)],
      [
        call("upgradeToAndCall(address,bytes)", A, "0xdeadbeef"),
        set("implementation", "set", A),
        { kind: "delegatecall", from: SAFE, to: A, selector: "0xdeadbeef", data: bytesOf("0xdeadbeef") },
      ],
      [
        call(
          "setup(address[],uint256,address,bytes,address,address,uint256,address)",
          [A, B],
          2n,
          C,
          "0x01",
          A,
          ZERO,
          5n,
          B,
        ),
        set("owner", "add", A, 2n),
        set("owner", "add", B, 2n),
        { kind: "delegatecall", from: SAFE, to: C, selector: "0x01", data: bytesOf("0x01") },
        set("fallback_handler", "set", A),
        transfer(SAFE, B, ETH, 5n),
      ],
    ]
    for (const [data, ...effects] of cases) expect(beside(data, SAFE)).toEqual(effects as readonly Effect[] as Effect[])
    // the same through the Safe itself, as owners do it
    const inner = call("enableModule(address)", A)
    expect(
      only(reading("evm/transaction", transactionOf(exec(inner, 0, 0n, SAFE), SAFE)), "set_authority"),
    ).toHaveLength(1)
  })
  test("another operation, a batch that is cut, a call that reaches too far: refused", () => {
    const cut = packed(0, A, 3n, "0xabcd").slice(0, -2) as Hex
    const codes = [exec(send, 2), multiSend(cut), multiSend(packed(2, A, 0n, "0x")), exec(multiSend(cut), 1)].map(
      (data) => codeOf("evm/transaction", transactionOf(data, SAFE)),
    )
    expect(codes).toEqual(["E-INT-024", "E-INT-025", "E-INT-024", "E-INT-025"])
  })
})

describe("arguments", () => {
  const send = call("transfer(address,uint256)", A, 5n)
  test("sloppy encodings that contracts take are refused: two readers could disagree about them", () => {
    const dirty = send.replace("0".repeat(24), `1${"0".repeat(23)}`) as Hex
    const batch = call("multicall(bytes[])", ["0xdeadbeef"])
    const gap = batch.replace(
      /0{63}1(0{62}20)/,
      (_, offset: string) => `${"0".repeat(63)}1${offset.slice(0, -2)}40${"0".repeat(64)}`,
    ) as Hex
    const plain: readonly string[] = batch.slice(10).match(/.{64}/g) ?? []
    const words = plain.with(0, "40".padStart(64, "0"))
    const codes: readonly string[] = [
      `${send}00`,
      `${send}${"00".repeat(32)}`,
      send.slice(0, -2),
      send.slice(0, 10),
      dirty,
      gap,
      `${batch.slice(0, 10)}${words.join("")}`,
      batch.replace("deadbeef00", "deadbeef01"),
      call("setApprovalForAll(address,bool)", A, true).replace(/1$/, "2"),
      `0xac9650d8${"20".padStart(64, "0")}${"ff".repeat(32)}`,
      `0xac9650d8${"20".padStart(64, "0")}${"ffffff".padStart(64, "0")}`,
    ].map((data) => codeOf("evm/transaction", transactionOf(data as Hex)))
    expect(codes).toEqual(Array<string>(11).fill("E-INT-025"))
  })
  test("lists that share their bytes are refused, so work is bounded by size", () => {
    const pointer = "40".padStart(64, "0")
    const data = `0xac9650d8${"20".padStart(64, "0")}${"2".padStart(64, "0")}${pointer}${pointer}${"0".repeat(64)}`
    expect(codeOf("evm/transaction", transactionOf(data as Hex))).toBe("E-INT-025")
  })
  test("of known methods, at random: read or refused, and nothing is thrown", () => {
    const word = fc.oneof(fc.constantFrom(0n, 1n, 2n, 32n, 64n, 96n, 128n, 160n, 192n, 256n), fc.bigInt(0n, maxUint256))
    const words = fc.array(word, { maxLength: 24 })
    let taken = 0
    fc.assert(
      fc.property(fc.constantFrom(...KNOWN_METHODS), words, fc.uint8Array({ maxLength: 3 }), (text, list, rest) => {
        const body = list.map((one) => one.toString(16).padStart(64, "0")).join("")
        const data = `${parseSignature(text).selector}${body}${Buffer.from(rest).toString("hex")}` as Hex
        if (codeOf("evm/transaction", transactionOf(data)) === "read") taken++
      }),
      { numRuns: process.env["COSIGNER_LONG"] === "1" ? 1_000_000 : 2_000 },
    )
    expect(taken).toBeGreaterThan(0)
  }, 3_600_000)
  test("of any types are read as viem writes them, and no changed byte is read as the same", () => {
    const TYPES = "address,bool,uint8,int16,bytes,string,bytes4,(uint256,bytes)[],uint8[2][],int256,(address,bool)"
    const { parameters } = parseSignature(`f(${TYPES})`)
    const arbitrary = fc.tuple(
      fc.constant(A),
      fc.boolean(),
      fc.integer({ min: 0, max: 255 }),
      fc.integer({ min: -32768, max: 32767 }),
      fc.uint8Array({ maxLength: 70 }),
      fc.string({ maxLength: 40 }),
      fc.array(fc.tuple(fc.bigInt(0n, maxUint256), fc.uint8Array({ maxLength: 40 })), { maxLength: 4 }),
      fc.array(fc.tuple(fc.nat(255), fc.nat(255)), { maxLength: 3 }),
      fc.bigInt(-(2n ** 255n), 2n ** 255n - 1n),
    )
    fc.assert(
      fc.property(arbitrary, fc.nat(), fc.integer({ min: 1, max: 255 }), (values, place, flip) => {
        const [address, bool, small, signed, bytes, text, rows, pairs, large] = values
        const hex = (part: Uint8Array): Hex => `0x${Buffer.from(part).toString("hex")}`
        const data = bytesOf(
          call(
            `f(${TYPES})`,
            ...[address, bool, small, signed, hex(bytes), text, "0xdeadbeef"],
            ...[rows.map(([n, part]) => [n, hex(part)]), pairs, large, [B, true]],
          ),
        ).subarray(4)
        const read = decodeArguments(parameters, data, "data")
        expect(read.address(0)).toBe(address)
        expect(read.bool(1)).toBe(bool)
        expect([read.uint(2), read.uint(3), read.uint(9)]).toEqual([BigInt(small), BigInt(signed), large])
        expect(Buffer.from(read.bytes(4)).equals(bytes)).toBe(true)
        expect(new TextDecoder("utf-8", { ignoreBOM: true }).decode(read.bytes(5))).toBe(text)
        expect(read.bytes(6)).toEqual(bytesOf("0xdeadbeef"))
        expect(read.rows(7).map((row) => [row.uint(0), hex(row.bytes(1))])).toEqual(
          rows.map(([n, part]) => [n, hex(part)]),
        )
        expect(read.args(8).values.map((_, i) => read.args(8).uints(i))).toEqual(pairs.map((pair) => pair.map(BigInt)))
        expect([read.args(10).address(0), read.args(10).bool(1)]).toEqual([B, true])
        const changed = data.slice()
        changed[place % data.length] = (changed[place % data.length] ?? 0) ^ flip
        const other = attempt(() => decodeArguments(parameters, changed, "data"))
        expect(other).not.toEqual(read)
      }),
      { numRuns: 300 },
    )
  })
})
