/** `cosigner waas init|info|start`: the coordinator's folder, and the process that serves it. */
import { EXIT } from "../errors/entry.ts"
import { isCode } from "../errors.ts"
import { makeApart, repeatWaasBackups } from "../jobs/waasBackups.ts"
import { LEVELS, type Log } from "../log.ts"
import { lostLines } from "../logging.ts"
import { LAST_WORDS_MS, waitingStream } from "../logStream.ts"
import { formatLine, textLog } from "../logText.ts"
import { sleep } from "../sleep.ts"
import { readConfig, type WaasConfig } from "../waas/config.ts"
import { filesIn, type WaasFiles } from "../waas/files.ts"
import { waasInfo, waasInit } from "../waas/keys.ts"
import { startWaas } from "../waas/server.ts"
import { choice, command, value, valueOr } from "./command.ts"

export const dirOption = valueOr("--dir <dir>", "the folder of this WaaS", "waas", (text) => text)

export const init = command({
  summary: "Create a WaaS: its folder, its signing key, its database",
  details: [
    "Nodes pin the printed public key, in [websocket] waas_public_key. Keep waas.key apart from copies of waas.db: anybody who has it can ask nodes for signatures; their rules still decide about them.",
    "waas.db is the embedded database. With [waas.store] url in waas.toml nothing reads or writes it, and you may remove it.",
  ].join("\n"),
  options: { dir: dirOption },
  examples: [["cosigner waas init --dir waas", "a WaaS in ./waas"]],
  run: async ({ options, out }) => {
    const { files, publicKey, responseKey } = await waasInit(options.dir, Date.now())
    out.result({ dir: files.dir, config: files.config, public_key: publicKey, response_key: responseKey }, [
      `Created ${files.config}, ${files.database}, ${files.key}`,
      `WaaS public key (for the nodes): ${publicKey}`,
      `Response key (for REST clients): ${responseKey}`,
      `Next: cosigner waas key create --dir ${files.dir} --name <who>, then: cosigner waas start --dir ${files.dir}`,
    ])
    return EXIT.ok
  },
})

export const info = command({
  summary: "Show the public keys of a WaaS, and which database is in force",
  details:
    "What nodes pin in [websocket] waas_public_key, what REST clients verify answers with, and where vaults, requests and tasks are kept. May run beside it.",
  options: { dir: dirOption },
  run: async ({ options, globals, out }) => {
    const { files, publicKey, responseKey, store } = await waasInfo(options.dir, globals.config)
    out.result({ dir: files.dir, config: files.config, public_key: publicKey, response_key: responseKey, store }, [
      `WaaS public key (for the nodes): ${publicKey}`,
      `Response key (for REST clients): ${responseKey}`,
      `Database: ${store}`,
    ])
    return EXIT.ok
  },
})

export const start = command({
  summary: "Serve the REST API and the nodes' relay until a signal",
  details: "Reads waas.toml of the folder, or the file of --config.",
  options: {
    dir: dirOption,
    listen: value("--listen <host:port>", "instead of [waas] listen; port 0 takes a free one"),
    logLevel: choice("--log-level <level>", "the least important that is logged (default info; debug with -v)", LEVELS),
  },
  examples: [["cosigner waas start --dir waas", "serve ./waas"]],
  run: async ({ options, globals }) => {
    const files = filesIn(options.dir, globals.config)
    const least = options.logLevel ?? (globals.verbose ? "debug" : "info")
    const format = process.stderr.isTTY ? "terminal" : "logfmt"
    const stderr = waitingStream(2, process.stderr.isTTY, (count) => `${formatLine(lostLines(count), format)}\n`)
    const log = textLog(least, format, (line) => stderr.write(line))
    const stopping = new AbortController()
    const stopped = signalled().finally(() => stopping.abort())
    try {
      const config = readConfig(files, options.listen)
      let backups: Promise<void> | undefined
      for (;;) {
        const start = () => startWaas(config, files, log, stopping.signal)
        const waas = await persistently(start, log, stopping.signal)
        if (waas === undefined) break
        backups ??= scheduled(config, files, log, stopping.signal)
        log.info(`WaaS listening on ${waas.url}`, { public_key: waas.publicKey, response_key: waas.responseKey })
        const end = await Promise.race([stopped, waas.lost])
        if (typeof end === "string") log.info(`WaaS stopping on ${end}`)
        else log.error(end.message, { code: end.code, next: end.next })
        await waas.stop()
        if (stopping.signal.aborted) break
      }
      await backups
      log.info("WaaS stopped")
      return EXIT.ok
    } finally {
      stderr.end(LAST_WORDS_MS)
    }
  },
})

const RETRY_MS = 1_000

/**
 * Tries again while the shared database is not reachable, for example when a whole site starts. Undefined once the signal fires. The
 * problem is reported once, and again when it changes.
 */
async function persistently<T>(start: () => Promise<T>, log: Log, signal: AbortSignal): Promise<T | undefined> {
  let told = ""
  while (!signal.aborted) {
    try {
      return await start()
    } catch (error) {
      if (!isCode(error, "E-WAA-070")) throw error
      if (told !== error.message) log.warn(error.message, { code: error.code, next: error.next })
      told = error.message
      await sleep(RETRY_MS, signal)
    }
  }
  return undefined
}

function scheduled({ backup }: WaasConfig, { dir, config }: WaasFiles, log: Log, signal: AbortSignal): Promise<void> {
  const { everyMs, passwordFile, directory, keep } = backup
  if (everyMs === undefined || passwordFile === undefined) return Promise.resolve()
  const job = { dir, config, directory, keep, everyMs, passwordFile, log, now: Date.now, make: makeApart }
  return repeatWaasBackups(job, signal)
}

/** The first signal that asks for an end. The handler is set before the start, so that none is missed. */
const signalled = (): Promise<string> =>
  new Promise((resolve) => {
    for (const signal of ["SIGTERM", "SIGINT"] as const) process.once(signal, () => resolve(signal))
  })
