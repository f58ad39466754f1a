import { afterAll, expect, test } from "bun:test"
import { writeFileSync } from "node:fs"
import { KindGuard, type TSchema } from "@sinclair/typebox"
import { configSchema, RULES_TABLE } from "../../src/config/config.ts"
import { checkConfig } from "../../src/config/load.ts"
import { template } from "../../src/config/template.ts"
import { temporaryFolder } from "../support/temporaryFolder.ts"

const FILE = "configs/cosigner.toml"
const dir = temporaryFolder("template")
afterAll(() => dir[Symbol.dispose]())
const abi = dir.at("router.json")
writeFileSync(abi, '[{"type":"function","name":"pause","inputs":[]}]')
/** As an operator would who takes every comment that is a key. */
const uncommented = (): string =>
  template()
    .replace(/^#(?=[[a-z"])/gm, "")
    .replace("abi/router.json", abi)
    // a bundle and the parts of a policy beside it exclude one another
    .replace(/^bundle = .*$/m, "")

/** The dotted names of every key of the schema; lists and maps by their own name. */
function keysOf(schema: TSchema, prefix = ""): readonly string[] {
  return Object.entries<TSchema>(schema["properties"] ?? {}).flatMap(([key, inner]) => {
    if (key === RULES_TABLE) return []
    const name = `${prefix}${key}`
    if (KindGuard.IsObject(inner)) return keysOf(inner, `${name}.`)
    if (KindGuard.IsArray(inner) && KindGuard.IsObject(inner.items)) return keysOf(inner.items, `${name}[0].`)
    return [name]
  })
}

function has(tree: unknown, name: string): boolean {
  let at: unknown = tree
  for (const part of name.match(/[\w-]+/g) ?? []) {
    if (typeof at !== "object" || at === null || !Object.hasOwn(at, part)) return false
    at = Reflect.get(at, part)
  }
  return true
}

test("as written it is correct, and changes no default", () => {
  const { source: _, ...written } = checkConfig(template(), FILE).config
  const { source: __, ...defaults } = checkConfig("", FILE).config
  expect(written).toEqual(defaults)
})

test("with every comment taken it is correct, and has every key of the schema", () => {
  const { tree } = checkConfig(uncommented(), FILE)
  const keys = keysOf(configSchema)
  expect(keys.length).toBeGreaterThan(50)
  expect(keys.filter((key) => !has(tree, key))).toEqual(["policy.bundle"])
})

test("every line fits a terminal of 120 columns", () => {
  expect(
    template()
      .split("\n")
      .filter((line) => line.length > 120),
  ).toEqual([])
})

test("every key says what it does and what it takes", () => {
  const walk = (schema: TSchema, name: string): readonly string[] => {
    const own = String(schema["description"] ?? "") === "" || String(schema["expected"] ?? "") === "" ? [name] : []
    const inner = KindGuard.IsArray(schema)
      ? [["[]", schema.items] as const]
      : Object.entries<TSchema>(schema["properties"] ?? {})
    return [
      ...own,
      ...inner.filter(([key]) => key !== RULES_TABLE).flatMap(([key, tSchema]) => walk(tSchema, `${name}.${key}`)),
    ]
  }
  expect(walk(configSchema, "")).toEqual([])
})
