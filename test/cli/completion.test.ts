import { describe, expect, test } from "bun:test"
import { SHELLS, walk } from "../../src/cli/completion.ts"
import { table } from "../../src/cli/table.ts"
import { cli } from "./world.ts"

const script = async (shell: string) => (await cli(["completion", shell])).stdout

/** What bash offers for the last of these words. */
async function offered(...words: readonly string[]): Promise<readonly string[]> {
  const line = ["cosigner", ...words].map((word) => `'${word}'`).join(" ")
  const code = `${await script("bash")}\nCOMP_WORDS=(${line}); COMP_CWORD=${words.length}; _cosigner; echo "\${COMPREPLY[@]}"`
  const { exitCode, stdout, stderr } = Bun.spawnSync(["bash", "--norc", "-c", code], { stdin: "ignore" })
  expect({ exitCode, stderr: stderr.toString() }).toEqual({ exitCode: 0, stderr: "" })
  return stdout.toString().trim().split(" ")
}

describe("bash", () => {
  test("commands, and the commands below one", async () => {
    expect(await offered("ver")).toEqual(["version"])
    expect(await offered("config", "")).toEqual(expect.arrayContaining(["init", "check", "show"]))
    expect(await offered("config", "ch")).toEqual(["check"])
  })
  test("flags, also behind flags", async () => {
    expect(await offered("config", "init", "--fo")).toEqual(["--force"])
    expect(await offered("--json", "config", "init", "--fo")).toEqual(["--force"])
    expect(await offered("version", "--key")).toEqual(["--key-file"])
  })
})

for (const shell of SHELLS) {
  test(`${shell}: every command and every flag is in the script`, async () => {
    const text = await script(shell)
    for (const node of await walk(table)) {
      for (const { word } of node.next) expect(text).toContain(word)
      for (const { flags } of node.options) expect(text).toContain(/--([\w-]+)/.exec(flags)?.[1] ?? flags)
    }
  })
}

test("another shell is refused", async () => {
  expect((await cli(["completion", "tcsh"])).exit).toBe(1)
})
