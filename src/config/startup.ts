/**
 * Whether a node may start with a configuration: keys that only make sense together, production's rules, and the files it
 * names. `start` refuses at the first problem, `config check` shows all of them.
 * What the files contain is for those who use them.
 */

import { accessSync, constants, statSync } from "node:fs"
import { CosignerError } from "../errors.ts"
import { eventServers } from "../events/servers.ts"
import { errnoOf } from "../files.ts"
import type { Config } from "./config.ts"
import { influxTarget } from "./influxTarget.ts"
import { parseListen } from "./listen.ts"

/** Throws the first problem of `startProblems`. */
export function requireStartable(config: Config): void {
  const [first] = startProblems(config)
  if (first !== undefined) throw first
}

export function startProblems(config: Config): readonly CosignerError[] {
  return [...unfit(config), ...operations(config), ...(isProduction(config) ? unguarded(config) : []), ...files(config)]
}

const isProduction = (config: Config): boolean => config.env === "production"

function* unfit({ backup, websocket }: Config): Generator<CosignerError> {
  const missing = (key: string, why: string) => new CosignerError("E-CFG-008", { key, why })
  if (websocket.url === undefined) yield missing("websocket.url", "a node needs the address of its WaaS")
  if (websocket.waas_public_key === undefined) {
    yield missing("websocket.waas_public_key", "without the key of WaaS no task could be told from a forged one")
  }
  if (backup.interval !== undefined && backup.password_file === undefined) {
    yield missing("backup.password_file", "a schedule has nobody to ask for the password of its backups")
  }
  if ((websocket.client_cert_path === undefined) !== (websocket.client_key_path === undefined)) {
    yield missing("websocket.client_cert_path", "client_cert_path and client_key_path go together")
  }
}

/** What the status port, the measurements and the event servers would refuse at the start. */
function* operations({ status, metrics, event }: Config): Generator<CosignerError> {
  yield* refusalOf(() => eventServers(event))
  if (status.enable) yield* refusalOf(() => parseListen(status.listen))
  yield* refusalOf(() => influxTarget(metrics.influxdb))
}

function* refusalOf(read: () => unknown): Generator<CosignerError> {
  try {
    read()
  } catch (error) {
    if (!(error instanceof CosignerError)) throw error
    yield error
  }
}

function* unguarded(config: Config): Generator<CosignerError> {
  const refused = (key: string, why: string) => new CosignerError("E-CFG-005", { key, why })
  const { websocket, callback } = config
  if (websocket.url !== undefined && !websocket.url.startsWith("wss:")) {
    yield refused("websocket.url", "only wss:// keeps others from reading and delaying what passes")
  }
  const guards = callback.cb_server.length + callback.cb_server_v2.length
  if (guards === 0 && !config.embedded_risk_control_rules.enable && !config.danger_allow_unguarded_signing) {
    yield refused(
      "callback, embedded_risk_control_rules",
      "neither a callback server nor enabled rules: the node would sign whatever WaaS asks (danger_allow_unguarded_signing = true accepts that)",
    )
  }
  if (config.source !== undefined && (statSync(config.source).mode & 0o022) !== 0) {
    yield refused(config.source, "group or others may write it, and it holds the rules (chmod 600)")
  }
}

// ---- files -----------------------------------------------------------------------------------------------------------

interface Named {
  readonly key: string
  readonly path: string | undefined
  readonly secret: boolean
}

function* files(config: Config): Generator<CosignerError> {
  for (const { key, path, secret } of namedFiles(config)) {
    const why = path === undefined ? undefined : unusable(path, secret)
    if (path !== undefined && why !== undefined) yield new CosignerError("E-CFG-006", { key, path, why })
  }
}

const namedFiles = (config: Config): readonly Named[] => [
  // its owner, kind and mode are judged by whoever opens it, on the open file
  { key: "db.key_file", path: config.db.key_file, secret: !config.db.allow_readable_key_file },
  { key: "websocket.ca_path", path: config.websocket.ca_path, secret: false },
  { key: "websocket.client_cert_path", path: config.websocket.client_cert_path, secret: false },
  { key: "websocket.client_key_path", path: config.websocket.client_key_path, secret: true },
  ...pubkeys("cb_server", config.callback.cb_server),
  ...pubkeys("cb_server_v2", config.callback.cb_server_v2),
  { key: "status.token_path", path: config.status.token_path, secret: true },
  { key: "backup.password_file", path: config.backup.password_file, secret: true },
  {
    key: "the configuration, which holds a password",
    path: holdsSecret(config) ? config.source : undefined,
    secret: true,
  },
]

const pubkeys = (key: string, servers: Config["callback"]["cb_server"]): readonly Named[] =>
  servers.map(({ pubkey_path }, i) => ({ key: `callback.${key}[${i}].pubkey_path`, path: pubkey_path, secret: false }))

/** Whether the file itself must be kept from others. A proxy's URL may carry a password. */
function holdsSecret({ metrics, websocket, event }: Config): boolean {
  const proxies = [websocket.proxy, event.proxy, ...event.server.map((server) => server.proxy)]
  return (
    metrics.influxdb.password !== undefined ||
    metrics.influxdb.token !== undefined ||
    proxies.some((proxy) => proxy !== undefined && new URL(proxy).password !== "")
  )
}

function unusable(path: string, secret: boolean): string | undefined {
  try {
    const stat = statSync(path)
    if (!stat.isFile()) return "it is not a regular file"
    accessSync(path, constants.R_OK)
    if (secret && (stat.mode & 0o077) !== 0) return `others may use it (mode ${(stat.mode & 0o777).toString(8)})`
    return undefined
  } catch (error) {
    const code = errnoOf(error) ?? "unknown error"
    return code === "ENOENT" ? "there is no such file" : code === "EACCES" ? "this user may not read it" : code
  }
}
