/** The flags of `start`, `config check` and `config show` that set keys of the configuration, under the names that existing units and scripts use. */
import type { Overrides } from "../settings/overlay.ts"
import { type CommandOptions, integer, onOff, refuse, url, type ValuesOf, value } from "./command.ts"

export const startFlags = {
  prod: onOff("--prod", "env = production"),
  dev: onOff("--dev", "env = development"),
  sandbox: onOff("--sandbox", "env = sandbox"),
  wsUrl: value("--ws-url <url>", "the address of WaaS", url("wss", "ws")),
  waasPublicKey: value("--waas-public-key <hex>", "the Ed25519 key that signs its tasks"),
  cbAddress: value("--cb-address <url>", "a callback server, version 2", url("https", "http")),
  cbPubkey: value("--cb-pubkey <file>", "its public key"),
  cbTokenExpire: value("--cb-token-expire <minutes>", "how long a token is valid", integer(1, 60)),
  cbRetryTimes: value("--cb-retry-times <n>", "further tries, 0 is without limit", integer(0, 1_000_000)),
  cbSleepSeconds: value("--cb-sleep-seconds <n>", "seconds between tries", integer(0, 3600)),
  cbRequestTimeout: value("--cb-request-timeout <n>", "seconds for one request", integer(1, 600)),
  cbMonitorInterval: value("--cb-monitor-interval <duration>", "how often to ping, such as 1m"),
  logStdEnable: onOff("--log-std-enable", "log to stderr"),
  logFileEnable: onOff("--log-file-enable", "log to a file"),
  logFileName: value("--log-file-name <file>", "the log file"),
  logFileMaxsize: value("--log-file-maxsize <megabytes>", "size at which it rotates", integer(1, 10_000)),
  logFileMaxBackups: value("--log-file-max-backups <n>", "rotated files that are kept", integer(0, 1000)),
} satisfies CommandOptions

type StartFlags = ValuesOf<typeof startFlags>

/** The overrides that the flags set, for `context.config(overrides)`. */
export function overridesOf(flags: StartFlags): Overrides {
  const out: Record<string, Overrides[string]> = {}
  const say = (key: string, name: string, said: unknown) => {
    if (said !== undefined) out[key] = { flag: name, value: said }
  }
  // Two environments at once cannot both be meant.
  for (const [given, name, env] of [
    [flags.prod, "--prod", "production"],
    [flags.sandbox, "--sandbox", "sandbox"],
    [flags.dev, "--dev", "development"],
  ] as const) {
    if (given === true && out["env"] !== undefined) refuse(name, `given without ${out["env"].flag}`, "both")
    if (given === true) say("env", name, env)
  }
  say("websocket.url", "--ws-url", flags.wsUrl)
  say("websocket.waas_public_key", "--waas-public-key", flags.waasPublicKey)
  if (flags.cbAddress !== undefined || flags.cbPubkey !== undefined) {
    if (flags.cbAddress === undefined || flags.cbPubkey === undefined) {
      refuse("--cb-address", "given together with --cb-pubkey", "one of them")
    }
    say("callback.cb_server_v2", "--cb-address", [{ service_address: flags.cbAddress, pubkey_path: flags.cbPubkey }])
  }
  say("callback.token_expire_minutes", "--cb-token-expire", flags.cbTokenExpire)
  say("callback.retry_times", "--cb-retry-times", flags.cbRetryTimes)
  say("callback.sleep_seconds", "--cb-sleep-seconds", flags.cbSleepSeconds)
  say("callback.request_timeout", "--cb-request-timeout", flags.cbRequestTimeout)
  say("callback.monitor_interval", "--cb-monitor-interval", flags.cbMonitorInterval)
  say("log.std.enable", "--log-std-enable", flags.logStdEnable)
  say("log.file.enable", "--log-file-enable", flags.logFileEnable)
  say("log.file.filename", "--log-file-name", flags.logFileName)
  say("log.file.maxsize", "--log-file-maxsize", flags.logFileMaxsize)
  say("log.file.max_backups", "--log-file-max-backups", flags.logFileMaxBackups)
  return out
}
