/**
 * Changes of key share holder groups that no task carries out: a new group, another type, deletion. One change of a group at
 * a time: none while a request that makes or replaces its keys is open. The caller runs them one after another.
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
   * A vault has one main group, and one that is to become it by Recovery or KeyReshare: a further one makes the last that
   * never got its keys Unavailable. Throws 2029.
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

  /** A main group with its keys, and the vault's root keys, in one commit. Throws 2029 for a vault that has or makes keys, or a key that a group has. */
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

  /**
   * A signing group becomes the main group, and the main group a signing group or Unavailable. Only records change: the
   * nodes' shares are what they were, so a group that is invalid here can still sign for whoever asks its nodes.
   */
  /** Throws 2028. */
  async changeVault(vaultId: string, change: (vault: Vault) => Vault): Promise<Vault> {
    const vault = await this.#store.vault(vaultId)
    if (vault === undefined) throw notFound("vault", vaultId)
    const changed = change(vault)
    await this.#store.commit([{ put: "vault", record: changed }])
    return changed
  }

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
   * The group is Unavailable from now on. The nodes keep their shares: erasing them is the operators' own decision.
   * Throws 2029 for a main group that has keys.
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
    // Whoever works on them, what is open is in the store: of each group at most its newest request.
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
