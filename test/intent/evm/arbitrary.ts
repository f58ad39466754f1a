/** Random valid transactions of every type, as viem takes them. */
import fc from "fast-check"
import {
  type AccessList,
  type Address,
  getAddress,
  getContractAddress,
  type Hex,
  type SignedAuthorization,
  serializeTransaction,
  type TransactionSerializable,
} from "viem"
import type { Effect, Reading } from "../../../src/intent/reading.ts"
import { OTHER, OWNER } from "./kit.ts"

export const CHAINS = [1, 10, 56, 137, 8453, 42161, 11155111] as const

export interface AnyTransaction {
  readonly type: "legacy" | "eip2930" | "eip1559" | "eip4844" | "eip7702"
  readonly chainId: number
  readonly nonce: number
  readonly gas: bigint
  readonly to?: Address | null
  readonly value?: bigint
  readonly data?: Hex
  readonly gasPrice?: bigint
  readonly maxFeePerGas?: bigint
  readonly maxPriorityFeePerGas?: bigint
  readonly maxFeePerBlobGas?: bigint
  readonly blobVersionedHashes?: Hex[]
  readonly accessList?: AccessList
  readonly authorizationList?: SignedAuthorization[]
}

export const hexOf = (bytes: Uint8Array): Hex => `0x${Buffer.from(bytes).toString("hex")}`
export const arbitraryHex = (minLength: number, maxLength = minLength): fc.Arbitrary<Hex> =>
  fc.uint8Array({ minLength, maxLength }).map(hexOf)

export const arbitraryAddress = arbitraryHex(20)

export const signedAuthorization = (terms: {
  chainId: number
  nonce: number
  address: Address
}): Promise<SignedAuthorization> => OTHER.signAuthorization(terms)

/** Signatures take a millisecond each, so a few stand for all. */
const SIGNED: readonly SignedAuthorization[] = await Promise.all(
  [0, 1, 2, 3, 4].map((i) =>
    signedAuthorization({ chainId: i % 3 === 0 ? 0 : i, nonce: i * 1000, address: `0x${String(i).repeat(40)}` }),
  ),
)

const wei = (bits: bigint) => fc.oneof(fc.constant(0n), fc.bigInt(0n, 2n ** bits - 1n), fc.bigInt(0n, 300n))
const accessList = fc.array(
  fc.record({ address: arbitraryAddress, storageKeys: fc.array(arbitraryHex(32), { maxLength: 3 }) }),
  { maxLength: 3 },
)

/** No known selector, so that random arguments are not refused as another's. */
const data = arbitraryHex(0, 100).map((hex): Hex => (hex === "0x" ? hex : `0xff${hex.slice(2)}`))

const common = {
  chainId: fc.constantFrom(...CHAINS),
  nonce: fc.oneof(fc.nat(300), fc.nat({ max: Number.MAX_SAFE_INTEGER })),
  gas: wei(40n),
  value: wei(256n),
  data,
}
const to = fc.option(arbitraryAddress, { freq: 4, nil: null })
const prices = fc
  .tuple(wei(100n), wei(100n))
  .map(([a, b]) =>
    a > b ? { maxFeePerGas: a, maxPriorityFeePerGas: b } : { maxFeePerGas: b, maxPriorityFeePerGas: a },
  )
const mixed = <T extends object>(record: fc.Arbitrary<T>) =>
  fc.tuple(record, prices).map(([fields, price]) => ({ ...fields, ...price }))

export const arbitraryTransaction: fc.Arbitrary<AnyTransaction> = fc.oneof(
  fc.record({ ...common, type: fc.constant("legacy" as const), to, gasPrice: wei(100n) }),
  fc.record({ ...common, type: fc.constant("eip2930" as const), to, gasPrice: wei(100n), accessList }),
  mixed(fc.record({ ...common, type: fc.constant("eip1559" as const), to, accessList })),
  mixed(
    fc.record({
      ...common,
      type: fc.constant("eip4844" as const),
      to: arbitraryAddress,
      accessList,
      maxFeePerBlobGas: wei(100n),
      blobVersionedHashes: fc.array(
        arbitraryHex(31).map((hex): Hex => `0x01${hex.slice(2)}`),
        { minLength: 1, maxLength: 6 },
      ),
    }),
  ),
  mixed(
    fc.record({
      ...common,
      type: fc.constant("eip7702" as const),
      to: arbitraryAddress,
      accessList,
      authorizationList: fc.array(fc.constantFrom(...SIGNED), { minLength: 1, maxLength: 2 }),
    }),
  ),
)

/** viem wants blobs with their hashes; the bytes that are signed have the hashes alone. */
export const encodeTransaction = (transaction: AnyTransaction): Hex =>
  serializeTransaction(transaction as unknown as TransactionSerializable)

export function maxFeeOf(transaction: AnyTransaction): bigint {
  const price = transaction.maxFeePerGas ?? transaction.gasPrice ?? 0n
  const blobs = BigInt(transaction.blobVersionedHashes?.length ?? 0)
  return transaction.gas * price + blobs * 131_072n * (transaction.maxFeePerBlobGas ?? 0n)
}

const NATIVE: Readonly<Record<number, number>> = { 56: 714, 137: 966 }
const ROLLUPS: readonly number[] = [10, 8453]

/** What the inputs say that a reading must be, without `signs`; worked out by viem alone. */
export function readingOf(transaction: AnyTransaction): Omit<Reading, "signs" | "format"> {
  const { chainId, nonce } = transaction
  const chain = `eip155:${chainId}`
  const asset = `${chain}/slip44:${NATIVE[chainId] ?? 60}`
  return {
    chain,
    from: [OWNER.address],
    effects: [...delegations(transaction), ...actions(transaction, asset)],
    fee: { max: maxFeeOf(transaction), asset, unbounded: ROLLUPS.includes(chainId) },
    nonce: `${nonce}`,
  }
}

const delegations = ({ authorizationList = [] }: AnyTransaction): readonly Effect[] =>
  authorizationList.map(({ address, chainId, nonce }) => ({
    kind: "delegate_7702",
    from: OTHER.address,
    delegate: getAddress(address),
    chain: chainId === 0 ? "eip155:*" : `eip155:${chainId}`,
    nonce: BigInt(nonce),
  }))

function actions({ to, value = 0n, data: hex = "0x", nonce }: AnyTransaction, asset: string): readonly Effect[] {
  const from = OWNER.address
  const called = typeof to === "string" ? getAddress(to) : getContractAddress({ from, nonce: BigInt(nonce) })
  const payment: Effect = { kind: "transfer", from, to: called, asset, amount: value }
  const data = Uint8Array.from(Buffer.from(hex.slice(2), "hex"))
  if (typeof to !== "string")
    return [...(value > 0n ? [payment] : []), { kind: "deploy", from, to: called, data, value }]
  if (hex === "0x") return [payment]
  return [...(value > 0n ? [payment] : []), { kind: "call", from, to: called, selector: hex.slice(0, 10), data, value }]
}
