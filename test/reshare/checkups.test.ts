/** Shares of an epoch that is over, at nodes that sign no more: check-ups of the new epoch's members end them. */
import { expect, setDefaultTimeout, test } from "bun:test"
import { ownEpochs } from "../../src/keys/epochStatus.ts"
import type { GroupStatus } from "../../src/keys/group.ts"
import type { HolderGroup, Vault } from "../../src/waas/store/model.ts"
import type { ToNode } from "../../src/wire/frames.ts"
import { decodeToNode, encodeToNode } from "../../src/wire/framesCodec.ts"
import { type Node, Simulation } from "./simulation.ts"

// Real stores and protocols: on a busy machine a test takes a while.
setDefaultTimeout(60_000)

const GROUP = "EdwardsEdwardsEdward"

const statuses = (node: Node): readonly GroupStatus[] =>
  [...node.epochs(GROUP)].sort((a, b) => a.createdMs - b.createdMs).map(({ status }) => status)

/** An operator asks these nodes of the group, one after the other, whether they still have their shares. */
async function checkUp(it: Simulation, vault: Vault, group: HolderGroup, ...names: readonly string[]): Promise<void> {
  for (const name of names) {
    const request = await it.engine.createShareSignRequest({
      vault,
      group: await it.groupNow(group),
      nodeId: it.node(name).nodeId,
      message: "0x617265207468657920746865726521",
      description: "",
      deadlineMs: it.clock.nowMs + 60_000,
    })
    await it.settle()
    expect((await it.store.shareSignRequest(request.shareSignRequestId))?.status).toBe("Completed")
  }
}

async function reshared(it: Simulation, from: readonly string[], to: readonly string[], dealers: readonly string[]) {
  const { vault, group } = await it.vault(2, from)
  const target = await it.group(vault, "MainGroup", 2, to)
  await it.reshare(vault, group, target, { dealers })
  await it.settle()
  return { vault, group, target, old: it.node(from[0] ?? "").epochs(GROUP)[0]?.epochId ?? new Uint8Array(32) }
}

/** What WaaS hands to that node from now on, through the bytes. */
function handedTo(it: Simulation, node: Node): readonly ToNode[] {
  const handed: ToNode[] = []
  const { passes } = it
  it.passes = (passing) => {
    if (passing.kind === "down" && passing.to === node && passing.frame.kind === "checkups") {
      expect<unknown>(decodeToNode(encodeToNode(passing.frame))).toEqual(passing.frame)
      handed.push(passing.frame)
    }
    return passes(passing)
  }
  return handed
}

test("a dealer that leaves keeps its old share until threshold members have checked up, and says when it erases it", async () => {
  await using it = await Simulation.open(["a", "b", "c"])
  const { vault, target, old } = await reshared(it, ["a", "b"], ["b", "c"], ["a", "b"])
  const [a, b] = it.nodes as [Node, Node]
  // The same member twice is one member.
  await checkUp(it, vault, target, "b", "b")
  expect(statuses(a)).toEqual(["SUPERSEDED", "ERASED"])
  a.store.groups.open(GROUP, old).share.wipe()
  await checkUp(it, vault, target, "c")
  expect(statuses(a)).toEqual(["ERASED", "ERASED"])
  expect(() => a.store.groups.open(GROUP, old)).toThrow(expect.objectContaining({ code: "E-STO-021" }))
  expect(statuses(b)).toEqual(["ERASED", "ACTIVE"])
  const said = it.log.filter(({ message }) => message === "erased the share of a superseded epoch")
  expect(said.map(({ node }) => node).sort()).toEqual(["a", "b"])

  // Durable: another process finds it erased.
  a.kill()
  await a.start()
  expect(statuses(a)).toEqual(["ERASED", "ERASED"])
  // What `info group` shows of it.
  const shown = ownEpochs(a.store.groups.list(), a.party)
  expect(shown.map(({ epochId, status }) => [epochId, status])).toEqual([[old, "ERASED"]])
  expect((await it.sign(vault, target, ["b", "c"])).status).toBe("Completed")
})

test("a bystander is told of the new epoch first: without that proof it keeps what it has", async () => {
  await using it = await Simulation.open(["a", "b", "c"])
  it.passes = ({ frame }) => frame.kind !== "succession"
  const { vault, target } = await reshared(it, ["a", "b", "c"], ["a", "b"], ["a", "b"])
  const c = it.node("c")
  const handed = handedTo(it, c)
  await checkUp(it, vault, target, "a", "b")
  expect(handed).toHaveLength(1)
  expect(statuses(c)).toEqual(["ACTIVE"])
  it.passes = () => true
  await it.online(c)
  await it.settle()
  expect(statuses(c)).toEqual(["ERASED", "ERASED"])
})

test("WaaS counts across restarts, and a node that was away is told when it comes", async () => {
  await using it = await Simulation.open(["a", "b", "c"])
  const { vault, target } = await reshared(it, ["a", "b"], ["b", "c"], ["a", "b"])
  const a = it.node("a")
  a.kill()
  await checkUp(it, vault, target, "c")
  await it.restartWaas()
  await checkUp(it, vault, target, "b")
  await it.restartWaas()
  expect(statuses(it.node("b"))).toEqual(["ERASED", "ACTIVE"])
  await a.start()
  expect(statuses(a)).toEqual(["SUPERSEDED", "ERASED"])
  await it.settle()
  expect(statuses(a)).toEqual(["ERASED", "ERASED"])
})

test("a node that dies as it erases keeps all of the share or nothing, and is told again", async () => {
  for (const when of ["before", "after"] as const) {
    await using it = await Simulation.open(["a", "b", "c"])
    const { vault, target } = await reshared(it, ["a", "b"], ["b", "c"], ["a", "b"])
    const a = it.node("a")
    a.dies = { step: a.steps.length + 1, when }
    await checkUp(it, vault, target, "b", "c")
    expect(a.up).toBe(false)
    await a.start()
    expect(statuses(a)).toEqual([when === "before" ? "SUPERSEDED" : "ERASED", "ERASED"])
    await it.settle()
    expect(statuses(a)).toEqual(["ERASED", "ERASED"])
  }
})

test("of many epochs the latest that was checked up ends all before it, and check-ups of one count for no other", async () => {
  await using it = await Simulation.open(["a", "b", "c"])
  const { vault, target } = await reshared(it, ["a", "b", "c"], ["a", "b"], ["a", "b"])
  const c = it.node("c")
  await checkUp(it, vault, target, "a")
  for (let i = 0; i < 2; i++) {
    await it.reshare(vault, target, target)
    await it.settle()
    await checkUp(it, vault, target, "b")
  }
  expect(statuses(it.node("a"))).toEqual(["SUPERSEDED", "SUPERSEDED", "SUPERSEDED", "ACTIVE"])
  await checkUp(it, vault, target, "a")
  expect(statuses(it.node("a"))).toEqual(["ERASED", "ERASED", "ERASED", "ACTIVE"])
  await it.reshare(vault, target, target)
  await it.settle()
  await checkUp(it, vault, target, "b", "a")
  const handed = handedTo(it, c)
  await it.online(c)
  await it.settle()
  expect(handed).toHaveLength(1)
  const current = it.node("a").store.groups.active(GROUP)?.epochId
  expect(handed.map((frame) => frame.kind === "checkups" && frame.epochId)).toEqual([current ?? false])
  expect(statuses(c)).toContain("ERASED")
  expect(statuses(c).every((status) => status === "ERASED")).toBe(true)
})

test("check-ups of a group that was made beside another end nothing, and are handed to nobody", async () => {
  await using it = await Simulation.open(["a", "b", "c", "d"])
  const { vault, group } = await it.vault(2, ["a", "b"])
  const recovery = await it.group(vault, "RecoveryGroup", 2, ["c", "d"])
  await it.reshare(vault, group, recovery, { type: "KeyGenFromKeyGroup" })
  await it.settle()
  const handed = it.nodes.map((node) => handedTo(it, node))
  await checkUp(it, vault, recovery, "c", "d")
  for (const node of it.nodes) await it.online(node)
  await it.settle()
  expect(handed).toEqual([[], [], [], []])
  expect(statuses(it.node("a"))).toEqual(["ACTIVE"])
})

test("WaaS hands on nothing before there are enough, and to each node once for each that comes after", async () => {
  await using it = await Simulation.open(["a", "b", "c", "d"])
  const { vault, target } = await reshared(it, ["a", "b"], ["b", "c", "d"], ["a", "b"])
  const handed = handedTo(it, it.node("a"))
  await checkUp(it, vault, target, "c")
  await it.online(it.node("a"))
  await it.settle()
  expect(handed).toHaveLength(0)
  await checkUp(it, vault, target, "d")
  expect(handed).toHaveLength(1)
  await checkUp(it, vault, target, "b")
  expect(handed).toHaveLength(2)
  for (const frame of handed) expect(frame.kind === "checkups" && frame.checkups.length).toBe(2)
})
