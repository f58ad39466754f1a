/** A running node: the real binary in a folder of its own, without a WaaS. */

import { mkdirSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { binary, cosigner } from "./binary.ts"
import { temporaryFolder } from "./temporaryFolder.ts"

export interface Process extends AsyncDisposable {
  readonly pid: number
  /** Resolves with the first line of its log that matches; rejects when it ends without one. */
  line(wanted: RegExp): Promise<string>
  signal(name: NodeJS.Signals): void
  /** Its exit code, null after a signal, and what it said until then. */
  readonly ended: Promise<{ readonly exit: number | null; readonly text: string }>
}

export interface Node extends Disposable {
  readonly dir: string
  configure(toml: string): void
  start(how?: {
    readonly env?: Readonly<Record<string, string>>
    readonly through?: readonly string[]
    readonly args?: readonly string[]
  }): Process
}

export const PASSWORD = "correct horse battery staple"

export async function makeNode(): Promise<Node> {
  const dir = temporaryFolder("hardening").path
  mkdirSync(join(dir, "configs"), { mode: 0o700 })
  writeFileSync(join(dir, ".password"), PASSWORD, { mode: 0o600 })
  const { exit, stderr } = await cosigner(["init", "--key-file", ".password"], { cwd: dir })
  if (exit !== 0) throw new Error(stderr)
  return {
    dir,
    configure: (toml) => configure(dir, toml),
    start: ({ env = {}, through = [], args = [] } = {}) =>
      run([...through, binary, "start", "--key-file", ".password", ...args], dir, env),
    [Symbol.dispose]: () => rmSync(dir, { recursive: true, force: true }),
  }
}

const configure = (dir: string, toml: string): void =>
  writeFileSync(
    join(dir, "configs", "cosigner.toml"),
    // what hardens a node needs no risk control; the flag is a key of its own, before any table
    `danger_allow_unguarded_signing = true\n${toml}\n[websocket]\nurl = "wss://127.0.0.1:9/ws"\nwaas_public_key = "58${"66".repeat(31)}"\n`,
    { mode: 0o600 },
  )

function run(command: readonly string[], cwd: string, env: Readonly<Record<string, string>>): Process {
  const child = Bun.spawn([...command], {
    cwd,
    env: { PATH: process.env["PATH"] ?? "", HOME: cwd, ...env },
    stdin: "ignore",
    stdout: "ignore",
    stderr: "pipe",
    timeout: 30_000,
  })
  let text = ""
  const waiting = new Map<RegExp, (line: string) => void>()
  const look = () => {
    for (const [wanted, found] of waiting) {
      const line = text.split("\n").find((name) => wanted.test(name))
      if (line !== undefined && waiting.delete(wanted)) found(line)
    }
  }
  const drained = (async () => {
    const decoder = new TextDecoder()
    for await (const chunk of child.stderr) {
      text += decoder.decode(chunk, { stream: true })
      look()
    }
  })()
  const ended = child.exited.then(async () => {
    await drained
    return { exit: child.exitCode, text }
  })
  return {
    pid: child.pid,
    ended,
    signal: (name) => child.kill(name),
    line: (wanted) =>
      Promise.race([
        new Promise<string>((found) => {
          waiting.set(wanted, found)
          look()
        }),
        ended.then((of) => {
          throw new Error(`it ended without ${wanted}: ${JSON.stringify(of)}`)
        }),
      ]),
    async [Symbol.asyncDispose]() {
      child.kill("SIGKILL")
      await ended
    },
  }
}
