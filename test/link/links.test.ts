/** One node and several replicas of one WaaS, over real connections. */
import { describe, expect, setDefaultTimeout, test } from "bun:test"
import type { Concerns } from "../../src/link/link.ts"
import type { FromNode, ToNode } from "../../src/wire/frames.ts"
import type { FencingToken } from "../../src/wire/hello.ts"
import { signToken, type WaasToken } from "../../src/wire/waasToken.ts"
import { type Identity, newIdentity } from "../wire/documents.ts"
import { envelope, later, readiness } from "../wire/said.ts"
import { heard, stage } from "./stage.ts"
import {
  type Node,
  type NodeOptions,
  numbered,
  QUICK,
  startWaas,
  type Waas,
  type WaasOptions,
  type Wire,
} from "./world.ts"

setDefaultTimeout(20_000)

const { aWaas, aNode: nodeOn, aWire } = stage()

const replica = (identity: Identity, options?: WaasOptions): Waas => aWaas({ identity, ...options })

function replicas(options?: WaasOptions): readonly [Waas, Waas, Waas] {
  const identity = newIdentity()
  return [replica(identity, options), replica(identity, options), replica(identity, options)]
}

const urlOf = ({ port }: { readonly port: number }): string => `ws://127.0.0.1:${port}/ws`

/** A command of WaaS about a task, as far as a link can tell. */
const command = (taskId: string): ToNode => ({ kind: "certificate", taskId, acks: [new Uint8Array(1)] })

interface LinkedNode extends Node {
  readonly isFirst: boolean[]
  readonly said: Concerns[]
}

/** Commanded by every certificate: what it says of tasks goes back to where that came from. */
function aNode(
  [first, ...others]: readonly { readonly identity: Identity; readonly port: number }[],
  options?: NodeOptions,
) {
  if (first === undefined) throw new Error("no replica")
  const isFirst: boolean[] = []
  const said: Concerns[] = []
  const node: Node = nodeOn(first, {
    others: others.map(urlOf),
    ...options,
    handlers: {
      onFrame: (frame) => {
        if (frame.kind === "certificate") node.link.commanded(frame.taskId)
      },
      onOnline: (_peer, cameUp) => void isFirst.push(cameUp.isFirst),
      onWritable: (concerns) => void said.push(concerns),
    },
  })
  return { ...node, isFirst, said } satisfies LinkedNode
}

const linked = (node: Node, ...all: readonly Waas[]): Promise<unknown> =>
  Promise.all([
    node.online(all.length),
    ...all.map((waas) => waas.journal.until(() => waas.relay.online().has(node.identity.party))),
  ])

const hears = (waas: Waas, ...kinds: readonly FromNode["kind"][]): Promise<void> =>
  waas.journal.until(() => kinds.every((kind) => heard(waas).some((frame) => frame.kind === kind)))

/** Until it has heard everything that was said to it before: the mark goes to all, behind what went to one. */
async function settled(node: Node, ...all: readonly Waas[]): Promise<void> {
  node.link.send(readiness)
  await Promise.all(all.map((waas) => hears(waas, "readiness")))
}

async function commandedBy(waas: Waas, node: Node, taskId: string): Promise<void> {
  const before = node.frames().length
  waas.relay.send(node.identity.party, command(taskId))
  await node.journal.until(() => node.frames().length > before)
}

describe("several replicas at one time", () => {
  test("each has a link, and what is said of a task goes to the one that commanded last", async () => {
    const [a, b, c] = replicas()
    const node = aNode([a, b, c])
    await linked(node, a, b, c)
    expect(node.isFirst).toEqual([true, false, false])
    expect(node.link.state()).toMatchObject({ phase: "online", connections: 3 })
    expect(node.link.state().replicas.map(({ url, phase, awayMs }) => [url, phase, awayMs])).toEqual(
      [a, b, c].map((waas) => [urlOf(waas), "online", undefined]),
    )
    await commandedBy(b, node, "task-1")
    node.link.send(later("task-1"))
    node.link.send(envelope("task-1"))
    await commandedBy(c, node, "task-1")
    node.link.send(later("task-1"))
    node.link.send(later("task-2"))
    await settled(node, a, b, c)
    expect(
      [a, b, c].map((waas) => heard(waas).map((frame) => ("taskId" in frame ? frame.taskId : frame.kind))),
    ).toEqual([
      ["task-2", "readiness"],
      ["task-1", "task-1", "task-2", "readiness"],
      ["task-1", "task-2", "readiness"],
    ])
  })

  test("a replica that is lost: the others are told of its tasks, and the node is online all the time", async () => {
    const [a, b, c] = replicas()
    const node = aNode([a, b, c])
    await linked(node, a, b, c)
    await commandedBy(a, node, "task-1")
    await commandedBy(b, node, "task-2")
    await a.stop()
    await node.journal.until(() => node.said.length === 1)
    expect(["task-1", "task-2", "task-3"].map((task) => node.said[0]?.(task))).toEqual([true, false, false])
    node.link.send(later("task-1"))
    await Promise.all([hears(b, "later"), hears(c, "later")])
    expect(node.link.state().phase).toBe("online")
    expect(node.journal.entries.some(({ kind }) => kind === "offline")).toBe(false)
    // When it is back, it is told of its own tasks, and of no other's.
    const back = replica(a.identity, { port: a.port })
    await linked(node, back)
    await node.online(4)
    expect(node.isFirst).toEqual([true, false, false, false])
    expect(node.link.state().replicas[0]).toMatchObject({ phase: "online", failures: 0 })
  })

  test("the node is offline once no link is up, and online with the first that comes back", async () => {
    const [a, b, c] = replicas()
    const node = aNode([a, b, c])
    await linked(node, a, b, c)
    for (const waas of [a, b, c]) await waas.stop()
    await node.journal.until((all) => all.some(({ kind }) => kind === "offline"))
    expect(node.link.state().phase).not.toBe("online")
    node.link.send(later("task-1"))
    const back = replica(a.identity, { port: b.port })
    await node.online(4)
    expect(node.isFirst).toEqual([true, false, false, true])
    expect(node.journal.entries.filter(({ kind }) => kind === "offline").length).toBe(1)
    // It waited where nobody came back: with a task it is said again, and goes to who is there.
    node.link.send(later("task-1"))
    await hears(back, "later")
  })

  test("lines say which replica they are about", async () => {
    const [a, b, c] = replicas()
    const node = aNode([a, b, c])
    await linked(node, a, b, c)
    const lines = node.journal.entries.flatMap((one) => (one.kind === "line" ? [one.line] : []))
    const up = lines.filter(({ message }) => message === "[Websocket.Client] connected.")
    expect(new Set(up.map(({ fields }) => fields["waas"]))).toEqual(new Set([a, b, c].map(urlOf)))
  })

  test("what a node takes back is taken back from every link, and it trusts one key on all", async () => {
    const [a, b, c] = replicas()
    const wires: Wire[] = []
    for (const waas of [a, b, c]) {
      wires.push(await aWire(waas))
    }
    const node = aNode(wires.map(({ port }) => ({ identity: a.identity, port })))
    await linked(node, a, b, c)
    for (const waas of [a, b, c]) await commandedBy(waas, node, `task-${waas.port}`)
    for (const wire of wires) wire.swallow()
    for (const { port } of [a, b, c]) node.link.send(envelope(`task-${port}`, numbered(1, 50)))
    node.link.withdraw(() => true)
    expect(node.link.state().replicas.map(({ lastError }) => lastError?.code)).toEqual(
      Array.from({ length: 3 }, () => "E-FRZ-005"),
    )
    while (wires.some((wire) => wire.connections() < 2)) await new Promise((resolve) => setImmediate(resolve))
    for (const wire of wires) {
      wire.swallow(false)
      wire.cut()
    }
    await Promise.all([a, b, c].map((waas) => hears(waas, "envelope")))
    for (const waas of [a, b, c]) expect(heard(waas)).toEqual([envelope(`task-${waas.port}`)])
    node.link.trust(newIdentity().publicKey)
    await node.journal.until(() => node.link.state().replicas.every(({ lastError }) => lastError?.code === "E-LNK-004"))
    node.link.stop()
    expect(node.link.state().replicas.map(({ phase }) => phase)).toEqual(["stopped", "stopped", "stopped"])
  })
})

describe("the fencing token", () => {
  test("proofs that are under way at one time say the same one, the next says the newest", async () => {
    const told: number[] = []
    const gates = [0, 1, 2].map(() => Promise.withResolvers<"newest">())
    const identity = newIdentity()
    const [a, b, c] = gates.map(({ promise }) =>
      replica(identity, {
        async admitFencingToken(_party, { generation }: FencingToken) {
          told.push(generation)
          return promise
        },
      }),
    )
    let generation = 10
    const bootId = new Uint8Array(16).fill(1)
    // Each look at the store finds a commit more.
    const fencingToken = () => ({ incarnation: 1, boot: 1, bootId, generation: generation++ })
    if (a === undefined || b === undefined || c === undefined) throw new Error("three replicas")
    const node = aNode([a, b, c], { fencingToken, timing: { ...QUICK, handshakeMs: 15_000 } })
    while (told.length < 3) await new Promise((resolve) => setImmediate(resolve))
    expect(told).toEqual([10, 10, 10])
    gates[1]?.resolve("newest")
    await linked(node, b)
    // One that is cut off while others wait says what those said.
    b.relay.forget(node.identity.party)
    while (told.length < 4) await new Promise((resolve) => setImmediate(resolve))
    expect(told).toEqual([10, 10, 10, 10])
    for (const gate of gates) gate.resolve("newest")
    await Promise.all([node.online(4), linked(node, a)])
    a.relay.forget(node.identity.party)
    while (told.length < 5) await new Promise((resolve) => setImmediate(resolve))
    expect(told).toEqual([10, 10, 10, 10, 11])
  })

  test("a proof that was never answered holds nobody to it", async () => {
    const told: number[] = []
    const identity = newIdentity()
    const never = replica(identity, { admitFencingToken: () => new Promise(() => {}) })
    const good = replica(identity, {
      async admitFencingToken(_party, token: FencingToken) {
        told.push(token.generation)
        return "newest"
      },
    })
    let generation = 10
    const bootId = new Uint8Array(16).fill(1)
    const fencingToken = () => ({ incarnation: 1, boot: 1, bootId, generation: generation++ })
    const node = aNode([never, good], { fencingToken, timing: { ...QUICK, handshakeMs: 30, backoffMs: 2_000 } })
    await linked(node, good)
    await node.ended("E-LNK-003")
    good.relay.forget(node.identity.party)
    await node.online(2)
    expect([told[0], (told[1] ?? 0) > 10]).toEqual([10, true])
  })
})

describe("two addresses of one process", () => {
  const waits = (node: Node): readonly unknown[] =>
    node.link.state().replicas.map(({ phase, lastError }) => [phase, lastError?.code])

  test("the earlier one has it, the later one waits and takes over when that is lost", async () => {
    const waas = replica(newIdentity())
    const [first, second] = [await aWire(waas), await aWire(waas)]
    const node = aNode([first, second].map(({ port }) => ({ identity: waas.identity, port })))
    const settles = () =>
      node.journal.until(
        () =>
          node.link.state().replicas[0]?.phase === "online" &&
          node.link.state().replicas[1]?.phase === "waiting" &&
          node.link.state().replicas[1]?.lastError?.code === "E-LNK-028",
      )
    await settles()
    // The later one is not dialled any more: ten of its longest pauses.
    const dialled = second.connections()
    await new Promise((resolve) => setTimeout(resolve, 10 * QUICK.backoffCapMs))
    expect([second.connections(), waits(node)[1]]).toEqual([dialled, ["waiting", "E-LNK-028"]])
    // What WaaS says is heard, and is answered.
    await commandedBy(waas, node, "task-1")
    node.link.send(later("task-1"))
    await hears(waas, "later")
    await first.close()
    await node.journal.until(() => node.link.state().replicas[1]?.phase === "online")
  })

  test("the later one keeps it where the earlier one has been away for a while", async () => {
    const waas = replica(newIdentity())
    const [first, second] = [await aWire(waas), await aWire(waas)]
    second.swallow()
    const timing = { ...QUICK, handshakeMs: 100 }
    const node = aNode(
      [first, second].map(({ port }) => ({ identity: waas.identity, port })),
      { timing },
    )
    await linked(node, waas)
    await first.close()
    while ((node.link.state().replicas[0]?.awayMs ?? 0) < 10 * QUICK.backoffMs) await Bun.sleep(5)
    second.swallow(false)
    second.cut()
    await node.online(2)
    expect(waits(node)[1]).toEqual(["online", expect.not.stringContaining("E-LNK-028")])
  })
})

describe("how soon a replica that is away is dialled", () => {
  const pauses = (node: Node, waas: { readonly port: number }): readonly unknown[] =>
    node.journal.entries.flatMap((one) =>
      one.kind === "line" && one.line.fields["waas"] === urlOf(waas) && "retryInMs" in one.line.fields
        ? [one.line.fields["retryInMs"]]
        : [],
    )
  const gone = { identity: newIdentity(), port: 1 }
  const jitter = () => 0.999_999

  test("in haste for a while, and then as any that is gone, also while work waits", async () => {
    const waas = replica(newIdentity())
    const timing = { ...QUICK, backoffMs: 1, waitedForCapMs: 2, backoffCapMs: 30 }
    const node = aNode([waas, gone], { timing, jitter, isWaitedFor: () => true })
    await node.journal.until(() => pauses(node, gone).length >= 30)
    expect(pauses(node, gone).slice(0, 30)).toEqual([1, ...Array(23).fill(2), ...Array(6).fill(30)])
  })

  test("in haste as long as no replica is there", async () => {
    const timing = { ...QUICK, backoffMs: 1, waitedForCapMs: 2, backoffCapMs: 60_000 }
    const node = aNode([gone, { ...gone, port: 2 }], { timing, jitter })
    await node.journal.until(() => pauses(node, gone).length >= 40)
    expect(pauses(node, gone).slice(1)).not.toContain(60_000)
  })

  test("at once when the last one that was there is lost", async () => {
    const waas = startWaas()
    const timing = { ...QUICK, backoffMs: 1, waitedForCapMs: 2, backoffCapMs: 60_000 }
    const node = aNode([waas, gone], { timing, jitter })
    await node.journal.until(() => pauses(node, gone).at(-1) === 60_000)
    const before = pauses(node, gone).length
    await waas.stop()
    await node.journal.until(() => pauses(node, gone).length > before)
  })

  test("one that shows an older mark of its WaaS is dialled again from the first pause, once", async () => {
    const identity = newIdentity()
    const tokenAt = (mark: number) => {
      const token: WaasToken = { incarnation: 1, mark, markId: new Uint8Array(16).fill(mark) }
      return signToken(identity, token)
    }
    const dead = startWaas({ identity })
    await dead.stop()
    const timing = { ...QUICK, backoffMs: 1, waitedForCapMs: 64, backoffCapMs: 64 }
    const followed = { latest: () => tokenAt(9), follow() {} }
    const node = aNode([dead, gone], { timing, jitter, followed })
    await node.journal.until(() => pauses(node, dead).length >= 5)
    replica(identity, {
      port: dead.port,
      fence: { token: async () => tokenAt(8), shown: async () => false, isFenced: () => false },
    })
    await node.journal.until(() => node.link.state().replicas[0]?.lastError?.code === "E-LNK-022")
    const before = pauses(node, dead).length
    await node.journal.until(() => pauses(node, dead).length >= before + 2)
    expect(pauses(node, dead).slice(before - 1, before + 2)).toEqual([1, 2, 4])
  })
})
