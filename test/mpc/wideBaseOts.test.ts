/**
 * N_C = 256 (threshold.md 4.3): the constant is changed in one place and everything follows. The long run repeats the protocol
 * suites with it; here and always, that what is preloaded for that has an effect.
 */
import { expect, test } from "bun:test"
import { join } from "node:path"
import { N_C } from "../../src/crypto/parameters.ts"

const root = join(import.meta.dir, "../..")
const PRELOAD = ["--preload", "./test/support/wideBaseOts.ts"]
const SUITES = ["test/crypto", "test/mpc", "test/adversary"]
const isLong = process.env["COSIGNER_LONG"] === "1"

/** `bun` with these arguments, its default variants of the suites. */
async function bun(...args: readonly string[]) {
  const { COSIGNER_LONG: _, ...env } = process.env
  const child = Bun.spawn([process.execPath, ...args], { cwd: root, env, stdout: "pipe", stderr: "pipe" })
  const [stdout, stderr, exit] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.exited,
  ])
  return { exit, said: stdout + stderr }
}

test("the preloaded constant is the one that the code sees, with all that follows from it", async () => {
  const script = [
    `const { N_C, OT_PARAMETERS } = await import("./src/crypto/parameters.ts")`,
    `const { TREES, BOB_LENGTH } = await import("./src/crypto/pprf.ts")`,
    `console.log(JSON.stringify([N_C, OT_PARAMETERS.slice(0, 4).toHex(), TREES, BOB_LENGTH]))`,
  ].join("\n")
  expect(await bun(...PRELOAD, "-e", script)).toEqual({ exit: 0, said: `[256,"00000100",64,4128]\n` })
  expect(await bun("-e", script)).toEqual({ exit: 0, said: `[128,"00000080",32,2080]\n` })
})

test.skipIf(!isLong || N_C !== 128)(
  "the protocol suites pass with 256 base OTs",
  async () => {
    const { exit, said } = await bun("test", ...PRELOAD, "--timeout", "120000", ...SUITES)
    expect({ exit, failed: said.match(/^\(fail\).*$/gm) ?? [] }).toEqual({ exit: 0, failed: [] })
    expect(Number(/^ *(\d+) pass$/m.exec(said)?.[1] ?? 0)).toBeGreaterThan(700)
  },
  900_000,
)
