/**
 * What the store asks of Postgres with many records (long suite): by its own plans nothing walks through a table, and reads of a database
 * with 100 000 vaults and a million ended tasks take what they take in a small one; so does what
 * processes agree on over 100 000 open ones.
 */
import { describe, expect, test } from "bun:test"
import { SQL } from "bun"
import { newUuid } from "../../../src/waas/ids.ts"
import { openPostgres, type Postgres } from "../../../src/waas/store/postgres.ts"
import { storeOver } from "../../../src/waas/store/records.ts"
import type { SqlDatabase } from "../../../src/waas/store/sql.ts"
import { onePostgres } from "../../support/onePostgres.ts"
import { whyNoPostgres } from "../../support/postgres.ts"
import { openedOnly, started } from "../../support/sharedProcesses.ts"
import { must, postgresSettings } from "../../support/waas.ts"

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

/** Whole requests of two dead processes, of a third one and of nobody, and an errand for every fiftieth. */
const OPEN = [
  `INSERT INTO tasks (id, live, document, signature, body, sum)
   SELECT 't' || n, 1, '\\x00', '\\x00', '{"taskId":"t' || n || '","request":{"kind":"sign","id":"r' || n / 2 || '"}}', ''
   FROM generate_series(1, 100000) AS n`,
  "UPDATE tasks SET replica = 1000 + right(request, 1)::integer % 3 WHERE right(request, 1) < '8'",
  `INSERT INTO errands (request, body) SELECT 'r' || (n * 50 + 8), '{"kind":"cancel"}' FROM generate_series(1, 1000) AS n`,
  "VACUUM ANALYZE tasks",
  "ANALYZE errands",
]

const first = { limit: 50, after: undefined, before: undefined }
const pages = [first, { ...first, after: 500 }, { ...first, before: 500 }, { ...first, before: "infinity" as const }]

describe.skipIf(whyNoPostgres !== undefined)("many records", () => {
  const server = onePostgres(["fsync=off", "max_wal_size=4GB"])

  test("100 000 vaults and a million ended tasks", async () => {
    const url = await server().database()
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

  test("takeovers, errands and owners among 100 000 open tasks of the dead and of nobody", async () => {
    const url = await server().database()
    await (await openedOnly(url)).close()
    const filling = new SQL({ url, max: 1 })
    for (const sql of OPEN) await filling.unsafe(sql)
    await filling.close()
    const before = await wholeReadsOfTasks(url)
    const slowest: [string, number] = ["", 0]
    const timed = async <T>(name: string, work: () => Promise<T>): Promise<T> => {
      const begun = performance.now()
      const done = await work()
      const tookMs = performance.now() - begun
      if (tookMs > slowest[1]) slowest.splice(0, 2, name, tookMs)
      return done
    }
    {
      await using process = await started(url)
      const { shared, store } = process
      await process.heard("orphans")
      for (let i = 0; i < 20; i++) {
        const taken = await timed("take over", () => shared.takeOver(200))
        expect(taken.length).toBeGreaterThanOrEqual(200)
        expect(taken.length).toBeLessThanOrEqual(400)
      }
      const own = await timed("live tasks", () => store.liveTasks())
      const { taskId, request } = must(own.at(-1))
      await timed("errands", async () => expect((await shared.errands()).length).toBeGreaterThan(0))
      await timed("owner", async () => expect(await shared.ownerOf(taskId)).toBe("own"))
      await timed("leave an errand", async () =>
        expect(await shared.leaveErrand(request.id, { kind: "approval", word: "" })).toBe(true),
      )
      await timed("hand over", async () => expect(await shared.handOver(request.id, "n")).toBe(false))
      // Another look, among what is taken and what is not.
      await process.heard("errands")
    }
    console.log(`slowest: ${slowest[0]}, ${slowest[1].toFixed(1)} ms`)
    expect(slowest[1]).toBeLessThan(500)
    expect(await wholeReadsOfTasks(url)).toBe(before)
  }, 300_000)
})

/** How often the table was walked through, by whoever has closed its connection. */
async function wholeReadsOfTasks(url: string): Promise<number> {
  await using watching = new SQL({ url, max: 1 })
  const others = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
  while ((await watching.unsafe(`${others} AND backend_type = 'client backend'`)).length > 0) await Bun.sleep(20)
  const sql = "SELECT seq_scan::integer AS times FROM pg_stat_user_tables WHERE relname = 'tasks'"
  const [row] = await watching.unsafe<{ readonly times: number }[]>(sql)
  return must(row).times
}

/** Every read that was asked. */
const recording = (db: SqlDatabase, seen: Set<string>): SqlDatabase => ({
  name: db.name,
  json: db.json,
  ownTasks: () => db.ownTasks(),
  commit: (statements, durable) => db.commit(statements, durable),
  write: (statements) => db.write(statements),
  writeBefore: (statements) => db.writeBefore(statements),
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
