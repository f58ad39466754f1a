/**
 * The parts that all calls for a transaction share: a repeated request is answered once, the address must belong to the wallet, and the
 * transaction is written in the same commit as the signing request that signs it.
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
import type { Chain } from "../wallets/chains.ts"
import type { SignatureWish } from "../wallets/messages.ts"
import { STATUS } from "../wallets/progress.ts"
import type { ApiContext } from "./context.ts"
import { closed, Id, NodeIdText, param, Words } from "./route.ts"
import { createSignRequest } from "./signRequests.ts"
import { walletShape } from "./wallets.ts"

export const Source = closed({
  source_type: Type.Union([Type.Literal("Org-Controlled"), Type.Literal("User-Controlled")]),
  wallet_id: Id,
  address: Type.String({ minLength: 1, maxLength: 128 }),
  mpc_used_key_share_holder_group: Type.Optional(
    closed({
      used_key_share_holder_group_id: Id,
      used_tss_node_ids: Type.Optional(Type.Array(NodeIdText, { minItems: 2, maxItems: 32 })),
    }),
  ),
})

/** The fields that every request for a transaction has. */
export const commonFields = {
  request_id: Words(1, 128),
  source: Source,
  description: Type.Optional(Words(0, 512)),
  category_names: Type.Optional(Type.Array(Words(1, 64), { maxItems: 16 })),
} as const

interface CommonBody {
  readonly request_id: string
  readonly source: Static<typeof Source>
  readonly destination: JsonObject
  readonly description?: string
  readonly category_names?: readonly string[]
}

/**
 * The transaction that this request_id made before, or else the one that `make` makes. Throws 30001 if the request_id was used for
 * another request. `fingerprint`: SHA-256 of the body, hex.
 */
export async function once(
  api: ApiContext,
  body: { readonly request_id: string },
  make: (fingerprint: string) => Promise<WalletTransaction>,
): Promise<WalletTransaction> {
  const fingerprint = toHex(sha256(utf8(canonicalJson(body))))
  const known = await sameRequest(api, body.request_id, fingerprint)
  if (known !== undefined) return known
  try {
    return await make(fingerprint)
  } catch (error) {
    // The same request may have come twice at the same time; then the other one was first.
    const isSecond = error instanceof ApiFailure && error.errorCode === 30001
    const first = isSecond ? await sameRequest(api, body.request_id, fingerprint) : undefined
    if (first === undefined) throw error
    return first
  }
}

/** The transaction that this request_id made before. Throws 30001 if that was another request. */
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

export function newTransaction(api: ApiContext, body: CommonBody, parts: TransactionParts): WalletTransaction {
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
    ...signersOf(body.source.mpc_used_key_share_holder_group),
  }
}

function signersOf(
  group: Static<typeof Source>["mpc_used_key_share_holder_group"],
): Pick<WalletTransaction, "signers"> {
  if (group === undefined) return {}
  const { used_key_share_holder_group_id: groupId, used_tss_node_ids: nodeIds } = group
  return { signers: { groupId, ...(nodeIds === undefined ? {} : { nodeIds }) } }
}

interface MessageSigning {
  readonly wallet: Wallet
  readonly chain: Chain
  readonly address: WalletAddress
  readonly wanted: SignatureWish
}

/** Makes the signing request for the transaction, and writes both in one commit. */
export async function beginSigning(api: ApiContext, record: WalletTransaction, parts: MessageSigning): Promise<void> {
  const { wallet, chain, address, wanted } = parts
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
    ...(record.signers === undefined ? {} : { key_share_holder_group_id: record.signers.groupId }),
    ...(record.signers?.nodeIds === undefined ? {} : { used_tss_node_ids: [...record.signers.nodeIds] }),
    ...signed,
    extra_info: { wallet: await walletShape(api, wallet), ...extraInfoOf(record, address, content) },
    description: record.description,
  }
  const made = {
    signRequestId: record.transactionId,
    beside: [{ put: "transaction", record }] as const,
    chain: chain.caip2,
  }
  await createSignRequest(api, wallet.vaultId, body, made)
}

/**
 * What extra_info says about the transaction. An EVM message is valid on every chain, and nodes refuse a chain in extra_info beside such
 * a payload, so chain and address are left out for it.
 */
function extraInfoOf(record: WalletTransaction, address: WalletAddress, content: SignatureWish["content"]): JsonObject {
  const { chain_id, ...shape } = transaction(record)
  const isAnyChain = "payload" in content && content.payload.format.startsWith("evm/") && record.type === "MessageSign"
  return isAnyChain
    ? { transaction: shape }
    : { transaction: { ...shape, chain_id }, source_addresses: [addressInfo(address)] }
}

/** The wallet's record of that address. Throws 2006 if the wallet has no such address on that chain. */
export async function addressOf(api: ApiContext, wallet: Wallet, chain: Chain, text: string): Promise<WalletAddress> {
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

/** The transaction that the path names. Throws 2028. */
export async function transactionIn(
  api: ApiContext,
  params: Readonly<Record<string, string>>,
): Promise<WalletTransaction> {
  const id = param(params, "transaction_id")
  const found = await api.store.transaction(id)
  if (found === undefined) throw notFound("transaction", id)
  return found
}

/** Runs one piece of work at a time for each transaction, over all replicas, so that one is never both cancelled and signed. */
export const oneAtATime = <T>(
  { shared }: ApiContext,
  params: Readonly<Record<string, string>>,
  work: () => Promise<T>,
): Promise<T> => shared.exclusively(`transaction ${param(params, "transaction_id")}`, work)

/** The answer of the published calls that begin a transaction. */
export const begun = ({ requestId, transactionId, status }: WalletTransaction): JsonObject => ({
  request_id: requestId,
  transaction_id: transactionId,
  status,
})
