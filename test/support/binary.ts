/** The compiled binary, run from outside as its users do. `npm test` builds it before the tests. */
import { existsSync } from "node:fs"
import { join } from "node:path"

export const root = join(import.meta.dir, "..", "..")
export const binary = join(root, "dist", "cosigner")
if (!existsSync(binary)) throw new Error("dist/cosigner is not there: run the tests with `npm test` or `bun run test`")

export interface Ended {
  readonly exit: number | null
  readonly stdout: string
  readonly stderr: string
}

export interface How {
  readonly cwd: string
  readonly env?: Readonly<Record<string, string>>
}

/** Runs it without a terminal, in a session of its own, with nothing of this process's environment. */
export async function cosigner(args: readonly string[], { cwd, env = {} }: How): Promise<Ended> {
  const child = Bun.spawn(["setsid", "--wait", binary, ...args], {
    cwd,
    env: { PATH: process.env["PATH"] ?? "/usr/bin:/bin", HOME: cwd, ...env },
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
    timeout: 20_000,
  })
  const [stdout, stderr] = await Promise.all([child.stdout.text(), child.stderr.text()])
  await child.exited
  return { exit: child.exitCode, stdout, stderr }
}
