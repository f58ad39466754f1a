/**
 * Keeps transactions in step with the signing requests that sign them: a commit that writes a request also writes the transaction with
 * the same id. The webhook layer (webhooks/news.ts) lies below this one, so it sees those writes too.
 */
import { fromHex } from "../../bytes.ts"
import type {
  EvmDraft,
  SignRequest,
  SignStatus,
  TransactionStatus,
  WaasTask,
  WalletTransaction,
} from "../store/model.ts"
import type { StoreWrite, WaasStore } from "../store/store.ts"
import { assembled } from "./evmDraft.ts"
import { signatureText } from "./messages.ts"

/** The store, except that each commit that writes a signing request also writes its transaction in the matching state. */
export function updatingTransactions(store: WaasStore): WaasStore {
  return {
    ...store,
    async commit(writes) {
      const requests = writes.flatMap((write) => (write.put === "signRequest" ? [write.record] : []))
      if (requests.length === 0) return store.commit(writes)
      const now = new Map<string, WalletTransaction>()
      for (const request of requests) {
        const record = await transactionNow(request, writes, store)
        if (record !== undefined) now.set(record.transactionId, record)
      }
      const others = writes.filter((write) => write.put !== "transaction" || !now.has(write.record.transactionId))
      const followed = [...now.values()].map((record): StoreWrite => ({ put: "transaction", record }))
      await store.commit([...others, ...followed])
    },
  }
}

async function transactionNow(
  request: SignRequest,
  writes: readonly StoreWrite[],
  store: WaasStore,
): Promise<WalletTransaction | undefined> {
  // The same commit may begin the transaction.
  const begins = writes.findLast(
    (write) => write.put === "transaction" && write.record.transactionId === request.signRequestId,
  )
  const before = begins?.put === "transaction" ? begins.record : await store.transaction(request.signRequestId)
  if (before === undefined) return undefined
  const tasks = writes.flatMap((write) => (write.put === "task" ? [write.record] : []))
  const { status, subStatus } = STATUS[request.status]
  const after: WalletTransaction = {
    ...before,
    status,
    subStatus: request.code === "E-WAA-020" ? "FailedSignerTimeout" : subStatus,
    failedReason: request.code === "" ? "" : `${request.code} ${request.reason}`,
    updatedMs: request.updatedMs,
  }
  return request.status === "Completed" ? signed(after, request, tasks, store) : after
}

async function signed(
  transaction: WalletTransaction,
  request: SignRequest,
  tasks: readonly WaasTask[],
  store: WaasStore,
): Promise<WalletTransaction> {
  const task = tasks.find(({ request: { id } }) => id === request.signRequestId)
  const outcome = task?.outcome
  const made = outcome?.type === "signatures" ? outcome.signatures[0] : undefined
  const address = await addressOf(transaction, store)
  if (made === undefined || address === undefined) return transaction
  const recovery = made.signature_recovery === "" ? undefined : Number(made.signature_recovery)
  if (transaction.draft !== undefined)
    return withRawTransaction(transaction, transaction.draft, made.signature, recovery ?? 0)
  return { ...transaction, signature: signatureText(transaction, address, { signature: made.signature, recovery }) }
}

/** Adds the signed raw transaction. Its status becomes Broadcasting, or stays Completed if the caller wanted only the signature. */
function withRawTransaction(
  transaction: WalletTransaction,
  { unsigned }: EvmDraft,
  signature: string,
  recovery: number,
): WalletTransaction {
  const bytes = fromHex(signature.replace(/^0x/, ""))
  if (bytes === undefined) throw new RangeError("a signature that was verified is no hex")
  const { rawTx, hash } = assembled(unsigned, bytes, recovery)
  const signed = { ...transaction, rawTx, transactionHash: hash }
  return transaction.process === "SignOnly" ? signed : { ...signed, status: "Broadcasting", subStatus: "" }
}

async function addressOf({ walletId, chainId, source }: WalletTransaction, store: WaasStore) {
  const text = String(source["address"])
  const page = { limit: 1, after: undefined, before: undefined }
  return (await store.addresses({ walletId, chainIds: [chainId], addresses: [text] }, page)).items[0]
}

/** The status of a transaction for each status of its signing request. A cancelled one is Failed, because there is no other word. */
export const STATUS: Readonly<Record<SignStatus, { readonly status: TransactionStatus; readonly subStatus: string }>> =
  {
    Initializing: { status: "PendingSignature", subStatus: "Built" },
    Approving: { status: "PendingSignature", subStatus: "PendingSignerApproval" },
    Processing: { status: "PendingSignature", subStatus: "PendingSignerProcessing" },
    Declined: { status: "Rejected", subStatus: "RejectedBySigner" },
    Failed: { status: "Failed", subStatus: "FailedBySigner" },
    Canceled: { status: "Failed", subStatus: "CanceledByAPI" },
    Completed: { status: "Completed", subStatus: "SignatureVerificationSuccess" },
  }
