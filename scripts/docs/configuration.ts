/** configuration.md: every key of the node's TOML, from the schemas that read it, and the annotated file. */
import { KindGuard, type TSchema } from "@sinclair/typebox"
import { configSchema, DEFAULT_FILE, RULES_TABLE } from "../../src/config/config.ts"
import { metaOf } from "../../src/config/schema.ts"
import { template } from "../../src/config/template.ts"
import { code, page, table } from "./markdown.ts"
import { rulesReference } from "./rules.ts"

export function configurationPage(): string {
  return page(
    "Configuration",
    [
      `A TOML file, ${code(DEFAULT_FILE)} unless --config names another. It is read once, at the start; unknown keys and bad values`,
      "stop the start with file, line and key. SIGHUP reads the rules and the log levels anew. Relative paths begin at the working",
      "directory. `cosigner config init` writes the annotated file below, `cosigner config check` says whether a node may start.",
    ].join("\n"),
    "Flags fill in what the file leaves out. A flag that contradicts the file is refused (E-CFG-004), except -c, -d, --key-file and --ws-url, which say where things are.",
    ...sections(configSchema, []),
    `## [${RULES_TABLE}]`,
    ...rulesReference(),
    "## The annotated file",
    `\`\`\`toml\n${template()}\`\`\``,
  )
}

function sections(schema: TSchema, path: readonly string[]): readonly string[] {
  const properties: readonly (readonly [string, TSchema])[] = Object.entries(schema["properties"] ?? {})
  const inner = properties.filter(([key, tSchema]) => key !== RULES_TABLE && isTable(tSchema))
  const keys = properties.filter(([key, tSchema]) => key !== RULES_TABLE && !isTable(tSchema))
  return [
    table(
      ["key", "value", "default", "meaning"],
      keys.map(([key, tSchema]) => rowOf(key, tSchema)),
    ),
    ...inner.flatMap(([key, tSchema]) => {
      const name = [...path, key].join(".")
      const list = KindGuard.IsArray(tSchema)
      const body = list ? tSchema["items"] : tSchema
      return [`## ${list ? `[[${name}]]` : `[${name}]`}`, metaOf(body).description, ...sections(body, [...path, key])]
    }),
  ]
}

const isTable = (schema: TSchema): boolean =>
  KindGuard.IsObject(schema) || (KindGuard.IsArray(schema) && KindGuard.IsObject(schema.items))

function rowOf(key: string, schema: TSchema): readonly string[] {
  const { description, expected } = metaOf(schema)
  const fallback: unknown = schema["default"]
  const shown = fallback === undefined ? "none" : fallback === "" ? '`""` (off)' : code(JSON.stringify(fallback))
  return [code(key), expected, shown, description]
}
