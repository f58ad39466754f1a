/** `npm run -s demo -- --json` as the README writes it: stdout is for programs. */
import { expect, test } from "bun:test"
import { root } from "../support/binary.ts"

test.skipIf(Bun.which("npm") === null)(
  "prints JSON alone, whatever bootstrap and build have to say",
  async () => {
    const child = Bun.spawn(["npm", "run", "-s", "demo", "--", "--json", "--nope"], {
      cwd: root,
      stdin: "ignore",
      stdout: "pipe",
      stderr: "ignore",
    })
    const lines = (await child.stdout.text()).trim().split("\n")
    expect(lines.map((line) => JSON.parse(line))).toEqual([{ error: expect.objectContaining({ code: "E-CLI-014" }) }])
    expect(await child.exited).toBe(1)
  },
  60_000,
)
