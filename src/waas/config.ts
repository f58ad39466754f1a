/** The configuration of `cosigner waas`: waas.toml to WaasConfig, once, closed, each problem with its key and line. */
import { readFileSync } from "node:fs"
import { isAbsolute, join } from "node:path"
import { type Static, Type } from "@sinclair/typebox"
import { Value, ValueErrorType } from "@sinclair/typebox/value"
import { parse } from "toml"
import { CosignerError } from "../errors.ts"
import { errnoOf } from "../files.ts"
import { errorWord, type WaasFiles } from "./files.ts"
import type { CurveType } from "./store/model.ts"

export interface WaasConfig {
  readonly hostname: string
  /** 0 lets the system choose. */
  readonly port: number
  readonly tls: { readonly certFile: string; readonly keyFile: string } | undefined
  readonly organisation: string
  readonly curves: readonly CurveType[]
  readonly deadlines: { readonly keyGenMs: number; readonly signMs: number }
  readonly attempts: { readonly most: number; readonly ms: number; readonly retryMs: number }
  readonly limits: {
    readonly bodyBytes: number
    readonly requestsPerSecond: number
    readonly burst: number
    readonly nonceWindowMs: number
    readonly nonces: number
    readonly openTasks: number
  }
}

const table = <P extends Parameters<typeof Type.Object>[0]>(properties: P) =>
  Type.Object(properties, { additionalProperties: false, default: {} })
const count = (fallback: number, minimum: number, maximum: number) =>
  Type.Integer({ default: fallback, minimum, maximum })

const Schema = table({
  waas: table({
    listen: Type.String({ default: "127.0.0.1:11050" }),
    allow_plaintext: Type.Boolean({ default: false }),
    tls_cert: Type.String({ default: "" }),
    tls_key: Type.String({ default: "" }),
    organisation: Type.String({ default: "My organisation", minLength: 1, maxLength: 64 }),
    curves: Type.Array(Type.Union([Type.Literal("SECP256K1"), Type.Literal("ED25519")]), {
      default: ["SECP256K1", "ED25519"],
      minItems: 1,
      maxItems: 2,
      uniqueItems: true,
    }),
    deadlines: table({
      key_gen_seconds: count(86_400, 1, 2_592_000),
      sign_seconds: count(600, 1, 604_800),
    }),
    attempts: table({
      most: count(3, 1, 100),
      seconds: count(120, 1, 3600),
      retry_milliseconds: count(500, 0, 60_000),
    }),
    limits: table({
      body_bytes: count(1_048_576, 1024, 16_777_216),
      requests_per_second: count(50, 1, 10_000),
      burst: count(100, 1, 100_000),
      nonce_hours: count(24, 1, 720),
      nonces: count(200_000, 1000, 10_000_000),
      open_tasks: count(1000, 1, 100_000),
    }),
  }),
})

/** What `waas init` writes. A test reads it back and finds every key of the schema in it. */
export const TEMPLATE = `# WaaS, the coordinator: cosigner waas start --dir <this folder>

[waas]
# Where the REST API and the nodes' relay (path /ws) listen.
listen = "127.0.0.1:11050"

# Certificate chain and key in PEM, relative to this folder. Without them WaaS listens on a loopback address only,
# unless allow_plaintext says that something in front of it does TLS.
tls_cert = ""
tls_key = ""
allow_plaintext = false

# Shown to callers and to the nodes' risk control.
organisation = "My organisation"

# The curves of a new vault's keys: one key generation for each.
curves = ["SECP256K1", "ED25519"]

[waas.deadlines]
# From a request to its end, at most. A signing request may ask for another one.
key_gen_seconds = 86400
sign_seconds = 600

[waas.attempts]
# How often a task is begun again that ends without a result, and when an attempt counts as hung.
most = 3
seconds = 120
retry_milliseconds = 500

[waas.limits]
body_bytes = 1048576
# Per API key.
requests_per_second = 50
burst = 100
# How long, and how many, used nonces of POST and PUT requests are remembered: a replay within that is refused.
nonce_hours = 24
nonces = 200000
# Tasks in work at one time.
open_tasks = 1000
`

/**
 * Reads waas.toml of the folder; `listen` stands in for the key of that name. Throws E-WAA-002 if the file is missing,
 * E-WAA-007 with the key and what is wrong.
 */
export function readConfig(files: WaasFiles, listen?: string): WaasConfig {
  let text: string
  try {
    text = readFileSync(files.config, "utf8")
  } catch (cause) {
    if (errnoOf(cause) === "ENOENT") throw new CosignerError("E-WAA-002", { dir: files.dir, file: files.config })
    throw new CosignerError("E-WAA-006", { file: files.config, problem: errorWord(cause) }, { cause })
  }
  return parseConfig(text, files, listen)
}

export function parseConfig(
  text: string,
  { dir, config: file }: Pick<WaasFiles, "dir" | "config">,
  listen?: string,
): WaasConfig {
  const value = Value.Default(Schema, plain(parsed(text, file)))
  if (!Value.Check(Schema, value)) throw problemOf(value, text, file)
  return configOf(listen === undefined ? value : { waas: { ...value.waas, listen } }, dir, file)
}

function configOf({ waas }: Static<typeof Schema>, dir: string, file: string): WaasConfig {
  const refuse = (key: string, problem: string) => new CosignerError("E-WAA-007", { file, key: `waas.${key}`, problem })
  const listen = /^(?:\[([0-9a-fA-F:]+)\]|([^:[\]\s]+)):(\d{1,5})$/.exec(waas.listen)
  const hostname = listen?.[1] ?? listen?.[2]
  const port = Number(listen?.[3])
  if (hostname === undefined || port > 65_535) throw refuse("listen", "expected host:port, as in 127.0.0.1:11050")
  if ((waas.tls_cert === "") !== (waas.tls_key === "")) throw refuse("tls_cert", "expected together with tls_key")
  const at = (path: string) => (isAbsolute(path) ? path : join(dir, path))
  const tls = waas.tls_cert === "" ? undefined : { certFile: at(waas.tls_cert), keyFile: at(waas.tls_key) }
  const loopback = hostname === "localhost" || hostname === "::1" || /^127\.\d+\.\d+\.\d+$/.test(hostname)
  if (tls === undefined && !loopback && !waas.allow_plaintext) {
    throw refuse("listen", `${hostname} is not a loopback address: set tls_cert and tls_key, or allow_plaintext = true`)
  }
  return {
    hostname,
    port,
    tls,
    organisation: waas.organisation,
    curves: waas.curves,
    deadlines: { keyGenMs: waas.deadlines.key_gen_seconds * 1000, signMs: waas.deadlines.sign_seconds * 1000 },
    attempts: {
      most: waas.attempts.most,
      ms: waas.attempts.seconds * 1000,
      retryMs: waas.attempts.retry_milliseconds,
    },
    limits: {
      bodyBytes: waas.limits.body_bytes,
      requestsPerSecond: waas.limits.requests_per_second,
      burst: waas.limits.burst,
      nonceWindowMs: waas.limits.nonce_hours * 3_600_000,
      nonces: waas.limits.nonces,
      openTasks: waas.limits.open_tasks,
    },
  }
}

function parsed(text: string, file: string): unknown {
  try {
    return parse(text)
  } catch (cause) {
    throw new CosignerError(
      "E-WAA-007",
      { file, key: `line ${lineOfError(cause)}`, problem: shortened(cause) },
      { cause },
    )
  }
}

// The parser's own `line` of a syntax error points into the parser; `location` into the file (runtime.md 9).
function lineOfError(cause: unknown): string {
  const start: unknown =
    typeof cause === "object" && cause !== null && "location" in cause
      ? Reflect.get(Object(cause.location), "start")
      : cause
  return typeof start === "object" && start !== null && "line" in start ? String(start.line) : "?"
}

const shortened = (cause: unknown): string => (cause instanceof Error ? cause.message.slice(0, 200) : "not TOML")

// The parser's tables have no prototype, which the checker's defaults stumble over; a key __proto__ stays a key.
const plain = (value: unknown): unknown => JSON.parse(JSON.stringify(value))

/** Numbers are shown, texts are not: whoever is in the wrong line may be pasting a key. */
const found = (value: unknown): string =>
  typeof value === "number" || typeof value === "boolean"
    ? String(value)
    : Array.isArray(value)
      ? "a list"
      : `a ${typeof value}`

function problemOf(value: unknown, text: string, file: string): CosignerError {
  const first = Value.Errors(Schema, value).First()
  const path = (first?.path ?? "").split("/").slice(1)
  const problem =
    first?.type === ValueErrorType.ObjectAdditionalProperties
      ? "this key is not known"
      : `${(first?.message ?? "invalid").toLowerCase()}, found ${found(first?.value)}`
  const last = path.filter((part) => !/^\d+$/.test(part)).at(-1) ?? ""
  const line =
    text.split("\n").findIndex((name) => name.trimStart().startsWith(last) && /^\s*[\w-]+\s*=/.test(name)) + 1
  return new CosignerError("E-WAA-007", { file: line === 0 ? file : `${file}:${line}`, key: path.join("."), problem })
}
