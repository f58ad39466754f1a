/**
 * The calls about transactions of wallets, in the form of the published SDKs (formats.md 7.5). The signing request with the same id signs
 * a transaction. Nodes read from the payload what they sign; `extra_info.transaction` only informs risk control.
 */
import { type Static, Type } from "@sinclair/typebox"
import { type JsonObject, transaction } from "../shapes.ts"
import type { WalletTransaction } from "../store/model.ts"
import type { TransactionFilter } from "../store/store.ts"
import { MessageDestination, wantedSignature } from "../wallets/messages.ts"
import { STATUS } from "../wallets/progress.ts"
import type { ApiContext } from "./context.ts"
import { pageFields, pageOf, pageQuery } from "./page.ts"
import { closed, Id, notServed, type Route, route, Words } from "./route.ts"
import {
  addressOf,
  beginSigning,
  begun,
  commonFields,
  newTransaction,
  once,
  oneAtATime,
  transactionIn,
} from "./transactionRequests.ts"
import { enabledChain, shownWallet } from "./wallets.ts"

const TRANSACTIONS = "/v2/transactions"
const TRANSACTION = `${TRANSACTIONS}/:transaction_id`

const MessageSign = closed({
  ...commonFields,
  chain_id: Type.String({ minLength: 1, maxLength: 64 }),
  destination: MessageDestination,
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
    handle: async ({ params }) =>
      begun(await oneAtATime(api, params, async () => cancel(api, await transactionIn(api, params)))),
  }),
  notServed(
    "POST",
    `${TRANSACTION}/resend`,
    "WaaS does not tell a dropped transaction from one that waits; send its raw_tx to the chain again",
  ),
  notServed(
    "POST",
    `${TRANSACTION}/drop`,
    "WaaS builds no replacements; sign a transaction of the same nonce to yourself as a payload of sign_requests",
  ),
  notServed(
    "POST",
    `${TRANSACTION}/speedup`,
    "WaaS builds no replacements; sign it with the same nonce and a higher fee as a payload of sign_requests",
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
    summary: "Who approved a transaction at WaaS: nobody, because nodes ask risk control themselves",
    handle: async ({ params }) => approvals(await transactionIn(api, params)),
  }),
  route({
    method: "GET",
    path: `${TRANSACTIONS}/approval_details`,
    summary: "Who approved several transactions at WaaS: nobody",
    query: closed({ transaction_ids: list(), cobo_ids: list(), request_ids: list() }),
    handle: async ({ query }) => {
      const ids = query.transaction_ids?.split(",").slice(0, 50) ?? []
      const found = await Promise.all(ids.map((id) => api.store.transaction(id)))
      return { data: found.flatMap((one) => (one === undefined ? [] : [approvals(one)])) }
    },
  }),
]

const approvals = ({ transactionId, requestId }: WalletTransaction): JsonObject => ({
  transaction_id: transactionId,
  request_id: requestId,
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

const messageSign = (api: ApiContext, body: MessageSign): Promise<WalletTransaction> =>
  once(api, body, async (fingerprint) => {
    const chain = enabledChain(api, body.chain_id)
    const wallet = await shownWallet(api, body.source.wallet_id)
    const address = await addressOf(api, wallet, chain, body.source.address)
    const wanted = wantedSignature(body.destination, address, chain)
    const record = newTransaction(api, body, { fingerprint, wallet, chain, address, type: "MessageSign" })
    await beginSigning(api, record, { wallet, chain, address, wanted })
    return record
  })

/** Cancels the transaction. One that was only built has no signing request yet, so only its record changes. */
async function cancel(api: ApiContext, built: WalletTransaction): Promise<WalletTransaction> {
  const { transactionId, status } = built
  if (status !== "Submitted") {
    await api.engine.cancelSignRequest(transactionId)
    return transactionNow(api, transactionId)
  }
  const after: WalletTransaction = { ...built, ...STATUS.Canceled, updatedMs: api.now() }
  await api.store.commit([{ put: "transaction", record: after }])
  return after
}

async function transactionNow(api: ApiContext, id: string): Promise<WalletTransaction> {
  const found = await api.store.transaction(id)
  if (found === undefined) throw new TypeError(`the transaction ${id} was there a moment ago`)
  return found
}
