/** A shared store that is not there: commands and a start end soon, with what, where and what to do, and never fall back to a file. */
import { expect, test } from "bun:test"
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { silentLog } from "../../../src/log.ts"
import { readConfig } from "../../../src/waas/config.ts"
import { waasInit, waasKeyList } from "../../../src/waas/keys.ts"
import { startWaas } from "../../../src/waas/server.ts"
import { Postgres } from "../../../src/waas/store/postgres.ts"
import { freePort } from "../../support/freePort.ts"
import { temporaryFolder } from "../../support/temporaryFolder.ts"
import { postgresSettings } from "../../support/waas.ts"

test("a start and a command say that the database is away", async () => {
  using folder = temporaryFolder("away")
  const { files } = await waasInit(folder.at("w"), Date.now())
  const url = `postgres://waas:hush@127.0.0.1:${freePort()}/waas`
  writeFileSync(files.config, `[waas.store]\nurl = "${url}"\n`)
  const away = { code: "E-WAA-070", message: expect.not.stringContaining("hush") }
  await expect(startWaas(readConfig(files), files, silentLog, new AbortController().signal)).rejects.toMatchObject(away)
  await expect(waasKeyList(files.dir)).rejects.toMatchObject(away)
})

test("a sign of life that is not answered is known to have failed in its time, and the next one takes another connection", async () => {
  let closed = 0
  // As a network that drops everything: no connection ends, and nothing comes.
  using server = Bun.listen({
    hostname: "127.0.0.1",
    port: 0,
    socket: {
      close() {
        closed++
      },
      data() {},
    },
  })
  const db = new Postgres(postgresSettings(`postgres://waas@127.0.0.1:${server.port}/waas`))
  // None is left open either.
  while (closed < 2) {
    const answer = db.heartbeat("SELECT 1", [], 20)
    await expect(answer).rejects.toMatchObject({ code: "E-WAA-070", message: expect.stringContaining("0.02 s") })
  }
  // What hangs on other connections is in nobody's way, and has its own time, or ends with the process.
  const other = db.all("SELECT 1", [])
  other.catch(() => {})
  await expect(db.heartbeat("SELECT 1", [], 20)).rejects.toMatchObject({ code: "E-WAA-070" })
  expect(await Promise.race([other, "hangs"])).toBe("hangs")
  await db.close()
  await expect(other).rejects.toThrow("this process stops")
})

test("what the client needs and cannot use is said by its key, and why", async () => {
  using folder = temporaryFolder("away")
  const { files } = await waasInit(folder.at("w"), Date.now())
  const store = '[waas.store]\nurl = "postgres://waas@127.0.0.1:1/waas"\n'
  writeFileSync(join(files.dir, "open"), "hush", { mode: 0o644 })
  writeFileSync(join(files.dir, "spoilt.pem"), "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
  for (const [line, key, problem] of [
    ['password_file = "none"', "password_file", /no such file/],
    ['password_file = "open"', "password_file", /644/],
    ['ca_path = "none.pem"', "ca_path", /ENOENT/],
    ['ca_path = "waas.toml"', "ca_path", /no PEM certificate/],
    ['ca_path = "spoilt.pem"', "ca_path", /one of its certificates cannot be read/],
    ['cert_path = "none.pem"\nkey_path = "none.key"', "cert_path", /ENOENT/],
  ] as const) {
    writeFileSync(files.config, `${store}${line}\n`)
    const data = { key, problem: expect.stringMatching(problem) }
    await expect(waasKeyList(files.dir)).rejects.toMatchObject({ code: "E-WAA-073", data })
  }
})
