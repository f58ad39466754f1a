/**
 * Brings a database that was restored from an older copy up to the epochs that nodes hold (formats.md 14): groups that were reshared
 * since, new groups, new vaults. Records of the database that no epoch outranks stay unchanged. Pure except for new ids.
 */
import { toHex } from "../bytes.ts"
import { type GroupPublic, rootExtendedPublicKey } from "../keys/group.ts"
import { nodeIdOf } from "../wire/nodeId.ts"
import { holderGroup, vaultsOf } from "./adoption.ts"
import { curveTypeOf } from "./engine/requests.ts"
import { outranks } from "./engine/reshare.ts"
import type { HolderGroup, ShareGroup, Vault } from "./store/model.ts"

/** A vault of the database, with all its groups. */
export interface KnownVault {
  readonly vault: Vault
  readonly groups: readonly HolderGroup[]
}

interface CaughtUp {
  /** New vaults only. */
  readonly vaults: readonly Vault[]
  /** New and changed groups. */
  readonly groups: readonly HolderGroup[]
  /** Share groups for which a later epoch was found. */
  readonly advanced: readonly string[]
  readonly skipped: readonly { readonly groupId: string; readonly why: string }[]
}

/** What to store. `open`: share groups of unfinished tasks in the database; WaaS finishes those itself, so they are left out. */
export function caughtUp(
  epochs: readonly GroupPublic[],
  known: readonly KnownVault[],
  open: ReadonlySet<string>,
  nameOf: (nodeId: string) => string,
): CaughtUp {
  const before = new Map(known.flatMap(({ groups }) => groups).map((group) => [group.groupId, group]))
  const groups = new Map(before)
  const advanced: string[] = []
  const skipped: { readonly groupId: string; readonly why: string }[] = []
  const fresh: GroupPublic[] = []
  for (const epoch of epochs) {
    const holder = [...groups.values()].find(({ shareGroups }) => shareGroups.some(isOf(epoch)))
    const shareGroup = holder?.shareGroups.find(isOf(epoch))
    if (open.has(epoch.groupId)) {
      if (holder === undefined || isLater(epoch, shareGroup)) {
        skipped.push({ groupId: epoch.groupId, why: "a request for it is open here: WaaS finishes it once it runs" })
      }
    } else if (holder === undefined || shareGroup === undefined) fresh.push(epoch)
    else if (shareGroup.rootPubkey !== rootExtendedPublicKey(epoch)) {
      skipped.push({ groupId: epoch.groupId, why: "the database has another key under its id" })
    } else if (isLater(epoch, shareGroup)) {
      moveTo(groups, holder, epoch, nameOf)
      advanced.push(epoch.groupId)
    }
  }
  const made = vaultsOf(fresh, nameOf)
  const joined = joinKnown(made, known, groups)
  const changed = [...groups.values()].filter((group) => group !== before.get(group.groupId))
  return { vaults: joined.vaults, groups: [...changed, ...joined.groups], advanced, skipped }
}

const isOf =
  ({ groupId }: GroupPublic) =>
  ({ shareGroupId }: ShareGroup): boolean =>
    shareGroupId === groupId

const rankOf = ({ createdMs, epochId }: GroupPublic) => ({ createdMs, epochId: toHex(epochId) })

/** Whether the epoch is later than the known one. A share group without a known epoch was never reshared, so any reshare is later. */
function isLater(epoch: GroupPublic, known: ShareGroup | undefined): boolean {
  if (known?.epoch === undefined) return epoch.mode === "replace"
  return outranks(rankOf(epoch), known.epoch)
}

/**
 * Moves the key to the holder group of its new members, in `groups`: the same group after a refresh, an existing group of exactly
 * these members, or a new one. A group that loses its last key becomes Unavailable.
 */
function moveTo(
  groups: Map<string, HolderGroup>,
  holder: HolderGroup,
  epoch: GroupPublic,
  nameOf: (nodeId: string) => string,
): void {
  const shareGroup: ShareGroup = {
    shareGroupId: epoch.groupId,
    curve: curveTypeOf(epoch.curve),
    rootPubkey: rootExtendedPublicKey(epoch),
    epoch: rankOf(epoch),
  }
  const target = isHeldBy(epoch)(holder)
    ? holder
    : ([...groups.values()].find(
        (group) => group.vaultId === holder.vaultId && group.status !== "Unavailable" && isHeldBy(epoch)(group),
      ) ?? { ...holderGroup([epoch], holder.vaultId, holder.type, nameOf), shareGroups: [] })
  if (target.groupId !== holder.groupId) {
    const left = holder.shareGroups.filter((other) => !isOf(epoch)(other))
    groups.set(holder.groupId, {
      ...holder,
      shareGroups: left,
      status: left.length === 0 ? "Unavailable" : holder.status,
    })
  }
  const others = target.shareGroups.filter(({ curve }) => curve !== shareGroup.curve)
  groups.set(target.groupId, { ...target, status: "Valid", shareGroups: [...others, shareGroup] })
}

const isHeldBy =
  ({ members, threshold }: GroupPublic) =>
  (group: HolderGroup): boolean => {
    const ids = new Set(members.map(({ party }) => nodeIdOf(party)))
    return (
      group.threshold === threshold &&
      group.holders.length === ids.size &&
      group.holders.every(({ nodeId }) => ids.has(nodeId))
    )
  }

/** Puts new groups whose root key the database knows into that vault. A valid main group of the vault stays the main group. */
function joinKnown(
  made: ReturnType<typeof vaultsOf>,
  known: readonly KnownVault[],
  groups: ReadonlyMap<string, HolderGroup>,
): ReturnType<typeof vaultsOf> {
  const homeOf = ({ rootKeys }: Vault): Vault | undefined =>
    known.find(({ vault }) =>
      vault.rootKeys.some(({ rootPubkey }) => rootKeys.some((key) => key.rootPubkey === rootPubkey)),
    )?.vault
  const vaults = made.vaults.filter((vault) => homeOf(vault) === undefined)
  const homes = new Map(made.vaults.map((vault) => [vault.vaultId, homeOf(vault)]))
  const joined = made.groups.map((group): HolderGroup => {
    const home = homes.get(group.vaultId)
    if (home === undefined) return group
    const hasMain = [...groups.values()].some(
      ({ vaultId, type, status }) => vaultId === home.vaultId && type === "MainGroup" && status === "Valid",
    )
    return { ...group, vaultId: home.vaultId, type: hasMain ? "SigningGroup" : group.type }
  })
  return { vaults, groups: joined }
}
