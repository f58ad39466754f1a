/**
 * What refused commands say. Every command is given files that hold secrets in the place of every file that it reads, and words
 * that are secrets in the place of every word: it may refuse them, it may not repeat them.
 */

import { describe, expect, test } from "bun:test"
import { generateKeyPairSync, randomBytes } from "node:crypto"
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { globalOptions } from "../../src/cli/globals.ts"
import { table } from "../../src/cli/table.ts"
import { Secret } from "../../src/secret.ts"
import { createStore } from "../../src/store/store.ts"
import { cli } from "../cli/world.ts"
import { root } from "../support/binary.ts"
import { temporaryFolder } from "../support/temporaryFolder.ts"
import { acquit, LeakScanner } from "./leaks/leakScanner.ts"
import type { Refusal } from "./leaks/refusals.ts"
import { tellRsa } from "./leaks/secrets.ts"

/** These serve until a signal, install something, or run for long; what they read is read by others too. */
const LEFT_OUT = new Set(["start", "demo", "install-service"])
/** These stand for all that do: it is one piece of code. */
const OPEN_THE_DATABASE = new Set(["info", "backup create", "export-share", "doctor"])
/** The value of an option is a path. */
const PATH = /<(?:file|files|dir|folder|path)>/
const FILE_ARGUMENT = /file/

/** Files with a secret each, in a shape that some reader gets far into before it refuses. */
function plantFiles(leakScanner: LeakScanner, dir: string): readonly string[] {
  const secretText = (name: string): string => {
    const text = `canary.${randomBytes(32).toString("base64url")}`
    leakScanner.secret(name, text)
    return text
  }
  const hex = (name: string): string => {
    const bytes = randomBytes(32)
    leakScanner.secret(name, bytes)
    return bytes.toString("hex")
  }
  const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 })
  tellRsa(leakScanner, "an RSA key", privateKey)
  const influx = (value: string): string => `[metrics.influxdb]\ndatabase = "d"\npassword = ${value}\n`
  const files: Readonly<Record<string, string>> = {
    password: secretText("a password"),
    "password-line": `${secretText("a password in a line")}\n`,
    "waas.key": `${hex("a WaaS key")}\n`,
    "private.pem": String(privateKey.export({ format: "pem", type: "pkcs8" })),
    "open-quote.toml": influx(`"${secretText("a value without its end")}`),
    "no-quote.toml": influx(secretText("a value without quotes")),
    "list.toml": influx(`["${secretText("a value in a list")}"]`),
    "unknown.toml": `[metrics]\npasswort = "${secretText("a value of an unknown key")}"\n`,
    "proxy.toml": `[websocket]\nproxy = "htp://user:${secretText("a proxy's password")}@host"\n`,
    "url.toml": `[websocket]\nurl = "wss://user:${secretText("a password in a URL")}@host/ws"\n`,
    "waas.toml": `[waas]\ntls_key = ${secretText("a value of WaaS without quotes")}\n`,
    "number.toml": `[waas.limits]\nburst = "${secretText("a value of the wrong type")}"\n`,
    "callback.toml": `private_key = ["${secretText("a key in place of its file")}"]\nlisten = 7\n`,
    "broken.json": `{"share": ${hex("a share without quotes")}, "x": 1}`,
    "share.json": JSON.stringify({ share: hex("a share in JSON"), group_id: secretText("a secret in a field") }),
    "list.json": JSON.stringify([
      { tss_key_share: hex("a share in a list"), version: 1, cipher: secretText("a cipher") },
    ]),
    "addresses.csv": `coin,path\n${secretText("a secret in a cell")},m/44\n`,
  }
  return Object.entries(files).map(([name, content]) => {
    const path = join(dir, name)
    writeFileSync(path, content, { mode: 0o600 })
    return path
  })
}

async function commandLines(
  files: readonly string[],
  words: readonly string[],
): Promise<readonly (readonly string[])[]> {
  const lines: (readonly string[])[] = []
  for (const { path, load } of table) {
    const name = path.join(" ")
    if (load === undefined || LEFT_OUT.has(name)) continue
    const { args, options } = await load()
    const flags = Object.values(options).map((option) => option.flags)
    const takesFile = Object.values(args).some((arg) => FILE_ARGUMENT.test(arg.name))
    for (const file of files) {
      lines.push([...path, "-c", file])
      if (OPEN_THE_DATABASE.has(name)) {
        lines.push([...path, "--key-file", file, "--json"], [...path, "-d", file, "--key-file", file])
      }
      if (takesFile) lines.push([...path, file, "--key-file", file], [...path, file, "--password-file", file])
      for (const flag of flags.filter((name) => PATH.test(name))) {
        lines.push([...path, flag.split(/[ ,]/)[0] ?? "", file, "--key-file", file])
      }
    }
    // where people type what should not be typed at all
    for (const word of words) {
      lines.push([...path, `--password=${word}`], [...path, `--passwd=${word}`, "-v"], [...path, `-p${word}`])
    }
  }
  return lines
}

/** With a cheap password that is none of the others: who guesses wrong is told at once. */
function makeDatabase(folder: string): void {
  mkdirSync(folder, { recursive: true })
  using password = Secret.from(randomBytes(24))
  using identitySeed = Secret.from(randomBytes(32))
  using callbackKey = Secret.from(randomBytes(1200))
  const kdf = { memoryKiB: 64, passes: 1, parallelism: 1 }
  createStore(join(folder, "secrets.db"), password, { identitySeed, callbackKey, kdf }).close()
}

test("no refused command repeats a secret that it was given", async () => {
  using leakScanner = new LeakScanner()
  const dir = temporaryFolder("refusals").path
  try {
    makeDatabase(join(dir, "work", "db"))
    const files = plantFiles(leakScanner, dir)
    const word = `canary.${randomBytes(32).toString("base64url")}`
    leakScanner.secret("a typed password", word)
    const lines = await commandLines(files, [word])
    writeFileSync(join(dir, "lines.json"), JSON.stringify(lines))
    const [asked, answered] = [join(dir, "lines.json"), join(dir, "refusals.json")]
    const program = join(import.meta.dir, "leaks", "refusals.ts")
    const child = Bun.spawn(["setsid", "--wait", process.execPath, program, asked, answered], {
      cwd: join(dir, "work"),
      env: { PATH: process.env["PATH"] ?? "", HOME: dir },
      stdin: "ignore",
      stdout: "pipe",
      stderr: "pipe",
    })
    const [stdout, stderr] = await Promise.all([child.stdout.text(), child.stderr.text(), child.exited])
    leakScanner.hear("output", "stdout of the process", stdout)
    leakScanner.hear("output", "stderr of the process", stderr)
    const refusals: readonly Refusal[] = JSON.parse(readFileSync(answered, "utf8"))
    expect(refusals).toHaveLength(lines.length)
    expect(refusals.filter(({ exit }) => exit === null).map(({ argv }) => argv)).toEqual([])
    for (const { argv, text } of refusals) {
      const shown = argv.map((name) => name.replace(`${dir}/`, "").replaceAll(word, "<word>")).join(" ")
      leakScanner.hear("output", shown, text)
    }
    // most of them were refused, and for a reason of the file and not of the command line
    const codes = new Set(refusals.flatMap(({ text }) => text.match(/E-[A-Z]{3}-\d{3}/g) ?? []))
    for (const code of ["E-CFG-002", "E-CFG-003", "E-STO-004", "E-STO-005", "E-BAK-003", "E-KEY-010", "E-WAA-003"])
      expect([...codes]).toContain(code)
    leakScanner.expect({ channel: "output", what: "a refusal", text: "the password of the" })
    acquit(leakScanner.judge())
  } finally {
    rmSync(dir, { recursive: true, force: true })
  }
}, 120_000)

describe("no secret is asked for where others can read it", () => {
  /** Options whose name sounds like a secret, and what is typed behind them. */
  const PUBLIC: Readonly<Record<string, string>> = {
    "--api-key-file": "<file>",
    "--cb-pubkey": "<file>",
    "--cb-token-expire": "<minutes>",
    "--danger-allow-readable-key-file": "",
    "--file-password-file": "<file>",
    "--key-file": "<file>",
    "--key-file (list)": "<files>",
    "--password-file": "<file>",
    "--node-key": "<file>",
    "--public-key": "<hex>",
    "--waas-public-key": "<hex>",
    "--key": "<file> <key> <xpub|cpub>",
    "--key-backup": "<file>",
    "--key-password-file": "<file>",
    "--new-key": "",
    "--tls-key": "<file>",
    "--yes-owners-lost-their-keys": "<version>",
    "--password-segment": "",
    "--private-keys": "",
    "--response-key": "<hex>",
  }
  test("in the words of a command: options take files and public keys", async () => {
    const found: Record<string, string> = {}
    for (const { load } of table) {
      const own = Object.values((await load?.())?.options ?? {})
      for (const { flags, kind } of [...own, ...Object.values(globalOptions)]) {
        const [, name = "", value = ""] = /(--[\w-]+)(?: (<[^>]+>))?$/.exec(flags) ?? []
        if (!/pass|secret|token|key|pin|seed|mnemonic|private|credential/.test(name)) continue
        const at = kind === "list" && value === "<files>" ? `${name} (list)` : name
        const known = found[at]?.split(" ") ?? []
        found[at] = [...new Set([...known, value])].sort().join(" ")
      }
    }
    expect(found).toEqual(PUBLIC)
  })
  test("in a variable of the environment: those that are read are these", () => {
    const source = [...new Bun.Glob("**/*.ts").scanSync({ cwd: join(root, "src") })]
    const names = source.flatMap((path) =>
      [...readFileSync(join(root, "src", path), "utf8").matchAll(/\benv(?:\.|\[")([A-Z_]+)/g)].map(([, name]) => name),
    )
    expect([...new Set(names)].sort()).toEqual([
      "CREDENTIALS_DIRECTORY",
      "HOME",
      "NOTIFY_SOCKET",
      "PATH",
      // Where an agent listens that holds a key: no secret.
      "SSH_AUTH_SOCK",
      "WATCHDOG_PID",
      "WATCHDOG_USEC",
    ])
  })
  test("a private key is not taken for a public one, and not repeated", async () => {
    const xprv =
      "xprv9s21ZrQH143K3QTDL4LXw2F7HEK3wJUD2nW2nRk4stbPy6cq3jPPqjiChkVvvNKmPGJxWUtg6LnF5kejMRNNU3TGtRBeJgk33yuGBxrMPHi"
    const { exit, stdout, stderr } = await cli(["recovery", "derive", "--key", xprv, "--paths", "m/0"])
    expect(exit).not.toBe(0)
    expect(stdout + stderr).not.toContain(xprv.slice(20, 40))
    expect(stderr).toContain("E-KEY-005")
  })
})
