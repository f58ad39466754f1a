/**
 * End to end, as a caller of the REST API sees it: the compiled binary as one WaaS and n nodes on this machine, which all
 * share its cores. A row's `ms` is the median time of one request, poll interval included; `per_signature_ms` divides it
 * by the batch.
 */

import { randomBytes, randomUUID } from "node:crypto"
import { rmSync } from "node:fs"
import { join } from "node:path"
import { type Deployment, deploy } from "../../src/kit/demo/deployment.ts"
import { type DemoVault, generateKeys, makeVault, until } from "../../src/kit/demo/keys.ts"
import type { SignatureType } from "../../src/wire/task.ts"
import { temporaryFolder } from "../../test/support/temporaryFolder.ts"

const RUNS = 7
const binary = join(import.meta.dir, "..", "..", "dist", "cosigner")

interface Row {
  readonly op: string
  readonly t: number
  readonly n: number
  readonly batch: number
  readonly ms: number
  readonly per_signature_ms: number
}

const schemes = [
  { op: "e2e_eddsa_sign", curve: "ED25519", type: 2, path: "m/44/501/0" },
  { op: "e2e_ecdsa_sign", curve: "SECP256K1", type: 1, path: "m/44/60/0/0/0" },
  { op: "e2e_bip340_sign", curve: "SECP256K1", type: 3, path: "m/86/0/0/0/0" },
] as const

export async function benchE2e(): Promise<readonly Row[]> {
  const rows: Row[] = []
  for (const [t, n] of [
    [2, 3],
    [3, 5],
  ] as const) {
    const dir = temporaryFolder("bench").path
    const deployment = await deploy({ words: [binary] }, dir, { count: n })
    try {
      const bound = await makeVault(deployment, deployment.nodes, t)
      await Promise.all(deployment.nodes.map((node) => deployment.startNode(node)))
      const begun = performance.now()
      const vault = await generateKeys(deployment, bound)
      const ms = Math.round(performance.now() - begun)
      rows.push({ op: "e2e_keygen_both_curves", t, n, batch: 1, ms, per_signature_ms: 0 })
      for (const { op, ...scheme } of schemes) {
        for (const batch of [1, 16]) {
          const times: number[] = []
          for (let run = 0; run <= RUNS; run++) times.push(await signOnce(deployment, vault, t, batch, scheme))
          const median = times.slice(1).sort((a, b) => a - b)[Math.floor(RUNS / 2)] ?? 0
          rows.push({
            op,
            t,
            n,
            batch,
            ms: Math.round(median),
            per_signature_ms: Math.round((median / batch) * 10) / 10,
          })
        }
      }
    } finally {
      await deployment.endAll()
      rmSync(dir, { recursive: true, force: true })
    }
  }
  return rows
}

async function signOnce(
  deployment: Deployment,
  vault: DemoVault,
  t: number,
  batch: number,
  parts: { readonly curve: "ED25519" | "SECP256K1"; readonly type: SignatureType; readonly path: string },
): Promise<number> {
  const begun = performance.now()
  const asked = await deployment.client.createSignRequest(vault.vaultId, {
    request_id: randomUUID(),
    curve: parts.curve,
    signature_type: parts.type,
    key_share_holder_group_id: vault.holderGroupId,
    used_tss_node_ids: deployment.nodes.slice(0, t).map(({ nodeId }) => nodeId),
    messages: Array.from({ length: batch }, () => ({
      bip32_path: parts.path,
      msg_hash: `0x${randomBytes(32).toString("hex")}`,
    })),
    deadline_seconds: 60,
  })
  await until("a signature", async () => {
    const now = await deployment.client.signRequest(vault.vaultId, asked.sign_request_id)
    if (now.failed_reason !== "") throw new Error(now.failed_reason)
    return now.status === "Completed" ? now : undefined
  })
  return performance.now() - begun
}
