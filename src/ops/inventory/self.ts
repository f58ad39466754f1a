/** What a node is in public, for people and for programs: its node id, and the key that callback servers verify with. */
import type { Store } from "../../store/store.ts"
import { publicKeyPem, selfOf } from "./nodeKeys.ts"
import type { Shown } from "./shown.ts"

export function showSelf(store: Store): Shown {
  using seed = store.identity()
  using callbackKey = store.callbackKey()
  const { nodeId } = selfOf(seed)
  const pem = publicKeyPem(callbackKey)
  return {
    value: { node_id: nodeId, callback_public_key: pem, db: store.path },
    lines: [`Node ID: ${nodeId}`, "Callback public key:", pem.trimEnd()],
  }
}
