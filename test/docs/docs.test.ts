/** docs/reference/ is what the code says, and says all of it. */
import { describe, expect, test } from "bun:test"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { commandPages } from "../../scripts/docs/commands.ts"
import { pages } from "../../scripts/docs/pages.ts"
import { templateOf } from "../../scripts/docs/template.ts"
import { template } from "../../src/config/template.ts"
import { type Code, codes } from "../../src/errors.ts"
import { CATALOGUE } from "../../src/metrics/catalogue.ts"
import { ROUTES } from "../../src/status/routes.ts"

const written = await pages()
const pageOf = (name: string): string => written.get(name) ?? ""
const isCode = (text: string): text is Code => Object.hasOwn(codes, text)

describe("docs/reference", () => {
  for (const [name, text] of written) {
    test(`${name} is current; if not: npm run docs`, () => {
      expect(readFileSync(join(import.meta.dir, "../../docs/reference", name), "utf8") === text).toBe(true)
    })
  }
  /** What a page lacks: a diff of whole pages would be unreadable. */
  const lacking = (name: string, wanted: readonly string[]) => wanted.filter((text) => !pageOf(name).includes(text))

  test("has an entry for every error code", () => {
    expect(
      lacking(
        "errors.md",
        Object.keys(codes).map((code) => `\n### ${code}\n`),
      ),
    ).toEqual([])
  })
  test("has a section for every command with each of its options", async () => {
    const all = await commandPages()
    expect(
      lacking(
        "commands.md",
        all.map(({ name }) => `\n## ${name}\n`),
      ),
    ).toEqual([])
    const flags = all.flatMap(({ command }) => Object.values(command?.options ?? {}).map((option) => option.flags))
    expect(
      lacking(
        "commands.md",
        flags.map((text) => text.replaceAll("|", "\\|")),
      ),
    ).toEqual([])
  })
  test("has every key of the configuration, and the annotated file", () => {
    const keys = ["danger_allow_unhardened_process", "service_address", "event_types", "password_file", "server_addr"]
    expect(lacking("configuration.md", [template(), ...keys.map((key) => `| \`${key}\` |`)])).toEqual([])
  })
  test("has every metric and every endpoint", () => {
    expect(
      lacking(
        "metrics.md",
        Object.keys(CATALOGUE).map((name) => `| \`${name}\` |`),
      ),
    ).toEqual([])
    const paths = Object.values(ROUTES).map(({ path }) => `\`GET ${path}\``)
    expect(lacking("rest.md", [...paths, "### POST /v2/wallets/mpc/vaults\n", "`vault_type`"])).toEqual([])
    expect(lacking("rest.md", ["no such text"])).toHaveLength(1)
  })
})

describe("the text of a code", () => {
  test("names its data instead of showing some", () => {
    expect(templateOf("E-STO-003")).toContain("<path> is in use by <holder>")
    expect(templateOf("E-OPS-006")).toStartWith("<names> in the environment")
    expect(templateOf("E-CFG-003")).toBe("<problems>")
    expect(templateOf("E-CLI-002")).toEndWith('not "<got>"')
    expect(templateOf("E-TSK-004")).toContain("<time>")
  })
  test("never shows a stand-in that went wrong", () => {
    for (const code of Object.keys(codes).filter(isCode)) {
      expect(templateOf(code)).not.toMatch(/NaN|undefined|\[object|\[Function|=>|1970/)
    }
  })
})
