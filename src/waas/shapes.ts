/** Turns records into the REST objects of formats.md 7.4. Risk control gets the same objects in a task's extra_info (1.8). */
import type {
  Holder,
  HolderGroup,
  Organisation,
  Project,
  ShareSignRequest,
  SignRequest,
  TssRequest,
  Vault,
  WaasTask,
  Wallet,
  WalletAddress,
  WalletTransaction,
} from "./store/model.ts"
import type { Chain } from "./wallets/chains.ts"
import type { AssetToken } from "./wallets/tokens.ts"

export type JsonObject = Readonly<Record<string, unknown>>

export const orgInfo = (organisation: Organisation, name: string): JsonObject => ({
  org_id: organisation.orgId,
  biz_org_id: organisation.bizOrgId,
  name,
  created_timestamp: organisation.createdMs,
})

export const mpcProject = (project: Project, orgId: string): JsonObject => ({
  project_id: project.projectId,
  org_id: orgId,
  name: project.name,
  participants: project.participants,
  threshold: project.threshold,
  created_timestamp: project.createdMs,
})

export const walletInfo = (wallet: Wallet, vault: Vault, orgId: string, project: Project | undefined): JsonObject => ({
  wallet_id: wallet.walletId,
  wallet_type: "MPC",
  wallet_subtype: vault.type,
  name: wallet.name,
  org_id: orgId,
  enable_auto_sweep: false,
  ...(project === undefined ? {} : { project_id: project.projectId, project_name: project.name }),
  vault_id: vault.vaultId,
  vault_name: vault.name,
})

export const addressInfo = (address: WalletAddress): JsonObject => ({
  address: address.address,
  chain_id: address.chainId,
  path: address.path,
  encoding: address.encoding,
  pubkey: address.pubkey,
  ...(address.xOnlyPubkey === undefined ? {} : { x_only_pubkey: address.xOnlyPubkey }),
  root_pubkey: address.rootPubkey,
})

export const transaction = (record: WalletTransaction): JsonObject => ({
  transaction_id: record.transactionId,
  request_id: record.requestId,
  wallet_id: record.walletId,
  type: record.type,
  status: record.status,
  ...(record.subStatus === "" ? {} : { sub_status: record.subStatus }),
  ...(record.failedReason === "" ? {} : { failed_reason: record.failedReason }),
  chain_id: record.chainId,
  source: record.source,
  destination: record.destination,
  ...(record.signature === "" ? {} : { result: { result_type: "Signature", signature: record.signature } }),
  ...(record.tokenId === undefined ? {} : { token_id: record.tokenId }),
  ...evmFields(record),
  initiator_type: "API",
  category: record.categories,
  description: record.description,
  created_timestamp: record.createdMs,
  updated_timestamp: record.updatedMs,
})

function evmFields({ chainId, draft, rawTx, transactionHash, block, process }: WalletTransaction): JsonObject {
  if (draft === undefined) return {}
  return {
    ...(process === undefined ? {} : { transaction_process_type: process }),
    fee: {
      fee_type: "EVM_EIP_1559",
      token_id: chainId,
      max_fee_per_gas: draft.maxFeePerGas,
      max_priority_fee_per_gas: draft.maxPriorityFeePerGas,
      gas_limit: draft.gasLimit,
    },
    raw_tx_info: {
      used_nonce: draft.nonce,
      unsigned_raw_tx: draft.unsigned,
      ...(rawTx === undefined ? {} : { raw_tx: rawTx }),
    },
    ...(transactionHash === undefined ? {} : { transaction_hash: transactionHash }),
    ...(block === undefined ? {} : { block_info: { block_number: block.number, block_hash: block.hash } }),
  }
}

export const tokenInfo = ({ tokenId, chain, symbol, decimals, contract }: AssetToken): JsonObject => ({
  token_id: tokenId,
  chain_id: chain.chainId,
  symbol,
  decimal: decimals,
  ...(contract === undefined ? {} : { token_address: contract }),
  fee_token_id: chain.chainId,
})

export const chainInfo = ({ chainId, symbol, caip2 }: Chain): JsonObject => ({
  chain_id: chainId,
  symbol,
  require_memo: false,
  caip2_chain_id: caip2,
})

export const mpcVault = (vault: Vault): JsonObject => ({
  vault_id: vault.vaultId,
  ...(vault.projectId === undefined ? {} : { project_id: vault.projectId }),
  name: vault.name,
  type: vault.type,
  root_pubkeys: vault.rootKeys.map(({ rootPubkey, curve }) => ({ root_pubkey: rootPubkey, curve })),
  ...(vault.approvalDeadlineMs === undefined ? {} : { approval_deadline_seconds: vault.approvalDeadlineMs / 1000 }),
  created_timestamp: vault.createdMs,
})

/** In a group without a key, a holder whose node is not online counts as not activated. */
export const keyShareHolder = (holder: Holder, online: boolean, groupIsValid: boolean): JsonObject => ({
  name: holder.name,
  type: holder.type,
  tss_node_id: holder.nodeId,
  online,
  signer: holder.signer,
  status: online || groupIsValid ? "Valid" : "NotActivated",
})

export const keyShareHolderGroup = (group: HolderGroup, online: (nodeId: string) => boolean): JsonObject => ({
  key_share_holder_group_id: group.groupId,
  type: group.type,
  tss_key_share_groups: group.shareGroups.map(({ shareGroupId, curve, rootPubkey }) => ({
    tss_key_share_group_id: shareGroupId,
    curve,
    root_pubkey: rootPubkey,
  })),
  key_share_holders: group.holders.map((holder) =>
    keyShareHolder(holder, online(holder.nodeId), group.status === "Valid"),
  ),
  participants: group.holders.length,
  threshold: group.threshold,
  status: group.status,
  created_timestamp: group.createdMs,
})

/** `failed_reason` is an addition to the published object, present only once a request has failed. */
export const tssRequest = (request: TssRequest): JsonObject => ({
  tss_request_id: request.tssRequestId,
  ...(request.source === undefined
    ? {}
    : {
        source_key_share_holder_group: {
          key_share_holder_group_id: request.source.groupId,
          tss_node_ids: request.source.nodeIds,
        },
      }),
  target_key_share_holder_group_id: request.targetGroupId,
  type: request.type,
  status: request.status,
  description: request.description,
  created_timestamp: request.createdMs,
  ...(request.code === "" ? {} : { failed_reason: `${request.code} ${request.reason}` }),
})

const signersOf = (tasks: readonly WaasTask[]): readonly string[] => [
  ...new Set(tasks.flatMap(({ signers, nodeIds }) => signers ?? nodeIds)),
]

/**
 * An object of our own. Signatures are in the order of the messages: all of them for a completed request, otherwise those that exist.
 */
export const signRequest = (request: SignRequest, tasks: readonly WaasTask[]): JsonObject => ({
  sign_request_id: request.signRequestId,
  request_id: request.requestId,
  vault_id: request.vaultId,
  key_share_holder_group_id: request.groupId,
  // The nodes that may sign, until it is known which ones do.
  used_tss_node_ids:
    tasks.flatMap(({ signers }) => signers ?? []).length === 0 ? request.usedNodeIds : signersOf(tasks),
  curve: request.curve,
  signature_type: request.signatureType,
  status: request.status,
  signatures: tasks.flatMap(({ outcome }) => (outcome?.type === "signatures" ? outcome.signatures : [])),
  failed_reason: request.code === "" ? "" : `${request.code} ${request.reason}`,
  description: request.description,
  created_timestamp: request.createdMs,
  updated_timestamp: request.updatedMs,
})

/** An object of our own. It is Completed only if every signature verified under the share public key shown with it. */
export const shareSignRequest = (request: ShareSignRequest, tasks: readonly WaasTask[]): JsonObject => {
  const signatures = tasks.flatMap(({ outcome }) => (outcome?.type === "shareSignatures" ? outcome.signatures : []))
  return {
    key_share_sign_request_id: request.shareSignRequestId,
    vault_id: request.vaultId,
    key_share_holder_group_id: request.groupId,
    tss_node_id: request.nodeId,
    message: request.message,
    status: request.status,
    shares: request.shareKeys.map(({ shareGroupId, curve, publicKey }) => {
      const signed = signatures.find(({ group_id }) => group_id === shareGroupId)
      return {
        tss_key_share_group_id: shareGroupId,
        curve,
        share_public_key: publicKey,
        msg_hash: signed?.msg_hash ?? "",
        signature: signed?.signature ?? "",
      }
    }),
    failed_reason: request.code === "" ? "" : `${request.code} ${request.reason}`,
    description: request.description,
    created_timestamp: request.createdMs,
    updated_timestamp: request.updatedMs,
  }
}
