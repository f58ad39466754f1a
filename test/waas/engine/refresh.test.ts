/** Refreshes that nodes ask for: made once, by whoever is in the group, when all are there, and not again for a day. */
import { expect, test } from "bun:test"
import { REFRESH_DESCRIPTION } from "../../../src/waas/engine/refresh.ts"
import type { TssRequest } from "../../../src/waas/store/model.ts"
import { Rig } from "../../support/waas.ts"
import { readiness } from "../../wire/said.ts"

const HOUR = 3_600_000
const PACE = { deadlineMs: HOUR, pauseMs: 24 * HOUR }

type Made = Awaited<ReturnType<Rig["madeVault"]>>

const said = (rig: Rig, index: number, refresh: readonly string[]) =>
  rig.engine.onFrame(rig.node(index).id, { ...readiness, refresh })

async function refreshes(rig: Rig, { vault, group }: Made): Promise<readonly TssRequest[]> {
  const page = { limit: 50, after: undefined, before: undefined }
  const { items } = await rig.store.tssRequests({ vaultId: vault.vaultId, groupId: group.groupId }, page)
  return items.filter(({ description }) => description === REFRESH_DESCRIPTION)
}

const shareGroupOf = ({ group }: Made): string => group.shareGroups[0]?.shareGroupId ?? ""

test("a member's word makes one refresh of all the group's keys, and none once nothing is due", async () => {
  await using rig = await Rig.open({ refresh: PACE })
  const made = await rig.madeVault(2)
  await rig.pass(HOUR)
  expect(await refreshes(rig, made)).toEqual([])
  await said(rig, 1, [shareGroupOf(made)])
  await said(rig, 2, [shareGroupOf(made)])
  await rig.pass(60_000)
  await rig.pass(60_000)
  const [one, ...more] = await refreshes(rig, made)
  expect(more).toEqual([])
  const { groupId } = made.group
  expect(one).toMatchObject({ type: "KeyReshare", status: "PendingKeyHolderConfirmation", targetGroupId: groupId })
  expect(one?.source?.groupId).toBe(groupId)
  expect(one?.taskIds.length).toBe(made.group.shareGroups.length)
  await said(rig, 1, [])
  await said(rig, 2, [])
  await rig.pass(48 * HOUR)
  expect((await refreshes(rig, made)).length).toBe(1)
})

test("it waits for nodes that are away, and for a request that is open", async () => {
  await using rig = await Rig.open({ refresh: PACE })
  const made = await rig.madeVault(2)
  rig.node(0).online = false
  await said(rig, 1, [shareGroupOf(made)])
  await rig.pass(HOUR)
  expect(await refreshes(rig, made)).toEqual([])
  await rig.online(rig.node(0))
  await rig.pass(HOUR)
  expect((await refreshes(rig, made)).length).toBe(1)
})

test("whatever became of the last one, the next waits for a day, over a restart too", async () => {
  await using rig = await Rig.open({ refresh: PACE })
  const made = await rig.madeVault(2)
  await said(rig, 1, [shareGroupOf(made)])
  await rig.pass(HOUR)
  const [first] = await refreshes(rig, made)
  if (first === undefined) throw new Error("no refresh")
  await rig.engine.cancelTssRequest(first.tssRequestId)
  await rig.relay.settle()
  await rig.crash()
  for (let hour = 0; hour < 20; hour++) {
    await said(rig, 1, [shareGroupOf(made)])
    await rig.pass(HOUR)
  }
  expect((await refreshes(rig, made)).length).toBe(1)
  await rig.pass(6 * HOUR)
  expect((await refreshes(rig, made)).length).toBe(2)
})

test("no word of a node that is not in the group counts, and none where it is switched off", async () => {
  for (const refresh of [PACE, undefined]) {
    await using rig = await Rig.open({ nodes: 4, ...(refresh && { refresh }) })
    const vault = await rig.vault()
    const group = await rig.group(vault, 2, rig.nodes.slice(0, 3))
    await rig.keyGen(vault, group)
    await rig.relay.settle()
    const made = { vault, group: await rig.mustGroup(group.groupId) }
    await said(rig, 3, [shareGroupOf(made)])
    if (refresh === undefined) await said(rig, 0, [shareGroupOf(made)])
    await said(
      rig,
      0,
      ["OtherOtherOtherOther"].filter(() => refresh !== undefined),
    )
    await rig.pass(HOUR)
    expect(await refreshes(rig, made)).toEqual([])
  }
})
