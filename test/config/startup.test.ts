import { afterAll, describe, expect, test } from "bun:test"
import { chmodSync, mkdirSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { checkConfig, readConfig } from "../../src/config/load.ts"
import { requireStartable, startProblems } from "../../src/config/startup.ts"
import { CosignerError } from "../../src/errors.ts"
import { temporaryFolder } from "../support/temporaryFolder.ts"

const folder = temporaryFolder("config").path
afterAll(() => rmSync(folder, { recursive: true, force: true }))

function file(name: string, mode = 0o600, content = "x"): string {
  const path = join(folder, name)
  writeFileSync(path, content)
  chmodSync(path, mode)
  return path
}

const KEY = "ab".repeat(32)
const WAAS = `[websocket]\nurl = "wss://waas.example.com/ws"\nwaas_public_key = "${KEY}"\n`
const SERVER = `[[callback.cb_server_v2]]\nservice_address = "http://127.0.0.1:1/v2/check"\npubkey_path = "${file("pub.pem", 0o644)}"\n`

const EVENTS = `[[event.server]]\nurl = "http://127.0.0.1:11030/v2/event"\n`

/** `E-CFG-006 websocket.ca_path` for each problem. */
const found = (source: string): readonly string[] =>
  startProblems(checkConfig(source, undefined).config).map((problem) => {
    const key = "key" in problem.data ? problem.data.key : ""
    return `${problem.code} ${key}`
  })

describe("a node starts", () => {
  test("with the address and the key of its WaaS", () => {
    expect(found(WAAS)).toEqual([])
  })
  test("in production with a callback server, with rules, or with the danger named", () => {
    expect(found(`env = "production"\n${WAAS}${SERVER}`)).toEqual([])
    expect(found(`env = "production"\n${WAAS}[embedded_risk_control_rules]\nenable = true`)).toEqual([])
    expect(found(`env = "production"\ndanger_allow_unguarded_signing = true\n${WAAS}`)).toEqual([])
  })
})

describe("a node does not start", () => {
  const bad: readonly (readonly [name: string, source: string, problem: string])[] = [
    ["without an address", WAAS.replace(/^url.*\n/m, ""), "E-CFG-008 websocket.url"],
    ["without the key of WaaS", WAAS.replace(/^waas.*\n/m, ""), "E-CFG-008 websocket.waas_public_key"],
    [
      "with half a client certificate",
      `${WAAS}client_cert_path = "${file("c.pem")}"`,
      "E-CFG-008 websocket.client_cert_path",
    ],
    ["with a file that is not there", `${WAAS}ca_path = "${folder}/none"`, "E-CFG-006 websocket.ca_path"],
    ["with a folder for a file", `${WAAS}ca_path = "${folder}"`, "E-CFG-006 websocket.ca_path"],
    [
      "with a private key that others may read",
      `${WAAS}client_cert_path = "${file("c2.pem")}"\nclient_key_path = "${file("c2.key", 0o640)}"`,
      "E-CFG-006 websocket.client_key_path",
    ],
    ["with a key file that others may read", `${WAAS}[db]\nkey_file = "${file("pw", 0o644)}"`, "E-CFG-006 db.key_file"],
    ["with one event server twice", `${WAAS}${EVENTS}${EVENTS}`, "E-RSK-205 "],
    [
      "without the key of a callback server",
      `${WAAS}${SERVER.replace("pub.pem", "no.pem")}`,
      "E-CFG-006 callback.cb_server_v2[0].pubkey_path",
    ],
    [
      "in production over ws://",
      `env = "production"\n${WAAS.replace("wss:", "ws:")}${SERVER}`,
      "E-CFG-005 websocket.url",
    ],
    ["in production unguarded", `env = "production"\n${WAAS}`, "E-CFG-005 callback, embedded_risk_control_rules"],
    [
      "in production with rules that are not enabled",
      `env = "production"\n${WAAS}[embedded_risk_control_rules.key_sign]\nreject_all = true`,
      "E-CFG-005 callback, embedded_risk_control_rules",
    ],
  ]
  for (const [name, source, problem] of bad) test(name, () => expect(found(source)).toEqual([problem]))

  test("with a password in a file that others may read", () => {
    const path = file("leaky.toml", 0o640, `${WAAS}proxy = "http://u:p@127.0.0.1:1"`)
    const selection = { config: path, db: undefined, keyFile: undefined, allowReadableKeyFile: false }
    expect(startProblems(readConfig(selection).config).map(({ code }) => code)).toEqual(["E-CFG-006"])
    chmodSync(path, 0o600)
    expect(startProblems(readConfig(selection).config)).toEqual([])
  })
  test("in production with rules that others may write", () => {
    const path = file("open.toml", 0o620, `env = "production"\n${WAAS}${SERVER}`)
    const selection = { config: path, db: undefined, keyFile: undefined, allowReadableKeyFile: false }
    expect(startProblems(readConfig(selection).config).map(({ code }) => code)).toEqual(["E-CFG-005"])
  })
  test("and the first problem is thrown", () => {
    expect(() => requireStartable(checkConfig("", undefined).config)).toThrow(CosignerError)
    expect(() => requireStartable(checkConfig(WAAS, undefined).config)).not.toThrow()
  })
})

test("a key file that others may read is accepted where that is said by name", () => {
  const source = `${WAAS}[db]\nallow_readable_key_file = true\nkey_file = "${file("pw644", 0o644)}"`
  expect(found(source)).toEqual([])
})

test("a schedule of backups needs a password that it can read", () => {
  const on = `${WAAS}[backup]\ninterval = "24h"\n`
  expect(found(on)).toEqual(["E-CFG-008 backup.password_file"])
  expect(found(`${on}password_file = "${file("bk600", 0o600)}"`)).toEqual([])
  expect(found(`${on}password_file = "${file("bk644", 0o644)}"`)).toEqual(["E-CFG-006 backup.password_file"])
})

describe("the file", () => {
  const none = { config: undefined, db: undefined, keyFile: undefined, allowReadableKeyFile: false }
  const codeOf = (path: string) => {
    try {
      readConfig({ ...none, config: path })
      return undefined
    } catch (error) {
      return error instanceof CosignerError ? error.code : String(error)
    }
  }
  test("that was named must be there, be a file, be text, and have an end", () => {
    mkdirSync(join(folder, "dir"))
    expect(codeOf(join(folder, "none.toml"))).toBe("E-CFG-001")
    expect(codeOf(join(folder, "dir"))).toBe("E-CFG-001")
    Bun.spawnSync(["mkfifo", join(folder, "pipe")])
    expect(codeOf(join(folder, "pipe"))).toBe("E-CFG-001")
    writeFileSync(join(folder, "latin1.toml"), Buffer.from([0x23, 0xe9, 0x0a]))
    expect(codeOf(join(folder, "latin1.toml"))).toBe("E-CFG-001")
    expect(codeOf(file("huge.toml", 0o600, `#${"x".repeat(5 * 1024 * 1024)}`))).toBe("E-CFG-001")
  })
  test("flags of the command line are laid on top", () => {
    const path = file("db.toml", 0o600, '[db]\npath = "a"')
    const { config } = readConfig({ config: path, db: "b", keyFile: "k", allowReadableKeyFile: true })
    expect(config.db).toEqual({ path: "b", key_file: "k", allow_readable_key_file: true })
    expect(config.source).toBe(path)
  })
})
