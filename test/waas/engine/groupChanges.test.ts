/** Changes of groups that are refused before anything is written. */
import { expect, test } from "bun:test"
import { GroupChanges } from "../../../src/waas/engine/groupChanges.ts"
import type { HolderGroup, Vault } from "../../../src/waas/store/model.ts"
import type { StoreWrite, WaasStore } from "../../../src/waas/store/store.ts"

test("a vault that has had keys of its own imports none, though no group of it has them any more", async () => {
  const vault = { vaultId: "v", rootKeys: [{ curve: "ED25519", rootPubkey: "cpub" }] } as unknown as Vault
  const group = { groupId: "g", vaultId: "v", type: "MainGroup", shareGroups: [] } as unknown as HolderGroup
  const writes: StoreWrite[] = []
  const store = (rootKeys: Vault["rootKeys"]) =>
    ({
      vault: async () => ({ ...vault, rootKeys }),
      groups: async () => ({ items: [], before: undefined, after: undefined, total: 0 }),
      commit: async (all: readonly StoreWrite[]) => void writes.push(...all),
    }) as unknown as WaasStore
  const refused = new GroupChanges(store(vault.rootKeys)).import(group)
  await expect(refused).rejects.toMatchObject({ errorCode: 2029 })
  expect(writes).toEqual([])
  expect(await new GroupChanges(store([])).import(group)).toBe(group)
  expect(writes.map(({ put }) => put)).toEqual(["group", "vault"])
})
