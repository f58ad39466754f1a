/** init, info and config on the real binary, as the scripts in the field run them and read them (formats.md 4). */

import { afterAll, describe, expect, setDefaultTimeout, test } from "bun:test"
import { createPublicKey } from "node:crypto"
import { existsSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { parseNodeId } from "../../src/wire/nodeId.ts"
import { binary, cosigner } from "../support/binary.ts"
import { temporaryFolder } from "../support/temporaryFolder.ts"

setDefaultTimeout(60_000)

const folder = temporaryFolder("cli").path
afterAll(() => rmSync(folder, { recursive: true, force: true }))
const PASSWORD = "correct horse battery staple"

let made = 0
function place(): string {
  const cwd = join(folder, `node${made++}`)
  Bun.spawnSync(["mkdir", cwd])
  writeFileSync(join(cwd, ".password"), PASSWORD, { mode: 0o600 })
  return cwd
}
const modeOf = (path: string): string => (statSync(path).mode & 0o777).toString(8)

/** What the vendor's CLI takes for the node id: the word after `Node ID:` on the first line that has it. */
const nodeIdIn = (text: string): string => /^.*Node ID:\s+(\S+)/m.exec(text)?.[1] ?? ""
const pemIn = (text: string): string =>
  /-----BEGIN PUBLIC KEY-----[\s\S]+?-----END PUBLIC KEY-----/.exec(text)?.[0] ?? ""

describe("a node's first day", () => {
  const cwd = place()
  const flags = ["--key-file", ".password", "--db", "db/secrets.db"]
  let id = ""

  test("init makes the database and says what the scripts wait for", async () => {
    const { exit, stdout, stderr } = await cosigner(["init", ...flags], { cwd })
    expect({ exit, stderr }).toEqual({ exit: 0, stderr: "" })
    id = nodeIdIn(stdout + stderr)
    expect(parseNodeId(id)).toBeDefined()
    const lines = stdout.split("\n")
    expect(lines[0]).toBe("Initialize database: db/secrets.db")
    expect(lines[1]).toBe(`Initialize Node ID: ${id}`)
    expect(lines[2]).toBe("Generate callback public key:")
    expect(lines.slice(-4)).toEqual([
      "Start to initialize TSS parameters; the process may take several minutes",
      "Complete initialization of TSS parameters",
      "Complete initialization of TSS Node keys and data",
      "",
    ])
    expect(createPublicKey(pemIn(stdout)).asymmetricKeyDetails?.modulusLength).toBe(2048)
  })
  test("with the folders that its services need, private", () => {
    for (const name of ["configs", "db", "logs", "recovery", "backups"]) expect(modeOf(join(cwd, name))).toBe("700")
    expect(modeOf(join(cwd, "db", "secrets.db"))).toBe("600")
  })
  test("the database shows no name, no id, no password and no key", () => {
    const bytes = readFileSync(join(cwd, "db", "secrets.db")).toString("latin1")
    for (const word of [id, PASSWORD, "PRIVATE", "cosigner-password"]) expect(bytes).not.toContain(word)
  })
  test("a second init changes nothing", async () => {
    const before = readFileSync(join(cwd, "db", "secrets.db"))
    const { exit, stdout, stderr } = await cosigner(["init", ...flags], { cwd })
    expect({ exit, stdout }).toEqual({ exit: 3, stdout: "" })
    expect(stderr).toContain("E-STO-001")
    expect(readFileSync(join(cwd, "db", "secrets.db")).equals(before)).toBe(true)
  })
  test("info says who it is, with flags before or after", async () => {
    const after = await cosigner(["info", ...flags], { cwd })
    const before = await cosigner([...flags, "info"], { cwd })
    expect(after).toEqual(before)
    expect(after).toMatchObject({ exit: 0, stderr: "" })
    expect(after.stdout).toStartWith(`Node ID: ${id}\nCallback public key:\n-----BEGIN PUBLIC KEY-----\n`)
    const json = JSON.parse((await cosigner(["info", "--json", ...flags], { cwd })).stdout)
    expect(json).toEqual({ node_id: id, callback_public_key: `${pemIn(after.stdout)}\n`, db: "db/secrets.db" })
  })
  test("info group: none yet, and none of that name", async () => {
    const all = await cosigner(["info", "group", ...flags], { cwd })
    expect(all).toEqual({ exit: 0, stdout: "Total number of groups: 0, from db/secrets.db\n", stderr: "" })
    const one = await cosigner(["info", "group", "OoQGkknsPdPjLCmSuuSf", ...flags], { cwd })
    expect({ exit: one.exit, stdout: one.stdout }).toEqual({ exit: 1, stdout: "" })
    expect(one.stderr).toContain("E-CLI-011")
    expect((await cosigner(["info", "group", "--json", ...flags], { cwd })).stdout).toBe("[]\n")
  })
  test("a wrong password opens nothing", async () => {
    writeFileSync(join(cwd, "other"), `${PASSWORD}!`, { mode: 0o600 })
    const { exit, stdout, stderr } = await cosigner(["info", "--key-file", "other"], { cwd })
    expect({ exit, stdout }).toEqual({ exit: 3, stdout: "" })
    expect(stderr).toContain("E-STO-004")
  })
})

describe("a password", () => {
  test("that nobody can be asked for is an error at once", async () => {
    const cwd = place()
    const { exit, stderr } = await cosigner(["init"], { cwd })
    expect(exit).toBe(3)
    expect(stderr).toContain("E-CLI-004")
    expect(existsSync(join(cwd, "db"))).toBe(false)
  })
  test("in a file that others may read is refused, unless that is allowed by name", async () => {
    const cwd = place()
    writeFileSync(join(cwd, "open"), PASSWORD, { mode: 0o644 })
    const refused = await cosigner(["init", "--key-file", "open"], { cwd })
    expect(refused.exit).toBe(3)
    expect(refused.stderr).toContain("E-CLI-007")
    expect(readdirSync(cwd).sort()).toEqual([".password", "open"])
    expect((await cosigner(["init", "--key-file", "open", "--danger-allow-readable-key-file"], { cwd })).exit).toBe(0)
  })
  test("may come from the configuration, or as a credential of the service", async () => {
    const cwd = place()
    writeFileSync(join(cwd, "cosigner-password"), PASSWORD, { mode: 0o400 })
    const env = { CREDENTIALS_DIRECTORY: cwd }
    expect((await cosigner(["init"], { cwd, env })).exit).toBe(0)
    writeFileSync(join(cwd, "configs", "cosigner.toml"), '[db]\nkey_file = ".password"\n')
    expect((await cosigner(["info"], { cwd })).exit).toBe(0)
  })
})

describe("on a terminal", () => {
  interface Session {
    readonly exit: number | null
    readonly shown: string
  }
  /** Types each answer as soon as its prompt is there. */
  async function session(
    args: readonly string[],
    cwd: string,
    answers: readonly (readonly [string, string])[],
  ): Promise<Session> {
    let shown = ""
    let from = 0
    const left = [...answers]
    const child = Bun.spawn([binary, ...args], {
      cwd,
      env: { HOME: cwd },
      terminal: {
        cols: 120,
        rows: 40,
        data(terminal, bytes) {
          shown += Buffer.from(bytes).toString()
          const [prompt, answer] = left[0] ?? ["\0", ""]
          const at = shown.indexOf(prompt, from)
          if (at < 0) return
          from = at + prompt.length
          left.shift()
          terminal.write(answer)
        },
      },
    })
    const timer = setTimeout(() => child.kill(), 15_000)
    await child.exited
    clearTimeout(timer)
    child.terminal?.close()
    return { exit: child.exitCode, shown }
  }
  const FIRST = "Type password (at least 16 characters): "
  const AGAIN = "Retype password: "

  test("init asks twice, info group once, and nothing typed is shown", async () => {
    const cwd = place()
    const init = await session(["init"], cwd, [
      [FIRST, `wrong\u0015${PASSWORD}x\u007f\r`],
      [AGAIN, `${PASSWORD}\r`],
    ])
    expect(init.exit).toBe(0)
    expect(init.shown).toStartWith(`${FIRST}\r\n${AGAIN}\r\n`)
    const info = await session(["info", "group"], cwd, [["Enter password: ", `${PASSWORD}\r`]])
    expect(info.exit).toBe(0)
    expect(info.shown).toStartWith("Enter password: \r\nTotal number of groups: 0")
    expect(init.shown + info.shown).not.toContain("horse")
  })
  test("two different ones, a short one, and Ctrl-C make nothing", async () => {
    const cwd = place()
    const differ = await session(["init"], cwd, [
      [FIRST, `${PASSWORD}\r`],
      [AGAIN, `${PASSWORD}!\r`],
    ])
    const short = await session(["init"], cwd, [
      [FIRST, "too short\r"],
      [AGAIN, "too short\r"],
    ])
    const broken = await session(["init"], cwd, [[FIRST, "half a pass\u0003"]])
    expect([differ.exit, short.exit, broken.exit]).toEqual([3, 3, 3])
    expect([differ.shown, short.shown, broken.shown].map((shown) => /E-CLI-\d{3}/.exec(shown)?.[0])).toEqual([
      "E-CLI-006",
      "E-CLI-005",
      "E-CLI-008",
    ])
    expect(readdirSync(cwd)).toEqual([".password"])
  })
})

describe("config", () => {
  test("init, check, show, from nothing to a configuration that starts", async () => {
    const cwd = place()
    const path = join(cwd, "configs", "cosigner.toml")
    expect((await cosigner(["config", "init"], { cwd })).exit).toBe(0)
    expect([modeOf(join(cwd, "configs")), modeOf(path)]).toEqual(["700", "600"])
    const again = await cosigner(["config", "init"], { cwd })
    expect(again.exit).toBe(2)
    expect(again.stderr).toContain("E-CFG-009")
    expect((await cosigner(["config", "check"], { cwd })).exit).toBe(2)
    const filled = readFileSync(path, "utf8")
      .replace(/^#url = "wss.*$/m, 'url = "wss://waas.example.com/ws"')
      .replace(/^#waas_public_key = /m, "waas_public_key = ")
    writeFileSync(path, filled)
    expect((await cosigner(["config", "check"], { cwd })).stdout).toStartWith("E-CFG-010")
    writeFileSync(
      path,
      filled.replace(/^(\[embedded_risk_control_rules\]\n(?:#.*\n)*?)#enable = false/m, "$1enable = true"),
    )
    expect(await cosigner(["config", "check"], { cwd })).toMatchObject({ exit: 0, stderr: "" })
    const shown = JSON.parse((await cosigner(["config", "show", "--json", "--db", "x.db"], { cwd })).stdout)
    expect(shown).toMatchObject({ websocket: { url: "wss://waas.example.com/ws" }, db: { path: "x.db" } })
    expect((await cosigner(["config", "init", "--force"], { cwd })).exit).toBe(0)
    expect(readFileSync(path, "utf8")).not.toBe(filled)
  })
  test("a mistake is named with its line, and --json says the same", async () => {
    const cwd = place()
    writeFileSync(join(cwd, "c.toml"), "env = 'production'\n[callback]\nretry_tmes = 3\n")
    const { exit, stdout, stderr } = await cosigner(["config", "check", "-c", "c.toml", "--json"], { cwd })
    expect(exit).toBe(2)
    expect(stderr).toContain("c.toml:3: callback.retry_tmes")
    expect(JSON.parse(stdout).error.code).toBe("E-CFG-003")
  })
})

test("an unknown command ends with 1", async () => {
  expect(await cosigner(["strat"], { cwd: folder })).toMatchObject({ exit: 1, stdout: "" })
})
