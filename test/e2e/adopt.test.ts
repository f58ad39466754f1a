/** The database of WaaS is lost: its vaults come back from nothing but its key and its nodes, and sign again. */
import { expect, test } from "bun:test"
import { mkdirSync, rmSync } from "node:fs"
import { join } from "node:path"
import { accessBy, object, text } from "../../src/kit/demo/deployment.ts"
import { type DemoVault, generateKeys, makeVault } from "../../src/kit/demo/keys.ts"
import { type Actor, runToEnd, startActor } from "../../src/kit/demo/processes.ts"
import { type Client, createClient } from "../../src/waas/client.ts"
import { binary } from "../support/binary.ts"
import { freePort } from "../support/freePort.ts"
import { temporaryFolder } from "../support/temporaryFolder.ts"
import { makeUnguardedNode } from "../support/unguardedNode.ts"
import { signed } from "./signed.ts"

const program = { words: [binary] }

test("waas.db deleted after a kill: adopted from three nodes, the same keys sign", async () => {
  const dir = temporaryFolder("adopt").path
  mkdirSync(join(dir, "logs"))
  const made = object(await runToEnd(program, ["waas", "init", "--dir", "waas", "--json"], dir))
  const listen = `127.0.0.1:${freePort()}`
  const actors: Actor[] = []
  const begin = async (name: string, args: readonly string[], cwd: string, said: string): Promise<Actor> => {
    const actor = startActor(program, name, args, cwd, join(dir, "logs", `${name}.log`))
    actors.push(actor)
    await actor.line((line) => line.includes(said), 30_000)
    return actor
  }
  const client = async (): Promise<Client> => {
    const created = await runToEnd(program, ["waas", "key", "create", "--dir", "waas", "--name", "t", "--json"], dir)
    return createClient({ baseUrl: `http://${listen}`, ...accessBy(object(created), text(made, "response_key")) })
  }
  const waas = () => begin("waas", ["waas", "start", "--dir", "waas", "--listen", listen], dir, "WaaS listening on ")
  try {
    const before = await client()
    const first = await waas()
    const nodes = await Promise.all(
      ["node1", "node2", "node3"].map((name) =>
        makeUnguardedNode(program, dir, name, listen, text(made, "public_key")),
      ),
    )
    const bound = await makeVault({ client: before }, nodes, 2)
    await Promise.all(
      nodes.map((node) =>
        begin(node.name, ["start", "--key-file", ".password"], node.dir, "TSS Node registration accepted"),
      ),
    )
    const vault = await generateKeys({ client: before }, bound)
    expect(await signed(before, vault, 1)).toBe("Completed")

    await first.end("SIGKILL")
    for (const file of ["waas.db", "waas.db-wal", "waas.db-shm"]) rmSync(join(dir, "waas", file), { force: true })
    const words = ["waas", "adopt", "--dir", "waas", "--listen", listen, "--wait", "60", "--json"]
    const adopted = object(
      await runToEnd(program, [...words, "--node", nodes.map(({ nodeId }) => nodeId).join(",")], dir),
    )
    expect(adopted).toMatchObject({
      new_database: true,
      skipped: [],
      silent: [],
      vaults: [
        {
          root_pubkeys: [
            { curve: "SECP256K1", root_pubkey: vault.roots.secp256k1 },
            { curve: "ED25519", root_pubkey: vault.roots.ed25519 },
          ],
          key_share_holder_groups: [{ type: "MainGroup", threshold: 2 }],
        },
      ],
    })
    const [found] = adopted["vaults"] as readonly {
      vault_id: string
      key_share_holder_groups: readonly { key_share_holder_group_id: string }[]
    }[]
    const after = await client()
    await waas()
    const again: DemoVault = {
      vaultId: found?.vault_id ?? "",
      holderGroupId: found?.key_share_holder_groups[0]?.key_share_holder_group_id ?? "",
      roots: vault.roots,
    }
    expect(await signed(after, again, 2)).toBe("Completed")
    // Adopted again, nothing is new.
    await actors.at(-1)?.end("SIGTERM")
    const more = object(await runToEnd(program, [...words, "--node", nodes.map(({ nodeId }) => nodeId).join(",")], dir))
    expect(more).toMatchObject({ new_database: false, vaults: [], skipped: [] })
  } finally {
    for (const actor of actors.reverse()) await actor.end("SIGTERM")
    rmSync(dir, { recursive: true, force: true })
  }
}, 180_000)
