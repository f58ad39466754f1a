/** An address of a group of this node, derived from its own record and attested with its identity key. */
import { toHex } from "../../bytes.ts"
import { CosignerError } from "../../errors.ts"
import { rootExtendedPublicKey } from "../../keys/group.ts"
import { formatPath, parsePath } from "../../keys/path.ts"
import { identityOf } from "../../mpc/envelope.ts"
import type { Store } from "../../store/store.ts"
import { addressesAt, ENCODINGS, encodingOn } from "../../waas/wallets/addresses.ts"
import { chainsOf } from "../../waas/wallets/chains.ts"
import { attestAddress } from "../../wire/attestation.ts"
import type { Shown } from "./shown.ts"

interface WantedAddress {
  readonly group_id: string
  readonly path: string
  /** As it is published: ETH. */
  readonly chain: string
  readonly encoding?: string
}

/** Throws E-CLI-011 for an unknown group, chain or form, and E-KEY-… for an invalid path. */
export function showAddress(store: Pick<Store, "groups" | "identity">, wanted: WantedAddress): Shown {
  const group = store.groups.active(wanted.group_id)
  if (group === undefined)
    throw unknown(
      "active group",
      store.groups.list().map(({ groupId }) => groupId),
    )
  const chains = chainsOf([]).supported.filter(({ curve }) => curve === group.curve)
  const chain = chains.find(({ chainId }) => chainId === wanted.chain)
  if (chain === undefined)
    throw unknown(
      `chain ${wanted.chain} on ${group.curve}`,
      chains.map(({ chainId }) => chainId),
    )
  const form = ENCODINGS.find((one) => one === wanted.encoding)
  const encoding = wanted.encoding === undefined || form !== undefined ? encodingOn(chain, form) : undefined
  if (encoding === undefined) throw unknown(`${wanted.encoding} on ${wanted.chain}`, ENCODINGS)
  const levels = parsePath(wanted.path)
  const root = rootExtendedPublicKey(group)
  const [index = 0] = levels.slice(-1)
  const [own] = addressesAt(root, chain, encoding, levels.slice(0, -1), [index])
  using seed = store.identity()
  const attestation = attestAddress(identityOf(seed.expose()), {
    group_id: group.groupId,
    epoch_id: toHex(group.epochId),
    root_key: root,
    path: formatPath(levels),
    encoding,
    chain: chain.caip2,
    address: own?.address ?? "",
  })
  return {
    value: attestation,
    lines: [
      `Address: ${attestation.address}`,
      `Path: ${attestation.path} of ${attestation.root_key}`,
      `Attested by: ${attestation.node_id}`,
      "The attestation itself is what --json prints; cosigner client address verify --attestation takes it.",
    ],
  }
}

const unknown = (what: string, known: readonly string[]): CosignerError =>
  new CosignerError("E-CLI-011", { what, known: [...new Set(known)] })
