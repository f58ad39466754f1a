/** Signing requests under way while a campaign runs, and what became of each: told again, an answer must be the same. */
import { randomUUID } from "node:crypto"
import { toHex } from "../../src/bytes.ts"
import { isCode } from "../../src/errors.ts"
import type { DemoVault } from "../../src/kit/demo/keys.ts"
import { solana } from "../../src/kit/demo/signatures.ts"
import type { Client, SignRequestObject } from "../../src/waas/client.ts"

/** Longer than any fault of a campaign; what is not signed by then was not survived. */
const DEADLINE_SECONDS = 300
const OPEN: readonly string[] = ["Initializing", "Approving", "Processing"]

export interface Signed {
  readonly id: string
  readonly status: string
  readonly reason: string
  readonly signatures: string
}

/** Asks again and again under one request_id while WaaS is away or says 429: that makes one request. */
export async function signed(
  client: Client,
  vault: DemoVault,
  index: number,
  nodeIds?: readonly string[],
): Promise<Signed> {
  const wanted = solana(vault, index)
  const body = {
    request_id: randomUUID(),
    curve: "ED25519",
    signature_type: 2,
    ...(nodeIds && { used_tss_node_ids: nodeIds }),
    messages: [{ bip32_path: wanted.path, msg_hash: `0x${toHex(wanted.message)}`, tweak: "" }],
    deadline_seconds: DEADLINE_SECONDS,
  } as const
  const asked = await persistently(() => client.createSignRequest(vault.vaultId, body))
  for (;;) {
    const now = await persistently(() => client.signRequest(vault.vaultId, asked.sign_request_id, 10))
    if (!OPEN.includes(now.status)) return shown(now)
  }
}

export const answerNow = async (client: Client, vault: DemoVault, id: string): Promise<Signed> =>
  shown(await persistently(() => client.signRequest(vault.vaultId, id)))

const shown = (request: SignRequestObject): Signed => ({
  id: request.sign_request_id,
  status: request.status,
  reason: request.failed_reason,
  signatures: JSON.stringify(request.signatures),
})

async function persistently<T>(ask: () => Promise<T>): Promise<T> {
  const end = performance.now() + DEADLINE_SECONDS * 1000
  for (;;) {
    try {
      return await ask()
    } catch (error) {
      // 500: its disk takes nothing just now; 503: its database is away. The request has an id, so that it is asked once.
      const isBusy = isCode(error, "E-WAA-012") && [429, 500, 503].includes(error.data.status)
      if (!(isBusy || isCode(error, "E-WAA-013")) || performance.now() > end) throw error
      await Bun.sleep(100)
    }
  }
}
