/**
 * What several processes of one real Postgres agree on (long suite): one at a time by name, errands, starts of nodes, news, marks, and an
 * older release that meets a newer one.
 */
import { describe, expect, test } from "bun:test"
import { SQL } from "bun"
import { silentLog } from "../../../src/log.ts"
import { newUuid } from "../../../src/waas/ids.ts"
import { enter } from "../../../src/waas/store/entering.ts"
import { checkSums } from "../../../src/waas/store/integrity.ts"
import { Postgres } from "../../../src/waas/store/postgres.ts"
import { migratePostgres } from "../../../src/waas/store/postgresSchema.ts"
import { lossyProxy } from "../../support/lossyProxy.ts"
import { onePostgres } from "../../support/onePostgres.ts"
import { whyNoPostgres } from "../../support/postgres.ts"
import { declaredDead, forever, openedOnly, type Process, started } from "../../support/sharedProcesses.ts"
import { must, postgresSettings } from "../../support/waas.ts"
import { idsOf, put, task, token } from "../../support/waasRecords.ts"

describe.skipIf(whyNoPostgres !== undefined)("several processes on one Postgres", () => {
  const server = onePostgres(["fsync=off", "max_connections=300"])

  test("work of one name is done by one at a time, in this process and in others", async () => {
    const url = await server().database()
    await using a = await started(url, "a")
    await using b = await started(url, "b")
    await using c = await started(url, "c")
    let atWork = 0
    let most = 0
    let done = 0
    const work = async () => {
      most = Math.max(most, ++atWork)
      await Bun.sleep(1)
      atWork--
      return ++done
    }
    const all = [a, b, c].flatMap(({ shared }) => Array.from({ length: 8 }, () => shared.exclusively("set-ups", work)))
    expect(new Set(await Promise.all(all)).size).toBe(24)
    expect(most).toBe(1)
    await expect(b.shared.exclusively("set-ups", () => Promise.reject(new Error("no")))).rejects.toThrow("no")
    expect(await a.shared.exclusively("set-ups", async () => "free again")).toBe("free again")
    expect(await a.db.all("SELECT name FROM claims", [])).toEqual([])
  }, 60_000)

  test("a claim of a dead process is free; of one that lives it is waited for, and not for ever", async () => {
    const url = await server().database()
    await using a = await started(url, "a")
    await using b = await started(url, "b")
    const held = Promise.withResolvers<void>()
    const begun = Promise.withResolvers<void>()
    const first = a.shared.exclusively("request x", () => {
      begun.resolve()
      return held.promise
    })
    await begun.promise
    let isBegun = false
    const late = b.shared.exclusively("request x", async () => {
      isBegun = true
    })
    await expect(late).rejects.toMatchObject({ code: "E-WAA-088" })
    expect(isBegun).toBe(false)
    await declaredDead(b, a)
    // Before anybody has cleared it away.
    await b.db.all(
      `CREATE FUNCTION keep() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
       CREATE TRIGGER keep BEFORE DELETE ON claims FOR EACH ROW EXECUTE FUNCTION keep()`,
      [],
    )
    expect(await b.shared.exclusively("request x", async () => "b")).toBe("b")
    await b.db.all("DROP TRIGGER keep ON claims", [])
    // What the dead one gives up is not another's.
    const second = Promise.withResolvers<void>()
    const mine = b.shared.exclusively("request x", () => second.promise)
    while ((await b.db.all("SELECT name FROM claims", [])).length === 0);
    held.resolve()
    await first
    expect(await b.db.all("SELECT name FROM claims", [])).toHaveLength(1)
    second.resolve()
    await mine
  }, 60_000)

  test("what could not be given up while the database refused is given up later", async () => {
    const url = await server().database()
    await using a = await started(url, "a")
    await using b = await started(url, "b")
    const locking = new SQL({ url, max: 1 })
    const connection = await locking.reserve()
    expect(await a.shared.admit("n", token(1))).toBe("newest")
    await a.shared.exclusively("x", async () => {
      await connection.unsafe("BEGIN")
      await connection.unsafe("LOCK TABLE claims, node_links IN SHARE MODE")
    })
    await a.shared.left("n", "boot 1")
    await connection.unsafe("ROLLBACK")
    connection.release()
    expect(await b.shared.exclusively("x", async () => "b")).toBe("b")
    while ((await b.db.all("SELECT 1 FROM node_links", [])).length > 0) await Bun.sleep(50)
    await locking.close()
  }, 60_000)

  test("errands wait for the owner, are told, come again until they are done, and outlive the owner", async () => {
    const url = await server().database()
    await using a = await started(url, "a")
    await using b = await started(url, "b")
    await a.store.commit([put(task("t", "r"))])
    const told = a.heard("errands")
    expect(await b.shared.leaveErrand("r", { kind: "cancel" })).toBe(true)
    await told
    expect(await b.shared.leaveErrand("r", { kind: "cancel" })).toBe(true)
    expect(await b.shared.leaveErrand("r", { kind: "approval", word: "d29yZA==" })).toBe(true)
    expect(await b.shared.leaveErrand("unknown", { kind: "cancel" })).toBe(false)
    expect(await b.shared.errands()).toEqual([])
    const kept = await a.shared.errands()
    expect(kept.map(({ requestId, errand }) => [requestId, errand.kind])).toEqual([
      ["r", "cancel"],
      ["r", "approval"],
    ])
    await a.shared.errandDone(must(kept[0]).id)

    await declaredDead(b, a)
    await b.shared.takeOver(1)
    expect((await b.shared.errands()).map(({ errand }) => errand)).toEqual([{ kind: "approval", word: "d29yZA==" }])
    // Nobody told of it: it is found.
    await b.heard("errands")
    await b.store.commit([put(task("t", "r"), false)])
    expect(await b.shared.leaveErrand("r", { kind: "cancel" })).toBe(false)
    while ((await b.db.all("SELECT 1 FROM errands", [])).length > 0) await Bun.sleep(50)
  }, 60_000)

  test("a request takes so many errands, and then none before some are done", async () => {
    const url = await server().database()
    await using a = await started(url, "a")
    await a.store.commit([put(task("t", "r"))])
    const leave = (i: number) => a.shared.leaveErrand("r", { kind: "approval", word: `${i}` })
    for (let i = 0; i < 200; i++) await leave(i)
    await expect(leave(200)).rejects.toMatchObject({ code: "E-WAA-090" })
    await a.shared.errandDone(must((await a.shared.errands())[0]).id)
    expect(await leave(200)).toBe(true)
  }, 60_000)

  test("the newest token of a node wins, whoever lets it in; the first of two starts stays while it is connected", async () => {
    const url = await server().database()
    await using a = await started(url, "a")
    await using b = await started(url, "b")
    await using c = await started(url, "c")
    const all = [a, b, c]
    const order = [7, 2, 30, 11, 29, 1, 18, 30, 5]
    const said = await Promise.all(
      order.map((generation, i) => must(all[i % 3]).shared.admit("n", token(1, { generation }))),
    )
    expect(order.flatMap((generation, i) => (generation === 30 ? [said[i]] : []))).toEqual(["newest", "newest"])
    expect((await a.store.fencingToken("n"))?.generation).toBe(30)
    for (const { shared } of all) expect(await shared.admit("n", token(1, { generation: 29 }))).toBe("behind")

    for (let generation = 40; generation < 240; generation += 2) {
      await Promise.all([
        a.shared.admit("n", token(1, { generation: generation + 1 })),
        b.shared.admit("n", token(1, { generation })),
      ])
      expect((await a.store.fencingToken("n"))?.generation).toBe(generation + 1)
    }

    // A copy that counts alike, first come.
    const twins = [token(1, { bootId: "one" }), token(1, { bootId: "two" })]
    const pair = await Promise.all(twins.map((twin, i) => must(all[i]).shared.admit("m", twin)))
    expect(pair.filter((word) => word === "newest")).toHaveLength(1)
  }, 60_000)

  test("a restarted node is let in once its connections have ended, or their process is dead", async () => {
    const url = await server().database()
    await using a = await started(url, "a")
    await using b = await started(url, "b")
    await using c = await started(url, "c")
    const [one, two, three] = [token(1), token(2), token(3)]
    expect(await a.shared.admit("n", one)).toBe("newest")
    expect(await b.shared.admit("n", one)).toBe("newest")
    expect(await c.shared.admit("n", two)).toBe("twin")
    // Of its own connections a relay knows.
    expect(await a.shared.admit("n", two)).toBe("twin")
    await b.shared.left("n", one.bootId)
    expect(await a.shared.admit("n", two)).toBe("newest")
    await a.shared.left("n", one.bootId)
    // The end of the older connection left the newer one's row.
    expect(await b.shared.admit("n", three)).toBe("twin")
    expect(await a.shared.admit("n", two)).toBe("newest")
    await a.shared.left("n", two.bootId)
    expect(await b.shared.admit("n", three)).toBe("twin")
    await declaredDead(b, a)
    expect(await b.shared.admit("n", three)).toBe("newest")
    await expect(a.shared.admit("o", one)).rejects.toMatchObject({ code: "E-WAA-074" })
    // Rows of the dead leave, too.
    while ((await b.db.all("SELECT 1 FROM node_links WHERE replica = ?", [a.replica.id])).length > 0)
      await Bun.sleep(50)
  }, 60_000)

  test("news come to all others once, and to whoever tells them at once; many of them as well", async () => {
    const url = await server().database()
    await using a = await started(url, "a")
    await using b = await started(url, "b")
    const heard = (process: Process) => process.news.filter(({ kind }) => kind === "ended")
    const ids = Array.from({ length: 3_000 }, () => newUuid())
    for (const requestId of ids) a.shared.tell({ kind: "ended", requestId })
    expect(heard(a)).toHaveLength(ids.length)
    using _ = b.shared.subscribe(() => {
      throw new Error("a listener that fails")
    })
    const nodes = b.heard("nodes")
    a.shared.tell({ kind: "nodes" })
    await nodes
    expect(heard(b).map((news) => ("requestId" in news ? news.requestId : ""))).toEqual(ids)
    expect(heard(a)).toHaveLength(ids.length)
    // Too many to be told one by one.
    const rescan = b.heard("rescan")
    for (let i = 0; i < 10_100; i++) a.shared.tell({ kind: "ended", requestId: `${i}` })
    await rescan
  }, 60_000)

  test("after a connection that was cut, and one on which nothing comes any more, there is a rescan, and news come again", async () => {
    const url = await server().database()
    using proxy = await lossyProxy(server().port)
    await using a = await started(url, "a", { port: proxy.port })
    await using b = await started(url, "b")
    const again = async (how: () => Promise<unknown>) => {
      const rescan = a.heard("rescan")
      await how()
      await rescan
      const nodes = a.heard("nodes")
      b.shared.tell({ kind: "nodes" })
      await nodes
    }
    await again(() =>
      b.db.all(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'LISTEN%'",
        [],
      ),
    )
    await again(async () => proxy.hang())
  }, 60_000)

  test("an older release: its process is dead once the database is newer, and serves it no more; its work goes on", async () => {
    const url = await server().database()
    const old = new SQL({ url, max: 1 })
    const settings = postgresSettings(url)
    const first = new Postgres(settings)
    await first.reserved((connection) => migratePostgres(connection, first.name, 1))
    await first.close()
    const enrol =
      "INSERT INTO replicas (name, alive, committed, seen) VALUES ('old', TRUE, 0, clock_timestamp()) RETURNING id"
    const [row] = await old.unsafe<{ readonly id: string }[]>(enrol)
    const commits = (number: number) =>
      old.unsafe("UPDATE replicas SET committed = $2 WHERE id = $1 AND alive AND committed < $2 RETURNING id", [
        must(row).id,
        number,
      ])
    await old.unsafe("BEGIN")
    expect(await commits(1)).toHaveLength(1)
    const opening = started(url, "new")
    const waiting = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    const watching = new SQL({ url, max: 1 })
    while ((await watching.unsafe(waiting)).length === 0);
    await watching.close()
    await old.unsafe("INSERT INTO tasks (id, live, document, signature, body, sum) VALUES ('t', 1, '1', '2', $1, '')", [
      JSON.stringify({ taskId: "t", request: { kind: "sign", id: "r" } }),
    ])
    await old.unsafe("COMMIT")
    // It is heard until it learns of it.
    const beats = setInterval(() => {
      old.unsafe("UPDATE replicas SET seen = clock_timestamp() WHERE id = $1 AND alive", [must(row).id]).catch(() => {})
    }, 500)
    await using process = await opening
    clearInterval(beats)
    expect(await commits(2)).toEqual([])
    await expect(Promise.resolve(old.unsafe(enrol))).rejects.toThrow("null value")
    await old.close()
    expect(await process.store.liveTasks()).toEqual([])
    expect(idsOf(await process.shared.takeOver(9))).toEqual(["t"])
    expect(idsOf(await process.store.liveTasks())).toEqual(["t"])
    expect(await process.shared.leaveErrand("r", { kind: "cancel" })).toBe(true)
  }, 60_000)

  test("sums hold beside processes that write, and each mark of the token is given once", async () => {
    const url = await server().database()
    await using a = await started(url, "a")
    await using b = await started(url, "b")
    const ids = Array.from({ length: 250 }, (_, i) => `t${i}`)
    await a.store.commit(ids.map((id) => put(task(id, id))))
    let isDone = false
    const writing = (async () => {
      for (let attempt = 2; !isDone; attempt++) await a.store.commit(ids.map((id) => put(task(id, id, { attempt }))))
    })()
    for (let i = 0; i < 10; i++) await checkSums(b.db)
    isDone = true
    await writing
    const raised = await Promise.all(
      Array.from({ length: 40 }, (_, i) =>
        (i % 2 === 0 ? a : b).store.raiseWaasToken({ markId: new Uint8Array(16).fill(i) }),
      ),
    )
    expect(raised.map(({ mark }) => mark).sort((x, y) => x - y)).toEqual(Array.from({ length: 40 }, (_, i) => i + 1))
    const last = must(raised.find(({ mark }) => mark === 40))
    expect(await a.store.waasToken()).toEqual(last)
  }, 60_000)

  test("whoever serves alone waits for all others, and they for its end", async () => {
    const url = await server().database()
    await using a = await started(url, "a")
    await using alone = await openedOnly(url)
    const entering = enter(alone, { name: "adopt", log: silentLog, signal: forever, onUnheard() {}, isAlone: true })
    expect(await Promise.race([entering, Bun.sleep(600).then(() => "waits")])).toBe("waits")
    await a.shared.resign()
    const adopting = must(await entering)
    const giveUp = new AbortController()
    await using other = await openedOnly(url)
    const beside = enter(other, { name: "b", log: silentLog, signal: giveUp.signal, onUnheard() {}, isAlone: false })
    expect(await Promise.race([beside, Bun.sleep(600).then(() => "waits")])).toBe("waits")
    await adopting.resign()
    await must(await beside).resign()
  }, 60_000)
})
