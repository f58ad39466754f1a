/** The annotated table of the rules has every key of every rule, parses, and every key says what it does and takes. */
import { expect, test } from "bun:test"
import { KindGuard, type TSchema } from "@sinclair/typebox"
import { parse } from "toml"
import { SECTIONS } from "../../src/policy/request.ts"
import { checkRules, RULES, rulesOf, rulesSchema } from "../../src/policy/schema.ts"
import { rulesTemplate } from "../../src/policy/template.ts"

const NAME = "embedded_risk_control_rules"
const lines = rulesTemplate(NAME)
const uncommented = lines.map((line) => line.replace(/^#(?=[[a-z])/, "")).join("\n")
const tableOf = (toml: string): unknown => Reflect.get(Object(parse(toml)), NAME)

const entryKeys = (schema: TSchema): readonly string[] =>
  KindGuard.IsArray(schema) && KindGuard.IsObject(schema.items) ? Object.keys(schema.items.properties) : []

test("as written it switches nothing on", () => {
  expect(checkRules(tableOf(lines.join("\n")))).toEqual(checkRules(undefined))
})

test("with every comment taken it parses, and has every key of every rule in every section", () => {
  const table = tableOf(uncommented)
  expect(checkRules(table)).toMatchObject({ ok: true })
  for (const section of SECTIONS) {
    const written: object = Reflect.get(Object(table), section)
    expect(Object.keys(written).toSorted()).toEqual(
      rulesOf(section)
        .map(({ key }) => key)
        .toSorted(),
    )
  }
  for (const { schema } of RULES) {
    for (const key of entryKeys(schema)) expect(uncommented).toMatch(new RegExp(`^${key} = `, "m"))
  }
})

test("every key says what it does and what it takes", () => {
  const walk = (schema: TSchema, name: string): readonly string[] => {
    const own = String(schema["description"] ?? "") === "" || String(schema["expected"] ?? "") === "" ? [name] : []
    const inner = KindGuard.IsArray(schema)
      ? [["[]", schema.items] as const]
      : Object.entries<TSchema>(schema["properties"] ?? {})
    return [...own, ...inner.flatMap(([key, below]) => walk(below, `${name}.${key}`))]
  }
  expect(walk(rulesSchema, "")).toEqual([])
  expect(RULES.filter(({ doc }) => doc === "")).toEqual([])
})
