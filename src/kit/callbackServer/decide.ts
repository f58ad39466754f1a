/**
 * What the reference server says to a request: approve, or reject with a reason. Pure. A signature is approved only if the
 * one digest to be signed is the hash of the raw transaction, and that transaction is one the lists allow; what extra_info
 * says in words is checked against it and never believed.
 */
import { type Bytes, beToBig, equal, fromHex, toHex } from "../../bytes.ts"
import { formatDecimal, formatEther, parseDecimal } from "./amount.ts"
import type { EvmChain, ReferenceRules, Token } from "./config.ts"
import { formatAddress, looksLike, parseAddress } from "./evmAddress.ts"
import { type EvmTransaction, parseTransaction } from "./evmTransaction.ts"

export interface CallbackRequest {
  readonly requestId: string
  readonly type: number
  readonly detail: Readonly<Record<string, unknown>>
  readonly extraInfo: Readonly<Record<string, unknown>>
}

/** Undefined approves; a text rejects and says why. */
export function decide(rules: ReferenceRules, request: CallbackRequest): string | undefined {
  switch (request.type) {
    case 1:
      return rules.keyGen ? undefined : "key generation is not allowed here"
    case 2:
      return decideSign(rules, request)
    case 3:
      return rules.keyReshare ? undefined : "resharing is not allowed here"
    case 5:
      return rules.keyShareSign ? undefined : "key share checks are not allowed here"
    default:
      return `requests of type ${request.type} are not known`
  }
}

/** Larger transactions are not what this server is for. */
const MAX_RAW = 128 * 1024

function decideSign(rules: ReferenceRules, { detail, extraInfo }: CallbackRequest): string | undefined {
  const hashes = detail["msg_hash_list"]
  if (!Array.isArray(hashes) || hashes.length !== 1) return "exactly one digest can be checked at a time"
  if (detail["signature_type"] !== 1) return "an EVM transaction takes an ECDSA signature"
  const rawText = at(extraInfo, "transaction", "raw_tx_info", "unsigned_raw_tx")
  const raw = typeof rawText === "string" && rawText.startsWith("0x") ? fromHex(rawText.slice(2)) : undefined
  if (raw === undefined || raw.length === 0 || raw.length > MAX_RAW) return "there is no raw transaction to check"
  const transaction = parseTransaction(raw)
  if (transaction === undefined) return "the raw transaction is not a well-formed EVM transaction with a chain id"
  if (hashes[0] !== `0x${toHex(transaction.digest)}`) return "the digest is not the hash of the raw transaction"
  const chain = rules.evm.find(({ chainId }) => chainId === transaction.chainId)
  if (chain === undefined) return `chain ${transaction.chainId} is not allowed`
  const named = at(extraInfo, "transaction", "chain_id")
  if (named !== undefined && named !== chain.name)
    return `the transaction is for ${chain.name}, and extra_info names another chain`
  if (transaction.maxFee > chain.maxFee) return `its fee of up to ${formatEther(transaction.maxFee)} is above the limit`
  return decideTransfer(chain, transaction, extraInfo)
}

interface Transfer {
  readonly to: Bytes
  readonly amount: bigint
  readonly decimals: number
  readonly maxAmount: bigint
}

function decideTransfer(chain: EvmChain, transaction: EvmTransaction, extraInfo: unknown): string | undefined {
  if (transaction.to === undefined) return "it creates a contract"
  const transfer =
    transaction.data.length === 0
      ? { to: transaction.to, amount: transaction.value, decimals: 18, maxAmount: chain.maxAmount }
      : tokenTransfer(chain.tokens, transaction.to, transaction)
  if (transfer === undefined)
    return `it calls ${formatAddress(transaction.to)} with data that is no transfer of an allowed token`
  return refusedDestination(chain, transfer.to) ?? refusedAmount(transfer) ?? refusedWords(transfer, extraInfo)
}

function refusedDestination(chain: EvmChain, to: Bytes): string | undefined {
  if (chain.destinations.some((allowed) => equal(allowed, to))) return undefined
  const twin = chain.destinations.find((allowed) => looksLike(allowed, to))
  return twin === undefined
    ? `${formatAddress(to)} is not an allowed destination`
    : `${formatAddress(to)} is not an allowed destination, and imitates ${formatAddress(twin)}`
}

const refusedAmount = ({ amount, decimals, maxAmount }: Transfer): string | undefined =>
  amount <= maxAmount
    ? undefined
    : `its amount of ${formatDecimal(amount, decimals)} is above the limit of ${formatDecimal(maxAmount, decimals)}`

/** What people were shown must be what is signed: a screen that lies is a reason to stop. */
function refusedWords({ to, amount, decimals }: Transfer, extraInfo: unknown): string | undefined {
  const shownTo = at(extraInfo, "transaction", "destination", "account_output", "address")
  const shownAmount = at(extraInfo, "transaction", "destination", "account_output", "amount")
  if (shownTo !== undefined) {
    const shown = typeof shownTo === "string" ? parseAddress(shownTo) : undefined
    if (shown === undefined) return "the destination in extra_info is no address, or has a wrong checksum"
    if (!equal(shown, to)) return "extra_info shows another destination than the raw transaction"
  }
  if (shownAmount !== undefined) {
    const shown = typeof shownAmount === "string" ? parseDecimal(shownAmount, decimals) : undefined
    if (shown !== amount) return "extra_info shows another amount than the raw transaction"
  }
  return undefined
}

/** transfer(address,uint256) of ERC-20: selector, address in a word, amount in a word, nothing else; and no ether with it. */
const TRANSFER = "a9059cbb"

function tokenTransfer(
  tokens: readonly Token[],
  contract: Bytes,
  { value, data }: EvmTransaction,
): Transfer | undefined {
  const token = tokens.find((one) => equal(one.contract, contract))
  if (token === undefined || value !== 0n || data.length !== 68 || toHex(data.subarray(0, 4)) !== TRANSFER)
    return undefined
  if (data.subarray(4, 16).some((byte) => byte !== 0)) return undefined
  return {
    to: data.slice(16, 36),
    amount: beToBig(data.subarray(36)),
    decimals: token.decimals,
    maxAmount: token.maxAmount,
  }
}

function at(from: unknown, ...path: readonly string[]): unknown {
  let value = from
  for (const key of path) {
    if (typeof value !== "object" || value === null || !Object.hasOwn(value, key)) return undefined
    value = Reflect.get(value, key)
  }
  return value ?? undefined
}
