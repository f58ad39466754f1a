import { describe, expect, test } from "bun:test"
import { command, flag, integer, list, optional, rest, valueOr } from "../../src/cli/command.ts"
import { globalOptions } from "../../src/cli/globals.ts"
import { locate } from "../../src/cli/locate.ts"
import type { Row } from "../../src/cli/row.ts"
import { failed } from "../../src/cli/run.ts"
import { table } from "../../src/cli/table.ts"
import { EXIT } from "../../src/errors/entry.ts"
import { CosignerError } from "../../src/errors.ts"
import { Secret } from "../../src/secret.ts"
import { cli } from "./world.ts"

/** Prints what it was given. */
const echo = command({
  summary: "Echo",
  args: { word: optional("word", "a word"), more: rest("more", "more words") },
  options: {
    loud: flag("-l, --loud", "loudly"),
    times: valueOr("--times <n>", "how often", "1", integer(0, 9)),
    ids: list("--ids <ids>", "ids"),
  },
  run: async ({ args, options, globals, out }) => {
    out.value({ args, options, globals })
    return EXIT.ok
  },
})
const failing = (error: unknown) =>
  command({
    summary: "Fail",
    run: () => Promise.reject(error),
  })

const rows: readonly Row[] = [
  { path: ["echo"], summary: "Echo", load: async () => echo },
  { path: ["group"], summary: "Group" },
  { path: ["group", "echo"], summary: "Echo", load: async () => echo },
  { path: ["fail"], summary: "Fail", load: async () => failing(new CosignerError("E-CLI-006", {})) },
  { path: ["break"], summary: "Break", load: async () => failing(new TypeError("oops")) },
  {
    path: ["never"],
    summary: "Never loaded",
    load: () => Promise.reject(new Error("a command was loaded that nobody asked for")),
  },
]

const given = async (...args: readonly string[]) => JSON.parse((await cli(args, rows)).stdout)

describe("flags", () => {
  const places: readonly (readonly string[])[] = [
    ["echo", "w", "--loud", "--times", "3", "--db", "x"],
    ["echo", "--loud", "--times=3", "-d", "x", "w"],
    ["--db=x", "echo", "w", "--times", "3", "-l"],
    ["-d", "x", "--loud", "--times", "3", "echo", "w"],
  ]
  for (const args of places) {
    test(`before and after the command: ${args.join(" ")}`, async () => {
      const { args: words, options, globals } = await given(...args)
      expect(words).toEqual({ word: "w", more: [] })
      expect(options).toEqual({ loud: true, times: 3, ids: [] })
      expect(globals.db).toBe("x")
    })
  }
  test("defaults, lists, and words after --", async () => {
    const { args, options, globals } = await given("echo", "--ids", "a,b", "--ids=c", "--", "--loud", "x")
    expect(args).toEqual({ word: "--loud", more: ["x"] })
    expect(options).toEqual({ loud: false, times: 1, ids: ["a", "b", "c"] })
    expect(globals).toMatchObject({ json: false, verbose: false, allowReadableKeyFile: false })
  })
  test("the last of a repeated value stands", async () => {
    expect((await given("echo", "--times", "2", "--times", "5")).options.times).toBe(5)
  })
  test("a value that looks like a command is a value of a global option", () => {
    expect(locate(["--db", "echo", "group", "echo"], rows).row?.path).toEqual(["group", "echo"])
  })
  test("what follows -- is no command", () => {
    expect(locate(["--", "echo"], rows).row).toBeUndefined()
  })
  test("what is no number, out of range or an empty word is refused", async () => {
    for (const wrong of [["--times", "x"], ["--times=10"], ["--times=1.5"], ["--times", ""], ["--ids", "a,,b"]]) {
      const { exit, stdout, stderr } = await cli(["echo", ...wrong], rows)
      expect({ wrong, exit, stdout }).toEqual({ wrong, exit: EXIT.failure, stdout: "" })
      expect(stderr).toContain("E-CLI-002")
    }
  })
})

describe("what is not there", () => {
  for (const args of [["ehco"], ["echo", "--lod"], ["echo", "--times"], ["group", "ehco"], ["group"], []]) {
    test(`exit 1, a hint on stderr, nothing on stdout: ${args.join(" ") || "(nothing)"}`, async () => {
      const { exit, stdout, stderr } = await cli(args, rows)
      expect({ exit, stdout }).toEqual({ exit: 1, stdout: "" })
      expect(stderr).not.toBe("")
    })
  }
  test("a near miss is named", async () => {
    expect((await cli(["ehco"], rows)).stderr).toContain("echo")
    expect((await cli(["echo", "--lod"], rows)).stderr).toContain("--loud")
  })
})

describe("help", () => {
  for (const args of [["--help"], ["-h"], ["help"], ["echo", "--help"], ["help", "group", "echo"], ["group", "-h"]]) {
    test(args.join(" "), async () => {
      const { exit, stdout, stderr } = await cli(args, rows)
      expect({ exit, stderr }).toEqual({ exit: 0, stderr: "" })
      expect(stdout).toContain("Usage: cosigner")
    })
  }
})

describe("what was typed behind an option that is not known", () => {
  for (const args of [["--password=hunter2"], ["--password-file=hunter2"], ["-phunter2"]]) {
    test(`${args.join(" ").replace("hunter2", "...")} is not repeated`, async () => {
      const { exit, stdout, stderr } = await cli(["group", ...args], rows)
      expect(exit).toBe(EXIT.failure)
      expect(stdout + stderr).not.toContain("hunter2")
    })
  }
  test("its name is, and one that was meant", async () => {
    expect((await cli(["echo", "--time=3"], rows)).stderr).toMatch(/unknown option '--time' \(Did you mean --times\?\)/)
    expect((await cli(["echo", "-x3"], rows)).stderr).toContain("unknown option '-x';")
  })
})

describe("a command line that is wrong", () => {
  const wrong: readonly (readonly [readonly string[], RegExp])[] = [
    [["ecko"], /unknown command 'ecko' \(Did you mean echo\?\); cosigner --help says more/],
    [["echo", "w", "--nope"], /unknown option '--nope'; cosigner echo --help says more/],
    [["group", "ecko"], /unknown command 'ecko' \(Did you mean echo\?\); cosigner group --help says more/],
    [["group"], /cosigner group needs the name of a command/],
    [["echo", "w", "--times"], /argument missing; cosigner echo --help/],
  ]
  for (const [args, message] of wrong) {
    test(`${args.join(" ")}: code and next step, for people and with --json`, async () => {
      const { exit, stdout, stderr } = await cli(args, rows)
      expect({ exit, stdout }).toEqual({ exit: EXIT.failure, stdout: "" })
      expect(stderr).toMatch(/cosigner: E-CLI-014 .*\n {2}next: /)
      expect(stderr).toMatch(message)
      const json = await cli(["--json", ...args], rows)
      expect(json.exit).toBe(EXIT.failure)
      const { error } = JSON.parse(json.stdout)
      expect(error).toMatchObject({ code: "E-CLI-014", message: expect.stringMatching(message) })
      // the next step is true: what it names says how the command is used
      const [, named = ""] = /; (cosigner.*) --help says more/.exec(error.message) ?? []
      const help = await cli([...named.split(" ").slice(1), "--help"], rows)
      expect(help).toMatchObject({ exit: 0, stdout: expect.stringContaining("Usage: cosigner") })
    })
  }
})

describe("failures", () => {
  test("an error of ours: its code and next step on stderr, its exit code", async () => {
    const { exit, stdout, stderr } = await cli(["fail"], rows)
    expect({ exit, stdout }).toEqual({ exit: EXIT.secrets, stdout: "" })
    expect(stderr).toContain("E-CLI-006")
    expect(stderr).toContain("next: ")
  })
  test("with --json stdout has it as JSON too", async () => {
    const { stdout } = await cli(["--json", "fail"], rows)
    expect(JSON.parse(stdout).error.code).toBe("E-CLI-006")
  })
  test("any other error is a bug of ours", async () => {
    const { exit, stderr } = await cli(["break"], rows)
    expect(exit).toBe(EXIT.bug)
    expect(stderr).toContain("E-CLI-001")
  })
  test("and is told by its place alone: its words may quote a secret", () => {
    const quoted = new Error("boom hunter2", { cause: Secret.from(Buffer.from("hunter2")) })
    for (const thrown of [
      quoted,
      Object.assign(new TypeError("hunter2\n at hunter2"), { hunter2: 1 }),
      "hunter2",
      ["hunter2"],
    ]) {
      const pieces: string[] = []
      failed(thrown, true, { env: {}, write: (_, piece) => void pieces.push(piece) })
      const text = pieces.join("")
      expect(text).toContain("E-CLI-001")
      expect(text).not.toContain("hunter2")
      if (thrown instanceof Error) expect(text).toMatch(/Error at run\.test\.ts:\d+:\d+\n\s+at /)
    }
  })
})

describe("every command of the table", () => {
  test("no name twice, parents before or after their children", () => {
    const names = table.map((row) => row.path.join(" "))
    expect(names.length).toBe(new Set(names).size)
    for (const { path } of table) if (path.length > 1) expect(names).toContain(path.slice(0, -1).join(" "))
  })
  for (const row of table) {
    test(`${row.path.join(" ")}: help, one summary, no flag twice`, async () => {
      const { exit, stdout, stderr } = await cli([...row.path, "--help"])
      expect({ exit, stderr }).toEqual({ exit: 0, stderr: "" })
      expect(stdout).toContain(`Usage: cosigner ${row.path.join(" ")}`)
      const loaded = await row.load?.()
      if (loaded === undefined) return
      expect(loaded.summary).toBe(row.summary)
      const flags = Object.values(loaded.options).flatMap((option) => option.flags.match(/(?<=^|[ ,])--?[\w-]+/g) ?? [])
      expect(flags.length).toBe(new Set(flags).size)
      const short = Object.values(globalOptions).flatMap((option) => option.flags.match(/(?<=^|[ ,])-\w(?=,)/g) ?? [])
      expect(flags.filter((name) => short.includes(name) && !flags.includes("--config"))).toEqual([])
      // an example may show a command below this one
      for (const [line] of loaded.examples) {
        const named = locate(line.split(" ").slice(1)).row?.path ?? []
        expect(named.slice(0, row.path.length)).toEqual([...row.path])
      }
    })
  }
})
