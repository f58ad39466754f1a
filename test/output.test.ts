/** The standard streams when they fail: a result that is lost is an error, a remark that is lost is not. */
import { expect, test } from "bun:test"
import { closeSync, existsSync, openSync } from "node:fs"
import { join } from "node:path"

/** Writes to one stream, says "went on" on the other, with `full` leading to a full disk. */
function write(fd: 1 | 2, full: 1 | 2) {
  const program = `
    import { writeAll } from ${JSON.stringify(join(import.meta.dir, "../src/output.ts"))}
    try { writeAll(${fd}, "x") } catch (error) { writeAll(${3 - fd}, error.code + " ") }
    writeAll(${3 - full}, "went on")`
  const device = openSync("/dev/full", "w")
  try {
    const { stdout, stderr, exitCode } = Bun.spawnSync([process.execPath, "-e", program], {
      stdio: ["ignore", full === 1 ? device : "pipe", full === 2 ? device : "pipe"],
    })
    return { said: String(full === 1 ? stderr : stdout), exitCode }
  } finally {
    closeSync(device)
  }
}

test.skipIf(!existsSync("/dev/full"))("a full disk: a result is an error, a log line is dropped", () => {
  expect(write(1, 1)).toEqual({ said: "E-CLI-013 went on", exitCode: 0 })
  expect(write(2, 2)).toEqual({ said: "went on", exitCode: 0 })
})
