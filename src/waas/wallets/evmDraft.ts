/**
 * EVM transactions of type 2 (EIP-1559): builds the unsigned one from the caller's request and the endpoint's nonce, fees and gas, and
 * assembles it with its signature.
 */
import { keccak_256 } from "@noble/hashes/sha3.js"
import { type Bytes, concat, copy, fromHex, toHex, u8 } from "../../bytes.ts"
import { encodeRlp } from "../../intent/evm/rlp.ts"
import { ApiFailure } from "../failure.ts"
import type { EvmDraft } from "../store/model.ts"
import { count, type JsonRpc, quantity, RpcRefusal } from "./jsonRpc.ts"

/** The call that a transaction makes. Addresses are `0x` hex, `value` is in wei. */
export interface EvmCall {
  readonly chainNumber: bigint
  readonly from: string
  readonly to: string
  readonly value: bigint
  /** `0x` hex. */
  readonly data: string
}

/** The caller's wishes for fees, in wei per gas; the endpoint is asked for what is undefined. */
export interface FeeWish {
  readonly maxFeePerGas: bigint | undefined
  readonly maxPriorityFeePerGas: bigint | undefined
  readonly gasLimit: bigint | undefined
}

interface Fees {
  readonly maxFeePerGas: bigint
  readonly maxPriorityFeePerGas: bigint
  readonly gasLimit: bigint
}

/** The type byte of an EIP-1559 transaction. */
const TYPE = 2
/** The base fee can at most double in six blocks. */
const BASE_FEE_MARGIN = 2n

/** Throws 2029 if the endpoint serves another chain: its nonce and fees would be those of that chain. */
export async function requireChain(rpc: JsonRpc, chainNumber: bigint): Promise<void> {
  const found = quantity(await rpc("eth_chainId", []), "its chain")
  if (found !== chainNumber) throw new ApiFailure(2029, `the endpoint is of chain ${found}, not of ${chainNumber}`)
}

/** The account's next nonce, counting transactions that wait to be mined. */
export const pendingNonce = async (rpc: JsonRpc, address: string): Promise<number> =>
  count(await rpc("eth_getTransactionCount", [address, "pending"]), "the nonce")

/** The fees of the call. Throws 2029, with the endpoint's message, if the call would fail, and 2006 if the wishes contradict. */
export async function feesOf(rpc: JsonRpc, call: EvmCall, wish: FeeWish): Promise<Fees> {
  const gasLimit = wish.gasLimit ?? (await estimatedGas(rpc, call))
  const priority = wish.maxPriorityFeePerGas ?? quantity(await rpc("eth_maxPriorityFeePerGas", []), "the priority fee")
  const maxFeePerGas = wish.maxFeePerGas ?? BASE_FEE_MARGIN * (await baseFee(rpc)) + priority
  if (priority > maxFeePerGas)
    throw new ApiFailure(2006, "body.fee: max_priority_fee_per_gas is more than max_fee_per_gas")
  return { maxFeePerGas, maxPriorityFeePerGas: priority, gasLimit }
}

async function estimatedGas(rpc: JsonRpc, { from, to, value, data }: EvmCall): Promise<bigint> {
  try {
    return quantity(await rpc("eth_estimateGas", [{ from, to, value: `0x${value.toString(16)}`, data }]), "the gas")
  } catch (error) {
    if (error instanceof RpcRefusal) throw new ApiFailure(2029, `the call would fail: ${error.message}`)
    throw error
  }
}

async function baseFee(rpc: JsonRpc): Promise<bigint> {
  const block = await rpc("eth_getBlockByNumber", ["latest", false])
  const fee = typeof block === "object" && block !== null ? Reflect.get(block, "baseFeePerGas") : undefined
  return quantity(fee, "the base fee")
}

export const draftOf = (call: EvmCall, nonce: number, fees: Fees): EvmDraft => ({
  nonce,
  maxFeePerGas: String(fees.maxFeePerGas),
  maxPriorityFeePerGas: String(fees.maxPriorityFeePerGas),
  gasLimit: String(fees.gasLimit),
  unsigned: `0x${toHex(concat(u8(TYPE), encodeRlp(fieldsOf(call, nonce, fees))))}`,
})

const fieldsOf = ({ chainNumber, to, value, data }: EvmCall, nonce: number, fees: Fees) => [
  chainNumber,
  BigInt(nonce),
  fees.maxPriorityFeePerGas,
  fees.maxFeePerGas,
  fees.gasLimit,
  bytesOf(to),
  value,
  bytesOf(data),
  [],
]

/** Call data of ERC-20's `transfer(address,uint256)`, `0x` hex. `amount` is below 2^256. */
export const erc20Transfer = (to: string, amount: bigint): string =>
  `0xa9059cbb${to.slice(2).toLowerCase().padStart(64, "0")}${amount.toString(16).padStart(64, "0")}`

/**
 * The signed transaction as it is broadcast, and its hash, both `0x` hex. `signature` is r and s (64 bytes); `recovery` is 0 or 1, the
 * parity of y of the nonce point.
 */
export function assembled(
  unsigned: string,
  signature: Bytes,
  recovery: number,
): { readonly rawTx: string; readonly hash: string } {
  // The signed fields are copied as bytes, not encoded again, so that exactly what was signed is sent. Only the list's head changes.
  const bytes = bytesOf(unsigned)
  const head = bytes[1] ?? 0
  const bodyAt = head <= 0xf7 ? 2 : 2 + head - 0xf7
  const [r, s] = [unpadded(signature.subarray(0, 32)), unpadded(signature.subarray(32))]
  const tail = concat(encodeRlp(BigInt(recovery)), encodeRlp(r), encodeRlp(s))
  const body = concat(bytes.subarray(bodyAt), tail)
  const raw = concat(u8(TYPE), listHead(body.length), body)
  return { rawTx: `0x${toHex(raw)}`, hash: `0x${toHex(copy(keccak_256(raw)))}` }
}

/** The RLP head of a list. It is that of a string of the same length plus 0x40, so the encoder of strings makes it. */
function listHead(length: number): Bytes {
  const whole = encodeRlp(new Uint8Array(Math.max(2, length)))
  const head = whole.slice(0, whole.length - Math.max(2, length))
  return concat(u8((head[0] ?? 0) + 0x40), head.subarray(1))
}

const unpadded = (bytes: Uint8Array): Uint8Array => bytes.subarray(bytes.findIndex((byte) => byte !== 0))

function bytesOf(hex: string): Bytes {
  const bytes = fromHex(hex.slice(2).toLowerCase())
  if (bytes === undefined) throw new RangeError("hex that was checked before cannot be read")
  return bytes
}
