/**
 * The tables of waas.db, and the migrations from older versions. Each record is one row: the columns by which it is searched or ordered,
 * and the record itself as JSON. `seq` is the order of creation, by which lists are paged.
 */
import type { Database } from "bun:sqlite"
import { CosignerError } from "../../errors.ts"

/** One entry per schema version, never changed once released: a change is a new entry. */
const MIGRATIONS: readonly string[] = [
  `
  CREATE TABLE organisation (
    only INTEGER PRIMARY KEY CHECK (only = 1),
    body TEXT NOT NULL
  ) STRICT;
  CREATE TABLE api_keys (
    public_key TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    created_ms INTEGER NOT NULL,
    revoked_ms INTEGER
  ) STRICT;
  CREATE TABLE vaults (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    type TEXT NOT NULL,
    project_id TEXT,
    body TEXT NOT NULL
  ) STRICT;
  CREATE TABLE holder_groups (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    vault_id TEXT NOT NULL REFERENCES vaults (id),
    type TEXT NOT NULL,
    status TEXT NOT NULL,
    body TEXT NOT NULL
  ) STRICT;
  CREATE INDEX holder_groups_by_vault ON holder_groups (vault_id, type);
  CREATE TABLE holders (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    group_id TEXT NOT NULL REFERENCES holder_groups (id),
    vault_id TEXT NOT NULL,
    node_id TEXT NOT NULL,
    body TEXT NOT NULL,
    UNIQUE (group_id, node_id)
  ) STRICT;
  CREATE INDEX holders_by_vault ON holders (vault_id, node_id);
  CREATE INDEX holders_by_node ON holders (node_id);
  CREATE TABLE tss_requests (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    vault_id TEXT NOT NULL REFERENCES vaults (id),
    group_id TEXT NOT NULL REFERENCES holder_groups (id),
    body TEXT NOT NULL
  ) STRICT;
  CREATE INDEX tss_requests_by_group ON tss_requests (group_id);
  CREATE TABLE sign_requests (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    vault_id TEXT NOT NULL REFERENCES vaults (id),
    request_id TEXT NOT NULL UNIQUE,
    body TEXT NOT NULL
  ) STRICT;
  CREATE INDEX sign_requests_by_vault ON sign_requests (vault_id);
  CREATE TABLE tasks (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    live INTEGER NOT NULL,
    document BLOB NOT NULL,
    signature BLOB NOT NULL,
    body TEXT NOT NULL
  ) STRICT;
  CREATE INDEX tasks_live ON tasks (live) WHERE live = 1;
  CREATE TABLE nonces (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    digest TEXT NOT NULL UNIQUE,
    seen_ms INTEGER NOT NULL
  ) STRICT;
  CREATE INDEX nonces_by_age ON nonces (seen_ms);
  `,
  `
  CREATE TABLE successions (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    node_id TEXT NOT NULL,
    task_id TEXT NOT NULL REFERENCES tasks (id),
    UNIQUE (node_id, task_id)
  ) STRICT;
  `,
  `
  CREATE TABLE share_sign_requests (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    vault_id TEXT NOT NULL REFERENCES vaults (id),
    body TEXT NOT NULL
  ) STRICT;
  CREATE INDEX share_sign_requests_by_vault ON share_sign_requests (vault_id);
  CREATE TABLE standings (
    node_id TEXT PRIMARY KEY,
    body TEXT NOT NULL
  ) STRICT;
  `,
  `
  CREATE TABLE checkups (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    task_id TEXT NOT NULL REFERENCES tasks (id),
    node_id TEXT NOT NULL,
    message BLOB NOT NULL,
    signature BLOB NOT NULL,
    UNIQUE (task_id, node_id)
  ) STRICT;
  `,
  // Nodes follow share groups, no longer single reshares: once a group was reshared, they need its key generation too.
  `
  ALTER TABLE successions ADD COLUMN share_group_id TEXT NOT NULL DEFAULT '';
  ALTER TABLE successions ADD COLUMN is_reshare INTEGER NOT NULL DEFAULT 1;
  UPDATE successions SET share_group_id = coalesce(
    (SELECT json_extract(body, '$.outcome.group_id') FROM tasks WHERE tasks.id = task_id), '');
  INSERT OR IGNORE INTO successions (node_id, task_id, share_group_id, is_reshare)
    SELECT json_each.value, tasks.id, json_extract(tasks.body, '$.outcome.group_id'), 0
    FROM tasks, json_each(tasks.body, '$.nodeIds')
    WHERE json_extract(tasks.body, '$.type') = 'KeyGen' AND json_extract(tasks.body, '$.state') = 'completed';
  CREATE INDEX successions_by_group ON successions (share_group_id, is_reshare);
  `,
  // Renames a node's fencing token and its field `lineage`. No text of a caller can contain `"lineage":`: JSON escapes its quotes.
  `
  ALTER TABLE standings RENAME TO fencing_tokens;
  UPDATE fencing_tokens SET body = replace(body, '"lineage":', '"incarnation":');
  UPDATE tasks SET body = replace(body, '"lineage":', '"incarnation":');
  `,
  `
  CREATE TABLE webhook_endpoints (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    status TEXT NOT NULL,
    body TEXT NOT NULL
  ) STRICT;
  CREATE TABLE webhook_events (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    endpoint_id TEXT NOT NULL REFERENCES webhook_endpoints (id),
    object_id TEXT NOT NULL,
    type TEXT NOT NULL,
    status TEXT NOT NULL,
    due_ms INTEGER NOT NULL,
    created_ms INTEGER NOT NULL,
    body TEXT NOT NULL
  ) STRICT;
  CREATE INDEX webhook_events_by_endpoint ON webhook_events (endpoint_id);
  CREATE INDEX webhook_events_waiting ON webhook_events (endpoint_id, object_id, seq) WHERE status = 'Retrying';
  CREATE INDEX webhook_events_due ON webhook_events (endpoint_id, due_ms) WHERE status = 'Retrying';
  CREATE INDEX webhook_events_by_age ON webhook_events (created_ms);
  CREATE TABLE webhook_logs (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    event_id TEXT NOT NULL REFERENCES webhook_events (id) ON DELETE CASCADE,
    body TEXT NOT NULL
  ) STRICT;
  CREATE INDEX webhook_logs_by_event ON webhook_logs (event_id);
  `,
  `
  CREATE TABLE projects (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    body TEXT NOT NULL
  ) STRICT;
  CREATE TABLE wallets (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    vault_id TEXT NOT NULL REFERENCES vaults (id),
    deleted INTEGER NOT NULL,
    body TEXT NOT NULL
  ) STRICT;
  CREATE INDEX wallets_by_vault ON wallets (vault_id);
  CREATE TABLE addresses (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    wallet_id TEXT NOT NULL REFERENCES wallets (id),
    chain_id TEXT NOT NULL,
    address TEXT NOT NULL,
    body TEXT NOT NULL
  ) STRICT;
  CREATE INDEX addresses_by_wallet ON addresses (wallet_id, chain_id);
  CREATE TABLE address_counters (
    vault_id TEXT NOT NULL REFERENCES vaults (id),
    prefix TEXT NOT NULL,
    next INTEGER NOT NULL,
    PRIMARY KEY (vault_id, prefix)
  ) STRICT;
  `,
  `
  CREATE TABLE transactions (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    request_id TEXT NOT NULL UNIQUE,
    wallet_id TEXT NOT NULL REFERENCES wallets (id),
    vault_id TEXT NOT NULL,
    chain_id TEXT NOT NULL,
    type TEXT NOT NULL,
    status TEXT NOT NULL,
    created_ms INTEGER NOT NULL,
    body TEXT NOT NULL
  ) STRICT;
  CREATE INDEX transactions_by_wallet ON transactions (wallet_id);
  CREATE INDEX transactions_by_vault ON transactions (vault_id);
  `,
  // API keys of earlier releases could do everything, from any address.
  `
  ALTER TABLE api_keys ADD COLUMN role TEXT NOT NULL DEFAULT 'admin' CHECK (role IN ('read', 'operate', 'admin'));
  ALTER TABLE api_keys ADD COLUMN addresses TEXT NOT NULL DEFAULT '[]';
  `,
  `
  ALTER TABLE transactions ADD COLUMN address TEXT NOT NULL DEFAULT '';
  ALTER TABLE transactions ADD COLUMN nonce INTEGER;
  CREATE INDEX transactions_by_nonce ON transactions (wallet_id, chain_id, address, nonce);
  CREATE INDEX transactions_on_their_way ON transactions (seq) WHERE status IN ('Broadcasting', 'Confirming');
  `,
  // Indexes: lists of vaults by type, and ended requests by when they ended, for retention.
  `
  CREATE INDEX vaults_by_type ON vaults (type);
  CREATE INDEX vaults_by_project ON vaults (type, project_id);
  ALTER TABLE sign_requests ADD COLUMN ended_ms INTEGER;
  UPDATE sign_requests SET ended_ms = json_extract(body, '$.updatedMs')
    WHERE json_extract(body, '$.status') IN ('Completed', 'Declined', 'Failed', 'Canceled');
  CREATE INDEX sign_requests_ended ON sign_requests (ended_ms) WHERE ended_ms IS NOT NULL;
  `,
  // Checksums of records (integrity.ts); records that exist already have none.
  `
  ALTER TABLE vaults ADD COLUMN sum TEXT NOT NULL DEFAULT '';
  ALTER TABLE holder_groups ADD COLUMN sum TEXT NOT NULL DEFAULT '';
  ALTER TABLE tss_requests ADD COLUMN sum TEXT NOT NULL DEFAULT '';
  ALTER TABLE sign_requests ADD COLUMN sum TEXT NOT NULL DEFAULT '';
  ALTER TABLE share_sign_requests ADD COLUMN sum TEXT NOT NULL DEFAULT '';
  ALTER TABLE tasks ADD COLUMN sum TEXT NOT NULL DEFAULT '';
  `,
  // How far the database has come (formats.md 14.1).
  `
  CREATE TABLE waas_token (
    only INTEGER PRIMARY KEY CHECK (only = 1),
    incarnation INTEGER NOT NULL,
    mark INTEGER NOT NULL,
    mark_id BLOB NOT NULL
  ) STRICT;
  INSERT INTO waas_token (only, incarnation, mark, mark_id) VALUES (1, 1, 0, zeroblob(16));
  `,
  // The role "approve". SQLite cannot change a column's CHECK, so the table is made again.
  `
  CREATE TABLE api_keys_2 (
    public_key TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    created_ms INTEGER NOT NULL,
    revoked_ms INTEGER,
    role TEXT NOT NULL DEFAULT 'admin' CHECK (role IN ('read', 'approve', 'operate', 'admin')),
    addresses TEXT NOT NULL DEFAULT '[]'
  ) STRICT;
  INSERT INTO api_keys_2 (public_key, name, created_ms, revoked_ms, role, addresses)
    SELECT public_key, name, created_ms, revoked_ms, role, addresses FROM api_keys;
  DROP TABLE api_keys;
  ALTER TABLE api_keys_2 RENAME TO api_keys;
  `,
]

const SCHEMA_VERSION = MIGRATIONS.length

/** Migrates the file to this program's version, each step in a transaction of its own. Throws E-WAA-005 if the file is newer. */
export function migrate(db: Database, file: string): void {
  db.run("CREATE TABLE IF NOT EXISTS migrations (version INTEGER PRIMARY KEY) STRICT")
  const found = db.query<{ version: number | null }, []>("SELECT max(version) AS version FROM migrations").get()
  const version = found?.version ?? 0
  if (version > SCHEMA_VERSION) {
    throw new CosignerError("E-WAA-005", { file, found: version, known: SCHEMA_VERSION })
  }
  for (const [index, sql] of MIGRATIONS.entries()) {
    if (index < version) continue
    db.transaction(() => {
      db.run(sql)
      db.run("INSERT INTO migrations (version) VALUES (?)", [index + 1])
    }).immediate()
  }
}
