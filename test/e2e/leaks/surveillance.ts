/**
 * How a deployment is surveilled: what is put in the way of its processes so that the leakScanner hears them, which secrets are
 * planted where it can be chosen, where each of them belongs, and what must have been heard for a silence to mean anything.
 */
import { hkdfSync, randomBytes } from "node:crypto"
import { existsSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { gunzipSync } from "node:zlib"
import type { DeployedNode, Deployment } from "../../../src/kit/demo/deployment.ts"
import type { Actor, LogTap } from "../../../src/kit/demo/processes.ts"
import { ROUTES } from "../../../src/ops/port/routes.ts"
import { type Front, standInFront } from "./front.ts"
import { acquit, type Exception, type Judgement, LeakScanner } from "./leakScanner.ts"
import { watchProcesses } from "./processes.ts"
import { Databases } from "./secrets.ts"

export interface Surveillance {
  readonly leakScanner: LeakScanner
  readonly logTap: LogTap
  /** The address that stands for WaaS's own. */
  inFront(url: string): string
  /** The configuration of a node with a status port, and an InfluxDB unless it has one; plants their secrets. */
  configure(node: DeployedNode, toml: string): string
  /** The configuration of WaaS with its console, whose token is planted. */
  configureWaas(toml: string): string
  /** The bearer token of a node's status port, which is `status.sock` in its folder. */
  tokenOf(node: DeployedNode): string
  /** The process of a node that was started last. */
  actorOf(node: DeployedNode): Actor
  /** The same deployment, its nodes looked at when they start, while they run and before they end. */
  over(deployment: Deployment): Deployment
  /** A fresh secret text, known to the leakScanner, at home in files of that name (or end of a path) alone. */
  plant(name: string, file: string): string
  /**
   * What a customer's server got or said. Whoever has a token can use it for minutes: its signature is a secret everywhere
   * but on the way to its server.
   */
  token(source: string, body: string): void
  /** After everything has ended. Throws what was found. */
  acquit(): Judgement
  end(): Promise<void>
}

const EVERY_MS = 1_000
/** Asked once; the others change. */
const FIXED_PAGES = ["/", "/openapi.json"]
const PAGES = Object.values(ROUTES).map(({ path }) => path)
const CONSOLE = ["/", "/overview", "/vaults?limit=100", "/requests?limit=100"]

/** Where the secrets of a deployment belong. Nothing else is an exception, in any test. */
export const AT_HOME: readonly Exception[] = [
  {
    channel: "file",
    source: /(?:^|\/)\.password$/,
    secret: /^password of /,
    why: "the key file that the operator made",
  },
  {
    channel: "file",
    source: /(?:^|\/)waas\/waas\.key$/,
    secret: /^WaaS key$/,
    why: "the key file of WaaS, mode 600",
  },
  {
    channel: "file",
    source: /(?:^|\/)client\.key$/,
    secret: /^API key of a client$/,
    why: "the key file of a client, mode 600",
  },
  {
    channel: "output",
    source: /^waas key create$/,
    secret: /^API key secret$/,
    why: "a key that was made is shown once, to whoever made it",
  },
  {
    channel: "tokens",
    source: /./,
    secret: /^signature of a token$/,
    why: "the request that it authenticates, and its answer",
  },
]

export function openSurveillance(dir: string): Surveillance {
  const leakScanner = new LeakScanner()
  leakScanner.except(...AT_HOME)
  const watching = watchProcesses(leakScanner)
  const databases = new Databases()
  const live = new Map<string, DeployedNode>()
  const actors = new Map<string, Actor>()
  const tokens = new Map<string, string>()
  const asked = new Set<string>()
  const influx = influxServer(leakScanner)
  let front: Front | undefined
  let nodes: readonly DeployedNode[] = []

  const plant = (name: string, file: string): string => {
    const text = `canary.${randomBytes(32).toString("base64url")}`
    leakScanner.secret(name, text)
    // tests copy whole folders of nodes
    const source = new RegExp(`(?:^|/)${RegExp.escape(file)}$`)
    leakScanner.except({
      channel: "file",
      source,
      secret: new RegExp(`^${RegExp.escape(name)}$`),
      why: "planted there",
    })
    return text
  }

  /** Everything that the node answers to whoever may ask. */
  async function ask(node: DeployedNode): Promise<void> {
    const socket = join(node.dir, "status.sock")
    if (!existsSync(socket)) return
    const pages = asked.has(node.name) ? PAGES : [...FIXED_PAGES, ...PAGES]
    for (const path of pages) {
      try {
        const answer = await fetch(`http://node${path}`, {
          unix: socket,
          headers: { authorization: `Bearer ${tokens.get(node.name)}` },
          signal: AbortSignal.timeout(2_000),
        })
        const headers = [...answer.headers].map(([name, value]) => `${name}: ${value}`).join("\n")
        leakScanner.hear("status", `${node.name} ${path}`, `${answer.status}\n${headers}\n\n${await answer.text()}\n`)
      } catch {
        return // it has just ended, or was killed
      }
    }
    asked.add(node.name)
  }

  let consoleToken = ""
  /** Everything that the console of WaaS answers. */
  async function askConsole(): Promise<void> {
    const socket = join(dir, "waas", "console.sock")
    if (!existsSync(socket)) return
    for (const path of CONSOLE) {
      try {
        const answer = await fetch(`http://waas${path}`, {
          unix: socket,
          headers: { authorization: `Bearer ${consoleToken}` },
          signal: AbortSignal.timeout(2_000),
        })
        leakScanner.hear("status", `waas ${path}`, `${answer.status}\n${await answer.text()}\n`)
      } catch {
        return // it has just ended, or was killed
      }
    }
  }

  let round: Promise<unknown> = Promise.resolve()
  const look = (): void => {
    for (const node of live.values()) databases.copy(node.name, node.dir)
    round = Promise.all([...[...live.values()].map(ask), askConsole()])
  }
  const timer = setInterval(look, EVERY_MS)

  async function beforeTheEnd(ending: readonly DeployedNode[]): Promise<void> {
    await Promise.all(ending.map(ask))
  }
  function afterTheEnd(ended: readonly DeployedNode[]): void {
    for (const node of ended) {
      live.delete(node.name)
      databases.copy(node.name, node.dir)
    }
  }

  return {
    leakScanner,
    plant,
    logTap: {
      started: watching.logTap.started,
      said(pid, args, text) {
        watching.logTap.said(pid, args, text)
        if (!args.join(" ").startsWith("waas key create")) return
        const secret = /"secret":"([0-9a-f]{64})"/.exec(text)?.[1]
        if (secret !== undefined) leakScanner.secret("API key secret", Buffer.from(secret, "hex"))
      },
    },
    token(source, body) {
      leakScanner.hear("tokens", source, `${body}\n`)
      for (const [, signature] of body.matchAll(/eyJ[\w-]+\.[\w-]+\.([\w-]{64,})/g)) {
        leakScanner.secret("signature of a token", Buffer.from(signature ?? "", "base64url"))
      }
    },
    inFront(url) {
      front = standInFront(url, leakScanner)
      return front.url
    },
    configure(node, toml) {
      const tables = [toml, '[status]\nenable = true\nlisten = "unix:status.sock"\ntoken_path = "token"']
      const token = plant(`status token of ${node.name}`, "token")
      tokens.set(node.name, token)
      writeFileSync(join(node.dir, "token"), `${token}\n`, { mode: 0o600 })
      if (!/^\[metrics/m.test(toml)) {
        const secret = plant(`InfluxDB secret of ${node.name}`, "configs/cosigner.toml")
        tables.push(influxTable(influx.url, secret, node.name))
      }
      return `\n${tables.join("\n")}\n`
    },
    configureWaas(toml) {
      consoleToken = plant("token of the console", "waas/console.token")
      writeFileSync(join(dir, "waas", "console.token"), `${consoleToken}\n`, { mode: 0o600 })
      const table = "[waas.console]\n"
      return toml.replace(table, `${table}enable = true\nlisten = "unix:waas/console.sock"\n`)
    },
    tokenOf: ({ name }) => tokens.get(name) ?? "",
    actorOf(node) {
      const actor = actors.get(node.name)
      if (actor === undefined) throw new Error(`${node.name} was never started`)
      return actor
    },
    over(deployment) {
      nodes = deployment.nodes
      return {
        ...deployment,
        async startNode(node) {
          const actor = await deployment.startNode(node)
          live.set(node.name, node)
          actors.set(node.name, actor)
          return actor
        },
        async endNode(node, signal) {
          if (signal === "SIGTERM" && live.has(node.name)) await beforeTheEnd([node])
          live.delete(node.name)
          await deployment.endNode(node, signal)
          afterTheEnd([node])
        },
        async endAll() {
          const ending = [...live.values()]
          await Promise.all([beforeTheEnd(ending), askConsole()])
          await deployment.endAll()
          afterTheEnd(ending)
        },
      }
    },
    acquit() {
      for (const node of nodes) databases.copy(node.name, node.dir)
      const key = /^[0-9a-f]{64}/.exec(readFileSync(join(dir, "waas", "waas.key"), "utf8"))?.[0]
      if (key === undefined) throw new Error("the key of WaaS is not where it was")
      const seed = Buffer.from(key, "hex")
      leakScanner.secret("WaaS key", seed)
      leakScanner.secret(
        "response key of WaaS",
        new Uint8Array(hkdfSync("sha256", seed, "", "cosigner/waas/responses", 32)),
      )
      const { nodes: opened } = databases.tell(leakScanner)
      const closed = nodes.filter(({ name }) => !opened.has(name))
      if (closed.length > 0) throw new Error(`no database was opened of ${closed.map(({ name }) => name).join(", ")}`)
      leakScanner.hearFolder("file", dir)
      leakScanner.expect(...knownOf(nodes))
      return acquit(leakScanner.judge())
    },
    async end() {
      clearInterval(timer)
      watching[Symbol.dispose]()
      await round
      await Promise.all([front?.stop(), influx.stop()])
      databases[Symbol.dispose]()
      leakScanner[Symbol.dispose]()
    },
  }
}

/** What passes whenever anything works. */
const knownOf = (nodes: readonly DeployedNode[]) => {
  const id = nodes[0]?.nodeId ?? ""
  return [
    { channel: "argv", what: "a key file's option", text: "start\0--key-file\0.password" },
    // others do not see it: test/hardening
    ...(process.getuid?.() === 0
      ? [{ channel: "environ", what: "the path", text: `PATH=${process.env["PATH"] ?? ""}` }]
      : []),
    { channel: "output", what: "a node's first words", text: `TSS Node ID: ${id}` },
    { channel: "output", what: "a trace", text: 'level=trace msg="frame in"' },
    { channel: "file", what: "a trace in a log file", text: '"level":"trace","msg":"frame in"' },
    { channel: "file", what: "a node in the database of WaaS", text: id },
    { channel: "status", what: "a node's status", text: `"node_id":"${id}"` },
    { channel: "status", what: "Prometheus text", text: "# TYPE cosigner_build_info gauge" },
    { channel: "status", what: "the console of WaaS", text: '"nodes_left_out":0' },
    { channel: "influx", what: "a measurement", text: "cosigner_build_info," },
    { channel: "rest", what: "an answer", text: `"tss_node_id":"${id}"` },
    { channel: "frames", what: "a task", text: id },
  ]
}

const influxTable = (url: string, secret: string, node: string): string => {
  const of =
    Number(node.at(-1)) % 2 === 0
      ? { org: "o", bucket: "b", token: secret }
      : { database: "d", username: "canary", password: secret }
  const lines = Object.entries({ server_addr: url, interval: "500ms", ...of }).map(
    ([key, value]) => `${key} = "${value}"`,
  )
  return `[metrics.influxdb]\n${lines.join("\n")}`
}

/** Takes what nodes measure, and keeps it; the header that proves who sends is theirs to send. */
function influxServer(leakScanner: LeakScanner) {
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    async fetch(request) {
      const body = new Uint8Array(await request.arrayBuffer())
      const plain = request.headers.get("content-encoding") === "gzip" ? gunzipSync(body) : body
      leakScanner.hear("influx", "requests", `${request.method} ${request.url}\n`)
      for (const [name, value] of request.headers) {
        if (name !== "authorization") leakScanner.hear("influx", "requests", `${name}: ${value}\n`)
      }
      leakScanner.hear("influx", "requests", plain)
      return new Response(null, { status: 204 })
    },
  })
  return { url: `http://127.0.0.1:${server.port}`, stop: () => server.stop(true) }
}
