/**
 * `evm/transaction`: unsigned transactions of type 0 with a chain id (EIP-155), 1 (EIP-2930), 2 (EIP-1559), 3 (EIP-4844) and
 * 4 (EIP-7702). The signed digest is the Keccak of these very bytes, so they are read strictly to the last one.
 */
import type { Bytes } from "../../bytes.ts"
import { ethereumAddress } from "../../keys/addresses.ts"
import { evmChain } from "../caip.ts"
import { allowChain, type Context, type Decoder, demandSignature, onlyMessage } from "../decoder.ts"
import { attempt, refuse } from "../problem.ts"
import type { Account, Reading, Sign } from "../reading.ts"
import { addressOf, keccak } from "./address.ts"
import { type Authorization, authorizationEffect, readAuthorizations } from "./authorizations.ts"
import { EffectList } from "./calls.ts"
import { accountOf, isFeeUnbounded, nativeAsset } from "./chain.ts"
import { encodeRlp, RlpList } from "./rlp.ts"

/** Everything in a transaction that its effects depend on. */
interface EvmTransaction {
  readonly chainId: bigint
  readonly nonce: bigint
  /** Undefined for the creation of a contract. */
  readonly to: string | undefined
  readonly value: bigint
  readonly data: Bytes
  /** The highest amount that is paid for gas and blobs, wei. */
  readonly maxFee: bigint
  readonly authorizations: readonly Authorization[]
}

export const transactionDecoder: Decoder = {
  format: "evm/transaction",
  decode: (data, context) => attempt(() => readingOf(data, context)),
}

function readingOf(payload: Uint8Array, context: Context): Reading {
  const transaction = parseTransaction(payload)
  const { chainId, nonce, maxFee } = transaction
  const chain = evmChain(chainId)
  const message = onlyMessage(context)
  demandSignature(context, "secp256k1", ["ECDSA"])
  allowChain(context, chain, "chainId")
  const native = nativeAsset(chainId, context)
  const sender = accountOf(message?.publicKey, ethereumAddress)
  const effects = new EffectList(chain, native)
  for (const authorization of transaction.authorizations) effects.push(authorizationEffect(authorization))
  callEffects(transaction, sender, effects)
  const sign: Sign = { path: message?.path, bytes: keccak(payload) }
  return {
    format: "evm/transaction",
    chain,
    from: typeof sender === "string" ? [sender] : [],
    effects: effects.list,
    fee: { max: maxFee, asset: native, unbounded: isFeeUnbounded(chainId) },
    nonce: nonce.toString(),
    signs: [sign],
  }
}

function callEffects({ to, value, data, nonce }: EvmTransaction, from: Account, effects: EffectList): void {
  if (to !== undefined) return effects.call({ from, to, value, data, depth: 0, at: "data" })
  const created = createdAddress(from, nonce)
  if (value > 0n) effects.push({ kind: "transfer", from, to: created, asset: effects.native, amount: value })
  effects.push({ kind: "deploy", from, to: created, data, value })
}

/** The last 20 bytes of Keccak over RLP of (sender, nonce): yellow paper, section 7. */
function createdAddress(from: Account, nonce: bigint): Account {
  if (typeof from !== "string") return { unresolved: "the address of the new contract" }
  return addressOf(keccak(encodeRlp([Buffer.from(from.slice(2), "hex"), nonce])).subarray(12))
}

/** Refuses data that is not exactly one unsigned transaction. */
function parseTransaction(payload: Uint8Array): EvmTransaction {
  const type = payload[0] ?? 0
  if (type >= 0xc0) return legacy(RlpList.whole(payload, 0))
  if (type < 1 || type > 4) return refuse("E-INT-021", "byte 0", `type ${type}`)
  return typed(RlpList.whole(payload, 1), type)
}

/** [nonce, gasPrice, gas, to, value, data, chainId, 0, 0]. */
function legacy(list: RlpList): EvmTransaction {
  const nonce = nonceOf(list)
  const price = list.uint("gasPrice", 256)
  const gas = list.uint("gas", 64)
  const to = list.addressOrNone("to")
  const value = list.uint("value", 256)
  const data = list.data("data")
  if (list.isDone) refuse("E-INT-022", "chainId", "it has 6 fields, as before EIP-155")
  const chainId = chainIdOf(list)
  for (const name of ["r", "s"]) {
    if (list.uint(name, 256) !== 0n) refuse("E-INT-023", name, "it is signed already")
  }
  list.close("the transaction")
  return { chainId, nonce, to, value, data, maxFee: product(gas, price), authorizations: [] }
}

/** Bytes of gas that a blob takes (EIP-4844). */
const GAS_PER_BLOB = 131_072n

function typed(list: RlpList, type: number): EvmTransaction {
  const chainId = chainIdOf(list)
  const nonce = nonceOf(list)
  const tip = type === 1 ? 0n : list.uint("maxPriorityFeePerGas", 256)
  const price = list.uint(type === 1 ? "gasPrice" : "maxFeePerGas", 256)
  if (tip > price) refuse("E-INT-024", "maxPriorityFeePerGas", "it is above maxFeePerGas")
  const gas = list.uint("gas", 64)
  const to = type < 3 ? list.addressOrNone("to") : list.address("to")
  const value = list.uint("value", 256)
  const data = list.data("data")
  readAccessList(list.list("accessList"))
  const blobFee = type === 3 ? product(list.uint("maxFeePerBlobGas", 256), GAS_PER_BLOB * readBlobs(list)) : 0n
  const authorizations = type === 4 ? readAuthorizations(list.list("authorizationList")) : []
  list.close("the unsigned transaction")
  return { chainId, nonce, to, value, data, maxFee: product(gas, price) + blobFee, authorizations }
}

function chainIdOf(list: RlpList): bigint {
  const chainId = list.uint("chainId", 256)
  return chainId === 0n ? refuse("E-INT-022", "chainId", "it is 0") : chainId
}

/** At most 2^64 - 2 (EIP-2681). */
function nonceOf(list: RlpList): bigint {
  const nonce = list.uint("nonce", 64)
  return nonce === 2n ** 64n - 1n ? refuse("E-INT-024", "nonce", "it is 2^64 - 1") : nonce
}

/** Nobody has 2^256 wei, so no chain accepts a transaction that could cost as much. */
function product(amount: bigint, price: bigint): bigint {
  const fee = amount * price
  return fee >= 1n << 256n ? refuse("E-INT-024", "fee", "it can exceed 2^256") : fee
}

/** An access list makes access cheaper and moves nothing. Its form is checked; the digest covers its contents. */
function readAccessList(list: RlpList): void {
  while (!list.isDone) {
    const entry = list.list("accessList")
    entry.fixed("accessList.address", 20)
    const keys = entry.list("accessList.storageKeys")
    while (!keys.isDone) keys.fixed("accessList.storageKeys", 32)
    entry.close("accessList")
  }
}

/** The number of blobs. The first byte of a versioned hash is its version, 1. */
function readBlobs(list: RlpList): bigint {
  const hashes = list.list("blobVersionedHashes")
  let count = 0n
  for (; !hashes.isDone; count++) {
    if (hashes.fixed("blobVersionedHashes", 32)[0] !== 1)
      refuse("E-INT-024", "blobVersionedHashes", "a hash is not of version 1")
  }
  return count === 0n ? refuse("E-INT-024", "blobVersionedHashes", "there are none") : count
}
