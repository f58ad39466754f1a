/**
 * The processes of the demo: this very program, run again as WaaS and as nodes. Each process gets an environment of its own, its
 * log goes to a file, and it is ended by its pid, never by name.
 */
import { closeSync, openSync } from "node:fs"
import { build } from "../../build.ts"
import { CosignerError } from "../../errors.ts"

export interface Program {
  /** The words that start it on a command line. */
  readonly words: readonly string[]
  /** Is told of every process that runs it. */
  readonly logTap?: LogTap
}

export interface LogTap {
  /** `args` are the words after the program's. */
  started(pid: number, args: readonly string[]): void
  /** A piece of its stdout or stderr. */
  said(pid: number, args: readonly string[], text: string): void
}

/** This program: the binary, or bun and the entry when run from source. */
export const self: Program = {
  words:
    build.mode === "compiled"
      ? [process.execPath]
      : [process.execPath, new URL("../../main.ts", import.meta.url).pathname],
}

const environment = { PATH: process.env["PATH"] ?? "", HOME: process.env["HOME"] ?? "/", TZ: "UTC" }

/** Runs a command to its end and returns its stdout; a failure is E-CLI-020 with the end of its stderr. */
export async function runToEnd(program: Program, args: readonly string[], cwd: string): Promise<string> {
  const child = spawn(program, args, cwd)
  const [stdout, stderr, exit] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.exited,
  ])
  for (const text of [stdout, stderr]) program.logTap?.said(child.pid, args, text)
  if (exit !== 0) {
    throw new CosignerError("E-CLI-020", { command: args.join(" "), exit, said: stderr.trim().slice(-800) })
  }
  return stdout
}

function spawn({ words, logTap }: Program, args: readonly string[], cwd: string) {
  const child = Bun.spawn([...words, ...args], {
    cwd,
    env: environment,
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  })
  logTap?.started(child.pid, args)
  return child
}

export interface Actor {
  readonly name: string
  readonly pid: number
  /** Resolves with the first line of its log that `wanted` accepts, from the start of the process; E-CLI-021 after `ms`. */
  line(wanted: (line: string) => boolean, ms: number): Promise<string>
  /** Its output so far. */
  lines(): readonly string[]
  /** Sends the signal and waits for the end. */
  end(signal: "SIGTERM" | "SIGKILL"): Promise<void>
}

/** Starts a long-running command; stdout and stderr are one log, kept in memory and in `logFile`. */
export function startActor(
  program: Program,
  name: string,
  args: readonly string[],
  cwd: string,
  logFile: string,
): Actor {
  const child = spawn(program, args, cwd)
  const log = createLog(logFile, (text) => program.logTap?.said(child.pid, args, text))
  const drained = Promise.all([log.drain(child.stdout), log.drain(child.stderr)]).then(() => log.close())
  return {
    name,
    pid: child.pid,
    line: (wanted, ms) =>
      Promise.race([
        log.find(wanted),
        child.exited.then((exit) => {
          throw new CosignerError("E-CLI-020", { command: name, exit, said: log.tail() })
        }),
        Bun.sleep(ms).then(() => {
          throw new CosignerError("E-CLI-021", { name, seconds: ms / 1000, said: log.tail() })
        }),
      ]),
    lines: log.lines,
    end: async (signal) => {
      child.kill(signal)
      await child.exited
      await drained
    },
  }
}

/** Lines as they come, findable from the first one on. */
function createLog(path: string, hear: (text: string) => void) {
  const fd = openSync(path, "a", 0o600)
  const lines: string[] = []
  const waiting = new Set<{ wanted: (line: string) => boolean; found: (line: string) => void }>()
  const take = (line: string): void => {
    lines.push(line)
    for (const reader of waiting) {
      if (!reader.wanted(line)) continue
      waiting.delete(reader)
      reader.found(line)
    }
  }
  return {
    async drain(stream: ReadableStream<Uint8Array>): Promise<void> {
      let rest = ""
      const decoder = new TextDecoder()
      for await (const chunk of stream) {
        const text = decoder.decode(chunk, { stream: true })
        hear(text)
        await Bun.write(Bun.file(fd), text)
        const parts = (rest + text).split("\n")
        rest = parts.pop() ?? ""
        for (const part of parts) take(part)
      }
      if (rest !== "") take(rest)
    },
    find: (wanted: (line: string) => boolean): Promise<string> => {
      const known = lines.find(wanted)
      if (known !== undefined) return Promise.resolve(known)
      return new Promise((found) => waiting.add({ wanted, found }))
    },
    lines: () => lines,
    tail: () => lines.slice(-12).join("\n"),
    close: () => closeSync(fd),
  }
}
