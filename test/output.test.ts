/** The standard streams when they fail: a result that is lost is an error, a remark that is lost is not. */
import { expect, test } from "bun:test"
import { closeSync, existsSync, openSync } from "node:fs"
import { join } from "node:path"
import { output } from "../src/output.ts"

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

/** Moves the cursor up and deletes there, in both spellings; turns the order of letters; is not seen. Then what stays. */
const HOSTILE = "a\u001b[1A\u009b2K\r\u202eb\u200bc\n\td é 😀"
const SEEN = "a\\u001b[1A\\u009b2K\\u000d\\u202eb\\u200bc\n\td é 😀\n"

test("text of strangers does not drive the terminal, whichever way it is printed", () => {
  const said: string[] = []
  const write = (fd: 1 | 2, text: string) => void said.push(`${fd}${text}`)
  output(false, write).line(HOSTILE)
  output(false, write).result({}, [HOSTILE])
  output(true, write).note(HOSTILE)
  expect(said).toEqual([`1${SEEN}`, `1${SEEN}`, `2${SEEN}`])
  output(true, write).value({ text: HOSTILE })
  const json = said.at(-1)?.slice(1) ?? ""
  expect(json).toMatch(/^[ -~é😀]+\n$/u)
  expect(JSON.parse(json)).toEqual({ text: HOSTILE })
})
