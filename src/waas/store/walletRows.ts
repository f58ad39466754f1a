/** Projects, wallets, addresses and the counters of their paths, as rows. */
import type { Project, Wallet, WalletAddress, WalletTransaction } from "./model.ts"
import { pageOf, rowOf, rowsOf, upsert } from "./rows.ts"
import type { Filter, SqlDatabase, SqlStatement, SqlValue } from "./sql.ts"
import type { PageQuery, TransactionFilter, WalletStore, WalletWrite } from "./store.ts"

export function walletsOver(db: SqlDatabase): WalletStore {
  const one = <T>(sql: string, ...values: SqlValue[]) => rowOf<T>(db, sql, ...values)
  const page = <T>(table: string, filter: Filter, query: PageQuery) => pageOf<T>(db, table, filter, query)
  return {
    project: (id) => one<Project>("SELECT body FROM projects WHERE id = ?", id),
    projects: (query) => page<Project>("projects", { where: "TRUE", values: [] }, query),
    wallet: (id) => one<Wallet>("SELECT body FROM wallets WHERE id = ?", id),
    wallets: (filter, query) => page<Wallet>("wallets", shownWallets(filter), query),
    addresses({ walletId, chainIds, addresses }, query) {
      const conditions = ["wallet_id = ?", ...listed("chain_id", chainIds), ...listed("address", addresses)]
      const values = [walletId, ...(chainIds ?? []), ...(addresses ?? [])]
      return page<WalletAddress>("addresses", { where: conditions.join(" AND "), values }, query)
    },
    async takeAddressIndices(vaultId, prefix, count) {
      const sql = `INSERT INTO address_counters (vault_id, prefix, next) VALUES (?, ?, ?)
        ON CONFLICT (vault_id, prefix) DO UPDATE SET next = address_counters.next + ? RETURNING next`
      const [row] = await db.all<{ readonly next: number | string }>(sql, [vaultId, prefix, count, count])
      if (row === undefined) throw new TypeError("an INSERT that returns gave nothing back")
      return Number(row.next) - count
    },
    transaction: (id) => one<WalletTransaction>("SELECT body FROM transactions WHERE id = ?", id),
    transactionOf: (id) => one<WalletTransaction>("SELECT body FROM transactions WHERE request_id = ?", id),
    transactionsOnTheirWay(limit, after = "") {
      const sql = `SELECT body FROM transactions WHERE status IN ('Broadcasting', 'Confirming')
        AND seq > coalesce((SELECT seq FROM transactions WHERE id = ?), 0) ORDER BY seq LIMIT ?`
      return rowsOf<WalletTransaction>(db, sql, after, limit)
    },
    async freeNonce({ walletId, chainId, address }, least) {
      const sql = `SELECT nonce FROM transactions
        WHERE wallet_id = ? AND chain_id = ? AND address = ? AND nonce >= ?
          AND (status NOT IN ('Failed', 'Rejected') OR ${db.json.has("body", "block")})
        ORDER BY nonce`
      let free = least
      for (const row of await db.all<{ readonly nonce: number | string }>(sql, [walletId, chainId, address, least])) {
        const nonce = Number(row.nonce)
        if (nonce > free) break
        free = nonce + 1
      }
      return free
    },
    transactions: (filter, query) => page<WalletTransaction>("transactions", wantedTransactions(filter), query),
  }
}

function wantedTransactions(filter: TransactionFilter): Filter {
  const lists = [
    ["request_id", filter.requestId === undefined ? undefined : [filter.requestId]],
    ["vault_id", filter.vaultId === undefined ? undefined : [filter.vaultId]],
    ["id", filter.transactionIds],
    ["wallet_id", filter.walletIds],
    ["chain_id", filter.chainIds],
    ["type", filter.types],
    ["status", filter.statuses],
  ] as const
  const where = lists.flatMap(([column, values]) => listed(column, values))
  const from = filter.createdFromMs ?? 0
  const to = filter.createdToMs ?? Number.MAX_SAFE_INTEGER
  return {
    where: [...where, "created_ms BETWEEN ? AND ?"].join(" AND "),
    values: [...lists.flatMap(([, values]) => values ?? []), from, to],
  }
}

const listed = (column: string, values: readonly string[] | undefined): readonly string[] =>
  values === undefined ? [] : [`${column} IN (${values.map(() => "?").join(", ")})`]

function shownWallets({ vaultId, projectId, vaultType }: Parameters<WalletStore["wallets"]>[0]): Filter {
  const given = [
    { sql: "vault_id = ?", value: vaultId },
    { sql: "vault_id IN (SELECT id FROM vaults WHERE project_id = ?)", value: projectId },
    { sql: "vault_id IN (SELECT id FROM vaults WHERE type = ?)", value: vaultType },
  ].flatMap(({ sql, value }) => (value === undefined ? [] : [{ sql, value }]))
  return {
    where: ["deleted = 0", ...given.map(({ sql }) => sql)].join(" AND "),
    values: given.map(({ value }) => value),
  }
}

export function putWallet(write: WalletWrite): SqlStatement {
  switch (write.put) {
    case "project":
      return upsert("projects", write.record.projectId, {}, write.record)
    case "wallet": {
      const { walletId, vaultId, deleted } = write.record
      return upsert("wallets", walletId, { vault_id: vaultId, deleted: deleted ? 1 : 0 }, write.record)
    }
    case "transaction": {
      const { transactionId, requestId, walletId, vaultId, chainId, type, status, createdMs } = write.record
      const parties = { request_id: requestId, wallet_id: walletId, vault_id: vaultId, chain_id: chainId }
      const { draft, source } = write.record
      const sender = { address: String(source["address"]), nonce: draft?.nonce ?? null }
      const columns = { ...parties, ...sender, type, status, created_ms: createdMs }
      return upsert("transactions", transactionId, columns, write.record)
    }
    case "address": {
      const { walletId, chainId, address } = write.record
      const columns = { wallet_id: walletId, chain_id: chainId, address }
      return upsert("addresses", `${chainId}:${address}`, columns, write.record)
    }
  }
}
