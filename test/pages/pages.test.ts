/** Every shell block of docs/tutorial and docs/how-to runs against the binary, from a fresh folder. A failure names page and line. */
import { describe, expect, test } from "bun:test"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { runPage, scriptOf } from "./blocks.ts"

/** Run in the long suite alone. */
const LONG = new Map([
  ["docs/how-to/approvals.md", "people ask, approve and sign elsewhere; `cosigner demo` does so in every run"],
  ["docs/how-to/audit.md", "three nodes cosign, which they are asked to every 20 s"],
  ["docs/how-to/waas-recovery.md", "WaaS is lost three times, and its nodes come back to it each time"],
])

const root = join(import.meta.dir, "../..")
const pages = [...new Bun.Glob("docs/{tutorial,how-to}/*.md").scanSync({ cwd: root })].sort()
const read = (path: string) => readFileSync(join(root, path), "utf8")

/** One letter of the kernel; empty where there is no such process. */
function readState(pid: number): string {
  try {
    return /\) (\w)/.exec(readFileSync(`/proc/${pid}/stat`, "utf8"))?.[1] ?? ""
  } catch {
    return ""
  }
}

describe("the blocks of a page", () => {
  const page = [
    "# A page",
    "",
    "```sh",
    "echo one",
    "cat <<END",
    "two",
    "END",
    "```",
    "Text.",
    "```toml",
    "x = 1",
    "```",
  ]

  test("become a script with the page's line numbers", () => {
    expect(scriptOf(page.join("\n")).lines).toEqual(["", "", "", ...page.slice(3, 7), "", "", "", "", ""])
    expect(scriptOf(page.join("\n")).commands).toEqual(["echo one", "cat <<END\ntwo\nEND"])
    expect(() => scriptOf("```sh\necho")).toThrow("does not end")
  })
  test("that are not run say why, and hidden ones are run without being typed", () => {
    const marked = [
      "# P",
      "*Not run by the tests: no systemd.*",
      "",
      "```sh",
      "false",
      "```",
      "<!-- first:",
      "true",
      "-->",
    ]
    expect(scriptOf(marked.join("\n"))).toMatchObject({ commands: [], left: ["no systemd"] })
    expect(scriptOf(marked.join("\n")).lines[7]).toBe("true")
  })
  test("stop at the first failure, which is named by its line", async () => {
    const { exit, said } = await runPage("p.md", page.join("\n").replace("echo one", "echo one | grep two"))
    expect([exit, said]).toEqual([1, "p.md:4: exit code 1: grep two\n"])
  })
  test("end with their background processes", async () => {
    const started = performance.now()
    expect(await runPage("p.md", "# P\n```sh\nsleep 60 &\necho done\n```\n")).toEqual({ exit: 0, said: "done\n" })
    expect(performance.now() - started).toBeLessThan(30_000)
  })
  test("that take too long leave no process behind", async () => {
    const page = "# P\n```sh\n(sh -c 'echo $$; exec sleep 600'; true) &\nsleep 600\n```\n"
    const { exit, said } = await runPage("p.md", page, 1_000)
    expect(exit).not.toBe(0)
    // A signal takes its time: gone, or not yet reaped.
    while (!/^(?:|Z)$/.test(readState(Number(said.trim())))) await Bun.sleep(5)
  }, 5_000)
  test("take no text that base64 may have by chance for the end of a key", () => {
    for (const path of pages) expect(read(path)).not.toMatch(/\/(?:BEGIN|END)\//)
  })
})

describe("pages", () => {
  for (const path of pages) {
    const page = read(path)
    const { commands, left } = scriptOf(page)
    if (commands.length === 0 && left.length === 0) continue
    test.if(!LONG.has(path) || process.env["COSIGNER_LONG"] === "1")(
      path,
      async () => {
        const { exit, said } = await runPage(path, page)
        expect({ exit, said: exit === 0 ? "" : said.slice(-3000) }).toEqual({ exit: 0, said: "" })
      },
      150_000,
    )
  }
  test("the first hour takes at most 25 commands, and leaves none out", () => {
    const { commands, left } = scriptOf(read("docs/tutorial/first-hour.md"))
    expect(commands.length).toBeLessThanOrEqual(25)
    expect(commands.length).toBeGreaterThan(15)
    expect(left).toEqual([])
  })
})
