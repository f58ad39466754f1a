/**
 * How the reference server decides a request: approve, or reject with a reason. Pure. A signature is approved only if the
 * one digest to be signed is the hash of the raw transaction, and the lists allow that transaction. The statements of extra_info
 * are checked against the transaction and never trusted.
 */
import { type Bytes, equal, fromHex, toHex } from "../../bytes.ts"
import { formatDecimal, parseDecimal } from "../../intent/amount.ts"
import { evmChain } from "../../intent/caip.ts"
import { offlineContext } from "../../intent/context.ts"
import { DEFAULT_SETTINGS } from "../../intent/decoder.ts"
import { addressOf, parseAddress, tokenAsset } from "../../intent/evm/address.ts"
import { transactionDecoder } from "../../intent/evm/transaction.ts"
import { intentHashText } from "../../intent/hash.ts"
import { effectJson } from "../../intent/json.ts"
import { type Account, type Effect, isProblem, type Reading } from "../../intent/reading.ts"
import { intentText } from "../../intent/text.ts"
import { parsePath } from "../../keys/path.ts"
import type { EvmChain, ReferenceRules } from "./config.ts"
import { formatEther, looksLike } from "./words.ts"

export interface CallbackRequest {
  readonly requestId: string
  readonly type: number
  readonly detail: Readonly<Record<string, unknown>>
  readonly extraInfo: Readonly<Record<string, unknown>>
}

/** Undefined approves; a text rejects and gives the reason. */
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

/** This server is not meant for larger transactions. */
const MAX_RAW = 128 * 1024

/** What a node reads in the raw transaction, except the sender; a text says why it cannot be read. */
export function readingOf({ extraInfo }: CallbackRequest): Reading | string {
  const rawText = at(extraInfo, "transaction", "raw_tx_info", "unsigned_raw_tx")
  const raw = typeof rawText === "string" && rawText.startsWith("0x") ? fromHex(rawText.slice(2)) : undefined
  if (raw === undefined || raw.length === 0 || raw.length > MAX_RAW) return "there is no raw transaction to check"
  const decoded = transactionDecoder.decode(raw, offlineContext("secp256k1", DEFAULT_SETTINGS))
  return isProblem(decoded) ? `the raw transaction cannot be read: ${decoded.message} (at ${decoded.at})` : decoded
}

function decideSign(rules: ReferenceRules, request: CallbackRequest): string | undefined {
  const { detail, extraInfo } = request
  const hashes = detail["msg_hash_list"]
  if (!Array.isArray(hashes) || hashes.length !== 1) return "exactly one digest can be checked at a time"
  if (detail["signature_type"] !== 1) return "an EVM transaction takes an ECDSA signature"
  const reading = readingOf(request)
  if (typeof reading === "string") return reading
  const [sign] = reading.signs
  if (sign === undefined || hashes[0] !== `0x${toHex(sign.bytes)}`)
    return "the digest is not the hash of the raw transaction"
  const chain = rules.evm.find(({ chainId }) => evmChain(chainId) === reading.chain)
  if (chain === undefined) return `chain ${reading.chain} is not allowed`
  const named = at(extraInfo, "transaction", "chain_id")
  if (named !== undefined && named !== chain.name)
    return `the transaction is for ${chain.name}, and extra_info names another chain`
  const contradiction = refusedIntent(reading, request)
  if (contradiction !== undefined) return contradiction
  if (reading.fee.max > chain.maxFee) return `its fee of up to ${formatEther(reading.fee.max)} is above the limit`
  return decideTransfer(chain, reading, extraInfo)
}

/**
 * What the node states as its reading must equal the reading here, except for senders, which only the node can derive. The hash that it
 * states, which names the signing session, must be the hash of exactly that reading.
 */
function refusedIntent(reading: Reading, { detail, extraInfo }: CallbackRequest): string | undefined {
  const intent = at(extraInfo, "intent")
  const ofTask = at(extraInfo, "intent_hash")
  if (intent === undefined && ofTask === undefined) return undefined
  const [shown, other] = Array.isArray(intent) ? intent : []
  const digests = at(shown, "digests")
  const own = reading.signs.map(({ bytes }) => `0x${toHex(bytes)}`)
  if (other !== undefined || JSON.stringify(digests) !== JSON.stringify(own))
    return "the node's intent is not of the digest that is to be signed"
  const effects = reading.effects.map((effect) => effectJson(effect))
  if (at(shown, "chain") !== reading.chain || withoutSenders(at(shown, "effects")) !== withoutSenders(effects))
    return "the node's intent shows something else than the raw transaction"
  const hash = hashFor(reading, detail, at(shown, "from"))
  return hash !== undefined && hash === at(shown, "intent_hash") && (ofTask ?? hash) === hash
    ? undefined
    : "the intent hash is not that of what the node's intent shows"
}

/** The hash of the reading with the stated sender; undefined if no sender, root key or path is stated. */
function hashFor(reading: Reading, detail: CallbackRequest["detail"], from: unknown): string | undefined {
  const [sender, other] = Array.isArray(from) ? from : []
  const { root_pub_key: root, bip32_path_list: paths } = detail
  const [text] = Array.isArray(paths) ? paths : []
  const path = pathOf(text)
  if (typeof sender !== "string" || other !== undefined || typeof root !== "string" || path === undefined)
    return undefined
  const effects = reading.effects.map((effect) => bySender(effect, sender))
  return intentHashText(
    { ...reading, from: [sender], effects, signs: reading.signs.map((s) => ({ ...s, path })) },
    root,
  )
}

/** This server derives no signer, so every account that depends on it has no name yet. */
const bySender = (effect: Effect, sender: string): Effect =>
  "from" in effect && typeof effect.from !== "string" ? { ...effect, from: sender } : effect

function pathOf(text: unknown): readonly number[] | undefined {
  try {
    return typeof text === "string" ? parsePath(text) : undefined
  } catch {
    return undefined
  }
}

const withoutSenders = (effects: unknown): string =>
  JSON.stringify(effects, (key, value: unknown) => (key === "from" ? undefined : value))

interface AskedTransfer {
  readonly to: Bytes
  readonly amount: bigint
  readonly decimals: number
  readonly maxAmount: bigint
}

function decideTransfer(chain: EvmChain, reading: Reading, extraInfo: unknown): string | undefined {
  const transfer = nativeTransfer(chain, reading) ?? tokenTransfer(chain, reading)
  if (transfer === undefined) return `it is no transfer that is allowed: ${intentText(reading).join("; ")}`
  return refusedDestination(chain, transfer.to) ?? refusedAmount(transfer) ?? refusedWords(transfer, extraInfo)
}

function refusedDestination(chain: EvmChain, to: Bytes): string | undefined {
  if (chain.destinations.some((allowed) => equal(allowed, to))) return undefined
  const twin = chain.destinations.find((allowed) => looksLike(allowed, to))
  return twin === undefined
    ? `${addressOf(to)} is not an allowed destination`
    : `${addressOf(to)} is not an allowed destination, and imitates ${addressOf(twin)}`
}

const refusedAmount = ({ amount, decimals, maxAmount }: AskedTransfer): string | undefined =>
  amount <= maxAmount
    ? undefined
    : `its amount of ${formatDecimal(amount, decimals)} is above the limit of ${formatDecimal(maxAmount, decimals)}`

/** What people were shown must be what is signed: a false display is a reason to reject. */
function refusedWords({ to, amount, decimals }: AskedTransfer, extraInfo: unknown): string | undefined {
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

/** A payment and nothing beside it. */
function nativeTransfer({ maxAmount }: EvmChain, { effects, fee }: Reading): AskedTransfer | undefined {
  const [effect, other] = effects
  if (effect?.kind !== "transfer" || other !== undefined || effect.asset !== fee.asset) return undefined
  const to = addressIn(effect.to)
  return to && { to, amount: effect.amount, decimals: 18, maxAmount }
}

/** transfer(address,uint256) of ERC-20. */
const TRANSFER = "0xa9059cbb"

/** A call of an allowed token's transfer, with no ether, and nothing beside it. */
function tokenTransfer({ tokens }: EvmChain, { chain, effects }: Reading): AskedTransfer | undefined {
  const [call, effect, other] = effects
  if (call?.kind !== "call" || call.selector !== TRANSFER || call.value !== 0n) return undefined
  if (effect?.kind !== "transfer" || other !== undefined) return undefined
  const token = tokens.find(({ contract }) => tokenAsset(chain, "erc20", addressOf(contract)) === effect.asset)
  const to = addressIn(effect.to)
  return token && to && { to, amount: effect.amount, decimals: token.decimals, maxAmount: token.maxAmount }
}

const addressIn = (account: Account): Bytes | undefined =>
  typeof account === "string" ? parseAddress(account) : undefined

function at(from: unknown, ...path: readonly string[]): unknown {
  let value = from
  for (const key of path) {
    if (typeof value !== "object" || value === null || !Object.hasOwn(value, key)) return undefined
    value = Reflect.get(value, key)
  }
  return value ?? undefined
}
