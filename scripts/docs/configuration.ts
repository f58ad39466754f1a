/**
 * configuration.md, waas.toml.md, client.toml.md and callback-server.toml.md: every key of a file, from the schema that reads it, and the
 * annotated file.
 */
import { KindGuard, type TSchema } from "@sinclair/typebox"
import { clientSchema, clientTemplate } from "../../src/cli/client/profile.ts"
import { configSchema, DEFAULT_FILE, PUBLISHED_FILE, RULES_TABLE } from "../../src/config/config.ts"
import { template } from "../../src/config/template.ts"
import { callbackServerSchema, callbackServerTemplate } from "../../src/kit/callbackServer/config.ts"
import { metaOf } from "../../src/settings/schema.ts"
import { waasSchema, waasTemplate } from "../../src/waas/configSchema.ts"
import { code, page, table } from "./markdown.ts"
import { rulesReference } from "./rules.ts"

const CLOSED = "Unknown keys and bad values stop the start with file, line and key."

export const configurationPage = (): string =>
  page(
    "Configuration",
    [
      `The configuration is a TOML file, ${code(DEFAULT_FILE)} unless --config names another. The node reads it once, at the start. ${CLOSED}`,
      "SIGHUP reloads the rules and the log levels. Relative paths are relative to the working directory. `cosigner config init`",
      "writes the annotated file below, `cosigner config check` says whether a node may start. WaaS and the reference callback",
      "server have files of their own: [waas.toml](waas.toml.md), [client.toml](client.toml.md), [callback-server.toml](callback-server.toml.md). The node also reads a YAML file of the",
      `published format as it is: the one that --config names, or ${code(PUBLISHED_FILE)} if there is no TOML file. \`cosigner config import\` converts it to TOML.`,
    ].join("\n"),
    "Flags supply what the file leaves out. A flag that contradicts the file is refused (E-CFG-004), except -c, -d, --key-file and --ws-url, which say where things are.",
    ...sections(configSchema, []),
    `## [${RULES_TABLE}]`,
    ...rulesReference(),
    ...annotated(template()),
  )

export const waasPage = (): string =>
  page(
    "waas.toml",
    [
      `The configuration of WaaS, in the folder that \`cosigner waas init\` makes; --config names another file. ${CLOSED}`,
      "It is read once, at the start.",
    ].join("\n"),
    ...sections(waasSchema, []),
    ...annotated(waasTemplate()),
  )

export const clientPage = (): string =>
  page(
    "client.toml",
    [
      `The profile of a client of WaaS, written by \`cosigner client init\`; --profile names another file. ${CLOSED}`,
      "It is read at every command.",
    ].join("\n"),
    ...sections(clientSchema, []),
    ...annotated(clientTemplate({})),
  )

export const callbackServerPage = (): string =>
  page(
    "callback-server.toml",
    [
      `The configuration of the reference callback server, written by \`cosigner callback-server init\`. ${CLOSED}`,
      "It is read once, at the start. A section that is left out allows nothing; relative files are relative to this one.",
    ].join("\n"),
    ...sections(callbackServerSchema, []),
    ...annotated(callbackServerTemplate()),
  )

const annotated = (text: string): readonly string[] => ["## The annotated file", `\`\`\`toml\n${text}\`\`\``]

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
