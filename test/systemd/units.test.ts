/**
 * The units as they are installed: systemd's own tools find nothing wrong with them, the exposure stays low, and nothing
 * is written that was not asked for. No service manager runs here; what the sandbox does to a node is shown on its own.
 */

import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { copyFileSync, cpSync, existsSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { binary, cosigner, root } from "../support/binary.ts"
import { makeNode } from "../support/nodeProcess.ts"
import { temporaryFolder } from "../support/temporaryFolder.ts"

const SYSTEM = ["cosigner.service", "cosigner-waas.service", "cosigner-backup.service", "cosigner-backup.timer"]
const SERVICES = SYSTEM.filter((name) => name.endsWith(".service"))
/** 1.3 of 10; systemd-analyze counts in tenths. */
const MOST_EXPOSURE = 13

const hasAnalyze = Bun.which("systemd-analyze") !== null
if (!hasAnalyze) console.error("skipped: units are not analysed, systemd-analyze is missing (apt-get install systemd)")

const folder = temporaryFolder("units").path
afterAll(() => rmSync(folder, { recursive: true, force: true }))
const USUAL = ["--binary", "/usr/local/bin/cosigner"]
const install = (...args: readonly string[]) => cosigner(["install-service", ...args], { cwd: folder })
const analyze = (...args: readonly string[]) => {
  const { exitCode, stdout, stderr } = Bun.spawnSync(["systemd-analyze", ...args], {
    env: { PATH: process.env["PATH"] ?? "" },
  })
  return { exit: exitCode, said: stdout.toString() + stderr.toString() }
}

test("every service unsets the names that the runtime reads before our code does, or after it", () => {
  const [, list = ""] = /^const DOORS = \[(.*?)^\]/ms.exec(readFileSync(join(root, "build.ts"), "utf8")) ?? []
  const doors = list.match(/(?<=")[A-Z_]+(?=")/g) ?? []
  expect(doors.length).toBeGreaterThan(4)
  for (const name of [...SERVICES, "user/cosigner.service"]) {
    const unit = readFileSync(join(root, "systemd", name), "utf8")
    const unset = [...unit.matchAll(/^UnsetEnvironment=(.*)$/gm)].flatMap(([, names = ""]) => names.split(" "))
    expect([name, doors.filter((door) => !unset.includes(door))]).toEqual([name, []])
  }
})

test("a node's service lets its session workers lower their priority, and no other service does", () => {
  const filters = ["user/cosigner.service", ...SERVICES].map((name) => {
    const unit = readFileSync(join(root, "systemd", name), "utf8")
    return [...unit.matchAll(/^SystemCallFilter=(.*)$/gm)].map(([, filter]) => filter)
  })
  // a later line takes back what an earlier one forbade
  const strict = ["@system-service", "~@resources @privileged"]
  const node = [...strict, "setpriority"]
  expect(filters).toEqual([node, node, strict, strict])
})

describe("install-service", () => {
  const image = join(folder, "image")
  beforeAll(async () => {
    expect(await install("--dir", image, ...USUAL)).toMatchObject({ exit: 0, stderr: "" })
    expect(await install("--dir", image, "--waas", ...USUAL)).toMatchObject({ exit: 0, stderr: "" })
  })

  test("writes the files of the repository, for everybody to read", () => {
    const installed = [
      ...SYSTEM.map((name) => [name, join("etc/systemd/system", name)]),
      ...["sysusers.d/cosigner.conf", "sysusers.d/cosigner-waas.conf", "tmpfiles.d/cosigner.conf"].map((name) => [
        name,
        join("etc", name),
      ]),
    ]
    for (const [name = "", at = ""] of installed) {
      expect(readFileSync(join(image, at), "utf8")).toBe(readFileSync(join(root, "systemd", name), "utf8"))
      expect(statSync(join(image, at)).mode & 0o777).toBe(0o644)
    }
    expect(statSync(join(image, "etc/systemd")).mode & 0o777).toBe(0o755)
  })
  test("again changes nothing, and leaves alone what somebody has changed", async () => {
    expect((await install("--dir", image, ...USUAL)).exit).toBe(0)
    const unit = join(image, "etc/systemd/system/cosigner.service")
    const original = readFileSync(unit, "utf8")
    writeFileSync(unit, `${original}# mine\n`)
    rmSync(join(image, "etc/sysusers.d/cosigner.conf"))
    const refused = await install("--dir", image, ...USUAL)
    expect(refused.exit).toBe(1)
    expect(refused.stderr).toContain("E-OPS-010")
    expect(readFileSync(unit, "utf8")).toEndWith("# mine\n")
    expect(existsSync(join(image, "etc/sysusers.d/cosigner.conf"))).toBe(false)
    expect((await install("--dir", image, "--force", ...USUAL)).exit).toBe(0)
    expect(readFileSync(unit, "utf8")).toBe(original)
  })
  test("names the program where it really is, if the sandbox can see it there", async () => {
    const at = "/opt/cosigner/bin/cosigner"
    const { exit, stdout } = await install("--print", "--binary", at)
    expect(exit).toBe(0)
    expect(stdout).toContain(`ExecStart=${at} start`)
    expect(stdout).toContain(`ExecPaths=${at} `)
    expect(stdout).not.toContain("/usr/local/bin/")
    const home = await install("--print", "--binary", "/home/me/cosigner")
    expect(home.exit).toBe(1)
    expect(home.stderr).toContain("E-OPS-011")
    for (const strange of ["cosigner", "/opt/co signer", "/opt/%n/cosigner", "/opt/x\nUser=root"]) {
      const refused = await install("--print", "--binary", strange)
      expect({ exit: refused.exit, code: /E-CLI-\d+/.exec(refused.stderr)?.[0] }).toEqual({
        exit: 1,
        code: "E-CLI-002",
      })
    }
  })
  test("--print writes nothing, --json is for programs, --user is for one's own home", async () => {
    const empty = join(folder, "empty")
    const { stdout } = await install("--print", "--json", "--dir", empty, ...USUAL)
    const files: unknown = JSON.parse(stdout)
    expect(Array.isArray(files) && files.length).toBe(5)
    expect(existsSync(empty)).toBe(false)
    expect((await install("--user")).exit).toBe(0)
    const unit = readFileSync(join(folder, ".config/systemd/user/cosigner.service"), "utf8")
    expect(unit).toContain(`ExecStart=${binary} start --prod --key-file .password`)
    expect((await install("--user", "--waas")).exit).toBe(1)
  })
})

describe.skipIf(!hasAnalyze)("systemd-analyze", () => {
  const image = join(folder, "verified")
  beforeAll(async () => {
    await install("--dir", image, ...USUAL)
    await install("--dir", image, "--waas", ...USUAL)
    for (const path of ["usr/local/bin", "bin", "usr/lib/systemd"]) mkdirSync(join(image, path), { recursive: true })
    copyFileSync("/bin/kill", join(image, "bin/kill"))
    // any executable will do: only that it is there is looked at
    copyFileSync("/bin/kill", join(image, "usr/local/bin/cosigner"))
    cpSync("/usr/lib/systemd/system", join(image, "usr/lib/systemd/system"), {
      recursive: true,
      verbatimSymlinks: true,
    })
  })

  test("verifies every unit without a word", () => {
    for (const name of SYSTEM) {
      expect({ name, ...analyze("verify", "--man=no", `--root=${image}`, `/etc/systemd/system/${name}`) }).toEqual({
        name,
        exit: 0,
        said: "",
      })
    }
  })
  test("does find a mistake", () => {
    const at = join(image, "etc/systemd/system/wrong.service")
    writeFileSync(
      at,
      readFileSync(join(root, "systemd/cosigner.service"), "utf8").replace("RestrictRealtime=", "RestrictRealTime="),
    )
    expect(analyze("verify", "--man=no", `--root=${image}`, "/etc/systemd/system/wrong.service").said).toContain(
      "RestrictRealTime",
    )
    rmSync(at)
  })
  test("rates the exposure of every service low", () => {
    for (const name of SERVICES) {
      const { exit, said } = analyze(
        "security",
        "--offline=true",
        `--threshold=${MOST_EXPOSURE}`,
        join(root, "systemd", name),
      )
      expect({ name, exit, rated: said.includes("Overall exposure level") }).toEqual({ name, exit: 0, rated: true })
    }
    expect(
      analyze("security", "--offline=true", "--threshold=1", join(root, "systemd/cosigner.service")).exit,
    ).not.toBe(0)
  })
})

describe("units that stand in the field", () => {
  const canUnshare = process.getuid?.() === 0 && Bun.spawnSync(["unshare", "-m", "true"]).exitCode === 0
  if (!canUnshare) console.error("skipped: a read-only system cannot be played without root")

  /** What ProtectSystem=strict with ReadWritePaths makes of the system (formats.md 4.5). */
  const SANDBOX = `
    cd "$1"; shift
    for d in db logs recovery configs backups; do mount --bind $d $d; done
    mount -t tmpfs tmpfs /var/tmp
    mount -o remount,bind,ro /
    for at in /home /work /tmp; do mountpoint -q $at && mount -o remount,bind,ro $at; done
    touch ./outside 2>/dev/null && { echo "the sandbox leaks"; exit 9; }
    exec "$@"`

  test.skipIf(!canUnshare)("start a node that may write to its five folders alone", async () => {
    using node = await makeNode()
    node.configure("env = 'production'\n[embedded_risk_control_rules]\nenable = true\n[log.file]\nenable = true")
    const through = ["unshare", "-m", "bash", "-c", SANDBOX, "sandbox", node.dir]
    const args = [
      "--prod",
      "--config",
      join(node.dir, "configs/cosigner.toml"),
      "--db",
      join(node.dir, "db/secrets.db"),
    ]
    await using it = node.start({ through, args })
    await it.line(/WebSocket connecting/)
    it.signal("SIGTERM")
    expect((await it.ended).exit).toBe(0)
    expect(existsSync(join(node.dir, "logs/cosigner.log"))).toBe(true)
  })
})

test("every service says which machine it needs, on an older one and on another architecture", () => {
  for (const name of ["cosigner.service", "cosigner-waas.service", "user/cosigner.service"]) {
    const [unit = ""] = readFileSync(join(root, "systemd", name), "utf8").split("\n[Service]\n")
    // with | one of them has to hold
    expect([name, unit.match(/^Assert.*$/gm)]).toEqual([name, ["AssertCPUFeature=|avx2", "AssertArchitecture=|arm64"]])
  }
})
