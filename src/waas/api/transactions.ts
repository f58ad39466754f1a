/**
 * Transactions of wallets as the published SDKs ask for them (formats.md 7.5). Each is signed by the signing request of the
 * same id. What `extra_info.transaction` tells risk control is made here; what is signed, nodes read from the payload.
 */
import { randomUUID } from "node:crypto"
import { type Static, Type } from "@sinclair/typebox"
import { toHex, utf8 } from "../../bytes.ts"
import { sha256 } from "../../crypto/frame.ts"
import { checksummed } from "../../keys/addresses.ts"
import { canonicalJson } from "../engine/outcome.ts"
import { ApiFailure, notFound } from "../failure.ts"
import { addressInfo, type JsonObject, transaction } from "../shapes.ts"
import type { TransactionKind, Wallet, WalletAddress, WalletTransaction } from "../store/model.ts"
import type { TransactionFilter } from "../store/store.ts"
import type { Chain } from "../wallets/chains.ts"
import { MessageDestination, type SignatureWish, wantedSignature } from "../wallets/messages.ts"
import { STATUS } from "../wallets/progress.ts"
import type { ApiContext } from "./context.ts"
import { pageFields, pageOf, pageQuery } from "./page.ts"
import { closed, Id, NodeIdText, param, type Route, route, Words } from "./route.ts"
import { createSignRequest } from "./signRequests.ts"
import { enabledChain, shownWallet, walletShape } from "./wallets.ts"

const TRANSACTIONS = "/v2/transactions"
const TRANSACTION = `${TRANSACTIONS}/:transaction_id`

const SigningGroup = closed({
  used_key_share_holder_group_id: Id,
  used_tss_node_ids: Type.Optional(Type.Array(NodeIdText, { minItems: 2, maxItems: 32 })),
})
const Source = closed({
  source_type: Type.Union([Type.Literal("Org-Controlled"), Type.Literal("User-Controlled")]),
  wallet_id: Id,
  address: Type.String({ minLength: 1, maxLength: 128 }),
  mpc_used_key_share_holder_group: Type.Optional(SigningGroup),
})

const MessageSign = closed({
  request_id: Words(1, 128),
  chain_id: Type.String({ minLength: 1, maxLength: 64 }),
  source: Source,
  destination: MessageDestination,
  description: Type.Optional(Words(0, 512)),
  category_names: Type.Optional(Type.Array(Words(1, 64), { maxItems: 16 })),
})
type MessageSign = Static<typeof MessageSign>

export const transactionRoutes = (api: ApiContext): readonly Route[] => [
  ...transactionReads(api),
  route({
    method: "POST",
    path: `${TRANSACTIONS}/message_sign`,
    role: "operate",
    summary: "Sign a message with the key of a wallet's address",
    body: MessageSign,
    handle: async ({ body }) => begun(await messageSign(api, body)),
  }),
  route({
    method: "POST",
    path: `${TRANSACTION}/cancel`,
    role: "operate",
    summary: "Cancel a transaction that is not signed yet",
    handle: async ({ params }) => {
      const { transactionId } = await transactionIn(api, params)
      await api.engine.cancelSignRequest(transactionId)
      return begun((await api.store.transaction(transactionId)) ?? missing(transactionId))
    },
  }),
  ...absent("resend", "WaaS does not watch chains, and so cannot tell what was dropped"),
  ...absent("drop", "WaaS does not watch chains; ask for a transaction of the same nonce to yourself"),
  ...absent(
    "speedup",
    "WaaS does not watch chains; ask for the transaction again with the same nonce and a higher fee",
  ),
]

const transactionReads = (api: ApiContext): readonly Route[] => [
  route({
    method: "GET",
    path: TRANSACTIONS,
    summary: "The transactions, newest first",
    query: closed({
      request_id: Type.Optional(Words(1, 128)),
      vault_id: Type.Optional(Id),
      transaction_ids: list(),
      wallet_ids: list(),
      chain_ids: list(),
      types: list(),
      statuses: list(),
      min_created_timestamp: Type.Optional(Type.String({ pattern: "^[0-9]{1,15}$" })),
      max_created_timestamp: Type.Optional(Type.String({ pattern: "^[0-9]{1,15}$" })),
      ...pageFields,
    }),
    handle: async ({ query }) => pageOf(await api.store.transactions(filterOf(query), pageQuery(query)), transaction),
  }),
  route({
    method: "GET",
    path: TRANSACTION,
    summary: "One transaction",
    handle: async ({ params }) => transaction(await transactionIn(api, params)),
  }),
  route({
    method: "GET",
    path: `${TRANSACTION}/approval_detail`,
    summary: "Who approved a transaction at WaaS: nobody, for nodes ask risk control themselves",
    handle: async ({ params }) => approvals(await transactionIn(api, params)),
  }),
  route({
    method: "GET",
    path: `${TRANSACTIONS}/approval_details`,
    summary: "The same of several transactions",
    query: closed({ transaction_ids: list(), cobo_ids: list(), request_ids: list() }),
    handle: async ({ query }) => {
      const ids = query.transaction_ids?.split(",").slice(0, 50) ?? []
      const found = await Promise.all(ids.map((id) => api.store.transaction(id)))
      return { data: found.flatMap((one) => (one === undefined ? [] : [approvals(one)])) }
    },
  }),
]

/** A call of the published service that has no meaning here: 2021, as for any other path that is not served, with the reason. */
const absent = (verb: string, why: string): readonly Route[] => [
  route({
    method: "POST",
    path: `${TRANSACTION}/${verb}`,
    role: "operate",
    summary: `Not served: ${why}`,
    body: Type.Object({}),
    handle: () => Promise.reject(new ApiFailure(2021, `${verb} is not served: ${why}`)),
  }),
]

const approvals = ({ transactionId, requestId }: WalletTransaction): JsonObject => ({
  transaction_id: transactionId,
  request_id: requestId,
})

const begun = ({ requestId, transactionId, status }: WalletTransaction): JsonObject => ({
  request_id: requestId,
  transaction_id: transactionId,
  status,
})

function list() {
  return Type.Optional(Type.String({ minLength: 1, maxLength: 8192, description: "separated by commas" }))
}

function filterOf(query: Readonly<Record<string, string | undefined>>): TransactionFilter {
  const several = (name: string): readonly string[] | undefined => query[name]?.split(",")
  const given = {
    requestId: query["request_id"],
    vaultId: query["vault_id"],
    transactionIds: several("transaction_ids"),
    walletIds: several("wallet_ids"),
    chainIds: several("chain_ids"),
    types: several("types"),
    statuses: several("statuses"),
    createdFromMs: numberOf(query["min_created_timestamp"]),
    createdToMs: numberOf(query["max_created_timestamp"]),
  }
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined))
}

const numberOf = (digits: string | undefined): number | undefined => (digits === undefined ? undefined : Number(digits))

async function messageSign(api: ApiContext, body: MessageSign): Promise<WalletTransaction> {
  const fingerprint = toHex(sha256(utf8(canonicalJson(body))))
  const known = await sameRequest(api, body.request_id, fingerprint)
  if (known !== undefined) return known
  const chain = enabledChain(api, body.chain_id)
  const wallet = await shownWallet(api, body.source.wallet_id)
  const address = await addressOf(api, wallet, chain, body.source.address)
  const wanted = wantedSignature(body.destination, address, chain)
  const record = newTransaction(api, body, { fingerprint, wallet, chain, address, type: "MessageSign" })
  try {
    await signing(api, record, { wallet, chain, address, wanted, group: body.source.mpc_used_key_share_holder_group })
  } catch (error) {
    // the same request twice at once: the other one was first
    const first = error instanceof ApiFailure && error.errorCode === 30001
    const other = first ? await sameRequest(api, body.request_id, fingerprint) : undefined
    if (other === undefined) throw error
    return other
  }
  return record
}

/** The transaction that came under this request_id before. Throws 30001 if that asked for another thing. */
async function sameRequest(
  api: ApiContext,
  requestId: string,
  fingerprint: string,
): Promise<WalletTransaction | undefined> {
  const known = await api.store.transactionOf(requestId)
  if (known === undefined || known.fingerprint === fingerprint) return known
  throw new ApiFailure(30001, `request_id ${requestId} was used for another request`)
}

interface TransactionParts {
  readonly fingerprint: string
  readonly wallet: Wallet
  readonly chain: Chain
  readonly address: WalletAddress
  readonly type: TransactionKind
}

function newTransaction(api: ApiContext, body: MessageSign, parts: TransactionParts): WalletTransaction {
  const { wallet, chain, address, type, fingerprint } = parts
  const nowMs = api.now()
  return {
    transactionId: randomUUID(),
    requestId: body.request_id,
    fingerprint,
    walletId: wallet.walletId,
    vaultId: wallet.vaultId,
    chainId: chain.chainId,
    type,
    ...STATUS.Initializing,
    failedReason: "",
    source: { source_type: body.source.source_type, wallet_id: wallet.walletId, address: address.address },
    destination: body.destination,
    signature: "",
    description: body.description ?? "",
    categories: body.category_names ?? [],
    createdMs: nowMs,
    updatedMs: nowMs,
  }
}

interface MessageSigning {
  readonly wallet: Wallet
  readonly chain: Chain
  readonly address: WalletAddress
  readonly wanted: SignatureWish
  readonly group: Static<typeof SigningGroup> | undefined
}

async function signing(api: ApiContext, record: WalletTransaction, parts: MessageSigning): Promise<void> {
  const { wallet, chain, address, wanted, group } = parts
  const { content, signatureType, tweak } = wanted
  const message = { bip32_path: address.path, tweak }
  const signed =
    "digest" in content
      ? { messages: [{ ...message, msg_hash: `0x${toHex(content.digest)}` }] }
      : {
          messages: [{ ...message, payload: 0 }],
          payloads: [{ format: content.payload.format, data: Buffer.from(content.payload.data).toString("base64") }],
        }
  const body = {
    request_id: record.requestId,
    curve: chain.curve === "ed25519" ? ("ED25519" as const) : ("SECP256K1" as const),
    signature_type: signatureType,
    ...(group === undefined ? {} : { key_share_holder_group_id: group.used_key_share_holder_group_id }),
    ...(group?.used_tss_node_ids === undefined ? {} : { used_tss_node_ids: group.used_tss_node_ids }),
    ...signed,
    extra_info: { wallet: await walletShape(api, wallet), ...told(record, address, content) },
    description: record.description,
  }
  const made = {
    signRequestId: record.transactionId,
    beside: [{ put: "transaction", record }] as const,
    chain: chain.caip2,
  }
  await createSignRequest(api, wallet.vaultId, body, made)
}

/** What a message is valid for is its payload's to say: nodes refuse a chain beside one that is valid on every chain. */
function told(record: WalletTransaction, address: WalletAddress, content: SignatureWish["content"]): JsonObject {
  const { chain_id, ...shape } = transaction(record)
  const isAnyChain = "payload" in content && content.payload.format.startsWith("evm/") && record.type === "MessageSign"
  return isAnyChain
    ? { transaction: shape }
    : { transaction: { ...shape, chain_id }, source_addresses: [addressInfo(address)] }
}

/** Throws 2006 for an address that is not the wallet's, on that chain. */
async function addressOf(api: ApiContext, wallet: Wallet, chain: Chain, text: string): Promise<WalletAddress> {
  const isHex = chain.family === "evm" && /^0x[0-9a-fA-F]{40}$/.test(text)
  const spelt = isHex ? checksummed(text.slice(2).toLowerCase()) : text
  const page = { limit: 1, after: undefined, before: undefined }
  const filter = { walletId: wallet.walletId, chainIds: [chain.chainId], addresses: [spelt] }
  const found = (await api.store.addresses(filter, page)).items[0]
  if (found !== undefined) return found
  throw new ApiFailure(
    2006,
    `body.source.address: the wallet ${wallet.walletId} has no address ${text} on ${chain.chainId}`,
  )
}

/** Throws 2028. */
async function transactionIn(api: ApiContext, params: Readonly<Record<string, string>>): Promise<WalletTransaction> {
  const id = param(params, "transaction_id")
  const found = await api.store.transaction(id)
  if (found === undefined) throw notFound("transaction", id)
  return found
}

function missing(id: string): never {
  throw new TypeError(`the transaction ${id} was there a moment ago`)
}
