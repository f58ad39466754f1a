/** src/policy/ruleList.ts: one line for each file of src/policy/rules/, so that a rule is its file and its test. */
import { readdirSync } from "node:fs"
import { join } from "node:path"
import { root } from "../toolchain.ts"

export const RULE_LIST = join("src", "policy", "ruleList.ts")

/** A rule's file has the name of what it exports. */
export function ruleListSource(): string {
  const names = readdirSync(join(root, "src", "policy", "rules"))
    .filter((file) => file.endsWith(".ts"))
    .map((file) => file.slice(0, -".ts".length))
    .sort()
  return [
    "/** Every rule of rules/. Written by `npm run docs`; nothing here is typed by hand. */",
    'import type { AnyRule } from "./rule.ts"',
    ...names.map((name) => `import { ${name} } from "./rules/${name}.ts"`),
    "",
    "export const LISTED: readonly AnyRule[] = [",
    ...names.map((name) => `  ${name},`),
    "]",
    "",
  ].join("\n")
}
