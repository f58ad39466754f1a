/** The annotated configuration of a node, which `config init` writes. */
import { rulesTemplate } from "../policy/template.ts"
import { templateOf } from "../settings/template.ts"
import { configSchema, RULES_TABLE } from "./config.ts"

export const template = (): string =>
  [
    templateOf(configSchema, {
      head: [
        "Configuration of cosigner. Every key is shown; a commented one shows its default, or an example.",
        "Relative paths are relative to the working directory. After a change: cosigner config check",
      ],
    }),
    ...rulesTemplate(RULES_TABLE),
    "",
  ].join("\n")
