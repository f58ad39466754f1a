/**
 * What a node needs from its configuration and from the files that it names, loaded as `start` uses it. `start`, SIGHUP,
 * `config check` and `doctor` all use this code, so they accept the same configurations. `start` stops at the
 * first problem; `config check` shows all of them.
 */
import { accessSync, constants, readFileSync, statSync } from "node:fs"
import { type Bytes, fromHex } from "../bytes.ts"
import { type CallbackServer, callbackServer } from "../callback/servers.ts"
import { CosignerError } from "../errors.ts"
import { type EventServer, eventServers } from "../events/servers.ts"
import { errnoOf, readPrivate, UnusableFile } from "../files.ts"
import { certificatesOf, checkTarget, type LinkTarget } from "../link/options.ts"
import { isLoopback } from "../outbound.ts"
import { digestOf, type Listen } from "../panel/listen.ts"
import { lint } from "../policy/lint.ts"
import type { Secret } from "../secret.ts"
import { anchorProblems } from "./anchors.ts"
import { type Config, isProduction } from "./config.ts"
import { type InfluxTarget, influxTarget } from "./influxTarget.ts"
import { readKeyFile } from "./keyFile.ts"
import { parseListen, readToken } from "./listen.ts"

/** A configuration with everything that `start` loads from files. Dispose it if no node takes ownership. */
export interface Startable extends Disposable {
  readonly config: Config
  readonly link: LinkTarget
  readonly callback: { readonly servers: readonly CallbackServer[]; readonly ca: string | undefined }
  readonly event: { readonly servers: readonly EventServer[]; readonly ca: string | undefined }
  /** The status port; undefined while it is off. */
  readonly port: { readonly listen: Listen; readonly token: Bytes | undefined } | undefined
  readonly influx: InfluxTarget | undefined
}

interface Preparation {
  /** Undefined if there is any problem. */
  readonly startable: Startable | undefined
  readonly problems: readonly CosignerError[]
  /** What does not prevent a start, but somebody should know. */
  readonly warnings: readonly CosignerError[]
}

/** What a node starts with; `tell` gets the warnings. Throws the first problem. */
export function requireStartable(config: Config, tell: (warning: CosignerError) => void = () => {}): Startable {
  const { startable, problems, warnings } = prepareStart(config)
  const [first] = problems
  if (first !== undefined) throw first
  if (startable === undefined) throw new CosignerError("E-CLI-001", { what: "a start has no problem and no parts" })
  warnings.forEach(tell)
  return startable
}

/** All problems that keep a node from starting, and all warnings. Nothing stays open. */
export function checkStart(config: Config): Pick<Preparation, "problems" | "warnings"> {
  const { startable, problems, warnings } = prepareStart(config)
  startable?.[Symbol.dispose]()
  return { problems, warnings }
}

function prepareStart(config: Config): Preparation {
  const problems: CosignerError[] = [...unfit(config), ...ruleProblems(config), ...unguarded(config)]
  const attempt = <T>(load: () => T): T | undefined => {
    try {
      return load()
    } catch (error) {
      if (!(error instanceof CosignerError)) throw error
      problems.push(error)
      return undefined
    }
  }
  const link = attempt(() => linkTarget(config))
  const callbacks = servers(config).map((load) => attempt(load))
  const callbackCa = attempt(() => authorities("callback.ca_path", config.callback.ca_path))
  const events = attempt(() => eventServers(config.event))
  const eventCa = attempt(() => authorities("event.ca_path", config.event.ca_path))
  const port = attempt(() => statusPort(config))
  const influx = attempt(() => influxTarget(config.metrics.influxdb))
  for (const load of secretFiles(config)) attempt(load)
  if (isProduction(config)) problems.push(...exposed(config), ...openPort(config, port), ...anchorProblems(config))
  const warnings = isProduction(config) ? plainAddresses(config) : []
  if (problems.length > 0 || link === undefined || events === undefined) {
    link?.client?.key.wipe()
    return { startable: undefined, problems, warnings }
  }
  const startable: Startable = {
    config,
    link,
    callback: { servers: callbacks.filter((server) => server !== undefined), ca: callbackCa },
    event: { servers: events, ca: eventCa },
    port,
    influx,
    [Symbol.dispose]: () => link.client?.key.wipe(),
  }
  return { startable, problems, warnings }
}

// ---- keys that only make sense together ------------------------------------------------------------------------------

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

/** Rules that reject everything of a kind by accident: an empty list, a contradiction. */
const ruleProblems = ({ embedded_risk_control_rules: rules }: Config): readonly CosignerError[] =>
  lint(rules)
    .filter(({ severity }) => severity === "error")
    .map(({ where, what }) => new CosignerError("E-OPS-116", { where, what }))

/** Whether anything decides on tasks: rules or a callback server. */
const isGuarded = ({ callback, embedded_risk_control_rules: rules }: Config): boolean =>
  rules.enable || callback.cb_server.length + callback.cb_server_v2.length > 0

function* unguarded(config: Config): Generator<CosignerError> {
  if (!isGuarded(config) && !config.danger_allow_unguarded_signing) yield new CosignerError("E-CFG-010", {})
}

// ---- production ------------------------------------------------------------------------------------------------------

function* exposed({ websocket }: Config): Generator<CosignerError> {
  const why = "only wss:// keeps others from reading and delaying what passes"
  const isPlain = (url: string): boolean => !url.startsWith("wss:")
  if (websocket.url !== undefined && isPlain(websocket.url)) {
    yield new CosignerError("E-CFG-005", { key: "websocket.url", why })
  }
  for (const [index, url] of websocket.urls.entries()) {
    if (isPlain(url)) yield new CosignerError("E-CFG-005", { key: `websocket.urls[${index}]`, why })
  }
}

/** Without a token anybody with an account on the machine could read what is signed, and by whom. */
function* openPort({ status }: Config, port: Startable["port"]): Generator<CosignerError> {
  if (port?.listen.kind === "tcp" && port.token === undefined) {
    yield new CosignerError("E-STA-007", { listen: status.listen })
  }
}

/** Addresses of other machines that are used without encryption. Answers of callback servers are signed, but requests can be read. */
function plainAddresses({ callback, event, metrics }: Config): readonly CosignerError[] {
  const named: readonly (readonly [key: string, url: string | undefined])[] = [
    ...callback.cb_server.map(({ service_address }, i) => [`callback.cb_server[${i}]`, service_address] as const),
    ...callback.cb_server_v2.map(({ service_address }, i) => [`callback.cb_server_v2[${i}]`, service_address] as const),
    ...event.server.map(({ url }, i) => [`event.server[${i}]`, url] as const),
    ["metrics.influxdb.server_addr", metrics.influxdb.server_addr],
  ]
  return named.flatMap(([key, text]) => {
    const url = text === undefined ? undefined : new URL(text)
    if (url?.protocol !== "http:" || isLoopback(url.hostname)) return []
    return [new CosignerError("E-CFG-011", { key, host: url.host })]
  })
}

// ---- files -----------------------------------------------------------------------------------------------------------

/** Undefined if a key is missing, which `unfit` has reported. Throws E-LNK-012 and E-CFG-006. */
export function linkTarget({ websocket }: Config): LinkTarget | undefined {
  const { url, urls, waas_public_key, proxy, ca_path, client_cert_path, client_key_path } = websocket
  const waasKey = waas_public_key === undefined ? undefined : fromHex(waas_public_key)
  const ca = authorities("websocket.ca_path", ca_path)
  const client = clientOf(client_cert_path, client_key_path)
  if (url === undefined || waasKey === undefined) {
    client?.key.wipe()
    return undefined
  }
  const target = { url, others: urls, waasKey, proxy, ca, client }
  try {
    checkTarget(target)
    return target
  } catch (error) {
    client?.key.wipe()
    throw error
  }
}

function clientOf(certPath: string | undefined, keyPath: string | undefined): LinkTarget["client"] {
  if (certPath === undefined || keyPath === undefined) return undefined
  const certificate = certificatesOf("websocket.client_cert_path", read("websocket.client_cert_path", certPath))
  return { certificate, key: readSecret("websocket.client_key_path", keyPath) }
}

/** The certificates of a PEM file; undefined without a path. Throws E-CFG-006 and E-LNK-012. */
export const authorities = (key: string, path: string | undefined): string | undefined =>
  path === undefined ? undefined : certificatesOf(key, read(key, path))

function read(key: string, path: string): string {
  requireUsable(key, path)
  return readFileSync(path, "utf8")
}

/** One loader for each callback server. */
const servers = ({ callback, policyFiles }: Config): readonly (() => CallbackServer)[] => {
  const loaders = (table: "cb_server" | "cb_server_v2", version: 1 | 2) =>
    callback[table].map((configured, i) => () => {
      if (policyFiles === undefined) requireUsable(`callback.${table}[${i}].pubkey_path`, configured.pubkey_path)
      return callbackServer(configured, version, policyFiles)
    })
  return [...loaders("cb_server", 1), ...loaders("cb_server_v2", 2)]
}

function statusPort({ status }: Config): Startable["port"] {
  if (!status.enable) return undefined
  const listen = parseListen(status.listen)
  if (status.token_path === undefined) return { listen, token: undefined }
  using token = readToken(status.token_path)
  return { listen, token: digestOf(token.expose()) }
}

/** Files that are read again when they are needed. This checks now that they can be used. */
function secretFiles(config: Config): readonly (() => void)[] {
  const { db, backup, source } = config
  const judged = { allowReadable: db.danger_allow_readable_key_file }
  const named: readonly (readonly [path: string | undefined, load: (path: string) => void])[] = [
    [db.key_file, (path) => readKeyFile(path, judged).wipe()],
    [backup.password_file, (path) => readKeyFile(path).wipe()],
    [
      holdsSecret(config) ? source : undefined,
      (path) => readSecret("the configuration, which holds a password", path).wipe(),
    ],
  ]
  return named.flatMap(([path, load]) => (path === undefined ? [] : [() => load(path)]))
}

/** Size of a private key or a configuration, bytes. */
const MAX_SECRET = 4 * 1024 * 1024

/** The bytes of a file for this user alone. Throws E-CFG-006 with the key that names it. */
function readSecret(key: string, path: string): Secret {
  try {
    return readPrivate(path, MAX_SECRET)
  } catch (error) {
    if (!(error instanceof UnusableFile)) throw error
    throw new CosignerError("E-CFG-006", { key, path, why: error.message }, { cause: error.cause })
  }
}

/** Whether the configuration file itself must be kept from others. A proxy's URL may contain a password. */
function holdsSecret({ metrics, websocket, event }: Config): boolean {
  const proxies = [websocket.proxy, event.proxy, ...event.server.map((server) => server.proxy)]
  return (
    metrics.influxdb.password !== undefined ||
    metrics.influxdb.token !== undefined ||
    proxies.some((proxy) => proxy !== undefined && new URL(proxy).password !== "")
  )
}

/** Throws E-CFG-006 with the key that names the file. */
function requireUsable(key: string, path: string): void {
  const why = unusable(path)
  if (why !== undefined) throw new CosignerError("E-CFG-006", { key, path, why })
}

function unusable(path: string): string | undefined {
  try {
    if (!statSync(path).isFile()) return "it is not a regular file"
    accessSync(path, constants.R_OK)
    return undefined
  } catch (error) {
    const code = errnoOf(error) ?? "unknown error"
    return code === "ENOENT" ? "there is no such file" : code === "EACCES" ? "this user may not read it" : code
  }
}
