/** Signing requests under way while a campaign runs, and what became of each: told again, an answer must be the same. */
import { randomUUID } from "node:crypto"
import { toHex } from "../../src/bytes.ts"
import { isCode } from "../../src/errors.ts"
import { bytesOf, type DemoVault } from "../../src/kit/demo/keys.ts"
import { ethereum, solana, verifies, type WantedSignature } from "../../src/kit/demo/signatures.ts"
import type { Client, SignRequestObject } from "../../src/waas/client.ts"

/** Longer than any fault of a campaign; what is not signed by then was not survived. */
const DEADLINE_SECONDS = 300
const EDDSA = { curve: "ED25519", signature_type: 2 } as const
const ECDSA = { curve: "SECP256K1", signature_type: 1 } as const
const OPEN: readonly string[] = ["Initializing", "Approving", "Processing"]

export interface Signed {
  /** Empty where WaaS refused to take the request. */
  readonly id: string
  readonly status: string
  readonly reason: string
  readonly signatures: string
}

export interface Asking {
  /** Which nodes; WaaS chooses where they are left out. */
  readonly nodeIds?: readonly string[]
  /** The same request so many times at once; 1 unless given. */
  readonly times?: number
  /** Somebody cancels it at once. */
  readonly isCanceled?: boolean
  /** Takes 429 for an answer. */
  readonly isImpatient?: boolean
  /** Until it has to be signed; 300 unless given. */
  readonly seconds?: number
  /** EdDSA unless given. */
  readonly scheme?: "eddsa" | "ecdsa"
}

/** Asks again and again under one request_id while WaaS is away or says 429: that makes one request. */
export async function signed(client: Client, vault: DemoVault, index: number, asking: Asking = {}): Promise<Signed> {
  try {
    return await asked(client, vault, index, asking)
  } catch (error) {
    if (!isCode(error, "E-WAA-012")) throw error
    return { id: "", status: `HTTP ${error.data.status}`, reason: error.data.message, signatures: "" }
  }
}

async function asked(
  client: Client,
  vault: DemoVault,
  index: number,
  { nodeIds, times = 1, isCanceled = false, isImpatient = false, seconds = DEADLINE_SECONDS, scheme = "eddsa" }: Asking,
): Promise<Signed> {
  const wanted = scheme === "eddsa" ? solana(vault, index) : ethereum(vault, index)
  const body = {
    request_id: randomUUID(),
    ...(scheme === "eddsa" ? EDDSA : ECDSA),
    ...(nodeIds && { used_tss_node_ids: nodeIds }),
    messages: [{ bip32_path: wanted.path, msg_hash: `0x${toHex(wanted.message)}`, tweak: "" }],
    deadline_seconds: seconds,
  } as const
  const askOnce = () => client.createSignRequest(vault.vaultId, body)
  const ask = () => (isImpatient ? askOnce() : persistently(askOnce))
  const [first, ...others] = await Promise.all([ask(), ...Array.from({ length: times - 1 }, ask)])
  const stranger = others.find(({ sign_request_id: id }) => id !== first.sign_request_id)
  if (stranger !== undefined)
    return { ...shown(stranger), status: "Doubled", reason: `${first.sign_request_id} is the same` }
  if (isCanceled) await canceled(client, vault, first.sign_request_id)
  for (;;) {
    const now = await persistently(
      () => client.signRequest(vault.vaultId, first.sign_request_id, 10),
      Math.max(seconds, DEADLINE_SECONDS),
    )
    if (OPEN.includes(now.status)) continue
    return now.status === "Completed" && !isSigned(wanted, now)
      ? { ...shown(now), status: "Wrong", reason: "the signature does not verify" }
      : shown(now)
  }
}

/** What has ended meanwhile stays as it is. */
async function canceled(client: Client, vault: DemoVault, id: string): Promise<void> {
  try {
    await persistently(() => client.cancelSignRequest(vault.vaultId, id))
  } catch (error) {
    if (!isCode(error, "E-WAA-012")) throw error
  }
}

function isSigned(wanted: WantedSignature, { signatures }: SignRequestObject): boolean {
  const [only, ...more] = signatures
  if (only === undefined || more.length > 0) return false
  const { signature, signature_recovery: recovery } = only
  return verifies(wanted, bytesOf(signature), recovery === "" ? undefined : Number(recovery))
}

export const answerNow = async (client: Client, vault: DemoVault, id: string): Promise<Signed> =>
  shown(await persistently(() => client.signRequest(vault.vaultId, id)))

const NO_SIGNATURES = "[]"

/**
 * Whether an answer is not told again as it was; prints what differs. A request that failed or was canceled may show its signatures
 * later, because a signature that came too late exists all the same (waas/engine/progress.ts): that is printed, and counts as no change.
 */
export function isChanged(before: Signed, now: Signed): boolean {
  if (now.status === before.status && now.signatures === before.signatures) return false
  const isLate = now.status === before.status && before.status !== "Completed" && before.signatures === NO_SIGNATURES
  console.error(`${isLate ? "signed too late" : "a changed answer"}: ${JSON.stringify({ before, now })}`)
  return !isLate
}

/** A share that was lost shows as a pair of nodes that signs nothing, and a ban as one that makes no ECDSA. */
export async function pairsThatDoNotSign(
  client: Client,
  vault: DemoVault,
  nodes: readonly { readonly nodeId: string }[],
): Promise<number> {
  const ids = nodes.map(({ nodeId }) => nodeId)
  const pairs = ids.flatMap((a, i) => ids.slice(i + 1).map((b) => [a, b]))
  const ends = await Promise.all(
    pairs.flatMap((nodeIds, index) =>
      (["eddsa", "ecdsa"] as const).map((scheme) => signed(client, vault, index, { nodeIds, scheme })),
    ),
  )
  for (const { status, reason } of ends) if (status !== "Completed") console.error(`a pair: ${status} ${reason}`)
  return ends.filter(({ status }) => status !== "Completed").length
}

const shown = (request: SignRequestObject): Signed => ({
  id: request.sign_request_id,
  status: request.status,
  reason: request.failed_reason,
  signatures: JSON.stringify(request.signatures),
})

/** Asks until WaaS gives an answer that is its last word, for so long. What is asked is asked more than once, perhaps. */
export async function persistently<T>(ask: () => Promise<T>, seconds = DEADLINE_SECONDS): Promise<T> {
  const end = performance.now() + seconds * 1000
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
