/** What a running node says of an edit of its file: SIGHUP, readiness and `config show`, on the real binary. */
import { describe, expect, setDefaultTimeout, test } from "bun:test"
import { generateKeyPairSync } from "node:crypto"
import { existsSync, statSync, writeFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { CosignerError } from "../../src/errors.ts"
import { cosigner } from "../support/binary.ts"
import { makeNode } from "../support/nodeProcess.ts"

setDefaultTimeout(60_000)

const STATUS = '[status]\nenable = true\nlisten = "unix:status.sock"\n'
const SERVER =
  '[[callback.cb_server_v2]]\nservice_address = "http://127.0.0.1:9/v2/check"\npubkey_path = "risk-pub.key"\n'

describe("a callback server that is added to the file of a running node", () => {
  test("is named at SIGHUP, in readiness and by `config show` as not in force, until a restart", async () => {
    using node = await makeNode()
    const { publicKey } = generateKeyPairSync("rsa", { modulusLength: 2048 })
    writeFileSync(join(node.dir, "risk-pub.key"), publicKey.export({ type: "spki", format: "pem" }))
    const show = async () => {
      const { stdout } = await cosigner(["config", "show", "--json"], { cwd: node.dir })
      return JSON.parse(stdout)
    }
    const item = async () => {
      const answer = await fetch("http://node/readyz", { unix: join(node.dir, "status.sock") })
      const { items } = JSON.parse(await answer.text())
      return items.find(({ name }: { name: string }) => name === "configuration")
    }
    node.configure(STATUS)
    expect((await show()).running).toBeUndefined()
    {
      await using it = node.start()
      await it.line(/Callback Servers:/)
      await it.line(/\|__ none/)
      await it.line(/msg="?running/)
      expect((await show()).running.differs).toEqual([
        { key: "db.key_file", running: '".password"', flag: "--key-file" },
      ])
      const doctor = async () => {
        const { stdout } = await cosigner(["doctor", "--json", "--offline", "--closed"], { cwd: node.dir })
        const { sections } = JSON.parse(stdout)
        const findings = sections.flatMap(({ findings }: { findings: unknown[] }) => findings)
        return findings.find(({ check }: { check: string }) => check === "node.configuration")
      }
      expect((await doctor()).level).toBe("ok")

      node.configure(`${STATUS}${SERVER}[log.std]\nlevel = "debug"\n`)
      it.signal("SIGHUP")
      const warned = await it.line(/level=warn.*not in force/)
      expect(warned).toContain("callback.cb_server_v2[0].service_address")
      expect(warned).toContain("E-CFG-012")
      expect(warned).not.toContain("log.std.level")
      while ((await item()).code === "") await Bun.sleep(100)
      expect(await item()).toMatchObject({ state: "ok", code: "E-CFG-012" })
      const { running } = await show()
      expect(running.pid).toBe(it.pid)
      expect(running.differs).toContainEqual({
        key: "callback.cb_server_v2[0].service_address",
        file: '"http://127.0.0.1:9/v2/check"',
      })
      expect(await doctor()).toMatchObject({ level: "warning", code: "E-CFG-012" })
      const { stdout } = await cosigner(["status", "--json"], { cwd: node.dir })
      expect(JSON.parse(stdout).risk.callback_servers).toEqual([])
      const people = await cosigner(["config", "show"], { cwd: node.dir })
      expect(people.stdout).toContain("# callback.cb_server_v2[0].service_address: running none, file")
      it.signal("SIGTERM")
      expect((await it.ended).exit).toBe(0)
    }
    expect(existsSync(join(node.dir, "db", "secrets.db.in-force.json"))).toBe(false)
    await using again = node.start()
    await again.line(/\|__ http:\/\/127.0.0.1:9\/v2\/check \(version 2\)/)
    await again.line(/msg="?running/)
    expect((await show()).running.differs).toHaveLength(1)
  })
})

test("the start log says the build mode that `version` says, and the environment by its own name", async () => {
  using node = await makeNode()
  node.configure('env = "sandbox"\n')
  const { stdout } = await cosigner(["version"], { cwd: node.dir })
  const mode = /^Build mode: \w+$/m.exec(stdout)?.[0] ?? "none"
  await using it = node.start()
  expect(await it.line(/Build mode/)).toContain(mode)
  expect(await it.line(/Environment/)).toContain("Environment: sandbox")
})

test("what E-STA-007 says to write is a status port that opens, in a folder for its owner alone", async () => {
  using node = await makeNode()
  const { next } = new CosignerError("E-STA-007", { listen: "127.0.0.1:11040" })
  const [line = "", path = ""] = /status\.(listen = "unix:[^"]+")/.exec(next)?.[1]?.match(/listen = "unix:(.*)"/) ?? []
  node.configure(`[status]\nenable = true\n${line}\n`)
  await using it = node.start()
  await it.line(/status port open/)
  await it.line(/msg="?running/)
  expect(statSync(join(node.dir, dirname(path))).mode & 0o777).toBe(0o700)
  // there, and not ready: no WaaS is
  expect((await cosigner(["status", "--json"], { cwd: node.dir })).exit).toBe(1)
})

test("a status port that is taken ends the start, and nothing is said to go on", async () => {
  using taken = Bun.serve({ port: 0, hostname: "127.0.0.1", fetch: () => new Response("") })
  using node = await makeNode()
  node.configure(`[status]\nenable = true\nlisten = "127.0.0.1:${taken.port}"\n`)
  await using it = node.start()
  const { exit, text } = await it.ended
  expect(exit).toBe(2)
  expect(text).toContain("E-STA-001")
  expect(text).not.toContain("E-STA-017")
  expect(text).not.toContain("goes on")
})
