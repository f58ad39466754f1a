/**
 * One WaaS and a few nodes in a folder, each started from the binary of whichever release the test says, so that a deployment can
 * be upgraded process by process. Configurations hold only what every release reads.
 */

import { randomBytes } from "node:crypto"
import { chmodSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { accessBy, object, text } from "../../src/kit/demo/deployment.ts"
import { type Actor, runToEnd, startActor } from "../../src/kit/demo/processes.ts"
import { type Client, createClient } from "../../src/waas/client.ts"
import { root } from "../support/binary.ts"
import { freePort } from "../support/freePort.ts"
import { temporaryFolder } from "../support/temporaryFolder.ts"

/** A release's binary. */
export type Binary = string

/** The last commit before versions were told. */
const PREVIOUS = "c2cf136"

/**
 * Builds the previous release in a folder below `dir`, from this repository's history, with the packages that it names.
 * A string that is no path says why there is none.
 */
export function buildPrevious(dir: string): { readonly binary: Binary } | { readonly missing: string } {
  const sources = join(dir, "previous")
  const git = (...args: string[]) => Bun.spawnSync(["git", "-C", root, ...args], { stdout: "pipe", stderr: "pipe" })
  if (git("cat-file", "-e", `${PREVIOUS}^{commit}`).exitCode !== 0) {
    return { missing: `commit ${PREVIOUS} is not in this copy of the repository` }
  }
  mkdirSync(sources, { recursive: true })
  const archive = git("archive", PREVIOUS)
  const unpacked = Bun.spawnSync(["tar", "-x", "-C", sources], { stdin: archive.stdout })
  if (archive.exitCode !== 0 || unpacked.exitCode !== 0)
    throw new Error("the sources of the previous release do not unpack")
  // its own packages, which are not all ours; tests reach no network, so only what npm keeps
  const npm = ["npm", "ci", "--offline", "--ignore-scripts", "--no-audit", "--no-fund"]
  if (Bun.spawnSync(npm, { cwd: sources, stdout: "pipe", stderr: "pipe" }).exitCode !== 0) {
    return { missing: "npm's cache does not hold all packages of the previous release" }
  }
  const built = Bun.spawnSync([process.execPath, "build.ts"], { cwd: sources, stdout: "pipe", stderr: "pipe" })
  const binary = join(sources, "dist", "cosigner")
  if (built.exitCode !== 0 || !existsSync(binary))
    throw new Error(`the previous release does not build: ${built.stderr}`)
  return { binary }
}

export interface ReleaseNode {
  readonly name: string
  readonly nodeId: string
  readonly dir: string
}

const READY_MS = 30_000
const UNGUARDED = "danger_allow_unguarded_signing = true\n"

export class Releases implements AsyncDisposable {
  readonly #dir: string
  readonly #actors = new Map<string, Actor>()
  readonly nodes: readonly ReleaseNode[]
  readonly client: Client
  /** What everything was made by. */
  #made: Binary = ""

  private constructor(dir: string, nodes: readonly ReleaseNode[], client: Client) {
    this.#dir = dir
    this.nodes = nodes
    this.client = client
  }

  /** Everything made by `binary`; nothing runs but WaaS. */
  static async make(binary: Binary, count: number): Promise<Releases> {
    const dir = temporaryFolder("releases").path
    mkdirSync(join(dir, "logs"), { mode: 0o700 })
    const program = { words: [binary] }
    const waas = object(await runToEnd(program, ["waas", "init", "--dir", "waas", "--json"], dir))
    const create = ["waas", "key", "create", "--dir", "waas", "--name", "test", "--json"]
    const access = accessBy(object(await runToEnd(program, create, dir)), text(waas, "response_key"))
    const port = freePort()
    const url = `http://127.0.0.1:${port}`
    const nodes: ReleaseNode[] = []
    for (let i = 1; i <= count; i++) nodes.push(await makeNode(binary, dir, `node${i}`, port, text(waas, "public_key")))
    const client = createClient({ baseUrl: url, ...access })
    const made = new Releases(dir, nodes, client)
    made.#port = port
    made.#made = binary
    return made
  }

  #port = 0

  /** Ends WaaS if it runs, and starts it from this binary. */
  async waas(binary: Binary): Promise<void> {
    const args = ["waas", "start", "--dir", "waas", "--listen", `127.0.0.1:${this.#port}`]
    const actor = await this.#start("waas", binary, args, this.#dir)
    await actor.line((line) => line.includes("WaaS listening on "), READY_MS)
  }

  /** Ends the node if it runs, and does what README says of an upgrade: replaces the binary, migrates, starts. */
  async node(node: ReleaseNode, binary: Binary): Promise<void> {
    await this.#end(node.name)
    // Nodes without any risk control started until this release, and need its word for it from then on.
    const config = join(node.dir, "configs", "cosigner.toml")
    const before = readFileSync(config, "utf8")
    if (binary !== this.#made && !before.startsWith(UNGUARDED)) writeFileSync(config, UNGUARDED + before)
    await runToEnd({ words: [binary] }, ["migrate"], node.dir)
    const actor = await this.#start(node.name, binary, ["start", "--key-file", ".password"], node.dir)
    await actor.line((line) => line.includes("TSS Node registration accepted"), READY_MS)
  }

  /** Resolves when the node has registered again with a WaaS that was started since. */
  async registered(node: ReleaseNode, times: number): Promise<void> {
    let seen = 0
    const isIt = (line: string): boolean => line.includes("TSS Node registration accepted") && ++seen >= times
    await this.#actors.get(node.name)?.line(isIt, READY_MS)
  }

  async #start(name: string, binary: Binary, args: readonly string[], cwd: string): Promise<Actor> {
    await this.#end(name)
    const actor = startActor({ words: [binary] }, name, args, cwd, join(this.#dir, "logs", `${name}.log`))
    this.#actors.set(name, actor)
    return actor
  }

  async #end(name: string): Promise<void> {
    await this.#actors.get(name)?.end("SIGTERM")
    this.#actors.delete(name)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const name of [...this.#actors.keys()].reverse()) await this.#end(name)
    rmSync(this.#dir, { recursive: true, force: true })
  }
}

async function makeNode(
  binary: Binary,
  dir: string,
  name: string,
  port: number,
  waasKey: string,
): Promise<ReleaseNode> {
  const home = join(dir, name)
  mkdirSync(join(home, "configs"), { recursive: true, mode: 0o700 })
  writeFileSync(join(home, ".password"), randomBytes(32).toString("base64url"), { mode: 0o600 })
  const made = object(await runToEnd({ words: [binary] }, ["init", "--key-file", ".password", "--json"], home))
  const config = join(home, "configs", "cosigner.toml")
  writeFileSync(
    config,
    ['env = "development"', "[websocket]", `url = "ws://127.0.0.1:${port}/ws"`, `waas_public_key = "${waasKey}"`].join(
      "\n",
    ),
  )
  chmodSync(config, 0o600)
  return { name, nodeId: text(made, "node_id"), dir: home }
}
