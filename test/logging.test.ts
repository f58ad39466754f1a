import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { readdirSync, readFileSync, renameSync, rmSync, statSync, symlinkSync } from "node:fs"
import { join } from "node:path"
import { CosignerError, describe as described, errorText } from "../src/errors.ts"
import { LEVELS, type Level } from "../src/log.ts"
import { openLog } from "../src/logging.ts"
import { formatLine, textLog } from "../src/logText.ts"
import { Secret } from "../src/secret.ts"
import { fullPipe } from "./support/fullPipe.ts"
import { temporaryFolder } from "./support/temporaryFolder.ts"

const folder = temporaryFolder("log").path
let umask = 0
beforeAll(() => {
  umask = process.umask(0o077)
})
afterAll(() => {
  process.umask(umask)
  rmSync(folder, { recursive: true, force: true })
})

const time = new Date("2026-01-13T05:12:04.567Z")
const line = (message: string, fields = {}, level: Level = "info") => ({ time, level, message, fields })

describe("a line", () => {
  test("has the forms that scripts and people know", () => {
    const of = line("Start to register service", { attempt: 2, url: "wss://a/ws", why: "no route" })
    expect(formatLine(of, "terminal")).toBe(
      'INFO[2026-01-13T05:12:04Z] Start to register service attempt=2 url=wss://a/ws why="no route"',
    )
    expect(formatLine(of, "logfmt")).toBe(
      'time="2026-01-13T05:12:04Z" level=info msg="Start to register service" attempt=2 url=wss://a/ws why="no route"',
    )
    expect(JSON.parse(formatLine(of, "json"))).toEqual({
      time: "2026-01-13T05:12:04.567Z",
      level: "info",
      msg: "Start to register service",
      attempt: 2,
      url: "wss://a/ws",
      why: "no route",
    })
  })
  test("is one line, whatever it holds", () => {
    const hostile = "a\nlevel=error msg=forged\r\u001b[2J\u0085\u009b31m\u202eevil\u2066x\u2069\u200f\u2028z"
    for (const format of ["terminal", "logfmt", "json"] as const) {
      const text = formatLine(line(hostile, { hostile, list: [hostile], [`k`]: new Error(hostile) }), format)
      // biome-ignore lint/suspicious/noControlCharactersInRegex: that there are none is the point
      expect(text).not.toMatch(/[\u0000-\u001f\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2066-\u2069]/)
      expect(text).toContain("\\u009b31m\\u202eevil")
    }
    const json = formatLine(line(hostile, { hostile }), "json")
    expect(JSON.parse(json)).toMatchObject({ msg: hostile, hostile })
  })
  test("holds no secret, at any depth", () => {
    const secret = Secret.from(Buffer.from("hunter2"))
    for (const format of ["terminal", "logfmt", "json"] as const) {
      const text = formatLine(line("x", { secret, inner: { deep: [secret] }, bytes: `${secret}` }), format)
      expect(text.match(/\[secret\]/g)).toHaveLength(3)
      expect(text).not.toContain("hunter2")
      expect(text).not.toContain("104, 117")
    }
  })
  test("takes what JSON cannot: BigInts, circles, errors", () => {
    const circle: Record<string, unknown> = { n: 1n }
    circle["self"] = circle
    const e = new CosignerError("E-CLI-008", {})
    const list = Array.from({ length: 40 }, (_, n) => n)
    expect(JSON.parse(formatLine(line("x", { circle, n: 5n, e, list, u: undefined }), "json"))).toMatchObject({
      n: "5n",
      e: described(e),
      u: "undefined",
      circle: "{ n: 1n, self: { n: 1n, self: { n: 1n, self: '[object]' } } }",
      list: `[ ${list.slice(0, 32).join(", ")}, ... 1 more item ]`,
    })
  })
  test("tells of bytes and of objects of a class what they are, at any depth, and never what is in them", () => {
    class Key {
      readonly bytes = Buffer.from("hunter2")
    }
    const hidden = [
      Buffer.from("hunter2"),
      new Uint8Array(Buffer.from("hunter2")),
      new Uint8Array(Buffer.from("hunter2")).buffer,
    ]
    const other = [
      new Key(),
      new Map([["k", hidden[0]]]),
      new Set(hidden),
      Object.create(null, { b: { value: hidden[1] } }),
    ]
    const deep = { a: { b: { c: { d: hidden } } } }
    for (const format of ["terminal", "logfmt", "json"] as const) {
      for (const field of [
        ...hidden,
        ...other,
        hidden,
        { hidden },
        { inner: { hidden } },
        [[[hidden]]],
        deep,
        { other },
      ]) {
        const text = formatLine(line("x", { field }), format)
        expect(text).not.toContain("hunter2")
        expect(text).not.toMatch(/104|68.?75|aHVudGVy/)
      }
      expect(formatLine(line("x", { field: hidden[1] }), format)).toContain("[7 bytes]")
      expect(formatLine(line("x", { field: new Key() }), format)).toContain("[Key]")
    }
  })
  test("says of a stranger's error what it is and where it was, never what it quotes; of ours and the system's, all", () => {
    const quoting = (() => {
      try {
        return JSON.parse('{"password": hunter2}')
      } catch (error) {
        return error
      }
    })()
    expect(String(quoting)).toContain("hunter2")
    const system = Object.assign(new Error("ENOSPC: no space left on device, write"), {
      code: "ENOSPC",
      errno: -28,
      syscall: "write",
    })
    for (const format of ["terminal", "logfmt", "json"] as const) {
      const said = formatLine(line("x", { why: quoting, inner: [quoting] }), format)
      expect(said).toMatch(/SyntaxError at logging\.test\.ts:\d+:\d+.*SyntaxError at logging\.test\.ts/)
      expect(said).not.toContain("hunter2")
      expect(formatLine(line("x", { why: system }), format)).toContain("ENOSPC: no space left on device, write")
    }
    expect(errorText("hunter2")).not.toContain("hunter2")
    expect(errorText(Object.assign(new Error("hunter2"), { code: "SQLITE_FULL" }))).toMatch(/^Error SQLITE_FULL at /)
    expect(errorText(Object.assign(new Error("x"), { code: "hunter2 is my password" }))).not.toContain("hunter2")
    // a message of several lines does not pass for a place
    expect(errorText(new Error("x\n    (hunter2.ts:1:2)"))).toMatch(/^Error at logging\.test\.ts:/)
  })
})

test("levels: what is less important is not written", () => {
  const lines: string[] = []
  const log = textLog("warn", "terminal", (text) => lines.push(text))
  log.error("e")
  log.warn("w")
  log.info("i")
  log.debug("d")
  log.trace("t", () => ({}))
  expect(lines.map((text) => text.slice(0, 4))).toEqual(["ERRO", "WARN"])
})

describe("trace", () => {
  const told = (least: Level) => {
    const lines: string[] = []
    let asked = 0
    const count = () => {
      asked += 1
      return { asked }
    }
    textLog(least, "logfmt", (text) => lines.push(text)).trace("passed", count)
    return { asked, lines }
  }
  test("is the last level, and says itself by that name", () => {
    expect(LEVELS.at(-1)).toBe("trace")
    const { asked, lines } = told("trace")
    expect(asked).toBe(1)
    expect(lines[0]).toEndWith('level=trace msg="passed" asked=1\n')
    expect(formatLine(line("x", {}, "trace"), "terminal")).toBe("TRAC[2026-01-13T05:12:04Z] x")
  })
  test("that is off makes nothing, at any other level", () => {
    for (const level of LEVELS.slice(0, -1)) expect(told(level)).toEqual({ asked: 0, lines: [] })
  })
  test("is made once for a log of two targets, and for one of them alone", async () => {
    const written: string[] = []
    const stderr = { isTerminal: false, write: (text: string) => void written.push(text) }
    const filename = join(folder, "traced", "node.log")
    const file = { enable: true, level: "info", format: "json", filename, maxsize: 1, max_backups: 1 } as const
    const opened = openLog({ std: { enable: true, level: "trace", format: "json" }, file }, stderr)
    let asked = 0
    const count = () => ({ asked: ++asked })
    opened.log.trace("first", count)
    opened.setLevels({ std: "trace", file: "trace" })
    opened.log.trace("second", count)
    opened.setLevels({ std: "debug", file: "debug" })
    opened.log.trace("third", count)
    await opened.close()
    expect(asked).toBe(2)
    const parsed = (text: string) =>
      text
        .trim()
        .split("\n")
        .map((name) => JSON.parse(name).msg)
    expect(written.flatMap(parsed)).toEqual(["first", "second"])
    expect(parsed(readFileSync(filename, "utf8"))).toEqual(["second"])
  })
})

describe("[log]", () => {
  const std = { enable: true, level: "info", format: "auto" } as const
  const file = (name: string) =>
    ({
      enable: true,
      level: "debug",
      format: "logfmt",
      filename: join(folder, name, "node.log"),
      maxsize: 1,
      max_backups: 2,
    }) as const
  const stream = (isTerminal = false) => {
    const written: string[] = []
    return { isTerminal, written, write: (text: string) => void written.push(text) }
  }

  test("one line goes to both, each by its own level", async () => {
    const stderr = stream()
    const open = openLog({ std, file: file("both") }, stderr)
    open.log.info("said")
    open.log.debug("whispered")
    await open.close()
    expect(stderr.written).toHaveLength(1)
    expect(stderr.written[0]).toContain('level=info msg="said"')
    expect(readFileSync(join(folder, "both", "node.log"), "utf8")).toMatch(/msg="said"\n.*msg="whispered"\n$/)
  })
  test("a terminal has the terminal's form", () => {
    const stderr = stream(true)
    openLog({ std, file: { ...file("none"), enable: false } }, stderr).log.info("said")
    expect(stderr.written[0]).toStartWith("INFO[")
  })
  test("levels change while it is open", () => {
    const stderr = stream()
    const open = openLog({ std, file: { ...file("none"), enable: false } }, stderr)
    open.setLevels({ std: "debug", file: "debug" })
    open.log.debug("now")
    expect(stderr.written).toHaveLength(1)
  })
  test("lines are in the file without anybody closing it", async () => {
    const open = openLog({ std: { ...std, enable: false }, file: file("urgent") }, stream())
    open.log.info("before")
    open.log.error("urgent")
    await inFile(file("urgent").filename, /before[\s\S]*urgent/)
    await open.close()
  })
  test("files rotate, are kept in number, lose no line, and are private", async () => {
    const open = openLog({ std: { ...std, enable: false }, file: file("rotate") }, stream())
    const count = 25_000
    for (let i = 0; i < count; i++) {
      open.log.debug("x".repeat(50), { i })
      if (i % 2_000 === 0) await inFolder(join(folder, "rotate"), new RegExp(` i=${i}\n`))
    }
    await open.close()
    const at = join(folder, "rotate")
    const names = readdirSync(at).sort()
    expect(names).toEqual(["node.log", "node.log.1", "node.log.2"])
    for (const name of names) expect((statSync(join(at, name)).mode & 0o777).toString(8)).toBe("600")
    expect((statSync(at).mode & 0o777).toString(8)).toBe("700")
    const numbers = ["node.log.2", "node.log.1", "node.log"].flatMap((name) =>
      [...readFileSync(join(at, name), "utf8").matchAll(/ i=(\d+)\n/g)].map(([, i]) => Number(i)),
    )
    expect(numbers.at(-1)).toBe(count - 1)
    expect(numbers.every((i, at) => at === 0 || i === (numbers[at - 1] ?? 0) + 1)).toBe(true)
  })
  test("a file that is full for a while tells how many lines are missing, and goes on", async () => {
    const stderr = stream()
    const { filename } = file("again")
    const open = openLog({ std: { ...std, enable: false }, file: file("again") }, stderr)
    open.log.error("before")
    rmSync(filename)
    symlinkSync("/dev/full", filename)
    open.reopen()
    for (let i = 0; i < 3; i++) open.log.error("lost")
    while (stderr.written.length === 0) await Bun.sleep(1)
    rmSync(filename)
    open.reopen()
    open.log.error("after")
    await open.close()
    expect(stderr.written).toHaveLength(1)
    expect(readFileSync(filename, "utf8")).toMatch(/lost here.* count=3\n.*msg="after"\n$/)
  })
  test("a file that is moved away is opened anew", async () => {
    const { filename } = file("moved")
    const open = openLog({ std: { ...std, enable: false }, file: file("moved") }, stream())
    open.log.info("one")
    renameSync(filename, `${filename}.old`)
    open.reopen()
    open.log.info("two")
    await open.close()
    expect(readFileSync(`${filename}.old`, "utf8")).toMatch(/^[^\n]*"one"\n$/)
    expect(readFileSync(filename, "utf8")).toMatch(/^[^\n]*"two"\n$/)
  })
  test("a file that cannot be written is said once, and the work goes on", async () => {
    const stderr = stream()
    const open = openLog({ std: { ...std, enable: false }, file: { ...file("full"), filename: "/dev/full" } }, stderr)
    for (let i = 0; i < 3; i++) {
      open.log.error("lost")
      while (stderr.written.length === 0) await Bun.sleep(1)
    }
    await open.close()
    expect(stderr.written).toHaveLength(1)
  })
  test("a file that takes nothing, as on a disk that hangs: nobody waits, memory is bounded, and what is missing is told", async () => {
    const filename = join(folder, "hangs")
    using pipe = fullPipe(filename)
    const stderr = stream()
    const open = openLog({ std: { ...std, enable: false }, file: { ...file("none"), filename, maxsize: 100 } }, stderr)
    const count = 40_000
    const begun = performance.now()
    for (let i = 0; i < count; i++) open.log.debug("x".repeat(50), { i })
    expect(performance.now() - begun).toBeLessThan(10_000)
    expect(stderr.written).toEqual([expect.stringContaining("as fast as they come")])
    let text = pipe.read()
    while (!text.includes("lost here")) {
      await Bun.sleep(1)
      text += pipe.read()
    }
    open.log.debug("after")
    while (!text.includes('msg="after"')) {
      await Bun.sleep(1)
      text += pipe.read()
    }
    const told = Number(/lost here.* count=(\d+)\n/.exec(text)?.[1])
    expect(told + [...text.matchAll(/ i=\d+\n/g)].length).toBe(count)
    await open.close()
  })
})

/** Resolves when the file holds it. */
async function inFile(path: string, wanted: RegExp): Promise<void> {
  while (!wanted.test(readFileSync(path, "utf8"))) await Bun.sleep(1)
}

/** Resolves when a file of the folder holds it. One that is renamed meanwhile is looked for again. */
async function inFolder(path: string, wanted: RegExp): Promise<void> {
  const text = (name: string) => {
    try {
      return readFileSync(join(path, name), "utf8")
    } catch {
      return ""
    }
  }
  while (!readdirSync(path).some((name) => wanted.test(text(name)))) await Bun.sleep(1)
}
