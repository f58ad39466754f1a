/** What cannot be arranged on a test machine: clocks, full disks, a node that is not hardened. */

import { describe, expect, test } from "bun:test"
import { chownSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { spaceFinding } from "../../src/cli/doctor/files.ts"
import { exitOf, type FindingLevel, linesOf, worst } from "../../src/cli/doctor/finding.ts"
import { checkClock } from "../../src/cli/doctor/network.ts"
import { checkRunning } from "../../src/cli/doctor/running.ts"
import { temporaryFolder } from "../support/temporaryFolder.ts"

const sectionsOf = (...levels: readonly FindingLevel[]) => [
  { name: "a", findings: levels.map((level) => ({ check: "a.b", level, text: "x" })) },
]

describe("the exit code", () => {
  test("is that of the worst finding", () => {
    const exit = (...levels: readonly FindingLevel[]) => exitOf(worst(sectionsOf(...levels)))
    expect([exit(), exit("ok"), exit("ok", "skipped")]).toEqual([0, 0, 0])
    expect([exit("ok", "warning", "skipped"), exit("failure", "warning", "ok")]).toEqual([1, 2])
  })
  test("belongs to a sum that counts every finding", () => {
    expect(linesOf(sectionsOf("ok", "failure", "failure", "warning")).at(-1)).toBe(
      "1 ok, 1 warnings, 2 failures, 0 skipped",
    )
  })
})

test("a clock that is off is told with its measure, both ways", () => {
  const level = (ms: number) => checkClock("c", "WaaS", ms).level
  expect([level(0), level(4999), level(-4999)]).toEqual(["ok", "ok", "ok"])
  expect([level(5000), level(-5000), level(59_999)]).toEqual(["warning", "warning", "warning"])
  expect([level(60_000), level(-71_000)]).toEqual(["failure", "failure"])
  expect(checkClock("c", "WaaS", -71_000)).toMatchObject({ code: "E-OPS-108" })
  expect(checkClock("c", "WaaS", -71_000).text).toContain("71000 ms behind")
})

test("a disk that fills is a warning, then a failure", () => {
  const level = (megabytes: number) => spaceFinding("db", megabytes * 1024 * 1024).level
  expect([level(1024), level(1023), level(64), level(63), level(0)]).toEqual([
    "ok",
    "warning",
    "warning",
    "failure",
    "failure",
  ])
})

const canLock = process.platform === "linux" && Bun.which("python3") !== null
if (!canLock) console.error("skipped: a process that holds a lock needs Linux and python3")

test.skipIf(!canLock)("a node that is not hardened is found by the lock it holds", async () => {
  const folder = temporaryFolder("doctor").path
  const db = join(folder, "secrets.db")
  writeFileSync(`${db}.lock`, "x")
  const HOLD = `import fcntl, os, sys, time
os.umask(0o022)
f = open(sys.argv[1], "r+")
fcntl.lockf(f, fcntl.LOCK_EX)
print("held", flush=True)
time.sleep(30)`
  // of root's own processes /proc does not tell whether they are undumpable
  const isRoot = process.getuid?.() === 0
  const other = isRoot ? ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"] : []
  if (isRoot) for (const path of [folder, `${db}.lock`]) chownSync(path, 65534, 65534)
  const command = ["prlimit", "--core=1:1", ...other, "/usr/bin/env", "python3", "-c", HOLD, `${db}.lock`]
  const child = Bun.spawn(command, { stdout: "pipe" })
  try {
    await child.stdout.getReader().read()
    const [found] = checkRunning(db)
    expect(found).toMatchObject({ level: "warning", code: "E-OPS-115" })
    for (const lack of [`process ${child.pid}`, "core dumps", "privileges", "read its memory", "read by others"]) {
      expect(found?.text).toContain(lack)
    }
  } finally {
    child.kill()
    await child.exited
  }
  expect(checkRunning(db)[0]?.level).toBe("skipped")
  rmSync(folder, { recursive: true })
})
