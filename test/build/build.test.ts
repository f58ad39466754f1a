import { afterAll, describe, expect, setDefaultTimeout, test } from "bun:test"
import { createHash } from "node:crypto"
import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { binary, root } from "../support/binary.ts"
import { temporaryFolder } from "../support/temporaryFolder.ts"

// each build writes 200 MB; a loaded machine takes its time
setDefaultTimeout(120_000)

const folder = temporaryFolder("build").path
afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** A second checkout, with the packages of this one. */
function checkout(name: string, from: string): string {
  const at = join(folder, name)
  mkdirSync(at)
  for (const part of ["src", "systemd", "build.ts", "package.json", "package-lock.json", "tsconfig.json"]) {
    cpSync(join(from, part), join(at, part), { recursive: true })
  }
  symlinkSync(join(root, "node_modules"), join(at, "node_modules"))
  return at
}

const SOURCE = { SOURCE_COMMIT: "0".repeat(40), SOURCE_DATE_EPOCH: "1767225600" }

function build(at: string, ...args: readonly string[]): { readonly exit: number; readonly stderr: string } {
  const env = { PATH: process.env["PATH"] ?? "", HOME: folder, ...SOURCE }
  const { exitCode, stderr } = Bun.spawnSync([process.execPath, "build.ts", ...args], { cwd: at, env })
  return { exit: exitCode, stderr: stderr.toString() }
}

const sumOf = (path: string): string => createHash("sha256").update(readFileSync(path)).digest("hex")

describe("a build", () => {
  const here = checkout("here", root)
  const there = checkout("a longer name there", here)

  test("is the same bytes in another checkout, and says when and of what it was made", () => {
    expect(build(here)).toMatchObject({ exit: 0 })
    expect(build(there)).toMatchObject({ exit: 0 })
    const sum = sumOf(join(here, "dist", "cosigner"))
    expect(sumOf(join(there, "dist", "cosigner"))).toBe(sum)
    expect(readFileSync(join(here, "dist", "SHA256SUMS"), "utf8")).toBe(`${sum}  cosigner\n`)
    const { stdout } = Bun.spawnSync([join(here, "dist", "cosigner"), "version", "--json"], { cwd: folder })
    expect(JSON.parse(stdout.toString())).toMatchObject({
      mode: "compiled",
      commit: "0".repeat(40),
      time: "20260101T000000",
    })
  })
  test("leaves nothing else behind, and is not repeated without need", () => {
    const dist = join(here, "dist")
    expect(readdirSync(dist).sort()).toEqual([".inputs", "SHA256SUMS", "cosigner"])
    expect(build(here, "--if-stale")).toEqual({ exit: 0, stderr: "" })
    writeFileSync(join(dist, "cosigner"), "tampered")
    expect(build(here, "--if-stale").stderr).not.toBe("")
    expect(sumOf(join(dist, "cosigner"))).toBe(sumOf(join(there, "dist", "cosigner")))
  })
  test("with another bun than the pinned one is refused", () => {
    const pinned = readFileSync(join(there, "package.json"), "utf8")
    writeFileSync(join(there, "package.json"), pinned.replace(/"bun": "[^"]+"/, '"bun": "1.0.0"'))
    expect(build(there).exit).not.toBe(0)
  })
})

describe("`cosigner version`", () => {
  test("line 1 is the version alone, also when only that line is read", () => {
    const script = `set -o pipefail; for i in 1 2 3 4 5 6 7 8 9 10; do "$0" version 2>&1 | head -1 || exit 9; done`
    const { exitCode, stdout } = Bun.spawnSync(["bash", "-c", script, binary], { cwd: folder })
    expect(exitCode).toBe(0)
    const { version } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"))
    expect(stdout.toString()).toBe(`v${version}\n`.repeat(10))
  })
})
