/**
 * The store on a real Postgres (long suite): the tests of any store and of all that stands on it, connections and servers that go away in
 * the middle of commits, one replica at a time, TLS, passwords.
 */
import { describe, expect, test } from "bun:test"
import { spawnSync } from "node:child_process"
import { chmodSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { SQL } from "bun"
import { errorText } from "../../../src/errors.ts"
import { silentLog } from "../../../src/log.ts"
import { newUuid } from "../../../src/waas/ids.ts"
import { enter } from "../../../src/waas/store/entering.ts"
import { checkSums } from "../../../src/waas/store/integrity.ts"
import type { Vault } from "../../../src/waas/store/model.ts"
import { openPostgres, Postgres } from "../../../src/waas/store/postgres.ts"
import { type PostgresSettings, shownStore } from "../../../src/waas/store/postgresSettings.ts"
import { storeOver } from "../../../src/waas/store/records.ts"
import { LEASE_MS, replicasSeen } from "../../../src/waas/store/replica.ts"
import { makeCertificates } from "../../link/certificates.ts"
import { lossyProxy } from "../../support/lossyProxy.ts"
import { onePostgres } from "../../support/onePostgres.ts"
import { ROLE_WITH_PASSWORD, startPostgres, whyNoPostgres } from "../../support/postgres.ts"
import { forever, organisation } from "../../support/sharedProcesses.ts"
import { temporaryFolder } from "../../support/temporaryFolder.ts"
import { must, postgresSettings } from "../../support/waas.ts"

const root = join(import.meta.dir, "..", "..", "..")

const vault = (name: string): Vault => ({
  vaultId: newUuid(),
  projectId: undefined,
  name,
  type: "Org-Controlled",
  rootKeys: [],
  createdMs: 1,
})

/** Closed at the end of the block. */
async function disposable(opening: Promise<Postgres>): Promise<Postgres & AsyncDisposable> {
  const db = await opening
  return Object.assign(db, { [Symbol.asyncDispose]: () => db.close() })
}

if (whyNoPostgres !== undefined) console.log(`no Postgres here: ${whyNoPostgres}`)

describe.skipIf(whyNoPostgres !== undefined)("Postgres", () => {
  const server = onePostgres(["fsync=off", "max_connections=300"])
  const opened = async (change: Partial<PostgresSettings> = {}) =>
    openPostgres({ ...postgresSettings(await server().database()), ...change }, organisation)
  const serving = async (db: Postgres, name = "a") =>
    must(await enter(db, { name, log: silentLog, signal: forever, onUnheard() {}, isAlone: true }))

  test("the tests of any store, of the engine and of the REST API", () => {
    const files = ["store/contract.test.ts", "engine", "api"].map((name) => `test/waas/${name}`)
    const { status, stderr } = spawnSync(process.execPath, ["test", "--timeout=60000", ...files], {
      cwd: root,
      env: { ...process.env, COSIGNER_STORE_URL: server().url("postgres") },
    })
    const failed = stderr.toString().match(/^\(fail\).*$|^.*error:.*$/gm) ?? []
    expect([status, failed]).toEqual([0, []])
  }, 600_000)

  test("several at once bring an empty database forward; a newer one is not opened", async () => {
    const settings = postgresSettings(await server().database())
    const all = await Promise.all(Array.from({ length: 4 }, () => openPostgres(settings, organisation)))
    const ids = await Promise.all(all.map((db) => storeOver(db).organisation()))
    expect(new Set(ids.map(({ orgId }) => orgId)).size).toBe(1)
    await must(all[0]).write([{ sql: "INSERT INTO migrations (version) VALUES (99)", values: [] }])
    for (const db of all) await db.close()
    await expect(openPostgres(settings, organisation)).rejects.toMatchObject({ code: "E-WAA-005" })
  })

  test("a commit whose acknowledgement was lost is not carried out twice", async () => {
    const settings = postgresSettings(await server().database())
    await using direct = await disposable(openPostgres(settings, organisation))
    using proxy = await lossyProxy(settings.port, "COMMIT", 2)
    await using _ = await serving(direct)
    await direct.write([{ sql: "CREATE TABLE carried_out (number INTEGER)", values: [] }])
    await using through = await disposable(Promise.resolve(new Postgres({ ...settings, port: proxy.port })))
    const [row] = await direct.all<{ readonly id: string }>("SELECT max(id) AS id FROM replicas", [])
    through.commitAs(must(row).id)
    const add = (number: number) =>
      through.commit([{ sql: "INSERT INTO carried_out (number) VALUES (?)", values: [number] }])
    for (const number of [1, 2, 3]) await add(number)
    expect(proxy.lost()).toBe(2)
    const rows = await direct.all<{ readonly number: number }>("SELECT number FROM carried_out ORDER BY number", [])
    expect(rows.map(({ number }) => number)).toEqual([1, 2, 3])
  }, 60_000)

  test("commits whose connection is cut are carried out once, and in their order", async () => {
    await using db = await disposable(opened())
    await using _ = await serving(db)
    const store = storeOver(db)
    await db.write([{ sql: "CREATE TABLE carried_out (number INTEGER)", values: [] }])
    const admin = new SQL({ url: server().url("postgres"), max: 1 })
    const cutting = (async () => {
      for (let i = 0; i < 25; i++) {
        await admin.unsafe(
          "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'cosigner-waas'",
        )
        await Bun.sleep(15)
      }
    })()
    const record = vault("0")
    let count = 0
    const done = (async () => {
      const under = async (number: number) => {
        await db.commit([
          { sql: "INSERT INTO carried_out (number) VALUES (?)", values: [number] },
          ...["SELECT pg_sleep(0.002)"].map((sql) => ({ sql, values: [] })),
        ])
      }
      while (count < 40) await under(count++)
    })()
    await Promise.all([cutting, done])
    await admin.close()
    const rows = await db.all<{ readonly number: number }>("SELECT number FROM carried_out", [])
    expect(rows.map(({ number }) => number)).toEqual(Array.from({ length: count }, (_, n) => n))
    await store.commit([{ put: "vault", record }])
    expect(await store.vault(record.vaultId)).toEqual(record)
  })

  test("a commit that was given up and comes all the same takes nothing from the next one", async () => {
    await using db = await disposable(opened())
    await using _ = await serving(db)
    await db.write([{ sql: "CREATE TABLE carried_out (number INTEGER)", values: [] }])
    const add = (number: number) => ({ sql: "INSERT INTO carried_out (number) VALUES (?)", values: [number] })
    const slow = db.commit([{ sql: "SELECT pg_sleep(0.4)", values: [] }, add(1)])
    const sleeping = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'PgSleep'"
    while ((await db.all(sleeping, [])).length === 0);
    db.giveUp()
    await expect(slow).rejects.toMatchObject({ code: "E-WAA-070" })
    await db.commit([add(2)])
    const rows = await db.all<{ readonly number: number }>("SELECT number FROM carried_out", [])
    expect(rows.map(({ number }) => number)).toContain(2)
  }, 60_000)

  test("a server that is stopped: reads say so, commits wait, and go on once it is there again", async () => {
    using own = startPostgres()
    await using db = await disposable(openPostgres(postgresSettings(await own.database()), organisation))
    await using _ = await serving(db)
    const store = storeOver(db)
    own.stop("immediate")
    const record = vault("late")
    const committed = store.commit([{ put: "vault", record }])
    await expect(store.vault("x")).rejects.toMatchObject({ code: "E-WAA-070" })
    expect(db.away()).toBeDefined()
    own.start()
    await committed
    expect(await store.vault(record.vaultId)).toEqual(record)
    expect(db.away()).toBeUndefined()
  }, 60_000)

  test("one at a time: whoever stands by follows at once after a stop, and after the lease of one that fell silent", async () => {
    const settings = postgresSettings(await server().database())
    await using a = await disposable(openPostgres(settings, organisation))
    await using b = await disposable(openPostgres(settings, organisation))
    const first = await serving(a, "a")
    const giveUp = new AbortController()
    const never = enter(b, { name: "b", log: silentLog, signal: giveUp.signal, onUnheard() {}, isAlone: true })
    giveUp.abort()
    expect(await never).toBeUndefined()
    const second = serving(b, "b")
    await first[Symbol.asyncDispose]()
    await using _ = await second
    await expect(storeOver(a).commit([{ put: "vault", record: vault("dead") }])).rejects.toMatchObject({
      code: "E-WAA-074",
    })

    // b is not heard any more, which a's third life waits for.
    await a.write([
      { sql: "UPDATE replicas SET seen = seen - make_interval(secs => ?) WHERE alive", values: [LEASE_MS] },
    ])
    const startedAt = performance.now()
    await using third = await serving(a, "a again")
    expect(performance.now() - startedAt).toBeLessThan(LEASE_MS + 3_000)
    expect((await (await second).lost).code).toBe("E-WAA-074")
    await expect(storeOver(b).commit([{ put: "vault", record: vault("dead") }])).rejects.toMatchObject({
      code: "E-WAA-074",
    })
    expect(Number(third.id)).toBeGreaterThan(Number((await second).id))
    const seen = await replicasSeen(a, 2)
    expect(seen.map(({ name, isAlive }) => [name, isAlive])).toEqual([
      ["a again", true],
      ["b", false],
    ])
    expect(Math.abs(Date.now() - (seen[0]?.seenMs ?? 0))).toBeLessThan(60_000)
    const found = await storeOver(a).vaults(
      { type: "Org-Controlled" },
      { limit: 9, after: undefined, before: undefined },
    )
    expect(found.items).toEqual([])
  }, 60_000)

  test("a process that the store has not heard for 30 s says so, and is heard again", async () => {
    using own = startPostgres(["fsync=off"])
    await using db = await disposable(openPostgres(postgresSettings(await own.database()), organisation))
    const unheard = Promise.withResolvers<void>()
    const signal = forever
    const replica = must(
      await enter(db, { name: "a", log: silentLog, signal, onUnheard: unheard.resolve, isAlone: false }),
    )
    own.stop("immediate")
    await unheard.promise
    expect(db.away()?.code).toBe("E-WAA-070")
    own.start()
    // Nobody else stood by: it is the same replica that goes on.
    await storeOver(db).commit([{ put: "vault", record: vault("after") }])
    await replica[Symbol.asyncDispose]()
  }, 60_000)

  test("a record that changed is found out", async () => {
    await using db = await disposable(opened())
    // The oldest of more than are read at one time.
    const all = ["v", ...Array.from({ length: 250 }, () => "other")].map(vault)
    await storeOver(db).commit(all.map((record) => ({ put: "vault", record })))
    await checkSums(db)
    await db.write([{ sql: 'UPDATE vaults SET body = replace(body, \'"name":"v"\', \'"name":"w"\')', values: [] }])
    await expect(checkSums(db)).rejects.toMatchObject({ code: "E-WAA-015" })
  })

  const certificates = makeCertificates()
  test.skipIf(certificates === undefined)(
    "TLS: only to a server whose certificate is verified for that host; client certificates",
    async () => {
      const { ca, otherCa, server: own, client } = must(certificates)
      using folder = temporaryFolder("tls")
      const write = (name: string, text: string) => {
        writeFileSync(folder.at(name), text, { mode: 0o600 })
        return folder.at(name)
      }
      const names = ["ssl=on", "ssl_cert_file=server.pem", "ssl_key_file=server.key", "ssl_ca_file=ca.pem"]
      using tls = startPostgres(names, { "server.pem": own.cert, "server.key": own.key, "ca.pem": ca })
      const [caFile, otherFile] = [write("ca.pem", ca), write("other.pem", otherCa)]
      const proof = { certFile: write("client.pem", client.cert), keyFile: write("client.key", client.key) }
      const settings = postgresSettings(await tls.database())
      const over = (change: Partial<PostgresSettings>) =>
        openPostgres(
          { ...settings, hostname: "localhost", tls: { caFile, client: undefined }, ...change },
          organisation,
        )
      const encrypted = "SELECT ssl, client_dn FROM pg_stat_ssl WHERE pid = pg_backend_pid()"
      await using db = await disposable(over({}))
      expect(await db.all(encrypted, [])).toEqual([{ ssl: true, client_dn: null }])
      await using known = await disposable(over({ tls: { caFile, client: proof } }))
      const [shown] = await known.all<{ readonly client_dn: string }>(encrypted, [])
      expect(String(shown?.client_dn)).toBe("/CN=client")
      await expect(over({ tls: { caFile: undefined, client: undefined } })).rejects.toMatchObject({ code: "E-WAA-070" })
      const distrusted = over({ tls: { caFile: otherFile, client: undefined } })
      await expect(distrusted).rejects.toMatchObject({
        code: "E-WAA-070",
        data: { problem: expect.stringMatching(/CERT/) },
      })
      await expect(over({ hostname: "127.0.0.1" })).rejects.toMatchObject({ code: "E-WAA-070" })
      await expect(over({ tls: { caFile: proof.keyFile, client: undefined } })).rejects.toMatchObject({
        code: "E-WAA-073",
      })
    },
    60_000,
  )

  test("a server that says that it has no TLS is told neither user nor password", async () => {
    const heard: number[] = []
    using plain = Bun.listen({
      hostname: "127.0.0.1",
      port: 0,
      socket: {
        data(socket, bytes) {
          heard.push(bytes.length)
          socket.write("N")
        },
      },
    })
    const tls = { caFile: undefined, client: undefined }
    const settings = { ...postgresSettings(server().url("none")), port: plain.port, password: "hush", tls }
    await expect(openPostgres(settings, organisation)).rejects.toMatchObject({ code: "E-WAA-070" })
    // The question for TLS has 8 bytes, and whatever names somebody has more.
    expect(heard).not.toEqual([])
    expect(heard.filter((length) => length > 8)).toEqual([])
  }, 30_000)

  test("a password comes from its file each time, and is in no error", async () => {
    const pg = server()
    const admin = new SQL({ url: pg.url("postgres"), max: 1 })
    await admin.unsafe(`CREATE ROLE ${ROLE_WITH_PASSWORD} LOGIN SUPERUSER PASSWORD 'open sesame'`)
    const { database } = postgresSettings(await pg.database())
    using folder = temporaryFolder("password")
    const file = folder.at("password")
    const settings: PostgresSettings = {
      ...postgresSettings(pg.url(database)),
      user: ROLE_WITH_PASSWORD,
      password: "not this one",
      passwordFile: file,
    }
    writeFileSync(file, "open sesame\n", { mode: 0o600 })
    expect(shownStore(settings)).toBe(`postgres://${ROLE_WITH_PASSWORD}@127.0.0.1:${pg.port}/${database}`)
    await using db = await disposable(openPostgres(settings, organisation))
    expect(db.name).not.toContain("this one")
    writeFileSync(file, "shut")
    const wrong = await openPostgres(settings, organisation).then(
      () => undefined,
      (error: unknown) => error,
    )
    expect(wrong).toMatchObject({ code: "E-WAA-071" })
    expect(errorText(wrong)).not.toMatch(/shut|sesame|this one/)
    // What became of a commit may not be known yet when the database stops to let us in: it waits for the right password.
    await using _ = await serving(db)
    const cut = `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '${ROLE_WITH_PASSWORD}'`
    const record = vault("waits")
    await admin.unsafe(cut)
    const committed = storeOver(db).commit([{ put: "vault", record }])
    while (!/28P01/.test(errorText(db.away()))) await Bun.sleep(5)
    expect(errorText(db.away())).not.toMatch(/shut|sesame|this one/)
    writeFileSync(file, "open sesame")
    await committed
    expect(await storeOver(db).vault(record.vaultId)).toEqual(record)
    chmodSync(file, 0o644)
    await expect(openPostgres(settings, organisation)).rejects.toMatchObject({ code: "E-WAA-073" })
    await admin.close()
  })
})
