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
import { documentOf, type PolicyInForce, policyInForce } from "../config/policyInForce.ts"
import { requireStartable, type Startable } from "../config/startup.ts"
import { hasMemory, makeMemory, useMemory } from "../crypto/wasm.ts"
import { type Daemon, startDaemon } from "../daemon.ts"
import { EXIT } from "../errors/entry.ts"
import { CosignerError, codeField, errorText } from "../errors.ts"
import { openNotifier } from "../hardening/notify.ts"
import { lockMemory, sealCode } from "../hardening/process.ts"
import { requireNewest } from "../jobs/rollbackGuard.ts"
import type { Log } from "../log.ts"
import { formatOnStderr, lostLines, type OpenLog, openLog } from "../logging.ts"
import { LAST_WORDS_MS, type WaitingStream, waitingStream } from "../logStream.ts"
import { formatLine } from "../logText.ts"
import { type NodePolicy, policyOf } from "../ops/nodePolicy.ts"
import type { BundleDocument } from "../policy/bundle.ts"
import type { Store } from "../store/store.ts"
import { command } from "./command.ts"
import { overridesOf, startFlags } from "./startFlags.ts"
import { hardenOrRefuse, type TellOperator } from "./startHardening.ts"

export const start = command({
  summary: "Run this node until a signal ends it",
  details: [
    "Logs to stderr and, if [log.file] says so, to a file. SIGTERM and SIGINT suspend tasks in progress, which go on after",
    "the next start, and end the process; SIGHUP reloads the rules and log levels and keeps the old ones if they are bad.",
    "SIGUSR1 and SIGHUP reopen the log file, for programs that rotate it.",
    "Other changes in the file wait for a restart; the log, readiness and `config show` name them.",
  ].join("\n"),
  options: startFlags,
  examples: [
    ["cosigner start --prod --key-file .password", "as services do"],
    ["cosigner start", "asks for the password"],
  ],
  run: async ({ globals, options, passwords, env }) => {
    const load: LoadPolicy = (policy) => readConfig(globals, overridesOf(options), policy)
    const loaded = load()
    const { config } = loaded
    const warnings: CosignerError[] = []
    const startable = requireStartable(config, (warning) => warnings.push(warning))
    const stderr = standardError(config.log.std.format)
    const opened = openLog(config.log, stderr)
    const { log } = opened
    // Log rotation sends this signal; without a handler it would end the process.
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
      // From here on no prompt is open whose terminal could hang up.
      process.on("SIGHUP", onRotated)
      Bun.gc(true) // gives back what the key derivation took
      // The handler is set before the start, so that a stop in the middle of it is clean too.
      const ending = endingSignal()
      requireNewest(store)
      const policy = policyInForce(store.policies, loaded, load, Date.now())
      const startWith = followed(startable, policy)
      // A danger key may belong to a version that is not in force.
      if (startWith !== startable) hardenOrRefuse(startWith.config, env, tell)
      if (policy.told !== undefined) log.warn(policy.told)
      const daemon = await startDaemon(startWith, store, log, nodePolicy(startWith, policy))
      if (!hasMemory()) useMemory(makeMemory())
      // The workers run and everything is loaded: frees what only the start needed, then locks memory for good.
      Bun.gc(true)
      for (const shortfall of [lockMemory(), sealCode()]) if (shortfall !== undefined) tell(shortfall)
      const started = inForce(policy.loaded)
      using settings = new SettingsInForce({ loaded: policy.loaded, started, opened, daemon, tell, load, store })
      log.info("running")
      const running = `node ${daemon.nodeId}`
      notifier.ready(running)
      const onHangUp = (): void => {
        notifier.reloading()
        settings.reload()
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

/** Loads the host's file, with the policy of the bundle that it names, or of another document. */
type LoadPolicy = (policy?: BundleDocument) => Loaded

/** The settings with the policy in force; unchanged if that is the file's. */
function followed(startable: Startable, { loaded }: PolicyInForce): Startable {
  if (loaded.bundle === undefined) return startable
  startable[Symbol.dispose]()
  return requireStartable(loaded.config)
}

function nodePolicy(startable: Startable, { waiting }: PolicyInForce): NodePolicy {
  if (waiting === undefined) return policyOf(startable)
  using next = requireStartable(waiting.config)
  return policyOf(startable, next)
}

/** stderr, for which this process never waits while it runs. */
function standardError(format: Loaded["config"]["log"]["std"]["format"]): WaitingStream {
  const isTerminal = process.stderr.isTTY
  const lostLine = (count: number) => `${formatLine(lostLines(count), formatOnStderr(format, isTerminal))}\n`
  return waitingStream(2, isTerminal, lostLine)
}

/** Logs the build in the words of `cosigner version`; scripts look for them (formats.md 4.2). */
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
  /** The contents of the file, and of the files that it names, as they were loaded. */
  readonly started: InForce
  readonly opened: OpenLog
  readonly daemon: Daemon
  readonly tell: TellOperator
  readonly load: LoadPolicy
  readonly store: Pick<Store, "policies">
}

/** Time between two checks whether a version of the policy has waited long enough. */
const LOOK_MS = 1_000

/** The settings in force since the start, and what SIGHUP may change of them. */
class SettingsInForce {
  readonly #parts: Parts
  readonly #sinceMs = Date.now()
  /** The version that waits, as the daemon knows it. */
  #waiting: number | undefined

  readonly #timer: ReturnType<typeof setInterval>

  constructor(parts: Parts) {
    this.#parts = parts
    this.#waiting = parts.store.policies.followed?.waiting?.version
    this.#record(parts.loaded)
    this.#timer = setInterval(() => this.#ripen(), LOOK_MS)
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer)
  }

  /** Brings a version that has waited long enough into force, and drops one that was vetoed. */
  #ripen(): void {
    const { opened, store } = this.#parts
    try {
      const isRipe = store.policies.ripen(Date.now(), (waiting) => documentOf(waiting).terms.leave)
      if (isRipe) opened.log.warn(`version ${store.policies.record?.active.version} of the policy is in force`)
      const waiting = store.policies.followed?.waiting?.version
      if (isRipe && store.policies.followed === undefined) {
        this.#waiting = undefined
        opened.log.warn(
          "the node follows bundles no more: its policy stays until the configuration states one and SIGHUP or a restart takes it up",
        )
      } else if (isRipe || waiting !== this.#waiting) this.reload()
    } catch (error) {
      opened.log.error("a policy that waited could not be put in force", { ...codeField(error), why: errorText(error) })
    }
  }

  /** Takes rules and log levels from the file, and names every other change, because it is not in force. */
  reload(): void {
    const { started, opened, daemon, tell, load, store } = this.#parts
    const { log } = opened
    try {
      const policy = policyInForce(store.policies, load(), load, Date.now())
      if (policy.told !== undefined) log.warn(policy.told)
      const { loaded: next } = policy
      const { config } = next
      using startable = requireStartable(config)
      const waiting = waitingKeys(started, inForce(next), next.bundle !== undefined)
      this.#waiting = store.policies.followed?.waiting?.version
      daemon.reload(nodePolicy(startable, policy), waiting)
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

  /** For `config show`: the keys of the start, with those that a reload took from the newest file. */
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
