/**
 * The demo's last scenario. A node is backed up while it runs, wiped, restored, and signs again. A backup has no one-time material of
 * ECDSA, so ECDSA waits until the group has been refreshed. Then shared custody is ended on purpose: two nodes
 * export their shares, and the offline tool puts the root key together from the two files.
 */
import { rmSync } from "node:fs"
import { join } from "node:path"
import { secp256k1 } from "@noble/curves/secp256k1.js"
import { equal } from "../../bytes.ts"
import { CosignerError } from "../../errors.ts"
import { decodeExtendedPublicKey } from "../../keys/extendedKey.ts"
import { type DeployedNode, type Deployment, object, text } from "./deployment.ts"
import { bytesOf, type DemoVault, sign } from "./keys.ts"
import { type Program, runToEnd } from "./processes.ts"
import type { DemoReport } from "./report.ts"
import { reshareTo } from "./reshare.ts"
import { ethereum, rootOf, signed, solana } from "./signatures.ts"

const BACKUP = join("backups", "demo.cosigner")
const WITH_KEY = ["--key-file", ".password", "--json"]

/** `members` are the nodes of the vault's group; the first one is wiped and restored. */
export async function recoveryAct(
  program: Program,
  deployment: Deployment,
  vault: DemoVault,
  report: DemoReport,
  members: readonly [DeployedNode, DeployedNode, DeployedNode],
): Promise<void> {
  const [lost, other] = members
  await restoreFromBackup(program, deployment, report, lost)
  await signed(deployment, vault, report, [lost, other], solana(vault, 6))
  await ecdsaWaits(deployment, vault, report, [lost, other])
  const refreshed = await reshareTo(deployment, vault, members, async () => {})
  report.step(
    { step: "refresh", ...refreshed.roots },
    "refreshed: the same root keys, new shares and new one-time material",
  )
  await signed(deployment, refreshed, report, [lost, other], ethereum(refreshed, 7))
  await reconstructRoot(program, deployment, refreshed, report, [lost, other])
}

async function restoreFromBackup(
  program: Program,
  deployment: Deployment,
  report: DemoReport,
  node: DeployedNode,
): Promise<void> {
  const made = object(await runToEnd(program, ["backup", "create", "--out", BACKUP, ...WITH_KEY], node.dir))
  report.step(
    { step: "backup", node: node.nodeId, bytes: made["bytes"] },
    `${node.name} was backed up while it runs, and the backup proven`,
  )
  await deployment.endNode(node, "SIGKILL")
  rmSync(join(node.dir, "db"), { recursive: true, force: true })
  report.step({ step: "wipe", node: node.nodeId }, `${node.name} was killed and its database wiped`)
  const restored = object(await runToEnd(program, ["backup", "restore", BACKUP, ...WITH_KEY], node.dir))
  if (restored["restored"] !== true) throw new CosignerError("E-CLI-022", { what: "a restore that restored nothing" })
  await deployment.startNode(node)
  report.step(
    { step: "restore", node: node.nodeId, shares: restored["shares"] },
    `${node.name} was restored and is back`,
  )
}

async function ecdsaWaits(
  deployment: Deployment,
  vault: DemoVault,
  report: DemoReport,
  nodes: readonly DeployedNode[],
): Promise<void> {
  const { curve, path, message, tweak } = ethereum(vault, 8)
  const answer = await sign(deployment, vault, { curve, signatureType: 1, path, message, tweak, nodes, extraInfo: {} })
  if (answer.kind === "signed" || !answer.reason.includes("E-TSK-040")) {
    throw new CosignerError("E-CLI-022", { what: "a restored node did not wait with ECDSA" })
  }
  const { reason } = answer
  report.step(
    { step: "refused", nodes: nodes.map(({ nodeId }) => nodeId), by: "restore", reason },
    `ECDSA: refused: ${reason}`,
  )
}

async function reconstructRoot(
  program: Program,
  deployment: Deployment,
  vault: DemoVault,
  report: DemoReport,
  nodes: readonly DeployedNode[],
): Promise<void> {
  const { tss_key_share_groups: groups } = await deployment.client.group(vault.vaultId, vault.holderGroupId)
  const root = rootOf(vault, "secp256k1")
  const groupId = groups.find(({ root_pubkey }) => root_pubkey === root)?.tss_key_share_group_id ?? ""
  const exports = nodes.map((node) => exported(program, node, groupId))
  const files = await Promise.all(exports)
  report.step(
    { step: "export", nodes: nodes.map(({ nodeId }) => nodeId) },
    `${nodes.map(({ name }) => name).join(" and ")} exported their shares`,
  )
  const keys = nodes.map((node) => join(node.dir, ".password"))
  const args = [
    "recovery",
    "reconstruct",
    ...files,
    "--key-file",
    keys.join(","),
    "--group-id",
    groupId,
    "--yes-i-understand",
  ]
  const made = object(await runToEnd(program, [...args, "--json"], deployment.dir))
  const publicKey = secp256k1.getPublicKey(bytesOf(text(made, "root_private_key").slice(2)), true)
  if (!equal(publicKey, decodeExtendedPublicKey(root).publicKey)) {
    throw new CosignerError("E-CLI-022", { what: "two recovery files do not make the root key" })
  }
  report.step(
    { step: "reconstruct", root, matches: true },
    "offline, two recovery files make the root key of the vault",
  )
}

async function exported(program: Program, node: DeployedNode, groupId: string): Promise<string> {
  const made = object(await runToEnd(program, ["export-share", "--group-ids", groupId, ...WITH_KEY], node.dir))
  return join(node.dir, text(made, "file"))
}
