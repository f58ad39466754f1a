/** Extensions whose certificate comes to light after WaaS gave them up and made others: what is in use stays in use. */
import { expect, setDefaultTimeout, test } from "bun:test"
import type { HolderGroup, TssRequest } from "../../src/waas/store/model.ts"
import { Simulation } from "./simulation.ts"

// Real stores and protocols: on a busy machine a test takes a while.
setDefaultTimeout(60_000)

const isAck = (envelope: Uint8Array): boolean => envelope[6] === 3 && envelope[7] === 4

/** Begins something whose certificate `name` keeps for itself; it is killed, and WaaS gives the request up. */
async function kept(it: Simulation, name: string, begin: () => Promise<TssRequest>): Promise<TssRequest> {
  const keeper = it.node(name)
  it.passes = (passing) => {
    if (passing.kind === "down" || passing.from !== keeper) return true
    if (passing.frame.kind === "envelope") return !isAck(passing.frame.envelope)
    return passing.frame.kind !== "report" || passing.frame.status !== 190
  }
  const request = await begin()
  await it.settle()
  keeper.kill()
  it.passes = () => true
  await it.pass(3_600_000)
  expect((await it.request(request)).status).toBe("KeyGeneratingFailed")
  return request
}

const shareGroupsOf = (group: HolderGroup): readonly string[] =>
  group.shareGroups.map(({ shareGroupId }) => shareGroupId)

test("of two recoveries the earlier comes to light last: the main group that took its place stays the main group", async () => {
  await using it = await Simulation.open(["a", "b", "c", "d", "e"])
  const { vault, group } = await it.vault(2, ["a", "b"])
  const recovery = await it.group(vault, "RecoveryGroup", 2, ["a", "b"])
  await it.reshare(vault, group, recovery, { type: "KeyGenFromKeyGroup", allowSharedNodes: true })
  await it.settle()
  const source = await it.groupNow(recovery)
  const wish = { type: "Recovery" as const, allowSharedNodes: true }
  const first = await it.group(vault, "MainGroup", 2, ["c", "d"])
  const request = await kept(it, "d", () => it.reshare(vault, source, first, wish))
  const second = await it.group(vault, "MainGroup", 2, ["c", "e"])
  await it.reshare(vault, source, second, wish)
  await it.settle()
  expect((await it.groupNow(second)).status).toBe("Valid")
  await it.node("d").start()
  await it.settle()
  expect((await it.request(request)).status).toBe("Success")
  expect((await it.groupNow(second)).status).toBe("Valid")
  expect(await it.groupNow(first)).toMatchObject({ status: "Unavailable", shareGroups: [{ curve: "ED25519" }] })
  expect((await it.groupNow(group)).status).toBe("Unavailable")
  expect((await it.sign(vault, second, ["c", "e"])).status).toBe("Completed")
  // It exists at its nodes all the same.
  expect((await it.sign(vault, first, ["c", "d"])).status).toBe("Completed")
})

test("of a recovery that comes to light while nothing took its place the main group is made", async () => {
  await using it = await Simulation.open(["a", "b", "c", "d"])
  const { vault, group } = await it.vault(2, ["a", "b"])
  const recovery = await it.group(vault, "RecoveryGroup", 2, ["a", "b"])
  await it.reshare(vault, group, recovery, { type: "KeyGenFromKeyGroup", allowSharedNodes: true })
  await it.settle()
  const first = await it.group(vault, "MainGroup", 2, ["c", "d"])
  const wish = { type: "Recovery" as const, allowSharedNodes: true }
  await kept(it, "d", async () => it.reshare(vault, await it.groupNow(recovery), first, wish))
  await it.node("d").start()
  await it.settle()
  expect((await it.groupNow(first)).status).toBe("Valid")
  expect((await it.groupNow(group)).status).toBe("Unavailable")
})

test("of two extensions to one target it has the later one, though the earlier comes to light last", async () => {
  await using it = await Simulation.open(["a", "b", "c", "d"])
  const { vault, group } = await it.vault(2, ["a", "b"])
  const recovery = await it.group(vault, "RecoveryGroup", 2, ["c", "d"])
  const extend = () => it.reshare(vault, group, recovery, { type: "KeyGenFromKeyGroup" })
  const first = await kept(it, "d", extend)
  it.passes = ({ frame }) => frame.kind !== "report" || frame.status !== 190 || !first.taskIds.includes(frame.taskId)
  await it.node("d").start()
  await it.settle()
  const second = await extend()
  await it.settle()
  expect((await it.request(second)).status).toBe("Success")
  const inUse = shareGroupsOf(await it.groupNow(recovery))
  it.passes = () => true
  await it.online(it.node("d"))
  await it.settle()
  expect((await it.request(first)).status).toBe("Success")
  expect(shareGroupsOf(await it.groupNow(recovery))).toEqual(inUse)
  expect((await it.sign(vault, recovery, ["c", "d"])).status).toBe("Completed")
  const active = it
    .node("c")
    .store.groups.list()
    .filter(({ status }) => status === "ACTIVE")
  expect(active.length).toBe(2)
})
