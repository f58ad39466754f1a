/** Which WaaS this node trusts: the operator's decision, and which key counts at a start (formats.md 14.2). */
import { type Bytes, equal, fromHex, toHex } from "../../bytes.ts"
import { documentOf } from "../../config/policyInForce.ts"
import { isStrictKey } from "../../crypto/ed25519.ts"
import { CosignerError } from "../../errors.ts"
import { isTree } from "../../settings/tree.ts"
import type { Store } from "../../store/store.ts"
import type { Shown } from "./shown.ts"

/** Parses 64 hex digits of an Ed25519 key; undefined for any other text. */
export function parseWaasKey(text: string): Bytes | undefined {
  const key = /^[0-9a-f]{64}$/.test(text) ? fromHex(text) : undefined
  return key !== undefined && isStrictKey(key) ? key : undefined
}

/**
 * Trusts that key from now on; `before` is the key in force so far, if there is one. Durable when it returns. Throws E-POL-012
 * for a key other than that of the bundle that the node follows.
 */
export function trustWaas(
  store: Pick<Store, "waas" | "policies">,
  key: Bytes,
  before: Bytes | undefined,
  nowMs: number,
): Shown {
  const named = ownersWaasKey(store)
  if (named !== undefined && named !== toHex(key)) throw new CosignerError("E-POL-012", { named })
  const { waasKey, replaced, decidedMs } = store.waas.decide(key, before, nowMs)
  const [trusted, gone] = [toHex(waasKey), replaced.map(toHex)]
  return {
    value: { waas_public_key: trusted, replaced: gone, decided_ms: decidedMs },
    lines: [
      `Trusted from now on: the WaaS with the key ${trusted}`,
      ...(before === undefined || equal(before, key)
        ? ["What was known of how far it had come is forgotten: the node follows whichever copy it meets first"]
        : [`Not trusted any more: ${toHex(before)}`]),
      `In the configuration: [websocket] waas_public_key = "${trusted}"`,
    ],
  }
}

/** Undefined if the node follows no bundle: then its operator decides. */
function ownersWaasKey({ policies: { followed } }: Pick<Store, "policies">): string | undefined {
  if (followed === undefined) return undefined
  const websocket = documentOf(followed.active).tree["websocket"]
  return isTree(websocket) ? String(websocket["waas_public_key"]).toLowerCase() : "none"
}

/**
 * The key that counts. If the operator has decided, the decision overrides a key in the file that it replaced, and `tell` reports that the
 * file is out of date. Throws E-LNK-025 for a key in the file that nobody decided on, and for a bundle's key that differs from the decision.
 */
export function trustedWaasKey(
  store: Pick<Store, "waas" | "policies">,
  configured: Bytes,
  tell: (warning: CosignerError) => void,
): Bytes {
  const decision = store.waas.decision()
  if (decision === undefined || equal(decision.waasKey, configured)) return configured
  const keys = { configured: toHex(configured), trusted: toHex(decision.waasKey) }
  const isOwners = store.policies.followed !== undefined
  if (isOwners || !decision.replaced.some((key) => equal(key, configured))) throw new CosignerError("E-LNK-025", keys)
  tell(new CosignerError("E-LNK-024", keys))
  return decision.waasKey
}
