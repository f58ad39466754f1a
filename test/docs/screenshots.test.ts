/** The pictures of the pages: each is small, and stands in a document with words in its place; the long suite takes them anew. */
import { describe, expect, test } from "bun:test"
import { readFileSync, statSync } from "node:fs"
import { basename, join } from "node:path"
import { screenshots } from "../../scripts/docs/screenshots.ts"
import { chromium } from "../support/browser.ts"

const LONG = process.env["COSIGNER_LONG"] === "1"
const docs = join(import.meta.dir, "../../docs")
const pictures = [...new Bun.Glob("images/*").scanSync({ cwd: docs })].sort()

describe("the pictures of docs/images", () => {
  test("are PNGs of less than 150 kB", () => {
    expect(pictures.length).toBeGreaterThan(0)
    for (const picture of pictures) {
      expect(picture).toEndWith(".png")
      expect(statSync(join(docs, picture)).size).toBeLessThan(150_000)
    }
  })
  test("stand in a document, with what they show in words", () => {
    const pages = [...new Bun.Glob("**/*.md").scanSync({ cwd: docs })].map((page) =>
      readFileSync(join(docs, page), "utf8"),
    )
    for (const picture of pictures) {
      const named = pages.flatMap((page) => [...page.matchAll(/!\[([^\]]*)\]\(([^)]+)\)/g)])
      const words = named.filter(([, , path = ""]) => path.endsWith(picture)).map(([, alt = ""]) => alt)
      expect([picture, words.length > 0 && words.every((alt) => alt.length > 40)]).toEqual([picture, true])
    }
  })
})

test.skipIf(!LONG || chromium === undefined)("the pages are there to be pictured", async () => {
  const made = await screenshots()
  expect([...made.keys()].sort()).toEqual(pictures.map((picture) => basename(picture)))
})
