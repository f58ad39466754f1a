/** One WaaS and some nodes of the compiled binary on the loopback, each of which can be killed, stopped and started again. */

import { Database } from "bun:sqlite"
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs"
import { dirname, join } from "node:path"
import { accessBy, object, text } from "../../src/kit/demo/deployment.ts"
import { type Actor, type Program, runToEnd, startActor } from "../../src/kit/demo/processes.ts"
import type { Level } from "../../src/log.ts"
import { FORMAT } from "../../src/store/fileFormat.ts"
import { type Client, createClient } from "../../src/waas/client.ts"
import { openCheaply } from "../../test/support/cheapUnlock.ts"
import { freePort } from "../../test/support/freePort.ts"
import { temporaryFolder } from "../../test/support/temporaryFolder.ts"
import { makeUnguardedNode, type UnguardedNode } from "../../test/support/unguardedNode.ts"
import { binary, root } from "../toolchain.ts"
import { Actors } from "./actors.ts"
import { NODE_PAGE, WAAS_PAGE } from "./loops.ts"
import { Wire } from "./wire.ts"

/** So that a limit on the size of its files is an error of its writes, and not its end (setrlimit(2)). */
const program: Program = { words: ["bash", "-c", 'trap "" XFSZ; exec "$0" "$@"', binary] }
/** A process that takes longer to start hangs. A busy machine may need a minute. */
const READY_MS = 5 * 60_000
/** All that processes said stays, for whoever looks into what was found. */
const KEPT = process.env["COSIGNER_KEEP"] === "1"
const configOf = ({ dir }: UnguardedNode): string => join(dir, "configs", "cosigner.toml")
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

interface Ear {
  readonly wanted: RegExp
  readonly heard: () => void
}

export interface FleetOptions {
  readonly nodes: number
  /** Of every process. */
  readonly level: Level
  /** Each says how late its main thread is. */
  readonly hasPages?: boolean
}

/** A process of the fleet by its name: waas, node1, node2, ... */
export class Fleet implements AsyncDisposable {
  /** WaaS runs here, with its folder waas. */
  readonly dir: string
  readonly #listen: string
  readonly #actors = new Actors()
  readonly nodes: readonly UnguardedNode[]
  readonly client: Client
  /** From each node to WaaS. */
  readonly wires: ReadonlyMap<string, Wire>
  readonly #level: Level
  /** Who waits for a line of which process. */
  readonly #ears = new Map<string, Set<Ear>>()
  #isClockOurs = false

  private constructor(parts: {
    readonly dir: string
    readonly listen: string
    readonly nodes: readonly UnguardedNode[]
    readonly client: Client
    readonly wires: ReadonlyMap<string, Wire>
    readonly level: Level
  }) {
    this.dir = parts.dir
    this.#level = parts.level
    this.#listen = parts.listen
    this.nodes = parts.nodes
    this.client = parts.client
    this.wires = parts.wires
  }

  /** WaaS is up. Nodes are made, and not started: WaaS admits a node once a group names it. */
  static async start({ nodes: count, level, hasPages = false }: FleetOptions): Promise<Fleet> {
    const dir = temporaryFolder("campaign").path
    mkdirSync(join(dir, "logs"))
    const made = object(await runToEnd(program, ["waas", "init", "--dir", "waas", "--json"], dir))
    writeFileSync(join(dir, "waas", "waas.toml"), `${LIMITS}${hasPages ? WAAS_PAGE : ""}`, { mode: 0o600 })
    const key = object(await runToEnd(program, ["waas", "key", "create", "--dir", "waas", "--json"], dir))
    const port = freePort()
    const listen = `127.0.0.1:${port}`
    const names = Array.from({ length: count }, (_, index) => `node${index + 1}`)
    const wires = new Map<string, Wire>()
    for (const name of names) wires.set(name, await Wire.start(() => port))
    const nodes = await Promise.all(
      names.map((name) =>
        makeUnguardedNode(program, dir, name, `127.0.0.1:${wires.get(name)?.port}`, text(made, "public_key")),
      ),
    )
    nodes.forEach(openCheaply)
    for (const node of nodes)
      appendFileSync(configOf(node), `\n[log.std]\nlevel = "${level}"\n${hasPages ? NODE_PAGE : ""}`)
    const client = createClient({ baseUrl: `http://${listen}`, ...accessBy(key, text(made, "response_key")) })
    const fleet = new Fleet({ dir, listen, nodes, client, wires, level })
    await fleet.begin("waas")
    return fleet
  }

  get names(): readonly string[] {
    return ["waas", ...this.nodes.map(({ name }) => name)]
  }

  async begin(name: string): Promise<void> {
    await this.ready(this.spawn(name))
  }

  /** Starts the process, and waits for nothing. */
  spawn(name: string): Actor {
    const node = this.nodes.find((one) => one.name === name)
    const args = node
      ? ["start", "--key-file", ".password"]
      : ["waas", "start", "--dir", "waas", "--listen", this.#listen, "--log-level", this.#level]
    const log = join(this.dir, "logs", `${name}.log`)
    // The life before this one stays: half an hour at level trace would be gigabytes.
    if (existsSync(log) && !KEPT) renameSync(log, `${log}.before`)
    const starts: Program = {
      ...(node === undefined && this.#isClockOurs ? withClock(this.#clockFile) : program),
      logTap: { started: () => {}, said: (_pid, _args, said) => this.#hear(name, said) },
    }
    const actor = startActor(starts, name, args, node?.dir ?? this.dir, log)
    this.#actors.add(actor)
    return actor
  }

  /** Rejects if the process ends before it is up. */
  async ready(actor: Actor): Promise<void> {
    const ready = actor.name === "waas" ? "WaaS listening on " : "Start to register service"
    // A node whose WaaS is away meanwhile has started all the same.
    await actor.line((line) => line.includes(ready) || line.includes("E-LNK-001"), READY_MS)
  }

  /** Resolves with true when the process says such a line from now on, with false after so long. */
  hears(name: string, wanted: RegExp, ms: number): Promise<boolean> {
    const ears = this.#ears.get(name) ?? new Set<Ear>()
    this.#ears.set(name, ears)
    return new Promise((resolve) => {
      const end = (isHeard: boolean): void => {
        clearTimeout(timer)
        ears.delete(ear)
        resolve(isHeard)
      }
      const ear = { wanted, heard: () => end(true) }
      const timer = setTimeout(() => end(false), ms)
      ears.add(ear)
    })
  }

  #hear(name: string, said: string): void {
    for (const ear of [...(this.#ears.get(name) ?? [])]) if (ear.wanted.test(said)) ear.heard()
  }

  async kill(name: string): Promise<void> {
    await this.#actors.end(name, "SIGKILL")
  }

  async restart(name: string, signal: "SIGTERM" | "SIGKILL"): Promise<void> {
    await this.#actors.end(name, signal)
    await this.begin(name)
  }

  /** Stopped for so long, its connections open. */
  pause(name: string, ms: number): Promise<void> {
    return this.#actors.pause(name, ms)
  }

  /**
   * No file of it can become longer (a full disk), or be written at all beyond its first page (as on one that is read-only), for so
   * long.
   */
  async fillDisk(name: string, how: "full" | "read-only", ms: number): Promise<void> {
    const empty = await this.filledDisk(name, how)
    await Bun.sleep(ms)
    await empty()
  }

  /** The same until the result is called. */
  async filledDisk(name: string, how: "full" | "read-only"): Promise<() => Promise<void>> {
    const pid = this.#actors.get(name)?.pid
    if (pid === undefined) throw new RangeError(`no process of the name ${name}`)
    const node = this.nodes.find((one) => one.name === name)
    const database = node === undefined ? join(this.dir, "waas", "waas.db") : join(node.dir, "db", "secrets.db")
    const limit = async (bytes: string): Promise<void> => {
      await Bun.spawn(["prlimit", "--pid", String(pid), `--fsize=${bytes}:`]).exited
    }
    // It stands still meanwhile: a file that is longer than the limit already is one whose end cannot be written, as no full disk makes it.
    process.kill(pid, "SIGSTOP")
    while (!readFileSync(`/proc/${pid}/stat`, "utf8").includes(") T ")) await Bun.sleep(1)
    await limit(how === "full" ? String(statSync(database).size) : "4096")
    process.kill(pid, "SIGCONT")
    return () => limit("unlimited")
  }

  /**
   * Its database is of the format before, and `cosigner migrate` is killed after so long, and carried out then. False if it was done
   * sooner. The process does not run.
   */
  async killMigration(name: string, ms: number): Promise<boolean> {
    const node = this.nodes.find((one) => one.name === name)
    if (node === undefined) return false
    using db = new Database(join(node.dir, "db", "secrets.db"))
    db.run(`PRAGMA user_version = ${FORMAT - 1}`)
    db.close(true)
    const child = Bun.spawn([binary, "migrate"], { cwd: node.dir, stdio: ["ignore", "ignore", "ignore"] })
    await Bun.sleep(ms)
    child.kill("SIGKILL")
    await child.exited
    await runToEnd(program, ["migrate"], node.dir)
    return child.signalCode === "SIGKILL"
  }

  get #clockFile(): string {
    return join(this.dir, "clock")
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
    const before = this.nodes.map((node) => {
      const file = configOf(node)
      return { file, name: node.name, text: readFileSync(file, "utf8") }
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

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#actors.endAll()
    for (const wire of this.wires.values()) await wire[Symbol.asyncDispose]()
    if (KEPT) console.error(`kept: ${this.dir}`)
    else rmSync(this.dir, { recursive: true, force: true })
  }
}
