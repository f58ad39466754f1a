/**
 * The shell blocks of a page of docs/, run as a reader would type them: one shell, in a fresh folder, `cosigner` on the path.
 *
 *     ```sh                          a block that is run; it must end with exit code 0
 *     *Not run by the tests: why.*   on the line before a block that the machine of a test cannot have
 *     <!-- first: ... -->            lines that are run and not shown: what the page takes for granted; $SETUP is test/pages/setup
 *
 * The script has the line numbers of the page, so the shell itself names the line that fails.
 */
import { appendFileSync, mkdirSync, writeFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { binary } from "../support/binary.ts"
import { freePort } from "../support/freePort.ts"
import { temporaryFolder } from "../support/temporaryFolder.ts"

export interface Script {
  /** As many lines as the page, those outside of blocks empty. */
  readonly lines: readonly string[]
  /** Commands that a reader types: lines of blocks, without comments, with their continuations, here documents as one. */
  readonly commands: readonly string[]
  /** Reasons of the blocks that are not run. */
  readonly left: readonly string[]
}

const BLOCK = /^```sh$/
const NOT_RUN = /^\*Not run by the tests: (.+)\.\*$/

export function scriptOf(page: string): Script {
  const lines: string[] = []
  const commands: string[] = []
  const left: string[] = []
  let state: "text" | "block" | "skipped" | "hidden" = "text"
  let reason: string | undefined
  let open = ""
  for (const line of page.split("\n")) {
    let runs = ""
    if (state === "text") {
      if (BLOCK.test(line)) {
        state = reason === undefined ? "block" : "skipped"
        if (reason !== undefined) left.push(reason)
      } else if (line === "<!-- first:") state = "hidden"
      if (line.trim() !== "" || state !== "text") reason = NOT_RUN.exec(line)?.[1]
    } else if (line === (state === "hidden" ? "-->" : "```")) state = "text"
    else if (state !== "skipped") {
      runs = line
      if (state === "block") open = typed(line, open, commands)
    }
    lines.push(runs)
  }
  if (state !== "text") throw new Error(`a block does not end: ${state}`)
  return { lines, commands, left }
}

/** Adds the line to what is typed; answers what the next line belongs to: "" for a command of its own, else the end of a here document. */
function typed(line: string, open: string, commands: string[]): string {
  const last = commands.length - 1
  if (open !== "") {
    commands[last] += `\n${line}`
    return open === "\\" ? (line.endsWith("\\") ? "\\" : "") : line === open ? "" : open
  }
  if (line.trim() === "" || line.trimStart().startsWith("#")) return ""
  if (/^\s/.test(line) || /^(?:done|fi|\})/.test(line)) commands[last] += `\n${line}`
  else commands.push(line)
  const [, end] = /<<'?(\w+)'?/.exec(line) ?? []
  return end ?? (line.endsWith("\\") ? "\\" : "")
}

/** Ports of loopback addresses on the page, each with a free one to use in its place. */
function freePorts(text: string): ReadonlyMap<string, string> {
  const named = new Set([...text.matchAll(/(?:127\.0\.0\.1|localhost):(\d{4,5})/g)].map(([, port]) => port ?? ""))
  return new Map([...named].map((port) => [port, String(freePort())]))
}

/** Where the shell stops: the page, the line, and the last of what was said. */
const PRELUDE = [
  "exec 2>&1; set -Eeuo pipefail",
  `trap 'code=$?; printf "%s:%s: exit code %s: %s\\n" "$PAGE" "$LINENO" "$code" "$BASH_COMMAND" >&2; exit 1' ERR`,
  `trap 'jobs -p | xargs -r kill 2>/dev/null || true; wait' EXIT`,
].join("; ")

export interface PageRun {
  readonly exit: number | null
  /** Everything the page printed, stdout and stderr. */
  readonly said: string
}

/** Whatever a page that was ended in the middle left: it has a session of its own. */
function endGroup(leader: number): void {
  try {
    process.kill(-leader, "SIGKILL")
  } catch {
    // nobody is left
  }
}

/** Runs a page; its background processes end with it. */
export async function runPage(name: string, page: string, timeoutMs = 120_000): Promise<PageRun> {
  using folder = temporaryFolder("docs")
  const { lines } = scriptOf(page)
  const ports = freePorts(lines.join("\n"))
  const body = lines
    .slice(1)
    .join("\n")
    .replaceAll(/\b\d{4,5}\b/g, (word) => ports.get(word) ?? word)
  const script = join(folder.path, "page.sh")
  const home = join(folder.path, "home")
  const output = join(folder.path, "said")
  mkdirSync(home)
  writeFileSync(script, `${PRELUDE}\n${body}\n`)
  appendFileSync(output, "")
  const child = Bun.spawn(["setsid", "--wait", "bash", script], {
    cwd: home,
    env: {
      PATH: `${dirname(binary)}:${process.env["PATH"] ?? "/usr/bin:/bin"}`,
      HOME: home,
      PAGE: name,
      SETUP: join(import.meta.dir, "setup"),
    },
    stdin: "ignore",
    stdout: Bun.file(output),
    stderr: "ignore",
    timeout: timeoutMs,
  })
  await child.exited
  endGroup(child.pid)
  return { exit: child.exitCode, said: await Bun.file(output).text() }
}
