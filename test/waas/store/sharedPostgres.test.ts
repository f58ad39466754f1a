/**
 * Who works on what among several processes of one real Postgres (long suite): takeovers, whose commits count, who is declared dead and
 * who is not, handing over.
 */
import { describe, expect, test } from "bun:test"
import { SQL } from "bun"
import { Postgres } from "../../../src/waas/store/postgres.ts"
import { LEASE_MS } from "../../../src/waas/store/replica.ts"
import { lossyProxy } from "../../support/lossyProxy.ts"
import { onePostgres } from "../../support/onePostgres.ts"
import { startPostgres, whyNoPostgres } from "../../support/postgres.ts"
import { declaredDead, started } from "../../support/sharedProcesses.ts"
import { postgresSettings } from "../../support/waas.ts"
import { idsOf, put, task, token, vault } from "../../support/waasRecords.ts"

describe.skipIf(whyNoPostgres !== undefined)("several processes on one Postgres", () => {
  const server = onePostgres(["fsync=off", "max_connections=300"])

  test("each has its own tasks; those of a dead one go to others, whole requests, each once", async () => {
    const url = await server().database()
    await using a = await started(url, "a")
    await using b = await started(url, "b")
    await using c = await started(url, "c")
    expect(a.replica.id).not.toBe(b.replica.id)
    const mine = task("mine", "of b")
    await b.store.commit([put(mine)])
    for (let i = 0; i < 40; i++) {
      await a.store.commit([
        put(task(`${i} one`, `${i}`)),
        put(task(`${i} two`, `${i}`)),
        put(task(`${i} old`, `${i}`), false),
      ])
    }
    expect(idsOf(await b.store.liveTasks())).toEqual(["mine"])
    expect(await a.store.liveTasks()).toHaveLength(80)
    expect(await b.shared.takeOver(100)).toEqual([])
    expect(await b.shared.ownerOf("1 one")).toBe("other")
    expect(await a.shared.ownerOf("1 one")).toBe("own")
    expect(await a.shared.ownerOf("1 old")).toBe("none")

    await declaredDead(b, a)
    const [first, second] = await Promise.all([b.shared.takeOver(10), c.shared.takeOver(10)])
    const more = await Promise.all(Array.from({ length: 12 }, (_, i) => (i % 2 === 0 ? b : c).shared.takeOver(5)))
    const all = [...first, ...second, ...more.flat()]
    expect(new Set(idsOf(all)).size).toBe(80)
    expect(all).toHaveLength(80)
    expect(first.length).toBeGreaterThan(0)
    expect(second.length).toBeGreaterThan(0)
    for (const process of [b, c]) {
      const own = await process.store.liveTasks()
      const requests = Map.groupBy(
        own.filter(({ taskId }) => taskId !== "mine"),
        ({ request }) => request.id,
      )
      expect([...requests.values()].every((tasks) => tasks.length === 2)).toBe(true)
    }
    expect(all.find(({ taskId }) => taskId === "3 two")).toEqual(task("3 two", "3"))
  }, 60_000)

  test("a commit for an open task of another is refused as a whole; ended ones are anybody's", async () => {
    const url = await server().database()
    await using a = await started(url, "a")
    await using b = await started(url, "b")
    await a.store.commit([put(task("t", "r"))])
    const late = b.store.commit([{ put: "vault", record: vault }, put(task("t", "r", { attempt: 2 }))])
    await expect(late).rejects.toMatchObject({ code: "E-WAA-086" })
    expect(await b.store.vault("v")).toBeUndefined()
    await a.store.commit([put(task("t", "r", { state: "completed" }), false)])
    await b.store.commit([put(task("t", "r", { state: "completed", reason: "late" }), false)])
    expect((await a.store.task("t"))?.reason).toBe("late")
  }, 60_000)

  test("a late commit of a dead one is refused, also for what nobody has taken yet", async () => {
    const url = await server().database()
    await using a = await started(url, "a")
    await using b = await started(url, "b")
    await a.store.commit([put(task("t", "r"))])
    await declaredDead(b, a)
    const late = a.store.commit([put(task("t", "r", { attempt: 2 }))])
    await expect(late).rejects.toMatchObject({ code: "E-WAA-074" })
    expect(await a.shared.takeOver(1)).toEqual([])
    expect((await b.shared.takeOver(1))[0]?.attempt).toBe(1)
    expect((await a.replica.lost).code).toBe("E-WAA-074")
  }, 60_000)

  test("a silent one is declared dead after the lease by whoever is heard; its work is told; the lowest leads", async () => {
    const url = await server().database()
    await using a = await started(url, "a")
    await using b = await started(url, "b")
    await using c = await started(url, "c")
    await a.store.commit([put(task("t", "r"))])
    // From its first moment.
    expect([c.shared.isLeader(), c.shared.living()]).toEqual([false, 3])
    const orphans = [b.heard("orphans"), c.heard("orphans")]
    while (c.shared.living() < 3) await Bun.sleep(50)
    expect([a.shared.isLeader(), c.shared.isLeader()]).toEqual([true, false])
    // Beats that reach nobody.
    await a.db.close()
    await Promise.all(orphans)
    while (!b.shared.isLeader()) await Bun.sleep(50)
    expect(c.shared.isLeader()).toBe(false)
    expect(idsOf(await c.shared.takeOver(1))).toEqual(["t"])
  }, 60_000)

  test("after an outage of the database that is longer than the lease nobody is declared dead at once", async () => {
    using own = startPostgres(["fsync=off"])
    const url = await own.database()
    await using a = await started(url, "a")
    await using b = await started(url, "b")
    // Of nobody: each look tells of it.
    await a.db.write([
      {
        sql: "INSERT INTO tasks (id, live, document, signature, body, sum) VALUES ('t', 1, '1', '2', ?, '')",
        values: [JSON.stringify(task("t", "r"))],
      },
    ])
    await Bun.sleep(LEASE_MS + 500)
    own.stop("immediate")
    await Bun.sleep(LEASE_MS + 500)
    // It comes back later than the other one.
    await b.db.close()
    own.start()
    await a.heard("orphans")
    expect(await a.db.all("SELECT id FROM replicas WHERE alive", [])).toHaveLength(2)
    while (a.shared.living() > 1) await Bun.sleep(100)
    await a.store.commit([{ put: "vault", record: vault }])
  }, 60_000)

  test("whoever stands still in the middle of a commit does not keep others from its work", async () => {
    const url = await server().database()
    await using a = await started(url, "a")
    await using b = await started(url, "b")
    await a.store.commit([put(task("t", "r"))])
    const hanging = new Postgres(postgresSettings(url))
    const isHanging = Promise.withResolvers<void>()
    const never = hanging.transaction(async (tx) => {
      await tx.unsafe("UPDATE replicas SET committed = committed WHERE id = $1", [a.replica.id])
      isHanging.resolve()
      await new Promise(() => {})
    })
    never.catch(() => {})
    await isHanging.promise
    await a.db.close()
    const silentAt = performance.now()
    const found = async () => (await b.shared.takeOver(1)).length > 0
    while (!(await found())) await Bun.sleep(100)
    expect(performance.now() - silentAt).toBeLessThan(LEASE_MS + 4_000)
    expect(b.replica.isHeard()).toBe(true)
    await hanging.close()
  }, 60_000)

  test("nobody is declared dead whose connection hangs, nor one with no connection to spare", async () => {
    const url = await server().database()
    using proxy = await lossyProxy(server().port)
    await using a = await started(url, "a", { port: proxy.port, connections: 2 })
    await using b = await started(url, "b")
    // Until b has been heard for so long that it may declare others dead.
    await Bun.sleep(LEASE_MS + 500)
    proxy.hang()
    const hungAt = performance.now()
    // Long before its own time is over: what hangs is found out by the sign of life.
    await a.store.commit([put(task("t", "r"))])
    expect(performance.now() - hungAt).toBeLessThan(LEASE_MS)
    await Bun.sleep(LEASE_MS)
    expect([a.replica.isHeard(), b.shared.living()]).toEqual([true, 2])
    const busy = ["SELECT pg_sleep(8)", "SELECT pg_sleep(8)"].map((sql) => a.db.write([{ sql, values: [] }]))
    await Promise.all(busy.map((work) => work.catch(() => {})))
    expect([a.replica.isHeard(), b.shared.living()]).toEqual([true, 2])
  }, 60_000)

  test("others are looked after while the row of a silent one is locked", async () => {
    const url = await server().database()
    await using a = await started(url, "a")
    await using b = await started(url, "b")
    // Of nobody: each look tells of it.
    await b.db.write([
      {
        sql: "INSERT INTO tasks (id, live, document, signature, body, sum) VALUES ('t', 1, '1', '2', ?, '')",
        values: [JSON.stringify(task("t", "r"))],
      },
    ])
    await using locking = new SQL({ url, max: 1 })
    const connection = await locking.reserve()
    await connection.unsafe("BEGIN")
    await connection.unsafe("SELECT 1 FROM replicas WHERE id = $1 FOR UPDATE", [a.replica.id])
    await a.db.close()
    const silent = "SELECT 1 FROM replicas WHERE id = ? AND seen < clock_timestamp() - make_interval(secs => ?)"
    while ((await b.db.all(silent, [a.replica.id, LEASE_MS / 1000])).length === 0) await Bun.sleep(100)
    for (let look = 0; look < 3; look++) await b.heard("orphans")
    expect(await b.db.all("SELECT 1 FROM replicas WHERE id = ? AND alive", [a.replica.id])).toHaveLength(1)
    await connection.unsafe("ROLLBACK")
    connection.release()
    while (b.shared.living() > 1) await b.heard("orphans")
  }, 60_000)

  test("who resigns is followed at once, with all that it had committed", async () => {
    const url = await server().database()
    await using a = await started(url, "a")
    await using b = await started(url, "b")
    // By the news alone: a look would find it a moment later.
    await using listening = new SQL({ url, max: 1 })
    const told = Promise.withResolvers<void>()
    await listening.listen("cosigner", (text) => {
      if (text === `${a.replica.id}\norphans`) told.resolve()
    })
    const last = a.store.commit([put(task("t", "r", { attempt: 7 }))])
    await a.shared.resign()
    await last
    await told.promise
    expect((await b.shared.takeOver(1))[0]?.attempt).toBe(7)
    expect(a.shared.isLeader()).toBe(false)
    const late = a.store.commit([put(task("t", "r", { attempt: 8 }))])
    await expect(late).rejects.toMatchObject({ code: "E-WAA-074" })
  }, 60_000)

  test("a request is handed to the process that has the node, and to nobody else", async () => {
    const url = await server().database()
    await using a = await started(url, "a")
    await using b = await started(url, "b")
    await using c = await started(url, "c")
    await a.store.commit([put(task("t", "r")), put(task("u", "r"))])
    expect(await a.shared.admit("own", token(1))).toBe("newest")
    for (const node of ["n", "own"]) expect(await a.shared.handOver("r", node)).toBe(false)
    expect(await b.shared.admit("n", token(1))).toBe("newest")
    expect(await c.shared.handOver("r", "n")).toBe(false)
    expect(await a.shared.handOver("r", "n")).toBe(true)
    await expect(a.store.commit([put(task("t", "r"))])).rejects.toMatchObject({ code: "E-WAA-086" })
    expect(await c.shared.takeOver(9)).toEqual([])
    expect(idsOf(await b.shared.takeOver(9))).toEqual(["t", "u"])
    // The heir of another request dies before it has taken it.
    await a.store.commit([put(task("w", "s"))])
    expect(await a.shared.handOver("s", "n")).toBe(true)
    await declaredDead(a, b)
    expect(idsOf(await c.shared.takeOver(9)).sort()).toEqual(["t", "u", "w"])
  }, 60_000)

  test("a takeover whose answer was lost is told again", async () => {
    const url = await server().database()
    using proxy = await lossyProxy(server().port, "cosigner_take_over")
    await using a = await started(url, "a")
    await using b = await started(url, "b", { port: proxy.port })
    await a.store.commit(Array.from({ length: 100 }, (_, i) => put(task(`t${i}`, `r${i}`))))
    await a.shared.resign()
    const taken = new Set<string>()
    const take = async () => {
      for (const id of idsOf(await b.shared.takeOver(5))) taken.add(id)
    }
    // The words go over each new connection once.
    proxy.lose(2)
    while (taken.size < 100) await take().catch(() => {})
    expect(proxy.lost()).toBeGreaterThan(0)
    expect(taken.size).toBe(100)
    expect(await b.store.liveTasks()).toHaveLength(100)
  }, 60_000)
})
