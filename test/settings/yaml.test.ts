/** The published format: what is read of YAML, as what, and on which line. */
import { describe, expect, test } from "bun:test"
import { Type } from "@sinclair/typebox"
import fc from "fast-check"
import { stringify } from "yaml"
import { isCode } from "../../src/errors.ts"
import { boolean, entryOf, integer, listOf, tableOf, text, word } from "../../src/settings/schema.ts"
import { parseYaml } from "../../src/settings/yaml.ts"

const schema = tableOf("A file.", {
  on: boolean(false, "On."),
  count: integer(0, 9, 0, "A count."),
  name: Type.Optional(text("x", "A name.")),
  list: listOf(entryOf("An entry.", { word: word("x", "A word.") }), { description: "A list.", expected: "a list" }),
  map: Type.Record(Type.String(), Type.String(), { default: {} }),
})
const read = (source: string) => parseYaml(source, "a.yaml", schema)

const refusal = (source: string): readonly [where: string, why: string] => {
  try {
    read(source)
  } catch (error) {
    if (isCode(error, "E-CFG-002")) return [error.data.where, error.data.why]
    throw error
  }
  return ["", "it was read"]
}

describe("YAML", () => {
  test("is a tree of tables, lists and scalars, in block and in flow style", () => {
    expect(read('on: true\ncount: 0x5\nlist:\n  - word: a\n  - {word: "b"}\n').tree).toEqual({
      on: true,
      count: 5,
      list: [{ word: "a" }, { word: "b" }],
    })
    expect(read("").tree).toEqual({})
    expect(read("# nothing\n").tree).toEqual({})
  })
  test("has no value where none is written, and none for an optional key with an empty text", () => {
    expect(read("on:\ncount: ~\nname: ''\nlist: null\n").tree).toEqual({})
    expect(read("list:\n  - word: ''\n").tree).toEqual({ list: [{ word: "" }] })
  })
  test("keeps a text a text, as it was written", () => {
    expect(read("name: 0012345\nmap: {a: yes, b: true, c: 1.10}\nlist:\n  - word: 2026\n").tree).toEqual({
      name: "0012345",
      map: { a: "yes", b: "true", c: "1.10" },
      list: [{ word: "2026" }],
    })
  })
  test("tells the line of every key, and of the nearest around one that is not there", () => {
    const { lineOf } = read("on: true\nlist:\n  - word: a\n  -\n    word: b\n")
    expect(lineOf(["on"])).toBe(1)
    expect(lineOf(["list"])).toBe(2)
    expect(lineOf(["list", 0, "word"])).toBe(3)
    expect(lineOf(["list", 1, "word"])).toBe(5)
    expect(lineOf(["list", 1, "none"])).toBeGreaterThan(3)
    expect(lineOf(["none", "none"])).toBe(1)
  })
  const bad: readonly (readonly [name: string, source: string, line: number])[] = [
    ["a key twice", "on: true\non: false", 2],
    ["a second document", "on: true\n---\non: false", 2],
    ["a tab as indentation", "list:\n\t- word: a", 2],
    ["an alias", "name: a\nlist:\n  - word: *x", 3],
    ["an anchor", "on: true\nname: &x a", 2],
    ["a tag", "on: true\nname: !secret a", 2],
    ["a bracket that is not closed", "on: true\nlist: [", 2],
    ["a list at the top", "- on", 1],
    ["a text at the top", "on", 1],
    ["a table as a key", "? {a: b}\n: c", 1],
    ["a key that would reach the prototype", "__proto__: {a: 1}", 1],
  ]
  for (const [name, source, line] of bad) {
    test(`with ${name} is refused on its line`, () => expect(refusal(source)[0]).toBe(`a.yaml:${line}`))
  }
  test("that is nested without end is refused, and nothing of the file is repeated", () => {
    expect(refusal("[".repeat(200_000))[0]).toBe("a.yaml:1")
    expect(refusal('on: true\nname: "hunter2\nlist: [').join()).not.toContain("hunter2")
  })
  test("of any tree, written by another writer, is that tree", () => {
    const key = fc.stringMatching(/^[a-z]{1,8}$/)
    const tree = fc.dictionary(
      key,
      fc.oneof(fc.string({ minLength: 1 }), fc.boolean(), fc.integer(), fc.array(fc.string())),
    )
    fc.assert(
      fc.property(tree, (value) => {
        const free = Type.Unknown()
        expect(parseYaml(stringify(value), "a.yaml", free).tree).toEqual({ ...value })
      }),
      { numRuns: 300 },
    )
  })
})
