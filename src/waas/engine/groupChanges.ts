/**
 * Changes of key share holder groups and vaults that need no task: a new group, another type, deletion. A group does not change while a
 * request that makes or replaces its keys is open. The caller runs these methods one after another.
 */
import { ApiFailure, notFound } from "../failure.ts"
import type { HolderGroup, TssRequest, Vault } from "../store/model.ts"
import type { StoreWrite, WaasStore } from "../store/store.ts"
import { isOpen, vaultWithKeys } from "./requests.ts"
import { groupsOf } from "./reshare.ts"

export class GroupChanges {
  readonly #store: WaasStore

  constructor(store: WaasStore) {
    this.#store = store
  }

  /**
   * Stores a new group. A vault has at most one New main group, which Recovery or KeyReshare gives keys: another one takes its place and
   * makes it Unavailable. Throws 2029 if the New main group has some of its keys already, or an open request.
   */
  async create(group: HolderGroup): Promise<HolderGroup> {
    const main = group.type === "MainGroup" ? await this.#store.groupOf(group.vaultId, "MainGroup", "New") : undefined
    if (main !== undefined && main.shareGroups.length > 0) {
      throw new ApiFailure(2029, `${main.groupId} has some of its keys already`)
    }
    if (main !== undefined) await this.#refuseWhileOpen(main)
    const given: readonly StoreWrite[] =
      main === undefined ? [] : [{ put: "group", record: { ...main, status: "Unavailable" } }]
    await this.#store.commit([...given, { put: "group", record: group }])
    return group
  }

  /** Stores a main group that has keys, with them as the vault's root keys. Throws 2028; 2029 if the vault has a main group or keys. */
  async import(group: HolderGroup): Promise<HolderGroup> {
    const { vaultId } = group
    const vault = await this.#store.vault(vaultId)
    if (vault === undefined) throw notFound("vault", vaultId)
    const others = await groupsOf(this.#store, vaultId)
    const main = others.find(({ type, status }) => type === "MainGroup" && status !== "Unavailable")
    if (main !== undefined) throw new ApiFailure(2029, `the vault has the main group ${main.groupId} already`)
    if (vault.rootKeys.length > 0) throw new ApiFailure(2029, "the vault has had keys of its own already")
    const records: readonly StoreWrite[] = [
      { put: "group", record: group },
      { put: "vault", record: vaultWithKeys(vault, group) },
    ]
    await this.#store.commit(records)
    return group
  }

  /** Replaces the vault by `change` of it. Throws 2028. */
  async changeVault(vaultId: string, change: (vault: Vault) => Vault): Promise<Vault> {
    const vault = await this.#store.vault(vaultId)
    if (vault === undefined) throw notFound("vault", vaultId)
    const changed = change(vault)
    await this.#store.commit([{ put: "vault", record: changed }])
    return changed
  }

  /**
   * Makes a Valid signing group the main group, and the main group a signing group or Unavailable. Only the records change. The nodes
   * keep their shares, so a group that is Unavailable here could still sign for another coordinator. Throws 2028, 2029.
   */
  async upgradeToMain(groupId: string, original: "Invalidate" | "ConvertToSigningGroup"): Promise<HolderGroup> {
    const group = await this.atRest(groupId)
    if (group.type !== "SigningGroup" || group.status !== "Valid") {
      throw new ApiFailure(2029, `a ${group.status} ${group.type} cannot become the main group`)
    }
    const main = await this.#store.groupOf(group.vaultId, "MainGroup", "Valid")
    if (main !== undefined) await this.atRest(main.groupId)
    const upgraded: HolderGroup = { ...group, type: "MainGroup" }
    const before: readonly HolderGroup[] =
      main === undefined
        ? []
        : [original === "Invalidate" ? { ...main, status: "Unavailable" } : { ...main, type: "SigningGroup" }]
    await this.#store.commit([...before, upgraded].map((record): StoreWrite => ({ put: "group", record })))
    return upgraded
  }

  /**
   * Makes the group Unavailable. Its nodes keep their shares: only their operators erase them. Throws 2028, and 2029 for a main group that
   * has keys or a group with an open request.
   */
  async delete(groupId: string): Promise<void> {
    const group = await this.atRest(groupId)
    if (group.type === "MainGroup" && group.shareGroups.length > 0 && group.status !== "Unavailable") {
      throw new ApiFailure(2029, "the main group is not deleted; replace it by Recovery or UpgradeToMainGroup")
    }
    await this.#store.commit([{ put: "group", record: { ...group, status: "Unavailable" } }])
  }

  /** The group, while no open request makes or replaces its keys. Throws 2028, 2029. */
  async atRest(groupId: string): Promise<HolderGroup> {
    const group = await this.#store.group(groupId)
    if (group === undefined) throw notFound("key share holder group", groupId)
    await this.#refuseWhileOpen(group)
    // Requests are read from the store, because other replicas may work on them. Only the newest one of a group can be open.
    for (const { groupId: target } of await groupsOf(this.#store, group.vaultId)) {
      const open = await this.#openOf(group.vaultId, target)
      if (open?.source?.groupId !== groupId) continue
      throw new ApiFailure(2029, `the request ${open.tssRequestId} from that group is still open`)
    }
    return group
  }

  async #refuseWhileOpen({ vaultId, groupId }: HolderGroup): Promise<void> {
    const open = await this.#openOf(vaultId, groupId)
    if (open !== undefined) throw new ApiFailure(2029, `the request ${open.tssRequestId} for that group is still open`)
  }

  async #openOf(vaultId: string, groupId: string): Promise<TssRequest | undefined> {
    const newest = { limit: 1, after: undefined, before: undefined }
    const { items } = await this.#store.tssRequests({ vaultId, groupId }, newest)
    return items.find(({ status }) => isOpen(status))
  }
}
