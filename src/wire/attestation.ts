/**
 * A node's signed statement that an address belongs to a group (formats.md 7.6). The node derives the address from its own record of
 * the group and signs the result with its identity key. Threshold attestations prove an address whatever WaaS says: to forge them,
 * an attacker needs the identity keys of as many nodes as a signature needs.
 */
import { type Bytes, fromHex, toHex, utf8 } from "../bytes.ts"
import { Malformed } from "../codec.ts"
import { verifyEd25519 } from "../crypto/ed25519.ts"
import { frame } from "../crypto/frame.ts"
import { type PartyId, partyBytes } from "../keys/party.ts"
import { closed, oneOf, parseJson, text } from "./json.ts"
import { nodeIdOf, parseNodeId } from "./nodeId.ts"

/** What is attested, in the order in which it is signed. */
interface AttestedAddress {
  readonly group_id: string
  /** The epoch whose shares sign, hex. */
  readonly epoch_id: string
  /** xpub or cpub. */
  readonly root_key: string
  /** `m/44/60/0/0/5`. */
  readonly path: string
  /** The published name of the address's form, such as ENCODING_BECH32. */
  readonly encoding: string
  /** CAIP-2. */
  readonly chain: string
  readonly address: string
}

export interface AddressAttestation extends AttestedAddress {
  readonly version: 1
  readonly node_id: string
  /** Ed25519 under the node id's key, hex. */
  readonly signature: string
}

const MAX_BYTES = 4096

const words = (most: number) => text(new RegExp(`^[!-~]{1,${most}}$`), "text without spaces")

const form = closed({
  version: oneOf(1),
  node_id: words(128),
  group_id: words(64),
  epoch_id: text(/^(?:[0-9a-f]{2}){1,64}$/, "an epoch's id"),
  root_key: words(128),
  path: words(512),
  encoding: words(64),
  chain: words(64),
  address: words(128),
  signature: text(/^[0-9a-f]{128}$/, "a signature"),
})

const signedBytes = (nodeId: string, attested: AttestedAddress) => {
  const { group_id, epoch_id, root_key, path, encoding, chain, address } = attested
  const fields = [nodeId, group_id, epoch_id, root_key, path, encoding, chain, address]
  return frame("address", ...fields.map(utf8))
}

/** Attests the address. `sign` signs with the identity key of `party` (Ed25519, 64 bytes). */
export function attestAddress(
  { party, sign }: { readonly party: PartyId; readonly sign: (bytes: Bytes) => Bytes },
  attested: AttestedAddress,
): AddressAttestation {
  const node_id = nodeIdOf(party)
  return { version: 1, node_id, ...attested, signature: toHex(sign(signedBytes(node_id, attested))) }
}

/** Parses an attestation of at most 4096 bytes. Throws Malformed. Does not verify the signature; isAttested does. */
export const readAttestation = (document: Uint8Array): AddressAttestation => {
  if (document.length > MAX_BYTES) throw new Malformed("$: longer than any attestation")
  return form(parseJson(document, MAX_BYTES), "$")
}

/** Whether the signature verifies under the key in `node_id`. Says nothing about whether that node is a member of the group. */
export function isAttested({ node_id, signature, ...attested }: AddressAttestation): boolean {
  const party = parseNodeId(node_id)
  const bytes = fromHex(signature)
  if (party === undefined || bytes === undefined) return false
  return verifyEd25519(partyBytes(party), signedBytes(node_id, attested), bytes)
}
