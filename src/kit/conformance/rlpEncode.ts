/** RLP and unsigned EVM transactions, written correctly or incorrectly as a test needs them. */
import { type Bytes, bigToBe, concat, u8 } from "../../bytes.ts"

type RlpInput = Uint8Array | bigint | readonly RlpInput[]

/** Integers get their shortest form, zero the empty one. */
export function encodeRlp(item: RlpInput): Bytes {
  if (item instanceof Uint8Array) {
    const [only] = item
    return item.length === 1 && only !== undefined && only < 0x80 ? concat(item) : concat(head(0x80, item.length), item)
  }
  if (typeof item === "bigint") return encodeRlp(item === 0n ? new Uint8Array(0) : shortest(item))
  const body = concat(...item.map(encodeRlp))
  return concat(head(0xc0, body.length), body)
}

const shortest = (value: bigint): Bytes => bigToBe(value, Math.ceil(value.toString(16).length / 2))

function head(base: number, length: number): Bytes {
  if (length <= 55) return u8(base + length)
  const digits = shortest(BigInt(length))
  return concat(u8(base + 55 + digits.length), digits)
}

/** The nonce of every transaction here. */
export const SAMPLE_NONCE = 9n

export interface SampleTransfer {
  readonly chainId: bigint
  readonly to: Uint8Array
  readonly value: bigint
  readonly data: Uint8Array
  readonly gasPrice: bigint
  readonly gas: bigint
}

/** With the three closing fields of EIP-155. */
export const legacy = (t: SampleTransfer): Bytes =>
  encodeRlp([SAMPLE_NONCE, t.gasPrice, t.gas, t.to, t.value, t.data, t.chainId, 0n, 0n])

/** As before EIP-155: valid on every chain. */
export const withoutChain = (t: SampleTransfer): Bytes =>
  encodeRlp([SAMPLE_NONCE, t.gasPrice, t.gas, t.to, t.value, t.data])

/** The amount with a leading zero: another encoding of the same number, and so another hash. */
export const padded = (t: SampleTransfer): Bytes =>
  encodeRlp([SAMPLE_NONCE, t.gasPrice, t.gas, t.to, concat(u8(0), shortest(t.value)), t.data, t.chainId, 0n, 0n])

export const eip1559 = (t: SampleTransfer): Bytes =>
  concat(u8(2), encodeRlp([t.chainId, SAMPLE_NONCE, 1n, t.gasPrice, t.gas, t.to, t.value, t.data, []]))

/** The same payment as a transaction of type 4, with one authorization for every chain; its signature is made up. */
export const delegating = (t: SampleTransfer): Bytes => {
  const authorization: RlpInput = [0n, new Uint8Array(20).fill(0xee), 0n, 1n, 7n, 9n]
  return concat(
    u8(4),
    encodeRlp([t.chainId, SAMPLE_NONCE, 1n, t.gasPrice, t.gas, t.to, t.value, t.data, [], [authorization]]),
  )
}
