/** One WaaS and three nodes of the compiled binary on the loopback, each of which can be killed, stopped and started again. */
import { mkdirSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { fromHex } from "../../src/bytes.ts"
import { object, text } from "../../src/kit/demo/deployment.ts"
import { type DemoVault, generateKeys, makeVault } from "../../src/kit/demo/keys.ts"
import { type Actor, runToEnd, startActor } from "../../src/kit/demo/processes.ts"
import { Secret } from "../../src/secret.ts"
import { type Client, createClient } from "../../src/waas/client.ts"
import { freePort } from "../../test/support/freePort.ts"
import { temporaryFolder } from "../../test/support/temporaryFolder.ts"
import { makeUnguardedNode, type UnguardedNode } from "../../test/support/unguardedNode.ts"
import { binary } from "../toolchain.ts"

const program = { words: [binary] }
const READY_MS = 60_000
const LIMITS = "[waas.limits]\nrequests_per_second = 10000\nburst = 100000\n"

/** A process of the fleet by its name: waas, node1, node2, node3. */
export class Fleet implements AsyncDisposable {
  readonly #dir: string
  readonly #listen: string
  readonly #actors = new Map<string, Actor>()
  /** Names of processes that somebody is at work on. */
  readonly #busy = new Set<string>()
  readonly nodes: readonly UnguardedNode[]
  readonly client: Client

  private constructor(dir: string, listen: string, nodes: readonly UnguardedNode[], client: Client) {
    this.#dir = dir
    this.#listen = listen
    this.nodes = nodes
    this.client = client
  }

  static async start(): Promise<{ readonly fleet: Fleet; readonly vault: DemoVault }> {
    const dir = temporaryFolder("campaign").path
    mkdirSync(join(dir, "logs"))
    const made = object(await runToEnd(program, ["waas", "init", "--dir", "waas", "--json"], dir))
    writeFileSync(join(dir, "waas", "waas.toml"), LIMITS, { mode: 0o600 })
    const key = object(await runToEnd(program, ["waas", "key", "create", "--dir", "waas", "--json"], dir))
    const apiKeySecret = fromHex(text(key, "secret"))
    if (apiKeySecret === undefined) throw new Error("an API key is hex")
    const listen = `127.0.0.1:${freePort()}`
    const names = ["node1", "node2", "node3"]
    const nodes = await Promise.all(
      names.map((name) => makeUnguardedNode(program, dir, name, listen, text(made, "public_key"))),
    )
    const client = createClient({
      baseUrl: `http://${listen}`,
      apiKeyCurve: "ed25519",
      apiKeySecret: Secret.take(apiKeySecret),
      responseKey: text(made, "response_key"),
    })
    const fleet = new Fleet(dir, listen, nodes, client)
    await fleet.begin("waas")
    const bound = await makeVault(fleet, nodes, 2)
    await Promise.all(names.map((name) => fleet.begin(name)))
    return { fleet, vault: await generateKeys(fleet, bound) }
  }

  get names(): readonly string[] {
    return ["waas", ...this.nodes.map(({ name }) => name)]
  }

  async begin(name: string): Promise<void> {
    const node = this.nodes.find((one) => one.name === name)
    const args = node
      ? ["start", "--key-file", ".password"]
      : ["waas", "start", "--dir", "waas", "--listen", this.#listen]
    const log = join(this.#dir, "logs", `${name}.log`)
    const actor = startActor(program, name, args, node?.dir ?? this.#dir, log)
    this.#actors.set(name, actor)
    const ready = node ? "Start to register service" : "WaaS listening on "
    // A node whose WaaS is away meanwhile has started all the same.
    await actor.line((line) => line.includes(ready) || line.includes("E-LNK-001"), READY_MS)
  }

  /** False where somebody is at work on it already. */
  async restart(name: string, signal: "SIGTERM" | "SIGKILL"): Promise<boolean> {
    return this.#alone(name, async () => {
      await this.#actors.get(name)?.end(signal)
      await this.begin(name)
    })
  }

  /** Stopped for so long, its connections open. */
  async pause(name: string, ms: number): Promise<boolean> {
    return this.#alone(name, async () => {
      const pid = this.#actors.get(name)?.pid
      if (pid === undefined) return
      process.kill(pid, "SIGSTOP")
      await Bun.sleep(ms)
      process.kill(pid, "SIGCONT")
    })
  }

  async #alone(name: string, work: () => Promise<void>): Promise<boolean> {
    if (this.#busy.has(name)) return false
    this.#busy.add(name)
    try {
      await work()
      return true
    } finally {
      this.#busy.delete(name)
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const last = (name: string) => Number(name === "waas")
    const all = [...this.#actors].sort(([a], [b]) => last(a) - last(b))
    for (const [, actor] of all) await actor.end("SIGTERM")
    rmSync(this.#dir, { recursive: true, force: true })
  }
}
