/** A configuration of the published format: read as it is, and made into ours without changing what it says. */
import { afterAll, describe, expect, test } from "bun:test"
import { existsSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { KindGuard, type TSchema } from "@sinclair/typebox"
import { stringify } from "yaml"
import { configSchema, PUBLISHED_FILE, RULES_TABLE } from "../../src/config/config.ts"
import { importYaml } from "../../src/config/importYaml.ts"
import { checkConfig } from "../../src/config/load.ts"
import { template } from "../../src/config/template.ts"
import { isCode } from "../../src/errors.ts"
import { parseToml } from "../../src/settings/toml.ts"
import { binary, cosigner } from "../support/binary.ts"
import { temporaryFolder } from "../support/temporaryFolder.ts"

const folder = temporaryFolder("import").path
afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** The sample of the published documentation, with its forms: flow style, keys without a value, empty texts. */
const SAMPLE = `env: production
db: {path: db/secrets.db, key_file: .password}
callback:
  cb_server_v2:
    - {service_address: "http://10.0.0.5:11020/v2/check", pubkey_path: configs/callback-server-pub.key}
  token_expire_minutes: 2
  retry_times: 60
  sleep_seconds: 15
  request_timeout: 10
  monitor_interval: 1m
event:
  server: [{url: "http://10.0.0.6:11030/v2/event", proxy: ""}]
  event_types: [request.keygen.succeeded, request.keysign.failed]
  proxy:
embedded_risk_control_rules:
  enable: true
  key_gen: {reject_all: false, allow_list: [{threshold: 2, node_ids: [a, b]}]}
  key_sign: {reject_all: false}
  key_reshare: {reject_all: true}
  key_share_sign: {reject_all: false}
log:
  std: {enable: true, level: info}
  file: {enable: true, level: debug, filename: logs/node.log, maxsize: 20, max_backups: 7}
metrics:
  job: tss-node
  instance: 0
  influxdb: {server_addr: "http://influx:8086", database: tss, username: u, password: 0123}
`

/** What the program sees, without where it was read. */
const settingsOf = (text: string, file: string) => {
  const { source: _, ...settings } = checkConfig(text, file).config
  return JSON.parse(JSON.stringify(settings))
}

describe("a YAML configuration", () => {
  test("is read as it is", () => {
    const { config } = checkConfig(SAMPLE, "node.yaml")
    expect(config).toMatchObject({
      env: "production",
      db: { path: "db/secrets.db", key_file: ".password" },
      callback: { retry_times: 60, monitor_interval: 60_000 },
      event: { server: [{ url: "http://10.0.0.6:11030/v2/event" }] },
      metrics: { influxdb: { password: "0123" } },
      embedded_risk_control_rules: { enable: true },
      source: "node.yaml",
    })
    expect(config.event.proxy).toBeUndefined()
    expect(config.event.server[0]?.proxy).toBeUndefined()
  })
  test("names file, line and key of what is wrong, an unknown key among it", () => {
    const bad = SAMPLE.replace("env: production", "env: prod").replace("retry_times: 60", "retry_time: 60")
    try {
      checkConfig(bad, "node.yaml")
      expect.unreachable()
    } catch (error) {
      if (!isCode(error, "E-CFG-003")) throw error
      expect(error.data.problems.map(({ where, key }) => `${where} ${key}`)).toEqual([
        "node.yaml:1 env",
        "node.yaml:7 callback.retry_time",
      ])
    }
  })
})

const dir = temporaryFolder("import")
afterAll(() => dir[Symbol.dispose]())
const abi = dir.at("router.json")
writeFileSync(abi, '[{"type":"function","name":"pause","inputs":[]}]')
/** As an operator would who takes every comment that is a key. */
const everyKey = parseToml(
  template()
    .replace(/^#(?=[[a-z"])/gm, "")
    .replace("abi/router.json", abi)
    // a bundle and the parts of a policy beside it exclude one another
    .replace(/^bundle = .*$/m, ""),
  "all.toml",
).tree

function keysOf(schema: TSchema, prefix = ""): readonly string[] {
  return Object.entries<TSchema>(schema["properties"] ?? {}).flatMap(([key, inner]) => {
    if (key === RULES_TABLE) return []
    if (KindGuard.IsObject(inner)) return keysOf(inner, `${prefix}${key}.`)
    if (KindGuard.IsArray(inner) && KindGuard.IsObject(inner.items)) return keysOf(inner.items, `${prefix}${key}[].`)
    return [`${prefix}${key}`]
  })
}

describe("an import", () => {
  test("of every key there is says what the YAML says", () => {
    const yaml = stringify(everyKey)
    const { toml, dropped } = importYaml(yaml, "node.yaml")
    expect(dropped).toEqual([])
    expect(settingsOf(toml, "a.toml")).toEqual(settingsOf(yaml, "node.yaml"))
    const written = new Set([...toml.matchAll(/^"?([\w/]+)"? = .* # node\.yaml:\d+$/gm)].map(([, key]) => key))
    const missing = keysOf(configSchema).filter(
      (key) => !written.has(key.split(".").at(-1)) && !key.endsWith("path_algorithms") && key !== "policy.bundle",
    )
    expect(missing).toEqual([])
  })
  test("of the sample says what the sample says, each value with its line", () => {
    const { toml, wanted } = importYaml(SAMPLE, "node.yaml")
    expect(settingsOf(toml, "a.toml")).toEqual(settingsOf(SAMPLE, "node.yaml"))
    expect(toml).toContain("retry_times = 60 # node.yaml:7\n")
    expect(toml).toContain('password = "0123" # node.yaml:27\n')
    expect(wanted.map((line) => line.split(":")[0])).toEqual([
      "websocket.url",
      "websocket.waas_public_key",
      "status.enable",
      "backup.interval",
      "checkup.interval",
    ])
  })
  test("names what has no counterpart, and refuses a rule that has none", () => {
    const more = `${SAMPLE}mysql: {dsn: x}\n`.replace("  influxdb: {", "  influxdb: {tls: true, ")
    const { dropped, toml } = importYaml(more, "node.yaml")
    expect(dropped).toEqual(["metrics.influxdb.tls (node.yaml:27)", "mysql (node.yaml:28)"])
    expect(toml).toContain("#   mysql (node.yaml:28)\n")
    expect(settingsOf(toml, "a.toml")).toEqual(settingsOf(SAMPLE, "node.yaml"))
    const rule = SAMPLE.replace("key_sign: {", "key_sign: {only_on_sundays: true, ")
    expect(() => importYaml(rule, "node.yaml")).toThrow(expect.objectContaining({ code: "E-CFG-003" }))
  })
  test("of a file whose name would end a comment writes no line of it", () => {
    expect(importYaml(SAMPLE, 'x\nenv = "sandbox"\n#.yaml').toml).not.toContain('\nenv = "sandbox"')
  })
})

describe("on the binary", () => {
  let folders = 0
  const place = (yaml: string): string => {
    const cwd = join(folder, `node${folders++}`)
    mkdirSync(join(cwd, "configs"), { recursive: true })
    writeFileSync(join(cwd, PUBLISHED_FILE), yaml, { mode: 0o600 })
    return cwd
  }
  test("the published file alone is the configuration; --config reads a YAML file too", async () => {
    expect(existsSync(binary)).toBe(true)
    const cwd = place("env: sandbox\n")
    expect((await cosigner(["config", "show"], { cwd })).stdout).toContain('env = "sandbox"')
    writeFileSync(join(cwd, "other.yml"), "env: production\n")
    expect((await cosigner(["config", "show", "-c", "other.yml"], { cwd })).stdout).toContain('env = "production"')
    const refused = await cosigner(["config", "init"], { cwd })
    expect([refused.exit, refused.stderr.includes("E-CFG-014")]).toEqual([2, true])
  })
  test("both files without --config are refused, with what to rename", async () => {
    const cwd = place("env: sandbox\n")
    writeFileSync(join(cwd, "configs", "cosigner.toml"), "")
    const { exit, stderr } = await cosigner(["config", "show"], { cwd })
    expect(exit).toBe(2)
    expect(stderr).toContain("E-CFG-013")
    expect(stderr).toContain("rename")
    expect((await cosigner(["config", "show", "-c", PUBLISHED_FILE], { cwd })).exit).toBe(0)
  })
  test("import writes our file, mode 600, and renames the other; a second time, or in the way of a file, nothing", async () => {
    const cwd = place(SAMPLE)
    const from = PUBLISHED_FILE
    const { exit, stdout } = await cosigner(["config", "import", from], { cwd })
    expect([exit, stdout.split("\n")[0]]).toEqual([0, `Wrote configs/cosigner.toml; ${from} is now ${from}.imported`])
    const path = join(cwd, "configs", "cosigner.toml")
    expect(statSync(path).mode & 0o777).toBe(0o600)
    expect(settingsOf(readFileSync(path, "utf8"), "a.toml")).toEqual(settingsOf(SAMPLE, "node.yaml"))
    expect([existsSync(join(cwd, from)), existsSync(join(cwd, `${from}.imported`))]).toEqual([false, true])
    writeFileSync(join(cwd, from), SAMPLE)
    const again = await cosigner(["config", "import", from, "--out", "other.toml"], { cwd })
    expect([again.exit, existsSync(join(cwd, "other.toml"))]).toEqual([2, false])
    rmSync(join(cwd, `${from}.imported`))
    const taken = await cosigner(["config", "import", from], { cwd })
    expect([taken.exit, existsSync(join(cwd, from))]).toEqual([2, true])
  })
  test("import of a file with a mistake writes nothing", async () => {
    const cwd = place(SAMPLE.replace("instance: 0", "instance: x"))
    const { exit, stderr } = await cosigner(["config", "import", PUBLISHED_FILE], { cwd })
    expect(exit).toBe(2)
    expect(stderr).toContain(`${PUBLISHED_FILE}:26: metrics.instance`)
    expect([existsSync(join(cwd, PUBLISHED_FILE)), existsSync(join(cwd, "configs/cosigner.toml"))]).toEqual([
      true,
      false,
    ])
  })
})
