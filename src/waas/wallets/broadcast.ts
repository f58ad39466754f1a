/**
 * Broadcasts signed transactions: sends them to the chain's endpoint and looks for them in blocks. Their state is in the store, so a
 * restart continues where it stopped. Sending one twice does no harm, because the chain accepts each nonce once.
 */
import { errorText } from "../../errors.ts"
import type { Log } from "../../log.ts"
import type { Fetch } from "../../outbound.ts"
import { sleep } from "../../sleep.ts"
import { ApiFailure } from "../failure.ts"
import type { WalletTransaction } from "../store/model.ts"
import type { SharedStore } from "../store/shared.ts"
import type { WaasStore } from "../store/store.ts"
import type { Chains } from "./chains.ts"
import { count, hash32, type JsonRpc, jsonRpcOf, quantity, RpcRefusal } from "./jsonRpc.ts"

interface BroadcastParts {
  readonly store: WaasStore
  readonly chains: Chains
  readonly fetch: Fetch
  readonly now: () => number
  readonly shared: Pick<SharedStore, "exclusively" | "isLeader">
}

const LOOK_MS = 4_000
const AT_ONCE = 32

/**
 * Records that these transactions are to be broadcast, and sends them. If an endpoint does not answer, or WaaS crashes, keepBroadcasting
 * sends them later. Rejects with 2029, and changes nothing, if a chain is not enabled or has no endpoint.
 */
export async function broadcastNow(
  signed: readonly WalletTransaction[],
  parts: BroadcastParts,
): Promise<readonly WalletTransaction[]> {
  for (const record of signed) rpcFor(record, parts)
  const begun = signed.map(
    (record): WalletTransaction => ({ ...record, status: "Broadcasting", subStatus: "", updatedMs: parts.now() }),
  )
  await parts.store.commit(begun.map((record) => ({ put: "transaction", record }) as const))
  return Promise.all(begun.map((record) => broadcast(record, parts).catch((error: unknown) => later(record, error))))
}

function later(record: WalletTransaction, error: unknown): WalletTransaction {
  if (error instanceof ApiFailure) return record
  throw error
}

/** Sends the transaction and records the outcome. Rejects with 2029, and changes nothing, if the endpoint does not answer. */
async function broadcast(record: WalletTransaction, parts: BroadcastParts): Promise<WalletTransaction> {
  const rpc = rpcFor(record, parts)
  try {
    await rpc("eth_sendRawTransaction", [record.rawTx])
  } catch (error) {
    if (!(error instanceof RpcRefusal)) throw error
    // Endpoints have no common error for a transaction that they have already, so they are asked for it.
    if (!(await isKnown(rpc, record))) {
      const failed = { status: "Failed", subStatus: "FailedBroadcasting", failedReason: error.message } as const
      return write(record, { ...record, ...failed }, parts)
    }
  }
  return write(record, { ...record, status: "Confirming", subStatus: "PendingBlockConfirmations" }, parts)
}

/**
 * Whether the endpoint has the transaction. Rejects with 2029 if the endpoint does not answer: that must not count as no, or the
 * transaction would fail and its nonce be given out again.
 */
async function isKnown(rpc: JsonRpc, { transactionHash }: WalletTransaction): Promise<boolean> {
  try {
    const found = await rpc("eth_getTransactionByHash", [transactionHash])
    return typeof found === "object" && found !== null
  } catch (error) {
    if (error instanceof RpcRefusal) return false
    throw error
  }
}

/** Looks for the transaction in a block and records what it finds; returns the record unchanged while no block has it. */
async function confirm(record: WalletTransaction, parts: BroadcastParts): Promise<WalletTransaction> {
  const rpc = rpcFor(record, parts)
  const receipt = await rpc("eth_getTransactionReceipt", [record.transactionHash])
  if (typeof receipt !== "object" || receipt === null) return waiting(rpc, record)
  const block = {
    number: count(Reflect.get(receipt, "blockNumber"), "the block's number"),
    hash: hash32(Reflect.get(receipt, "blockHash"), "the block"),
  }
  const isSuccess = quantity(Reflect.get(receipt, "status"), "the receipt's status") === 1n
  return write(
    record,
    isSuccess
      ? { ...record, block, status: "Completed", subStatus: "" }
      : { ...record, block, status: "Failed", subStatus: "FailedOnChain", failedReason: "the chain reverted it" },
    parts,
  )
}

/**
 * Sends the transaction again if its endpoint has dropped it: pools drop transactions with low fees, and lose all in a restart. Even if the
 * endpoint then refuses it, the record stays Confirming: a block may still contain it, so its nonce must not count as free.
 */
async function waiting(rpc: JsonRpc, record: WalletTransaction): Promise<WalletTransaction> {
  const { rawTx } = record
  if (rawTx !== undefined && !(await isKnown(rpc, record))) await rpc("eth_sendRawTransaction", [rawTx])
  return record
}

/** Writes the new state, unless the status has changed meanwhile: callers of any replica and the loop may work on it at the same time. */
async function write(
  before: WalletTransaction,
  after: WalletTransaction,
  { store, now, shared }: BroadcastParts,
): Promise<WalletTransaction> {
  return shared.exclusively(`broadcast ${before.transactionId}`, async () => {
    const found = await store.transaction(before.transactionId)
    if (found !== undefined && found.status !== before.status) return found
    const record = { ...after, updatedMs: now() }
    await store.commit([{ put: "transaction", record }])
    return record
  })
}

function rpcFor({ chainId }: WalletTransaction, { chains, fetch }: BroadcastParts) {
  const chain = chains.enabled.find((enabled) => enabled.chainId === chainId)
  if (chain === undefined) throw new ApiFailure(2029, `the chain ${chainId} is not enabled any more`)
  return jsonRpcOf(chain, fetch)
}

/**
 * Sends transactions and looks for them until `stop`, as long as this process leads; one process does this for all replicas. Resolves
 * when it has ended.
 */
export async function keepBroadcasting(
  parts: BroadcastParts & { readonly log: Log },
  stop: AbortSignal,
  everyMs: number = LOOK_MS,
): Promise<void> {
  const told = new Map<string, string>()
  while (!stop.aborted) {
    try {
      if (parts.shared.isLeader()) await lookAtAll({ ...parts, told }, stop)
    } catch (error) {
      parts.log.error("transactions could not be broadcast; they are tried again", { error: errorText(error) })
    }
    await sleep(everyMs, stop)
  }
}

/** `told`: the reason that was last logged for each waiting transaction. Without it, one that waits for ever would fill the log. */
type LoopParts = BroadcastParts & { readonly log: Log; readonly told: Map<string, string> }

/** Goes through all open transactions, a few at a time: one that no block ever takes must not keep later ones waiting. */
async function lookAtAll(parts: LoopParts, stop: AbortSignal): Promise<void> {
  let open = await parts.store.transactionsOnTheirWay(AT_ONCE)
  while (open.length > 0 && !stop.aborted) {
    await Promise.all(open.map((record) => step(record, parts)))
    open = await parts.store.transactionsOnTheirWay(AT_ONCE, open.at(-1)?.transactionId)
  }
}

async function step(record: WalletTransaction, parts: LoopParts): Promise<void> {
  const { log, told } = parts
  const { transactionId, chainId } = record
  try {
    await (record.status === "Broadcasting" ? broadcast(record, parts) : confirm(record, parts))
    told.delete(transactionId)
  } catch (error) {
    const reason = errorText(error)
    if (told.get(transactionId) === reason) return
    told.set(transactionId, reason)
    log.warn("a transaction waits for its chain's endpoint", { transaction: transactionId, chain: chainId, reason })
  }
}
