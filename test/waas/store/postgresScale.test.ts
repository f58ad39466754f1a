/**
 * What the store asks of Postgres with many records (long suite): by its own plans nothing walks through a table, and reads of a database
 * with 100 000 vaults and a million ended tasks take what they take in a small one.
 */
import { afterAll, describe, expect, test } from "bun:test"
import { SQL } from "bun"
import { newUuid } from "../../../src/waas/ids.ts"
import { openPostgres, type Postgres } from "../../../src/waas/store/postgres.ts"
import { storeOver } from "../../../src/waas/store/records.ts"
import type { SqlDatabase } from "../../../src/waas/store/sql.ts"
import { startPostgres, type TestPostgres, whyNoPostgres } from "../../support/postgres.ts"
import { postgresSettings } from "../../support/waas.ts"

const VAULTS = 100_000
const TASKS = 1_000_000

/** Rows as the store writes them, but made by the database: what is read is their number, not what they say. */
const GENERATED = [
  `INSERT INTO vaults (id, type, body, sum) SELECT 'v' || n, CASE WHEN n % 100 = 0 THEN 'User-Controlled' ELSE 'Org-Controlled' END, '{}', ''
   FROM generate_series(1, ${VAULTS}) AS n`,
  `INSERT INTO sign_requests (id, vault_id, request_id, ended_ms, body, sum)
   SELECT 's' || n, 'v' || (1 + n % 1000), 'r' || n, n, '{"taskIds":["t' || n || '"]}', '' FROM generate_series(1, ${TASKS}) AS n`,
  `INSERT INTO tasks (id, live, document, signature, body, sum)
   SELECT 't' || n, CASE WHEN n % 100000 = 0 THEN 1 ELSE 0 END, '\\x00', '\\x00', '{"taskId":"t' || n || '"}', '' FROM generate_series(1, ${TASKS}) AS n`,
  "ANALYZE",
]

const first = { limit: 50, after: undefined, before: undefined }
const pages = [first, { ...first, after: 500 }, { ...first, before: 500 }, { ...first, before: "infinity" as const }]

describe.skipIf(whyNoPostgres !== undefined)("many records", () => {
  let started: TestPostgres | undefined
  // Some gigabytes of files.
  afterAll(() => started?.[Symbol.dispose](), 300_000)

  test("100 000 vaults and a million ended tasks", async () => {
    started = startPostgres(["fsync=off", "max_wal_size=4GB"])
    const url = await started.database()
    const db = await openPostgres(postgresSettings(url), () => ({ orgId: newUuid(), bizOrgId: 1, createdMs: 1 }))
    const filling = new SQL({ url, max: 1 })
    try {
      for (const sql of GENERATED) await filling.unsafe(sql)
      const seen = new Set<string>()
      const store = storeOver(recording(db, seen))
      const vaultId = "v7"
      const slowest: [string, number] = ["", 0]
      const timed = async (name: string, work: () => Promise<unknown>) => {
        const begun = performance.now()
        await work()
        const tookMs = performance.now() - begun
        if (tookMs > slowest[1]) slowest.splice(0, 2, name, tookMs)
      }
      for (const page of pages) {
        await timed("vaults", () => store.vaults({ type: "Org-Controlled" }, page))
        await timed("groups", () => store.groups({ vaultId, type: "MainGroup" }, page))
        await timed("holders", () => store.holders({ vaultId, groupIds: ["g"], nodeId: "n" }, page))
        await timed("sign requests", () => store.signRequests({ vaultId }, page))
      }
      await timed("one by request_id", () => store.signRequestOf("r777777"))
      await timed("one task", () => store.task("t777777"))
      await timed("live tasks", async () => expect(await store.liveTasks()).toHaveLength(TASKS / 100_000))
      await timed("successions", () => store.successions("n"))
      await timed("forget", async () => expect(await store.forgetEnded(1_000, 64)).toBe(64))
      console.log(`slowest: ${slowest[0]}, ${slowest[1].toFixed(1)} ms`)
      expect(slowest[1]).toBeLessThan(500)
      // A count ends at 10 000, however it gets there.
      const reads = [...seen].filter((sql) => !sql.includes("count(*)"))
      for (const sql of reads) expect({ sql, scans: await scansOf(db, sql) }).toEqual({ sql, scans: [] })
    } finally {
      await filling.close()
      await db.close()
    }
  }, 300_000)
})

/** Every read that was asked. */
const recording = (db: SqlDatabase, seen: Set<string>): SqlDatabase => ({
  name: db.name,
  json: db.json,
  ownTasks: () => db.ownTasks(),
  commit: (statements) => db.commit(statements),
  write: (statements) => db.write(statements),
  close: () => db.close(),
  async all(sql, values) {
    seen.add(sql)
    return db.all(sql, values)
  },
})

/** The large tables that a plan walks through from end to end. */
async function scansOf(db: Postgres, sql: string): Promise<readonly string[]> {
  let nth = 0
  const numbered = sql.replace(/\?/g, () => `$${++nth}`)
  const marks = Array.from({ length: nth }, () => "NULL").join(", ")
  return db.reserved(async (connection) => {
    await connection.unsafe("SET plan_cache_mode = force_generic_plan")
    await connection.unsafe(`PREPARE asked AS ${numbered}`)
    const rows = await connection.unsafe<{ readonly "QUERY PLAN": string }[]>(
      `EXPLAIN EXECUTE asked${nth === 0 ? "" : `(${marks})`}`,
    )
    await connection.unsafe("DEALLOCATE asked")
    await connection.unsafe("RESET plan_cache_mode")
    return rows
      .map((row) => row["QUERY PLAN"])
      .filter((line) => /Seq Scan on (?:vaults|sign_requests|tasks)\b/.test(line))
  })
}
