/** `cosigner start`: the node, in the foreground, until a signal ends it. */
import { hostname } from "node:os"
import { build } from "../build.ts"
import { requireStartable } from "../config/startup.ts"
import { startDaemon } from "../daemon.ts"
import { EXIT } from "../errors/entry.ts"
import { errorText } from "../errors.ts"
import { openNotifier } from "../hardening/notify.ts"
import { lockMemory, sealCode } from "../hardening/process.ts"
import { openLog } from "../logging.ts"
import { writeAll } from "../output.ts"
import { openStore } from "../store/store.ts"
import { command } from "./command.ts"
import { overridesOf, startFlags } from "./startFlags.ts"
import { hardenOrRefuse, type Tell } from "./startHardening.ts"

export const start = command({
  summary: "Run this node until a signal ends it",
  details: [
    "Logs to stderr and, if [log.file] says so, to a file. SIGTERM and SIGINT suspend tasks in progress, which go on after",
    "the next start, and end the process; SIGHUP reads the rules and log levels anew and keeps the old ones if they are bad.",
  ].join("\n"),
  options: startFlags,
  examples: [
    ["cosigner start --prod --key-file .password", "as services do"],
    ["cosigner start", "asks for the password"],
  ],
  run: async ({ config: load, options, passwords, env }) => {
    const overrides = overridesOf(options)
    const config = await load(overrides)
    requireStartable(config)
    const opened = openLog(config.log, {
      isTerminal: process.stderr.isTTY,
      write: (text) => writeAll(2, text),
    })
    const { log } = opened
    log.info("cosigner")
    log.info(`Version: ${build.version}`)
    log.info(`Build mode: ${config.env}`)
    log.info(`Git commit: ${build.commit}`)
    log.info(`Build time: ${build.time}`)
    if (config.danger_allow_unguarded_signing) {
      log.warn("danger_allow_unguarded_signing is on: without rules or callback servers this node signs what WaaS asks")
    }
    const tell: Tell = ({ code, message, next }) => log.warn(message, { code, next })
    try {
      hardenOrRefuse(config, env, tell)
      using notifier = openNotifier(env, tell)
      using password = await passwords.existing(config.db)
      using store = openStore(config.db.path, password, { readOnly: false })
      password.wipe()
      Bun.gc(true) // gives back what the key derivation took
      // listened for before the start, so that a stop in the middle of it is a clean one too
      const ending = endingSignal()
      const daemon = await startDaemon(config, store, log)
      // The workers run and everything is loaded: what the start alone needed goes, then memory is locked for good.
      Bun.gc(true)
      for (const shortfall of [lockMemory(), sealCode()]) if (shortfall !== undefined) tell(shortfall)
      log.info("running")
      const running = `node ${daemon.nodeId}`
      notifier.ready(running)
      const reload = (): void => {
        notifier.reloading()
        load(overrides)
          .then((next) => {
            requireStartable(next)
            daemon.setRules(next.embedded_risk_control_rules)
            opened.setLevels({ std: next.log.std.level, file: next.log.file.level })
            log.info("rules and log levels were read anew")
          })
          .catch((error: unknown) => {
            log.error("the configuration on disk is bad; the one in force stays", { why: errorText(error) })
          })
          .finally(() => notifier.ready(running))
      }
      process.on("SIGHUP", reload)
      const signal = await ending
      process.off("SIGHUP", reload)
      notifier.stopping()
      log.info("stopping", { signal, host: hostname() })
      await daemon.stop()
      log.info("stopped")
      return EXIT.ok
    } catch (error) {
      log.error("the node cannot run", { why: errorText(error) })
      throw error
    } finally {
      opened.close()
    }
  },
})

/** Resolves with the first SIGTERM or SIGINT; a second one ends the process at once, without a clean stop. */
function endingSignal(): Promise<string> {
  const { promise, resolve } = Promise.withResolvers<string>()
  for (const signal of ["SIGTERM", "SIGINT"] as const) process.once(signal, () => resolve(signal))
  return promise
}
