import { describe, expect, test } from "bun:test"
import { Type } from "@sinclair/typebox"
import { configSchema } from "../../src/config/config.ts"
import { checkConfig } from "../../src/config/load.ts"
import type { KeyProblem } from "../../src/errors/config.ts"
import { type Code, CosignerError, isCode } from "../../src/errors.ts"
import { withDefaults } from "../../src/settings/defaults.ts"
import { boolean, durationMs, tableOf } from "../../src/settings/schema.ts"
import { lines, redacted } from "../../src/settings/show.ts"

const FILE = "configs/cosigner.toml"
const config = (source: string) => checkConfig(source, FILE).config

function problems(source: string): readonly KeyProblem[] {
  try {
    checkConfig(source, FILE)
  } catch (error) {
    if (isCode(error, "E-CFG-003")) return error.data.problems
    throw error
  }
  return []
}

function codeOf(action: () => unknown): Code | undefined {
  try {
    action()
  } catch (error) {
    if (error instanceof CosignerError) return error.code
    throw error
  }
  return undefined
}

describe("a configuration", () => {
  test("may be empty: every default stands", () => {
    const empty = config("")
    expect(empty.env).toBe("development")
    expect(empty.db).toEqual({ path: "db/secrets.db", danger_allow_readable_key_file: false })
    expect(empty.callback).toMatchObject({
      token_expire_minutes: 2,
      retry_times: 2,
      sleep_seconds: 15,
      request_timeout: 10,
    })
    expect(empty.event).toMatchObject({ event_types: [], retry_times: 60, sleep_seconds: 60, request_timeout: 10 })
    expect(empty.embedded_risk_control_rules.enable).toBe(false)
    expect(empty.signing.path_algorithms).toEqual([{ prefix: [86], algorithm: "bip340" }])
  })
  test("the single line of the vendor's tools is enough", () => {
    expect(config('env = "production"').env).toBe("production")
  })
  test("is frozen at every depth", () => {
    const frozen = config("[[callback.cb_server]]\nservice_address = 'http://a/b'\npubkey_path = 'p'")
    const depth = (value: unknown): boolean =>
      typeof value !== "object" || value === null || (Object.isFrozen(value) && Object.values(value).every(depth))
    expect(depth(frozen)).toBe(true)
  })
  test("durations are milliseconds, empty is off", () => {
    expect(config("[callback]\nmonitor_interval = '1m30s'").callback.monitor_interval).toBe(90_000)
    expect(config("").callback.monitor_interval).toBeUndefined()
    for (const wrong of ["1", "1x", "-1s", "1.5s", "0s", "s", "1 s", "99999999h", "1s ", "1m1"]) {
      expect([wrong, durationMs(wrong)]).toEqual([wrong, undefined])
    }
  })
  test("a rule for m/86 replaces the default, others stand beside it", () => {
    const rules = config('[signing.path_algorithms]\n"m/86" = "ecdsa"\n"m/999" = "bip340"').signing.path_algorithms
    expect(rules).toEqual([
      { prefix: [86], algorithm: "ecdsa" },
      { prefix: [999], algorithm: "bip340" },
    ])
  })
})

/** Source, and the key and line that must be blamed. */
const WRONG: readonly (readonly [name: string, source: string, key: string, line: number])[] = [
  ["unknown key at the top", "\nenv = 'production'\nprod = true", "prod", 3],
  ["unknown table", "[db]\n[wibsocket]\nurl = 'wss://a/ws'", "wibsocket", 2],
  ["unknown key in a table", "[db]\npath = 'a'\n\npfad = 'b'", "db.pfad", 4],
  [
    "unknown key in a list",
    "[[callback.cb_server_v2]]\nservice_address = 'http://a/'\npubkey_path = 'k'\nx = 1",
    "callback.cb_server_v2[0].x",
    4,
  ],
  [
    "unknown key in the second of a list",
    "[[event.server]]\nurl = 'http://a/'\n[[event.server]]\nurl = 'http://a/'\nx = 1",
    "event.server[1].x",
    5,
  ],
  [
    "unknown key of the rules",
    "[embedded_risk_control_rules]\nenable = true\nenabled = true",
    "embedded_risk_control_rules.enabled",
    3,
  ],
  ["wrong word", "env = 'prod'", "env", 1],
  ["text for a number", "[callback]\nretry_times = '2'", "callback.retry_times", 2],
  ["fraction for a number", "[callback]\nretry_times = 2.5", "callback.retry_times", 2],
  ["number below its range", "[callback]\nrequest_timeout = 0", "callback.request_timeout", 2],
  ["number above its range", "[callback]\ntoken_expire_minutes = 61", "callback.token_expire_minutes", 2],
  ["number for a switch", "[log.std]\nenable = 1", "log.std.enable", 2],
  ["date for a text", "[db]\npath = 1979-05-27T07:32:00Z", "db.path", 2],
  ["text for a table", "db = 'x'", "db", 1],
  ["table for a list", "[callback.cb_server]\nservice_address = 'http://a/'", "callback.cb_server", 1],
  ["empty path", "[db]\npath = ''", "db.path", 2],
  [
    "missing key of a list",
    "[[callback.cb_server]]\nservice_address = 'http://a/'",
    "callback.cb_server[0].pubkey_path",
    1,
  ],
  ["URL of another scheme", "[websocket]\nurl = 'https://a/ws'", "websocket.url", 2],
  ["URL without a host", "[websocket]\nurl = 'wss:///ws'", "websocket.url", 2],
  ["URL without slashes", "[websocket]\nurl = 'wss:a'", "websocket.url", 2],
  ["URL with a fragment", "[websocket]\nurl = 'wss://a/ws#x'", "websocket.url", 2],
  ["URL without the path of the relay", "[websocket]\nurl = 'wss://a/'", "websocket.url", 2],
  ["a backslash in a tag", "[metrics]\njob = 'a\\'", "metrics.job", 2],
  ["URL with credentials", "[websocket]\nurl = 'wss://u:p@a/ws'", "websocket.url", 2],
  ["relative URL", "[[event.server]]\nurl = '/v2/event'", "event.server[0].url", 2],
  ["half a key", "[websocket]\nwaas_public_key = 'abcd'", "websocket.waas_public_key", 2],
  ["capitals in a key", `[websocket]\nwaas_public_key = '${"AB".repeat(32)}'`, "websocket.waas_public_key", 2],
  ["the same event type twice", "[event]\nevent_types = ['a', 'a']", "event.event_types", 2],
  ["dotted key", "log.std.level = 'loud'", "log.std.level", 1],
  ["inline table", "[log]\nstd = { level = 'loud' }", "log.std.level", 2],
  [
    "a rule's own check",
    "[embedded_risk_control_rules.key_sign]\nreject_all = 'no'",
    "embedded_risk_control_rules.key_sign.reject_all",
    2,
  ],
  ["a path that is none", '[signing.path_algorithms]\n"m/x" = "ecdsa"', 'signing.path_algorithms."m/x"', 2],
  ["an algorithm that is none", '[signing.path_algorithms]\n"m/1" = "rsa"', 'signing.path_algorithms."m/1"', 2],
]

describe("what is wrong is named with file, line and key", () => {
  for (const [name, source, key, line] of WRONG) {
    test(name, () => {
      expect(problems(source).map((p) => ({ where: p.where, key: p.key }))).toEqual([{ where: `${FILE}:${line}`, key }])
    })
  }
  test("all of it at once", () => {
    expect(problems("env = 'x'\n[db]\npath = 1\n[log.file]\nmaxsize = 0")).toHaveLength(3)
  })
  test("two spellings of one path", () => {
    expect(problems('[signing.path_algorithms]\n"m/1" = "ecdsa"\n"/1" = "bip340"')).toHaveLength(1)
  })
})

test("a text of several lines hides no header and no key from the count", () => {
  const source = 'env = """\n[db]\npath = 1\n[callback]\n"""\n[db]\npfad = 1'
  expect(problems(source).map((p) => [p.where, p.key])).toContainEqual([`${FILE}:7`, "db.pfad"])
})

test("a default inside a list of tables stands where a table leaves it out", () => {
  const schema = tableOf("x", { list: Type.Array(tableOf("y", { on: boolean(true, "z") })) })
  expect(withDefaults(schema, { list: [{}, { on: false }] })).toEqual({ list: [{ on: true }, { on: false }] })
})

describe("what is no TOML", () => {
  const NOT_TOML: readonly (readonly [name: string, source: string, line: number])[] = [
    ["a value that is missing", "env = 'production'\n[db]\npath =", 3],
    ["a key twice", "[db]\npath = 'a'\npath = 'b'", 3],
    ["a table twice", "[db]\npath = 'a'\n[log]\n[db]", 4],
    ["an integer that does not fit", "[callback]\nretry_times = 99999999999999999999", 2],
    ["a key that would reach the prototype", "__proto__ = { env = 'production' }", 1],
  ]
  for (const [name, source, line] of NOT_TOML) {
    test(name, () => {
      try {
        checkConfig(source, FILE)
        expect.unreachable()
      } catch (error) {
        if (!isCode(error, "E-CFG-002")) throw error
        expect(error.data.where).toBe(`${FILE}:${line}`)
      }
    })
  }
  test("nothing reaches the prototype of objects", () => {
    expect(codeOf(() => checkConfig("[db.__proto__]\npolluted = 1", FILE))).toBe("E-CFG-002")
    expect(Object.hasOwn(Object.prototype, "polluted")).toBe(false)
  })
})

describe("no secret is shown", () => {
  const SECRET = "hunter2hunter2"
  const leaks: readonly string[] = [
    `[metrics.influxdb]\npassword = "${SECRET}"\nx = 1`,
    `[metrics.influxdb]\ntoken = ["${SECRET}"]`,
    `[metrics.influxdb]\npasswrd = "${SECRET}"`,
    `[websocket]\nproxy = "htp://u:${SECRET}@proxy"`,
    `[websocket]\nurl = "wss://u:${SECRET}@proxy"`,
    `[websocket]\nwaas_public_key = "${SECRET}"`,
    `[[event.server]]\nurl = "http://u:${SECRET}@a/"`,
  ]
  for (const source of leaks) {
    test(`in an error: ${source.split("\n").at(1)?.replace(SECRET, "...")}`, () => {
      const found = problems(source)
      expect(found.length).toBeGreaterThan(0)
      expect(JSON.stringify(found)).not.toContain(SECRET)
    })
  }
  test("in `config show`", () => {
    const { tree } = checkConfig(
      `[metrics.influxdb]\npassword = "${SECRET}"\ntoken = "${SECRET}"\n[websocket]\nproxy = "http://u:${SECRET}@proxy:1"\n` +
        `waas_public_key = "${"ab".repeat(32)}"\n[[event.server]]\nurl = "http://a/"\nproxy = "http://u:${SECRET}@p/"`,
      FILE,
    )
    const shown = JSON.stringify(redacted(tree, configSchema)) + lines(redacted(tree, configSchema)).join("\n")
    expect(shown).not.toContain(SECRET)
    expect(shown).toContain("ab".repeat(32))
    expect(shown).toContain("@proxy:1")
  })
})

test("`config show` has what TOML has, not what the program made of it", () => {
  const { tree } = checkConfig("[callback]\nmonitor_interval = '1m30s'", FILE)
  expect(lines(redacted(tree, configSchema))).toContain('callback.monitor_interval = "1m30s"')
})

describe("flags", () => {
  const said = (flag: string, value: unknown) => ({ flag, value })
  test("fill in what the file leaves out", () => {
    const { config: made } = checkConfig("[callback]\nretry_times = 5", FILE, {
      env: said("--prod", "production"),
      "callback.sleep_seconds": said("--cb-sleep-seconds", 1),
      "callback.retry_times": said("--cb-retry-times", 5),
    })
    expect(made).toMatchObject({ env: "production", callback: { retry_times: 5, sleep_seconds: 1 } })
  })
  test("that say where things are win", () => {
    const { config: made } = checkConfig("[db]\npath = 'a'\nkey_file = 'b'\n[websocket]\nurl = 'wss://a/ws'", FILE, {
      "db.path": said("--db", "A"),
      "db.key_file": said("--key-file", "B"),
      "websocket.url": said("--ws-url", "wss://b/ws"),
    })
    expect(made).toMatchObject({ db: { path: "A", key_file: "B" }, websocket: { url: "wss://b/ws" } })
  })
  test("that contradict the file are refused", () => {
    expect(codeOf(() => checkConfig("env = 'development'", FILE, { env: said("--prod", "production") }))).toBe(
      "E-CFG-004",
    )
    const servers = "[[callback.cb_server_v2]]\nservice_address = 'http://a/'\npubkey_path = 'k'"
    const other = [{ service_address: "http://b/", pubkey_path: "k" }]
    expect(codeOf(() => checkConfig(servers, FILE, { "callback.cb_server_v2": said("--cb-address", other) }))).toBe(
      "E-CFG-004",
    )
  })
  test("are checked as the file is, and blamed by their name", () => {
    try {
      checkConfig("", FILE, { "websocket.url": said("--ws-url", "nonsense") })
      expect.unreachable()
    } catch (error) {
      if (!isCode(error, "E-CFG-003")) throw error
      expect(error.data.problems.map((p) => [p.where, p.key])).toEqual([["--ws-url", "websocket.url"]])
    }
  })
})
