/** The folder of a WaaS: init, key file, configuration, API keys; and the commands over them as transcripts. */

import { afterAll, expect, test } from "bun:test"
import { chmodSync, readFileSync, rmSync, statSync, symlinkSync, unlinkSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { toHex } from "../../src/bytes.ts"
import { newApiKeyPair } from "../../src/waas/apiKey.ts"
import { parseConfig, readConfig } from "../../src/waas/config.ts"
import { waasTemplate } from "../../src/waas/configSchema.ts"
import { filesIn, lock, readKeyFile } from "../../src/waas/files.ts"
import { waasInit, waasKeyAdd, waasKeyCreate, waasKeyList, waasKeyRevoke } from "../../src/waas/keys.ts"
import { shownStore } from "../../src/waas/store/postgresSettings.ts"
import { cli } from "../cli/world.ts"
import { temporaryFolder } from "../support/temporaryFolder.ts"
import { must } from "../support/waas.ts"

const dir = temporaryFolder("waas-folder").path
afterAll(() => rmSync(dir, { recursive: true }))
let folders = 0
const fresh = () => join(dir, `w${folders++}`)
const code = (text: string) => expect.objectContaining({ code: text })

test("a shared store: TLS with a verified certificate, but for this machine; a password is shown nowhere", () => {
  const at = { dir: "/w", config: "/w/waas.toml" }
  const store = (toml: string) => parseConfig(`[waas.store]\n${toml}`, at).store
  expect(parseConfig("", at).store).toBeUndefined()
  expect(store('url = "postgres://us%40er:p%3Aw@[2001:db8::1]:6000/d"\nca_path = "ca.pem"')).toEqual({
    hostname: "2001:db8::1",
    port: 6000,
    user: "us@er",
    database: "d",
    password: "p:w",
    passwordFile: undefined,
    socketFolder: undefined,
    tls: { caFile: "/w/ca.pem", client: undefined },
    connections: 8,
  })
  const tlsOf = (toml: string) => store(toml)?.tls
  expect(tlsOf('url = "postgres://u@db.example.com/d"')).toEqual({ caFile: undefined, client: undefined })
  expect(tlsOf('url = "postgres://u@127.0.0.1/d"')).toBeUndefined()
  expect(tlsOf('url = "postgres://u@127.0.0.1/d"\nca_path = "c"')).toEqual({ caFile: "/w/c", client: undefined })
  expect(tlsOf('url = "postgres://u@db.example.com/d"\nallow_plaintext = true')).toBeUndefined()
  const client = { certFile: "/w/c", keyFile: "/w/k" }
  expect(tlsOf('url = "postgres://u@h/d"\ncert_path = "c"\nkey_path = "k"')).toEqual({ caFile: undefined, client })
  const settings = must(store('url = "postgres://u:topsecret@h/d"'))
  expect(shownStore(settings)).toBe("postgres://u@h:5432/d")
  const wrong = () => store('url = "postgres://u:topsecret@h/d?x=1"')
  expect(wrong).toThrow(expect.objectContaining({ code: "E-CFG-003" }))
  expect(wrong).not.toThrow(/topsecret/)
})

test("init makes a private folder, once", async () => {
  const folder = fresh()
  const made = await waasInit(folder, 1)
  expect(statSync(folder).mode & 0o777).toBe(0o700)
  for (const file of [made.files.config, made.files.database, made.files.key]) {
    expect([file, statSync(file).mode & 0o777]).toEqual([file, 0o600])
  }
  const keys = readKeyFile(made.files)
  expect(toHex(keys.tasks.publicKey)).toBe(made.publicKey)
  expect(toHex(keys.responses.publicKey)).toBe(made.responseKey)
  expect(made.responseKey).not.toBe(made.publicKey)
  const before = readFileSync(made.files.key)
  await expect(waasInit(folder, 2)).rejects.toMatchObject({ code: "E-WAA-001" })
  expect(readFileSync(made.files.key)).toEqual(before)
})

test("an init that died before the key can be run again, and keeps a configuration that is there", async () => {
  const folder = fresh()
  const { files } = await waasInit(folder, 1)
  unlinkSync(files.key)
  writeFileSync(files.config, '[waas]\norganisation = "mine"\n')
  await waasInit(folder, 1)
  expect(readConfig(files).organisation).toBe("mine")
})

test("a folder that cannot be made is an error with a code, and nothing is left behind", async () => {
  const file = fresh()
  writeFileSync(file, "kept")
  await expect(waasInit(file, 1)).rejects.toMatchObject({ code: "E-WAA-006" })
  expect(readFileSync(file, "utf8")).toBe("kept")
})

test("a key file that others can read, a pipe, another content: not used; a link is judged by what it leads to", async () => {
  const { files } = await waasInit(fresh(), 1)
  const good = readFileSync(files.key)
  chmodSync(files.key, 0o640)
  expect(() => readKeyFile(files)).toThrow(code("E-WAA-003"))
  chmodSync(files.key, 0o600)
  for (const bad of ["", "00", `${good}x`, good.toString().toUpperCase().replace(/\d/g, "A")]) {
    writeFileSync(files.key, bad)
    expect(() => readKeyFile(files)).toThrow(code("E-WAA-003"))
  }
  unlinkSync(files.key)
  expect(() => readKeyFile(files)).toThrow(code("E-WAA-002"))
  const elsewhere = join(dir, "elsewhere")
  writeFileSync(elsewhere, good, { mode: 0o600 })
  symlinkSync(elsewhere, files.key)
  expect(readKeyFile(files).tasks.publicKey).toHaveLength(32)
  chmodSync(elsewhere, 0o644)
  expect(() => readKeyFile(files)).toThrow(code("E-WAA-003"))
  unlinkSync(files.key)
  Bun.spawnSync(["mkfifo", "-m", "600", files.key])
  expect(() => readKeyFile(files)).toThrow(code("E-WAA-003"))
})

test("the lock is held once, and given back", async () => {
  const { files } = await waasInit(fresh(), 1)
  {
    using _held = lock(files)
    expect(() => lock(files)).toThrow(code("E-WAA-004"))
  }
  lock(files)[Symbol.dispose]()
})

const at = { dir: "/srv/waas", config: "waas.toml" }

test("the template is the defaults, and so are the values that its comments show", () => {
  expect(parseConfig(waasTemplate(), at)).toEqual(parseConfig("", at))
  // Lists of tables show an example, not a default.
  const [own = "", examples = ""] = waasTemplate().split(/(?=^#?\[\[)/m)
  const shown = own.replace(/^#(?=[[a-z])/gm, "")
  expect(parseConfig(shown, at)).toEqual(parseConfig("", at))
  expect(shown.match(/^\w+ = /gm)?.length).toBeGreaterThan(15)
  expect(parseConfig(`${shown}${examples.replace(/^#(?=[[a-z])/gm, "")}`, at).chains.enabled).toHaveLength(1)
})

test("a configuration that an earlier version wrote is read as before", () => {
  const written = '[waas]\nlisten = "127.0.0.1:11050"\ntls_cert = ""\ntls_key = ""\nallow_plaintext = false\n'
  expect(parseConfig(written, at)).toEqual(parseConfig("", at))
})

test("--listen stands above the file, and is checked as the file is", () => {
  expect(parseConfig('[waas]\nlisten = "127.0.0.1:1"', at, "[::1]:2")).toMatchObject({ hostname: "::1", port: 2 })
  expect(() => parseConfig("", at, "nowhere")).toThrow(
    expect.objectContaining({
      data: { problems: [expect.objectContaining({ where: "--listen", key: "waas.listen" })] },
    }),
  )
})

test("what a configuration says", () => {
  const config = parseConfig(
    '[waas]\nlisten = "[::1]:0"\ncurves = ["ED25519"]\ntls_cert = "c.pem"\ntls_key = "/k.pem"',
    at,
  )
  expect([config.hostname, config.port, config.curves]).toEqual(["::1", 0, ["ED25519"]])
  expect(config.tls).toEqual({ certFile: "/srv/waas/c.pem", keyFile: "/k.pem" })
  expect(parseConfig('[waas]\nlisten = "0.0.0.0:1"\nallow_plaintext = true', at).hostname).toBe("0.0.0.0")
})

test.each([
  ["an unknown key", '[waas]\nlisten = "127.0.0.1:1"\nlisen = 1', "waas.lisen", "waas.toml:3"],
  ["an unknown table", "[was]", "was", "waas.toml:1"],
  ["a wrong type", "[waas.limits]\nburst = true", "waas.limits.burst", "waas.toml:2"],
  ["a number out of range", "[waas.limits]\nburst = 0", "waas.limits.burst", "waas.toml:2"],
  ["a curve that is none", '[waas]\ncurves = ["P256"]', "waas.curves[0]", "waas.toml:2"],
  ["no curve", "[waas]\ncurves = []", "waas.curves", "waas.toml:2"],
  ["no port", '[waas]\nlisten = "127.0.0.1"', "waas.listen", "waas.toml:2"],
  ["a port that is none", '[waas]\nlisten = "127.0.0.1:70000"', "waas.listen", "waas.toml:2"],
  ["plain HTTP to the world", '[waas]\nlisten = "0.0.0.0:80"', "waas.listen", "waas.toml:2"],
  [
    "a shared store with parameters in its URL",
    '[waas.store]\nurl = "postgres://u@h/d?sslmode=disable"',
    "waas.store.url",
    "waas.toml:2",
  ],
  ["a shared store without a database", '[waas.store]\nurl = "postgres://u@h"', "waas.store.url", "waas.toml:2"],
  ["half of a client certificate", '[waas.store]\ncert_path = "c.pem"', "waas.store.cert_path", "waas.toml:2"],
  ["half of TLS", '[waas]\ntls_cert = "c.pem"', "waas.tls_cert", "waas.toml:2"],
])("a configuration with %s is refused at its place", (_name, text, key, file) => {
  expect(() => parseConfig(text, at)).toThrow(
    expect.objectContaining({
      code: "E-CFG-003",
      data: { problems: [expect.objectContaining({ key, where: file })] },
    }),
  )
})

test.each([
  ["a key twice", '[waas]\nlisten = "127.0.0.1:1"\nlisten = "127.0.0.1:2"', 3],
  ["a syntax error", "[waas\n", 1],
])("%s is no TOML, and its line is named", (_name, text, line) => {
  expect(() => parseConfig(text, at)).toThrow(
    expect.objectContaining({ code: "E-CFG-002", data: expect.objectContaining({ where: `waas.toml:${line}` }) }),
  )
})

/** A key that nobody registered. */
const UNKNOWN = newApiKeyPair("ed25519").publicKey
const WHOLE = { role: "admin", addresses: [] } as const
const PAYOUTS = { role: "operate", addresses: ["10.1.0.0/16"] } as const

test("API keys: made, added, listed, revoked", async () => {
  const folder = fresh()
  await expect(waasKeyList(folder)).rejects.toMatchObject({ code: "E-WAA-002" })
  await waasInit(folder, 1)
  const pair = await waasKeyCreate(folder, { name: "a", ...PAYOUTS, curve: "secp256k1" }, 2)
  expect(pair.publicKey).toMatch(/^0[23][0-9a-f]{64}$/)
  const other = await waasKeyCreate(folder, { name: "b", ...WHOLE, curve: "ed25519" }, 3)
  await expect(waasKeyAdd(folder, { name: "c", ...WHOLE, publicKey: other.publicKey }, 4)).rejects.toMatchObject({
    code: "E-WAA-009",
  })
  await expect(waasKeyAdd(folder, { name: "c", ...WHOLE, publicKey: "00" }, 4)).rejects.toMatchObject({
    code: "E-WAA-008",
  })
  const nowhere = { ...WHOLE, addresses: ["10.1.0.0/16", "example.org"], publicKey: pair.publicKey }
  await expect(waasKeyAdd(folder, { name: "d", ...nowhere }, 4)).rejects.toMatchObject({ code: "E-WAA-014" })
  await waasKeyRevoke(folder, other.publicKey, 5)
  await waasKeyRevoke(folder, other.publicKey, 6)
  await expect(waasKeyRevoke(folder, UNKNOWN, 5)).rejects.toMatchObject({ code: "E-WAA-010" })
  expect(await waasKeyList(folder)).toEqual([
    { publicKey: pair.publicKey, name: "a", ...PAYOUTS, createdMs: 2, revokedMs: undefined },
    { publicKey: other.publicKey, name: "b", ...WHOLE, createdMs: 3, revokedMs: 5 },
  ])
  const database = readFileSync(filesIn(folder).database)
  expect(database.includes(pair.secret.expose())).toBe(false)
  expect(database.includes(toHex(pair.secret.expose()))).toBe(false)
  await expect(waasKeyAdd(folder, { name: "c", ...WHOLE, publicKey: other.publicKey }, 7)).rejects.toMatchObject({
    code: "E-WAA-009",
  })
})

const cosigner = (...argv: string[]) => cli(argv)

test("transcripts: waas init, info, key create, list, revoke", async () => {
  const folder = fresh()
  const init = await cosigner("waas", "init", "--dir", folder)
  expect(init.exit).toBe(0)
  expect(init.stdout).toMatch(/^WaaS public key \(for the nodes\): [0-9a-f]{64}$/m)
  const info = await cosigner("waas", "info", "--dir", folder)
  const keysIn = (text: string) => text.split("\n").filter((line) => /key \(for/.test(line))
  expect(keysIn(info.stdout)).toHaveLength(2)
  expect(keysIn(info.stdout)).toEqual(keysIn(init.stdout))
  expect(info.stdout).toContain(`Database: ${filesIn(folder).database}\n`)
  const shared = join(folder, "shared.toml")
  writeFileSync(shared, '[waas.store]\nurl = "postgres://waas:secret@127.0.0.1:5432/waas"\n', { mode: 0o600 })
  const ofShared = await cosigner("waas", "info", "--dir", folder, "--config", shared)
  expect(ofShared.stdout).toContain("Database: postgres://waas@127.0.0.1:5432/waas\n")
  expect(ofShared.stdout).not.toContain("secret")
  const nowhere = await cosigner("waas", "info", "--dir", join(folder, "nowhere"))
  expect([nowhere.exit, nowhere.stderr.includes("E-WAA-002")]).toEqual([2, true])
  const twice = await cosigner("waas", "init", "--dir", folder)
  expect([twice.exit, twice.stdout]).toEqual([1, ""])
  expect(twice.stderr).toContain("E-WAA-001")

  const made = JSON.parse((await cosigner("waas", "key", "create", "--dir", folder, "--name", "ops", "--json")).stdout)
  expect(made).toEqual({
    name: "ops",
    role: "admin",
    from: [],
    curve: "ed25519",
    public_key: expect.stringMatching(/^[0-9a-f]{64}$/),
    secret: expect.stringMatching(/^[0-9a-f]{64}$/),
  })
  const given = await cosigner(
    "waas",
    "key",
    "create",
    "--dir",
    folder,
    "--public-key",
    `02${"79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798"}`,
  )
  expect(given.stdout).toMatch(/^API key registered: 0279be/)
  expect((await cosigner("waas", "key", "revoke", made.public_key, "--dir", folder)).exit).toBe(0)
  const listed = await cosigner("waas", "key", "list", "--dir", folder)
  expect(listed.stdout).toMatch(new RegExp(`^${made.public_key}  ops  admin  created .*Z  revoked .*Z$`, "m"))
  expect(listed.stdout).not.toContain(made.secret)
  const unknown = await cosigner("waas", "key", "revoke", UNKNOWN, "--dir", folder)
  expect([unknown.exit, unknown.stderr.includes("E-WAA-010")]).toEqual([1, true])
  const none = await cosigner("waas", "start", "--dir", fresh())
  expect([none.exit, none.stderr.includes("E-WAA-002")]).toEqual([2, true])
})

test("every command that reads waas.toml reads the file of --config in its place", async () => {
  const folder = fresh()
  await cosigner("waas", "init", "--dir", folder)
  const other = join(folder, "other.toml")
  const commands = [
    ["start"],
    ["info"],
    ["key", "list"],
    ["adopt", "--node", "a,b", "--wait", "1"],
    ["backup", "create"],
  ]
  for (const words of commands) {
    writeFileSync(other, "[waas]\nlisten = 1\n", { mode: 0o600 })
    const { exit, stderr } = await cosigner("waas", ...words, "--dir", folder, "--config", other)
    expect([words, exit, stderr.includes(`${other}`)]).toEqual([words, 2, true])
  }
})

test("an endpoint's address, which may hold a key, is in no error text", () => {
  const at = { dir: "/w", config: "/w/waas.toml" }
  const wrong = '[[waas.chains]]\nid = "ETH"\nrpc_url = "htp://rpc.example.com/v2/SECRETKEY"\n'
  let said = ""
  try {
    parseConfig(wrong, at)
  } catch (error) {
    said = String(error)
  }
  expect(said).toContain("waas.chains[0].rpc_url")
  expect(said).not.toContain("SECRETKEY")
})
