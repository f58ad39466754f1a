/** One WaaS and three nodes of the compiled binary on the loopback, each of which can be killed, stopped and started again. */
import { mkdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { fromHex } from "../../src/bytes.ts"
import { object, text } from "../../src/kit/demo/deployment.ts"
import { type DemoVault, generateKeys, makeVault } from "../../src/kit/demo/keys.ts"
import { type Actor, runToEnd, startActor } from "../../src/kit/demo/processes.ts"
import { Secret } from "../../src/secret.ts"
import { type Client, createClient } from "../../src/waas/client.ts"
import { freePort } from "../../test/support/freePort.ts"
import { temporaryFolder } from "../../test/support/temporaryFolder.ts"
import { makeUnguardedNode, type UnguardedNode } from "../../test/support/unguardedNode.ts"
import { binary, root } from "../toolchain.ts"
import { Wire } from "./wire.ts"

/** So that a limit on the size of its files is an error of its writes, and not its end (setrlimit(2)). */
const program = { words: ["bash", "-c", 'trap "" XFSZ; exec "$0" "$@"', binary] }
const READY_MS = 60_000
const LIMITS = "[waas.limits]\nrequests_per_second = 10000\nburst = 100000\n"

/** WaaS from source, whose clock can be set. */
const withClock = (file: string) => ({
  words: [
    "bash",
    "-c",
    `export CAMPAIGN_CLOCK='${file}'; exec "$0" "$@"`,
    process.execPath,
    ...["--preload", join(import.meta.dir, "fakeClock.ts"), join(root, "src", "main.ts")],
  ],
})

/** A process of the fleet by its name: waas, node1, node2, node3. */
export class Fleet implements AsyncDisposable {
  readonly #dir: string
  readonly #listen: string
  readonly #actors = new Map<string, Actor>()
  /** Names of processes that somebody is at work on. */
  readonly #busy = new Set<string>()
  readonly nodes: readonly UnguardedNode[]
  readonly client: Client
  /** From each node to WaaS. */
  readonly wires: ReadonlyMap<string, Wire>
  #isClockOurs = false

  private constructor(parts: {
    readonly dir: string
    readonly listen: string
    readonly nodes: readonly UnguardedNode[]
    readonly client: Client
    readonly wires: ReadonlyMap<string, Wire>
  }) {
    this.#dir = parts.dir
    this.#listen = parts.listen
    this.nodes = parts.nodes
    this.client = parts.client
    this.wires = parts.wires
  }

  static async start(): Promise<{ readonly fleet: Fleet; readonly vault: DemoVault }> {
    const dir = temporaryFolder("campaign").path
    mkdirSync(join(dir, "logs"))
    const made = object(await runToEnd(program, ["waas", "init", "--dir", "waas", "--json"], dir))
    writeFileSync(join(dir, "waas", "waas.toml"), LIMITS, { mode: 0o600 })
    const key = object(await runToEnd(program, ["waas", "key", "create", "--dir", "waas", "--json"], dir))
    const apiKeySecret = fromHex(text(key, "secret"))
    if (apiKeySecret === undefined) throw new Error("an API key is hex")
    const port = freePort()
    const listen = `127.0.0.1:${port}`
    const names = ["node1", "node2", "node3"]
    const wires = new Map<string, Wire>()
    for (const name of names) wires.set(name, await Wire.start(() => port))
    const nodes = await Promise.all(
      names.map((name) =>
        makeUnguardedNode(program, dir, name, `127.0.0.1:${wires.get(name)?.port}`, text(made, "public_key")),
      ),
    )
    const client = createClient({
      baseUrl: `http://${listen}`,
      apiKeyCurve: "ed25519",
      apiKeySecret: Secret.take(apiKeySecret),
      responseKey: text(made, "response_key"),
    })
    const fleet = new Fleet({ dir, listen, nodes, client, wires })
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
    const starts = node === undefined && this.#isClockOurs ? withClock(this.#clockFile) : program
    const actor = startActor(starts, name, args, node?.dir ?? this.#dir, log)
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

  /**
   * No file of it can become longer (a full disk), or be written at all beyond its first page (as on one that is read-only), for so
   * long. True if it was done.
   */
  async fillDisk(name: string, how: "full" | "read-only", ms: number): Promise<boolean> {
    return this.#alone(name, async () => {
      const pid = this.#actors.get(name)?.pid
      if (pid === undefined) return
      const node = this.nodes.find((one) => one.name === name)
      const database = node === undefined ? join(this.#dir, "waas", "waas.db") : join(node.dir, "db", "secrets.db")
      const limit = (bytes: string) => Bun.spawn(["prlimit", "--pid", String(pid), `--fsize=${bytes}:`]).exited
      await limit(how === "full" ? String(statSync(database).size) : "4096")
      await Bun.sleep(ms)
      await limit("unlimited")
    })
  }

  get #clockFile(): string {
    return join(this.#dir, "clock")
  }

  /** WaaS starts again with a clock that can be set, until the result is called. */
  async takeClock(): Promise<() => Promise<void>> {
    this.setClock(0)
    this.#isClockOurs = true
    await this.restart("waas", "SIGTERM")
    return async () => {
      this.#isClockOurs = false
      await this.restart("waas", "SIGTERM")
    }
  }

  setClock(offsetMs: number): void {
    writeFileSync(`${this.#clockFile}.new`, String(offsetMs))
    renameSync(`${this.#clockFile}.new`, this.#clockFile)
  }

  /** Every node starts again with that behind its configuration, until the result is called. */
  async configure(toml: (dir: string) => string): Promise<() => Promise<void>> {
    const before = this.nodes.map(({ dir, name }) => {
      const file = join(dir, "configs", "cosigner.toml")
      return { file, name, text: readFileSync(file, "utf8") }
    })
    const again = async (make: (text: string, file: string) => string): Promise<void> => {
      for (const { file, name, text } of before) {
        writeFileSync(file, make(text, file), { mode: 0o600 })
        await this.restart(name, "SIGTERM")
      }
    }
    await again((text, file) => `${text}\n${toml(dirname(file))}\n`)
    return () => again((text) => text)
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
    for (const wire of this.wires.values()) await wire[Symbol.asyncDispose]()
    rmSync(this.#dir, { recursive: true, force: true })
  }
}
