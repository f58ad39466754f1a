/** WaasStore over a SqlDatabase (sql.ts): its queries, which are the same for SQLite and Postgres. */
import { copy } from "../../bytes.ts"
import { CosignerError } from "../../errors.ts"
import type { WaasToken } from "../../wire/waasToken.ts"
import type {
  ApiKey,
  HolderGroup,
  NodeFencingToken,
  Organisation,
  ShareSignRequest,
  SignRequest,
  TssRequest,
  Vault,
  VerifiedCheckup,
  WaasTask,
} from "./model.ts"
import { statementsOf } from "./puts.ts"
import { forgetEnded } from "./retention.ts"
import { all, decode, pageOf, rowOf } from "./rows.ts"
import type { Filter, SqlDatabase, SqlStatement, SqlValue } from "./sql.ts"
import type { HolderRow, PageQuery, RequestSeen, StoreWrite, WaasStore } from "./store.ts"
import { walletsOver } from "./walletRows.ts"
import { webhooksOver } from "./webhookRows.ts"

export function storeOver(db: SqlDatabase): WaasStore {
  const one = <T>(sql: string, ...values: SqlValue[]) => rowOf<T>(db, sql, ...values)
  const page = <T>(table: string, filter: Filter, query: PageQuery) => pageOf<T>(db, table, filter, query)
  return {
    async organisation() {
      const found = await one<Organisation>("SELECT body FROM organisation")
      if (found !== undefined) return found
      throw new CosignerError("E-WAA-006", { file: db.name, problem: "its organisation is missing" })
    },
    ...tokenOver(db),
    commit: async (writes) => db.commit(writes.flatMap(statementsOf), writes.every(mayBeLost) ? "later" : "now"),

    vault: (id) => one<Vault>("SELECT body FROM vaults WHERE id = ?", id),
    vaults: (filter, query) =>
      page<Vault>("vaults", all(["type = ?", filter.type], ["project_id = ?", filter.projectId]), query),
    group: (id) => one<HolderGroup>("SELECT body FROM holder_groups WHERE id = ?", id),
    groups: (filter, query) =>
      page<HolderGroup>("holder_groups", all(["vault_id = ?", filter.vaultId], ["type = ?", filter.type]), query),
    groupOf(vaultId, type, status) {
      const filter = all(["vault_id = ?", vaultId], ["type = ?", type], ["status = ?", status])
      const sql = `SELECT body FROM holder_groups WHERE ${filter.where} ORDER BY seq DESC LIMIT 1`
      return one<HolderGroup>(sql, ...filter.values)
    },
    holders: (filter, query) => page<HolderRow>("holders", newestPerNode(filter), query),
    nodeIds: () => nodeIdsBy(db, "SELECT DISTINCT node_id FROM holders"),
    tssRequest: (id) => one<TssRequest>("SELECT body FROM tss_requests WHERE id = ?", id),
    tssRequests: (filter, query) =>
      page<TssRequest>("tss_requests", all(["vault_id = ?", filter.vaultId], ["group_id = ?", filter.groupId]), query),
    signRequest: (id) => one<SignRequest>("SELECT body FROM sign_requests WHERE id = ?", id),
    signRequestOf: (id) => one<SignRequest>("SELECT body FROM sign_requests WHERE request_id = ?", id),
    signRequests: (filter, query) => page<SignRequest>("sign_requests", all(["vault_id = ?", filter.vaultId]), query),
    shareSignRequest: (id) => one<ShareSignRequest>("SELECT body FROM share_sign_requests WHERE id = ?", id),
    shareSignRequests: (filter, query) =>
      page<ShareSignRequest>("share_sign_requests", all(["vault_id = ?", filter.vaultId]), query),
    newestRequests: (most) => newestRequests(db, most),
    ...tasksOver(db),
    ...apiKeysOver(db),
    ...webhooksOver(db),
    ...walletsOver(db),

    forgetEnded: (beforeMs, most) => forgetEnded(db, beforeMs, most),
    async spendNonce(digest, nowMs, windowMs) {
      const old: SqlStatement = { sql: "DELETE FROM nonces WHERE seen_ms < ?", values: [nowMs - windowMs] }
      const sql = "INSERT INTO nonces (digest, seen_ms) VALUES (?, ?) ON CONFLICT DO NOTHING"
      // Not synced: a power cut that loses the nonce has lost every later write too, so what the call did is lost with it.
      const [, added] = await db.writeBefore([old, { sql, values: [digest, nowMs] }])
      return added === 1
    },
    close: () => db.close(),
  }
}

const REQUEST_TABLES = [
  { kind: "sign", table: "sign_requests" },
  { kind: "tss", table: "tss_requests" },
  { kind: "shareSign", table: "share_sign_requests" },
] as const

async function newestRequests(db: SqlDatabase, most: number): Promise<readonly RequestSeen[]> {
  const made = db.json.text("body", "createdMs")
  const found = await Promise.all(
    REQUEST_TABLES.map(async ({ kind, table }) => {
      const sql = `SELECT id, ${made} AS created_ms FROM ${table} ORDER BY seq DESC LIMIT ?`
      const rows = await db.all<{ readonly id: string; readonly created_ms: number | string }>(sql, [most])
      return rows.toReversed().map(({ id, created_ms }) => ({ kind, id, createdMs: Number(created_ms) }))
    }),
  )
  return found.flat().sort((one, other) => one.createdMs - other.createdMs)
}

/** Whether a power cut may undo the write. A commit of such writes alone reaches the disk with the next commit. */
const mayBeLost = (write: StoreWrite): boolean => write.put === "task" && write.isRetired === true

async function nodeIdsBy(db: SqlDatabase, sql: string, ...values: SqlValue[]): Promise<readonly string[]> {
  const rows = await db.all<{ readonly node_id: string }>(sql, values)
  return rows.map((row) => row.node_id)
}

function tokenOver(db: SqlDatabase): Pick<WaasStore, "waasToken" | "raiseWaasToken"> {
  interface TokenRow {
    readonly incarnation: number | string
    readonly mark: number | string
    readonly mark_id: Uint8Array
  }
  const tokenBy = async (sql: string, ...values: SqlValue[]): Promise<WaasToken> => {
    const [row] = await db.all<TokenRow>(sql, values)
    if (row === undefined) throw new CosignerError("E-WAA-006", { file: db.name, problem: "its token is missing" })
    return { incarnation: Number(row.incarnation), mark: Number(row.mark), markId: copy(row.mark_id) }
  }
  const raise = `UPDATE waas_token SET mark = mark + 1, mark_id = ?,
    incarnation = CASE WHEN incarnation < ? THEN ? ELSE incarnation END RETURNING incarnation, mark, mark_id`
  return {
    waasToken: () => tokenBy("SELECT incarnation, mark, mark_id FROM waas_token"),
    raiseWaasToken: ({ markId, incarnation = 0 }) => tokenBy(raise, markId, incarnation, incarnation),
  }
}

type TaskReads = Pick<
  WaasStore,
  "fencingToken" | "fencingTokens" | "task" | "liveTasks" | "awaitingTasks" | "successions" | "followersOf" | "checkups"
>

function tasksOver(db: SqlDatabase): TaskReads {
  return {
    fencingToken: (nodeId) => rowOf<NodeFencingToken>(db, "SELECT body FROM fencing_tokens WHERE node_id = ?", nodeId),
    async fencingTokens() {
      const sql = "SELECT node_id, body FROM fencing_tokens"
      const rows = await db.all<{ readonly node_id: string; readonly body: string }>(sql, [])
      return new Map(rows.map((row) => [row.node_id, decode<NodeFencingToken>(row.body)]))
    },
    task: async (id) => (await tasksWhere(db, "id = ?", id))[0],
    liveTasks() {
      // `live = 1` as text, not as a value: otherwise SQLite does not use the partial index of live tasks.
      const own = db.ownTasks()
      return tasksWhere(db, `live = 1 AND ${own.where}`, ...own.values)
    },
    awaitingTasks(vaultId, most) {
      const [awaits, vault] = [db.json.has("body", "awaits"), db.json.text("body", "vaultId")]
      const newest = `SELECT id FROM tasks WHERE live = 1 AND ${awaits} AND coalesce(${vault}, ?) = ? ORDER BY seq DESC LIMIT ?`
      return tasksWhere(db, `id IN (${newest})`, vaultId, vaultId, most)
    },
    successions(nodeId) {
      const groups = `SELECT share_group_id FROM successions AS own WHERE node_id = ? AND EXISTS
        (SELECT 1 FROM successions WHERE share_group_id = own.share_group_id AND is_reshare = 1)`
      return tasksWhere(db, `id IN (SELECT task_id FROM successions WHERE share_group_id IN (${groups}))`, nodeId)
    },
    followersOf: (shareGroupId) =>
      nodeIdsBy(db, "SELECT DISTINCT node_id FROM successions WHERE share_group_id = ?", shareGroupId),
    checkups: (taskId) => checkupsOf(db, taskId),
  }
}

function apiKeysOver(db: SqlDatabase): Pick<WaasStore, "apiKey" | "apiKeys" | "addApiKey" | "revokeApiKey"> {
  interface KeyRow {
    readonly public_key: string
    readonly name: string
    readonly role: ApiKey["role"]
    readonly addresses: string
    readonly created_ms: number | string
    readonly revoked_ms: number | string | null
  }
  const keyOf = (row: KeyRow): ApiKey => ({
    publicKey: row.public_key,
    name: row.name,
    role: row.role,
    addresses: decode<readonly string[]>(row.addresses),
    createdMs: Number(row.created_ms),
    revokedMs: row.revoked_ms === null ? undefined : Number(row.revoked_ms),
  })
  const changed = async (sql: string, ...values: SqlValue[]): Promise<boolean> =>
    (await db.write([{ sql, values }]))[0] === 1
  return {
    async apiKey(publicKey) {
      const [row] = await db.all<KeyRow>("SELECT * FROM api_keys WHERE public_key = ?", [publicKey])
      return row === undefined ? undefined : keyOf(row)
    },
    apiKeys: async () =>
      (await db.all<KeyRow>("SELECT * FROM api_keys ORDER BY created_ms, public_key", [])).map(keyOf),
    addApiKey: (key) =>
      changed(
        `INSERT INTO api_keys (public_key, name, role, addresses, created_ms, revoked_ms) VALUES (?, ?, ?, ?, ?, ?)
         ON CONFLICT DO NOTHING`,
        key.publicKey,
        key.name,
        key.role,
        JSON.stringify(key.addresses),
        key.createdMs,
        key.revokedMs ?? null,
      ),
    revokeApiKey: (publicKey, nowMs) =>
      changed("UPDATE api_keys SET revoked_ms = coalesce(revoked_ms, ?) WHERE public_key = ?", nowMs, publicKey),
  }
}

async function tasksWhere(db: SqlDatabase, where: string, ...values: SqlValue[]): Promise<readonly WaasTask[]> {
  const rows = await db.all<TaskRow>(`SELECT body, document, signature FROM tasks WHERE ${where} ORDER BY seq`, values)
  return rows.map(taskOf)
}

export interface TaskRow {
  readonly body: string
  readonly document: Uint8Array
  readonly signature: Uint8Array
}

export const taskOf = (row: TaskRow): WaasTask => ({
  ...decode<Omit<WaasTask, "document" | "signature">>(row.body),
  document: copy(row.document),
  signature: copy(row.signature),
})

async function checkupsOf(db: SqlDatabase, taskId: string): Promise<readonly VerifiedCheckup[]> {
  interface CheckupRow {
    readonly node_id: string
    readonly message: Uint8Array
    readonly signature: Uint8Array
  }
  const sql = "SELECT node_id, message, signature FROM checkups WHERE task_id = ? ORDER BY seq"
  const rows = await db.all<CheckupRow>(sql, [taskId])
  return rows.map((row) => ({
    nodeId: row.node_id,
    message: copy(row.message),
    signature: copy(row.signature),
  }))
}

function newestPerNode(parts: {
  readonly vaultId: string
  readonly groupIds?: readonly string[]
  readonly nodeId?: string
}): Filter {
  const scope = all(["vault_id = ?", parts.vaultId], ["node_id = ?", parts.nodeId])
  const groups = parts.groupIds === undefined ? "" : ` AND group_id IN (${parts.groupIds.map(() => "?").join(", ")})`
  return {
    where: `seq IN (SELECT max(seq) FROM holders WHERE ${scope.where}${groups} GROUP BY node_id)`,
    values: [...scope.values, ...(parts.groupIds ?? [])],
  }
}
