/**
 * The schema of each call's answer. The reference and the OpenAPI document are generated from these schemas, and the tests of the API
 * check every answer against its schema. shapes.ts and webhooks/shapes.ts make the answers.
 */
import { type TProperties, type TSchema, Type } from "@sinclair/typebox"

const Text = Type.String()
const Count = Type.Integer()
const Flag = Type.Boolean()
const Millis = Type.Integer({ description: "Unix time, milliseconds" })
const Some = Type.Optional
const Words = (...words: readonly string[]) => Type.Union(words.map((word) => Type.Literal(word)))

/** Closed, so that a test fails if an answer has a field that the reference does not show. */
const Answer = <P extends TProperties>($id: string, properties: P) =>
  Type.Object(properties, { additionalProperties: false, title: $id })

const Pagination = Answer("Pagination", { before: Text, after: Text, total_count: Count })
const PageOf = (title: string, item: TSchema) =>
  Type.Object({ data: Type.Array(item), pagination: Pagination }, { additionalProperties: false, title })

const Curve = Words("SECP256K1", "ED25519")
const Submitted = Answer("Submitted", { submitted: Flag })

const OrgInfo = Answer("OrgInfo", { org_id: Text, biz_org_id: Count, name: Text, created_timestamp: Millis })
const MpcProject = Answer("MPCProject", {
  project_id: Text,
  org_id: Text,
  name: Text,
  participants: Count,
  threshold: Count,
  created_timestamp: Millis,
})
const MpcVault = Answer("MPCVault", {
  vault_id: Text,
  project_id: Some(Text),
  name: Text,
  type: Words("Org-Controlled", "User-Controlled"),
  root_pubkeys: Type.Array(Answer("RootPubkey", { root_pubkey: Text, curve: Curve })),
  approval_deadline_seconds: Some(Count),
  created_timestamp: Millis,
})
const Holder = Answer("KeyShareHolder", {
  name: Text,
  type: Words("API", "Mobile"),
  tss_node_id: Text,
  online: Flag,
  signer: Flag,
  status: Words("Valid", "NotActivated"),
})
const Group = Answer("KeyShareHolderGroup", {
  key_share_holder_group_id: Text,
  type: Words("MainGroup", "SigningGroup", "RecoveryGroup"),
  tss_key_share_groups: Type.Array(
    Answer("TSSKeyShareGroup", { tss_key_share_group_id: Text, curve: Curve, root_pubkey: Text }),
  ),
  key_share_holders: Type.Array(Holder),
  participants: Count,
  threshold: Count,
  status: Words("New", "Valid", "Unavailable"),
  created_timestamp: Millis,
})
const TssRequest = Answer("TSSRequest", {
  tss_request_id: Text,
  source_key_share_holder_group: Some(
    Answer("SourceGroup", { key_share_holder_group_id: Text, tss_node_ids: Type.Array(Text) }),
  ),
  target_key_share_holder_group_id: Text,
  type: Words("KeyGen", "KeyGenFromKeyGroup", "Recovery", "KeyReshare"),
  status: Words(
    "PendingKeyHolderConfirmation",
    "KeyHolderConfirmationFailed",
    "KeyGenerating",
    "MPCProcessing",
    "KeyGeneratingFailed",
    "Success",
  ),
  description: Text,
  created_timestamp: Millis,
  failed_reason: Some(Text),
})
const SignStatus = Words("Initializing", "Approving", "Processing", "Declined", "Failed", "Canceled", "Completed")
const SignRequest = Answer("SignRequest", {
  sign_request_id: Text,
  request_id: Text,
  vault_id: Text,
  key_share_holder_group_id: Text,
  used_tss_node_ids: Type.Array(Text),
  curve: Curve,
  signature_type: Type.Integer({ description: "1 ECDSA, 2 EdDSA, 3 BIP-340 Schnorr" }),
  status: SignStatus,
  signatures: Type.Array(
    Answer("Signature", {
      bip32_path: Text,
      msg_hash: Text,
      tweak: Text,
      public_key: Text,
      signature: Text,
      signature_recovery: Text,
      payload: Some(Count),
      input: Some(Count),
    }),
  ),
  failed_reason: Text,
  waiting_for: Some(Type.Array(Text, { description: "the nodes that keep it from going on, and why" })),
  awaits_approval: Some(Type.Boolean({ description: "whether nodes wait for signed statements of people" })),
  description: Text,
  created_timestamp: Millis,
  updated_timestamp: Millis,
})
const SignedWord = {
  statement: Text,
  ssh_signature: Some(Text),
  passkey: Some(
    Answer("Passkey", { credential_id: Text, authenticator_data: Text, client_data_json: Text, signature: Text }),
  ),
} as const
const TaskApprovals = Answer("TaskApprovals", {
  tasks: Type.Array(
    Answer("TaskToApprove", {
      task_id: Text,
      document: Type.String({ description: "the task document; statements name its SHA-256" }),
      state: Text,
      deadline_timestamp: Millis,
      awaited: Type.Array(
        Answer("AwaitedWords", {
          tss_node_id: Text,
          epoch: Some(Type.String({ description: "the epoch that statements must name; absent if they name none" })),
          request: Type.Boolean({ description: "whether the statement of the person who asks for the task is needed" }),
          groups: Type.Array(Answer("AwaitedGroup", { group: Text, min: Count, approved_by: Type.Array(Text) })),
        }),
      ),
      approvals: Type.Array(
        Answer("Approval", {
          approver: Text,
          decision: Words("request", "approve", "reject"),
          not_after: Text,
          nonce: Text,
          ...SignedWord,
        }),
      ),
    }),
  ),
})
const Awaiting = Answer("Awaiting", {
  requests: Type.Array(Answer("AwaitingRequest", { sign_request_id: Some(Text), tss_request_id: Some(Text) }), {
    description: "each has one of the two ids; GET its approvals shows what is awaited",
  }),
})
const ShareSignRequest = Answer("KeyShareSignRequest", {
  key_share_sign_request_id: Text,
  vault_id: Text,
  key_share_holder_group_id: Text,
  tss_node_id: Text,
  message: Text,
  status: SignStatus,
  shares: Type.Array(
    Answer("ShareSignature", {
      tss_key_share_group_id: Text,
      curve: Curve,
      share_public_key: Text,
      msg_hash: Text,
      signature: Text,
    }),
  ),
  failed_reason: Text,
  description: Text,
  created_timestamp: Millis,
  updated_timestamp: Millis,
})

const WalletInfo = Answer("MPCWalletInfo", {
  wallet_id: Text,
  wallet_type: Words("MPC"),
  wallet_subtype: Words("Org-Controlled", "User-Controlled"),
  name: Text,
  org_id: Text,
  enable_auto_sweep: Flag,
  project_id: Some(Text),
  project_name: Some(Text),
  vault_id: Text,
  vault_name: Text,
})
const AddressInfo = Answer("AddressInfo", {
  address: Text,
  chain_id: Text,
  path: Text,
  encoding: Text,
  pubkey: Text,
  x_only_pubkey: Some(Text),
  root_pubkey: Text,
})
const ChainInfo = Answer("ChainInfo", { chain_id: Text, symbol: Text, require_memo: Flag, caip2_chain_id: Text })
const TokenInfo = Answer("TokenInfo", {
  token_id: Text,
  chain_id: Text,
  symbol: Text,
  decimal: Count,
  token_address: Some(Text),
  fee_token_id: Text,
})

const TransactionStatus = Words(
  ...["Submitted", "PendingSignature", "Broadcasting", "Confirming", "Completed", "Failed", "Rejected"],
)
const Eip1559 = { max_fee_per_gas: Text, max_priority_fee_per_gas: Text, gas_limit: Text } as const
const Transaction = Answer("Transaction", {
  transaction_id: Text,
  request_id: Text,
  wallet_id: Text,
  type: Words("MessageSign", "Withdrawal", "ContractCall"),
  status: TransactionStatus,
  sub_status: Some(Text),
  failed_reason: Some(Text),
  chain_id: Text,
  source: Answer("TransactionSource", { source_type: Text, wallet_id: Text, address: Text }),
  destination: Type.Object({ destination_type: Text }, { title: "TransactionDestination" }),
  result: Some(Answer("TransactionResult", { result_type: Words("Signature"), signature: Text })),
  token_id: Some(Text),
  transaction_process_type: Some(Words("AutoProcess", "BuildOnly", "SignOnly")),
  fee: Some(Answer("TransactionFee", { fee_type: Words("EVM_EIP_1559"), token_id: Text, ...Eip1559 })),
  raw_tx_info: Some(Answer("TransactionRawTxInfo", { used_nonce: Count, unsigned_raw_tx: Text, raw_tx: Some(Text) })),
  transaction_hash: Some(Text),
  block_info: Some(Answer("TransactionBlockInfo", { block_number: Count, block_hash: Text })),
  initiator_type: Words("API"),
  category: Type.Array(Text),
  description: Text,
  created_timestamp: Millis,
  updated_timestamp: Millis,
})
const Begun = Answer("TransactionBegun", { request_id: Text, transaction_id: Text, status: TransactionStatus })
const Approvals = Answer("TransactionApprovalDetail", { transaction_id: Text, request_id: Text })
const EstimatedFee = Answer("EstimatedFee", {
  fee_type: Words("EVM_EIP_1559"),
  token_id: Text,
  recommended: Answer("EstimatedFeeLevel", Eip1559),
})

const WebhookEndpoint = Answer("WebhookEndpoint", {
  endpoint_id: Text,
  url: Text,
  subscribed_events: Type.Array(Text),
  description: Text,
  status: Words("STATUS_ACTIVE", "STATUS_INACTIVE"),
  created_timestamp: Type.Integer({ description: "Unix time, seconds" }),
})
const eventFields = {
  event_id: Text,
  url: Text,
  created_timestamp: Millis,
  type: Text,
  data: Type.Object({ data_type: Text }, { title: "WebhookEventData" }),
} as const
const WebhookEvent = Answer("WebhookEvent", {
  ...eventFields,
  status: Words("Success", "Retrying", "Failed"),
  next_retry_timestamp: Some(Millis),
  retries_left: Some(Count),
})
const WebhookLog = Answer("WebhookEventLog", {
  id: Text,
  created_timestamp: Millis,
  request_headers: Type.Record(Text, Text),
  request_body: Answer("WebhookEventBody", eventFields),
  response_status_code: Some(Count),
  response_body: Some(Text),
  response_time: Count,
  success: Flag,
  failure_reason: Some(Text),
})

/** The body of every error (formats.md 7.3). */
export const ErrorAnswer = Answer("Error", { error_code: Count, error_message: Text, error_id: Text })

const VAULT = "/v2/wallets/mpc/vaults/:vault_id"
const GROUPS = `${VAULT}/key_share_holder_groups`
const TSS = `${VAULT}/tss_requests`
const SIGN = `${VAULT}/sign_requests`
const CHECKUPS = `${VAULT}/key_share_sign_requests`
const WALLET = "/v2/wallets/:wallet_id"
const TRANSACTION = "/v2/transactions/:transaction_id"
const HOOK = "/v2/webhooks/endpoints/:endpoint_id"
const EVENT = `${HOOK}/events/:event_id`

/** The schemas by method and path. A call that is not served (2021) has none. */
export const ANSWERS: Readonly<Record<string, TSchema>> = {
  "GET /v2/organizations/info": OrgInfo,
  "GET /v2/wallets/mpc/cobo_key_share_holders": Type.Array(Holder),
  "GET /v2/wallets/mpc/projects": PageOf("MPCProjects", MpcProject),
  "POST /v2/wallets/mpc/projects": MpcProject,
  "GET /v2/wallets/mpc/projects/:project_id": MpcProject,
  "PUT /v2/wallets/mpc/projects/:project_id": MpcProject,
  "GET /v2/wallets/mpc/vaults": PageOf("MPCVaults", MpcVault),
  "POST /v2/wallets/mpc/vaults": MpcVault,
  [`GET ${VAULT}`]: MpcVault,
  [`PUT ${VAULT}`]: MpcVault,
  [`GET ${GROUPS}`]: PageOf("KeyShareHolderGroups", Group),
  [`POST ${GROUPS}`]: Group,
  [`POST ${GROUPS}/import`]: Group,
  [`GET ${GROUPS}/:group_id`]: Group,
  [`PUT ${GROUPS}/:group_id`]: Group,
  [`POST ${GROUPS}/:group_id/delete`]: Submitted,
  "POST /v2/wallets/mpc/nodes/:tss_node_id/orders": Submitted,
  [`GET ${VAULT}/key_share_holders`]: PageOf("KeyShareHolders", Holder),
  [`GET ${VAULT}/key_share_holders/:tss_node_id`]: Holder,
  [`GET ${TSS}`]: PageOf("TSSRequests", TssRequest),
  [`POST ${TSS}`]: TssRequest,
  [`GET ${TSS}/:tss_request_id`]: TssRequest,
  [`POST ${TSS}/:tss_request_id/cancel`]: TssRequest,
  [`GET ${TSS}/:tss_request_id/approvals`]: TaskApprovals,
  [`POST ${TSS}/:tss_request_id/approvals`]: TaskApprovals,
  [`GET ${SIGN}`]: PageOf("SignRequests", SignRequest),
  [`POST ${SIGN}`]: SignRequest,
  [`GET ${SIGN}/:sign_request_id`]: SignRequest,
  [`POST ${SIGN}/:sign_request_id/cancel`]: SignRequest,
  "GET /v2/wallets/mpc/vaults/:vault_id/approvals": Awaiting,
  [`GET ${SIGN}/:sign_request_id/approvals`]: TaskApprovals,
  [`POST ${SIGN}/:sign_request_id/approvals`]: TaskApprovals,
  [`GET ${CHECKUPS}`]: PageOf("KeyShareSignRequests", ShareSignRequest),
  [`POST ${CHECKUPS}`]: ShareSignRequest,
  [`GET ${CHECKUPS}/:key_share_sign_request_id`]: ShareSignRequest,
  "GET /v2/wallets/chains": PageOf("Chains", ChainInfo),
  "GET /v2/wallets/enabled_chains": PageOf("EnabledChains", ChainInfo),
  "GET /v2/wallets/chains/:chain_id": ChainInfo,
  "GET /v2/wallets/tokens": PageOf("Tokens", TokenInfo),
  "GET /v2/wallets/enabled_tokens": PageOf("EnabledTokens", TokenInfo),
  "GET /v2/wallets/tokens/:token_id": TokenInfo,
  "GET /v2/wallets": PageOf("Wallets", WalletInfo),
  "POST /v2/wallets": WalletInfo,
  [`GET ${WALLET}`]: WalletInfo,
  [`PUT ${WALLET}`]: WalletInfo,
  [`POST ${WALLET}/delete`]: Submitted,
  [`GET ${WALLET}/addresses`]: PageOf("Addresses", AddressInfo),
  [`POST ${WALLET}/addresses`]: Type.Array(AddressInfo),
  "GET /v2/transactions": PageOf("Transactions", Transaction),
  [`GET ${TRANSACTION}`]: Transaction,
  [`GET ${TRANSACTION}/approval_detail`]: Approvals,
  "GET /v2/transactions/approval_details": Answer("TransactionApprovalDetails", { data: Type.Array(Approvals) }),
  "POST /v2/transactions/message_sign": Begun,
  "POST /v2/transactions/transfer": Begun,
  "POST /v2/transactions/contract_call": Begun,
  "POST /v2/transactions/estimate_fee": EstimatedFee,
  "POST /v2/transactions/broadcast": Type.Array(Answer("TransactionSent", { request_id: Text, transaction_id: Text })),
  [`POST ${TRANSACTION}/cancel`]: Begun,
  [`POST ${TRANSACTION}/sign_and_broadcast`]: Begun,
  "GET /v2/webhooks/endpoints": PageOf("WebhookEndpoints", WebhookEndpoint),
  "POST /v2/webhooks/endpoints": WebhookEndpoint,
  [`GET ${HOOK}`]: WebhookEndpoint,
  [`PUT ${HOOK}`]: WebhookEndpoint,
  "GET /v2/webhooks/events/definitions": Type.Array(
    Answer("WebhookEventDefinition", { event_type: Text, description: Text }),
  ),
  [`GET ${HOOK}/events`]: PageOf("WebhookEvents", WebhookEvent),
  [`GET ${EVENT}`]: WebhookEvent,
  [`GET ${EVENT}/logs`]: PageOf("WebhookEventLogs", WebhookLog),
  [`POST ${EVENT}/retry`]: Answer("WebhookEventRetried", { retried: Flag }),
  "GET /v2/developers/callback_messages": PageOf("CallbackMessages", Type.Object({}, { title: "CallbackMessage" })),
}
