/**
 * Two reshares of one group that have no node in common: both are certified, one outranks the other, and no member of either
 * is a member of the other. Everybody ends in the one of highest rank, for each is handed the other's certificate and, where
 * it needs it to verify that, the certificate of the epoch that both were dealt from.
 */
import { expect, setDefaultTimeout, test } from "bun:test"
import { copyFileSync } from "node:fs"
import type { GroupStatus } from "../../src/keys/group.ts"
import type { HolderGroup, TssRequest, Vault } from "../../src/waas/store/model.ts"
import type { ToNode } from "../../src/wire/frames.ts"
import { type Node, Simulation } from "./simulation.ts"

// Real stores and protocols: on a busy machine a test takes a while.
setDefaultTimeout(60_000)

const statuses = (node: Node, groupId: string): readonly GroupStatus[] =>
  [...node.epochs(groupId)].sort((a, b) => a.createdMs - b.createdMs).map(({ status }) => status)

const isAck = (envelope: Uint8Array): boolean => envelope[6] === 3 && envelope[7] === 4

interface Rivals {
  readonly vault: Vault
  readonly group: HolderGroup
  readonly groupId: string
  readonly first: TssRequest
  readonly second: TssRequest
  readonly targets: readonly [HolderGroup, HolderGroup]
  readonly nodes: Readonly<Record<string, Node>>
}

/**
 * The old group is a, b, c, d. From a and b the key goes to e and f; from c and d, later, to g and h. In each, the last one's
 * word is kept back, so that it alone holds the certificate and WaaS gives the request up; both are killed.
 */
async function rivals(it: Simulation): Promise<Rivals> {
  const { vault, group } = await it.generated(2, ["a", "b", "c", "d"])
  const groupId = group.shareGroups[0]?.shareGroupId ?? ""
  const reshare = async (dealers: readonly string[], members: readonly string[]) => {
    const target = await it.group(vault, "MainGroup", 2, members)
    const last = it.node(members[1] ?? "")
    it.passes = (passing) => {
      if (passing.kind === "down" || passing.from !== last) return true
      if (passing.frame.kind === "envelope") return !isAck(passing.frame.envelope)
      return passing.frame.kind !== "report" || passing.frame.status !== 190
    }
    const request = await it.reshare(vault, await it.groupNow(group), target, { dealers })
    await it.settle()
    last.kill()
    it.passes = () => true
    await it.pass(3_600_000)
    expect((await it.request(request)).status).toBe("KeyGeneratingFailed")
    return { request, target }
  }
  const first = await reshare(["a", "b"], ["e", "f"])
  const second = await reshare(["c", "d"], ["g", "h"])
  const nodes = Object.fromEntries(it.nodes.map((node) => [node.name, node]))
  return {
    vault,
    group,
    groupId,
    first: first.request,
    second: second.request,
    targets: [first.target, second.target],
    nodes,
  }
}

const CAST = ["a", "b", "c", "d", "e", "f", "g", "h"]

async function expectSecond(it: Simulation, { vault, groupId, targets, second }: Rivals): Promise<void> {
  const [, winner] = targets
  expect((await it.request(second)).status).toBe("Success")
  expect((await it.groupNow(winner)).shareGroups.map(({ shareGroupId }) => shareGroupId)).toEqual([groupId])
  expect(it.nodes.map((node) => [node.name, node.store.groups.active(groupId) !== undefined])).toEqual(
    CAST.map((name) => [name, name === "g" || name === "h"]),
  )
  const keptShares = it.nodes.filter((node) => node.epochs(groupId).some(({ status }) => status === "SUPERSEDED"))
  expect(keptShares.map(({ name }) => name)).toEqual(["a", "b", "c", "d", "e", "f"])
  expect((await it.sign(vault, winner, ["g", "h"])).status).toBe("Completed")
}

test("the outranked one comes to light last: its members hear of the winner as they report it", async () => {
  await using it = await Simulation.open(CAST)
  const played = await rivals(it)
  const { groupId, nodes, first, targets } = played
  const { e, f, h } = nodes as Record<"e" | "f" | "h", Node>
  await h.start()
  await it.settle()
  // It was told all the same: its dealers had stated what its promise was dealt from.
  expect(statuses(e, groupId)).toEqual(["ERASED", "PREPARED", "ERASED"])
  await f.start()
  await it.settle()
  expect((await it.request(first)).status).toBe("Success")
  expect((await it.groupNow(targets[0])).shareGroups).toEqual([])
  for (const node of [e, f])
    expect([node.name, statuses(node, groupId)]).toEqual([node.name, ["ERASED", "SUPERSEDED", "ERASED"]])
  await expectSecond(it, played)
})

test("the winner comes to light last: members of the other one, online as it does, hear of it at once", async () => {
  await using it = await Simulation.open(CAST)
  const played = await rivals(it)
  const { vault, groupId, nodes, targets } = played
  const { e, f, h } = nodes as Record<"e" | "f" | "h", Node>
  await f.start()
  await it.settle()
  expect((await it.sign(vault, targets[0], ["e", "f"])).status).toBe("Completed")
  const handed: ToNode[] = []
  it.passes = (passing) => {
    if (passing.kind === "down" && passing.to === e && passing.frame.kind === "succession") handed.push(passing.frame)
    return true
  }
  await h.start()
  await it.settle()
  expect(handed.length).toBeGreaterThan(0)
  expect(statuses(e, groupId)).toEqual(["ERASED", "SUPERSEDED", "ERASED"])
  await expectSecond(it, played)
  // A WaaS that lost its mind finds nobody who signs for the other one.
  const lost = { ...targets[0], status: "Valid" as const, shareGroups: played.group.shareGroups }
  await it.store.commit([{ put: "group", record: lost }])
  expect((await it.sign(vault, lost, ["e", "f"])).status).toBe("Failed")
})

test("offline as both come to light, and through restarts of WaaS: told at the next connection", async () => {
  await using it = await Simulation.open(CAST)
  const played = await rivals(it)
  const { groupId, nodes } = played
  const { e, f, h } = nodes as Record<"e" | "f" | "h", Node>
  await f.start()
  await it.settle()
  f.kill()
  e.kill()
  await it.restartWaas()
  await h.start()
  await it.settle()
  await it.restartWaas()
  expect(statuses(it.node("a"), groupId)).toEqual(["SUPERSEDED", "ERASED", "ERASED"])
  for (const node of [e, f]) {
    await node.start()
    await it.settle()
    expect(statuses(node, groupId)).toEqual(["ERASED", "SUPERSEDED", "ERASED"])
  }
  await expectSecond(it, played)
})

test("a member of the outranked one dies at each step of learning that, and is told again", async () => {
  await using it = await Simulation.open(CAST)
  const played = await rivals(it)
  const { groupId, nodes } = played
  const { e, f, h } = nodes as Record<"e" | "f" | "h", Node>
  const before = e.copy("before.db")
  for (const node of [f, h, e]) {
    await node.start()
    await it.settle()
  }
  const steps = e.steps.length
  // Its own epoch, the one that this was dealt from, and the other that was dealt from that.
  expect(e.steps.filter((step) => step === "activate").length).toBe(3)
  for (let step = 1; step <= steps; step++) {
    for (const when of ["before", "after"] as const) {
      e.kill()
      copyFileSync(before, e.db)
      e.dies = { step, when }
      await e.start()
      await it.settle()
      expect(e.up).toBe(false)
      await e.start()
      await it.settle()
      expect([step, when, statuses(e, groupId)]).toEqual([step, when, ["ERASED", "SUPERSEDED", "ERASED"]])
    }
  }
  await expectSecond(it, played)
})

test("what comes after the winner reaches them too, and its check-ups end the shares of the outranked epoch", async () => {
  await using it = await Simulation.open(CAST)
  const played = await rivals(it)
  const { vault, groupId, nodes, targets } = played
  const { e, f, h } = nodes as Record<"e" | "f" | "h", Node>
  await h.start()
  await f.start()
  await it.settle()
  e.kill()
  await it.reshare(vault, targets[1], targets[1])
  await it.settle()
  for (const name of ["g", "h"]) {
    const nodeId = it.node(name).nodeId
    const group = await it.groupNow(targets[1])
    const of = { vault, group, nodeId, message: "0x00", description: "", deadlineMs: it.clock.nowMs + 60_000 }
    await it.engine.createShareSignRequest(of)
    await it.settle()
  }
  expect(statuses(f, groupId)).toEqual(["ERASED", "ERASED", "ERASED", "ERASED"])
  await e.start()
  await it.settle()
  expect(statuses(e, groupId)).toEqual(["ERASED", "ERASED", "ERASED", "ERASED"])
})

test("a member of one that never comes to light learns of the winner too, and gives up what it promised by its check-ups", async () => {
  await using it = await Simulation.open(CAST)
  const played = await rivals(it)
  const { vault, groupId, nodes, targets } = played
  const { e, h } = nodes as Record<"e" | "h", Node>
  await h.start()
  await it.settle()
  expect(statuses(e, groupId)).toEqual(["ERASED", "PREPARED", "ERASED"])
  for (const name of ["g", "h"]) {
    const nodeId = it.node(name).nodeId
    const group = await it.groupNow(targets[1])
    const of = { vault, group, nodeId, message: "0x00", description: "", deadlineMs: it.clock.nowMs + 60_000 }
    await it.engine.createShareSignRequest(of)
    await it.settle()
  }
  expect(statuses(e, groupId)).toEqual(["ERASED", "ERASED", "ERASED"])
})

test("one that is still at it hears of the winner too, and takes its own epoch for outranked as that comes to light", async () => {
  await using it = await Simulation.open(CAST)
  const { vault, group } = await it.generated(2, ["a", "b", "c", "d"])
  const groupId = group.shareGroups[0]?.shareGroupId ?? ""
  const { e, f } = { e: it.node("e"), f: it.node("f") }
  const target = await it.group(vault, "MainGroup", 2, ["e", "f"])
  // f alone has the certificate, and e does not hear that WaaS has given it up.
  it.passes = (passing) => {
    if (passing.kind === "down") return passing.to !== e || passing.frame.kind !== "cancel"
    if (passing.from !== f) return true
    if (passing.frame.kind === "envelope") return !isAck(passing.frame.envelope)
    return passing.frame.kind !== "report" || passing.frame.status !== 190
  }
  const first = await it.reshare(vault, group, target, { dealers: ["a", "b"] })
  await it.settle()
  f.kill()
  await it.engine.cancelTssRequest(first.tssRequestId)
  await it.settle()
  const other = await it.group(vault, "MainGroup", 2, ["g", "h"])
  const second = await it.reshare(vault, group, other, { dealers: ["c", "d"] })
  await it.settle()
  expect((await it.request(second)).status).toBe("Success")
  expect(statuses(e, groupId)).toEqual(["ERASED", "PREPARED", "ERASED"])
  it.passes = () => true
  await f.start()
  await it.settle()
  expect((await it.request(first)).status).toBe("Success")
  for (const node of [e, f]) expect(statuses(node, groupId)).toEqual(["ERASED", "SUPERSEDED", "ERASED"])
  expect((await it.sign(vault, other, ["g", "h"])).status).toBe("Completed")
})

test("a bystander that is online hears of a reshare at once, and only what it lacks", async () => {
  await using it = await Simulation.open(["a", "b", "c", "d"])
  const { vault, group } = await it.vault(2, ["a", "b", "c"])
  const target = await it.group(vault, "MainGroup", 2, ["a", "d"])
  const handed: string[] = []
  it.passes = (passing) => {
    if (passing.kind === "down" && passing.frame.kind === "succession") handed.push(passing.to.name)
    return true
  }
  await it.reshare(vault, group, target, { dealers: ["a", "b"] })
  await it.settle()
  expect(statuses(it.node("c"), "EdwardsEdwardsEdward")).toEqual(["SUPERSEDED", "ERASED"])
  // Participants came to the end of it by themselves.
  expect(handed).toEqual(["c"])
})

test("a certificate dated beyond tomorrow ends nothing yet: it would outrank all that is made until then", async () => {
  await using it = await Simulation.open(["a", "b", "c"])
  const { vault, group } = await it.vault(2, ["a", "b", "c"])
  const target = await it.group(vault, "MainGroup", 2, ["a", "b"])
  const c = it.node("c")
  c.skewMs = -25 * 3_600_000
  await it.reshare(vault, group, target, { dealers: ["a", "b"] })
  await it.settle()
  expect(statuses(c, "EdwardsEdwardsEdward")).toEqual(["ACTIVE"])
  c.skewMs = -23 * 3_600_000
  await it.online(c)
  await it.settle()
  expect(statuses(c, "EdwardsEdwardsEdward")).toEqual(["SUPERSEDED", "ERASED"])
})

test("a node that was put back to before a reshare that it took part in is told of it again, and signs no more", async () => {
  await using it = await Simulation.open(["a", "b", "c"])
  const { vault, group } = await it.generated(2, ["a", "b", "c"])
  const groupId = group.shareGroups[0]?.shareGroupId ?? ""
  const c = it.node("c")
  const before = c.copy("before.db")
  await c.start()
  await it.reshare(vault, group, group, { dealers: ["a", "b"] })
  await it.settle()
  expect(statuses(c, groupId)).toEqual(["SUPERSEDED", "ACTIVE"])
  await c.restore(before)
  await it.settle()
  expect(statuses(c, groupId)).toEqual(["SUPERSEDED", "ERASED"])
  expect((await it.sign(vault, group, ["b", "c"])).reason).toContain("E-TSK-006")
  expect((await it.sign(vault, group, ["a", "b"])).status).toBe("Completed")
  // It counts as lost, until the next reshare gives it a share again.
  await it.reshare(vault, group, group, { dealers: ["a", "b"] })
  await it.settle()
  expect((await it.sign(vault, group, ["b", "c"])).status).toBe("Completed")
})

test("also one that was put back to the middle of that reshare, and would wait for its next attempt", async () => {
  await using it = await Simulation.open(["a", "b", "c"])
  const { vault, group } = await it.generated(2, ["a", "b", "c"])
  const groupId = group.shareGroups[0]?.shareGroupId ?? ""
  const c = it.node("c")
  it.passes = ({ frame }) => frame.kind !== "envelope"
  const request = await it.reshare(vault, group, group, { dealers: ["a", "b"] })
  await it.settle()
  expect(c.steps).toContain("startSession")
  const before = c.copy("middle.db")
  it.passes = () => true
  await c.start()
  for (let n = 0; n < 6; n++) await it.pass(20_000)
  expect((await it.request(request)).status).toBe("Success")
  expect(statuses(c, groupId)).toEqual(["SUPERSEDED", "ACTIVE"])
  await c.restore(before)
  await it.settle()
  expect(statuses(c, groupId)).toEqual(["SUPERSEDED", "ERASED"])
})
