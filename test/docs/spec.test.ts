/**
 * docs/spec against the code: sections that are cited exist, sections have a row in the map, rows name files that exist, links
 * lead somewhere. Each detector is shown what it must find.
 */
import { describe, expect, test } from "bun:test"
import { existsSync, readFileSync } from "node:fs"
import { join, normalize } from "node:path"
import { TAGS } from "../../src/crypto/tags.ts"

const root = join(import.meta.dir, "../..")
const read = (path: string): string => readFileSync(join(root, path), "utf8")
const glob = (pattern: string): readonly string[] => [...new Bun.Glob(pattern).scanSync({ cwd: root })].sort()

const SPEC = "docs/spec"
const MAP = `${SPEC}/README.md`
const DOCUMENTS = glob(`${SPEC}/*.md`)
  .map((path) => path.slice(SPEC.length + 1))
  .filter((name) => name !== "README.md")
/** Cited before they are part of docs/spec; checked as soon as they are. */
const ANNOUNCED = ["intent.md"].filter((name) => !DOCUMENTS.includes(name))

const CITING = [
  ...glob("src/**/*.ts"),
  ...glob("test/**/*.{ts,json,md}").filter((path) => path !== "test/docs/spec.test.ts"),
  ...glob("scripts/**/*.{ts,mjs}"),
  ...glob("docs/**/*.md"),
  ...glob("systemd/**/*"),
  ...["SECURITY.md", "ARCHITECTURE.md", "README.md", "CHANGELOG.md", "build.ts"],
]

// ---- sections ------------------------------------------------------------------------------------------------------

/** Names of the anchors of a document: `6.4`, `2.5 rule 9`, `10.3 no. 23`, `2b`. */
function sectionsOf(text: string): readonly string[] {
  const ids = [...text.matchAll(/<a id="s([0-9a-z-]+)"><\/a>/g)].map(([, id]) => id ?? "")
  return ids.map((id) => {
    const [, number = "", kind, item] = /^(.*?)(?:-([rn])(\d+))?$/.exec(id) ?? []
    const section = number.replaceAll("-", ".")
    return kind === undefined ? section : `${section} ${kind === "r" ? "rule" : "no."} ${item}`
  })
}

/** Anchors whose heading has another number, headings without an anchor, and anchors that stand twice. */
function brokenAnchors(text: string): readonly string[] {
  const lines = text.split("\n")
  const wrong: string[] = []
  for (const [i, line] of lines.entries()) {
    const [, id] = /^<a id="s([0-9a-z-]+)"><\/a>$/.exec(line) ?? []
    const [, number] = /^#{2,3} (\d+(?:\.\d+)*[a-z]?)\.? /.exec(lines[i + (id === undefined ? 0 : 1)] ?? "") ?? []
    if (id !== undefined && id.replaceAll("-", ".") !== number) wrong.push(`anchor s${id}, heading ${number}`)
    const before = lines[i - 1] ?? ""
    if (id === undefined && number !== undefined && !before.startsWith('<a id="s')) wrong.push(`no anchor: ${number}`)
  }
  const all = sectionsOf(text)
  return [...wrong, ...all.filter((name, i) => all.indexOf(name) !== i).map((name) => `twice: ${name}`)]
}

const sections: ReadonlyMap<string, ReadonlySet<string>> = new Map(
  DOCUMENTS.map((name) => [name, new Set(sectionsOf(read(`${SPEC}/${name}`)))]),
)

// ---- citations -----------------------------------------------------------------------------------------------------

interface Citation {
  readonly document: string
  /** `6.4`, `2.5 rule 9`. */
  readonly section: string
}

const PLACE = String.raw`\d+(?:\.\d+)*[a-z]?(?: (?:rules?|no\.) \d+)?`
const CITATION = new RegExp(String.raw`\b([a-z]+\.md) (${PLACE}(?:(?:, | and | to |-)${PLACE})*)`, "g")

/** Every section that a text cites: `threshold.md 1, 2.5 rule 9 and 3.1 to 3.3`. A comment's line breaks do not part them. */
function citationsIn(text: string): readonly Citation[] {
  const joined = text.replaceAll(/\n\s*(?:\*|\/\/) ?/g, " ")
  return [...joined.matchAll(CITATION)].flatMap(([, document = "", places = ""]) =>
    [...places.matchAll(new RegExp(PLACE, "g"))].map(([section]) => ({
      document,
      section: section.replace("rules", "rule"),
    })),
  )
}

/** What is wrong with the citations of a text. */
const wrongCitations = (text: string): readonly string[] =>
  citationsIn(text)
    .filter(({ document }) => !ANNOUNCED.includes(document))
    .filter(({ document, section }) => !sections.get(document)?.has(section))
    .map(({ document, section }) => `${document} ${section}`)

/** Rules and items that a document names in its own sections, without its name, and that it does not have. */
const wrongItems = (text: string): readonly string[] => {
  const own = new Set(sectionsOf(text))
  const bare = text.replaceAll(/[a-z]+\.md (?:\d+\.\d+ (?:rule|no\.) \d+)/g, "")
  return [...bare.matchAll(/\b\d+(?:\.\d+)* (?:rule|no\.) \d+/g)].map(([item]) => item).filter((item) => !own.has(item))
}

// ---- the map -------------------------------------------------------------------------------------------------------

interface Row {
  readonly document: string
  readonly sections: readonly string[]
  readonly src: readonly string[]
  readonly test: readonly string[]
}

/** The rows of the map, each below the heading of its document. */
function rowsOf(text: string): readonly Row[] {
  let document = ""
  return text.split("\n").flatMap((line): Row[] => {
    document = /^### ([a-z]+\.md)$/.exec(line)?.[1] ?? document
    const cells = line.split("|").map((cell) => cell.trim())
    if (document === "" || cells.length !== 6 || !/^\d/.test(cells[1] ?? "")) return []
    const files = (cell = ""): readonly string[] => [...cell.matchAll(/`([^`]+)`/g)].map(([, path]) => path ?? "")
    return [{ document, sections: (cells[1] ?? "").split(", "), src: files(cells[3]), test: files(cells[4]) }]
  })
}

function missingFiles(rows: readonly Row[]): readonly string[] {
  const paths = rows.flatMap(({ src, test }) => [...src.map((at) => `src/${at}`), ...test.map((at) => `test/${at}`)])
  return [...new Set(paths)].filter((path) => !existsSync(join(root, path)))
}

/** Rows of sections that do not exist, and sections that stand in no row. */
function unmapped(rows: readonly Row[], known = sections): readonly string[] {
  const listed = new Set(rows.flatMap((row) => row.sections.map((section) => `${row.document} ${section}`)))
  const existing = [...known].flatMap(([name, all]) =>
    [...all].filter((section) => !section.includes(" ")).map((section) => `${name} ${section}`),
  )
  return [
    ...existing.filter((section) => !listed.has(section)).map((section) => `no row: ${section}`),
    ...[...listed].filter((section) => !existing.includes(section)).map((section) => `no section: ${section}`),
  ]
}

// ---- links ---------------------------------------------------------------------------------------------------------

/** Relative links of a document, `folder` below the repository, whose file or anchor does not exist. */
function deadLinks(text: string, folder: string): readonly string[] {
  const links = [...text.matchAll(/\]\((?!https?:)([^)\s]*)\)/g)].map(([, link]) => link ?? "")
  return links.filter((link) => {
    const [file = "", anchor] = link.split("#")
    const target = normalize(join(root, folder, file))
    if (file !== "" && !existsSync(target)) return true
    const isSpec = file === "" || target.startsWith(join(root, SPEC))
    return (
      isSpec &&
      anchor !== undefined &&
      !(file === "" ? text : readFileSync(target, "utf8")).includes(`<a id="${anchor}">`)
    )
  })
}

describe("docs/spec", () => {
  test("every anchor stands above the heading of its number, once, and every numbered heading has one", () => {
    for (const name of DOCUMENTS) expect([name, brokenAnchors(read(`${SPEC}/${name}`))]).toEqual([name, []])
    expect(sections.get("threshold.md")?.has("6.4")).toBe(true)
    expect(sections.get("threshold.md")?.has("2.5 rule 9")).toBe(true)
    expect(sections.get("threshold.md")?.has("10.3 no. 23")).toBe(true)
    expect(sections.get("runtime.md")?.has("2b")).toBe(true)
  })
  test("a wrong anchor would be found", () => {
    expect(brokenAnchors('<a id="s1-2"></a>\n## 1.3 Name\n')).toEqual(["anchor s1-2, heading 1.3"])
    expect(brokenAnchors("\n### 1.3 Name\n")).toEqual(["no anchor: 1.3"])
    expect(brokenAnchors('<a id="s1"></a>\n## 1. A\n<a id="s1"></a>\n## 1. B\n')).toEqual(["twice: 1"])
  })

  test("every citation names a section that exists", () => {
    const wrong = CITING.flatMap((path) => wrongCitations(read(path)).map((found) => `${path}: ${found}`))
    expect(wrong).toEqual([])
  })
  test("the code cites it, and a wrong citation would be found", () => {
    const all = CITING.flatMap((path) => citationsIn(read(path)))
    expect(all.filter(({ document }) => document === "threshold.md").length).toBeGreaterThan(130)
    expect(all.filter(({ document }) => document === "formats.md").length).toBeGreaterThan(35)
    expect(wrongCitations("threshold.md 6.4, 99.1 and 2.5 rule 12")).toEqual([
      "threshold.md 99.1",
      "threshold.md 2.5 rule 12",
    ])
    expect(wrongCitations("as threshold.md\n * 77 says")).toEqual(["threshold.md 77"])
    expect(wrongCitations("threshold.md 3.1 to 3.9, threshold.md 5.2-5.99")).toEqual([
      "threshold.md 3.9",
      "threshold.md 5.99",
    ])
    expect(wrongCitations("lost.md 1.2")).toEqual(["lost.md 1.2"])
    expect(wrongCitations("threshold.md 2.5 rule 11, 6.4; formats.md 1.3 rule 5; runtime.md 2b")).toEqual([])
  })

  test("rules and items that the documents name are there, and a wrong one would be found", () => {
    for (const name of DOCUMENTS) expect([name, wrongItems(read(`${SPEC}/${name}`))]).toEqual([name, []])
    expect(wrongItems("see 2.5 rule 12 and x.md 1.1 rule 1")).toEqual(["2.5 rule 12"])
  })

  test("every section has a row in the map, and every row a section", () => {
    expect(unmapped(rowsOf(read(MAP)))).toEqual([])
  })
  test("every row names files that exist", () => {
    expect(missingFiles(rowsOf(read(MAP)))).toEqual([])
  })
  test("a wrong row would be found", () => {
    const rows = rowsOf("### x.md\n\n| 1 | what | `bytes.ts`, `no/such.ts` | `docs`, `none` |\n| 3 | what | - | - |\n")
    expect(missingFiles(rows)).toEqual(["src/no/such.ts", "test/none"])
    expect(unmapped(rows, new Map([["x.md", new Set(["1", "2", "2 rule 1"])]]))).toEqual([
      "no row: x.md 2",
      "no section: x.md 3",
    ])
  })

  test("1.7 lists the tags of the code, all of them and no others", () => {
    const [, list = ""] = /<a id="s1-7"><\/a>([\s\S]*?)<a id=/.exec(read(`${SPEC}/threshold.md`)) ?? []
    const listed = [...list.matchAll(/`([a-z0-9/]+)`/g)].map(([, tag]) => tag ?? "").filter((tag) => tag !== "ot/h2c")
    expect(listed.toSorted()).toEqual([...TAGS].toSorted())
  })

  test("every link leads somewhere", () => {
    const documents = [...glob(`${SPEC}/*.md`), "SECURITY.md", "ARCHITECTURE.md", "test/mpc/README.md"]
    const dead = documents.flatMap((path) => {
      return deadLinks(read(path), join(path, "..")).map((link) => `${path}: ${link}`)
    })
    expect(dead).toEqual([])
    expect(deadLinks("[a](threshold.md#s6-4) [b](threshold.md#s99) [c](none.md) [d](#x)", SPEC)).toEqual([
      "threshold.md#s99",
      "none.md",
      "#x",
    ])
  })
})
