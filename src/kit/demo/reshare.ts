/**
 * The demo's second scenario: one of three nodes is lost for good. The other two deal the keys again to a set in which a new node
 * replaces it. The keys and all addresses stay, and the old group signs no more.
 */
import { rmSync } from "node:fs"
import { CosignerError, isCode } from "../../errors.ts"
import type { DeployedNode, Deployment } from "./deployment.ts"
import { type AskedSignature, type DemoVault, sign, until } from "./keys.ts"
import type { DemoReport } from "./report.ts"
import { bitcoin, ethereum, signed, solana } from "./signatures.ts"

interface ReshareFixtures {
  readonly lost: DeployedNode
  readonly staying: readonly [DeployedNode, DeployedNode]
  /** Set up, but not known to WaaS yet, and not started. */
  readonly newcomer: DeployedNode
}

/** The vault under its new group. */
export async function reshareScenario(
  deployment: Deployment,
  vault: DemoVault,
  report: DemoReport,
  cast: ReshareFixtures,
): Promise<DemoVault> {
  const { lost, staying, newcomer } = cast
  const [one, two] = staying
  await deployment.endNode(lost, "SIGKILL")
  rmSync(lost.dir, { recursive: true, force: true })
  report.step({ step: "lost", node: lost.nodeId }, `${lost.name} is gone: its folder was removed, with its key shares`)

  const begun = performance.now()
  const after = await reshareTo(deployment, vault, [...staying, newcomer], () => deployment.startNode(newcomer))
  const ms = Math.round(performance.now() - begun)
  const members = [...staying, newcomer]
  report.step(
    { step: "reshare", threshold: 2, nodes: members.map(({ nodeId }) => nodeId), ...after.roots, ms },
    `same root keys, new shares for ${members.map(({ name }) => name).join(", ")} (${ms} ms)`,
  )
  await signed(deployment, after, report, [one, newcomer], solana(after, 3))
  await signed(deployment, after, report, [one, newcomer], ethereum(after, 4))
  await signed(deployment, after, report, [two, newcomer], bitcoin(after, 4))
  await oldGroupRefuses(deployment, vault, report, staying)
  return after
}

/** A new main group of these nodes takes over the keys. `arrive` is called once WaaS knows the new nodes. */
export async function reshareTo(
  { client }: Deployment,
  vault: DemoVault,
  nodes: readonly DeployedNode[],
  arrive: () => Promise<unknown>,
): Promise<DemoVault> {
  const { vaultId, holderGroupId, roots } = vault
  const group = await client.createGroup(vaultId, {
    key_share_holder_group_type: "MainGroup",
    participants: nodes.length,
    threshold: 2,
    key_share_holders: nodes.map(({ name, nodeId }) => ({ name, type: "API", tss_node_id: nodeId, signer: true })),
  })
  await arrive()
  const target = group.key_share_holder_group_id
  const asked = await client.createReshare(vaultId, {
    type: "KeyReshare",
    target_key_share_holder_group_id: target,
    source_key_share_holder_group: { key_share_holder_group_id: holderGroupId },
    description: "demo",
  })
  await until("the reshare", async () => {
    const now = await client.tssRequest(vaultId, asked.tss_request_id)
    if (now.status.endsWith("Failed")) throw new CosignerError("E-CLI-022", { what: now.failed_reason ?? now.status })
    return now.status === "Success" ? true : undefined
  })
  const made = await client.group(vaultId, target)
  for (const { root_pubkey: root } of made.tss_key_share_groups) {
    if (root === roots.secp256k1 || root === roots.ed25519) continue
    throw new CosignerError("E-CLI-022", { what: "a reshare changed a root key" })
  }
  return { vaultId, holderGroupId: target, roots }
}

async function oldGroupRefuses(
  deployment: Deployment,
  old: DemoVault,
  report: DemoReport,
  nodes: readonly DeployedNode[],
): Promise<void> {
  const { curve, path, message, tweak } = solana(old, 5)
  const asked: AskedSignature = { curve, signatureType: 2, path, message, tweak, nodes, extraInfo: {} }
  const reason = await sign(deployment, old, asked).then(
    (answer) => (answer.kind === "refused" ? answer.reason : undefined),
    (error: unknown) => {
      if (isCode(error, "E-WAA-012")) return error.data.message
      throw error
    },
  )
  if (reason === undefined) throw new CosignerError("E-CLI-022", { what: "the group as it was still signs" })
  const names = nodes.map(({ name }) => name).join(" and ")
  report.step(
    { step: "refused", nodes: nodes.map(({ nodeId }) => nodeId), by: "epoch", reason },
    `${names} as the old group: refused: ${reason}`,
  )
}
