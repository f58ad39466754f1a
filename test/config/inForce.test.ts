/** What waits for a restart after an edit of the file, and the record that `config show` compares with. */
import { describe, expect, test } from "bun:test"
import { statSync, writeFileSync } from "node:fs"
import {
  differences,
  inForce,
  readRunning,
  removeRunning,
  shownKeys,
  waitingKeys,
  withReloaded,
  writeRunning,
} from "../../src/config/inForce.ts"
import { checkConfig } from "../../src/config/load.ts"
import { temporaryFolder } from "../support/temporaryFolder.ts"

const load = (source: string) => checkConfig(source, "a.toml")
const waiting = (before: string, after: string) => waitingKeys(inForce(load(before)), inForce(load(after)))
const SERVER = '[[callback.cb_server_v2]]\nservice_address = "https://a/v2/check"\npubkey_path = "/none.pem"\n'

describe("keys that wait for a restart", () => {
  test("none, where nothing but rules and log levels has changed", () => {
    expect(waiting("", "")).toEqual([])
    expect(waiting("", '[log.std]\nlevel = "debug"\n[embedded_risk_control_rules]\nenable = true')).toEqual([])
  })
  test("none, where the names that rules are written with have changed", () => {
    const names = `[[intent.paths]]\npath = "m/44/60/**"\nchain = "eip155:1"\n`
    expect(inForce(load(names)).size).not.toBe(inForce(load("")).size)
    expect(waiting("", names)).toEqual([])
  })
  test("none, where the ABI of a contract has changed: it is read again", () => {
    using dir = temporaryFolder("in-force")
    const path = dir.at("abi.json")
    const source = `[[intent.contracts]]\nname = "router"\nchain = "eip155:1"\naddress = "0x${"11".repeat(20)}"\nabi = "${path}"\n`
    writeFileSync(path, '[{"type":"function","name":"one","inputs":[]}]')
    const before = load(source)
    const wasInForce = inForce(before)
    writeFileSync(path, '[{"type":"function","name":"two","inputs":[]}]')
    const after = load(source)
    expect([...wasInForce]).not.toEqual([...inForce(after)])
    expect(waitingKeys(wasInForce, inForce(after))).toEqual([])
    const namesOf = ({ config }: typeof before) =>
      [...config.embedded_risk_control_rules.names.abis.values()].flatMap((abi) =>
        [...abi.values()].map(({ name }) => name),
      )
    expect([namesOf(before), namesOf(after)]).toEqual([["one"], ["two"]])
  })
  test("a callback server that was added", () => {
    expect(waiting("", SERVER)).toContain("callback.cb_server_v2[0].service_address")
  })
  test("each changed key by its name, without its value", () => {
    expect(
      waiting("", '[log.file]\nmaxsize = 9\nlevel = "trace"\n[metrics.influxdb]\ntoken = "hunter2hunter2"'),
    ).toEqual(["log.file.maxsize", "metrics.influxdb.token"])
  })
  test("a key file whose content was replaced", () => {
    using dir = temporaryFolder("in-force")
    const path = dir.at("pub.pem")
    const source = SERVER.replace("/none.pem", path)
    writeFileSync(path, "one")
    const before = inForce(load(source))
    writeFileSync(path, "two")
    expect(waitingKeys(before, inForce(load(source)))).toEqual([
      "callback.cb_server_v2[0].pubkey_path (the content of its file)",
    ])
  })
})

describe("the record of what is in force", () => {
  test("has what was started with, and what was reloaded since; no secret; for its owner alone", () => {
    using dir = temporaryFolder("in-force")
    const started = load('[log.std]\nlevel = "info"\n[metrics.influxdb]\ntoken = "hunter2hunter2"\n')
    const file = load(`${SERVER}[log.std]\nlevel = "debug"\n[embedded_risk_control_rules]\nenable = true`)
    const keys = shownKeys(withReloaded(started.tree, file.tree))
    writeRunning(dir.at("db"), { pid: 7, sinceMs: 1, keys, flags: { "db.key_file": "--key-file" } })
    const running = readRunning(dir.at("db"))
    expect(JSON.stringify(running)).not.toContain("hunter2")
    expect(statSync(dir.at("db.in-force.json")).mode & 0o777).toBe(0o600)
    expect(running?.keys["log.std.level"]).toBe('"debug"')
    expect(running?.keys["embedded_risk_control_rules.enable"]).toBe("true")
    const found = differences(running ?? { keys: {}, flags: {} }, shownKeys(file.tree)).map(({ key }) => key)
    expect(found).toContain("callback.cb_server_v2[0].service_address")
    expect(found).toContain("metrics.influxdb.token")
    expect(found.filter((key) => key.startsWith("log.") || key.startsWith("embedded"))).toEqual([])
  })
  test("tells what a flag of the start said from what the file was edited to", () => {
    const keys = { "callback.cb_server_v2[0].pubkey_path": '"k"', "db.path": '"a"' }
    const flags = { "callback.cb_server_v2": "--cb-address" }
    expect(differences({ keys, flags }, { "db.path": '"b"' })).toEqual([
      { key: "callback.cb_server_v2[0].pubkey_path", running: '"k"', file: undefined, flag: "--cb-address" },
      { key: "db.path", running: '"a"', file: '"b"', flag: undefined },
    ])
  })
  test("is none where it is not there or damaged", () => {
    using dir = temporaryFolder("in-force")
    expect(readRunning(dir.at("db"))).toBeUndefined()
    for (const text of [
      "",
      "{",
      '{"pid":1}',
      '{"pid":1,"sinceMs":1,"keys":{"a":1}}',
      '{"pid":1,"sinceMs":1,"keys":{}}',
    ]) {
      writeFileSync(dir.at("db.in-force.json"), text, { mode: 0o600 })
      expect(readRunning(dir.at("db"))).toBeUndefined()
    }
    removeRunning(dir.at("db"))
    removeRunning(dir.at("db"))
  })
})
