/** One signature that a caller asks for over REST, with the vault's EdDSA key. */
import { randomUUID } from "node:crypto"
import { toHex } from "../../src/bytes.ts"
import { type DemoVault, until } from "../../src/kit/demo/keys.ts"
import { solana } from "../../src/kit/demo/signatures.ts"
import type { Client } from "../../src/waas/client.ts"

const OPEN = ["Initializing", "Approving", "Processing"]

/** How the request ended: "Completed", or why not. */
export async function signed(client: Client, vault: DemoVault, index: number): Promise<string> {
  const wanted = solana(vault, index)
  const asked = await client.createSignRequest(vault.vaultId, {
    request_id: randomUUID(),
    curve: "ED25519",
    signature_type: 2,
    messages: [{ bip32_path: wanted.path, msg_hash: `0x${toHex(wanted.message)}`, tweak: "" }],
    deadline_seconds: 60,
  })
  return until("a signature", async () => {
    const now = await client.signRequest(vault.vaultId, asked.sign_request_id, 20)
    if (OPEN.includes(now.status)) return undefined
    return now.status === "Completed" ? now.status : now.failed_reason
  })
}
