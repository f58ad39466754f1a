/** Reshares from the request at WaaS to the signature under the new epoch, with real stores on both sides. */
import { expect, setDefaultTimeout, test } from "bun:test"
import { equal, toHex } from "../../src/bytes.ts"
import { curveNamed } from "../../src/crypto/curve.ts"
import { lagrange } from "../../src/crypto/shamir.ts"
import type { GroupStatus } from "../../src/keys/group.ts"
import { memberOf } from "../../src/keys/group.ts"
import { type Node, Simulation } from "./simulation.ts"

// Real stores and protocols: on a busy machine a test takes a while.
setDefaultTimeout(60_000)

const ED_GROUP = "EdwardsEdwardsEdward"

const statuses = (node: Node, groupId = ED_GROUP): readonly GroupStatus[] =>
  [...node.epochs(groupId)].sort((a, b) => a.createdMs - b.createdMs).map(({ status }) => status)

/** What the ACTIVE shares of these nodes interpolate to. */
function key(nodes: readonly Node[], groupId: string): bigint {
  const shares = nodes.map((node) => {
    const group = node.store.groups.active(groupId)
    if (group === undefined) throw new Error(`${node.name} has no active epoch`)
    using share = node.store.groups.open(groupId, group.epochId).share
    const curve = curveNamed(group.curve)
    const x = memberOf(group, node.party)?.shareId ?? 0n
    return { curve, x, value: curve.decodeScalar(share.expose()) ?? 0n }
  })
  const [first] = shares
  if (first === undefined) return 0n
  const lambdas = lagrange(
    first.curve,
    shares.map(({ x }) => x),
  )
  return first.curve.mod(shares.reduce((sum, { value }, i) => sum + value * (lambdas[i] ?? 0n), 0n))
}

test("a lost node is replaced: one epoch signs, the old one is superseded, then erased by a signature", async () => {
  await using it = await Simulation.open(["a", "b", "c", "d"])
  const { vault, group, dealt } = await it.vault(2, ["a", "b", "c"])
  it.node("c").kill()
  const target = await it.group(vault, "MainGroup", 2, ["a", "b", "d"])
  const request = await it.reshare(vault, group, target)
  await it.settle()
  expect(await it.request(request)).toMatchObject({ status: "Success", code: "", source: { groupId: group.groupId } })
  const now = await it.groupNow(target)
  expect(now).toMatchObject({ status: "Valid", shareGroups: group.shareGroups })
  expect(await it.groupNow(group)).toMatchObject({ status: "Unavailable", shareGroups: [] })
  const [a, b, c, d] = it.nodes as [Node, Node, Node, Node]
  expect([a, b, d].map((node) => statuses(node))).toEqual([
    ["SUPERSEDED", "ACTIVE"],
    ["SUPERSEDED", "ACTIVE"],
    ["ACTIVE"],
  ])
  for (const pair of [
    [a, b],
    [a, d],
    [b, d],
  ])
    expect(key(pair, ED_GROUP)).toBe(dealt[0]?.secretKey ?? 0n)

  expect((await it.sign(vault, target, ["a", "d"])).status).toBe("Completed")
  expect([a, b, d].map((node) => statuses(node))).toEqual([["ERASED", "ACTIVE"], ["SUPERSEDED", "ACTIVE"], ["ACTIVE"]])
  const old = dealt[0]?.group.epochId ?? new Uint8Array(32)
  expect(() => a.store.groups.open(ED_GROUP, old)).toThrow(expect.objectContaining({ code: "E-STO-021" }))

  // The lost one comes back: it proves the news for itself and signs no more, though it took no part.
  await c.start()
  expect(statuses(c)).toEqual(["ACTIVE"])
  await it.settle()
  expect(statuses(c)).toEqual(["SUPERSEDED", "ERASED"])
  expect((await it.sign(vault, { ...target }, ["b", "d"])).status).toBe("Completed")
})

test("old nodes refuse to sign under the old epoch, whatever WaaS says of its group", async () => {
  await using it = await Simulation.open(["a", "b", "c"])
  const { vault, group } = await it.vault(2, ["a", "b"])
  const target = await it.group(vault, "MainGroup", 2, ["b", "c"])
  await it.reshare(vault, group, target)
  await it.settle()
  // A WaaS that has lost its mind, or its database.
  await it.store.commit([{ put: "group", record: group }])
  const asked = await it.sign(vault, group, ["a", "b"])
  expect(asked).toMatchObject({ status: "Failed" })
  expect(asked.reason).toContain("E-TSK-00")
  expect(statuses(it.node("a"))).toEqual(["SUPERSEDED", "ERASED"])
})

test("a refresh: same nodes, new shares, the same groups at WaaS; twice in a row", async () => {
  await using it = await Simulation.open(["a", "b", "c"])
  const { vault, group, dealt } = await it.vault(2, ["a", "b", "c"])
  const epochs = new Set<string>()
  for (let i = 0; i < 2; i++) {
    const request = await it.reshare(vault, group, group, { dealers: ["b", "c"] })
    await it.settle()
    expect((await it.request(request)).status).toBe("Success")
    expect(await it.groupNow(group)).toMatchObject(group)
    for (const node of it.nodes) epochs.add(toHex(node.store.groups.active(ED_GROUP)?.epochId ?? new Uint8Array(0)))
    expect(key([it.node("a"), it.node("c")], ED_GROUP)).toBe(dealt[0]?.secretKey ?? 0n)
    expect((await it.sign(vault, group, ["a", "b"])).status).toBe("Completed")
  }
  expect(epochs.size).toBe(2)
  expect(statuses(it.node("c"))).toEqual(["SUPERSEDED", "SUPERSEDED", "ACTIVE"])
})

test("main makes a recovery group, which makes a new main group when the first is lost; all share one key", async () => {
  await using it = await Simulation.open(["a", "b", "c", "d", "e", "f"])
  const { vault, group, dealt } = await it.vault(2, ["a", "b"])
  const recovery = await it.group(vault, "RecoveryGroup", 2, ["c", "d"])
  await it.reshare(vault, group, recovery, { type: "KeyGenFromKeyGroup" })
  await it.settle()
  const made = await it.groupNow(recovery)
  expect(made.status).toBe("Valid")
  expect(made.shareGroups[0]).toMatchObject({ rootPubkey: group.shareGroups[0]?.rootPubkey })
  expect(made.shareGroups[0]?.shareGroupId).not.toBe(ED_GROUP)
  // extend: the old group lives on.
  expect(statuses(it.node("a"))).toEqual(["ACTIVE"])
  expect((await it.sign(vault, group, ["a", "b"])).status).toBe("Completed")
  expect((await it.sign(vault, recovery, ["c", "d"])).status).toBe("Completed")

  it.node("a").kill()
  const main = await it.group(vault, "MainGroup", 2, ["e", "f"])
  const request = await it.reshare(vault, made, main, { type: "Recovery" })
  await it.settle()
  expect((await it.request(request)).status).toBe("Success")
  expect((await it.groupNow(main)).status).toBe("Valid")
  expect((await it.groupNow(group)).status).toBe("Unavailable")
  expect((await it.groupNow(recovery)).status).toBe("Valid")
  const groupId = (await it.groupNow(main)).shareGroups[0]?.shareGroupId ?? ""
  expect(key([it.node("e"), it.node("f")], groupId)).toBe(dealt[0]?.secretKey ?? 0n)
  expect((await it.sign(vault, main, ["e", "f"])).status).toBe("Completed")
})

test("both curves in one request: each moves by its own certificate", async () => {
  await using it = await Simulation.open(["a", "b", "c"])
  const { vault, group, dealt } = await it.vault(2, ["a", "b"], ["ed25519", "secp256k1"])
  const target = await it.group(vault, "MainGroup", 2, ["b", "c"])
  const request = await it.reshare(vault, group, target)
  expect(request.taskIds).toHaveLength(2)
  await it.settle()
  expect((await it.request(request)).status).toBe("Success")
  for (const { group: old, secretKey } of dealt) {
    expect(key([it.node("b"), it.node("c")], old.groupId)).toBe(secretKey)
  }
  const k1 = it.node("c").store.groups.active("KoblitzKoblitzKoblit")
  if (k1 === undefined) throw new Error("no group")
  const { pairs } = it.node("c").store.groups.open(k1.groupId, k1.epochId)
  expect(pairs.map(({ otAlice, otBob }) => otAlice !== undefined && otBob !== undefined)).toEqual([true])
}, 30_000)

test("one curve through and the other not: each key stays where its nodes have it, and the request made again does the rest", async () => {
  await using it = await Simulation.open(["a", "b", "c"])
  const { vault, group } = await it.vault(2, ["a", "b"], ["ed25519", "secp256k1"])
  const target = await it.group(vault, "MainGroup", 2, ["b", "c"])
  const request = await it.reshare(vault, group, target)
  const [, k1Task] = request.taskIds
  it.passes = ({ frame }) => !(frame.kind === "envelope" && frame.taskId === k1Task)
  await it.settle()
  await it.pass(3_600_000)
  expect((await it.request(request)).status).toBe("KeyGeneratingFailed")
  expect((await it.groupNow(target)).shareGroups.map(({ curve }) => curve)).toEqual(["ED25519"])
  expect((await it.groupNow(group)).shareGroups.map(({ curve }) => curve)).toEqual(["SECP256K1"])
  expect((await it.sign(vault, target, ["b", "c"])).status).toBe("Completed")

  it.passes = () => true
  const again = await it.reshare(vault, group, target)
  expect(again.taskIds).toHaveLength(1)
  await it.settle()
  expect((await it.request(again)).status).toBe("Success")
  expect((await it.groupNow(target)).shareGroups.map(({ curve }) => curve).sort()).toEqual(["ED25519", "SECP256K1"])
  expect((await it.groupNow(group)).status).toBe("Unavailable")
}, 30_000)

test("acks withheld from a member: it is handed the certificate, also long after, and after WaaS was restarted", async () => {
  await using it = await Simulation.open(["a", "b", "c"])
  const { vault, group } = await it.vault(2, ["a", "b"])
  const target = await it.group(vault, "MainGroup", 2, ["b", "c"])
  const request = await it.reshare(vault, group, target)
  const c = it.node("c")
  const isAck = (envelope: Uint8Array): boolean => envelope[6] === 3 && envelope[7] === 4
  it.passes = (passing) =>
    !(
      passing.kind === "down" &&
      passing.to === c &&
      passing.frame.kind === "envelope" &&
      isAck(passing.frame.envelope)
    ) && passing.frame.kind !== "succession"
  await it.settle()
  expect((await it.request(request)).status).toBe("Success")
  expect(statuses(c)).toEqual(["PREPARED"])
  c.kill()
  await it.restartWaas()
  // Past every deadline: the promise has none.
  await it.pass(10 * 86_400_000)
  it.passes = () => true
  await c.start()
  await it.settle()
  expect(statuses(c)).toEqual(["ACTIVE"])
  expect((await it.sign(vault, target, ["b", "c"])).status).toBe("Completed")
})

test("a certificate that comes after WaaS gave the task up completes it, and everybody is told", async () => {
  await using it = await Simulation.open(["a", "b", "c"])
  const { vault, group } = await it.vault(2, ["a", "b"])
  const target = await it.group(vault, "MainGroup", 2, ["b", "c"])
  const request = await it.reshare(vault, group, target)
  // Only a gets the acks, and dies before its report is heard.
  const a = it.node("a")
  const isAck = (envelope: Uint8Array): boolean => envelope[6] === 3 && envelope[7] === 4
  it.passes = (passing) =>
    passing.kind === "down"
      ? passing.to === a || passing.frame.kind !== "envelope" || !isAck(passing.frame.envelope)
      : passing.frame.kind !== "report" || passing.frame.status !== 190
  await it.settle()
  expect(statuses(a)).toEqual(["SUPERSEDED", "ERASED"])
  a.kill()
  await it.pass(3_600_000)
  expect((await it.request(request)).status).toBe("KeyGeneratingFailed")
  expect([it.node("b"), it.node("c")].map((node) => statuses(node))).toEqual([["ACTIVE", "PREPARED"], ["PREPARED"]])

  it.passes = () => true
  await a.start()
  await it.settle()
  expect((await it.request(request)).status).toBe("Success")
  expect([it.node("b"), it.node("c")].map((node) => statuses(node))).toEqual([["SUPERSEDED", "ACTIVE"], ["ACTIVE"]])
  expect((await it.groupNow(target)).status).toBe("Valid")
})

test("a member that fails cannot hold the key: the old epoch signs until there is a certificate, and the next attempt is made", async () => {
  await using it = await Simulation.open(["a", "b", "c", "d"])
  const { vault, group } = await it.vault(2, ["a", "b"])
  const target = await it.group(vault, "MainGroup", 2, ["b", "c"])
  const d = it.node("d")
  const c = it.node("c")
  const isAck = (envelope: Uint8Array): boolean => envelope[6] === 3 && envelope[7] === 4
  // c keeps its ack for itself, and is gone: it alone holds a certificate of the first reshare.
  it.passes = (passing) => {
    if (passing.kind === "down" || passing.from !== c) return true
    if (passing.frame.kind === "envelope") return !isAck(passing.frame.envelope)
    return passing.frame.kind !== "report" || passing.frame.status !== 190
  }
  const first = await it.reshare(vault, group, target)
  await it.settle()
  c.kill()
  await it.pass(3_600_000)
  expect((await it.request(first)).status).toBe("KeyGeneratingFailed")
  expect(statuses(it.node("b"))).toEqual(["ACTIVE", "PREPARED"])
  expect((await it.sign(vault, group, ["a", "b"])).status).toBe("Completed")

  it.passes = () => true
  const other = await it.group(vault, "MainGroup", 2, ["b", "d"])
  const second = await it.reshare(vault, group, other)
  await it.settle()
  expect((await it.request(second)).status).toBe("Success")
  // The promise to the first stays, until the second's use has been seen.
  expect(statuses(it.node("b"))).toEqual(["SUPERSEDED", "PREPARED", "ACTIVE"])
  expect((await it.sign(vault, other, ["b", "d"])).status).toBe("Completed")
  expect(statuses(it.node("b"))).toEqual(["ERASED", "ERASED", "ACTIVE"])
  expect(statuses(d)).toEqual(["ACTIVE"])

  // Weeks later it is back, and shows what it has: true, and outranked. Nothing is lost, and nobody goes back.
  await it.pass(30 * 86_400_000)
  expect(statuses(c)).toEqual(["ACTIVE"])
  await c.start()
  await it.settle()
  expect((await it.request(first)).status).toBe("Success")
  expect(await it.groupNow(other)).toMatchObject({ status: "Valid", shareGroups: [{ shareGroupId: ED_GROUP }] })
  expect((await it.groupNow(target)).shareGroups).toEqual([])
  for (const node of [it.node("b"), d]) expect(statuses(node).at(-1)).toBe("ACTIVE")
  expect((await it.sign(vault, other, ["b", "d"])).status).toBe("Completed")
  expect(
    (await it.sign(vault, { ...target, shareGroups: group.shareGroups }, ["b", "c"]).catch(() => undefined))?.status,
  ).not.toBe("Completed")
})

test("bans end with the epoch, and a banned peer may deal and receive", async () => {
  await using it = await Simulation.open(["a", "b"])
  const { vault, group, dealt } = await it.vault(2, ["a", "b"], ["secp256k1"])
  const [a, b] = it.nodes as [Node, Node]
  const groupId = "KoblitzKoblitzKoblit"
  const epochId = dealt[0]?.group.epochId ?? new Uint8Array(32)
  a.store.bans.add({ groupId, epochId, peer: b.party, reason: "test", sid: new Uint8Array(32), bannedMs: 1 })
  await it.reshare(vault, group, group)
  await it.settle()
  const active = a.store.groups.active(groupId)
  expect(active !== undefined && !equal(active.epochId, epochId)).toBe(true)
  expect(a.store.bans.unusable(groupId, active?.epochId ?? epochId)).toEqual([])
  expect(a.store.bans.unusable(groupId, epochId)).toEqual([b.party])
}, 30_000)
