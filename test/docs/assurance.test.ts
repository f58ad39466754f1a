/**
 * docs/assurance.md says what shows each promise. Here it is held against the promises themselves, sentence by sentence, and
 * against the tests that it names: a promise that nothing shows is red, and so is a test that is not there.
 */
import { describe, expect, test } from "bun:test"
import { existsSync, readFileSync } from "node:fs"
import { join } from "node:path"

const root = join(import.meta.dir, "..", "..")
const read = (name: string): string => readFileSync(join(root, name), "utf8")
const assurance = read("docs/assurance.md")
const security = read("SECURITY.md")
const readme = read("README.md")

// ---- what is promised --------------------------------------------------------------------------------------------------

const sectionOf = (text: string, title: string): string => {
  const [, rest = ""] = text.split(`\n## ${title}\n`)
  return rest.split("\n## ")[0] ?? ""
}

/** The items of a list, each on one line. */
function itemsOf(text: string): readonly string[] {
  const items: string[] = []
  for (const line of text.split("\n")) {
    const [, begun] = /^(?:- |\d+\. )(.*)$/.exec(line) ?? []
    if (begun !== undefined) items.push(begun)
    else if (/^ +\S/.test(line) && items.length > 0) items.push(`${items.pop()} ${line.trim()}`)
  }
  return items
}

/** Sentences, and what follows a colon with a capital letter; a bold title that only names its item is none. */
function sentencesOf(item: string): readonly string[] {
  const title = /^\*\*([^*]+?)\*\*/.exec(item)?.[1]
  return item
    .replaceAll("**", "")
    .split(/(?<=[.!?:;])\s+(?=[A-Z`"(*])/)
    .filter(
      (sentence) =>
        sentence !== title && !sentence.startsWith("Admin socket (") && !/^(?:Link|Envelope) \(/.test(sentence),
    )
}

/** The last column of a table's rows. */
const lastCells = (text: string): readonly string[] =>
  text
    .split("\n")
    .filter((line) => line.startsWith("| ") && !line.startsWith("| actor "))
    .map((line) => line.split("|").at(-2)?.trim() ?? "")

const beginning = readme.slice(0, readme.indexOf("\n## "))
const PROMISES: Readonly<Record<string, readonly string[]>> = {
  "SECURITY: Actors and what each can do": lastCells(sectionOf(security, "Actors and what each can do")),
  "SECURITY: Trust boundaries": itemsOf(sectionOf(security, "Trust boundaries")).flatMap(sentencesOf),
  "SECURITY: What is guaranteed": itemsOf(sectionOf(security, "What is guaranteed")).flatMap(sentencesOf),
  README: itemsOf(beginning).flatMap(sentencesOf),
}

// ---- what the page says ------------------------------------------------------------------------------------------------

type Row = readonly string[]

function tableUnder(title: string): readonly Row[] {
  const [, rest = ""] = assurance.split(`\n### ${title}\n`)
  const [section = ""] = rest.split(/\n##/)
  return section
    .split("\n")
    .filter((line) => line.startsWith("| ") && !line.startsWith("|---"))
    .slice(1)
    .map((line) => line.slice(2, -2).split(" | "))
}

const isSameBeginning = (sentence: string, row: Row): boolean => sentence.startsWith(row[0] ?? "\n")

/** What is wrong with the tests that a cell names. */
function problemsOf(cell: string): readonly string[] {
  const named = [...cell.matchAll(/`([\w/]+\.test\.ts)`((?: "[^"]+")*)/g)]
  return named.flatMap(([, file = "", names = ""]) => {
    const path = join(root, "test", file)
    if (!existsSync(path)) return [`${file} is not there`]
    const text = readFileSync(path, "utf8")
    return [...names.matchAll(/"([^"]+)"/g)]
      .map(([, name = ""]) => name)
      .filter((name) => !isTestIn(text, name))
      .map((name) => `${file} has no test ${JSON.stringify(name)}`)
  })
}

/** As the title of a test or a group, or of a row of cases: at the beginning of a quoted text. */
const isTestIn = (text: string, name: string): boolean =>
  ['"', "`", "'"].some((quote) => text.includes(`${quote}${name}`))

const hasTest = (cell: string): boolean => /`[\w/]+\.test\.ts` "/.test(cell)

describe("every promise", () => {
  for (const [title, sentences] of Object.entries(PROMISES)) {
    test(`${title}: has exactly one row, and every row a promise`, () => {
      const rows = tableUnder(title)
      expect(sentences.length).toBeGreaterThan(5)
      expect(sentences.filter((sentence) => rows.filter((row) => isSameBeginning(sentence, row)).length !== 1)).toEqual(
        [],
      )
      const orphans = rows.filter((row) => !sentences.some((sentence) => isSameBeginning(sentence, row)))
      expect(orphans.map(([begins]) => begins)).toEqual([])
      expect(rows.filter(([begins = ""]) => begins.split(" ").length < 3)).toEqual([])
    })
    test(`${title}: is shown by tests that are there, or is said to be none`, () => {
      for (const row of tableUnder(title)) {
        const [begins = "", shown = ""] = row
        expect([begins, problemsOf(shown)]).toEqual([begins, []])
        expect([begins, hasTest(shown) || shown.startsWith("no promise: ")]).toEqual([begins, true])
      }
    })
  }
})

describe("every finding of the field", () => {
  const titles = [...assurance.matchAll(/^### (.*)$/gm)]
    .map(([, title = ""]) => title)
    .filter((title) => !(title in PROMISES))
  test("stands in one of several tables", () => expect(titles.length).toBeGreaterThan(3))
  for (const title of titles) {
    test(`${title}: has a test that is there, or a reason why it cannot occur`, () => {
      const rows = tableUnder(title)
      expect(rows.length).toBeGreaterThan(4)
      for (const [finding = "", , here = "", ...more] of rows) {
        expect([finding, more]).toEqual([finding, []])
        expect([finding, problemsOf(here)]).toEqual([finding, []])
        expect([finding, hasTest(here) || here.startsWith("cannot occur: ")]).toEqual([finding, true])
      }
    })
  }
})

test("the detectors detect", () => {
  expect(problemsOf('`no/such.test.ts` "x"')).toEqual(["no/such.test.ts is not there"])
  const absent = ["no", "such", "test"].join(" ")
  expect(problemsOf(`\`docs/assurance.test.ts\` "the detectors detect" "${absent}"`)).toEqual([
    `docs/assurance.test.ts has no test ${JSON.stringify(absent)}`,
  ])
  expect(sentencesOf("**Title.** One. Two: Three; `four`. *five*")).toEqual([
    "One.",
    "Two:",
    "Three;",
    "`four`.",
    "*five*",
  ])
  expect(itemsOf("- a\n  b\n- c\n\nd")).toEqual(["a b", "c"])
})
