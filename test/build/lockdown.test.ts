/**
 * A hostile folder and a hostile environment run nothing in the binary. Each way in is first shown to work on a plain bun,
 * so that a green test means a closed door and not a trap that never sprang.
 */

import { afterAll, afterEach, describe, expect, setDefaultTimeout, test } from "bun:test"
import { existsSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { LOCKDOWN, missingLockdown } from "../../src/lockdown.ts"
import { binary, cosigner } from "../support/binary.ts"
import { temporaryFolder } from "../support/temporaryFolder.ts"

setDefaultTimeout(60_000)

const folder = temporaryFolder("hostile").path
const marker = join(folder, "EXECUTED")
const elsewhere = temporaryFolder("elsewhere").path
afterAll(() => rmSync(elsewhere, { recursive: true, force: true }))
afterAll(() => rmSync(folder, { recursive: true, force: true }))
afterEach(() => rmSync(marker, { force: true }))

const evil = join(folder, "evil.cjs")
writeFileSync(evil, `require("node:fs").writeFileSync(${JSON.stringify(marker)}, "x")\n`)
writeFileSync(join(folder, "evil.toml"), `preload = [${JSON.stringify(evil)}]\n`)
writeFileSync(join(folder, "harmless.ts"), "console.log(1)\n")
writeFileSync(join(folder, "bunfig.toml"), `preload = [${JSON.stringify(evil)}]\n`)
writeFileSync(join(folder, ".env"), `EVIL=1\nBUN_OPTIONS="--preload ${evil}"\nCREDENTIALS_DIRECTORY=${folder}\n`)
writeFileSync(join(folder, "package.json"), `{"type":"commonjs","scripts":{"version":"touch ${marker}"}}`)
writeFileSync(join(folder, "tsconfig.json"), `{"compilerOptions":{"jsx":"react","jsxImportSource":"${evil}"}}`)
writeFileSync(join(elsewhere, "status.toml"), '[status]\nenable = true\nlisten = "unix:none.sock"\n', { mode: 0o600 })
writeFileSync(join(folder, "cosigner-password"), "correct horse battery staple", { mode: 0o600 })

/** A plain bun in the same folder, with the same variables. */
function plainBun(env: Readonly<Record<string, string>>, cwd: string): void {
  Bun.spawnSync([process.execPath, join(folder, "harmless.ts")], {
    cwd,
    env: { PATH: process.env["PATH"] ?? "", HOME: cwd, ...env },
    stdout: "ignore",
    stderr: "ignore",
    timeout: 10_000,
  })
}

/** Variables, whether a plain bun falls for them, and the folder it stands in. */
const WAYS: readonly (readonly [name: string, env: Readonly<Record<string, string>>, springs: boolean, cwd: string])[] =
  [
    ["bunfig.toml in the folder", {}, true, folder],
    ["BUN_OPTIONS --preload", { BUN_OPTIONS: `--preload ${evil}` }, true, elsewhere],
    ["BUN_OPTIONS --preload=", { BUN_OPTIONS: `--preload=${evil}` }, true, elsewhere],
    ["BUN_OPTIONS --require", { BUN_OPTIONS: `--require ${evil}` }, true, elsewhere],
    ["BUN_OPTIONS --import", { BUN_OPTIONS: `--import ${evil}` }, true, elsewhere],
    ["BUN_OPTIONS --config", { BUN_OPTIONS: `--config=${folder}/evil.toml` }, true, elsewhere],
    ["BUN_INSPECT_PRELOAD", { BUN_INSPECT_PRELOAD: evil }, true, elsewhere],
    ["NODE_OPTIONS", { NODE_OPTIONS: `--require ${evil}` }, false, elsewhere],
    [
      "BUN_OPTIONS that lowers the lockdown",
      { BUN_OPTIONS: "--disallow-code-generation-from-strings=off" },
      false,
      elsewhere,
    ],
  ]

describe("nothing is run by", () => {
  for (const [name, env, springs, cwd] of WAYS) {
    test(name, async () => {
      if (springs) {
        plainBun(env, cwd)
        expect(existsSync(marker)).toBe(true)
        rmSync(marker)
      }
      const { exit, stdout, stderr } = await cosigner(["version"], { cwd, env })
      expect(existsSync(marker)).toBe(false)
      expect({ exit, stderr }).toEqual({ exit: 0, stderr: "" })
      expect(stdout).toMatch(/^v\d+\.\d+\.\d+\n/)
    })
  }

  test("a debugger port: BUN_INSPECT and its like open none, and stop nothing", async () => {
    for (const name of ["BUN_INSPECT", "BUN_INSPECT_CONNECT_TO", "BUN_INSPECT_NOTIFY"]) {
      const env = { [name]: "ws://127.0.0.1:0/x" }
      const { exit, stdout, stderr } = await cosigner(["version"], { cwd: elsewhere, env })
      expect({ name, exit, stderr, said: stdout.startsWith("v") }).toEqual({ name, exit: 0, stderr: "", said: true })
    }
  })

  test("a crash: nobody is told of it, and no program of the PATH is run", async () => {
    if (process.platform !== "linux") return
    const fake = join(elsewhere, "curl")
    writeFileSync(fake, `#!/bin/sh\n: > ${marker}\n`, { mode: 0o755 })
    for (const name of ["BUN_CRASH_REPORT_URL", "BUN_ENABLE_CRASH_REPORTING"]) {
      const env = {
        PATH: `${elsewhere}:${process.env["PATH"]}`,
        HOME: elsewhere,
        [name]: name.endsWith("URL") ? "http://127.0.0.1:9" : "1",
      }
      const crash = async (command: readonly string[], said: string): Promise<void> => {
        const child = Bun.spawn([...command], { cwd: elsewhere, env, stdin: "ignore", stdout: "pipe", stderr: "pipe" })
        const decoder = new TextDecoder()
        let text = ""
        const drain = async (stream: ReadableStream<Uint8Array>): Promise<void> => {
          for await (const chunk of stream) {
            text += decoder.decode(chunk, { stream: true })
            if (text.includes(said)) child.kill("SIGSEGV")
          }
        }
        // the report is sent by a child that holds the streams: at their end it has run
        await Promise.all([drain(child.stdout), drain(child.stderr), child.exited])
        expect(child.signalCode).toBe("SIGSEGV")
      }
      await crash([process.execPath, "-e", 'console.log("here"); setInterval(() => {}, 1000)'], "here")
      while (!existsSync(marker)) await Bun.sleep(5)
      rmSync(marker)
      // it waits for a node that is not there, and says so
      await crash([binary, "status", "--watch", "-c", join(elsewhere, "status.toml")], "E-STA-")
      // what does not come cannot be waited for: the plain one takes a few milliseconds
      await Bun.sleep(100)
      expect(existsSync(marker)).toBe(false)
    }
  })

  test("the runtime inside: BUN_BE_BUN does not make it a bun", async () => {
    if (process.platform !== "linux") return
    const env = { BUN_BE_BUN: "1" }
    const { exit, stdout } = await cosigner([evil], { cwd: elsewhere, env })
    expect({ exit, stdout, ran: existsSync(marker) }).toEqual({ exit: 1, stdout: "", ran: false })
    const code = await cosigner(["-e", `require(${JSON.stringify(evil)})`], { cwd: elsewhere, env })
    expect({ exit: code.exit, ran: existsSync(marker) }).toEqual({ exit: 1, ran: false })
  })
})

test("a .env of the folder is not read", async () => {
  // it names a credential: were it read, the refusal would be of the missing database and not of the missing password
  const { exit, stderr } = await cosigner(["info", "--db", "none.db"], { cwd: folder })
  expect(exit).toBe(3)
  expect(stderr).toContain("E-CLI-004")
  const named = await cosigner(["info", "--db", "none.db"], { cwd: folder, env: { CREDENTIALS_DIRECTORY: folder } })
  expect(named.stderr).toContain("E-STO-")
})

test("variables that switch a protection off are refused", async () => {
  for (const [name, bad, good] of [
    ["NODE_TLS_REJECT_UNAUTHORIZED", "0", "1"],
    ["BUN_CONFIG_VERBOSE_FETCH", "curl", "0"],
  ] as const) {
    const refused = await cosigner(["version"], { cwd: elsewhere, env: { [name]: bad } })
    expect({ name, exit: refused.exit, stdout: refused.stdout }).toEqual({ name, exit: 5, stdout: "" })
    expect(refused.stderr).toContain("E-CLI-012")
    expect((await cosigner(["version"], { cwd: elsewhere, env: { [name]: good } })).exit).toBe(0)
  }
})

describe("the lockdown itself", () => {
  test("is asked for whole", () => {
    expect(missingLockdown(LOCKDOWN)).toBeUndefined()
    for (const flag of LOCKDOWN) expect(missingLockdown(LOCKDOWN.filter((other) => other !== flag))).toBe(flag)
    expect(missingLockdown(["--disallow-code-generation-from-strings"])).toBe(LOCKDOWN[0])
  })
  test("a build without it refuses to start", async () => {
    const out = join(elsewhere, "unlocked")
    const made = await Bun.build({
      entrypoints: [join(import.meta.dir, "..", "..", "src", "main.ts")],
      compile: { outfile: out },
      define: { COSIGNER_BUILD: JSON.stringify({ version: "v0", mode: "compiled", commit: "c", time: "t" }) },
    })
    expect(made.success).toBe(true)
    const { exitCode, stdout, stderr } = Bun.spawnSync([out, "version"], { cwd: elsewhere, env: {} })
    expect({ exit: exitCode, stdout: stdout.toString() }).toEqual({ exit: 5, stdout: "" })
    expect(stderr.toString()).toContain("E-CLI-003")
  })
  test("is in the binary", () => {
    expect(Bun.spawnSync([binary, "version"], { cwd: elsewhere, env: {} }).exitCode).toBe(0)
  })
})
