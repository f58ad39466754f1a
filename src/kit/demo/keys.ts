/** A vault of the demo: makes it through the REST API, and computes its child keys. */
import { randomUUID } from "node:crypto"
import { type Bytes, fromHex, toHex } from "../../bytes.ts"
import type { CurveName } from "../../crypto/curve.ts"
import { CosignerError } from "../../errors.ts"
import type { Format } from "../../intent/reading.ts"
import { deriveTweak } from "../../keys/derive.ts"
import { decodeExtendedPublicKey } from "../../keys/extendedKey.ts"
import { parsePath } from "../../keys/path.ts"
import type { SignatureObject, SignRequestInput } from "../../waas/client.ts"
import type { SignatureType } from "../../wire/task.ts"
import type { DeployedNode, Deployment } from "./deployment.ts"

const POLL_MS = 50
const WAIT_MS = 60_000

export interface DemoVault {
  readonly vaultId: string
  readonly holderGroupId: string
  readonly roots: Readonly<Record<CurveName, string | undefined>>
}

const CURVE_TYPES = { secp256k1: "SECP256K1", ed25519: "ED25519" } as const

/** A vault with a main group of these nodes: from now on WaaS knows them. Keys come later. */
export async function makeVault(
  { client }: Pick<Deployment, "client">,
  nodes: readonly DeployedNode[],
  threshold: number,
): Promise<Pick<DemoVault, "vaultId" | "holderGroupId">> {
  const vault = await client.createVault("demo vault")
  const group = await client.createGroup(vault.vault_id, {
    key_share_holder_group_type: "MainGroup",
    participants: nodes.length,
    threshold,
    key_share_holders: nodes.map(({ name, nodeId }) => ({ name, type: "API", tss_node_id: nodeId, signer: true })),
  })
  return { vaultId: vault.vault_id, holderGroupId: group.key_share_holder_group_id }
}

/** Has the nodes of the main group generate its keys. */
export async function generateKeys(
  { client }: Pick<Deployment, "client">,
  { vaultId, holderGroupId }: Pick<DemoVault, "vaultId" | "holderGroupId">,
): Promise<DemoVault> {
  const asked = await client.createKeyGen(vaultId, holderGroupId, "demo")
  const done = await until("the key generation", async () => {
    const now = await client.tssRequest(vaultId, asked.tss_request_id)
    if (now.status.endsWith("Failed")) throw new CosignerError("E-CLI-022", { what: now.failed_reason ?? now.status })
    return now.status === "Success" ? await client.vault(vaultId) : undefined
  })
  const root = (curve: CurveName): string | undefined =>
    done.root_pubkeys.find((key) => key.curve === CURVE_TYPES[curve])?.root_pubkey
  return { vaultId, holderGroupId, roots: { secp256k1: root("secp256k1"), ed25519: root("ed25519") } }
}

export interface AskedSignature {
  readonly curve: CurveName
  readonly signatureType: SignatureType
  readonly path: string
  /** If it is left out, WaaS takes it from the payload. */
  readonly message?: Bytes
  /** `0x` hex, `0x`, or empty: as REST has it. */
  readonly tweak: string
  readonly nodes: readonly DeployedNode[]
  readonly extraInfo: Readonly<Record<string, unknown>>
  readonly payload?: AskedPayload
}

/** The data whose hash is the message, for nodes to read. */
export interface AskedPayload {
  readonly format: Format
  readonly data: Bytes
  /** For a PSBT: the input. */
  readonly input?: number
}

type SigningAnswer =
  | { readonly kind: "signed"; readonly signature: SignatureObject; readonly ms: number }
  | { readonly kind: "refused"; readonly status: string; readonly reason: string }

/** Asks for one signature and waits for how it ends. */
export async function sign(
  deployment: Pick<Deployment, "client">,
  vault: DemoVault,
  wish: AskedSignature,
  /** Runs after the request, and before it can end. */
  meanwhile: (requestId: string) => Promise<void> = async () => undefined,
): Promise<SigningAnswer> {
  const begun = performance.now()
  const asked = await deployment.client.createSignRequest(vault.vaultId, {
    request_id: randomUUID(),
    curve: CURVE_TYPES[wish.curve],
    signature_type: wish.signatureType,
    key_share_holder_group_id: vault.holderGroupId,
    used_tss_node_ids: wish.nodes.map(({ nodeId }) => nodeId),
    ...messageOf(wish),
    extra_info: wish.extraInfo,
    deadline_seconds: 60,
  })
  await meanwhile(asked.sign_request_id)
  return until("a signature", async () => {
    const now = await deployment.client.signRequest(vault.vaultId, asked.sign_request_id)
    const [signature] = now.signatures
    if (now.status === "Completed" && signature !== undefined) {
      return { kind: "signed", signature, ms: Math.round(performance.now() - begun) }
    }
    if (now.status === "Declined" || now.status === "Failed" || now.status === "Canceled") {
      return { kind: "refused", status: now.status, reason: now.failed_reason }
    }
    return undefined
  })
}

function messageOf({ path, message, tweak, payload }: AskedSignature): Pick<SignRequestInput, "messages" | "payloads"> {
  const hash = message === undefined ? {} : { msg_hash: `0x${toHex(message)}` }
  const asked = { bip32_path: path, ...hash, tweak }
  if (payload === undefined) return { messages: [asked] }
  const { format, data, input } = payload
  return {
    messages: [{ ...asked, payload: 0, ...(input === undefined ? {} : { input }) }],
    payloads: [{ format, data: Buffer.from(data).toString("base64") }],
  }
}

/** enc(P) of the child at `path` of a root extended public key, computed here and not taken from an answer. */
export function childKey(root: string, path: string): Bytes {
  const { curve, publicKey, chainCode } = decodeExtendedPublicKey(root)
  return deriveTweak(curve, publicKey, chainCode, parsePath(path)).publicKey
}

export function bytesOf(hex: string): Bytes {
  const bytes = fromHex(hex)
  if (bytes === undefined) throw new CosignerError("E-CLI-022", { what: "an answer is not hex" })
  return bytes
}

/** Asks until there is an answer; E-CLI-021 after a minute. */
export async function until<T>(what: string, ask: () => Promise<T | undefined>): Promise<T> {
  const end = performance.now() + WAIT_MS
  for (;;) {
    const answer = await ask()
    if (answer !== undefined) return answer
    if (performance.now() > end) throw new CosignerError("E-CLI-021", { name: what, seconds: WAIT_MS / 1000, said: "" })
    await Bun.sleep(POLL_MS)
  }
}
