/** Makes the console's document of one vault: its groups, the epochs of their keys, and which nodes can sign with them now. */
import { cut } from "../../panel/schemas.ts"
import type { EngineLook } from "../engine/looked.ts"
import type { CurveType, HolderGroup, ShareGroup, Vault } from "../store/model.ts"
import type { ConsoleVault } from "./documents.ts"

const ALGORITHMS_OF = {
  SECP256K1: ["ecdsa", "bip340"],
  ED25519: ["eddsa"],
} as const satisfies Readonly<Record<CurveType, readonly string[]>>

const MOST_WORDS = 256

export function vaultDocument(vault: Vault, groups: readonly HolderGroup[], look: EngineLook): ConsoleVault {
  return {
    vault_id: vault.vaultId,
    name: cut(vault.name, MOST_WORDS),
    type: vault.type,
    created_ms: vault.createdMs,
    groups: groups.map((group) => ({
      group_id: group.groupId,
      type: group.type,
      status: group.status,
      threshold: group.threshold,
      holders: group.holders.map(({ nodeId, name }) => ({ node_id: nodeId, name: cut(name, MOST_WORDS) })),
      keys: group.shareGroups.map((key) => keyOf(key, group, look)),
      created_ms: group.createdMs,
    })),
  }
}

function keyOf(
  key: ShareGroup,
  { holders }: HolderGroup,
  look: EngineLook,
): ConsoleVault["groups"][number]["keys"][number] {
  return {
    share_group_id: key.shareGroupId,
    curve: key.curve,
    root_pubkey: key.rootPubkey,
    epoch_id: key.epoch?.epochId ?? "",
    epoch_ms: key.epoch?.createdMs ?? null,
    algorithms: ALGORITHMS_OF[key.curve].map((algorithm) => {
      const missing = holders.flatMap(({ nodeId, name }) => {
        const why = look.whyUnable(nodeId, { shareGroupId: key.shareGroupId, algorithm })
        return why === undefined ? [] : [cut(`${name || nodeId}: ${why}`, MOST_WORDS)]
      })
      return { algorithm, able: holders.length - missing.length, missing }
    }),
  }
}
