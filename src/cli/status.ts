/** `cosigner status`: asks the status port of the running node; the exit code tells the answer. */

import { Value } from "@sinclair/typebox/value"
import type { Config } from "../config/config.ts"
import { parseListen, readToken } from "../config/listen.ts"
import { EXIT, type ExitCode } from "../errors/entry.ts"
import { CosignerError, errorText } from "../errors.ts"
import { type StatusDocument, statusSchema } from "../ops/port/documents.ts"
import type { Listen } from "../panel/listen.ts"
import { sleep } from "../sleep.ts"
import { command, flag } from "./command.ts"
import { requireOwner } from "./portOwner.ts"
import { statusLines } from "./statusText.ts"

/** Exit code for not ready. For an unreachable node the error ends the command with 2. */
const NOT_READY = EXIT.failure
const ANSWER_MS = 5_000
const WATCH_MS = 2_000

export const status = command({
  summary: "Ask the running node how it is",
  details: [
    "Reads the port that [status] opens; needs no password. Exit codes: 0 ready, 1 not ready, 2 unreachable.",
    "--watch shows every change until it is interrupted; with --json it prints one value per line.",
  ].join("\n"),
  options: { watch: flag("--watch", "go on asking every two seconds") },
  examples: [
    ["cosigner status", "at a glance"],
    ["cosigner status --json", "the whole document, for programs"],
  ],
  run: async ({ config, options, out }) => {
    const { status: table } = await config()
    const show = (document: StatusDocument): void => out.result(document, statusLines(document, "all"))
    if (!options.watch) {
      const document = await askStatus(table)
      show(document)
      return codeOf(document)
    }
    const interrupted = interruption()
    let last: ExitCode = NOT_READY
    let shown = ""
    while (!interrupted.signal.aborted) {
      try {
        const document = await askStatus(table)
        last = codeOf(document)
        const text = statusLines(document, "bad").join("\n")
        if (out.json || text !== shown) show(document)
        shown = text
      } catch (error) {
        if (!(error instanceof CosignerError)) throw error
        last = error.exit
        if (shown !== error.message) out.note(`${error.code} ${error.message}`)
        shown = error.message
      }
      await sleep(WATCH_MS, interrupted.signal)
    }
    return last
  },
})

const codeOf = ({ ready }: StatusDocument): ExitCode => (ready ? EXIT.ok : NOT_READY)

/** Throws E-STA-002 to -008. */
export async function askStatus(table: Config["status"]): Promise<StatusDocument> {
  const { listen } = table
  const place = parseListen(listen)
  const response = await reach(place, table).catch((error: unknown) => {
    if (error instanceof CosignerError) throw error
    throw new CosignerError("E-STA-004", { listen, why: reasonOf(error) }, { cause: error })
  })
  if (response.status === 401) throw new CosignerError("E-STA-006", { listen })
  const problem = (what: string) => new CosignerError("E-STA-005", { listen, problem: what })
  if (response.status === 503) throw problem("it knows nothing of the node yet, or no longer")
  if (response.status !== 200) throw problem(`HTTP ${response.status}`)
  const document: unknown = await response.json().catch(() => undefined)
  if (!Value.Check(statusSchema, document)) throw problem("its answer is no status document of this version")
  return document
}

async function reach(listen: Listen, { token_path }: Config["status"]): Promise<Response> {
  const headers: Record<string, string> = {}
  if (token_path !== undefined) {
    if (listen.kind === "tcp") requireOwner(listen, token_path)
    using token = readToken(token_path)
    headers["authorization"] = `Bearer ${Buffer.from(token.expose()).toString("latin1")}`
  }
  const host = listen.kind === "tcp" && listen.hostname.includes(":") ? `[${listen.hostname}]` : "127.0.0.1"
  const port = listen.kind === "tcp" ? listen.port : 80
  return fetch(`http://${host}:${port}/status`, {
    headers,
    redirect: "error",
    // A proxy of the environment must not be used for this machine's own port.
    proxy: "",
    // An idle connection may lead to a process that listened there before.
    keepalive: false,
    signal: AbortSignal.timeout(ANSWER_MS),
    ...(listen.kind === "unix" ? { unix: listen.path } : {}),
  })
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return errorText(error)
  return error.name === "TimeoutError" ? "no answer in time" : error.message
}

function interruption(): AbortController {
  const controller = new AbortController()
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => controller.abort())
  return controller
}
