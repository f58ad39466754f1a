/** Doctor on the real binary, beside a real WaaS: everything well, then one thing wrong at a time. */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test"
import { createHash } from "node:crypto"
import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from "node:fs"
import { join } from "node:path"
import { startActor } from "../../src/kit/demo/processes.ts"
import { type TestDeployment, testDeployment } from "../e2e/deployment.ts"
import { binary, cosigner } from "../support/binary.ts"

setDefaultTimeout(60_000)

const CANARY = "canary-7f3a-of-influx"
const INFLUX = `[metrics.influxdb]
server_addr = "http://127.0.0.1:9"
database = "d"
username = "u"
password = "${CANARY}"`

interface Found {
  readonly check: string
  readonly level: string
  readonly text: string
  readonly code?: string
  readonly next?: string
}
interface Report {
  readonly exit: number | null
  readonly all: readonly Found[]
  readonly text: string
  of(check: string): readonly Found[]
  /** The codes of a check's findings. */
  codes(check: string): readonly string[]
}

let deployment: TestDeployment
let dir = ""
let config = ""
/** The configuration of a node that is well. */
let well = ""

async function doctor(args: readonly string[] = [], env: Readonly<Record<string, string>> = {}): Promise<Report> {
  const { exit, stdout, stderr } = await cosigner(["doctor", "--json", ...args], { cwd: dir, env })
  const report: { sections: readonly { findings: readonly Found[] }[]; exit: number } = JSON.parse(stdout)
  expect(report.exit).toBe(exit ?? -1)
  const all = report.sections.flatMap(({ findings }) => findings)
  const of = (check: string) => all.filter((found) => found.check === check)
  // whatever is wrong has a code and a next step, whatever is not has none
  for (const { level, code, next } of all) {
    expect([code !== undefined, next !== undefined]).toEqual(Array(2).fill(level === "warning" || level === "failure"))
  }
  return { exit, all, of, text: stdout + stderr, codes: (check) => of(check).flatMap(({ code }) => code ?? []) }
}

const KEY = ["--key-file", ".password"]
const OFFLINE = [...KEY, "--offline"]
const configure = (toml: string): void => writeFileSync(config, toml, { mode: 0o600 })
/** Runs with another configuration, and puts the right one back. */
async function configured<T>(toml: string, run: () => Promise<T>): Promise<T> {
  configure(toml)
  try {
    return await run()
  } finally {
    configure(well)
  }
}

beforeAll(async () => {
  deployment = await testDeployment(1, () => INFLUX)
  dir = deployment.deployment.nodes[0]?.dir ?? ""
  config = join(dir, "configs", "cosigner.toml")
  well = readFileSync(config, "utf8")
  writeFileSync(join(dir, "backups", "fresh"), "x", { mode: 0o600 })
})
afterAll(() => deployment[Symbol.asyncDispose]())

/** Every file below the node's folder with its bytes. */
const contents = (): readonly string[] =>
  readdirSync(dir, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && !entry.name.includes(".lock"))
    .map(({ parentPath, name }) => {
      const hash = createHash("sha256").update(readFileSync(join(parentPath, name)))
      return `${join(parentPath, name)} ${hash.digest("hex")}`
    })
    .sort()

const DEAD = "ws://127.0.0.1:1/ws"
/** The right address, and another one where nobody listens. */
const withDead = (isFirst: boolean): string => {
  const [, url = ""] = /^url = "([^"]+)"$/m.exec(well) ?? []
  const [one, other] = isFirst ? [DEAD, url] : [url, DEAD]
  return well.replace(`url = "${url}"`, `url = "${one}"\nurls = ["${other}"]`)
}

describe("several replicas of WaaS", () => {
  test("each address is tried; while one is good another one is a warning, and without any a failure", async () => {
    for (const isFirst of [true, false]) {
      const report = await configured(withDead(isFirst), () => doctor(["--closed"]))
      const [dead, good] = ["failed", "accepts connections"].map((text) =>
        report.of("waas.connection").find((found) => found.text.includes(text)),
      )
      expect(dead).toMatchObject({ level: "warning", code: "E-LNK-001" })
      expect(dead?.text).toContain(DEAD)
      expect(good?.text).toMatch(/^ws:\/\/127\.0\.0\.1:\d+\/ws: 127\.0\.0\.1:\d+ accepts connections$/)
      expect(good?.level).toBe("ok")
      expect(report.of("waas.handshake").map(({ level }) => level)).toEqual(["ok"])
    }
    // WaaS does not let this node in: then no replica is good
    const none = await configured(withDead(false), () => doctor(KEY))
    expect(none.of("waas.connection").map(({ level }) => level)).toEqual(["ok", "failure"])
    expect(none.codes("waas.admission")).toEqual(["E-LNK-005"])
  })
  test("a node that runs shows each, in its status, its measurements and to doctor", async () => {
    const shown = '\n[status]\nenable = true\nlisten = "unix:status.sock"\n'
    await configured(`${withDead(false)}${shown}`, async () => {
      const actor = startActor({ words: [binary] }, "node", ["start", ...KEY], dir, join(dir, "node.log"))
      try {
        await actor.line((text) => text.includes("not bound to any app"), 20_000)
        const refused = /^replica ws:\/\/127\.0\.0\.1:\d+\/ws: .*E-LNK-005 .*$/m
        const away = /^replica ws:\/\/127\.0\.0\.1:1\/ws: .*E-LNK-001 .*$/m
        // what the port says is up to a second old
        for (let text = ""; !refused.test(text) || !away.test(text); ) {
          text = (await cosigner(["status"], { cwd: dir })).stdout
        }
        const metrics = await (await fetch("http://node/metrics", { unix: join(dir, "status.sock") })).text()
        expect(metrics).toContain(`cosigner_replica_up{url="${DEAD}"} 0`)
        const json: unknown = JSON.parse((await cosigner(["status", "--json"], { cwd: dir })).stdout)
        expect(json).toMatchObject({
          link: { replicas: [{ rtt_ms: expect.any(Number) }, { url: DEAD, rtt_ms: null }] },
        })
        const { text } = await doctor(["--closed"])
        for (const code of ["E-LNK-001", "E-LNK-005"]) expect(text).toContain(`"code":"${code}"`)
      } finally {
        await actor.end("SIGTERM")
      }
    })
  })
})

describe("a node that is well", () => {
  test("is told so, check by check, and nothing is changed or shown", async () => {
    const before = contents()
    const report = await doctor(KEY)
    // the demo's nodes sign unguarded, and that is never told as all well
    const expected = [...(process.getuid?.() === 0 ? ["machine.user"] : []), "config.danger", "waas.admission"]
    const wrong = report.all.filter(({ level }) => level === "warning" || level === "failure")
    expect(wrong.map(({ check }) => check).filter((check) => check !== "machine.hardening")).toEqual(expected)
    for (const check of ["program.lockdown", "program.interpreter", "program.environment", "store.integrity"]) {
      expect({ check, level: report.of(check)[0]?.level }).toEqual({ check, level: "ok" })
    }
    expect(report.of("store.integrity")[0]?.text).toMatch(/^[1-9]\d* records, all whole$/)
    expect(report.of("waas.handshake")[0]?.text).toContain("proved the pinned key")
    // no group names this node yet: WaaS proves itself, and does not let it in
    expect(report.codes("waas.admission")).toEqual(["E-LNK-005"])
    expect((await doctor(["--closed"])).of("waas.admission")[0]?.level).toBe("skipped")
    expect(report.of("waas.clock")[0]?.text).toMatch(/WaaS is \d+ ms (?:behind|ahead of) this machine/)
    expect(contents()).toEqual(before)
    expect(report.text).not.toContain(CANARY)
    expect(report.text).not.toContain(readFileSync(join(dir, ".password"), "utf8"))
  })
  test("in text: a line for each check, sections, a sum", async () => {
    const { exit, stdout } = await cosigner(["doctor", ...OFFLINE], { cwd: dir })
    expect([0, 1]).toContain(exit ?? -1)
    expect(stdout).toMatch(/^program\n {2}ok {8}program\.version/)
    expect(stdout).toMatch(/\n\d+ ok, \d+ warnings, 0 failures, \d+ skipped\n$/)
  })
  test("may be looked at without a password and without a network", async () => {
    const report = await doctor(["--closed", "--offline"])
    expect(report.of("store.integrity")[0]?.level).toBe("skipped")
    expect(report.all.some(({ check }) => check.startsWith("waas."))).toBe(false)
    // nobody to ask: skipped, and no failure
    expect((await doctor(["--offline"])).of("store.integrity")[0]?.level).toBe("skipped")
  })
  test("and runs: its hardening is read where the kernel keeps it", async () => {
    expect((await doctor(OFFLINE)).of("node.hardening")[0]?.level).toBe("skipped")
    const actor = startActor({ words: [binary] }, "node", ["start", ...KEY], dir, join(dir, "node.log"))
    try {
      // a node that its WaaS does not know yet runs all the same
      await actor.line((text) => text.includes("not bound to any app"), 20_000)
      const [found] = (await doctor(OFFLINE)).of("node.hardening")
      expect(found).toMatchObject({ level: "ok" })
      expect(found?.text).toContain(String(actor.pid))
    } finally {
      await actor.end("SIGTERM")
    }
  })
})

describe("what is wrong is found:", () => {
  const wrongKey = () => well.replace(/waas_public_key = "[0-9a-f]+"/, `waas_public_key = "58${"66".repeat(31)}"`)

  test("a configuration that cannot be read", async () => {
    const report = await configured("env = 3", () => doctor(OFFLINE))
    expect(report.exit).toBe(2)
    expect(report.codes("config.read")).toEqual(["E-CFG-003"])
  })
  test("one that a node does not start with, one that takes a protection away, rules that contradict themselves", async () => {
    const toml = [
      'env = "production"',
      "danger_allow_unhardened_process = true",
      well.replace('env = "development"', ""),
      "[embedded_risk_control_rules]\nenable = true\n[embedded_risk_control_rules.key_gen]\nreject_all = false\nallow_list = []",
    ]
    const report = await configured(toml.join("\n"), () => doctor(OFFLINE))
    expect(report.exit).toBe(2)
    expect(report.codes("config.start")).toContain("E-CFG-005")
    expect(report.codes("config.danger")).toEqual(["E-OPS-117", "E-OPS-117"])
    expect(report.codes("config.rules")).toContain("E-OPS-116")
  })
  test("a server that has another key than the pinned one", async () => {
    const report = await configured(wrongKey(), () => doctor(KEY))
    expect(report.codes("waas.handshake")).toEqual(["E-LNK-004"])
    expect(report.exit).toBe(2)
    // The operator may have decided on that server's key, which only the database knows.
    const closed = await configured(wrongKey(), () => doctor(["--closed"]))
    expect(closed.of("waas.handshake")).toMatchObject([{ level: "warning", code: "E-LNK-004" }])
    expect(closed.of("waas.key")[0]?.text).toContain("not known here")
  })
  test("a file that names a key which is not trusted any more: WaaS proves the one that is", async () => {
    const trusted = /waas_public_key = "([0-9a-f]+)"/.exec(well)?.[1] ?? ""
    const report = await configured(wrongKey(), async () => {
      expect((await cosigner(["trust-waas", trusted, ...KEY], { cwd: dir })).exit).toBe(0)
      return doctor(KEY)
    })
    expect(report.codes("waas.key")).toEqual(["E-LNK-024"])
    expect(report.of("waas.handshake")[0]?.level).toBe("ok")
  })
  test("a port where nobody listens, a name that does not exist", async () => {
    const shut = await configured(well.replace(/url = "[^"]+"/, 'url = "ws://127.0.0.1:9/ws"'), () => doctor(KEY))
    expect(shut.codes("waas.connection")).toEqual(["E-LNK-001"])
    const nameless = await configured(well.replace(/url = "[^"]+"/, 'url = "ws://nowhere.invalid/ws"'), () =>
      doctor(KEY),
    )
    expect(nameless.codes("waas.name")).toEqual(["E-OPS-109"])
    expect(nameless.of("waas.connection")).toEqual([])
  })
  test("a proxy that is not there", async () => {
    const toml = well.replace("[websocket]", '[websocket]\nproxy = "http://user:hunter2@127.0.0.1:9"')
    const report = await configured(toml, () => doctor(KEY))
    expect(report.codes("waas.connection")).toEqual(["E-LNK-001"])
    expect(report.of("waas.connection")[0]?.text).toContain("the proxy")
    expect(report.text).not.toContain("hunter2")
  })
  test("files and folders that others may use", async () => {
    chmodSync(join(dir, "db"), 0o755)
    chmodSync(join(dir, "db", "secrets.db"), 0o640)
    chmodSync(config, 0o644)
    const report = await doctor(OFFLINE)
    expect(report.of("files.database").map(({ level, code }) => [level, code])).toEqual([
      ["failure", "E-OPS-105"],
      ["failure", "E-OPS-105"],
    ])
    expect(report.of("files.configuration")[0]).toMatchObject({ level: "warning", code: "E-OPS-105" })
    chmodSync(config, 0o620)
    expect((await doctor(OFFLINE)).of("files.configuration")[0]).toMatchObject({ level: "failure" })
    chmodSync(config, 0o600)
    chmodSync(join(dir, "db"), 0o700)
    chmodSync(join(dir, "db", "secrets.db"), 0o600)
  })
  test("a key file that others may read, and a wrong password", async () => {
    copyFileSync(join(dir, ".password"), join(dir, "open"))
    chmodSync(join(dir, "open"), 0o644)
    const open = await doctor(["--key-file", "open", "--offline"])
    expect(open.codes("files.key")).toEqual(["E-CLI-007"])
    writeFileSync(join(dir, "other"), "another password of enough length", { mode: 0o600 })
    expect((await doctor(["--key-file", "other", "--offline"])).codes("store.integrity")).toEqual(["E-STO-004"])
    rmSync(join(dir, "open"))
    rmSync(join(dir, "other"))
  })
  test("a damaged database", async () => {
    const db = join(dir, "db", "secrets.db")
    copyFileSync(db, join(dir, "kept"))
    const bytes = readFileSync(db)
    // near the end of each page, where its rows begin
    for (let at = 4096 - 40; at < bytes.length; at += 4096) bytes[at] = (bytes[at] ?? 0) ^ 1
    writeFileSync(db, bytes)
    const report = await doctor(OFFLINE)
    renameSync(join(dir, "kept"), db)
    expect(report.exit).toBe(2)
    expect(report.codes("store.integrity")[0]).toMatch(/^E-STO-/)
  })
  test("no backup, and an old one", async () => {
    const fresh = join(dir, "backups", "fresh")
    const days = (n: number) => new Date(Date.now() - n * 86_400_000)
    utimesSync(fresh, days(6), days(6))
    expect((await doctor(OFFLINE)).of("backup.age")[0]?.level).toBe("ok")
    utimesSync(fresh, days(8), days(8))
    expect((await doctor(OFFLINE)).codes("backup.age")).toEqual(["E-OPS-114"])
    rmSync(fresh)
    expect((await doctor(OFFLINE)).codes("backup.age")).toEqual(["E-OPS-113"])
    mkdirSync(join(dir, "backups", "20261122-120000"))
    writeFileSync(join(dir, "backups", "20261122-120000", "secrets.db"), "x")
    expect((await doctor(OFFLINE)).of("backup.age")[0]?.level).toBe("ok")
  })
  test("a variable that brings code in", async () => {
    const report = await doctor(["--closed", "--offline"], { BUN_JSC_useFTLJIT: "1" })
    expect(report.codes("program.environment")).toEqual(["E-OPS-006"])
    expect(report.exit).toBe(2)
  })
})

describe("the customer's servers", () => {
  const withServers = (callback: string, event: string) =>
    [
      well,
      `[[callback.cb_server_v2]]\nservice_address = "${callback}/v2/check"\npubkey_path = "configs/callback-server-pub.key"`,
      `[event]\nevent_types = ["request.keysign.succeeded"]\n[[event.server]]\nurl = "${event}/v2/event"`,
    ].join("\n")

  beforeAll(async () => {
    expect((await cosigner(["callback-server", "init"], { cwd: dir })).exit).toBe(0)
    expect((await cosigner(["event", "key", "create", ...KEY], { cwd: dir })).exit).toBe(0)
    const { stdout } = await cosigner(["info", "--json", ...KEY], { cwd: dir })
    writeFileSync(join(dir, "configs", "node-callback-pub.key"), JSON.parse(stdout).callback_public_key)
  })

  test("are pinged under the node's own keys", async () => {
    const file = join(dir, "configs", "callback-server.toml")
    writeFileSync(file, readFileSync(file, "utf8").replace(/^#?\s*port = \d+/m, "port = 0"))
    const args = ["callback-server", "-c", "configs/callback-server.toml"]
    const actor = startActor({ words: [binary] }, "callback", args, dir, join(dir, "callback.log"))
    using events = Bun.serve({ port: 0, hostname: "127.0.0.1", fetch: () => new Response("ok") })
    try {
      const line = await actor.line((text) => text.startsWith("Listening on "), 20_000)
      const url = line.slice("Listening on ".length, line.indexOf("/v2/"))
      const toml = withServers(url, events.url.origin)
      const report = await configured(toml, () => doctor(KEY))
      expect(report.of("callback.ping")).toEqual([
        { check: "callback.ping", level: "ok", text: `${url}/v2/check answers` },
      ])
      expect(report.of("event.ping")[0]?.level).toBe("ok")
      const closed = await configured(toml, () => doctor(["--closed"]))
      expect([closed.of("callback.ping")[0]?.level, closed.of("event.ping")[0]?.level]).toEqual(["skipped", "skipped"])
    } finally {
      await actor.end("SIGTERM")
    }
  })
  test("that are down are told of: a failure where tasks wait for them, else a warning", async () => {
    using events = Bun.serve({ port: 0, hostname: "127.0.0.1", fetch: () => new Response("no", { status: 500 }) })
    const toml = withServers("http://127.0.0.1:9", events.url.origin)
    const report = await configured(toml, () => doctor(KEY))
    expect(report.of("callback.ping")[0]).toMatchObject({ level: "failure", code: "E-RSK-110" })
    expect(report.of("event.ping")[0]).toMatchObject({ level: "warning", code: "E-RSK-210" })
  })
})
