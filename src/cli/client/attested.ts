/** Addresses attested by nodes alone: as many of the nodes that the profile names as it demands must agree in everything. */
import { readFileSync } from "node:fs"
import { utf8 } from "../../bytes.ts"
import { Malformed } from "../../codec.ts"
import { errnoOf } from "../../files.ts"
import { decodeExtendedPublicKey } from "../../keys/extendedKey.ts"
import { parsePath } from "../../keys/path.ts"
import { addressesAt, ENCODINGS } from "../../waas/wallets/addresses.ts"
import { chainsOf } from "../../waas/wallets/chains.ts"
import { type AddressAttestation, isAttested, readAttestation } from "../../wire/attestation.ts"
import { refuse } from "../command.ts"
import type { Profile } from "./profile.ts"
import { amiss } from "./verified.ts"

/** The path of the address. Throws E-CLI-002 for files that are not attestations, E-CLI-032 unless enough of them prove it. */
export function attestedPlace(
  profile: Profile,
  address: string,
  files: readonly string[],
): { readonly path: string; readonly root_pubkey: string } {
  const { nodes, attestations: needed } = profile
  if (nodes.length < needed) refuse("nodes of the profile", `${needed} node ids or more`, `${nodes.length}`)
  const given = files.map(attestationIn)
  const [first] = given
  if (first === undefined) return refuse("--attestation", "files", "none")
  for (const one of given) {
    if (!isAttested(one)) throw amiss(`the attestation of ${one.node_id} is not signed by it`)
    if (!nodes.includes(one.node_id)) throw amiss(`the profile does not name ${one.node_id}`)
    if (one.address !== address) throw amiss(`${one.node_id} attests ${one.address}, not ${address}`)
    if (matterOf(one) !== matterOf(first)) throw amiss(`${one.node_id} and ${first.node_id} attest different things`)
  }
  const by = new Set(given.map(({ node_id }) => node_id)).size
  if (by < needed) throw amiss(`${by} of the profile's nodes attest ${address}, and it takes ${needed}`)
  const named = profile.roots.filter(({ curve }) => curve === decodeExtendedPublicKey(first.root_key).curve)
  if (named.length > 0 && !named.some(({ text }) => text === first.root_key))
    throw amiss(`the profile does not name the root ${first.root_key}`)
  if (derivedAgain(first) !== address) throw amiss(`${address} is not at ${first.path} of ${first.root_key}`)
  return { path: first.path, root_pubkey: first.root_key }
}

/** Everything that two nodes must agree on; epochs may differ while a reshare goes on. */
const matterOf = ({ group_id, root_key, path, encoding, chain, address }: AddressAttestation): string =>
  [group_id, root_key, path, encoding, chain, address].join(" ")

function derivedAgain({ root_key, path, encoding, chain }: AddressAttestation): string | undefined {
  const known = chainsOf([]).supported.find(({ caip2 }) => caip2 === chain)
  const form = ENCODINGS.find((one) => one === encoding)
  const levels = parsePath(path)
  const [index = 0] = levels.slice(-1)
  if (known === undefined || form === undefined) return undefined
  return addressesAt(root_key, known, form, levels.slice(0, -1), [index])[0]?.address
}

function attestationIn(file: string): AddressAttestation {
  try {
    return readAttestation(utf8(readFileSync(file, "utf8").trim()))
  } catch (error) {
    if (error instanceof Malformed) return refuse("--attestation", "what `cosigner info address --json` prints", file)
    if (errnoOf(error) !== undefined) return refuse("--attestation", "a file that can be read", file)
    throw error
  }
}
