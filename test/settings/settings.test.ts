/** The front door that every configuration file comes through, tried with a schema of its own. */
import { describe, expect, test } from "bun:test"
import { Type } from "@sinclair/typebox"
import type { KeyProblem } from "../../src/errors/config.ts"
import { isCode } from "../../src/errors.ts"
import { readSettings } from "../../src/settings/read.ts"
import {
  boolean,
  entryOf,
  integer,
  listOf,
  parsed,
  type Refused,
  refined,
  tableOf,
  word,
} from "../../src/settings/schema.ts"
import { templateOf } from "../../src/settings/template.ts"
import { parseToml } from "../../src/settings/toml.ts"

const range = refined(
  entryOf("A range.", { from: integer(0, 9, 0, "From."), to: integer(0, 9, 9, "To.") }),
  function* ({ from, to }): Generator<Refused> {
    if (from > to) yield { at: ["to"], expected: "at least `from`", got: String(to) }
  },
)
const schema = tableOf("A file.", {
  on: boolean(false, "On."),
  number: parsed((text) => (/^\d+n$/.test(text) ? BigInt(text.slice(0, -1)) : undefined), {
    fallback: "7n",
    example: "7n",
    expected: "digits and n",
    description: "A number.",
  }),
  ranges: listOf(range, { description: "Ranges.", expected: "a list of tables" }),
  guard: Type.Optional(
    entryOf("A guard.", {
      open: Type.Boolean({ description: "Open.", expected: "true or false", example: false }),
      name: word("x", "A name."),
    }),
  ),
})

const read = (source: string) => readSettings(schema, parseToml(source, "a.toml"))

function problems(source: string): readonly KeyProblem[] {
  try {
    read(source)
  } catch (error) {
    if (isCode(error, "E-CFG-003")) return error.data.problems
    throw error
  }
  return []
}
const places = (source: string) => problems(source).map(({ where, key }) => `${where} ${key}`)

describe("settings", () => {
  test("have their defaults, also in a list, and what was parsed as what it is", () => {
    expect(read("[[ranges]]\nto = 3").value).toEqual({ on: false, number: 7n, ranges: [{ from: 0, to: 3 }] })
    expect(read("number = '12n'").value.number).toBe(12n)
  })
  test("are frozen at every depth", () => {
    const { value } = read("[[ranges]]\n[guard]\nopen = true\nname = 'x'")
    for (const part of [value, value.ranges, value.ranges[0], value.guard]) expect(Object.isFrozen(part)).toBe(true)
  })
  test("a table without a default is off unless written, and then its keys are needed", () => {
    expect(read("").value.guard).toBeUndefined()
    expect(places("\n[guard]\nname = 'x'")).toEqual(["a.toml:2 guard.open"])
  })
})

describe("a check over several keys", () => {
  test("blames the key that it names, in its own table of the list", () => {
    expect(places("[[ranges]]\n[[ranges]]\nfrom = 5\nto = 4")).toEqual(["a.toml:4 ranges[1].to"])
  })
  test("is not asked of a table that has a wrong key", () => {
    expect(places("[[ranges]]\nfrom = 5\nto = 'x'")).toEqual(["a.toml:3 ranges[0].to"])
    expect(places("[[ranges]]\nfrom = 5\nto = 4\nx = 1")).toEqual(["a.toml:4 ranges[0].x"])
  })
  test("is asked of the tables beside one that has a wrong key", () => {
    expect(places("[[ranges]]\nto = 'x'\n[[ranges]]\nfrom = 5\nto = 4")).toEqual([
      "a.toml:2 ranges[0].to",
      "a.toml:5 ranges[1].to",
    ])
  })
})

test("a text in the place of a number or a switch is not repeated: it may have been pasted there", () => {
  const said = JSON.stringify([...problems("on = 'hunter2hunter2'"), ...problems("[[ranges]]\nto = 'hunter2hunter2'")])
  expect(said).toContain("a text of 14 characters")
  expect(said).not.toContain("hunter2")
})

describe("the annotated file", () => {
  const text = templateOf(schema, { head: ["A file."], set: { number: "8n" } })
  test("sets what it was told to set, and nothing else", () => {
    expect(read(text).value).toEqual({ on: false, number: 8n, ranges: [] })
  })
  test("with every comment taken it has every key, and is correct", () => {
    const { tree } = read(text.replace(/^#(?=[[a-z])/gm, ""))
    expect(tree).toEqual({ on: false, number: "8n", ranges: [{ from: 0, to: 9 }], guard: { open: false, name: "x" } })
  })
})
