/** The public form of a node's own keys: its node id, and the key with which callback and event servers verify. */
import { createPrivateKey, createPublicKey } from "node:crypto"
import type { PartyId } from "../../keys/party.ts"
import { identityOf } from "../../mpc/envelope.ts"
import type { Secret } from "../../secret.ts"
import { nodeIdOf } from "../../wire/nodeId.ts"

/** The node of a 32-byte Ed25519 seed. */
export function selfOf(identitySeed: Secret): { readonly party: PartyId; readonly nodeId: string } {
  const { party } = identityOf(identitySeed.expose())
  return { party, nodeId: nodeIdOf(party) }
}

/** SPKI PEM of a PKCS#8 DER key, with its final newline. */
export function publicKeyPem(privateKey: Secret): string {
  const { buffer, byteOffset, byteLength } = privateKey.expose()
  const der = Buffer.from(buffer, byteOffset, byteLength)
  const key = createPrivateKey({ key: der, format: "der", type: "pkcs8" })
  return createPublicKey(key).export({ format: "pem", type: "spki" }).toString()
}
