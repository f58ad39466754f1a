/** Defines a case of the conformance kit, and makes the requests that cases use. */
import { keccak_256 } from "@noble/hashes/sha3.js"
import type { Bytes } from "../../bytes.ts"
import { formatDecimal } from "../../intent/amount.ts"
import { addressOf } from "../../intent/evm/address.ts"
import { approves, type Body, prefixed, type Reply, type ServerUnderTest, send, type TokenOver } from "./client.ts"
import { legacy, type SampleTransfer } from "./rlpEncode.ts"

/** critical: the server approves what must not be signed. major: it fails a node or its operator. minor: it differs from the documented form. */
export type Severity = "critical" | "major" | "minor"

export interface Case {
  readonly id: string
  readonly severity: Severity
  /** What a good server does. */
  readonly title: string
  /** approval: some request that the server approves. transaction: a transfer that it approves. */
  readonly needs: "nothing" | "approval" | "transaction"
  /** Undefined if the server passes, otherwise what it did. */
  readonly run: (kit: Kit) => Promise<string | undefined>
}

/** A transfer that the user says the server approves. */
export interface Sample {
  readonly chainId: bigint
  /** As extra_info names the chain. */
  readonly chainName: string
  readonly to: Bytes
  /** Wei. */
  readonly amount: bigint
}

export interface Kit {
  readonly target: ServerUnderTest
  readonly sample: Sample | undefined
  /** The kind of request that the server approved, found out before the cases run. */
  readonly approved: "transaction" | "keygen" | undefined
  /** Cases for which the server closed the connection or did not answer. */
  readonly unanswered: Set<string>
}

export const ping: Body = { request_id: "", request_type: 0, request_detail: "", extra_info: "" }

/** The signer of the sample, and the path and key. */
export const SENDER = new Uint8Array(20).fill(7)
export const SAMPLE_ROOT = "xpub"
export const SAMPLE_PATH = "m/44/60/0/0/0"
export const SAMPLE_GAS = 21_000n
export const SAMPLE_GAS_PRICE = 1_000_000_000n

const ORG = { org_id: "5f0c6a52-0000-4000-8000-000000000001" }

export function keyGenBody(kit: Kit): Body {
  const detail = { threshold: 2, node_ids: ["n1", "n2"], curve: 0, task_id: "task-1", biz_task_id: "biz-1" }
  return {
    request_id: kit.target.newId(),
    request_type: 1,
    request_detail: JSON.stringify(detail),
    extra_info: JSON.stringify({ org: ORG }),
  }
}

/** How a signing request differs from the sample. */
interface SignOver {
  readonly transfer?: Partial<SampleTransfer>
  readonly encode?: (transfer: SampleTransfer) => Bytes
  /** The digests; by default that of the raw transaction. */
  readonly hashes?: readonly string[]
  /** What extra_info shows to people; by default the sample's values. */
  readonly shown?: { readonly address?: string; readonly amount?: string }
  readonly raw?: "absent"
  /** `extra_info.intent`: what the node states as its reading; by default nothing. */
  readonly intent?: readonly unknown[]
  readonly detail?: Readonly<Record<string, unknown>>
}

const NO_SAMPLE: Sample = { chainId: 1n, chainName: "ETH", to: new Uint8Array(20), amount: 0n }

export function signBody(kit: Kit, over: SignOver = {}): Body {
  const sample = kit.sample ?? NO_SAMPLE
  const raw = (over.encode ?? legacy)(transferOf(sample, over.transfer))
  const detail = {
    group_id: "group-1",
    root_pub_key: SAMPLE_ROOT,
    used_node_ids: ["n1", "n2"],
    bip32_path_list: [SAMPLE_PATH],
    msg_hash_list: over.hashes ?? [digestOf(raw)],
    tweak_list: [""],
    signature_type: 1,
    tss_protocol: 1,
    task_id: "task-2",
    biz_task_id: "biz-2",
    ...over.detail,
  }
  const extra = {
    org: ORG,
    transaction: transactionOf(sample, raw, over),
    source_addresses: [{ address: addressOf(SENDER), chain_id: sample.chainName }],
    ...(over.intent === undefined ? {} : { intent: over.intent }),
  }
  return {
    request_id: kit.target.newId(),
    request_type: 2,
    request_detail: JSON.stringify(detail),
    extra_info: JSON.stringify(extra),
  }
}

export const transferOf = (sample: Sample, over: Partial<SampleTransfer> = {}): SampleTransfer => ({
  chainId: sample.chainId,
  to: sample.to,
  value: sample.amount,
  data: new Uint8Array(0),
  gasPrice: SAMPLE_GAS_PRICE,
  gas: SAMPLE_GAS,
  ...over,
})

export const digestOf = (raw: Uint8Array): string => prefixed(keccak_256(raw))

// Complete where the SDKs have required fields: a server would refuse a partly filled object for that reason alone.
function transactionOf(sample: Sample, raw: Bytes, over: SignOver): Readonly<Record<string, unknown>> {
  const address = over.shown?.address ?? addressOf(sample.to)
  const amount = over.shown?.amount ?? formatDecimal(sample.amount, 18)
  return {
    transaction_id: "0b1d7c53-0000-4000-8000-000000000002",
    wallet_id: "0b1d7c53-0000-4000-8000-000000000003",
    type: "Withdrawal",
    status: "PendingSignature",
    initiator_type: "API",
    chain_id: sample.chainName,
    token_id: sample.chainName,
    source: { source_type: "Org-Controlled", wallet_id: "0b1d7c53-0000-4000-8000-000000000003" },
    destination: { destination_type: "Address", account_output: { address, amount } },
    ...(over.raw === "absent" ? {} : { raw_tx_info: { unsigned_raw_tx: prefixed(raw) } }),
    created_timestamp: 1_795_340_000_000,
    updated_timestamp: 1_795_340_000_000,
  }
}

/** A fresh request of the kind that the server approved. */
export const approvedBody = (kit: Kit): Body => (kit.approved === "transaction" ? signBody(kit) : keyGenBody(kit))

/** Sends a request and notes if there is no answer at all. */
export async function ask(kit: Kit, id: string, body: Body | string, over?: TokenOver): Promise<Reply> {
  const reply = await send(kit.target, body, over)
  if (reply.http === undefined) kit.unanswered.add(id)
  return reply
}

/** A case with a request derived from the sample that must not be approved. */
export const mustRefuse = (id: string, severity: Severity, what: string, over: (sample: Sample) => SignOver): Case => ({
  id,
  severity,
  title: `refuses ${what}`,
  needs: "transaction",
  run: async (kit) => {
    if (kit.sample === undefined) return undefined
    return approves(await ask(kit, id, signBody(kit, over(kit.sample)))) ? "it approved" : undefined
  },
})
