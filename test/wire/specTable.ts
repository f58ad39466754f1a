/** The tables of docs/spec/formats.md 13, read for comparison with what the encoders write. */
import { readFileSync } from "node:fs"
import { join } from "node:path"

const spec = readFileSync(join(import.meta.dir, "../../docs/spec/formats.md"), "utf8")

/** The text of one section, up to the next anchor. */
export function sectionOf(section: string): string {
  const [, after = ""] = spec.split(`<a id="s${section.replaceAll(".", "-")}"></a>`)
  return after.split("<a id=")[0] ?? ""
}

interface SpecRow {
  readonly name: string
  readonly sender: string
}

/** Numbers of the kinds in a section's table. */
export function numbersIn(section: string, nameOf = (row: SpecRow): string => row.name): ReadonlyMap<string, number> {
  const rows = [...sectionOf(section).matchAll(/^\| (\d+) \| (\w+) \| (\w+) \|/gm)]
  return new Map(rows.map(([, kind, name = "", sender = ""]) => [nameOf({ name, sender }), Number(kind)]))
}
