/** Three WaaS processes on one Postgres, four nodes that know all three, and the faults that they are put to. */
import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { SQL } from "bun"
import { fromHex } from "../../src/bytes.ts"
import { object, text } from "../../src/kit/demo/deployment.ts"
import { type DemoVault, generateKeys, makeVault } from "../../src/kit/demo/keys.ts"
import { type Actor, runToEnd, startActor } from "../../src/kit/demo/processes.ts"
import { Secret } from "../../src/secret.ts"
import { type Client, createClient } from "../../src/waas/client.ts"
import { freePort } from "../../test/support/freePort.ts"
import { startPostgres, type TestPostgres } from "../../test/support/postgres.ts"
import { temporaryFolder } from "../../test/support/temporaryFolder.ts"
import { makeUnguardedNode, type UnguardedNode } from "../../test/support/unguardedNode.ts"
import { binary } from "../toolchain.ts"
import { type Balancer, startBalancer } from "./balancer.ts"

const program = { words: [binary] }
const READY_MS = 60_000
const WAAS: readonly string[] = ["waas1", "waas2", "waas3"]
const NODES: readonly string[] = ["node1", "node2", "node3", "node4"]

export class Cluster implements AsyncDisposable {
  readonly #dir: string
  readonly #ports: readonly number[]
  readonly #actors = new Map<string, Actor>()
  readonly postgres: TestPostgres
  readonly #url: string
  readonly #balancer: Balancer
  readonly nodes: readonly UnguardedNode[]
  readonly client: Client

  private constructor(parts: {
    readonly dir: string
    readonly ports: readonly number[]
    readonly postgres: TestPostgres
    readonly url: string
    readonly balancer: Balancer
    readonly nodes: readonly UnguardedNode[]
    readonly client: Client
  }) {
    this.#dir = parts.dir
    this.#ports = parts.ports
    this.postgres = parts.postgres
    this.#url = parts.url
    this.#balancer = parts.balancer
    this.nodes = parts.nodes
    this.client = parts.client
  }

  static async start(): Promise<{ readonly cluster: Cluster; readonly vault: DemoVault }> {
    const dir = temporaryFolder("cluster").path
    mkdirSync(join(dir, "logs"))
    const postgres = startPostgres()
    const url = await postgres.database()
    const made = object(await runToEnd(program, ["waas", "init", "--dir", "waas1", "--json"], dir))
    const limits = "[waas.limits]\nrequests_per_second = 10000\nburst = 100000\n"
    writeFileSync(join(dir, "waas1", "waas.toml"), `[waas.store]\nurl = "${url}"\n${limits}`, { mode: 0o600 })
    for (const name of WAAS.slice(1)) cpSync(join(dir, "waas1"), join(dir, name), { recursive: true })
    const key = object(await runToEnd(program, ["waas", "key", "create", "--dir", "waas1", "--json"], dir))
    const apiKeySecret = fromHex(text(key, "secret"))
    if (apiKeySecret === undefined) throw new Error("an API key is hex")
    const ports = WAAS.map(freePort)
    const waasKey = text(made, "public_key")
    const nodes: UnguardedNode[] = []
    for (const name of NODES) {
      const node = await makeUnguardedNode(program, dir, name, `127.0.0.1:${ports[0]}`, waasKey)
      const config = join(node.dir, "configs", "cosigner.toml")
      const others = ports.slice(1).map((port) => `"ws://127.0.0.1:${port}/ws"`)
      writeFileSync(config, `${readFileSync(config, "utf8")}\nurls = [${others.join(", ")}]\n`, { mode: 0o600 })
      nodes.push(node)
    }
    const balancer = await startBalancer(ports)
    const client = createClient({
      baseUrl: `http://127.0.0.1:${balancer.port}`,
      apiKeyCurve: "ed25519",
      apiKeySecret: Secret.take(apiKeySecret),
      responseKey: text(made, "response_key"),
    })
    const cluster = new Cluster({ dir, ports, postgres, url, balancer, nodes, client })
    await cluster.begin("waas1")
    for (const name of WAAS.slice(1)) await cluster.begin(name)
    while ((await cluster.active()) === undefined) await Bun.sleep(100)
    await Bun.sleep(1_000)
    const bound = await makeVault(cluster, nodes, 2)
    await Promise.all(NODES.map((name) => cluster.begin(name)))
    return { cluster, vault: await generateKeys(cluster, bound) }
  }

  async begin(name: string): Promise<void> {
    const node = this.nodes.find((one) => one.name === name)
    const port = this.#ports[WAAS.indexOf(name)]
    const args = node
      ? ["start", "--key-file", ".password"]
      : ["waas", "start", "--dir", name, "--listen", `127.0.0.1:${port}`]
    const actor = startActor(program, name, args, node?.dir ?? this.#dir, join(this.#dir, "logs", `${name}.log`))
    this.#actors.set(name, actor)
    const words = node ? ["Start to register service", "E-LNK-001"] : ["WaaS listening on ", "stands by", "E-WAA-070"]
    await actor.line((line) => words.some((word) => line.includes(word)), READY_MS)
  }

  /** The one whose port answers. */
  async active(): Promise<string | undefined> {
    for (const [index, port] of this.#ports.entries()) {
      const answer = await fetch(`http://127.0.0.1:${port}/readyz`, { signal: AbortSignal.timeout(500) }).catch(
        () => {},
      )
      if (answer?.status === 200) return WAAS[index]
    }
    return undefined
  }

  async kill(name: string): Promise<void> {
    await this.#actors.get(name)?.end("SIGKILL")
    await this.begin(name)
  }

  async pause(name: string, ms: number): Promise<void> {
    const pid = this.#actors.get(name)?.pid
    if (pid === undefined) return
    process.kill(pid, "SIGSTOP")
    await Bun.sleep(ms)
    process.kill(pid, "SIGCONT")
  }

  /** Every connection of WaaS to its database. */
  async cutStore(): Promise<void> {
    const sql = new SQL({ url: this.postgres.url("postgres"), max: 1 })
    await sql.unsafe("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'cosigner-waas'")
    await sql.close()
  }

  /** Requests for signatures that the database has, and how often a process began to serve it. */
  async counts(): Promise<{ readonly requests: number; readonly replicas: number }> {
    const sql = new SQL({ url: this.#url, max: 1 })
    const [row] = await sql.unsafe<{ readonly requests: string; readonly replicas: string }[]>(
      "SELECT (SELECT count(*) FROM sign_requests) AS requests, (SELECT count(*) FROM replicas) AS replicas",
    )
    await sql.close()
    return { requests: Number(row?.requests), replicas: Number(row?.replicas) }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const all = [...this.#actors].sort(([a], [b]) => a.localeCompare(b))
    for (const [, actor] of all) await actor.end("SIGTERM")
    await this.#balancer[Symbol.asyncDispose]()
    this.postgres[Symbol.dispose]()
    if (process.env["COSIGNER_KEEP"] !== "1") rmSync(this.#dir, { recursive: true, force: true })
  }
}
