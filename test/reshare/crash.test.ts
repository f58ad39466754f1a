/**
 * Every node of a reshare dies before and after each of its durable steps and comes back from its file: a dealer that leaves,
 * a dealer that stays, a member that comes. The key is never lost, one epoch signs, and old and new shares never mix.
 */
import { expect, setDefaultTimeout, test } from "bun:test"
import type { GroupStatus } from "../../src/keys/group.ts"
import { type DeathAt, type Node, Simulation } from "./simulation.ts"

// Real stores and protocols: on a busy machine a test takes a while.
setDefaultTimeout(60_000)

const LONG = process.env["COSIGNER_LONG"] === "1"
const GROUP = "EdwardsEdwardsEdward"
const ROLES = ["leaves", "stays", "comes"] as const
type Role = (typeof ROLES)[number]

interface Rehearsal {
  readonly it: Simulation
  readonly run: () => Promise<void>
}

async function rehearse(): Promise<Rehearsal> {
  const it = await Simulation.open(["leaves", "stays", "comes"])
  const { vault, group } = await it.vault(2, ["leaves", "stays"])
  const target = await it.group(vault, "MainGroup", 2, ["stays", "comes"])
  const run = async (): Promise<void> => {
    const request = await it.reshare(vault, group, target)
    for (let round = 0; round < 6; round++) {
      await it.settle()
      for (const node of it.nodes) if (!node.up) await node.start()
      await it.settle()
      // Beyond the patience of a session, and of WaaS with an attempt, before the end.
      await it.pass(20_000)
    }
    it.restartAfter = undefined
    expect(await it.request(request)).toMatchObject({ status: "Success", reason: "" })
    expectOneEpoch(it.nodes)
    expect((await it.sign(vault, target, ["stays", "comes"])).status).toBe("Completed")
    expect(current(it.node("stays"))).toEqual(["ACTIVE"])
    // An epoch that was promised in an attempt before stays if it would outrank this one; nothing else does.
    expect(rest(it.node("stays"))).not.toContain("SUPERSEDED")
    expect(
      (await it.sign(vault, { ...group, shareGroups: group.shareGroups }, ["leaves", "stays"]).catch(() => undefined))
        ?.status,
    ).not.toBe("Completed")
  }
  return { it, run }
}

const current = (node: Node): readonly GroupStatus[] =>
  node.epochs(GROUP).flatMap(({ status }) => (status === "ACTIVE" ? [status] : []))

const rest = (node: Node): readonly GroupStatus[] => node.epochs(GROUP).map(({ status }) => status)

function expectOneEpoch(nodes: readonly Node[]): void {
  const active = nodes.map((node) => node.store.groups.active(GROUP))
  const ids = new Set(
    active.flatMap((group) => (group === undefined ? [] : [Buffer.from(group.epochId).toString("hex")])),
  )
  expect(ids.size).toBe(1)
  expect(nodes.map((node) => [node.name, current(node).length])).toEqual([
    ["leaves", 0],
    ["stays", 1],
    ["comes", 1],
  ])
  // Who leaves keeps its old share until the new epoch's use was seen; who stays has both; nothing that was acked is gone.
  for (const node of nodes) {
    for (const { status, epochId } of node.epochs(GROUP)) {
      if (status === "ERASED") continue
      node.store.groups.open(GROUP, epochId).share.wipe()
    }
  }
}

/** The durable steps of each role in an undisturbed reshare. */
async function stepsOf(): Promise<ReadonlyMap<Role, readonly string[]>> {
  const { it, run } = await rehearse()
  await using _ = it
  const steps = new Map<Role, readonly string[]>()
  const upTo = it.nodes.map((node) => node.steps.length)
  await run()
  for (const [i, role] of ROLES.entries()) {
    const all = it.node(role).steps.slice(upTo[i])
    // Up to the end of the reshare: what comes after it are the steps of the signatures.
    steps.set(role, all.slice(0, all.indexOf("delivered") + 1))
  }
  return steps
}

const steps = await stepsOf()

test("each role records what it promises before it promises it", () => {
  const course = (record: string) => ["claim", "approve", "startSession", record, "activate", "finish", "delivered"]
  expect(steps.get("leaves")).toEqual(course("acknowledge"))
  expect(steps.get("stays")).toEqual(course("prepare"))
  expect(steps.get("comes")).toEqual(course("prepare"))
})

for (const role of ROLES) {
  for (const [index, name] of (steps.get(role) ?? []).entries()) {
    for (const when of ["before", "after"] as const satisfies readonly DeathAt["when"][]) {
      // Before one step is after the last, but for what was sent in between: the short run has those that matter.
      if (!LONG && when === "before" && !["prepare", "acknowledge", "activate", "finish"].includes(name)) continue
      test(`the one that ${role} dies ${when} ${name}`, async () => {
        const { it, run } = await rehearse()
        await using _ = it
        it.node(role).dies = { step: it.node(role).steps.length + index + 1, when }
        await run()
        expect(it.node(role).dies).toBeUndefined()
      })
    }
  }
}

if (LONG) {
  for (const first of ROLES) {
    for (const second of ROLES) {
      if (first === second) continue
      test(`${first} and ${second} die at every pair of steps`, async () => {
        for (const i of (steps.get(first) ?? []).keys()) {
          for (const j of (steps.get(second) ?? []).keys()) {
            const { it, run } = await rehearse()
            await using _ = it
            it.node(first).dies = { step: it.node(first).steps.length + i + 1, when: "after" }
            it.node(second).dies = { step: it.node(second).steps.length + j + 1, when: "before" }
            await run()
          }
        }
      }, 600_000)
    }
  }
}

test("WaaS dies after every so many frames and comes back from its file", async () => {
  for (let after = 1; after < 60; after += LONG ? 1 : 7) {
    const { it, run } = await rehearse()
    await using _ = it
    it.restartAfter = after
    await run()
  }
}, 120_000)

const isAck = (envelope: Uint8Array): boolean => envelope[6] === 3 && envelope[7] === 4

test("the only one that has the certificate dies before its journal says so: the reshare is done when it comes back", async () => {
  for (const role of ROLES) {
    await using it = await Simulation.open(ROLES)
    const { vault, group } = await it.vault(2, ["leaves", "stays"])
    const target = await it.group(vault, "MainGroup", 2, ["stays", "comes"])
    const keeper = it.node(role)
    it.passes = (passing) =>
      passing.kind === "down" ||
      passing.from !== keeper ||
      passing.frame.kind !== "envelope" ||
      !isAck(passing.frame.envelope)
    const index = (steps.get(role) ?? []).indexOf("activate")
    keeper.dies = { step: keeper.steps.length + index + 1, when: "after" }
    const request = await it.reshare(vault, group, target)
    await it.settle()
    expect(keeper.up).toBe(false)
    // WaaS gives it up meanwhile; a certificate is true whenever it comes.
    if (role === "leaves") await it.pass(3_600_000)
    it.passes = () => true
    await keeper.start()
    // The others may wait for its ack still; WaaS says again what they need.
    await it.pass(6_000)
    expect(await it.request(request)).toMatchObject({ status: "Success", reason: "" })
    expectOneEpoch(it.nodes)
    expect((await it.sign(vault, target, ["stays", "comes"])).status).toBe("Completed")
  }
})

test("a node that dies between the certificate of a key generation and its journal takes nothing from the key", async () => {
  await using it = await Simulation.open(["a", "b"])
  const a = it.node("a")
  a.dies = { step: a.steps.length + (steps.get("stays") ?? []).indexOf("activate") + 1, when: "after" }
  const { vault, group } = await it.generated(2, ["a", "b"])
  expect([a.up, group.status]).toEqual([false, "New"])
  await a.start()
  await it.settle()
  expect((await it.groupNow(group)).status).toBe("Valid")
  expect((await it.sign(vault, group, ["a", "b"])).status).toBe("Completed")
})

test("of a refresh too: no other attempt is made of what is certified already", async () => {
  await using it = await Simulation.open(["a", "b", "c"])
  const { vault, group } = await it.vault(2, ["a", "b", "c"])
  const a = it.node("a")
  it.passes = (passing) =>
    passing.kind === "down" || passing.from !== a || passing.frame.kind !== "envelope" || !isAck(passing.frame.envelope)
  a.dies = { step: a.steps.length + (steps.get("stays") ?? []).indexOf("activate") + 1, when: "after" }
  const request = await it.reshare(vault, group, group)
  await it.settle()
  expect(a.up).toBe(false)
  it.passes = () => true
  await a.start()
  await it.pass(6_000)
  expect((await it.request(request)).status).toBe("Success")
  expect((await it.store.task(request.taskIds[0] ?? ""))?.attempt).toBe(1)
  for (const pair of [
    ["a", "b"],
    ["b", "c"],
  ])
    expect((await it.sign(vault, group, pair)).status).toBe("Completed")
})
