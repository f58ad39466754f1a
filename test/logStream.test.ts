/** A log's stream whose reader hangs: nothing waits, and what has no room is counted. */
import { expect, test } from "bun:test"
import { closeSync, constants, openSync, readSync, rmSync } from "node:fs"
import { join } from "node:path"
import { MAX_QUEUED_BYTES, waitingStream } from "../src/logStream.ts"
import { temporaryFolder } from "./support/temporaryFolder.ts"

/** A pipe: `writer` blocks as a process's stderr does, `reader` does not. */
function pipe() {
  const folder = temporaryFolder("pipe").path
  const path = join(folder, "stderr")
  Bun.spawnSync(["mkfifo", path])
  const reader = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK)
  const writer = openSync(path, constants.O_WRONLY)
  return {
    writer,
    /** What is in it now. */
    read(): string {
      const buffer = Buffer.alloc(1024 * 1024)
      try {
        return buffer.subarray(0, readSync(reader, buffer)).toString()
      } catch {
        return ""
      }
    },
    [Symbol.dispose]() {
      closeSync(reader)
      closeSync(writer)
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

const lost = (count: number) => `lost ${count}\n`
const lineOf = (nth: number) => `${String(nth).padStart(99, "0")}\n`

test("lines go out at once while there is a reader", () => {
  using to = pipe()
  const stream = waitingStream(to.writer, false, lost)
  stream.write("a\n")
  expect(to.read()).toBe("a\n")
  stream.write("b\n")
  expect(to.read()).toBe("b\n")
})

test("a reader that hangs costs no time; later it finds all that had room, in order, and how many had none", async () => {
  using to = pipe()
  const stream = waitingStream(to.writer, false, lost)
  const count = Math.ceil((3 * MAX_QUEUED_BYTES) / 100)
  const begun = performance.now()
  for (let i = 0; i < count; i++) stream.write(lineOf(i))
  expect(performance.now() - begun).toBeLessThan(3_000)
  let got = ""
  while (!got.includes("lost")) {
    got += to.read()
    await Bun.sleep(5)
  }
  stream.write("after\n")
  while (!got.endsWith("after\n")) {
    got += to.read()
    await Bun.sleep(5)
  }
  const lines = got.split("\n").slice(0, -1)
  const kept = lines.slice(0, -2)
  expect(kept.map(Number)).toEqual(kept.map((_, i) => i))
  expect(lines.slice(-2)).toEqual([`lost ${count - kept.length}`, "after"])
  expect(kept.length * 100).toBeGreaterThanOrEqual(MAX_QUEUED_BYTES - 100)
})

test("the end waits only so long for a reader that hangs", () => {
  using to = pipe()
  const stream = waitingStream(to.writer, false, lost)
  for (let i = 0; i < 2_000; i++) stream.write(lineOf(i))
  const begun = performance.now()
  stream.end(100)
  expect(performance.now() - begun).toBeWithin(90, 1_000)
})
