/** docs/reference/ is what the code says, and says all of it. */
import { describe, expect, test } from "bun:test"
import { existsSync, readFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { commandPages } from "../../scripts/docs/commands.ts"
import { pages } from "../../scripts/docs/pages.ts"
import { templateOf } from "../../scripts/docs/template.ts"
import { globalOptions } from "../../src/cli/globals.ts"
import { checkConfig } from "../../src/config/load.ts"
import { template } from "../../src/config/template.ts"
import { RUNBOOK } from "../../src/errors/runbook.ts"
import { type Code, codes } from "../../src/errors.ts"
import { CATALOGUE } from "../../src/ops/metrics/catalogue.ts"
import { ROUTES } from "../../src/ops/port/routes.ts"
import { parseConfig } from "../../src/waas/config.ts"

const written = await pages()
const pageOf = (name: string): string => written.get(name) ?? ""
/** Pages that are written by hand for those who use it. */
const guides = [
  ...new Bun.Glob("docs/{tutorial,how-to,concepts}/*.md").scanSync({ cwd: join(import.meta.dir, "../..") }),
].sort()
const isCode = (text: string): text is Code => Object.hasOwn(codes, text)

describe("docs/reference", () => {
  for (const [name, text] of written) {
    test(`${name} is current; if not: npm run docs`, () => {
      expect(readFileSync(join(import.meta.dir, "../../docs/reference", name), "utf8") === text).toBe(true)
    })
  }
  /** What a page lacks: a diff of whole pages would be unreadable. */
  const lacking = (name: string, wanted: readonly string[]) => wanted.filter((text) => !pageOf(name).includes(text))

  test("has an entry for every error code", () => {
    expect(
      lacking(
        "errors.md",
        Object.keys(codes).map((code) => `\n### ${code}\n`),
      ),
    ).toEqual([])
  })
  test("has a section for every command with each of its options", async () => {
    const all = await commandPages()
    expect(
      lacking(
        "commands.md",
        all.map(({ name }) => `\n## ${name}\n`),
      ),
    ).toEqual([])
    const flags = all.flatMap(({ command }) => Object.values(command?.options ?? {}).map((option) => option.flags))
    expect(
      lacking(
        "commands.md",
        flags.map((text) => text.replaceAll("|", "\\|")),
      ),
    ).toEqual([])
  })
  test("has every key of the configuration, and the annotated file", () => {
    const keys = ["danger_allow_unhardened_process", "service_address", "event_types", "password_file", "server_addr"]
    expect(lacking("configuration.md", [template(), ...keys.map((key) => `| \`${key}\` |`)])).toEqual([])
  })
  test("has every metric and every endpoint", () => {
    expect(
      lacking(
        "metrics.md",
        Object.keys(CATALOGUE).map((name) => `| \`${name}\` |`),
      ),
    ).toEqual([])
    const paths = Object.values(ROUTES).map(({ path }) => `\`GET ${path}\``)
    expect(lacking("rest.md", [...paths, "### POST /v2/wallets/mpc/vaults\n", "`vault_type`"])).toEqual([])
    expect(lacking("rest.md", ["no such text"])).toHaveLength(1)
  })
})

describe("what the texts tell people to type", async () => {
  const all = await commandPages()
  const known = (flags: string) => flags.match(/(?<![\w-])--?[a-z][\w-]*/g) ?? []
  const everywhere = new Set(Object.values(globalOptions).flatMap((option) => known(option.flags)))
  everywhere.add("--help").add("-h")

  /** What is wrong with `cosigner ...` as typed; undefined if such a command with such options exists. */
  function problemOf(line: string): string | undefined {
    const words = line.split(/[\s=]+/)
    const named = all
      .filter(({ name }) => ` ${line} `.startsWith(`${name} `, 1))
      .sort((a, b) => b.name.length - a.name.length)[0]
    if (named === undefined) return "no such command"
    // A command without arguments is followed by options alone: another word would be a command below it.
    const [next = ""] = line.slice(named.name.length).trim().split(" ")
    if (/^[a-z]/.test(next) && Object.keys(named.command?.args ?? {}).length === 0) return `no such command: ${next}`
    const own = new Set(Object.values(named.command?.options ?? {}).flatMap((option) => known(option.flags)))
    return words.find((word) => /^--?[a-z]/.test(word) && !own.has(word) && !everywhere.has(word))
  }
  /** The commands in fenced blocks and in `backticks`. */
  const typed = (markdown: string): readonly string[] => [
    ...[...markdown.matchAll(/^```sh\n(.*?)^```/gms)].flatMap(
      ([, block = ""]) => block.match(/^cosigner [^#\n]*/gm) ?? [],
    ),
    ...[...markdown.matchAll(/`(cosigner [a-z][^`]*)`/g)].map(([, line = ""]) => line),
  ]
  /** The line without the rest of its pipeline; `make|sign` at its end stands for one command each. */
  const commandsOf = (line: string): readonly string[] => {
    const own = (line.split(/\$\(| \| |;| > /)[0] ?? "").trim().replace("cosigner help ", "cosigner ")
    const [, start = "", last = ""] = /^(.* )([a-z]+(?:\|[a-z]+)+)$/.exec(own) ?? []
    return last === "" ? [own] : last.split("|").map((word) => `${start}${word}`)
  }
  const root = join(import.meta.dir, "../..")
  for (const file of ["README.md", "SECURITY.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md", ...guides]) {
    test(`${file}: commands and options that exist`, () => {
      const lines = typed(readFileSync(join(root, file), "utf8"))
        .flatMap(commandsOf)
        .filter((line) => !line.includes("<"))
      expect(lines.filter((line) => problemOf(line) !== undefined)).toEqual([])
      if (file === "README.md") expect(lines.length).toBeGreaterThan(15)
    })
  }
  test("every example of every command", () => {
    const lines = all.flatMap(({ command }) => (command?.examples ?? []).map(([line]) => line))
    expect(lines.filter((line) => line.startsWith("cosigner ") && problemOf(line) !== undefined)).toEqual([])
  })
  test("every command of the runbook", () => {
    const texts = Object.values(RUNBOOK).flatMap((guide) => [...guide.causes, guide.tell, guide.act, guide.over])
    const lines = texts.flatMap((text) => typed(text)).map((line) => line.trim())
    expect(lines.length).toBeGreaterThan(30)
    expect(lines.filter((line) => problemOf(line) !== undefined)).toEqual([])
  })
  test("every next step of every code", () => {
    const steps = Object.values(codes).flatMap(({ next }) => (typeof next === "string" ? [next] : []))
    const lines = steps.flatMap((step) => step.match(/\bcosigner( [a-z]+(-[a-z]+)*)+/g) ?? [])
    expect(
      lines.filter((line) => problemOf(line) === "no such command" && !/^cosigner (command|that)/.test(line)),
    ).toEqual([])
    const twoWords = /^cosigner (waas|event key|backup|policy|config|recovery|metrics)( [a-z]+)/
    const below = lines.flatMap((line) => twoWords.exec(line)?.[0] ?? [])
    expect(below.filter((line) => !all.some(({ name }) => name.startsWith(line)))).toEqual([])
    expect(lines.length).toBeGreaterThan(30)
  })
  test("every command that the help of another one names", () => {
    const lines = typed(readFileSync(join(root, "docs/reference/commands.md"), "utf8"))
    expect(lines.length).toBeGreaterThan(30)
    const wrong = lines.flatMap(commandsOf).filter((line) => !line.includes("<") && problemOf(line) !== undefined)
    expect(wrong).toEqual([])
  })
  test("a wrong one would be found", () => {
    expect(problemOf("cosigner info node")).toBe("no such command: node")
    expect(problemOf("cosigner config check --prodd")).toBe("--prodd")
    expect(problemOf("cosigner bogus")).toBe("no such command")
    expect(problemOf("cosigner config check --prod")).toBeUndefined()
  })
})

describe("the runbook", () => {
  test("a person at night finds all four parts of every entry", () => {
    for (const [code, guide] of Object.entries(RUNBOOK)) {
      expect({ code, known: isCode(code), causes: guide.causes.length > 0 }).toEqual({
        code,
        known: true,
        causes: true,
      })
      for (const text of [...guide.causes, guide.tell, guide.act, guide.over])
        expect(`${code} ${text}`).toMatch(/^\S+ \S.{3,}[^.;,\s]$/)
    }
  })
  test("codes and commands that it names exist", () => {
    const texts = Object.values(RUNBOOK).flatMap((guide) => [...guide.causes, guide.tell, guide.act, guide.over])
    const named = texts.flatMap((text) => text.match(/\bE-[A-Z]{3}-\d{3}\b/g) ?? [])
    expect(named.filter((code) => !isCode(code))).toEqual([])
    expect(named.length).toBeGreaterThan(20)
  })
})

describe("the text of a code", () => {
  test("names its data instead of showing some", () => {
    expect(templateOf("E-STO-003")).toContain("<path> is in use by <holder>")
    expect(templateOf("E-OPS-006")).toStartWith("<names> in the environment")
    expect(templateOf("E-CFG-003")).toBe("<problems>")
    expect(templateOf("E-CLI-002")).toEndWith('not "<got>"')
    expect(templateOf("E-TSK-004")).toContain("<time>")
  })
  test("never shows a stand-in that went wrong", () => {
    for (const code of Object.keys(codes).filter(isCode)) {
      expect(templateOf(code)).not.toMatch(/NaN|undefined|\[object|\[Function|=>|1970/)
    }
  })
})

test("every file, folder and npm script that CONTRIBUTING names is there", () => {
  const root = join(import.meta.dir, "../..")
  const text = readFileSync(join(root, "CONTRIBUTING.md"), "utf8")
  const paths = [...text.matchAll(/`((?:src|test|docs|dist|\.ci)(?:\/[\w.-]+)+)\/?`/g)].map(([, path]) => path ?? "")
  expect(paths.length).toBeGreaterThan(15)
  expect(paths.filter((path) => !path.startsWith("dist/") && !existsSync(join(root, path)))).toEqual([])
  const { scripts } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as { scripts: object }
  const named = [...text.matchAll(/npm (?:run )?([a-z:]+)/g)].map(([, name]) => name ?? "")
  expect(named.filter((name) => name !== "or" && !Object.hasOwn(scripts, name))).toEqual([])
})

const blocksOf = (path: string): readonly string[] =>
  [...readFileSync(join(import.meta.dir, "../..", path), "utf8").matchAll(/^```toml\n(.*?)^```/gms)].map(
    ([, block]) => block ?? "",
  )

test("the configuration that README and the guides show is accepted as it stands", () => {
  const blocks = blocksOf("README.md")
  const shown = [...blocks, ...guides.flatMap(blocksOf)]
  expect(shown.length).toBeGreaterThan(5)
  for (const block of shown) {
    const isOfWaas = /^\[waas/m.test(block)
    const read = () =>
      isOfWaas ? parseConfig(block, { dir: ".", config: "waas.toml" }) : checkConfig(block, "README.toml").config
    expect(read()).toBeDefined()
  }
  expect(() => checkConfig(`${blocks[0]}\nunknown_key = 1\n`, "README.toml")).toThrow()
})

describe("links between documents", () => {
  const root = join(import.meta.dir, "../..")
  const anchorsOf = (text: string): ReadonlySet<string> =>
    new Set([
      ...[...text.matchAll(/<a id="([^"]+)">/g)].map(([, id]) => id ?? ""),
      ...[...text.matchAll(/^#+ (.+)$/gm)].map(([, heading = ""]) =>
        heading
          .toLowerCase()
          .replace(/<[^>]*>/g, "")
          .replace(/[^\p{L}\p{N}\s_-]/gu, "")
          .trim()
          .replaceAll(" ", "-"),
      ),
    ])
  /** Links of a page that lead nowhere. */
  function broken(path: string, text: string): readonly string[] {
    return [...text.matchAll(/\]\((?!https?:)([^)\s]+)\)/g)]
      .map(([, target = ""]) => target)
      .filter((target) => {
        const [file = "", anchor] = target.split("#")
        const to = file === "" ? path : join(dirname(path), file)
        if (!existsSync(join(root, to))) return true
        return (
          anchor !== undefined && to.endsWith(".md") && !anchorsOf(readFileSync(join(root, to), "utf8")).has(anchor)
        )
      })
  }
  for (const path of ["README.md", "SECURITY.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "docs/README.md", ...guides]) {
    test(`${path}: lead somewhere`, () => {
      expect(broken(path, readFileSync(join(root, path), "utf8"))).toEqual([])
    })
  }
  test("one that leads nowhere would be found", () => {
    expect(broken("docs/how-to/x.md", "[a](../../README.md) [b](nowhere.md) [c](../../README.md#no-such)")).toEqual([
      "nowhere.md",
      "../../README.md#no-such",
    ])
  })
})
