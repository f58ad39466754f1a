/**
 * What several processes of one real Postgres agree on (long suite): who works on which request, whose commits count, one at a time by
 * name, errands, starts of nodes, news, and an older release that meets a newer one. Each process is a client of its own.
 */
import { afterAll, describe, expect, test } from "bun:test"
import { SQL } from "bun"
import { silentLog } from "../../../src/log.ts"
import { newUuid } from "../../../src/waas/ids.ts"
import { enter } from "../../../src/waas/store/entering.ts"
import type { NodeFencingToken, Vault, WaasTask } from "../../../src/waas/store/model.ts"
import { openPostgres, type Postgres } from "../../../src/waas/store/postgres.ts"
import { storeOver } from "../../../src/waas/store/records.ts"
import { LEASE_MS, type Replica } from "../../../src/waas/store/replica.ts"
import type { StoreNews } from "../../../src/waas/store/shared.ts"
import { SharedPostgres } from "../../../src/waas/store/sharedPostgres.ts"
import type { WaasStore } from "../../../src/waas/store/store.ts"
import { startPostgres, type TestPostgres, whyNoPostgres } from "../../support/postgres.ts"
import { must, postgresSettings } from "../../support/waas.ts"

const forever = new AbortController().signal
const organisation = () => ({ orgId: newUuid(), bizOrgId: 1, createdMs: 1 })

interface Process extends AsyncDisposable {
  readonly db: Postgres
  readonly store: WaasStore
  readonly replica: Replica
  readonly shared: SharedPostgres
  readonly news: StoreNews[]
  /** Resolves once it has heard such news, from now on. */
  heard(kind: StoreNews["kind"]): Promise<StoreNews>
}

async function started(url: string, name = "a"): Promise<Process> {
  await using opened = new AsyncDisposableStack()
  const db = opened.adopt(await openPostgres(postgresSettings(url), organisation), (made) => made.close())
  const replica = opened.use(
    must(await enter(db, { name, log: silentLog, signal: forever, onUnheard() {}, isAlone: false })),
  )
  const shared = opened.use(new SharedPostgres({ db, replica, log: silentLog }))
  const news: StoreNews[] = []
  const waiting = new Set<(one: StoreNews) => void>()
  shared.subscribe((one) => {
    news.push(one)
    for (const wait of waiting) wait(one)
  })
  const kept = opened.move()
  return {
    db,
    store: storeOver(db),
    replica,
    shared,
    news,
    heard(kind) {
      const { promise, resolve } = Promise.withResolvers<StoreNews>()
      waiting.add((one) => {
        if (one.kind === kind) resolve(one)
      })
      return promise
    },
    [Symbol.asyncDispose]: () => kept.disposeAsync(),
  }
}

const vault: Vault = {
  vaultId: "v",
  projectId: undefined,
  name: "v",
  type: "Org-Controlled",
  rootKeys: [],
  createdMs: 1,
}

const task = (taskId: string, requestId: string, change: Partial<WaasTask> = {}): WaasTask => ({
  taskId,
  request: { kind: "sign", id: requestId },
  type: "KeySign",
  document: new Uint8Array([1]),
  signature: new Uint8Array([2]),
  digest: "d",
  nodeIds: [],
  createdMs: 1,
  deadlineMs: 2,
  state: "running",
  attempt: 1,
  attemptMs: 1,
  code: "",
  reason: "",
  outcome: undefined,
  reports: {},
  ...change,
})

const put = (record: WaasTask, live = true) => ({ put: "task" as const, record, live })
const idsOf = (tasks: readonly WaasTask[]) => tasks.map(({ taskId }) => taskId)
const token = (boot: number, change: Partial<NodeFencingToken> = {}): NodeFencingToken => ({
  incarnation: 1,
  boot,
  bootId: `boot ${boot}`,
  generation: boot,
  ...change,
})

/** As another process finds it after the lease: the next steady look does the same (see the test of it). */
const declaredDead = ({ db }: Process, { replica }: Process) =>
  db.write([{ sql: "UPDATE replicas SET alive = FALSE WHERE id = ?", values: [replica.id] }])

describe.skipIf(whyNoPostgres !== undefined)("several processes on one Postgres", () => {
  let pg: TestPostgres | undefined
  const server = (): TestPostgres => {
    pg ??= startPostgres(["fsync=off", "max_connections=300"])
    return pg
  }
  afterAll(() => pg?.[Symbol.dispose](), 300_000)

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
    expect((await b.shared.takeOver(1))[0]?.attempt).toBe(1)
    expect(await a.shared.takeOver(1)).toEqual([])
    expect((await a.replica.lost).code).toBe("E-WAA-074")
  }, 60_000)

  test("a silent one is declared dead after the lease by whoever is heard; its work is told; the lowest leads", async () => {
    const url = await server().database()
    await using a = await started(url, "a")
    await using b = await started(url, "b")
    await using c = await started(url, "c")
    await a.store.commit([put(task("t", "r"))])
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

  test("after an outage of the database that is longer than the lease nobody is declared dead", async () => {
    using own = startPostgres(["fsync=off"])
    const url = await own.database()
    await using a = await started(url, "a")
    await using b = await started(url, "b")
    while (a.shared.living() < 2 || b.shared.living() < 2) await Bun.sleep(50)
    const admin = new SQL({ url, max: 1 })
    // What both look like to the first that is heard again.
    await Bun.sleep(LEASE_MS + 500)
    own.stop("immediate")
    await Bun.sleep(LEASE_MS + 500)
    own.start()
    const fresh =
      "SELECT count(*)::integer AS n FROM replicas WHERE alive AND seen > clock_timestamp() - interval '2 s'"
    while (((await admin.unsafe(fresh).catch(() => [])) as { n: number }[])[0]?.n !== 2) await Bun.sleep(100)
    expect(await a.db.all("SELECT id FROM replicas WHERE alive", [])).toHaveLength(2)
    await a.store.commit([{ put: "vault", record: vault }])
    await b.store.commit([{ put: "vault", record: vault }])
    await admin.close()
  }, 60_000)

  test("whoever stands still in the middle of a commit does not keep others from its work", async () => {
    const url = await server().database()
    await using a = await started(url, "a")
    await using b = await started(url, "b")
    await a.store.commit([put(task("t", "r"))])
    const hanging = new SQL({ url, max: 1, connection: { idle_in_transaction_session_timeout: 4_000 } })
    const connection = await hanging.reserve()
    await connection.unsafe("BEGIN")
    await connection.unsafe("UPDATE replicas SET committed = committed WHERE id = $1", [a.replica.id])
    await a.db.close()
    const silentAt = performance.now()
    const found = async () => (await b.shared.takeOver(1)).length > 0
    while (!(await found())) await Bun.sleep(100)
    expect(performance.now() - silentAt).toBeLessThan(LEASE_MS + 4_000)
    expect((await b.replica.isHeard()) && b.replica.living().includes(b.replica.id)).toBe(true)
    connection.release()
    await hanging.close({ timeout: 0 })
  }, 60_000)

  test("who resigns is followed at once, with all that it had committed", async () => {
    const url = await server().database()
    await using a = await started(url, "a")
    await using b = await started(url, "b")
    await b.heard("rescan")
    const told = b.heard("orphans")
    const last = a.store.commit([put(task("t", "r", { attempt: 7 }))])
    await a.shared.resign()
    await last
    await told
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
    expect(await a.shared.handOver("r", "n")).toBe(false)
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
})
