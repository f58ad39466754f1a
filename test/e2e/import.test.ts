/**
 * A key moves in on the real binary: two of three holders of another program's files import their shares while they are killed, WaaS takes the group from
 * their records, one reshare (a dealer is killed in it) gives three nodes shares, and every pair signs Ethereum, Bitcoin and Solana under the old root keys.
 */
import { expect, test } from "bun:test"
import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import type { DeployedNode } from "../../src/kit/demo/deployment.ts"
import { type DemoVault, sign } from "../../src/kit/demo/keys.ts"
import { type Program, startActor } from "../../src/kit/demo/processes.ts"
import { reshareTo } from "../../src/kit/demo/reshare.ts"
import { bitcoin, ethereum, signed, solana, taproot } from "../../src/kit/demo/signatures.ts"
import { foreignGroup } from "../support/foreignRecovery.ts"
import { runScanned, type ScannedDeployment, scannedDeployment } from "./deployment.ts"

const PASSWORD = "password of the old program"
const foreign = [
  foreignGroup({ curve: "secp256k1", threshold: 2, size: 3 }),
  foreignGroup({ curve: "ed25519", threshold: 2, size: 3, shareIds: [1n, 2n ** 240n, 3n] }),
] as const

/** What the operator of a dealer types, for each curve. */
function importArgs(
  node: DeployedNode,
  dealers: readonly DeployedNode[],
  curve: number,
  record: string,
): readonly string[] {
  const group = foreign[curve] ?? foreign[0]
  const participant = dealers.indexOf(node)
  const file = `recovery-${curve}`
  writeFileSync(join(node.dir, file), group.file(participant, PASSWORD), { mode: 0o600 })
  writeFileSync(join(node.dir, "file.password"), PASSWORD, { mode: 0o600 })
  const list = dealers.map(({ nodeId }, i) => `${group.shareIds[i]}=${nodeId}`).join(",")
  const files = ["--file-password-file", "file.password", "--record", record, "--key-file", ".password"]
  return ["import-share", file, "--dealers", list, "--root", group.extendedKey, ...files]
}

/** Killed at some moment of the command: it has imported the share or nothing, and the same words again come to the same end. */
async function killedImport(
  program: Program,
  dir: string,
  node: DeployedNode,
  args: readonly string[],
  afterMs: number,
): Promise<void> {
  const actor = startActor(program, `${node.name}-import`, args, node.dir, join(dir, "logs", `${node.name}-import.log`))
  await Bun.sleep(afterMs) // the moment is the point: while it opens, proves, commits or writes its record
  await actor.end("SIGKILL")
}

async function everybodyImports(
  { deployment, program, surveillance }: ScannedDeployment,
  dealers: readonly DeployedNode[],
): Promise<readonly unknown[]> {
  const records: unknown[] = []
  for (const curve of [0, 1]) {
    for (const [i, node] of dealers.entries()) {
      for (const afterMs of [120, 260, 400]) {
        const record = `killed-${curve}-${afterMs}.json`
        await killedImport(program, deployment.dir, node, importArgs(node, dealers, curve, record), afterMs + 30 * i)
      }
      const record = `record-${curve}.json`
      const ended = await runScanned(surveillance, node, importArgs(node, dealers, curve, record))
      expect({ exit: ended.exit, stderr: ended.stderr }).toEqual({ exit: 0, stderr: "" })
      const made = readFileSync(join(node.dir, record), "utf8")
      records.push(JSON.parse(made))
      for (const afterMs of [120, 260, 400]) {
        const path = join(node.dir, `killed-${curve}-${afterMs}.json`)
        if (existsSync(path)) expect(readFileSync(path, "utf8")).toBe(made)
        rmSync(path, { force: true })
      }
    }
  }
  return records
}

test("import on two of three, reshare to three, sign; killed at every step", async () => {
  await using it = await scannedDeployment(3)
  const { deployment, surveillance } = it
  const [one, two, three] = deployment.nodes as [DeployedNode, DeployedNode, DeployedNode]
  const records = await everybodyImports(it, [one, two])
  const { vault_id: vaultId } = await deployment.client.createVault("moved in")
  // A caller that leaves a record out, or gives one twice, has no group.
  await expect(deployment.client.importGroup(vaultId, records.slice(1))).rejects.toThrow()
  await expect(
    deployment.client.importGroup(vaultId, [...records.slice(0, 2), records[2], records[2]]),
  ).rejects.toThrow()
  const group = await deployment.client.importGroup(vaultId, records)
  expect(group).toMatchObject({ status: "Valid", threshold: 2, type: "MainGroup" })
  const roots = { secp256k1: foreign[0].extendedKey, ed25519: foreign[1].extendedKey }
  const imported: DemoVault = { vaultId, holderGroupId: group.key_share_holder_group_id, roots }
  await Promise.all([one, two].map((node) => deployment.startNode(node)))

  // Before the reshare ECDSA has no one-time material; EdDSA needs none.
  const asked = ethereum(imported, 1)
  const refused = await sign(deployment, imported, {
    curve: "secp256k1",
    signatureType: 1,
    path: asked.path,
    message: asked.message,
    tweak: asked.tweak,
    nodes: [one, two],
    extraInfo: {},
  })
  expect(refused).toMatchObject({ kind: "refused", reason: expect.stringContaining("E-TSK-040") })

  const after = await reshareTo(deployment, imported, [one, two, three], async () => {
    await deployment.startNode(three)
    await deployment.endNode(two, "SIGKILL")
    await deployment.startNode(two)
  })
  expect(after.roots).toEqual(roots)
  const report = { scenario: () => undefined, step: () => undefined, say: () => undefined }
  for (const [n, pair] of (
    [
      [one, two],
      [two, three],
      [one, three],
    ] as const
  ).entries()) {
    for (const wanted of [ethereum(after, n), bitcoin(after, n), taproot(after, n), solana(after, n)]) {
      await signed(deployment, after, report, pair, wanted)
    }
  }
  const shown = await runScanned(surveillance, one, ["info", "group", "--json", "--key-file", ".password"])
  const states = JSON.parse(shown.stdout.trim().split("\n").at(-1) ?? "[]").map(
    ({ imported: state }: { imported: string }) => state,
  )
  expect(states).toEqual(["unconfirmed", "unconfirmed"])
  for (const node of [one, two]) rmSync(join(node.dir, "file.password"))
}, 240_000)
