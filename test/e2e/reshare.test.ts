/** Reshares on the real binary while nodes and WaaS are killed: the keys stay, one epoch signs, and nothing is lost. */
import { expect, test } from "bun:test"
import { rmSync } from "node:fs"
import type { DeployedNode, Deployment } from "../../src/kit/demo/deployment.ts"
import { type DemoVault, sign, until } from "../../src/kit/demo/keys.ts"
import { type Program, runToEnd } from "../../src/kit/demo/processes.ts"
import { reshareTo } from "../../src/kit/demo/reshare.ts"
import { ethereum, solana } from "../../src/kit/demo/signatures.ts"
import { readyVault, scannedDeployment } from "./deployment.ts"

const LONG = process.env["COSIGNER_LONG"] === "1"

type Pair = readonly [DeployedNode, DeployedNode]

async function signsEddsa(deployment: Deployment, vault: DemoVault, nodes: Pair, index: number): Promise<boolean> {
  const { path, message, tweak } = solana(vault, index)
  const asked = { curve: "ed25519", signatureType: 2, path, message, tweak, nodes, extraInfo: {} } as const
  return (await sign(deployment, vault, asked)).kind === "signed"
}

async function signsEcdsa(deployment: Deployment, vault: DemoVault, nodes: Pair, index: number): Promise<boolean> {
  const { path, message, tweak } = ethereum(vault, index)
  const asked = { curve: "secp256k1", signatureType: 1, path, message, tweak, nodes, extraInfo: {} } as const
  return (await sign(deployment, vault, asked)).kind === "signed"
}

async function isOnline({ client }: Deployment, { vaultId }: DemoVault, { nodeId }: DeployedNode): Promise<boolean> {
  const { data } = await client.holders(vaultId, { limit: "50" })
  return data.some((holder) => holder.tss_node_id === nodeId && holder.online)
}

interface Shown {
  readonly status: string
  readonly epoch_id: string
  readonly curve: string
}

async function groupsOf(program: Program, node: DeployedNode): Promise<readonly Shown[]> {
  const out = await runToEnd(program, ["info", "group", "--json", "--key-file", ".password"], node.dir)
  return JSON.parse(out.trim().split("\n").at(-1) ?? "[]")
}

test("nodes killed at random moments of a reshare: it comes to its end, and exactly one epoch signs", async () => {
  await using it = await scannedDeployment(4)
  const { deployment, program } = it
  const [one, two, three, four] = deployment.nodes as [DeployedNode, DeployedNode, DeployedNode, DeployedNode]
  const founders = { ...deployment, nodes: [one, two, three] }
  let vault = await readyVault(founders, 2)
  const casts = [
    { to: [two, three, four], dies: two, pauseMs: 60 },
    { to: [one, two, four], dies: four, pauseMs: 150 },
    { to: [one, two, three], dies: one, pauseMs: 300 },
  ] as const
  const played = casts.slice(0, LONG ? casts.length : 2)
  for (const [i, { to, dies, pauseMs }] of played.entries()) {
    const before = vault
    const running = reshareTo(deployment, vault, to, async () => (i === 0 ? deployment.startNode(four) : undefined))
    if (i === 0) await until("the newcomer", async () => ((await isOnline(deployment, vault, four)) ? true : undefined))
    await Bun.sleep(pauseMs) // the moment is the point: anywhere in approval, rounds, records or certificate
    await deployment.endNode(dies, "SIGKILL")
    await deployment.startNode(dies)
    vault = await running
    expect(vault.roots).toEqual(before.roots)
    expect(await signsEddsa(deployment, vault, [to[0], to[2]], 10 + i)).toBe(true)
    expect(await signsEcdsa(deployment, vault, [to[1], to[2]], 20 + i)).toBe(true)
    await expect(signsEddsa(deployment, before, [two, one], 30 + i)).rejects.toThrow()
    if (i < played.length - 1) continue
    const shown = await Promise.all(to.map((node) => groupsOf(program, node)))
    for (const curve of ["secp256k1", "ed25519"]) {
      const epochs = shown.map((groups) => groups.find((group) => group.curve === curve && group.status === "ACTIVE"))
      expect(new Set(epochs.map((epoch) => epoch?.epoch_id)).size).toBe(1)
      expect(epochs[0]).toBeDefined()
    }
  }
}, 180_000)

test("a node that was away while its group went on without it: told on its return, it says so and signs no more", async () => {
  await using it = await scannedDeployment(4)
  const { deployment, program } = it
  const [one, two, three, four] = deployment.nodes as [DeployedNode, DeployedNode, DeployedNode, DeployedNode]
  const old = await readyVault({ ...deployment, nodes: [one, two, three] }, 2)
  await deployment.endNode(three, "SIGKILL")
  await reshareTo(deployment, old, [one, two, four], () => deployment.startNode(four))
  expect((await groupsOf(program, three)).map(({ status }) => status)).toEqual(["ACTIVE", "ACTIVE"])
  await deployment.startNode(three)
  await until("the news", async () => {
    const groups = await groupsOf(program, three)
    return groups.every(({ status }) => status === "SUPERSEDED") ? true : undefined
  })
  rmSync(three.dir, { recursive: true, force: true })
}, 120_000)
