/** A shared store that is not there: commands and a start end soon, with what, where and what to do, and never fall back to a file. */
import { expect, test } from "bun:test"
import { writeFileSync } from "node:fs"
import { silentLog } from "../../../src/log.ts"
import { readConfig } from "../../../src/waas/config.ts"
import { waasInit, waasKeyList } from "../../../src/waas/keys.ts"
import { startWaas } from "../../../src/waas/server.ts"
import { freePort } from "../../support/freePort.ts"
import { temporaryFolder } from "../../support/temporaryFolder.ts"

test("a start and a command say that the database is away", async () => {
  using folder = temporaryFolder("away")
  const { files } = await waasInit(folder.at("w"), Date.now())
  const url = `postgres://waas:hush@127.0.0.1:${freePort()}/waas`
  writeFileSync(files.config, `[waas.store]\nurl = "${url}"\n`)
  const away = { code: "E-WAA-070", message: expect.not.stringContaining("hush") }
  await expect(startWaas(readConfig(files), files, silentLog, new AbortController().signal)).rejects.toMatchObject(away)
  await expect(waasKeyList(files.dir)).rejects.toMatchObject(away)
})

test("what the client needs and is not there is said by its key", async () => {
  using folder = temporaryFolder("away")
  const { files } = await waasInit(folder.at("w"), Date.now())
  const store = '[waas.store]\nurl = "postgres://waas@127.0.0.1:1/waas"\n'
  writeFileSync(folder.at("w/no.pem"), "no certificate\n")
  for (const [line, key, problem] of [
    ['password_file = "none"', "password_file", "there is no such file"],
    ['ca_path = "none.pem"', "ca_path", "ENOENT"],
    ['ca_path = "no.pem"', "ca_path", "there is no PEM certificate in it"],
    ['cert_path = "none.pem"\nkey_path = "none.key"', "cert_path", "ENOENT"],
  ] as const) {
    writeFileSync(files.config, `${store}${line}\n`)
    await expect(waasKeyList(files.dir)).rejects.toMatchObject({ code: "E-WAA-073", data: { key, problem } })
  }
})
