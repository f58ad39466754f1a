/**
 * Unsigned EVM transactions: legacy with a chain id (EIP-155), EIP-2930, EIP-1559. What is signed is the keccak of these
 * very bytes, so they are read strictly: one meaning, one encoding, no left-over.
 */
import { keccak_256 } from "@noble/hashes/sha3.js"
import { type Bytes, beToBig, copy } from "../../bytes.ts"
import { decodeRlp, type Rlp } from "./rlp.ts"

export interface EvmTransaction {
  readonly chainId: bigint
  /** 20 bytes; undefined for the creation of a contract. */
  readonly to: Bytes | undefined
  /** Wei. */
  readonly value: bigint
  readonly data: Bytes
  /** The most that the sender may pay for gas, wei. */
  readonly maxFee: bigint
  /** What a signature is over. */
  readonly digest: Bytes
}

/** Undefined for anything that is not exactly one such transaction. */
export function parseTransaction(raw: Uint8Array): EvmTransaction | undefined {
  const kind = raw[0]
  const digest = copy(keccak_256(raw))
  if (kind === 1) return typed(decodeRlp(raw.subarray(1)), digest, 8)
  if (kind === 2) return typed(decodeRlp(raw.subarray(1)), digest, 9)
  return legacy(decodeRlp(raw), digest)
}

/** [nonce, gasPrice, gas, to, value, data, chainId, 0, 0]. Without the last three it would be valid on every chain. */
function legacy(list: Rlp | undefined, digest: Bytes): EvmTransaction | undefined {
  if (list === undefined || list instanceof Uint8Array || list.length !== 9) return undefined
  const [nonce, gasPrice, gas, to, value, data, chainId, zeroR, zeroS] = list
  const price = integer(gasPrice)
  if (integer(nonce) === undefined || integer(zeroR) !== 0n || integer(zeroS) !== 0n) return undefined
  return common({ chainId, to, value, data, gas, price, digest })
}

/** EIP-2930 has 8 fields, EIP-1559 9: two prices instead of one. The access list changes nobody's balance but the fee. */
function typed(list: Rlp | undefined, digest: Bytes, fields: 8 | 9): EvmTransaction | undefined {
  if (list === undefined || list instanceof Uint8Array || list.length !== fields) return undefined
  const [chainId, nonce, ...rest] = list
  if (integer(nonce) === undefined) return undefined
  const [tip, ...after] = fields === 9 ? rest : [undefined, ...rest]
  if (fields === 9 && integer(tip) === undefined) return undefined
  const [price, gas, to, value, data, accessList] = after
  if (!isAccessList(accessList)) return undefined
  return common({ chainId, to, value, data, gas, price: integer(price), digest })
}

interface Fields {
  readonly chainId: Rlp | undefined
  readonly to: Rlp | undefined
  readonly value: Rlp | undefined
  readonly data: Rlp | undefined
  readonly gas: Rlp | undefined
  readonly price: bigint | undefined
  readonly digest: Bytes
}

function common(fields: Fields): EvmTransaction | undefined {
  const { to, data, price, digest } = fields
  const chainId = integer(fields.chainId)
  const value = integer(fields.value)
  const gas = integer(fields.gas)
  if (chainId === undefined || chainId === 0n || value === undefined || gas === undefined || price === undefined)
    return undefined
  if (!(data instanceof Uint8Array) || !(to instanceof Uint8Array)) return undefined
  if (to.length !== 0 && to.length !== 20) return undefined
  return { chainId, to: to.length === 0 ? undefined : to, value, data, maxFee: gas * price, digest }
}

/** Up to 32 bytes, without leading zeros. */
function integer(value: Rlp | undefined): bigint | undefined {
  if (!(value instanceof Uint8Array) || value.length > 32 || value[0] === 0) return undefined
  return beToBig(value)
}

const isAccessList = (value: Rlp | undefined): boolean =>
  Array.isArray(value) &&
  value.every((entry: Rlp) => {
    if (entry instanceof Uint8Array || entry.length !== 2) return false
    const [address, keys] = entry
    if (!(address instanceof Uint8Array) || address.length !== 20 || !Array.isArray(keys)) return false
    return keys.every((key: Rlp) => key instanceof Uint8Array && key.length === 32)
  })
