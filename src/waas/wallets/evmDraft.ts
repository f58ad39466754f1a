/**
 * Unsigned EVM transactions of type 2 (EIP-1559): built from what a caller asks for and what the chain's endpoint says of
 * nonce, fees and gas; and put together with their signature.
 */
import { keccak_256 } from "@noble/hashes/sha3.js"
import { type Bytes, concat, copy, fromHex, toHex, u8 } from "../../bytes.ts"
import { encodeRlp } from "../../intent/evm/rlp.ts"
import { ApiFailure } from "../failure.ts"
import type { EvmDraft } from "../store/model.ts"
import { count, type JsonRpc, quantity, RpcRefusal } from "./jsonRpc.ts"

/** What shall happen. `to` with 0x; undefined makes a contract. Amounts in wei. */
export interface EvmCall {
  readonly chainNumber: bigint
  readonly from: string
  readonly to: string
  readonly value: bigint
  /** `0x` hex. */
  readonly data: string
}

/** What the caller says of fees; what it does not say, the endpoint is asked. Wei per gas. */
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

/** Type byte of EIP-1559. */
const TYPE = 2
/** A block's base fee at most doubles in six blocks. */
const BASE_FEE_MARGIN = 2n

/** Throws 2029 where the endpoint is of another chain: its nonce and fees would be of that one. */
export async function requireChain(rpc: JsonRpc, chainNumber: bigint): Promise<void> {
  const found = quantity(await rpc("eth_chainId", []), "its chain")
  if (found !== chainNumber) throw new ApiFailure(2029, `the endpoint is of chain ${found}, not of ${chainNumber}`)
}

/** The account's next nonce, transactions that wait to be mined included. */
export const pendingNonce = async (rpc: JsonRpc, address: string): Promise<number> =>
  count(await rpc("eth_getTransactionCount", [address, "pending"]), "the nonce")

/** Throws 2029 with the endpoint's words for a call that would fail. */
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

/** `transfer(address,uint256)` of ERC-20. */
export const erc20Transfer = (to: string, amount: bigint): string =>
  `0xa9059cbb${to.slice(2).toLowerCase().padStart(64, "0")}${amount.toString(16).padStart(64, "0")}`

/** The transaction as it is broadcast, and its hash. `recovery` is the parity of the nonce point's y. */
export function assembled(
  unsigned: string,
  signature: Bytes,
  recovery: number,
): { readonly rawTx: string; readonly hash: string } {
  // The list's fields stay as they are: what was signed is what is sent. Its head is one to four bytes.
  const bytes = bytesOf(unsigned)
  const head = bytes[1] ?? 0
  const bodyAt = head <= 0xf7 ? 2 : 2 + head - 0xf7
  const [r, s] = [unpadded(signature.subarray(0, 32)), unpadded(signature.subarray(32))]
  const tail = concat(encodeRlp(BigInt(recovery)), encodeRlp(r), encodeRlp(s))
  const body = concat(bytes.subarray(bodyAt), tail)
  const raw = concat(u8(TYPE), listHead(body.length), body)
  return { rawTx: `0x${toHex(raw)}`, hash: `0x${toHex(copy(keccak_256(raw)))}` }
}

/** RLP's head of a list; that of a string of the same length is 0x40 less. */
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
