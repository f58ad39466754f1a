import { expect, test } from "bun:test"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { svgOf } from "../../scripts/docs/diagrams.ts"

const root = join(import.meta.dir, "../..")

test("every picture is that of its text; if not: npm run docs", () => {
  const sources = [...new Bun.Glob("docs/concepts/*.diagram").scanSync({ cwd: root })]
  expect(sources.length).toBeGreaterThan(3)
  for (const path of sources) {
    const svg = readFileSync(join(root, path.replace(/diagram$/, "svg")), "utf8")
    expect(svg === svgOf(readFileSync(join(root, path), "utf8"))).toBe(true)
  }
})

test("texts are escaped, and stand in the description", () => {
  const svg = svgOf('stack A < B\n[x & "y" | 1 > 0]\nv then\n[z]\n')
  expect(svg).toContain('<title id="t">A &lt; B</title>')
  expect(svg).toContain(">x &amp; &quot;y&quot;</text>")
  expect(svg).not.toMatch(/ & |x & /)
  expect(svg.match(/<rect class="box"/g)).toHaveLength(2)
})

test("messages go between the columns that they name", () => {
  const svg = svgOf("sequence S\ncolumns A, B\nA > B: hello\nB: thinks\n= done\n")
  const [, from = "", to = ""] = /marker-end="url\(#a\)" d="M([\d.]+) [\d.]+H([\d.]+)"/.exec(svg) ?? []
  expect(Number(to)).toBeGreaterThan(Number(from))
  for (const text of ["hello", "thinks", "done"]) expect(svg).toContain(`>${text}</text>`)
})

test("lines that mean nothing are errors", () => {
  for (const source of [
    "",
    "pie P\n[a]",
    "stack S\na box",
    "sequence S\ncolumns A\nA > C: x",
    "sequence S\ncolumns A\nx",
  ])
    expect(() => svgOf(source)).toThrow()
})
