/**
 * Decides what is approved: new keys if the configuration allows them, and one kind of signature, a payment of the chain's own coin to a
 * listed address, within the limits. Everything else is rejected.
 */
import {
  addressOf,
  decimal,
  hexOf,
  intentHashOf,
  keccak256,
  type Payment,
  Refused,
  readPayment,
} from "./transaction.ts"

export { Refused }
export type JsonObject = Readonly<Record<string, unknown>>
type ParseObject = (text: string) => JsonObject | undefined

interface Asked {
  readonly id: string
  readonly kind: number
  readonly detail: JsonObject
  readonly extra: JsonObject
}

export const isObject = (value: unknown): value is JsonObject =>
  typeof value === "object" && value !== null && !Array.isArray(value)

/** The four fields, each of its type; a text says what is wrong. */
export function readAsked(fields: JsonObject | undefined, parse: ParseObject): Asked | string {
  const { request_id: id, request_type: kind, request_detail: detail, extra_info: extra } = fields ?? {}
  if (typeof id !== "string" || id.length > 128) return "request_id is missing, or no text"
  if (typeof kind !== "number" || !Number.isSafeInteger(kind)) return "request_type is missing, or no integer"
  if (typeof detail !== "string" || typeof extra !== "string") return "request_detail and extra_info are texts"
  if (kind === 0) return { id, kind, detail: {}, extra: {} }
  const read = { detail: parse(detail), extra: parse(extra) }
  if (id === "" || read.detail === undefined || read.extra === undefined)
    return "request_id is empty, or request_detail or extra_info holds no JSON object"
  return { id, kind, detail: read.detail, extra: read.extra }
}

/** Follows names through nested objects; null counts as absent. */
function at(from: unknown, ...names: readonly string[]): unknown {
  let value = from
  for (const name of names) value = isObject(value) && Object.hasOwn(value, name) ? value[name] : undefined
  return value ?? undefined
}

const same = (a: unknown, b: unknown): boolean => canonical(a) === canonical(b)

/** JSON with the members of objects in the order of their names. */
const canonical = (value: unknown): string =>
  JSON.stringify(value, (_, part: unknown) =>
    isObject(part) ? Object.fromEntries(Object.entries(part).sort(([a], [b]) => (a < b ? -1 : 1))) : part,
  ) ?? ""

export function rulesOf(config: JsonObject): { readonly decide: (asked: Asked) => void } {
  const destinations = new Set([config["destinations"] ?? []].flat().map(String))
  for (const text of destinations)
    if (addressOf(Buffer.from(text.slice(2), "hex")) !== text)
      throw new Error(`destinations: ${text} is no address with a right checksum`)
  const maxAmount = BigInt(String(config["max_amount_wei"]))
  const maxFee = BigInt(String(config["max_fee_wei"]))
  const chain = `eip155:${config["chain_id"]}`
  const asset = `${chain}/slip44:${config["coin_type"]}`

  function decideSign({ detail, extra }: Asked): void {
    const { msg_hash_list: hashes, bip32_path_list: paths, signature_type: type, root_pub_key: root } = detail
    if (!Array.isArray(hashes) || hashes.length !== 1 || !Array.isArray(paths) || paths.length !== 1 || type !== 1)
      throw new Refused("one ECDSA signature can be checked at a time")
    // Uses the transaction itself, never the statements beside it: what is hashed here is what will be signed.
    const text = at(extra, "transaction", "raw_tx_info", "unsigned_raw_tx")
    if (typeof text !== "string" || !/^0x(?:[0-9a-f]{2}){1,131072}$/i.test(text))
      throw new Refused("there is no raw transaction to check")
    const raw = Buffer.from(text.slice(2), "hex")
    const digest = keccak256(raw)
    if (hashes[0] !== hexOf(digest)) throw new Refused("the digest is not the hash of the raw transaction")
    const payment = readPayment(raw)
    if (`eip155:${payment.chainId}` !== chain) throw new Refused("the transaction is for another chain")
    if ((at(extra, "transaction", "chain_id") ?? config["chain_name"]) !== config["chain_name"])
      throw new Refused("extra_info names another chain")
    if (!destinations.has(payment.to)) throw new Refused(`${payment.to} is not an allowed destination`)
    if (payment.amount > maxAmount) throw new Refused(`its amount of ${payment.amount} wei is above the limit`)
    if (payment.maxFee > maxFee) throw new Refused(`its fee of up to ${payment.maxFee} wei is above the limit`)
    checkWords(extra, payment)
    checkIntent(extra, payment, { digest, root: String(root), path: String(paths[0]), chain, asset })
  }

  return {
    decide: (asked) => {
      if (asked.kind === 2) return decideSign(asked)
      if (asked.kind === 1 && config["allow_key_gen"] === true) return undefined
      throw new Refused(`requests of type ${asked.kind} are not allowed here`)
    },
  }
}

/** Refuses a false display: what people were shown must be what is signed. */
function checkWords(extra: JsonObject, { to, amount }: Payment): void {
  const shown = at(extra, "transaction", "destination", "account_output")
  const address = at(shown, "address") ?? to
  if (address !== to && address !== to.toLowerCase())
    throw new Refused("extra_info shows another destination, or an address with a wrong checksum")
  const shownAmount = at(shown, "amount")
  if (shownAmount !== undefined && decimal(shownAmount, 18) !== amount)
    throw new Refused("extra_info shows another amount")
}

interface Signed {
  readonly digest: Uint8Array
  readonly root: string
  readonly path: string
  readonly chain: string
  readonly asset: string
}

/**
 * Compares what the node states as its reading with the reading here, and computes its hash again, because the node binds the signing
 * session to that hash. Only the sender must be taken from the node, because only the node derives it.
 */
function checkIntent(extra: JsonObject, payment: Payment, signed: Signed): void {
  const intent = at(extra, "intent")
  const ofTask = at(extra, "intent_hash")
  if (intent === undefined && ofTask === undefined) return
  const [shown, other] = Array.isArray(intent) ? intent : []
  const senders = at(shown, "from")
  const [from] = Array.isArray(senders) && senders.length === 1 ? senders : []
  if (other !== undefined || typeof from !== "string") throw new Refused("the node's intent is not one, of one sender")
  const { chain, asset, digest } = signed
  const own = {
    format: "evm/transaction",
    chain,
    effects: [{ kind: "transfer", from, to: payment.to, asset, amount: payment.amount.toString() }],
    fee: { max: payment.maxFee.toString(), asset, unbounded: false },
    nonce: payment.nonce.toString(),
    digests: [hexOf(digest)],
  }
  for (const [name, value] of Object.entries(own))
    if (!same(at(shown, name), value))
      throw new Refused(`the node's intent shows another ${name} than the raw transaction`)
  const hash = hexOf(intentHashOf(payment, { ...signed, from }))
  if (at(shown, "intent_hash") !== hash || (ofTask ?? hash) !== hash)
    throw new Refused("the intent hash is not that of the intent")
}
