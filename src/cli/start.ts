/** `cosigner start`: the node, in the foreground, until a signal ends it. */
import { hostname } from "node:os"
import { build } from "../build.ts"
import {
  type InForce,
  inForce,
  removeRunning,
  shownKeys,
  waitingKeys,
  withReloaded,
  writeRunning,
} from "../config/inForce.ts"
import { type Loaded, readConfig } from "../config/load.ts"
import { openAsNode } from "../config/passwordChange.ts"
import { requireStartable } from "../config/startup.ts"
import { type Daemon, startDaemon } from "../daemon.ts"
import { EXIT } from "../errors/entry.ts"
import { CosignerError, codeField, errorText } from "../errors.ts"
import { openNotifier } from "../hardening/notify.ts"
import { lockMemory, sealCode } from "../hardening/process.ts"
import type { Log } from "../log.ts"
import { formatOnStderr, lostLines, type OpenLog, openLog } from "../logging.ts"
import { LAST_WORDS_MS, type WaitingStream, waitingStream } from "../logStream.ts"
import { formatLine } from "../logText.ts"
import { command } from "./command.ts"
import { overridesOf, startFlags } from "./startFlags.ts"
import { hardenOrRefuse, type TellOperator } from "./startHardening.ts"

export const start = command({
  summary: "Run this node until a signal ends it",
  details: [
    "Logs to stderr and, if [log.file] says so, to a file. SIGTERM and SIGINT suspend tasks in progress, which go on after",
    "the next start, and end the process; SIGHUP reloads the rules and log levels and keeps the old ones if they are bad.",
    "SIGUSR1 and SIGHUP open the log file anew, for whatever rotates it.",
    "What else has changed in the file by then waits for a restart, and is named in the log, in readiness and by `config show`.",
  ].join("\n"),
  options: startFlags,
  examples: [
    ["cosigner start --prod --key-file .password", "as services do"],
    ["cosigner start", "asks for the password"],
  ],
  run: async ({ globals, options, passwords, env }) => {
    const load = () => readConfig(globals, overridesOf(options))
    const loaded = load()
    const { config } = loaded
    const started = inForce(loaded)
    const warnings: CosignerError[] = []
    const startable = requireStartable(config, (warning) => warnings.push(warning))
    const stderr = standardError(config.log.std.format)
    const opened = openLog(config.log, stderr)
    const { log } = opened
    // What rotates logs sends it; unheard, it would end the process.
    const onRotated = () => opened.reopen()
    process.on("SIGUSR1", onRotated)
    const tell: TellOperator = ({ code, message, next }) => log.warn(message, { code, next })
    tellBuild(config, log)
    warnings.forEach(tell)
    try {
      hardenOrRefuse(config, env, tell)
      using notifier = openNotifier(env, tell)
      using password = await passwords.existing(config.db)
      using store = openAsNode(config.db, password, (note) => log.warn(note))
      password.wipe()
      // from here on no prompt is open, whose terminal may hang up
      process.on("SIGHUP", onRotated)
      Bun.gc(true) // gives back what the key derivation took
      // listened for before the start, so that a stop in the middle of it is a clean one too
      const ending = endingSignal()
      const daemon = await startDaemon(startable, store, log)
      // The workers run and everything is loaded: what the start alone needed goes, then memory is locked for good.
      Bun.gc(true)
      for (const shortfall of [lockMemory(), sealCode()]) if (shortfall !== undefined) tell(shortfall)
      const settings = new SettingsInForce({ loaded, started, opened, daemon, tell })
      log.info("running")
      const running = `node ${daemon.nodeId}`
      notifier.ready(running)
      const onHangUp = (): void => {
        notifier.reloading()
        settings.reload(load)
        notifier.ready(running)
      }
      process.on("SIGHUP", onHangUp)
      const signal = await ending
      process.off("SIGHUP", onHangUp)
      notifier.stopping()
      log.info("stopping", { signal, host: hostname() })
      await daemon.stop()
      removeRunning(config.db.path)
      log.info("stopped")
      return EXIT.ok
    } catch (error) {
      log.error("the node cannot run", { ...codeField(error), why: errorText(error) })
      throw error
    } finally {
      await opened.close()
      process.off("SIGUSR1", onRotated).off("SIGHUP", onRotated)
      stderr.end(LAST_WORDS_MS)
    }
  },
})

/** stderr, which this process never waits for while it runs. */
function standardError(format: Loaded["config"]["log"]["std"]["format"]): WaitingStream {
  const isTerminal = process.stderr.isTTY
  const lostLine = (count: number) => `${formatLine(lostLines(count), formatOnStderr(format, isTerminal))}\n`
  return waitingStream(2, isTerminal, lostLine)
}

/** The build in the words of `cosigner version`; scripts look for them (formats.md 4.2). */
function tellBuild(config: Loaded["config"], log: Log): void {
  log.info("cosigner")
  log.info(`Version: ${build.version}`)
  log.info(`Build mode: ${build.mode}`)
  log.info(`Git commit: ${build.commit}`)
  log.info(`Build time: ${build.time}`)
  log.info(`Environment: ${config.env}`)
  if (config.danger_allow_unguarded_signing) {
    log.warn("danger_allow_unguarded_signing is on: without rules or callback servers this node signs what WaaS asks")
  }
}

interface Parts {
  readonly loaded: Loaded
  /** What was in the file, and in the files that it names, as they were loaded. */
  readonly started: InForce
  readonly opened: OpenLog
  readonly daemon: Daemon
  readonly tell: TellOperator
}

/** What is in force since the start, and what SIGHUP may change of it. */
class SettingsInForce {
  readonly #parts: Parts
  readonly #sinceMs = Date.now()

  constructor(parts: Parts) {
    this.#parts = parts
    this.#record(parts.loaded)
  }

  /** Takes rules and log levels from the file; names what else has changed, because it is not in force. */
  reload(load: () => Loaded): void {
    const { started, opened, daemon, tell } = this.#parts
    const { log } = opened
    try {
      const next = load()
      const { config } = next
      requireStartable(config)[Symbol.dispose]()
      const waiting = waitingKeys(started, inForce(next))
      daemon.reload(config.embedded_risk_control_rules, waiting)
      opened.setLevels({ std: config.log.std.level, file: config.log.file.level })
      this.#record(next)
      log.info("rules and log levels were reloaded")
      if (waiting.length > 0) tell(new CosignerError("E-CFG-012", { keys: waiting }))
    } catch (error) {
      log.error("the configuration on disk is bad; the one in force stays", {
        ...codeField(error),
        why: errorText(error),
      })
    }
  }

  /** For `config show`: the start's own keys, with what a reload takes from the newest file. */
  #record(newest: Loaded): void {
    const { loaded, tell } = this.#parts
    const { path } = loaded.config.db
    const keys = shownKeys(withReloaded(loaded.tree, newest.tree))
    try {
      writeRunning(path, { pid: process.pid, sinceMs: this.#sinceMs, keys, flags: Object.fromEntries(loaded.said) })
    } catch (cause) {
      tell(new CosignerError("E-CLI-009", { path: `${path}.in-force.json`, why: errorText(cause) }, { cause }))
    }
  }
}

/** Resolves with the first SIGTERM or SIGINT; a second one ends the process at once, without a clean stop. */
function endingSignal(): Promise<string> {
  const { promise, resolve } = Promise.withResolvers<string>()
  for (const signal of ["SIGTERM", "SIGINT"] as const) process.once(signal, () => resolve(signal))
  return promise
}
