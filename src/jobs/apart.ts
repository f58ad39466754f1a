/** Runs a command of this program in a process of its own: work that needs memory and processor time which the serving process needs. */
import { build } from "../build.ts"
import { CosignerError } from "../errors.ts"

/** This program: the binary, or bun and the entry point when it runs from source. */
const PROGRAM: readonly string[] =
  build.mode === "compiled" ? [process.execPath] : [process.execPath, new URL("../main.ts", import.meta.url).pathname]

const MOST_SAID = 400

/** Makes or proves the backup `path` by a command. Throws E-BAK-018 with the command's error if it fails. `signal` ends the process. */
export async function backUpApart(command: readonly string[], path: string, signal?: AbortSignal): Promise<void> {
  const child = Bun.spawn([...PROGRAM, ...command, "--json"], {
    stdin: "ignore",
    stdout: "ignore",
    stderr: "pipe",
    ...(signal !== undefined && { signal }),
  })
  const [said, exit] = await Promise.all([new Response(child.stderr).text(), child.exited])
  if (exit !== 0) throw new CosignerError("E-BAK-018", { path, said: errorIn(said) })
}

/** The error with which a command ended, from its code on. Progress may stand before it, and the advice behind it may be long. */
export function errorIn(stderr: string): string {
  const [error = stderr] = stderr.match(/^cosigner: E-[^\n]*(?:\n {2}next: [^\n]*)?$/gm)?.slice(-1) ?? []
  return error.trim().slice(0, MOST_SAID)
}
