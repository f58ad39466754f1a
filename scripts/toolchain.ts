/** How the scripts run other programs of this repository. Their own chatter goes to stderr: stdout is for results. */
import { closeSync, openSync } from "node:fs"
import { join } from "node:path"

export const root = join(import.meta.dir, "..")
export const binary = join(root, "dist", "cosigner")

/** Runs bun with these arguments in the root, its stdout sent to stderr; ends this process if it fails. */
export async function mustRun(...args: readonly string[]): Promise<void> {
  const child = Bun.spawn([process.execPath, ...args], { cwd: root, stdin: "ignore", stdout: 2, stderr: 2 })
  const code = await child.exited
  if (code !== 0) {
    console.error(`bun ${args.join(" ")} failed with exit code ${code}`)
    process.exit(1)
  }
}

/** Brings dist/cosigner up to date. */
export const buildBinary = (): Promise<void> => mustRun("build.ts", "--if-stale")

/** Runs a program with this process's streams and hands signals on; answers its exit code. */
export async function passThrough(command: readonly string[], env: NodeJS.ProcessEnv = process.env): Promise<number> {
  const child = Bun.spawn([...command], { stdin: "inherit", stdout: "inherit", stderr: "inherit", env })
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => child.kill(signal))
  return await child.exited
}

/** Runs a program with stdout and stderr in one file; answers its exit code. It ends with this process. */
export async function writeTo(path: string, command: readonly string[], env: NodeJS.ProcessEnv): Promise<number> {
  const out = openSync(path, "a")
  const child = Bun.spawn([...command], { stdin: "ignore", stdout: out, stderr: out, env })
  closeSync(out)
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => child.kill(signal))
  return await child.exited
}
