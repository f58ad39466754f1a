/** `evm/transaction` and `evm/authorization`: the EIPs' own vectors, viem as second implementation, and what is refused. */
import { describe, expect, test } from "bun:test"
import fc from "fast-check"
import { RLP } from "micro-eth-signer/core/rlp.js"
import {
  getContractAddress,
  type Hex,
  keccak256,
  serializeTransaction,
  type TransactionSerializable,
  toRlp,
} from "viem"
import { hashAuthorization } from "viem/utils"
import { transactionDecoder } from "../../../src/intent/evm/transaction.ts"
import { isProblem } from "../../../src/intent/reading.ts"
import { arbitraryTransaction, CHAINS, encodeTransaction, readingOf, signedAuthorization } from "./arbitrary.ts"
import {
  bytesOf,
  codeOf,
  contextFor,
  decode,
  digestOf,
  kinds,
  MAINNET,
  OFFLINE,
  OTHER,
  OWNER,
  only,
  PATH,
  reading,
} from "./kit.ts"

const TO = "0x3535353535353535353535353535353535353535"
const ETH = "eip155:1/slip44:60"
const LONG = process.env["COSIGNER_LONG"] === "1"

/** The context for any chain of the generator. */
const ANY = contextFor(CHAINS.map((id) => `eip155:${id}`))

/** The example of EIP-155: unsigned bytes and the hash that is signed. */
const EIP155 = {
  payload: "0xec098504a817c800825208943535353535353535353535353535353535353535880de0b6b3a764000080018080",
  digest: "0xdaf5a779ae972f972197303d7b574746c7ef83eadac0f2791ad23db92e4c8e53",
}

const eip1559 = (fields: Partial<TransactionSerializable> = {}): Hex =>
  serializeTransaction({
    type: "eip1559",
    chainId: 1,
    nonce: 7,
    maxFeePerGas: 100n,
    maxPriorityFeePerGas: 1n,
    gas: 21_000n,
    to: TO,
    value: 5n,
    ...fields,
  } as TransactionSerializable)

describe("the example of EIP-155", () => {
  test("digest, fields, sender of the key 0x4646…", () => {
    const read = reading("evm/transaction", EIP155.payload)
    expect(digestOf(read)).toBe(EIP155.digest)
    expect(read).toEqual({
      format: "evm/transaction",
      chain: "eip155:1",
      from: ["0x9d8A62f656a8d1615C1294fd71e9CFb3E4855A4F"],
      effects: [
        {
          kind: "transfer",
          from: "0x9d8A62f656a8d1615C1294fd71e9CFb3E4855A4F",
          to: TO,
          asset: ETH,
          amount: 10n ** 18n,
        },
      ],
      fee: { max: 21_000n * 20_000_000_000n, asset: ETH, unbounded: false },
      nonce: "9",
      signs: [{ path: PATH, bytes: bytesOf(EIP155.digest) }],
    })
  })
  test("without a key the sender is not known, and the rest is read", () => {
    const read = reading("evm/transaction", EIP155.payload, OFFLINE)
    expect(read.from).toEqual([])
    expect(only(read, "transfer")[0]?.from).toEqual({ unresolved: "the signer" })
    expect(read.signs).toEqual([{ path: undefined, bytes: bytesOf(EIP155.digest) }])
  })
})

describe("viem encodes, we decode", () => {
  test(
    "every field and the digest of transactions of every type",
    () => {
      fc.assert(
        fc.property(arbitraryTransaction, (transaction) => {
          const payload = encodeTransaction(transaction)
          const read = reading("evm/transaction", payload, ANY)
          const { signs, format, ...rest } = read
          expect(rest).toEqual(readingOf(transaction))
          expect(digestOf(read)).toBe(keccak256(payload))
          expect([format, signs[0]?.path]).toEqual(["evm/transaction", PATH])
        }),
        { numRuns: LONG ? 100_000 : 500 },
      )
    },
    LONG ? 3_600_000 : 60_000,
  )
  test("a third reader takes what we take", () => {
    fc.assert(
      fc.property(arbitraryTransaction, (transaction) => {
        const payload = bytesOf(encodeTransaction(transaction))
        const body = (payload[0] ?? 0) >= 0xc0 ? payload : payload.subarray(1)
        expect(RLP.encode(RLP.decode(body))).toEqual(body)
      }),
      { numRuns: 100 },
    )
  })
})

describe("one byte changed", () => {
  test("gives another digest or a problem", () => {
    const mutants = LONG ? 100_000 : 10_000
    let problems = 0
    fc.assert(
      fc.property(arbitraryTransaction, fc.nat(), fc.integer({ min: 1, max: 255 }), (transaction, place, flip) => {
        const payload = bytesOf(encodeTransaction(transaction))
        const digest = keccak256(payload)
        payload[place % payload.length] = (payload[place % payload.length] ?? 0) ^ flip
        const decoded = decode("evm/transaction", payload, ANY)
        if (isProblem(decoded)) problems++
        else expect(digestOf(decoded)).not.toBe(digest)
      }),
      { numRuns: mutants },
    )
    expect(problems).toBeGreaterThan(0)
    expect(problems).toBeLessThan(mutants)
  }, 600_000)
  test("a byte more, a byte less, a byte twice: a problem each time", () => {
    fc.assert(
      fc.property(arbitraryTransaction, fc.nat(), fc.integer({ min: 0, max: 255 }), (transaction, place, byte) => {
        const payload = [...bytesOf(encodeTransaction(transaction))]
        const at = place % payload.length
        expect(codeOf("evm/transaction", Uint8Array.from([...payload, byte]), ANY)).not.toBe("read")
        expect(codeOf("evm/transaction", Uint8Array.from(payload.slice(0, -1)), ANY)).not.toBe("read")
        expect(codeOf("evm/transaction", Uint8Array.from(payload.toSpliced(at, 1)), ANY)).not.toBe("read")
      }),
      { numRuns: 300 },
    )
  })
  test("no bytes make the decoder throw", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), fc.constantFrom(0, 1, 2, 3, 4, 0xc0, 0xf8), (bytes, first) => {
        transactionDecoder.decode(Uint8Array.from([first, ...bytes]), ANY)
      }),
      { numRuns: LONG ? 1_000_000 : 5_000 },
    )
  }, 600_000)
})

describe("effects", () => {
  test("a transfer of nothing names its destination; nothing to oneself is a cancel", () => {
    const zero = reading("evm/transaction", eip1559({ value: 0n }))
    expect(zero.effects).toEqual([{ kind: "transfer", from: OWNER.address, to: TO, asset: ETH, amount: 0n }])
    const cancel = reading("evm/transaction", eip1559({ value: 0n, to: OWNER.address }))
    expect(cancel.effects).toEqual([{ kind: "self", from: OWNER.address }])
  })
  test("a transfer to oneself, to the zero address, of 2^256 - 1 wei", () => {
    const amount = 2n ** 256n - 1n
    for (const to of [OWNER.address, "0x0000000000000000000000000000000000000000"] as const) {
      expect(reading("evm/transaction", eip1559({ to, value: amount })).effects).toEqual([
        { kind: "transfer", from: OWNER.address, to, asset: ETH, amount },
      ])
    }
  })
  test("a new contract has the address that the chain will give it", () => {
    fc.assert(
      fc.property(fc.bigInt(0n, 2n ** 40n), (nonce) => {
        const payload = eip1559({ to: null, data: "0x6001", value: 3n, nonce: Number(nonce) })
        const to = getContractAddress({ from: OWNER.address, nonce })
        expect(reading("evm/transaction", payload).effects).toEqual([
          { kind: "transfer", from: OWNER.address, to, asset: ETH, amount: 3n },
          { kind: "deploy", from: OWNER.address, to, data: bytesOf("0x6001"), value: 3n },
        ])
      }),
      { numRuns: 50 },
    )
    const offline = reading("evm/transaction", eip1559({ to: null, data: "0x6001" }), OFFLINE)
    expect(only(offline, "deploy")[0]?.to).toEqual({ unresolved: "the address of the new contract" })
  })
  test("a call that is not known is a call, and its value is a transfer of its own", () => {
    const read = reading("evm/transaction", eip1559({ data: "0xdeadbeef01", value: 9n }))
    expect(read.effects).toEqual([
      { kind: "transfer", from: OWNER.address, to: TO, asset: ETH, amount: 9n },
      {
        kind: "call",
        from: OWNER.address,
        to: TO,
        selector: "0xdeadbeef",
        data: bytesOf("0xdeadbeef01"),
        value: 9n,
      },
    ])
    expect(only(reading("evm/transaction", eip1559({ data: "0xab" })), "call")[0]?.selector).toBe("0xab")
  })
  test("blobs cost their gas on top", () => {
    const hash: Hex = `0x01${"ab".repeat(31)}`
    const payload = serializeTransaction({
      type: "eip4844",
      chainId: 1,
      gas: 10n,
      maxFeePerGas: 7n,
      maxFeePerBlobGas: 3n,
      blobVersionedHashes: [hash, hash],
      to: TO,
    })
    expect(reading("evm/transaction", payload).fee.max).toBe(70n + 2n * 131_072n * 3n)
  })
  test("the fee is unbounded where a rollup charges for data, or might", () => {
    const unbounded = (chainId: number) =>
      reading("evm/transaction", eip1559({ chainId }), contextFor([`eip155:${chainId}`])).fee.unbounded
    expect([1, 137, 56, 42161, 43114].map(unbounded)).toEqual([false, false, false, false, false])
    expect([10, 8453, 59144, 534352].map(unbounded)).toEqual([true, true, true, true])
  })
  test("the native asset of a chain is built in or configured; else the transaction is refused", () => {
    const payload = eip1559({ chainId: 8217 })
    expect(codeOf("evm/transaction", payload, contextFor(["eip155:8217"]))).toBe("E-INT-027")
    const nativeAssets = new Map([["eip155:8217", "eip155:8217/slip44:8217"]])
    const read = reading("evm/transaction", payload, contextFor(["eip155:8217"], { nativeAssets }))
    expect(read.fee.asset).toBe("eip155:8217/slip44:8217")
    expect(reading("evm/transaction", eip1559({ chainId: 137 }), contextFor(["eip155:137"])).fee.asset).toBe(
      "eip155:137/slip44:966",
    )
  })
  test("every authorization of type 4 is listed with who signed it, beside the call", async () => {
    const authorizationList = [
      await signedAuthorization({ chainId: 1, nonce: 3, address: TO }),
      await signedAuthorization({ chainId: 0, nonce: 4, address: TO }),
    ]
    const payload = serializeTransaction({
      type: "eip7702",
      chainId: 1,
      gas: 10n,
      maxFeePerGas: 7n,
      to: TO,
      authorizationList,
    })
    expect(reading("evm/transaction", payload).effects).toEqual([
      { kind: "delegate_7702", from: OTHER.address, delegate: TO, chain: "eip155:1", nonce: 3n },
      { kind: "delegate_7702", from: OTHER.address, delegate: TO, chain: "eip155:*", nonce: 4n },
      { kind: "transfer", from: OWNER.address, to: TO, asset: ETH, amount: 0n },
    ])
    const [first] = authorizationList
    const broken = { ...first!, s: `0x${"ff".repeat(32)}` as Hex }
    const bad = serializeTransaction({
      type: "eip7702",
      chainId: 1,
      gas: 10n,
      maxFeePerGas: 7n,
      to: TO,
      authorizationList: [broken],
    })
    expect(only(reading("evm/transaction", bad), "delegate_7702")[0]?.from).toEqual({
      unresolved: "nobody: the authorization has no valid signature",
    })
  })
})

describe("refused", () => {
  const legacy = (...fields: readonly Hex[]) => toRlp(fields)
  const typed = (type: number, fields: readonly unknown[]): Hex =>
    `0x0${type}${toRlp(fields as Parameters<typeof toRlp>[0]).slice(2)}` as Hex
  /** The list's length, one more. */
  const longer = (payload: Hex) =>
    payload.replace(/^0x02../, `0x02${(Number(`0x${payload.slice(4, 6)}`) + 1).toString(16)}`)
  const F1559 = ["0x01", "0x07", "0x01", "0x64", "0x5208", TO, "0x05", "0x", []] as readonly unknown[]

  const CASES: Readonly<Record<string, readonly [payload: string, code: string, at?: string]>> = {
    "pre-155: 6 fields": [legacy("0x09", "0x04", "0x5208", TO, "0x05", "0x"), "E-INT-022", "chainId"],
    "chain id 0 in a legacy transaction": [
      legacy("0x09", "0x04", "0x5208", TO, "0x05", "0x", "0x", "0x", "0x"),
      "E-INT-022",
    ],
    "chain id 0 in type 2": [typed(2, ["0x", ...F1559.slice(1)]), "E-INT-022"],
    "signed legacy": [legacy("0x09", "0x04", "0x5208", TO, "0x05", "0x", "0x25", "0x01", "0x01"), "E-INT-023", "r"],
    "signed type 2": [typed(2, [...F1559, "0x01", "0x02", "0x03"]), "E-INT-023"],
    "8 fields": [legacy("0x09", "0x04", "0x5208", TO, "0x05", "0x", "0x01", "0x"), "E-INT-023", "s"],
    "10 fields": [legacy("0x09", "0x04", "0x5208", TO, "0x05", "0x", "0x01", "0x", "0x", "0x"), "E-INT-023"],
    "type 0 written out": [`0x00${EIP155.payload.slice(2)}`, "E-INT-021", "byte 0"],
    "type 5": [typed(5, F1559), "E-INT-021", "byte 0"],
    "type 0x7f": [`0x7f${EIP155.payload.slice(2)}`, "E-INT-021"],
    "trailing byte": [`${EIP155.payload}00`, "E-INT-020", "byte 45"],
    "leading zero in the value": [typed(2, F1559.with(6, "0x0005")), "E-INT-020"],
    "leading zero in the nonce": [typed(2, F1559.with(1, "0x00")), "E-INT-020"],
    "integer of 33 bytes": [typed(2, F1559.with(6, `0x01${"00".repeat(32)}`)), "E-INT-024", "value"],
    "nonce of 9 bytes": [typed(2, F1559.with(1, `0x01${"00".repeat(8)}`)), "E-INT-024", "nonce"],
    "nonce 2^64 - 1": [typed(2, F1559.with(1, `0x${"ff".repeat(8)}`)), "E-INT-024", "nonce"],
    "gas of 9 bytes": [typed(2, F1559.with(4, `0x01${"00".repeat(8)}`)), "E-INT-024", "gas"],
    "fee beyond 2^256": [typed(2, F1559.with(3, `0x${"ff".repeat(32)}`)), "E-INT-024", "fee"],
    "tip above the price": [typed(2, F1559.with(2, "0x65")), "E-INT-024", "maxPriorityFeePerGas"],
    "address of 19 bytes": [typed(2, F1559.with(5, `0x${"35".repeat(19)}`)), "E-INT-032", "to"],
    "address of 21 bytes": [typed(2, F1559.with(5, `0x${"35".repeat(21)}`)), "E-INT-032", "to"],
    "no destination in type 3": [
      typed(3, [...F1559.with(5, "0x"), "0x01", [`0x01${"ab".repeat(31)}`]]),
      "E-INT-023",
      "to",
    ],
    "no blobs in type 3": [typed(3, [...F1559, "0x01", []]), "E-INT-024", "blobVersionedHashes"],
    "blob hash of version 2": [
      typed(3, [...F1559, "0x01", [`0x02${"ab".repeat(31)}`]]),
      "E-INT-024",
      "blobVersionedHashes",
    ],
    "blob transaction with its blobs": [typed(3, [[...F1559, "0x01", []], [], [], []]), "E-INT-023", "chainId"],
    "no authorizations in type 4": [typed(4, [...F1559, []]), "E-INT-024", "authorizationList"],
    "unsigned authorization in type 4": [
      typed(4, [...F1559, [["0x01", TO, "0x01"]]]),
      "E-INT-023",
      "authorizationList.yParity",
    ],
    "65 authorizations": [
      typed(4, [...F1559, Array(65).fill(["0x01", TO, "0x01", "0x", "0x", "0x"])]),
      "E-INT-026",
      "authorizationList",
    ],
    "access list that is a string": [typed(2, F1559.with(8, "0x01")), "E-INT-023", "accessList"],
    "storage key of 31 bytes": [
      typed(2, F1559.with(8, [[TO, [`0x${"00".repeat(31)}`]]])),
      "E-INT-023",
      "accessList.storageKeys",
    ],
    "data that is a list": [typed(2, F1559.with(7, [])), "E-INT-023", "data"],
    "a length that is not the shortest": [`0x02f80a${"01".repeat(10)}`, "E-INT-020"],
    "a length of 9 bytes": [`0xff${"ff".repeat(8)}`, "E-INT-020"],
    "a length beyond the end": ["0xf90100", "E-INT-020"],
    "a byte with a length": [longer(typed(2, F1559)).replace("64825208", "8164825208"), "E-INT-020"],
    "nothing but the type": ["0x02", "E-INT-023"],
    "an empty list": ["0xc0", "E-INT-023", "nonce"],
  }
  for (const [name, [payload, code, at]] of Object.entries(CASES)) {
    test(name, () => {
      const decoded = decode("evm/transaction", payload)
      expect(isProblem(decoded) ? [decoded.code, at === undefined ? undefined : decoded.at] : decoded.effects).toEqual([
        code,
        at,
      ])
    })
  }
  test("a chain that the path does not sign for", () => {
    expect(codeOf("evm/transaction", eip1559({ chainId: 10 }))).toBe("E-INT-004")
    expect(codeOf("evm/transaction", eip1559({ chainId: 10 }), contextFor(["eip155:1", "eip155:10"]))).toBe("read")
    expect(codeOf("evm/transaction", eip1559(), contextFor([]))).toBe("E-INT-004")
  })
  test("a key of another curve, another signature, two messages, an input", () => {
    const [message = MAINNET.messages[0]!] = MAINNET.messages
    expect(codeOf("evm/transaction", eip1559(), { ...MAINNET, curve: "ed25519" })).toBe("E-INT-008")
    const schnorr = { ...MAINNET, messages: [{ ...message, signature: "Schnorr" as const }] }
    expect(codeOf("evm/transaction", eip1559(), schnorr)).toBe("E-INT-008")
    expect(codeOf("evm/transaction", eip1559(), { ...MAINNET, messages: [message, message] })).toBe("E-INT-006")
    expect(codeOf("evm/transaction", eip1559(), { ...MAINNET, messages: [{ ...message, input: 0 }] })).toBe("E-INT-006")
  })
})

describe("evm/authorization", () => {
  const payloadOf = (chainId: Hex, nonce: Hex, address: Hex = TO): Hex =>
    `0x05${toRlp([chainId, address, nonce]).slice(2)}` as Hex

  test("is what viem hashes", () => {
    const read = reading("evm/authorization", payloadOf("0x01", "0x2a"))
    expect(digestOf(read)).toBe(hashAuthorization({ chainId: 1, nonce: 42, address: TO }))
    expect(read.effects).toEqual([
      { kind: "delegate_7702", from: OWNER.address, delegate: TO, chain: "eip155:1", nonce: 42n },
    ])
    expect([read.fee.max, read.nonce, kinds(read)]).toEqual([0n, "42", ["delegate_7702"]])
  })
  test("refused: every chain, another chain, other magic, left-over, a transaction", () => {
    const codes = [
      payloadOf("0x", "0x2a"),
      payloadOf("0x0a", "0x2a"),
      payloadOf("0x01", "0x2a").replace("0x05", "0x04"),
      `${payloadOf("0x01", "0x2a")}00`,
      `0x05${toRlp(["0x01", TO, "0x2a", "0x01"]).slice(2)}`,
      payloadOf("0x01", "0x2a", "0x3535"),
      payloadOf("0x01", `0x${"ff".repeat(8)}`),
      eip1559(),
    ].map((payload) => codeOf("evm/authorization", payload))
    expect(codes).toEqual([
      "E-INT-022",
      "E-INT-004",
      "E-INT-021",
      "E-INT-020",
      "E-INT-023",
      "E-INT-023",
      "E-INT-024",
      "E-INT-021",
    ])
  })
})
