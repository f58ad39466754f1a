/**
 * The calls for transfers and contract calls on EVM chains (formats.md 7.5). WaaS builds the unsigned transaction with data from the
 * chain's endpoint, nodes read and sign it, and WaaS broadcasts it if the caller asked for that.
 */
import { type Static, type TSchema, Type } from "@sinclair/typebox"
import { fromHex } from "../../bytes.ts"
import { parseDecimal } from "../../intent/amount.ts"
import { parseAddress } from "../../intent/evm/address.ts"
import { ApiFailure, notFound } from "../failure.ts"
import { type JsonObject, tokenInfo } from "../shapes.ts"
import type { Wallet, WalletAddress, WalletTransaction } from "../store/model.ts"
import { broadcastNow } from "../wallets/broadcast.ts"
import type { Chain } from "../wallets/chains.ts"
import {
  draftOf,
  type EvmCall,
  erc20Transfer,
  type FeeWish,
  feesOf,
  pendingNonce,
  requireChain,
} from "../wallets/evmDraft.ts"
import { type JsonRpc, jsonRpcOf } from "../wallets/jsonRpc.ts"
import type { AssetToken } from "../wallets/tokens.ts"
import type { ApiContext } from "./context.ts"
import { closed, Id, param, type Route, route } from "./route.ts"
import {
  addressOf,
  beginSigning,
  begun,
  commonFields,
  newTransaction,
  once,
  oneAtATime,
  Source,
  transactionIn,
} from "./transactionRequests.ts"
import { enabledChain, shownWallet } from "./wallets.ts"

const TRANSACTIONS = "/v2/transactions"
const TOKENS = "/v2/wallets/tokens"
const Digits = Type.String({ pattern: "^(?:0|[1-9][0-9]{0,29})$", description: "wei" })
const Decimal = Type.String({ maxLength: 160, description: "in whole units, as in 1.5" })
const AddressText = Type.String({ pattern: "^0x[0-9a-fA-F]{40}$" })

const Fee = closed({
  fee_type: Type.Literal("EVM_EIP_1559"),
  token_id: Type.String({ maxLength: 64 }),
  max_fee_per_gas: Digits,
  max_priority_fee_per_gas: Digits,
  gas_limit: Type.Optional(Digits),
})
const Process = Type.Union([Type.Literal("AutoProcess"), Type.Literal("BuildOnly"), Type.Literal("SignOnly")])
const TransferDestination = closed({
  destination_type: Type.Literal("Address"),
  account_output: closed({ address: AddressText, amount: Decimal, memo: Type.Optional(Type.Literal("")) }),
})
const CallDestination = closed({
  destination_type: Type.Literal("EVM_Contract"),
  address: AddressText,
  value: Type.Optional(Decimal),
  calldata: Type.String({ pattern: "^0x(?:[0-9a-fA-F]{2})*$", maxLength: 131_072 }),
})

const sendFields = {
  ...commonFields,
  fee: Type.Optional(Fee),
  transaction_process_type: Type.Optional(Process),
} as const
const Transfer = closed({ ...sendFields, token_id: Type.String({ maxLength: 64 }), destination: TransferDestination })
const ContractCall = closed({ ...sendFields, chain_id: Type.String({ maxLength: 64 }), destination: CallDestination })

const estimateFields = {
  request_id: Type.Optional(Type.String({ maxLength: 128 })),
  source: Source,
  fee_type: Type.Optional(Type.Literal("EVM_EIP_1559")),
} as const
const Estimate = Type.Union([
  closed({
    ...estimateFields,
    request_type: Type.Literal("Transfer"),
    token_id: Type.String({ maxLength: 64 }),
    destination: TransferDestination,
  }),
  closed({
    ...estimateFields,
    request_type: Type.Literal("ContractCall"),
    chain_id: Type.String({ maxLength: 64 }),
    destination: CallDestination,
  }),
])

export const transferRoutes = (api: ApiContext): readonly Route[] => [
  ...sendRoutes(api),
  ...broadcastRoutes(api),
  ...tokenRoutes(api),
]

const sendRoutes = (api: ApiContext): readonly Route[] => [
  sendRoute("transfer", "Transfer the native asset or a token of an EVM chain", Transfer, async (body) => {
    const token = tokenOf(api, body.token_id)
    const { wallet, address } = await sender(api, body.source, token.chain)
    const call = transferCall(token, address, body.destination.account_output)
    const kind = { type: "Withdrawal", tokenId: token.tokenId } as const
    return send(api, body, { wallet, address, chain: token.chain, call, ...kind })
  }),
  sendRoute("contract_call", "Call a contract of an EVM chain", ContractCall, async (body) => {
    const chain = evmChain(enabledChain(api, body.chain_id))
    const { wallet, address } = await sender(api, body.source, chain)
    const call = contractCall(chain, address, body.destination)
    return send(api, body, { wallet, address, chain, call, type: "ContractCall", tokenId: undefined })
  }),
  route({
    method: "POST",
    role: "operate",
    path: `${TRANSACTIONS}/estimate_fee`,
    summary: "What a transfer or a contract call would cost at most, by the chain's endpoint",
    body: Estimate,
    handle: async ({ body }) => estimated(api, body),
  }),
]

const sendRoute = <S extends TSchema & { static: { request_id: string } }>(
  name: string,
  summary: string,
  schema: S,
  make: (body: Static<S>) => Promise<WalletTransaction>,
): Route =>
  route({
    method: "POST",
    role: "operate",
    path: `${TRANSACTIONS}/${name}`,
    summary,
    body: schema,
    handle: async ({ body }) => begun(await make(body)),
  })

const broadcastRoutes = (api: ApiContext): readonly Route[] => [
  route({
    method: "POST",
    role: "operate",
    path: `${TRANSACTIONS}/broadcast`,
    summary: "Broadcast transactions that were only signed",
    body: closed({ transaction_ids: Type.Array(Id, { minItems: 1, maxItems: 50 }) }),
    handle: async ({ body }) => {
      const records = await Promise.all(
        body.transaction_ids.map((transaction_id) => transactionIn(api, { transaction_id })),
      )
      for (const record of records) requireBroadcastable(record)
      const sent = await broadcastNow(records, api)
      return sent.map(({ requestId, transactionId }) => ({ request_id: requestId, transaction_id: transactionId }))
    },
  }),
  route({
    method: "POST",
    role: "operate",
    path: `${TRANSACTIONS}/:transaction_id/sign_and_broadcast`,
    summary: "Sign and broadcast a transaction that was only built",
    handle: ({ params }) => oneAtATime(api, params, () => signBuilt(api, params)),
  }),
]

async function signBuilt(api: ApiContext, params: Readonly<Record<string, string>>): Promise<JsonObject> {
  const built = await transactionIn(api, params)
  if (built.status !== "Submitted") throw new ApiFailure(2029, `the transaction is ${built.status}, not Submitted`)
  const wallet = await shownWallet(api, built.walletId)
  const chain = enabledChain(api, built.chainId)
  const address = await addressOf(api, wallet, chain, String(built.source["address"]))
  const record: WalletTransaction = {
    ...built,
    status: "PendingSignature",
    subStatus: "Built",
    updatedMs: api.now(),
  }
  await beginSigning(api, record, { wallet, chain, address, wanted: wantedOf(record) })
  return begun(record)
}

const tokenRoutes = (api: ApiContext): readonly Route[] => [
  ...[TOKENS, "/v2/wallets/enabled_tokens"].map((path) =>
    route({
      method: "GET",
      path,
      summary:
        "The assets that transfers may name: native ones under their chain's name, and waas.tokens of the configuration",
      query: closed({
        wallet_type: Type.Optional(Type.String({ maxLength: 32 })),
        wallet_subtype: Type.Optional(Type.String({ maxLength: 32 })),
        chain_ids: Type.Optional(Type.String({ maxLength: 8192 })),
        token_ids: Type.Optional(Type.String({ maxLength: 8192 })),
        limit: Type.Optional(Type.String({ pattern: "^[1-9][0-9]{0,3}$", description: "all are on one page" })),
        before: Type.Optional(Type.String({ maxLength: 64 })),
        after: Type.Optional(Type.String({ maxLength: 64 })),
      }),
      handle: async ({ query }) => {
        const [chains, ids] = [query.chain_ids?.split(","), query.token_ids?.split(",")]
        const isMpc = (query.wallet_type ?? "MPC") === "MPC"
        const fits = ({ tokenId, chain }: AssetToken): boolean =>
          isMpc && (chains?.includes(chain.chainId) ?? true) && (ids?.includes(tokenId) ?? true)
        const data = api.tokens.filter(fits).map(tokenInfo)
        return { data, pagination: { before: "", after: "", total_count: data.length } }
      },
    }),
  ),
  route({
    method: "GET",
    path: `${TOKENS}/:token_id`,
    summary: "One asset",
    handle: async ({ params }) => {
      const id = param(params, "token_id")
      const token = api.tokens.find(({ tokenId }) => tokenId === id)
      if (token === undefined) throw notFound("token", id)
      return tokenInfo(token)
    },
  }),
]

// ---- what is asked -----------------------------------------------------------------------------------------------------

function tokenOf(api: ApiContext, id: string): AssetToken {
  const token = api.tokens.find(({ tokenId }) => tokenId === id)
  if (token === undefined)
    throw new ApiFailure(2006, `body.token_id: ${JSON.stringify(id)} is not known; see ${TOKENS}`)
  return { ...token, chain: evmChain(token.chain) }
}

/** Returns the chain. Throws 2006 if it is not an EVM chain, because WaaS builds transactions only for those. */
function evmChain(chain: Chain): Chain {
  if (chain.family === "evm") return chain
  throw new ApiFailure(
    2006,
    `${chain.chainId}: WaaS builds transactions of EVM chains only; send the payload to sign_requests`,
  )
}

async function sender(
  api: ApiContext,
  source: Static<typeof Source>,
  chain: Chain,
): Promise<{ readonly wallet: Wallet; readonly address: WalletAddress }> {
  const wallet = await shownWallet(api, source.wallet_id)
  return { wallet, address: await addressOf(api, wallet, chain, source.address) }
}

interface AccountOutput {
  readonly address: string
  readonly amount: string
}

function transferCall(
  { chain, contract, decimals }: AssetToken,
  { address: from }: WalletAddress,
  output: AccountOutput,
): EvmCall {
  const to = checkedAddress(output.address, "account_output.address")
  const amount = amountOf(output.amount, decimals, "account_output.amount")
  const common = { chainNumber: chainNumberOf(chain), from }
  return contract === undefined
    ? { ...common, to, value: amount, data: "0x" }
    : { ...common, to: contract, value: 0n, data: erc20Transfer(to, amount) }
}

function contractCall(
  chain: Chain,
  { address: from }: WalletAddress,
  destination: Static<typeof CallDestination>,
): EvmCall {
  const value = amountOf(destination.value ?? "0", chain.decimals, "value")
  const to = checkedAddress(destination.address, "address")
  return { chainNumber: chainNumberOf(chain), from, to, value, data: destination.calldata.toLowerCase() }
}

/** The amount in its smallest unit, below 2^256, which is what a word of the EVM holds. Throws 2006. */
function amountOf(text: string, decimals: number, at: string): bigint {
  const amount = parseDecimal(text, decimals)
  if (amount !== undefined && amount < 2n ** 256n) return amount
  throw new ApiFailure(
    2006,
    `body.destination.${at}: not an amount below 2^256 units with at most ${decimals} decimals`,
  )
}

/** Throws 2006 for an address in mixed case whose checksum is wrong: a digit may be mistyped. */
function checkedAddress(text: string, at: string): string {
  if (parseAddress(text) !== undefined) return text
  throw new ApiFailure(2006, `body.destination.${at}: ${text} has a wrong checksum; is a digit mistyped?`)
}

const chainNumberOf = ({ caip2 }: Chain): bigint => BigInt(caip2.slice("eip155:".length))

const feeWishOf = (fee: Static<typeof Fee> | undefined): FeeWish => ({
  maxFeePerGas: fee && BigInt(fee.max_fee_per_gas),
  maxPriorityFeePerGas: fee && BigInt(fee.max_priority_fee_per_gas),
  gasLimit: fee?.gas_limit === undefined ? undefined : BigInt(fee.gas_limit),
})

// ---- building ----------------------------------------------------------------------------------------------------------

interface Wanted {
  readonly wallet: Wallet
  readonly address: WalletAddress
  readonly chain: Chain
  readonly call: EvmCall
  readonly type: "Withdrawal" | "ContractCall"
  readonly tokenId: string | undefined
}

const send = (
  api: ApiContext,
  body: Static<typeof Transfer> | Static<typeof ContractCall>,
  wanted: Wanted,
): Promise<WalletTransaction> =>
  // One at a time for each address: two that are built at once would get the same nonce.
  api.shared.exclusively(`address ${wanted.chain.chainId} ${wanted.address.address}`, () =>
    once(api, body, async (fingerprint) => {
      const { wallet, address, chain, call, type, tokenId } = wanted
      const rpc = jsonRpcOf(chain, api.fetch)
      await requireChain(rpc, call.chainNumber)
      const fees = await feesOf(rpc, call, feeWishOf(body.fee))
      const draft = draftOf(call, await nextNonce(api, rpc, address), fees)
      const process = body.transaction_process_type ?? "AutoProcess"
      const begins = newTransaction(api, body, { fingerprint, wallet, chain, address, type })
      const record: WalletTransaction = { ...begins, draft, process, ...(tokenId === undefined ? {} : { tokenId }) }
      if (process === "BuildOnly") {
        const built: WalletTransaction = { ...record, status: "Submitted", subStatus: "Built" }
        await api.store.commit([{ put: "transaction", record: built }])
        return built
      }
      await beginSigning(api, record, { wallet, chain, address, wanted: wantedOf(record) })
      return record
    }),
  )

/**
 * The lowest nonce, from the chain's own count on, that no transaction of the store holds. Signed transactions that are not broadcast
 * yet keep theirs. The nonce of a failed one is used again, because later transactions wait for it.
 */
const nextNonce = async (api: ApiContext, rpc: JsonRpc, sender: WalletAddress): Promise<number> =>
  api.store.freeNonce(sender, await pendingNonce(rpc, sender.address))

function wantedOf({ draft }: WalletTransaction) {
  const data = fromHex(draft?.unsigned.slice(2) ?? "")
  if (data === undefined || data.length === 0) throw new TypeError("an EVM transaction without its draft")
  return { signatureType: 1 as const, tweak: "", content: { payload: { format: "evm/transaction" as const, data } } }
}

/** The chain that the request is about, and what would be called from an address on it. */
function wouldCall(
  api: ApiContext,
  body: Static<typeof Estimate>,
): { readonly chain: Chain; readonly callFrom: (address: WalletAddress) => EvmCall } {
  if (body.request_type === "Transfer") {
    const token = tokenOf(api, body.token_id)
    return { chain: token.chain, callFrom: (address) => transferCall(token, address, body.destination.account_output) }
  }
  const chain = evmChain(enabledChain(api, body.chain_id))
  return { chain, callFrom: (address) => contractCall(chain, address, body.destination) }
}

async function estimated(api: ApiContext, body: Static<typeof Estimate>): Promise<JsonObject> {
  const { chain, callFrom } = wouldCall(api, body)
  const { address } = await sender(api, body.source, chain)
  const call = callFrom(address)
  const rpc = jsonRpcOf(chain, api.fetch)
  await requireChain(rpc, call.chainNumber)
  const { maxFeePerGas, maxPriorityFeePerGas, gasLimit } = await feesOf(rpc, call, feeWishOf(undefined))
  return {
    fee_type: "EVM_EIP_1559",
    token_id: chain.chainId,
    recommended: {
      max_fee_per_gas: String(maxFeePerGas),
      max_priority_fee_per_gas: String(maxPriorityFeePerGas),
      gas_limit: String(gasLimit),
    },
  }
}

function requireBroadcastable({ transactionId, process, status, rawTx }: WalletTransaction): void {
  if (process === "SignOnly" && status === "Completed" && rawTx !== undefined) return
  throw new ApiFailure(
    2029,
    `the transaction ${transactionId} is ${status}; only SignOnly ones that are signed can be broadcast`,
  )
}
