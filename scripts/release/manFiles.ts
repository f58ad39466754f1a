/** Man pages of the configuration files (section 5), from the schemas that read them. */
import { KindGuard, type TSchema } from "@sinclair/typebox"
import { configSchema } from "../../src/config/config.ts"
import { metaOf } from "../../src/settings/schema.ts"
import { waasSchema } from "../../src/waas/configSchema.ts"
import { type Edition, escaped, term } from "./man.ts"

interface FilePage {
  /** `cosigner.toml` */
  readonly name: string
  readonly summary: string
  readonly description: string
  readonly schema: TSchema
  readonly seeAlso: readonly string[]
}

const PAGES: readonly FilePage[] = [
  {
    name: "cosigner.toml",
    summary: "configuration of a node",
    description:
      "Read once, at the start; SIGHUP reloads the rules and the log levels. Unknown keys and bad values stop the start with file, line and key. cosigner config init writes an annotated file, cosigner config check says whether a node may start with it. The rules of embedded_risk_control_rules stand in docs/reference/configuration.md of the package.",
    schema: configSchema,
    seeAlso: ["cosigner", "cosigner-config-init", "cosigner-config-check"],
  },
  {
    name: "waas.toml",
    summary: "configuration of WaaS, the coordinator",
    description:
      "Read once, at the start of cosigner waas, in the folder that cosigner waas init makes. Unknown keys and bad values stop the start with file, line and key.",
    schema: waasSchema,
    seeAlso: ["cosigner", "cosigner-waas-init", "cosigner-waas-start"],
  },
]

/** File names of man5 and their texts. */
export const fileManPages = (edition: Edition): ReadonlyMap<string, string> =>
  new Map(PAGES.map((page) => [`${page.name}.5`, textOf(page, edition)]))

const textOf = ({ name, summary, description, schema, seeAlso }: FilePage, { version, date }: Edition): string =>
  [
    '.\\" Made from the code by `npm run release`.',
    `.TH ${escaped(name.toUpperCase())} 5 ${date} "cosigner ${escaped(version)}" "cosigner manual"`,
    ".ad l",
    ".SH NAME",
    `${escaped(name)} \\- ${escaped(summary)}`,
    ".SH DESCRIPTION",
    escaped(description),
    ".SH KEYS",
    ...keysOf(schema, ""),
    ".SH SEE ALSO",
    ...seeAlso.map((page, i) => `.BR ${escaped(page)} (1)${i === seeAlso.length - 1 ? "" : ","}`),
    "",
  ].join("\n")

function keysOf(schema: TSchema, above: string): readonly string[] {
  if (!KindGuard.IsObject(schema)) return []
  return Object.entries<TSchema>(schema.properties).flatMap(([key, inner]) => {
    const path = above === "" ? key : `${above}.${key}`
    const item = KindGuard.IsArray(inner) ? inner.items : inner
    if (KindGuard.IsObject(item)) {
      const table = KindGuard.IsArray(inner) ? `[[${path}]]` : `[${path}]`
      return [...term(table, metaOf(inner).description ?? "A table."), ...keysOf(item, path)]
    }
    const fallback: unknown = inner["default"]
    const shown = fallback === undefined ? "" : ` Default: ${JSON.stringify(fallback)}.`
    return term(path, `${metaOf(inner).description ?? ""}${shown}`.trim())
  })
}
