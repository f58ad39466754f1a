/**
 * Several WaaS processes on one Postgres, nodes that know all of them, and the faults that they are put to. Between each node and each
 * WaaS is a wire of its own.
 */
import { appendFileSync, cpSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { SQL } from "bun"
import { accessBy, object, text } from "../../src/kit/demo/deployment.ts"
import { type DemoVault, generateKeys, makeVault } from "../../src/kit/demo/keys.ts"
import { runToEnd, startActor } from "../../src/kit/demo/processes.ts"
import type { Client } from "../../src/waas/client.ts"
import { freePort } from "../../test/support/freePort.ts"
import { startPostgres, type TestPostgres } from "../../test/support/postgres.ts"
import { temporaryFolder } from "../../test/support/temporaryFolder.ts"
import { makeUnguardedNode, type UnguardedNode } from "../../test/support/unguardedNode.ts"
import { binary } from "../toolchain.ts"
import { Actors } from "./actors.ts"
import { Callers, type Target } from "./callers.ts"
import type { Draw } from "./draw.ts"
import { Wire } from "./wire.ts"

const program = { words: [binary] }
const READY_MS = 60_000
const SETTINGS = `[waas.limits]
requests_per_second = 10000
burst = 100000
[waas.webhooks]
hosts = ["127.0.0.1"]
`

const numbered = (name: string, count: number): readonly string[] =>
  Array.from({ length: count }, (_, index) => `${name}${index + 1}`)

export interface Size {
  readonly replicas: number
  readonly nodes: number
  /** What is cut is cut there; without, everybody connects directly. */
  readonly hasWires?: boolean
  /** Behind the configuration of each replica. */
  readonly waasToml?: string
}

interface Parts {
  readonly dir: string
  /** Of each replica, in the order of `replicas`. */
  readonly targets: readonly Target[]
  readonly replicas: readonly string[]
  readonly nodes: readonly UnguardedNode[]
  readonly postgres: TestPostgres
  readonly url: string
  readonly callers: Callers
  /** By the node's name, in the order of `replicas`. */
  readonly wires: ReadonlyMap<string, readonly Wire[]>
}

export class Cluster implements AsyncDisposable {
  readonly #parts: Parts
  readonly #actors = new Actors()

  private constructor(parts: Parts) {
    this.#parts = parts
  }

  /** A vault of 2 of all nodes, with keys. */
  static async start(size: Size, draw: Draw): Promise<{ readonly cluster: Cluster; readonly vault: DemoVault }> {
    const cluster = await Cluster.#made(size, draw)
    try {
      for (const name of cluster.replicas) await cluster.begin(name)
      if (!(await cluster.callers.untilReady(1, READY_MS))) throw new Error("no WaaS serves")
      const bound = await makeVault(cluster, cluster.nodes, 2)
      await Promise.all(cluster.nodes.map(({ name }) => cluster.begin(name)))
      return { cluster, vault: await generateKeys(cluster, bound) }
    } catch (error) {
      await cluster[Symbol.asyncDispose]()
      throw error
    }
  }

  /** Folders and database; nobody runs yet. */
  static async #made({ hasWires = true, waasToml = "", ...count }: Size, draw: Draw): Promise<Cluster> {
    using begun = new DisposableStack()
    const dir = temporaryFolder("cluster").path
    mkdirSync(join(dir, "logs"))
    const postgres = begun.use(startPostgres())
    const url = await postgres.database()
    const replicas = numbered("waas", count.replicas)
    const toml = `[waas.store]\nurl = "${url}"\n${SETTINGS}${waasToml}`
    const { waasKey, targets } = await makeReplicas(dir, replicas, toml)
    const wires = new Map<string, readonly Wire[]>()
    const nodes: UnguardedNode[] = []
    for (const [index, name] of numbered("node", count.nodes).entries()) {
      const ways = hasWires ? await Promise.all(targets.map(({ port }) => Wire.start(() => port))) : undefined
      if (ways !== undefined) wires.set(name, ways)
      nodes.push(await makeNode(dir, name, turned<{ readonly port: number }>(ways ?? targets, index), waasKey))
    }
    const callers = await Callers.start(targets, draw, hasWires)
    begun.move()
    return new Cluster({ dir, targets, replicas, nodes, postgres, url, callers, wires })
  }

  get callers(): Callers {
    return this.#parts.callers
  }

  /** Each call to another replica. */
  get client(): Client {
    return this.callers.client
  }

  /** Calls to that replica alone. */
  clientOf(replica: string): Client {
    return this.callers.clientAt(this.replicas.indexOf(replica))
  }

  get nodes(): readonly UnguardedNode[] {
    return this.#parts.nodes
  }

  get replicas(): readonly string[] {
    return this.#parts.replicas
  }

  get postgres(): TestPostgres {
    return this.#parts.postgres
  }

  /** The way of that node to that replica. */
  wire(node: string, replica: string): Wire {
    const wire = this.#parts.wires.get(node)?.[this.replicas.indexOf(replica)]
    if (wire === undefined) throw new RangeError(`no way from ${node} to ${replica}`)
    return wire
  }

  async begin(name: string): Promise<void> {
    const { dir, targets } = this.#parts
    const node = this.nodes.find((one) => one.name === name)
    const port = targets[this.replicas.indexOf(name)]?.port
    const args = node
      ? ["start", "--key-file", ".password"]
      : ["waas", "start", "--dir", name, "--listen", `127.0.0.1:${port}`]
    const actor = startActor(program, name, args, node?.dir ?? dir, join(dir, "logs", `${name}.log`))
    this.#actors.add(actor)
    // One whose database or WaaS is away meanwhile has started all the same.
    const words = node ? ["Start to register service", "E-LNK-001"] : ["WaaS listening on ", "E-WAA-070"]
    await actor.line((line) => words.some((word) => line.includes(word)), READY_MS)
  }

  end(name: string, signal: "SIGTERM" | "SIGKILL"): Promise<void> {
    return this.#actors.end(name, signal)
  }

  pause(name: string, ms: number): Promise<void> {
    return this.#actors.pause(name, ms)
  }

  /** Each node starts again with that behind its configuration. */
  async configure(toml: string): Promise<void> {
    for (const { name, dir } of this.nodes) {
      await this.end(name, "SIGTERM")
      appendFileSync(join(dir, "configs", "cosigner.toml"), toml)
      await this.begin(name)
    }
  }

  /** Every connection of WaaS to its database. */
  async cutStore(): Promise<void> {
    const sql = new SQL({ url: this.postgres.url("postgres"), max: 1 })
    await sql.unsafe("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'cosigner-waas'")
    await sql.close()
  }

  /** Requests for signatures that the database has, and how often a process began to serve it. */
  async counts(): Promise<{ readonly requests: number; readonly starts: number }> {
    const sql = new SQL({ url: this.#parts.url, max: 1 })
    const [row] = await sql.unsafe<{ readonly requests: string; readonly starts: string }[]>(
      "SELECT (SELECT count(*) FROM sign_requests) AS requests, (SELECT count(*) FROM replicas) AS starts",
    )
    await sql.close()
    return { requests: Number(row?.requests), starts: Number(row?.starts) }
  }

  /** What nodes hold against one another: none of them did anything wrong. */
  async strikes(): Promise<readonly string[]> {
    const each = this.nodes.map(async ({ name, dir }) => {
      const listed: unknown = JSON.parse(await runToEnd(program, ["strikes", "--json", "--key-file", ".password"], dir))
      return Array.isArray(listed) ? listed.map((record) => `${name}: ${JSON.stringify(record)}`) : [`${name}: no list`]
    })
    return (await Promise.all(each)).flat()
  }

  /** How often which error code stands in the logs of processes whose names begin so. */
  codes(names: string): string {
    const folder = join(this.#parts.dir, "logs")
    const counts = new Map<string, number>()
    for (const file of readdirSync(folder).filter((one) => one.startsWith(names))) {
      for (const [code] of readFileSync(join(folder, file), "utf8").matchAll(/E-[A-Z]{3}-\d{3}/g)) {
        counts.set(code, (counts.get(code) ?? 0) + 1)
      }
    }
    const sorted = [...counts].sort(([, a], [, b]) => b - a)
    return sorted.map(([code, count]) => `${code} ${count}`).join(", ")
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const { callers, wires, postgres, dir } = this.#parts
    await this.#actors.endAll()
    await callers[Symbol.asyncDispose]()
    for (const ways of wires.values()) for (const wire of ways) await wire[Symbol.asyncDispose]()
    postgres[Symbol.dispose]()
    if (process.env["COSIGNER_KEEP"] !== "1") rmSync(dir, { recursive: true, force: true })
  }
}

/** The folders, with one key; and for each replica a port and an API key of its own. */
async function makeReplicas(
  dir: string,
  names: readonly string[],
  toml: string,
): Promise<{ readonly waasKey: string; readonly targets: readonly Target[] }> {
  const [first = "", ...others] = names
  const made = object(await runToEnd(program, ["waas", "init", "--dir", first, "--json"], dir))
  writeFileSync(join(dir, first, "waas.toml"), toml, { mode: 0o600 })
  for (const name of others) cpSync(join(dir, first), join(dir, name), { recursive: true })
  const targets: Target[] = []
  for (const name of names) {
    const key = object(await runToEnd(program, ["waas", "key", "create", "--dir", name, "--name", name, "--json"], dir))
    targets.push({ port: freePort(), access: accessBy(key, text(made, "response_key")) })
  }
  return { waasKey: text(made, "public_key"), targets }
}

async function makeNode(
  dir: string,
  name: string,
  ways: readonly { readonly port: number }[],
  waasKey: string,
): Promise<UnguardedNode> {
  const [first, ...others] = ways
  const node = await makeUnguardedNode(program, dir, name, `127.0.0.1:${first?.port}`, waasKey)
  const config = join(node.dir, "configs", "cosigner.toml")
  const urls = others.map(({ port }) => `"ws://127.0.0.1:${port}/ws"`)
  writeFileSync(config, `${readFileSync(config, "utf8")}\nurls = [${urls.join(", ")}]\n`, { mode: 0o600 })
  return node
}

/** So that no replica is the first address of every node. */
function turned<T>(all: readonly T[], by: number): readonly T[] {
  const start = by % all.length
  return [...all.slice(start), ...all.slice(0, start)]
}
