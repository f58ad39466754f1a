/** Whose public shares a check-up is asked under: those of the epoch in use, whichever request was made last. */
import { expect, test } from "bun:test"
import { shareKeysOf } from "../../../src/waas/engine/shareKeys.ts"
import type { HolderGroup, ShareGroup, TssRequest, WaasTask } from "../../../src/waas/store/model.ts"
import type { WaasStore } from "../../../src/waas/store/store.ts"
import { groupOutcome, task } from "../../support/waasRecords.ts"

const made = (epoch: string, type: "KeyGen" | "KeyReshare", createdMs: number): WaasTask =>
  task(`task of ${epoch}`, "", {
    request: { kind: "tss", id: `request of ${epoch}` },
    type,
    nodeIds: ["node"],
    createdMs,
    state: "completed",
    outcome: {
      ...groupOutcome(epoch),
      participants: [{ node_id: "node", share_id: "1", share_public_key: `share of ${epoch}` }],
    },
  })

const share: ShareGroup = { shareGroupId: "share group", curve: "ED25519", rootPubkey: "" }
const group: HolderGroup = {
  groupId: "group",
  vaultId: "vault",
  type: "MainGroup",
  status: "Valid",
  threshold: 2,
  holders: [],
  shareGroups: [share],
  createdMs: 1,
}

/** Requests with one task each, newest first. */
async function keysOf(partial: Partial<HolderGroup>, tasks: readonly WaasTask[], nodeId = "node") {
  const items = tasks.map(({ request }) => ({ tssRequestId: request.id }) as TssRequest)
  const store = { tssRequests: async () => ({ items, before: undefined, after: undefined, total: 0 }) }
  return await shareKeysOf({ ...group, ...partial }, nodeId, store as unknown as WaasStore, async ({ tssRequestId }) =>
    tasks.filter(({ request }) => request.id === tssRequestId),
  )
}

const inUse = (createdMs: number, epochId: string) => ({ shareGroups: [{ ...share, epoch: { createdMs, epochId } }] })
const generated = made("aa", "KeyGen", 1)
const first = made("bb", "KeyReshare", 30)
const second = made("cc", "KeyReshare", 20)

test("those of the epoch in use, though a request that was made later made a lower one", async () => {
  const [key] = await keysOf(inUse(30, "bb"), [second, first, generated])
  expect(key).toEqual({ shareGroupId: "share group", curve: "ED25519", publicKey: "share of bb", madeBy: "task of bb" })
  const [other] = await keysOf(inUse(20, "cc"), [second, first, generated])
  expect(other?.publicKey).toBe("share of cc")
})

test("of a group that was never reshared those of its key generation, which no reshare made", async () => {
  expect(await keysOf({}, [{ ...second, state: "failed" }, generated])).toEqual([
    { shareGroupId: "share group", curve: "ED25519", publicKey: "share of aa" },
  ])
})

test("none of an epoch that the node is no member of, though it was of an earlier one", async () => {
  await expect(keysOf(inUse(30, "bb"), [first, generated], "stranger")).rejects.toMatchObject({ errorCode: 2006 })
  const elsewhere: WaasTask = {
    ...first,
    outcome: first.outcome && ({ ...first.outcome, participants: [] } as never),
  }
  await expect(keysOf(inUse(30, "bb"), [elsewhere, generated])).rejects.toMatchObject({ errorCode: 2006 })
  await expect(keysOf({ shareGroups: [] }, [generated])).rejects.toMatchObject({ errorCode: 30032 })
})
