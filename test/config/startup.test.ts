/** What `start` refuses and `config check` names: one code path, so each case here is both. */
import { afterAll, describe, expect, test } from "bun:test"
import { generateKeyPairSync, type KeyObject } from "node:crypto"
import { chmodSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { anchorProblems } from "../../src/config/anchors.ts"
import { checkConfig, readConfig } from "../../src/config/load.ts"
import { checkStart, requireStartable } from "../../src/config/startup.ts"
import { CosignerError } from "../../src/errors.ts"
import { makeCertificates } from "../link/certificates.ts"
import { temporaryFolder } from "../support/temporaryFolder.ts"

const folder = temporaryFolder("config").path
afterAll(() => rmSync(folder, { recursive: true, force: true }))

function file(name: string, mode = 0o600, content = "x"): string {
  const path = join(folder, name)
  writeFileSync(path, content)
  chmodSync(path, mode)
  return path
}

const KEY = `58${"66".repeat(31)}`
const GUARDED = "[embedded_risk_control_rules]\nenable = true\n"
const LINK = `[websocket]\nurl = "wss://waas.example.com/ws"\nwaas_public_key = "${KEY}"\n`
const WAAS = `danger_allow_unguarded_signing = true\n${LINK}`

const rsa = (modulusLength: number) => generateKeyPairSync("rsa", { modulusLength })
const good = rsa(2048)
const spki = (key: KeyObject): string => key.export({ type: "spki", format: "pem" }).toString()
const PUB = file("pub.pem", 0o644, spki(good.publicKey))
const server = (pubkey: string, address = "https://risk.example/v2/check"): string =>
  `[[callback.cb_server_v2]]\nservice_address = "${address}"\npubkey_path = "${pubkey}"\n`
const EVENTS = `[[event.server]]\nurl = "http://127.0.0.1:11030/v2/event"\n`
const certificates = makeCertificates()

/** `E-CFG-006 websocket.ca_path` for each problem. */
const named = (problems: readonly CosignerError[]): readonly string[] =>
  problems.map((problem) => `${problem.code} ${"key" in problem.data ? problem.data.key : ""}`.trim())
const found = (source: string): readonly string[] => named(checkStart(checkConfig(source, undefined).config).problems)
const warned = (source: string): readonly string[] => named(checkStart(checkConfig(source, undefined).config).warnings)

describe("a node starts", () => {
  test("with the address and the key of its WaaS, and something that guards it", () => {
    expect(found(`${LINK}${GUARDED}`)).toEqual([])
    expect(found(`${LINK}${server(PUB)}`)).toEqual([])
  })
  test("in production with a status port that asks for a token, on a socket, or on none", () => {
    const port = (lines: string) => found(`env = "production"\n${WAAS}[status]\n${lines}`)
    expect(port(`enable = true\ntoken_path = "${file("token", 0o600, "0123456789abcdef")}"`)).toEqual([])
    expect(port('enable = true\nlisten = "unix:run/status.sock"')).toEqual([])
    expect(port("enable = false")).toEqual([])
  })
  test("in production just so", () => {
    expect(found(`env = "production"\n${LINK}${server(PUB)}`)).toEqual([])
    expect(found(`env = "production"\n${LINK}${GUARDED}`)).toEqual([])
    expect(found(`env = "production"\n${WAAS}`)).toEqual([])
  })
  test("with everything loaded that it takes from files", () => {
    const token = file("token", 0o600, "0123456789abcdef0123\n")
    const source = `${LINK}${server(PUB)}${EVENTS}[status]\nenable = true\ntoken_path = "${token}"`
    using startable = requireStartable(checkConfig(source, undefined).config)
    expect(startable.callback.servers.map(({ address, version }) => [address, version])).toEqual([
      ["https://risk.example/v2/check", 2],
    ])
    expect(startable.event.servers).toHaveLength(1)
    expect(startable.port?.token).toHaveLength(32)
    expect(startable.link.url).toBe("wss://waas.example.com/ws")
  })
})

describe("a node does not start", () => {
  for (const env of ["development", "sandbox", "production"]) {
    test(`with neither rules nor a callback server, in ${env}`, () => {
      expect(found(`env = "${env}"\n${LINK}`)).toEqual(["E-CFG-010"])
      const notEnabled = `${LINK}[embedded_risk_control_rules.key_sign]\nreject_all = true`
      expect(found(`env = "${env}"\n${notEnabled}`)).toEqual(["E-CFG-010"])
    })
  }

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
    ["with a CA that holds no certificate", `${WAAS}ca_path = "${file("ca.txt")}"`, "E-LNK-012 websocket.ca_path"],
    [
      "with a CA of callback servers that holds no certificate",
      `${LINK}[callback]\nca_path = "${file("ca2.txt")}"\n${server(PUB)}`,
      "E-LNK-012 callback.ca_path",
    ],
    [
      "with a CA of event servers that is not there",
      `${WAAS}[event]\nca_path = "${folder}/none"\n`,
      "E-CFG-006 event.ca_path",
    ],
    ["with a key file that others may read", `${WAAS}[db]\nkey_file = "${file("pw", 0o644)}"`, "E-CLI-007"],
    ["with an empty key file", `${WAAS}[db]\nkey_file = "${file("empty", 0o600, "")}"`, "E-CLI-007"],
    ["with one event server twice", `${WAAS}${EVENTS}${EVENTS}`, "E-RSK-205"],
    ["with half of InfluxDB", `${WAAS}[metrics.influxdb]\nserver_addr = "http://127.0.0.1:8086"`, "E-STA-021"],
    ["with a status port for everybody", `${WAAS}[status]\nenable = true\nlisten = "0.0.0.0:1"`, "E-STA-002"],
    [
      "with a token that is too short",
      `${WAAS}[status]\nenable = true\ntoken_path = "${file("short", 0o600, "abc")}"`,
      "E-STA-003",
    ],
    [
      "without the key of a callback server",
      `${LINK}${server(join(folder, "none.pem"))}`,
      "E-CFG-006 callback.cb_server_v2[0].pubkey_path",
    ],
    [
      "in production with a status port for every user of the machine",
      `env = "production"\n${WAAS}[status]\nenable = true\n`,
      "E-STA-007",
    ],
    ["in production over ws://", `env = "production"\n${WAAS.replace("wss:", "ws:")}`, "E-CFG-005 websocket.url"],
    [
      "with an empty list of groups, which rejects every signature",
      `${LINK}${GUARDED}[embedded_risk_control_rules.key_sign]\nreject_all = false\nallowed_groups = []`,
      "E-OPS-116",
    ],
    [
      "with an empty allow list, which rejects every new key",
      `${LINK}${GUARDED}[embedded_risk_control_rules.key_gen]\nreject_all = false\nallow_list = []`,
      "E-OPS-116",
    ],
  ]
  for (const [name, source, problem] of bad) test(name, () => expect(found(source)).toEqual([problem]))

  const keys: readonly (readonly [name: string, pem: string])[] = [
    ["PKCS#1", good.publicKey.export({ type: "pkcs1", format: "pem" }).toString()],
    ["a private key", good.privateKey.export({ type: "pkcs8", format: "pem" }).toString()],
    ["a certificate", certificates?.server.cert ?? "-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----\n"],
    ["an elliptic curve key", spki(generateKeyPairSync("ec", { namedCurve: "P-256" }).publicKey)],
    ["of 1024 bits", spki(rsa(1024).publicKey)],
    ["empty", ""],
  ]
  for (const [name, pem] of keys) {
    test(`with a callback key that is ${name}`, () => {
      expect(found(`${LINK}${server(file(`${name}.pem`, 0o644, pem))}`)).toEqual(["E-RSK-131"])
    })
  }
  test("with several problems, all of them are named, and the first is thrown", () => {
    const source = `${LINK}ca_path = "${folder}/none"\n${server(file("k1", 0o644))}${server(file("k2", 0o644), "https://b/")}`
    expect(found(source)).toEqual(["E-CFG-006 websocket.ca_path", "E-RSK-131", "E-RSK-131"])
    expect(() => requireStartable(checkConfig("", undefined).config)).toThrow(CosignerError)
  })
  test("with a password in a file that others may read", () => {
    const path = file("leaky.toml", 0o640, `${WAAS}proxy = "http://u:p@127.0.0.1:1"`)
    expect(checkStart(readConfig({ ...none, config: path }).config).problems.map(({ code }) => code)).toEqual([
      "E-CFG-006",
    ])
    chmodSync(path, 0o600)
    expect(checkStart(readConfig({ ...none, config: path }).config).problems).toEqual([])
  })
})

const none = { config: undefined, db: undefined, keyFile: undefined, allowReadableKeyFile: false }

describe("where TLS has certificates to be tried with", () => {
  const { ca, client, stranger } = certificates ?? {
    ca: "",
    client: { cert: "", key: "" },
    stranger: { cert: "", key: "" },
  }
  const withClient = (key: string, mode: number): string =>
    `${WAAS}client_cert_path = "${file("cert.pem", 0o644, client.cert)}"\nclient_key_path = "${file("key.pem", mode, key)}"`

  test.skipIf(certificates === undefined)("a CA with a byte order mark is read like one without", () => {
    const source = `${WAAS}ca_path = "${file("bom.pem", 0o644, `\ufeff${ca}`)}"`
    expect(found(source)).toEqual([])
    using startable = requireStartable(checkConfig(source, undefined).config)
    expect(startable.link.ca).toStartWith("-----BEGIN CERTIFICATE-----\n")
  })
  test.skipIf(certificates === undefined)("a client's key is its certificate's, and for this user alone", () => {
    expect(found(withClient(client.key, 0o600))).toEqual([])
    expect(found(withClient(client.key, 0o640))).toEqual(["E-CFG-006 websocket.client_key_path"])
    expect(found(withClient(stranger.key, 0o600))).toEqual(["E-LNK-012 websocket.client_key_path"])
  })
})

describe("production", () => {
  const PROD = `env = "production"\n`
  test("is warned of servers that are reached in the clear, elsewhere than on this machine", () => {
    const plain = [
      server(PUB, "http://10.0.0.5:11020/v2/check"),
      server(PUB, "http://127.0.0.1:11020/v2/check"),
      server(PUB, "http://[::1]:11020/v2/check"),
      `[[event.server]]\nurl = "http://events.example/v2/event"\n`,
      `[metrics.influxdb]\nserver_addr = "http://influx.example:8086"\ndatabase = "d"\n`,
    ].join("")
    expect(found(`${PROD}${LINK}${plain}`)).toEqual([])
    expect(warned(`${PROD}${LINK}${plain}`)).toEqual([
      "E-CFG-011 callback.cb_server_v2[0]",
      "E-CFG-011 event.server[0]",
      "E-CFG-011 metrics.influxdb.server_addr",
    ])
    expect(warned(`${LINK}${plain}`)).toEqual([])
  })
  test("trusts no file that others may write, and none in a folder of theirs", () => {
    const dir = join(folder, "shared")
    mkdirSync(dir)
    const key = join(dir, "pub.pem")
    writeFileSync(key, spki(good.publicKey))
    const source = `${PROD}${LINK}${server(key)}`
    const problem = "E-CFG-005 callback.cb_server_v2[0].pubkey_path"
    chmodSync(key, 0o664)
    expect(found(source)).toEqual([problem])
    chmodSync(key, 0o644)
    expect(found(source)).toEqual([])
    chmodSync(dir, 0o775)
    expect(found(source)).toEqual([problem])
    expect(found(source.replace(PROD, ""))).toEqual([])
    chmodSync(dir, 0o1777)
    expect(found(source)).toEqual([])
    symlinkSync(key, join(folder, "link.pem"))
    chmodSync(dir, 0o777)
    expect(found(source.replace(key, join(folder, "link.pem")))).toEqual([problem])
    chmodSync(dir, 0o755)
  })
  test("trusts no configuration, CA or database's folder that others may write", () => {
    const path = file("open.toml", 0o620, `${PROD}${LINK}${GUARDED}`)
    expect(named(checkStart(readConfig({ ...none, config: path }).config).problems)).toEqual([`E-CFG-005 ${path}`])
    const db = join(folder, "opendb")
    mkdirSync(db)
    chmodSync(db, 0o770)
    expect(found(`${PROD}${LINK}${GUARDED}[db]\npath = "${db}/secrets.db"`)).toEqual(["E-CFG-005 db.path"])
  })
  test("trusts no file of another user", () => {
    const { config } = checkConfig(`${PROD}${LINK}${server(PUB)}`, undefined)
    const own = process.getuid?.() ?? 0
    expect(anchorProblems(config, own)).toEqual([])
    if (own !== 0) expect(named(anchorProblems(config, own + 1)).length).toBeGreaterThan(0)
  })
})

test("a key file that others may read is accepted where that is said by name", () => {
  const source = `${WAAS}[db]\ndanger_allow_readable_key_file = true\nkey_file = "${file("pw644", 0o644)}"`
  expect(found(source)).toEqual([])
})

test("a schedule of backups needs a password that it can read", () => {
  const on = `${WAAS}[backup]\ninterval = "24h"\n`
  expect(found(on)).toEqual(["E-CFG-008 backup.password_file"])
  expect(found(`${on}password_file = "${file("bk600", 0o600)}"`)).toEqual([])
  expect(found(`${on}password_file = "${file("bk644", 0o644)}"`)).toEqual(["E-CLI-007"])
})

describe("the file", () => {
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
    expect(config.db).toEqual({ path: "b", key_file: "k", danger_allow_readable_key_file: true })
    expect(config.source).toBe(path)
  })
})
