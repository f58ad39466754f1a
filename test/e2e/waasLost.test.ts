/**
 * A WaaS is lost under load and comes back: from a copy that somebody started by mistake, which its nodes refuse; from a backup that is
 * older than a refresh and a whole vault; and from nothing, under another key that each operator trusts. A disk that takes no writes is
 * told meanwhile. In the long suite alone.
 */
import { expect, test } from "bun:test"
import { cpSync, mkdirSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { isCode } from "../../src/errors.ts"
import { accessBy, object, text } from "../../src/kit/demo/deployment.ts"
import { type DemoVault, generateKeys, makeVault, until } from "../../src/kit/demo/keys.ts"
import { type Actor, runToEnd, startActor } from "../../src/kit/demo/processes.ts"
import { type Client, createClient } from "../../src/waas/client.ts"
import { binary } from "../support/binary.ts"
import { freePort } from "../support/freePort.ts"
import { temporaryFolder } from "../support/temporaryFolder.ts"
import { makeUnguardedNode, type UnguardedNode } from "../support/unguardedNode.ts"
import { signed } from "./signed.ts"

const LONG = process.env["COSIGNER_LONG"] === "1"
const READY_MS = 60_000

class World implements AsyncDisposable {
  readonly dir = temporaryFolder("waas-lost").path
  readonly listen = `127.0.0.1:${freePort()}`
  readonly actors = new Map<string, Actor>()
  nodes: readonly UnguardedNode[] = []

  constructor() {
    mkdirSync(join(this.dir, "logs"))
    writeFileSync(join(this.dir, "pw"), "the password of every backup here\n", { mode: 0o600 })
  }

  run(...words: readonly string[]): Promise<string> {
    return runToEnd({ words: [binary] }, words, this.dir)
  }

  async json(...words: readonly string[]): Promise<Record<string, unknown>> {
    return object(await this.run(...words, "--json"))
  }

  async begin(name: string, words: readonly string[], cwd: string, said: string): Promise<Actor> {
    // So that a limit of its files is an error of its writes, and not its end.
    const program = { words: ["bash", "-c", 'trap "" XFSZ; exec "$0" "$@"', binary] }
    const actor = startActor(program, name, words, cwd, join(this.dir, "logs", `${name}.log`))
    this.actors.set(name, actor)
    await actor.line((line) => line.includes(said), READY_MS)
    return actor
  }

  waas(folder: string): Promise<Actor> {
    return this.begin(
      "waas",
      ["waas", "start", "--dir", folder, "--listen", this.listen],
      this.dir,
      "WaaS listening on ",
    )
  }

  node({ name, dir }: UnguardedNode, said = "TSS Node registration accepted"): Promise<Actor> {
    return this.begin(name, ["start", "--key-file", ".password"], dir, said)
  }

  async client(folder: string): Promise<Client> {
    const made = await this.json("waas", "key", "create", "--dir", folder, "--name", "t")
    const { response_key: responseKey } = await this.json("waas", "info", "--dir", folder)
    return createClient({ baseUrl: `http://${this.listen}`, ...accessBy(made, String(responseKey)) })
  }

  adopt(folder: string): Promise<Record<string, unknown>> {
    const ids = this.nodes.map(({ nodeId }) => nodeId).join(",")
    return this.json("waas", "adopt", "--dir", folder, "--listen", this.listen, "--wait", "60", "--node", ids)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const actor of [...this.actors.values()].reverse()) await actor.end("SIGTERM")
    rmSync(this.dir, { recursive: true, force: true })
  }
}

/** Asks on and on until WaaS is gone; how many were signed. */
async function load(client: Client, vault: DemoVault, stop: AbortSignal): Promise<number> {
  for (let count = 0; ; ) {
    if (stop.aborted) return count
    try {
      if ((await signed(client, vault, 100 + count)) === "Completed") count++
    } catch (error) {
      if (!isCode(error, "E-WAA-013")) throw error
      return count
    }
  }
}

async function kill(world: World, name: string, signal: "SIGKILL" | "SIGTERM" = "SIGKILL"): Promise<void> {
  await world.actors.get(name)?.end(signal)
  world.actors.delete(name)
}

const readiness = async (listen: string): Promise<{ readonly status: number; readonly body: string }> => {
  const answer = await fetch(`http://${listen}/readyz`)
  return { status: answer.status, body: await answer.text() }
}

test.if(LONG)(
  "lost under load: a copy is fenced off, an older backup catches up, another key is trusted",
  async () => {
    await using world = new World()
    const made = await world.json("waas", "init", "--dir", "waas")
    const client = await world.client("waas")
    await world.waas("waas")
    const names = ["node1", "node2", "node3"]
    const program = { words: [binary] }
    const nodes = await Promise.all(
      names.map((name) => makeUnguardedNode(program, world.dir, name, world.listen, text(made, "public_key"))),
    )
    world.nodes = nodes
    const bound = await makeVault({ client }, nodes, 2)
    await Promise.all(nodes.map((node) => world.node(node)))
    const vault = await generateKeys({ client }, bound)
    expect(await signed(client, vault, 1)).toBe("Completed")

    // An hour ago, with work under way: a backup as it should be, and a copy as it should not.
    const stop = new AbortController()
    const before = load(client, vault, stop.signal)
    await world.json("waas", "backup", "create", "--dir", "waas", "--out", "old.cosigner", "--password-file", "pw")
    await world.json("waas", "backup", "key", "key.cosigner", "--dir", "waas", "--password-file", "pw")
    cpSync(join(world.dir, "waas"), join(world.dir, "copy"), { recursive: true })
    stop.abort()
    expect(await before).toBeGreaterThan(0)

    // Since then: a refresh, and a vault of which the backup knows nothing.
    const refresh = await client.createReshare(vault.vaultId, {
      type: "KeyReshare",
      source_key_share_holder_group: { key_share_holder_group_id: vault.holderGroupId },
      target_key_share_holder_group_id: vault.holderGroupId,
      description: "since the backup",
    })
    await until("the refresh", async () => {
      const { status } = await client.tssRequest(vault.vaultId, refresh.tss_request_id)
      return status === "Success" ? status : undefined
    })
    const second = await generateKeys({ client }, await makeVault({ client }, nodes, 2))
    expect(await signed(client, second, 2)).toBe("Completed")
    await diskFull(world)

    // Lost while it works.
    const under = load(client, vault, new AbortController().signal)
    await Bun.sleep(300)
    await kill(world, "waas")
    await under
    for (const file of ["waas.db", "waas.db-wal", "waas.db-shm"]) rmSync(join(world.dir, "waas", file), { force: true })

    // Somebody starts the copy: nodes do nothing for it, and it learns why.
    const copy = await world.waas("copy")
    await copy.line((line) => line.includes("E-WAA-060"), READY_MS)
    await world.actors.get("node1")?.line((line) => line.includes("E-LNK-022"), READY_MS)
    expect((await readiness(world.listen)).status).toBe(503)
    await kill(world, "waas", "SIGTERM")

    // The backup, and what the nodes know since.
    rmSync(join(world.dir, "waas", "waas.key"))
    const restored = await world.json(
      ...["waas", "backup", "restore", "old.cosigner", "--dir", "waas", "--password-file", "pw"],
      ...["--key-backup", "key.cosigner", "--key-password-file", "pw"],
    )
    expect(restored).toMatchObject({ restored: true, counts: { vaults: 1, groups: 1 } })
    const adopted = await world.adopt("waas")
    expect(adopted).toMatchObject({ new_database: false, skipped: [], silent: [] })
    expect((adopted["advanced"] as readonly string[]).length).toBe(2)
    expect((adopted["vaults"] as readonly unknown[]).length).toBe(1)
    await world.waas("waas")
    expect(await signed(client, vault, 3)).toBe("Completed")
    const [found] = adopted["vaults"] as readonly { readonly vault_id: string }[]
    expect(await signed(client, { ...second, vaultId: found?.vault_id ?? "" }, 4)).toBe("Completed")
    const again = await client.createReshare(vault.vaultId, {
      type: "KeyReshare",
      source_key_share_holder_group: { key_share_holder_group_id: vault.holderGroupId },
      target_key_share_holder_group_id: vault.holderGroupId,
      description: "after the restore",
    })
    await until("a refresh after the restore", async () => {
      const { status, failed_reason } = await client.tssRequest(vault.vaultId, again.tss_request_id)
      if (status.endsWith("Failed")) throw new Error(failed_reason)
      return status === "Success" ? status : undefined
    })

    // Everything of WaaS is gone, its key too. One node is told while it runs, one while it does not.
    await kill(world, "waas")
    await kill(world, "node2", "SIGTERM")
    for (const folder of ["waas", "copy"]) rmSync(join(world.dir, folder), { recursive: true })
    const other = await world.json("waas", "init", "--dir", "other")
    const key = text(other, "public_key")
    for (const { dir } of nodes) {
      const trusted = object(await runToEnd(program, ["trust-waas", key, "--key-file", ".password", "--json"], dir))
      expect(trusted).toMatchObject({ waas_public_key: key, replaced: [text(made, "public_key")] })
    }
    const late = nodes[1]
    if (late === undefined) throw new Error("three nodes")
    await world.node(late, "E-LNK-024")
    const anew = await world.adopt("other")
    expect(anew).toMatchObject({ skipped: [], silent: [] })
    const vaults = anew["vaults"] as readonly { readonly vault_id: string; readonly root_pubkeys: readonly unknown[] }[]
    expect(vaults.length).toBe(2)
    await world.waas("other")
    const fresh = await world.client("other")
    const same = vaults.find(({ root_pubkeys }) => JSON.stringify(root_pubkeys).includes(vault.roots.ed25519 ?? "none"))
    expect(await signed(fresh, { ...vault, vaultId: same?.vault_id ?? "" }, 5)).toBe("Completed")
  },
  400_000,
)

/** WaaS may not make any file longer: nodes and /readyz say so, and it goes on by itself. Where there is no prlimit, it is left out. */
async function diskFull(world: World): Promise<void> {
  const waas = world.actors.get("waas")
  if (Bun.which("prlimit") === null || waas === undefined) return
  const limit = (bytes: string) => Bun.spawn(["prlimit", "--pid", String(waas.pid), `--fsize=${bytes}:`]).exited
  await limit("4096")
  await world.actors.get("node1")?.line((line) => line.includes("E-STA-019"), READY_MS)
  expect(await readiness(world.listen)).toMatchObject({ status: 503, body: expect.stringContaining("E-WAA-061") })
  await limit("unlimited")
  await until("a disk with room again", async () => ((await readiness(world.listen)).status === 200 ? true : undefined))
}
