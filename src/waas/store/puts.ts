/** The statements that carry out a StoreWrite: one for the record's row, and for a group one for each holder. */
import type { Holder, SignRequest } from "./model.ts"
import { upsert } from "./rows.ts"
import type { SqlStatement } from "./sql.ts"
import type { HolderRow, StoreWrite } from "./store.ts"
import { putWallet } from "./walletRows.ts"
import { putWebhook } from "./webhookRows.ts"

export function statementsOf(write: StoreWrite): readonly SqlStatement[] {
  switch (write.put) {
    case "vault": {
      const { vaultId, type, projectId } = write.record
      return [upsert("vaults", vaultId, { type, project_id: projectId ?? null }, write.record)]
    }
    case "group": {
      const { groupId, vaultId, type, status, holders } = write.record
      const group = upsert("holder_groups", groupId, { vault_id: vaultId, type, status }, write.record)
      return [group, ...holders.map((holder) => putHolder(groupId, vaultId, holder))]
    }
    case "tssRequest": {
      const { tssRequestId, vaultId, targetGroupId } = write.record
      return [upsert("tss_requests", tssRequestId, { vault_id: vaultId, group_id: targetGroupId }, write.record)]
    }
    case "signRequest": {
      const { signRequestId, vaultId, requestId, status, updatedMs } = write.record
      const columns = { vault_id: vaultId, request_id: requestId, ended_ms: isEnded(status) ? updatedMs : null }
      return [upsert("sign_requests", signRequestId, columns, write.record)]
    }
    case "shareSignRequest": {
      const { shareSignRequestId, vaultId } = write.record
      return [upsert("share_sign_requests", shareSignRequestId, { vault_id: vaultId }, write.record)]
    }
    case "task": {
      const { document, signature, ...body } = write.record
      return [upsert("tasks", body.taskId, { live: write.live ? 1 : 0, document, signature }, body)]
    }
    case "fencingToken":
    case "succession":
    case "checkup":
      return [beside(write)]
    case "webhookEndpoint":
    case "webhookEvent":
    case "webhookLog":
      return [putWebhook(write)]
    case "project":
    case "transaction":
    case "wallet":
    case "address":
      return [putWallet(write)]
  }
}

/** Rows whose key is not the id of a record. */
function beside(write: Extract<StoreWrite, { readonly put: "fencingToken" | "succession" | "checkup" }>): SqlStatement {
  switch (write.put) {
    case "fencingToken":
      return {
        sql: "INSERT INTO fencing_tokens (node_id, body) VALUES (?, ?) ON CONFLICT (node_id) DO UPDATE SET body = excluded.body",
        values: [write.nodeId, JSON.stringify(write.record)],
      }
    case "succession":
      return {
        sql: "INSERT INTO successions (node_id, task_id, share_group_id, is_reshare) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
        values: [write.nodeId, write.taskId, write.shareGroupId, write.type === "KeyReshare" ? 1 : 0],
      }
    case "checkup": {
      const { nodeId, message, signature } = write.record
      return {
        sql: "INSERT INTO checkups (task_id, node_id, message, signature) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
        values: [write.taskId, nodeId, message, signature],
      }
    }
  }
}

const isEnded = (status: SignRequest["status"]): boolean =>
  status === "Completed" || status === "Declined" || status === "Failed" || status === "Canceled"

function putHolder(groupId: string, vaultId: string, holder: Holder): SqlStatement {
  const row: HolderRow = { holder, groupId }
  return {
    sql: `INSERT INTO holders (group_id, vault_id, node_id, body) VALUES (?, ?, ?, ?)
     ON CONFLICT (group_id, node_id) DO UPDATE SET body = excluded.body`,
    values: [groupId, vaultId, holder.nodeId, JSON.stringify(row)],
  }
}
