/**
 * The store on bun:sqlite: one file in WAL mode, every commit on disk before it is acknowledged. Other processes (the
 * `waas key` commands) may write to the same file meanwhile; only one may serve it, which lock.ts sees to.
 */
import { Database, type SQLQueryBindings } from "bun:sqlite"
import { chmodSync } from "node:fs"
import { copy } from "../../bytes.ts"
import { CosignerError } from "../../errors.ts"
import type { WaasToken } from "../../wire/waasToken.ts"
import { checkIntegrity } from "./integrity.ts"
import type {
  ApiKey,
  Holder,
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
import { forgetEnded } from "./retention.ts"
import { all, decode, type Filter, pageOf, type RowReaders, upsert } from "./rows.ts"
import { migrate } from "./schema.ts"
import type { HolderRow, PageQuery, Slice, StoreWrite, WaasStore } from "./store.ts"
import { putWallet, walletsOver } from "./walletRows.ts"
import { putWebhook, webhooksOver } from "./webhookRows.ts"

/** How long a statement waits for another process's write. */
const BUSY_MS = 5_000

/** Creates the file (mode 600) for this organisation; one that is there keeps its own. Throws E-WAA-005, E-WAA-006. */
export function createSqliteStore(file: string, organisation: Organisation): WaasStore {
  return guarded(file, () => {
    const db = connect(file, true)
    chmodSync(file, 0o600)
    db.run("INSERT OR IGNORE INTO organisation (only, body) VALUES (1, ?)", [JSON.stringify(organisation)])
    return storeOver(db, file)
  })
}

/** Opens a file that is there and brings it to this version. Throws E-WAA-005, E-WAA-006. */
export const openSqliteStore = (file: string): WaasStore => guarded(file, () => storeOver(connect(file, false), file))

/** The same for whoever is going to serve it: its records are what was written. Throws E-WAA-015 besides. */
export function openCheckedStore(file: string): WaasStore {
  return guarded(file, () => {
    const db = connect(file, false)
    try {
      checkIntegrity(db, file)
      return storeOver(db, file)
    } catch (error) {
      db.close()
      throw error
    }
  })
}

function connect(file: string, create: boolean): Database {
  const db = new Database(file, { create, readwrite: true, strict: true })
  try {
    db.run(`PRAGMA busy_timeout = ${BUSY_MS}`)
    db.run("PRAGMA journal_mode = WAL")
    db.run("PRAGMA synchronous = FULL")
    db.run("PRAGMA foreign_keys = ON")
    migrate(db, file)
    return db
  } catch (error) {
    db.close()
    throw error
  }
}

function storeOver(db: Database, file: string): WaasStore {
  const rowOf = <T>(sql: string, ...values: SQLQueryBindings[]): T | undefined => {
    const row = guarded(file, () => db.query<{ body: string }, SQLQueryBindings[]>(sql).get(...values))
    return row === null ? undefined : decode<T>(row.body)
  }
  const rowsOf = <T>(sql: string, ...values: SQLQueryBindings[]): readonly T[] => {
    const rows = guarded(file, () => db.query<{ body: string }, SQLQueryBindings[]>(sql).all(...values))
    return rows.map((row) => decode<T>(row.body))
  }
  const page = <T>(table: string, filter: Filter, query: PageQuery): Slice<T> =>
    guarded(file, () => pageOf<T>(db, table, filter, query))
  const reading: RowReaders = { rowOf, rowsOf, page, guarded: (work) => guarded(file, work) }

  return {
    async organisation() {
      const found = rowOf<Organisation>("SELECT body FROM organisation")
      if (found === undefined) throw new CosignerError("E-WAA-006", { file, problem: "its organisation is missing" })
      return found
    },

    ...tokenOver(db, file),

    async commit(writes) {
      const work = () => {
        for (const write of writes) put(db, write)
      }
      guarded(file, () => db.transaction(work).immediate())
    },

    vault: async (id) => rowOf<Vault>("SELECT body FROM vaults WHERE id = ?", id),
    vaults: async (filter, query) =>
      page<Vault>("vaults", all(["type = ?", filter.type], ["project_id = ?", filter.projectId]), query),
    group: async (id) => rowOf<HolderGroup>("SELECT body FROM holder_groups WHERE id = ?", id),
    groups: async (filter, query) =>
      page<HolderGroup>("holder_groups", all(["vault_id = ?", filter.vaultId], ["type = ?", filter.type]), query),
    async groupOf(vaultId, type, status) {
      const filter = all(["vault_id = ?", vaultId], ["type = ?", type], ["status = ?", status])
      const sql = `SELECT body FROM holder_groups WHERE ${filter.where} ORDER BY seq DESC LIMIT 1`
      return rowOf<HolderGroup>(sql, ...filter.values)
    },
    holders: async (filter, query) => page<HolderRow>("holders", newestPerNode(filter), query),
    nodeIds: async () =>
      guarded(file, () => db.query<{ node_id: string }, []>("SELECT DISTINCT node_id FROM holders").all()).map(
        (row) => row.node_id,
      ),
    tssRequest: async (id) => rowOf<TssRequest>("SELECT body FROM tss_requests WHERE id = ?", id),
    tssRequests: async (filter, query) =>
      page<TssRequest>("tss_requests", all(["vault_id = ?", filter.vaultId], ["group_id = ?", filter.groupId]), query),
    signRequest: async (id) => rowOf<SignRequest>("SELECT body FROM sign_requests WHERE id = ?", id),
    signRequestOf: async (id) => rowOf<SignRequest>("SELECT body FROM sign_requests WHERE request_id = ?", id),
    signRequests: async (filter, query) =>
      page<SignRequest>("sign_requests", all(["vault_id = ?", filter.vaultId]), query),
    shareSignRequest: async (id) => rowOf<ShareSignRequest>("SELECT body FROM share_sign_requests WHERE id = ?", id),
    shareSignRequests: async (filter, query) =>
      page<ShareSignRequest>("share_sign_requests", all(["vault_id = ?", filter.vaultId]), query),
    ...tasksOver(db, file, rowOf),
    ...apiKeysOver(db, file),
    ...webhooksOver(db, reading),
    ...walletsOver(db, reading),

    async forgetEnded(beforeMs, most) {
      return guarded(file, () => db.transaction(() => forgetEnded(db, beforeMs, most)).immediate())
    },

    async spendNonce(digest, nowMs, windowMs) {
      return guarded(file, () => db.transaction(() => spend(db, digest, nowMs, windowMs)).immediate())
    },

    async close() {
      db.close()
    },
  }
}

function tokenOver(db: Database, file: string): Pick<WaasStore, "waasToken" | "raiseWaasToken"> {
  interface TokenRow {
    readonly incarnation: number
    readonly mark: number
    readonly mark_id: Uint8Array
  }
  const tokenOf = (row: TokenRow | null): WaasToken => {
    if (row === null) throw new CosignerError("E-WAA-006", { file, problem: "its token is missing" })
    return { incarnation: row.incarnation, mark: row.mark, markId: copy(row.mark_id) }
  }
  const raise = `UPDATE waas_token SET mark = mark + 1, mark_id = ?, incarnation = max(incarnation, ?)
    RETURNING incarnation, mark, mark_id`
  return {
    waasToken: async () =>
      tokenOf(guarded(file, () => db.query<TokenRow, []>("SELECT incarnation, mark, mark_id FROM waas_token").get())),
    raiseWaasToken: async ({ markId, incarnation = 0 }) =>
      tokenOf(guarded(file, () => db.query<TokenRow, [Uint8Array, number]>(raise).get(markId, incarnation))),
  }
}

type TaskReads = Pick<
  WaasStore,
  "fencingToken" | "fencingTokens" | "task" | "liveTasks" | "successions" | "toldOf" | "checkups"
>

function tasksOver(db: Database, file: string, rowOf: RowReaders["rowOf"]): TaskReads {
  return {
    fencingToken: async (nodeId) =>
      rowOf<NodeFencingToken>("SELECT body FROM fencing_tokens WHERE node_id = ?", nodeId),
    fencingTokens: async () => fencingTokensOf(db, file),
    task: async (id) => tasksWhere(db, file, "id = ?", id)[0],
    // The number stands in the text: only so does SQLite use the index of live tasks alone.
    liveTasks: async () => tasksWhere(db, file, "live = 1"),
    successions: async (nodeId) => {
      const groups = `SELECT share_group_id FROM successions AS own WHERE node_id = ? AND EXISTS
        (SELECT 1 FROM successions WHERE share_group_id = own.share_group_id AND is_reshare = 1)`
      return tasksWhere(db, file, `id IN (SELECT task_id FROM successions WHERE share_group_id IN (${groups}))`, nodeId)
    },
    toldOf: async (shareGroupId) => {
      const sql = "SELECT DISTINCT node_id FROM successions WHERE share_group_id = ?"
      const rows = guarded(file, () => db.query<{ node_id: string }, [string]>(sql).all(shareGroupId))
      return rows.map((row) => row.node_id)
    },
    checkups: async (taskId) => checkupsOf(db, file, taskId),
  }
}

function apiKeysOver(db: Database, file: string): Pick<WaasStore, "apiKey" | "apiKeys" | "addApiKey" | "revokeApiKey"> {
  interface KeyRow {
    readonly public_key: string
    readonly name: string
    readonly role: ApiKey["role"]
    readonly addresses: string
    readonly created_ms: number
    readonly revoked_ms: number | null
  }
  const keyOf = (row: KeyRow): ApiKey => ({
    publicKey: row.public_key,
    name: row.name,
    role: row.role,
    addresses: decode<readonly string[]>(row.addresses),
    createdMs: row.created_ms,
    revokedMs: row.revoked_ms ?? undefined,
  })
  const changed = (sql: string, ...values: SQLQueryBindings[]): boolean =>
    guarded(file, () => db.run(sql, values).changes > 0)
  return {
    async apiKey(publicKey) {
      const row = guarded(file, () =>
        db.query<KeyRow, [string]>("SELECT * FROM api_keys WHERE public_key = ?").get(publicKey),
      )
      return row === null ? undefined : keyOf(row)
    },
    apiKeys: async () =>
      guarded(file, () => db.query<KeyRow, []>("SELECT * FROM api_keys ORDER BY created_ms, public_key").all()).map(
        keyOf,
      ),
    addApiKey: async (key) =>
      changed(
        "INSERT OR IGNORE INTO api_keys (public_key, name, role, addresses, created_ms, revoked_ms) VALUES (?, ?, ?, ?, ?, ?)",
        key.publicKey,
        key.name,
        key.role,
        JSON.stringify(key.addresses),
        key.createdMs,
        key.revokedMs ?? null,
      ),
    revokeApiKey: async (publicKey, nowMs) =>
      changed("UPDATE api_keys SET revoked_ms = coalesce(revoked_ms, ?) WHERE public_key = ?", nowMs, publicKey),
  }
}

// ---- writing -------------------------------------------------------------------------------------------------------

function put(db: Database, write: StoreWrite): void {
  switch (write.put) {
    case "vault": {
      const { vaultId, type, projectId } = write.record
      upsert(db, "vaults", vaultId, { type, project_id: projectId ?? null }, write.record)
      return
    }
    case "group": {
      const { groupId, vaultId, type, status } = write.record
      upsert(db, "holder_groups", groupId, { vault_id: vaultId, type, status }, write.record)
      for (const holder of write.record.holders) putHolder(db, groupId, vaultId, holder)
      return
    }
    case "tssRequest": {
      const { tssRequestId, vaultId, targetGroupId } = write.record
      upsert(db, "tss_requests", tssRequestId, { vault_id: vaultId, group_id: targetGroupId }, write.record)
      return
    }
    case "signRequest": {
      const { signRequestId, vaultId, requestId, status, updatedMs } = write.record
      const columns = { vault_id: vaultId, request_id: requestId, ended_ms: isEnded(status) ? updatedMs : null }
      upsert(db, "sign_requests", signRequestId, columns, write.record)
      return
    }
    case "shareSignRequest": {
      const { shareSignRequestId, vaultId } = write.record
      upsert(db, "share_sign_requests", shareSignRequestId, { vault_id: vaultId }, write.record)
      return
    }
    case "fencingToken":
      db.run("INSERT OR REPLACE INTO fencing_tokens (node_id, body) VALUES (?, ?)", [
        write.nodeId,
        JSON.stringify(write.record),
      ])
      return
    case "task": {
      const { document, signature, ...body } = write.record
      upsert(db, "tasks", body.taskId, { live: write.live ? 1 : 0, document, signature }, body)
      return
    }
    case "succession": {
      const sql = "INSERT OR IGNORE INTO successions (node_id, task_id, share_group_id, is_reshare) VALUES (?, ?, ?, ?)"
      db.run(sql, [write.nodeId, write.taskId, write.shareGroupId, write.type === "KeyReshare" ? 1 : 0])
      return
    }
    case "checkup": {
      const { nodeId, message, signature } = write.record
      const sql = "INSERT OR IGNORE INTO checkups (task_id, node_id, message, signature) VALUES (?, ?, ?, ?)"
      db.run(sql, [write.taskId, nodeId, message, signature])
      return
    }
    case "webhookEndpoint":
    case "webhookEvent":
    case "webhookLog":
      putWebhook(db, write)
      return
    case "project":
    case "transaction":
    case "wallet":
    case "address":
      putWallet(db, write)
      return
  }
}

const isEnded = (status: SignRequest["status"]): boolean =>
  status === "Completed" || status === "Declined" || status === "Failed" || status === "Canceled"

function putHolder(db: Database, groupId: string, vaultId: string, holder: Holder): void {
  const row: HolderRow = { holder, groupId }
  db.query(
    `INSERT INTO holders (group_id, vault_id, node_id, body) VALUES (?, ?, ?, ?)
     ON CONFLICT (group_id, node_id) DO UPDATE SET body = excluded.body`,
  ).run(groupId, vaultId, holder.nodeId, JSON.stringify(row))
}

function spend(db: Database, digest: string, nowMs: number, windowMs: number): boolean {
  db.run("DELETE FROM nonces WHERE seen_ms < ?", [nowMs - windowMs])
  const { changes } = db.run("INSERT OR IGNORE INTO nonces (digest, seen_ms) VALUES (?, ?)", [digest, nowMs])
  return changes > 0
}

// ---- reading -------------------------------------------------------------------------------------------------------

function tasksWhere(db: Database, file: string, where: string, ...values: SQLQueryBindings[]): readonly WaasTask[] {
  interface TaskRow {
    readonly body: string
    readonly document: Uint8Array
    readonly signature: Uint8Array
  }
  const rows = guarded(file, () =>
    db
      .query<TaskRow, SQLQueryBindings[]>(`SELECT body, document, signature FROM tasks WHERE ${where} ORDER BY seq`)
      .all(...values),
  )
  return rows.map((row) => ({
    ...decode<Omit<WaasTask, "document" | "signature">>(row.body),
    document: copy(row.document),
    signature: copy(row.signature),
  }))
}

function fencingTokensOf(db: Database, file: string): ReadonlyMap<string, NodeFencingToken> {
  const sql = "SELECT node_id, body FROM fencing_tokens"
  const rows = guarded(file, () => db.query<{ readonly node_id: string; readonly body: string }, []>(sql).all())
  return new Map(rows.map((row) => [row.node_id, decode<NodeFencingToken>(row.body)]))
}

function checkupsOf(db: Database, file: string, taskId: string): readonly VerifiedCheckup[] {
  interface CheckupRow {
    readonly node_id: string
    readonly message: Uint8Array
    readonly signature: Uint8Array
  }
  const sql = "SELECT node_id, message, signature FROM checkups WHERE task_id = ? ORDER BY seq"
  const rows = guarded(file, () => db.query<CheckupRow, [string]>(sql).all(taskId))
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

/** SQLite's own failures as E-WAA-006; everything else passes. */
function guarded<T>(file: string, work: () => T): T {
  try {
    return work()
  } catch (error) {
    if (error instanceof CosignerError) throw error
    if (error instanceof Error && error.name === "SQLiteError") {
      throw new CosignerError("E-WAA-006", { file, problem: error.message }, { cause: error })
    }
    throw error
  }
}
