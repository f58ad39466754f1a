/**
 * The configuration of `cosigner waas`: reads waas.toml into WaasConfig, with the reader that the node's configuration uses.
 * configSchema.ts owns keys, defaults and checks.
 */

import { isAbsolute, join } from "node:path"
import type { StaticDecode } from "@sinclair/typebox"
import { CosignerError } from "../errors.ts"
import { parseDocument, readSource } from "../settings/file.ts"
import type { Overrides } from "../settings/overlay.ts"
import { type DeepReadonly, readSettings } from "../settings/read.ts"
import { waasSchema } from "./configSchema.ts"
import type { ConsoleSettings } from "./console/console.ts"
import type { WaasFiles } from "./files.ts"
import type { CurveType } from "./store/model.ts"
import type { PostgresSettings } from "./store/postgresSettings.ts"
import { storeOf } from "./storeConfig.ts"
import { type Chains, chainsOf } from "./wallets/chains.ts"
import { type AssetToken, tokensOf } from "./wallets/tokens.ts"

export interface WaasConfig {
  readonly hostname: string
  /** 0: the system chooses a free port. */
  readonly port: number
  readonly tls: { readonly certFile: string; readonly keyFile: string } | undefined
  readonly organisation: string
  readonly curves: readonly CurveType[]
  readonly deadlines: { readonly keyGenMs: number; readonly signMs: number }
  readonly attempts: { readonly most: number; readonly ms: number; readonly retryMs: number }
  /** How long ended signing requests are kept; 0: for ever. */
  readonly retentionMs: number
  readonly backup: {
    /** Undefined: no scheduled backups. */
    readonly everyMs: number | undefined
    readonly directory: string
    readonly keep: number
    readonly passwordFile: string | undefined
  }
  readonly limits: {
    readonly bodyBytes: number
    readonly requestsPerSecond: number
    readonly burst: number
    readonly openTasks: number
  }
  readonly chains: Chains
  readonly tokens: readonly AssetToken[]
  /** The command that signs in place of waas.key, with its arguments; empty: waas.key signs. */
  readonly keyCommand: readonly string[]
  /** The shared database; undefined: waas.db of the folder. */
  readonly store: PostgresSettings | undefined
  /** Undefined: WaaS makes no refreshes by itself, only those that somebody asks for over the API. */
  readonly refresh: { readonly pauseMs: number } | undefined
  /** Undefined: the console is off. */
  readonly console: ConsoleSettings | undefined
  readonly webhooks: { readonly hosts: readonly string[]; readonly timeoutMs: number; readonly keepMs: number }
}

/**
 * Reads the configuration file; `listen` overrides the key of that name. Throws E-WAA-002 if the file is missing, and E-CFG-001 to
 * E-CFG-003 with file, line and key.
 */
export function readConfig(files: WaasFiles, listen?: string): WaasConfig {
  const text = readSource(files.config, false)
  if (text === undefined) throw new CosignerError("E-WAA-002", { dir: files.dir, file: files.config })
  return parseConfig(text, files, listen)
}

/** Keys for which a flag may override the file. */
const WINS = new Set(["waas.listen"])

/** The configuration in `text`; relative paths are relative to the folder. Throws as readConfig does. */
export function parseConfig(
  text: string,
  { dir, config: file }: Pick<WaasFiles, "dir" | "config">,
  listen?: string,
): WaasConfig {
  const overrides: Overrides = listen === undefined ? {} : { "waas.listen": { flag: "--listen", value: listen } }
  return configOf(
    readSettings(waasSchema, parseDocument(text, file, waasSchema), { overrides, wins: WINS }).value.waas,
    dir,
  )
}

function configOf(settings: DeepReadonly<StaticDecode<typeof waasSchema>["waas"]>, dir: string): WaasConfig {
  const {
    listen,
    tls_cert,
    tls_key,
    organisation,
    curves,
    deadlines,
    attempts,
    store,
    key_command,
    retention,
    backup,
    limits,
    chains,
    tokens,
    refresh,
    console: page,
    webhooks,
  } = settings
  const at = (path: string) => (isAbsolute(path) ? path : join(dir, path))
  return {
    ...listen,
    tls: tls_cert === "" ? undefined : { certFile: at(tls_cert), keyFile: at(tls_key) },
    organisation,
    curves,
    deadlines: { keyGenMs: deadlines.key_gen_seconds * 1000, signMs: deadlines.sign_seconds * 1000 },
    attempts: { most: attempts.most, ms: attempts.seconds * 1000, retryMs: attempts.retry_milliseconds },
    store: storeOf(store, at),
    keyCommand: key_command,
    retentionMs: retention.sign_request_days * 86_400_000,
    backup: {
      everyMs: backup.interval,
      directory: at(backup.directory),
      keep: backup.keep,
      passwordFile: backup.password_file === "" ? undefined : at(backup.password_file),
    },
    limits: {
      bodyBytes: limits.body_bytes,
      requestsPerSecond: limits.requests_per_second,
      burst: limits.burst,
      openTasks: limits.open_tasks,
    },
    chains: chainsOf(chains),
    tokens: tokensOf(chainsOf(chains), tokens),
    refresh: refresh.automatic ? { pauseMs: refresh.pause_hours * 3_600_000 } : undefined,
    console: page.enable ? { listen: page.listen, tokenFile: at(page.token_path) } : undefined,
    webhooks: {
      hosts: webhooks.hosts,
      timeoutMs: webhooks.timeout_seconds * 1000,
      keepMs: webhooks.keep_days * 86_400_000,
    },
  }
}
