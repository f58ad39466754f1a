/** What a node is in public, for people and for programs: its node id, and the key that callback servers verify with. */
import type { Store } from "../../store/store.ts"
import { publicKeyPem, selfOf } from "./nodeKeys.ts"
import type { Shown } from "./shown.ts"

export function showSelf(store: Store): Shown {
  using seed = store.identity()
  using callbackKey = store.callbackKey()
  return shownSelf(selfOf(seed).nodeId, publicKeyPem(callbackKey), store.path)
}

export const shownSelf = (nodeId: string, pem: string, db: string): Shown => ({
  value: { node_id: nodeId, callback_public_key: pem, db },
  lines: [`Node ID: ${nodeId}`, "Callback public key:", pem.trimEnd()],
})
