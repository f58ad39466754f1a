/**
 * The demo's deployment: a folder with one WaaS and a few nodes, each made by the commands that an operator would type,
 * and the processes that run there.
 */
import { randomBytes } from "node:crypto"
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { fromHex } from "../../bytes.ts"
import { CosignerError } from "../../errors.ts"
import type { Level } from "../../log.ts"
import { Secret } from "../../secret.ts"
import { type Client, createClient } from "../../waas/client.ts"
import type { ClientOptions } from "../../waas/signedCall.ts"
import { type Actor, type Program, runToEnd, startActor } from "./processes.ts"

export interface DeployedNode {
  readonly name: string
  readonly nodeId: string
  readonly dir: string
}

export interface Deployment {
  readonly dir: string
  readonly url: string
  readonly client: Client
  readonly nodes: readonly DeployedNode[]
  /** Resolves when the node has registered with WaaS. */
  startNode(node: DeployedNode): Promise<Actor>
  endNode(node: DeployedNode, signal: "SIGTERM" | "SIGKILL"): Promise<void>
  endAll(): Promise<void>
}

const READY_MS = 30_000

interface DeploymentOptions {
  /** How many nodes. */
  readonly count: number
  /** Log level of WaaS and the nodes; info by default. */
  readonly logLevel?: Level
  /** Added to each node's configuration. */
  readonly toml?: (node: DeployedNode) => string
  /** Changes WaaS's configuration, as `waas init` writes it, before it starts. */
  readonly waas?: (toml: string) => string
  /** Replaces the address of WaaS that nodes and callers get, for a proxy in between. */
  readonly inFront?: (url: string) => string
}

/** Makes everything in `dir` and starts WaaS; WaaS admits a node once a group names it. */
export async function deploy(program: Program, dir: string, options: DeploymentOptions): Promise<Deployment> {
  const { count, logLevel = "info", inFront = (url: string) => url } = options
  mkdirSync(join(dir, "logs"), { recursive: true, mode: 0o700 })
  const waas = await makeWaas(program, dir)
  if (options.waas !== undefined) {
    const config = join(dir, "waas", "waas.toml")
    writeFileSync(config, options.waas(readFileSync(config, "utf8")))
  }
  const actors = new Map<string, Actor>()
  const waasActor = startActor(
    program,
    "waas",
    ["waas", "start", "--dir", "waas", "--listen", "127.0.0.1:0", "--log-level", logLevel],
    dir,
    join(dir, "logs", "waas.log"),
  )
  actors.set("waas", waasActor)
  // Nodes before WaaS, so that none of them logs the loss of its link.
  const deployment = {
    endAll: async () => {
      await Promise.all([...actors.values()].filter((it) => it !== waasActor).map((it) => it.end("SIGTERM")))
      await waasActor.end("SIGTERM")
    },
  }
  try {
    const line = await waasActor.line((text) => text.includes("WaaS listening on "), READY_MS)
    const own = /WaaS listening on (http:\/\/[0-9.:]+)/.exec(line)?.[1]
    if (own === undefined) throw new CosignerError("E-CLI-022", { what: "WaaS does not say where it listens" })
    const url = inFront(own)
    const toml = (node: DeployedNode): string => `${logTable(logLevel)}${options.toml?.(node) ?? ""}`
    const nodes = await Promise.all(
      Array.from({ length: count }, (_, i) => makeNode(program, dir, `node${i + 1}`, url, waas.publicKey, toml)),
    )
    const it: Deployment = {
      ...deployment,
      dir,
      url,
      nodes,
      client: createClient({ baseUrl: url, ...waas.access }),
      async startNode(node) {
        const actor = startActor(
          program,
          node.name,
          ["start", "--key-file", ".password"],
          node.dir,
          join(dir, "logs", `${node.name}.log`),
        )
        actors.set(node.name, actor)
        await actor.line((text) => text.includes("TSS Node registration accepted"), READY_MS)
        return actor
      },
      async endNode(node, signal) {
        await actors.get(node.name)?.end(signal)
        actors.delete(node.name)
      },
    }
    return it
  } catch (error) {
    await deployment.endAll()
    throw error
  }
}

/** The log file is for programs, stderr for people. Empty if the defaults say the same. */
const logTable = (level: Level): string =>
  level === "info"
    ? ""
    : `[log]\nstd = { level = "${level}" }\nfile = { enable = true, level = "${level}", format = "json" }\n`

async function makeWaas(program: Program, dir: string) {
  const made = object(await runToEnd(program, ["waas", "init", "--dir", "waas", "--json"], dir))
  const key = object(
    await runToEnd(program, ["waas", "key", "create", "--dir", "waas", "--name", "demo", "--json"], dir),
  )
  return { publicKey: text(made, "public_key"), access: accessBy(key, text(made, "response_key")) }
}

/** What a caller needs besides an address. `created`: what `cosigner waas key create --json` said. */
export function accessBy(
  created: Readonly<Record<string, unknown>>,
  responseKey: string,
): Omit<ClientOptions, "baseUrl"> {
  const secret = fromHex(text(created, "secret"))
  if (secret === undefined) throw new CosignerError("E-CLI-022", { what: "the API key is not hex" })
  return { apiKeyCurve: "ed25519", apiKeySecret: Secret.take(secret), responseKey }
}

async function makeNode(
  program: Program,
  dir: string,
  name: string,
  url: string,
  waasKey: string,
  toml: (node: DeployedNode) => string,
): Promise<DeployedNode> {
  const home = join(dir, name)
  mkdirSync(join(home, "configs"), { recursive: true, mode: 0o700 })
  writeFileSync(join(home, ".password"), randomBytes(32).toString("base64url"), { mode: 0o600 })
  const made = object(await runToEnd(program, ["init", "--key-file", ".password", "--json"], home))
  const node = { name, nodeId: text(made, "node_id"), dir: home }
  const config = join(home, "configs", "cosigner.toml")
  const relay = `${url.replace(/^http/, "ws")}/ws`
  writeFileSync(
    config,
    [
      'env = "development"',
      "# A demo holds nothing of value: its nodes sign until a scenario gives them rules and servers.",
      "danger_allow_unguarded_signing = true",
      "[websocket]",
      `url = ${JSON.stringify(relay)}`,
      `waas_public_key = ${JSON.stringify(waasKey)}`,
      toml(node),
    ].join("\n"),
  )
  chmodSync(config, 0o600)
  return node
}

/** The last line of JSON output, as an object. */
export function object(output: string): Readonly<Record<string, unknown>> {
  const value: unknown = JSON.parse(output.trim().split("\n").at(-1) ?? "null")
  if (typeof value !== "object" || value === null)
    throw new CosignerError("E-CLI-022", { what: "JSON without an object" })
  return Object.fromEntries(Object.entries(value))
}

export function text(fields: Readonly<Record<string, unknown>>, key: string): string {
  const value = fields[key]
  if (typeof value !== "string") throw new CosignerError("E-CLI-022", { what: `the output has no ${key}` })
  return value
}
