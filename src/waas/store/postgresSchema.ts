/**
 * The tables in Postgres, and the migrations from older versions. Besides those of waas.db (schema.ts) there are tables for the processes
 * that serve the store and what they agree on. One process at a time migrates a database.
 */
import type { ReservedSQL } from "bun"
import { CosignerError } from "../../errors.ts"

/** The class of this program's advisory locks: "cosi" in ASCII. Their second numbers: 1 migrating, 2 taking over, 3 entering. */
export const LOCKS = 0x636f_7369

/** One entry per schema version, never changed once released: a change is a new entry. */
const MIGRATIONS: readonly string[] = [
  `
  CREATE TABLE organisation (only_one INTEGER PRIMARY KEY CHECK (only_one = 1), body TEXT NOT NULL);
  CREATE TABLE api_keys (
    public_key TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    created_ms BIGINT NOT NULL,
    revoked_ms BIGINT,
    role TEXT NOT NULL CHECK (role IN ('read', 'approve', 'operate', 'admin')),
    addresses TEXT NOT NULL
  );
  CREATE TABLE vaults (
    seq BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    type TEXT NOT NULL,
    project_id TEXT,
    body TEXT NOT NULL,
    sum TEXT NOT NULL
  );
  CREATE INDEX vaults_by_type ON vaults (type, seq);
  CREATE INDEX vaults_by_project ON vaults (type, project_id, seq);
  CREATE TABLE holder_groups (
    seq BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    vault_id TEXT NOT NULL REFERENCES vaults (id),
    type TEXT NOT NULL,
    status TEXT NOT NULL,
    body TEXT NOT NULL,
    sum TEXT NOT NULL
  );
  CREATE INDEX holder_groups_by_vault ON holder_groups (vault_id, type);
  CREATE TABLE holders (
    seq BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    group_id TEXT NOT NULL REFERENCES holder_groups (id),
    vault_id TEXT NOT NULL,
    node_id TEXT NOT NULL,
    body TEXT NOT NULL,
    UNIQUE (group_id, node_id)
  );
  CREATE INDEX holders_by_vault ON holders (vault_id, node_id);
  CREATE INDEX holders_by_node ON holders (node_id);
  CREATE TABLE tss_requests (
    seq BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    vault_id TEXT NOT NULL REFERENCES vaults (id),
    group_id TEXT NOT NULL REFERENCES holder_groups (id),
    body TEXT NOT NULL,
    sum TEXT NOT NULL
  );
  CREATE INDEX tss_requests_by_group ON tss_requests (group_id, seq);
  CREATE TABLE sign_requests (
    seq BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    vault_id TEXT NOT NULL REFERENCES vaults (id),
    request_id TEXT NOT NULL UNIQUE,
    ended_ms BIGINT,
    body TEXT NOT NULL,
    sum TEXT NOT NULL
  );
  CREATE INDEX sign_requests_by_vault ON sign_requests (vault_id, seq);
  CREATE INDEX sign_requests_ended ON sign_requests (ended_ms) WHERE ended_ms IS NOT NULL;
  CREATE TABLE share_sign_requests (
    seq BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    vault_id TEXT NOT NULL REFERENCES vaults (id),
    body TEXT NOT NULL,
    sum TEXT NOT NULL
  );
  CREATE INDEX share_sign_requests_by_vault ON share_sign_requests (vault_id, seq);
  CREATE TABLE tasks (
    seq BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    live INTEGER NOT NULL,
    document BYTEA NOT NULL,
    signature BYTEA NOT NULL,
    body TEXT NOT NULL,
    sum TEXT NOT NULL
  );
  CREATE INDEX tasks_live ON tasks (seq) WHERE live = 1;
  CREATE TABLE nonces (
    seq BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    digest TEXT NOT NULL UNIQUE,
    seen_ms BIGINT NOT NULL
  );
  CREATE INDEX nonces_by_age ON nonces (seen_ms);
  CREATE TABLE successions (
    seq BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    node_id TEXT NOT NULL,
    task_id TEXT NOT NULL REFERENCES tasks (id),
    share_group_id TEXT NOT NULL,
    is_reshare INTEGER NOT NULL,
    UNIQUE (node_id, task_id)
  );
  CREATE INDEX successions_by_group ON successions (share_group_id, is_reshare);
  CREATE INDEX successions_by_task ON successions (task_id);
  CREATE TABLE fencing_tokens (node_id TEXT PRIMARY KEY, body TEXT NOT NULL);
  CREATE TABLE checkups (
    seq BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    task_id TEXT NOT NULL REFERENCES tasks (id),
    node_id TEXT NOT NULL,
    message BYTEA NOT NULL,
    signature BYTEA NOT NULL,
    UNIQUE (task_id, node_id)
  );
  CREATE TABLE webhook_endpoints (
    seq BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    status TEXT NOT NULL,
    body TEXT NOT NULL
  );
  CREATE TABLE webhook_events (
    seq BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    endpoint_id TEXT NOT NULL REFERENCES webhook_endpoints (id),
    object_id TEXT NOT NULL,
    type TEXT NOT NULL,
    status TEXT NOT NULL,
    due_ms BIGINT NOT NULL,
    created_ms BIGINT NOT NULL,
    body TEXT NOT NULL
  );
  CREATE INDEX webhook_events_by_endpoint ON webhook_events (endpoint_id, seq);
  CREATE INDEX webhook_events_waiting ON webhook_events (endpoint_id, object_id, seq) WHERE status = 'Retrying';
  CREATE INDEX webhook_events_due ON webhook_events (endpoint_id, due_ms) WHERE status = 'Retrying';
  CREATE INDEX webhook_events_by_age ON webhook_events (created_ms);
  CREATE TABLE webhook_logs (
    seq BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    event_id TEXT NOT NULL REFERENCES webhook_events (id) ON DELETE CASCADE,
    body TEXT NOT NULL
  );
  CREATE INDEX webhook_logs_by_event ON webhook_logs (event_id, seq);
  CREATE TABLE projects (
    seq BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    body TEXT NOT NULL
  );
  CREATE TABLE wallets (
    seq BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    vault_id TEXT NOT NULL REFERENCES vaults (id),
    deleted INTEGER NOT NULL,
    body TEXT NOT NULL
  );
  CREATE INDEX wallets_by_vault ON wallets (vault_id, seq);
  CREATE TABLE addresses (
    seq BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    wallet_id TEXT NOT NULL REFERENCES wallets (id),
    chain_id TEXT NOT NULL,
    address TEXT NOT NULL,
    body TEXT NOT NULL
  );
  CREATE INDEX addresses_by_wallet ON addresses (wallet_id, chain_id, seq);
  CREATE TABLE address_counters (
    vault_id TEXT NOT NULL REFERENCES vaults (id),
    prefix TEXT NOT NULL,
    next BIGINT NOT NULL,
    PRIMARY KEY (vault_id, prefix)
  );
  CREATE TABLE transactions (
    seq BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    request_id TEXT NOT NULL UNIQUE,
    wallet_id TEXT NOT NULL REFERENCES wallets (id),
    vault_id TEXT NOT NULL,
    chain_id TEXT NOT NULL,
    type TEXT NOT NULL,
    status TEXT NOT NULL,
    created_ms BIGINT NOT NULL,
    address TEXT NOT NULL,
    nonce BIGINT,
    body TEXT NOT NULL
  );
  CREATE INDEX transactions_by_wallet ON transactions (wallet_id, seq);
  CREATE INDEX transactions_by_vault ON transactions (vault_id, seq);
  CREATE INDEX transactions_by_nonce ON transactions (wallet_id, chain_id, address, nonce);
  CREATE INDEX transactions_on_their_way ON transactions (seq) WHERE status IN ('Broadcasting', 'Confirming');
  CREATE TABLE waas_token (
    only_one INTEGER PRIMARY KEY CHECK (only_one = 1),
    incarnation BIGINT NOT NULL,
    mark BIGINT NOT NULL,
    mark_id BYTEA NOT NULL
  );
  INSERT INTO waas_token (only_one, incarnation, mark, mark_id) VALUES (1, 1, 0, decode(repeat('00', 16), 'hex'));
  CREATE TABLE replicas (
    id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name TEXT NOT NULL,
    alive BOOLEAN NOT NULL,
    committed BIGINT NOT NULL,
    seen TIMESTAMPTZ NOT NULL
  );
  CREATE INDEX replicas_alive ON replicas (id) WHERE alive;
  `,
  // Any number of replicas. A process of the release before served alone: it is declared dead here, and cannot enter again, because its
  // INSERT does not set `alone`. `replicas` is changed before `tasks`, in the order in which a commit of that process locks them.
  // `tasks.replica` is the replica that works on a task. 0: none. -7: it was handed to replica 7, which has not taken it yet.
  `
  UPDATE replicas SET alive = FALSE WHERE alive;
  ALTER TABLE replicas ADD COLUMN alone BOOLEAN NOT NULL DEFAULT TRUE;
  ALTER TABLE replicas ALTER COLUMN alone DROP DEFAULT;
  ALTER TABLE tasks ADD COLUMN replica BIGINT NOT NULL DEFAULT 0;
  ALTER TABLE tasks ADD COLUMN request TEXT NOT NULL DEFAULT '';
  UPDATE tasks SET request = coalesce(body::json -> 'request' ->> 'id', '') WHERE live = 1;
  CREATE INDEX tasks_by_replica ON tasks (replica, seq) WHERE live = 1;
  CREATE INDEX tasks_by_request ON tasks (request) WHERE live = 1;
  CREATE FUNCTION cosigner_own_task() RETURNS trigger LANGUAGE plpgsql AS $$
    DECLARE
      me BIGINT := coalesce(nullif(current_setting('cosigner.replica', true), '')::bigint, 0);
    BEGIN
      IF TG_OP = 'INSERT' OR (OLD.live <> 1 AND NEW.live = 1) THEN
        NEW.replica := me;
        NEW.request := coalesce(NEW.body::json -> 'request' ->> 'id', '');
      ELSIF OLD.live = 1 AND OLD.replica = NEW.replica AND OLD.replica <> me THEN
        RAISE EXCEPTION 'task % is not of replica %', OLD.id, me USING ERRCODE = 'CO001';
      END IF;
      RETURN NEW;
    END $$;
  CREATE TRIGGER own_task BEFORE INSERT OR UPDATE ON tasks FOR EACH ROW EXECUTE FUNCTION cosigner_own_task();
  CREATE FUNCTION cosigner_free_owners(me BIGINT) RETURNS SETOF BIGINT LANGUAGE sql STABLE AS $$
    WITH RECURSIVE owners AS (
      (SELECT replica FROM tasks WHERE live = 1 ORDER BY replica LIMIT 1)
      UNION ALL
      SELECT (SELECT replica FROM tasks WHERE live = 1 AND replica > owners.replica ORDER BY replica LIMIT 1)
      FROM owners WHERE owners.replica IS NOT NULL
    )
    SELECT owners.replica FROM owners
    WHERE owners.replica = -me OR NOT EXISTS (SELECT 1 FROM replicas WHERE id = abs(owners.replica) AND alive)
  $$;
  CREATE FUNCTION cosigner_take_over(me BIGINT, most INTEGER) RETURNS SETOF tasks LANGUAGE plpgsql AS $$
    DECLARE
      free BIGINT[];
      chosen TEXT[];
    BEGIN
      PERFORM pg_advisory_xact_lock(${LOCKS}, 2);
      IF NOT EXISTS (SELECT 1 FROM replicas WHERE id = me AND alive) THEN
        RETURN;
      END IF;
      free := ARRAY(SELECT * FROM cosigner_free_owners(me));
      chosen := ARRAY(
        SELECT oldest.request FROM unnest(free) AS owner, LATERAL (
          SELECT request FROM tasks WHERE live = 1 AND replica = owner ORDER BY seq LIMIT most
        ) AS oldest LIMIT most);
      RETURN QUERY UPDATE tasks SET replica = me
        WHERE live = 1 AND request = ANY (chosen) AND replica = ANY (free) RETURNING tasks.*;
    END $$;
  CREATE TABLE errands (
    id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    request TEXT NOT NULL,
    body TEXT NOT NULL
  );
  CREATE UNIQUE INDEX errands_once ON errands (request, md5(body));
  CREATE TABLE claims (name TEXT PRIMARY KEY, replica BIGINT NOT NULL);
  CREATE INDEX claims_by_replica ON claims (replica);
  CREATE TABLE node_links (
    node_id TEXT NOT NULL,
    replica BIGINT NOT NULL,
    boot_id TEXT NOT NULL,
    PRIMARY KEY (node_id, replica)
  );
  CREATE INDEX node_links_by_replica ON node_links (replica);
  `,
]

const SCHEMA_VERSION = MIGRATIONS.length

const MIGRATING = 1

/** Migrates the database to version `to`, each step in a transaction of its own. Throws E-WAA-005 if it is newer than this program. */
export async function migratePostgres(connection: ReservedSQL, name: string, to = SCHEMA_VERSION): Promise<void> {
  await connection.unsafe("SELECT pg_advisory_lock($1, $2)", [LOCKS, MIGRATING])
  try {
    await connection.unsafe("CREATE TABLE IF NOT EXISTS migrations (version INTEGER PRIMARY KEY)")
    const [found] = await connection.unsafe<{ version: number | null }[]>(
      "SELECT max(version) AS version FROM migrations",
    )
    const version = found?.version ?? 0
    if (version > SCHEMA_VERSION) {
      throw new CosignerError("E-WAA-005", { file: name, found: version, known: SCHEMA_VERSION })
    }
    for (const [index, sql] of MIGRATIONS.entries()) {
      if (index < version || index >= to) continue
      // Several statements in one message are one transaction.
      await connection.unsafe(`${sql}; INSERT INTO migrations (version) VALUES (${index + 1})`)
    }
  } finally {
    await connection.unsafe("SELECT pg_advisory_unlock($1, $2)", [LOCKS, MIGRATING]).catch(() => {})
  }
}
