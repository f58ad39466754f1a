import { describe, expect, setDefaultTimeout, test } from "bun:test"
import { utf8 } from "../../src/bytes.ts"
import type { NodeConnection } from "../../src/waas/relayConnection.ts"
import { CHANNEL_LIMITS } from "../../src/wire/channel.ts"
import type { FromNode, ToNode } from "../../src/wire/frames.ts"
import { encodeFromNode, encodeToNode } from "../../src/wire/framesCodec.ts"
import { prove, type Transcript } from "../../src/wire/hello.ts"
import { nodeIdOf } from "../../src/wire/nodeId.ts"
import { decodePacket, encodePacket, MAX_PACKET_BYTES, type Packet } from "../../src/wire/packets.ts"
import { logTo } from "../support/logTo.ts"
import { type Identity, newIdentity } from "../wire/documents.ts"
import { envelope } from "../wire/said.ts"
import { stage } from "./stage.ts"
import {
  allLines,
  codeOf,
  countOf,
  Journal,
  type Node,
  type NodeOptions,
  numbered,
  numbersOf,
  QUICK,
  startNode,
  startWaas,
  upTo,
  type Waas,
  type Wire,
} from "./world.ts"

setDefaultTimeout(20_000)

const taskId = "7d1e3f0a-0001"
const toNode = (number: number, size = 100): ToNode => ({ kind: "envelope", taskId, envelope: numbered(number, size) })
const fromNode = (number: number, size = 100): FromNode => envelope(taskId, numbered(number, size))

const { onEnd, aWaas, aNode, aWire } = stage()
const through = (wire: Wire, waas: Waas): Pick<Waas, "identity" | "port"> => ({
  identity: waas.identity,
  port: wire.port,
})
const heard = (waas: Waas): FromNode[] =>
  waas.journal.entries.flatMap((one) => (one.kind === "frame" ? [one.frame] : []))
const frameCount = (waas: Waas, count: number): Promise<void> => waas.journal.until(() => heard(waas).length >= count)
const gotCount = (node: Node, count: number): Promise<void> => node.journal.until(() => node.frames().length >= count)
/** Both sides know it: each learns of the other's readiness by a packet of its own. */
const meet = (waas: Waas, node: Node): Promise<unknown> =>
  Promise.all([node.online(), waas.journal.until(() => waas.relay.online().has(node.identity.party))])
const messages = (node: Node): string[] =>
  node.journal.entries.flatMap((one) => (one.kind === "line" && one.line.level !== "trace" ? [one.line.message] : []))
const traced = (node: Node): unknown[] =>
  node.journal.entries.flatMap(({ kind, ...of }) =>
    kind === "line" && "line" in of && of.line.level === "trace" ? [[of.line.message, of.line.fields]] : [],
  )

describe("a link comes up", () => {
  test("frames go both ways, and the lines are those that scripts look for", async () => {
    const waas = aWaas()
    const node = aNode(waas)
    await meet(waas, node)
    expect(node.link.send(fromNode(0))).toBe("queued")
    expect(waas.relay.send(node.identity.party, toNode(0))).toBe("queued")
    await Promise.all([frameCount(waas, 1), gotCount(node, 1)])
    expect(heard(waas)).toEqual([fromNode(0)])
    expect(node.frames()).toEqual([toNode(0)])
    expect(messages(node)).toEqual([
      `WebSocket connecting to ws://127.0.0.1:${waas.port}/ws`,
      "Start to register service",
      "[Websocket.Client] connected.",
      "TSS Node registration accepted",
    ])
    // what passed, and nothing of what it said
    const fields = { kind: "envelope", task: taskId, envelope: "malformed" }
    expect(traced(node)).toEqual([
      ["frame out", { ...fields, bytes: encodeFromNode(fromNode(0)).length, answer: "queued" }],
      ["frame in", { ...fields, bytes: encodeToNode(toNode(0)).length }],
    ])
    const nodeId = nodeIdOf(node.identity.party)
    expect(waas.lines.filter(({ level }) => level === "trace")).toEqual([
      { level: "trace", message: "frame out", fields: { ...fields, nodeId, bytes: encodeToNode(toNode(0)).length } },
      { level: "trace", message: "frame in", fields: { ...fields, nodeId, bytes: encodeFromNode(fromNode(0)).length } },
    ])
    expect(waas.relay.online()).toEqual(new Set([node.identity.party]))
    expect(waas.journal.entries[0]).toEqual({ kind: "online", party: node.identity.party, peer: "first" })
  })

  test("a node with work shows that it lives, one without says nothing between heartbeats", async () => {
    const waas = aWaas()
    let hasWork = false
    const timing = { ...QUICK, pingMs: 60_000, busyPingMs: 10 }
    const node = aNode(waas, { timing, isWaitedFor: () => hasWork })
    await node.online()
    await waas.journal.until((all) => all.some(({ kind }) => kind === "online"))
    const silence = (): number => waas.relay.silentMs(node.identity.party) ?? Number.NaN
    // Fifteen intervals without a word: NaN, were it offline, would end no loop below.
    while (silence() < 150) await new Promise((resolve) => setImmediate(resolve))
    hasWork = true
    // Heard again, and again after that.
    for (let times = 0; times < 3; times++) {
      while (silence() > 5) await new Promise((resolve) => setImmediate(resolve))
      while (silence() <= 5) await new Promise((resolve) => setImmediate(resolve))
    }
    node.link.stop()
    await waas.journal.until((all) => all.at(-1)?.kind === "offline")
    expect(waas.relay.silentMs(node.identity.party)).toBeUndefined()
  })

  test("what a WaaS of before has no words for is said in its own, or not at all", async () => {
    const waas = aWaas()
    const later: FromNode = {
      kind: "later",
      taskId: "task-1",
      digest: "ab".repeat(32),
      type: "KeySign",
      code: "E-TSK-017",
      reason: "full",
    }
    const awaits: FromNode = {
      ...{ kind: "awaits", taskId: "task-1", digest: "ab".repeat(32), epoch: undefined },
      awaited: [{ kind: "request" }],
    }
    const node = aNode(waas)
    // Nobody's version is known yet: WaaS asks again when it is there.
    expect(node.link.send(later)).toBe("queued")
    expect(node.link.send(awaits)).toBe("queued")
    expect(node.link.state().queue.frames).toBe(0)
    await node.online()
    node.link.send(later)
    node.link.send(awaits)
    for (const kind of ["later", "awaits"]) {
      await waas.journal.until((all) => all.some((one) => one.kind === "frame" && one.frame.kind === kind))
    }
  })

  test("the state tells phase, round trip and the offset of the clocks", async () => {
    const waas = aWaas({ clock: () => Date.now() + 71_000 })
    const node = aNode(waas, { timing: { ...QUICK, pingMs: 20 } })
    await node.online()
    const { phase, measured, failures, lastError } = node.link.state()
    expect([phase, failures, lastError]).toEqual(["online", 0, undefined])
    expect(Math.abs((measured?.clockOffsetMs ?? 0) - 71_000)).toBeLessThan(50 + (measured?.rttMs ?? 0))
    // The heartbeat measures again.
    while (node.link.state().measured === measured) await new Promise((resolve) => setImmediate(resolve))
    expect(node.link.state().measured?.rttMs).toBeGreaterThan(0)
    node.link.stop()
    expect(node.link.state().phase).toBe("stopped")
    await waas.journal.until((all) => all.at(-1)?.kind === "offline")
    expect(waas.relay.online().size).toBe(0)
  })

  test("what was sent before there was a connection arrives after", async () => {
    const waas = aWaas()
    const identity = newIdentity()
    for (let i = 0; i < 5; i++) expect(waas.relay.send(identity.party, toNode(i))).toBe("offline-queued")
    const node = aNode(waas, { identity })
    for (let i = 0; i < 5; i++) node.link.send(fromNode(i))
    await Promise.all([frameCount(waas, 5), gotCount(node, 5)])
    expect(numbersOf(heard(waas))).toEqual(upTo(5))
    expect(numbersOf(node.frames())).toEqual(upTo(5))
  })

  test("other routes stay the caller's, and /ws wants a WebSocket", async () => {
    const waas = aWaas()
    const get = (path: string): Promise<Response> => fetch(`http://127.0.0.1:${waas.port}${path}`)
    expect(await (await get("/v2/x")).text()).toBe("rest")
    expect((await get("/ws")).status).toBe(426)
    expect(await (await get("/ws/more")).text()).toBe("rest")
  })
})

describe("who may connect", () => {
  test("a node that is not bound is refused by name, and gets in once it is", async () => {
    let bound = false
    const waas = aWaas({ isKnown: () => bound })
    const node = aNode(waas)
    await node.ended("E-LNK-005")
    const { nodeId } = node.identity
    expect(messages(node)).toContain(
      `Connection refused, reason: node identity check failed: node ${nodeId} is not bound to any app`,
    )
    expect(node.link.state().lastError?.message).toContain(`no key share holder group names node ${nodeId}`)
    expect(messages(node)).not.toContain("[Websocket.Client] connected.")
    expect(countOf(waas, "unknownNode")).toBeGreaterThan(0)
    expect(waas.relay.online().size).toBe(0)
    bound = true
    await node.online()
  })

  test("a known-node check that fails lets nobody in", async () => {
    const waas = aWaas({
      isKnown: () => {
        throw new Error("the database is gone")
      },
    })
    await aNode(waas).ended("E-LNK-005")
    expect(waas.relay.online().size).toBe(0)
  })

  test("a node forgotten is put out, and what it was owed is gone", async () => {
    const known = new Set<string>()
    const waas = aWaas({ isKnown: (party) => known.has(party) })
    const identity = newIdentity()
    known.add(identity.party)
    const node = aNode(waas, { identity })
    await meet(waas, node)
    known.clear()
    waas.relay.forget(identity.party)
    expect(waas.relay.online().size).toBe(0)
    await node.ended("E-LNK-005")
    expect(waas.journal.entries.at(-1)).toEqual({ kind: "offline", party: identity.party })
  })

  test("a server without the pinned key gets no proof", async () => {
    const waas = aWaas()
    const node = aNode({ identity: newIdentity(), port: waas.port })
    await node.ended("E-LNK-004")
    expect(waas.journal.entries).toEqual([])
    expect(messages(node)).not.toContain("[Websocket.Client] connected.")
  })

  test("a node without the key that it names is refused", async () => {
    const waas = aWaas()
    const victim = newIdentity()
    const thief = newIdentity()
    const node = aNode(waas, { identity: { ...thief, publicKey: victim.publicKey } })
    await node.ended("E-LNK-007")
    expect(waas.journal.entries).toEqual([])
  })

  test("the newest connection of a node wins, and the older one learns why", async () => {
    const waas = aWaas()
    const identity = newIdentity()
    const timing = { ...QUICK, backoffCapMs: 60_000 }
    const older = aNode(waas, { identity, timing })
    await meet(waas, older)
    const newer = aNode(waas, { identity })
    await Promise.all([newer.online(), older.ended("E-LNK-008")])
    expect(older.link.state()).toMatchObject({ phase: "waiting" })
    // It waits the longest pause there is: two nodes with one key must not take turns.
    const line = older.journal.entries.flatMap((one) => (one.kind === "line" ? [one.line] : [])).at(-1)
    expect(line?.fields["retryInMs"]).toBe(45_000)
    waas.relay.send(identity.party, toNode(1))
    await gotCount(newer, 1)
    expect(older.frames()).toEqual([])
    expect(waas.relay.online()).toEqual(new Set([identity.party]))
  })
})

describe("nothing is lost", () => {
  test("when the wire is cut again and again in mid-transfer", async () => {
    const waas = aWaas()
    const wire = await aWire(waas)
    const node = aNode(through(wire, waas))
    await meet(waas, node)
    wire.cutAfter(700_000)
    wire.cut()
    for (let i = 0; i < 60; i++) {
      node.link.send(fromNode(i, 50_000))
      waas.relay.send(node.identity.party, toNode(i, 50_000))
    }
    await Promise.all([frameCount(waas, 60), gotCount(node, 60)])
    expect(numbersOf(heard(waas))).toEqual(upTo(60))
    expect(numbersOf(node.frames())).toEqual(upTo(60))
    expect(wire.connections()).toBeGreaterThan(4)
    expect(waas.journal.entries.filter((one) => one.kind === "online" && one.peer === "restarted")).toEqual([])
  })

  test("when the reader is slow: 400 frames of 100 kB, with back-pressure told and obeyed", async () => {
    const waas = aWaas({ limits: { channel: { ...CHANNEL_LIMITS, queueBytes: 6_000_000 } } })
    const wire = await aWire(waas)
    const node = aNode(through(wire, waas))
    await meet(waas, node)
    wire.stall()
    let next = 0
    let refusals = 0
    const push = (): void => {
      for (; next < 400; next++) {
        if (waas.relay.send(node.identity.party, toNode(next, 100_000)) !== "full") continue
        refusals += 1
        setTimeout(push, 5)
        return
      }
    }
    push()
    expect(refusals).toBe(1)
    expect(next).toBeLessThan(60)
    wire.flow()
    await gotCount(node, 400)
    expect(numbersOf(node.frames())).toEqual(upTo(400))
    expect(wire.connections()).toBe(1)
  })

  test("when the node is the one that must wait", async () => {
    const waas = aWaas()
    let next = 0
    const push = (): void => {
      while (next < 400 && node.link.send(fromNode(next, 100_000)) === "queued") next += 1
    }
    const node: Node = aNode(waas, {
      limits: { ...CHANNEL_LIMITS, queueBytes: 3_000_000 },
      handlers: { onOnline: () => push(), onWritable: () => push() },
    })
    await frameCount(waas, 400)
    expect(numbersOf(heard(waas))).toEqual(upTo(400))
    expect(node.link.state().dropped.queueFull).toBeGreaterThan(0)
    expect(node.journal.entries.some((one) => one.kind === "writable")).toBe(true)
  })

  /** A relay whose sockets take far less than the window, and a wire to it. */
  async function tightWire(waas: Waas): Promise<Wire> {
    const tight = Bun.serve<NodeConnection>({
      hostname: "127.0.0.1",
      port: 0,
      fetch: (request, self) => (waas.relay.upgrade(request, self) === "upgraded" ? undefined : new Response("no")),
      websocket: { ...waas.relay.websocket, backpressureLimit: 1024 },
    })
    onEnd(() => tight.stop(true))
    const wire = await aWire({ port: tight.port ?? 0 })
    return wire
  }

  test("when the socket wants no more: frames wait until it drains", async () => {
    const waas = aWaas()
    const wire = await tightWire(waas)
    const node = aNode(through(wire, waas))
    await meet(waas, node)
    wire.stall()
    for (let i = 0; i < 100; i++) waas.relay.send(node.identity.party, toNode(i, 100_000))
    wire.flow()
    await gotCount(node, 100)
    expect(numbersOf(node.frames())).toEqual(upTo(100))
    expect(wire.connections()).toBe(1)
  })

  test("when the runtime drops what it is given: that costs a reconnect, not a frame", async () => {
    const waas = aWaas()
    const wire = await tightWire(waas)
    // Frames stop at the first sign of it, but the answers to heartbeats run into it.
    const node = aNode(through(wire, waas), { timing: { ...QUICK, pingMs: 10, missedPings: 1_000_000 } })
    await meet(waas, node)
    wire.stall()
    for (let i = 0; i < 100; i++) waas.relay.send(node.identity.party, toNode(i, 100_000))
    await waas.journal.until((all) => all.at(-1)?.kind === "offline")
    wire.flow()
    await gotCount(node, 100)
    expect(numbersOf(node.frames())).toEqual(upTo(100))
    expect(wire.connections()).toBeGreaterThan(1)
  })

  test("when a handler sends while it handles, and when it throws", async () => {
    const waas = aWaas()
    const inFlight: number[] = []
    const node: Node = aNode(waas, {
      handlers: {
        onFrame(frame) {
          node.link.send(fromNode(numbersOf([frame])[0] ?? -1))
          // Sent now, it would acknowledge the frame that is still being handled.
          inFlight.push(node.link.state().queue.inFlight)
          throw new Error("a bug in the handler")
        },
      },
    })
    await meet(waas, node)
    for (let i = 0; i < 3; i++) waas.relay.send(node.identity.party, toNode(i))
    await frameCount(waas, 3)
    expect(numbersOf(heard(waas))).toEqual(upTo(3))
    expect(node.link.state().dropped.handlerFailed).toBe(3)
    expect(inFlight[0]).toBe(0)
    expect(node.link.state().phase).toBe("online")
  })
})

describe("a server that breaks the protocol", () => {
  /** Answers each message of a node with what `answers` makes of it. */
  function aServer(
    answers: (hello: Packet) => readonly (Packet | string | Uint8Array<ArrayBuffer>)[],
  ): Pick<Waas, "port"> {
    const server = Bun.serve({
      hostname: "127.0.0.1",
      port: 0,
      fetch: (request, self) => (self.upgrade(request) ? undefined : new Response("no")),
      websocket: {
        message(socket, message) {
          const packet = typeof message === "string" ? { problem: "text" } : decodePacket(message)
          if ("problem" in packet) throw new TypeError("a node sends packets")
          for (const answer of answers(packet)) {
            socket.send(typeof answer === "string" || answer instanceof Uint8Array ? answer : encodePacket(answer))
          }
        },
      },
    })
    onEnd(() => server.stop(true))
    return { port: server.port ?? 0 }
  }

  const waas = newIdentity()
  const waasNonce = new Uint8Array(32)
  const challengeBy =
    (signer: Identity, change: Partial<Transcript> = {}) =>
    (hello: Packet): Packet => {
      if (hello.kind !== "hello") throw new TypeError("a handshake begins with a hello")
      const { nodeKey, nodeNonce } = hello
      const transcript = { version: 1, nodeKey, waasKey: signer.publicKey, nodeNonce, waasNonce, waasMs: 1, ...change }
      return { kind: "challenge", waasNonce, waasMs: 1, signature: prove("waas", transcript, signer) }
    }
  const handshake =
    (...after: readonly (Packet | string | Uint8Array<ArrayBuffer>)[]) =>
    (packet: Packet): readonly (Packet | string | Uint8Array<ArrayBuffer>)[] => {
      if (packet.kind === "hello") return [challengeBy(waas)(packet)]
      return packet.kind === "proof" ? [{ kind: "welcome" }, ...after] : []
    }
  const dial = (answers: Parameters<typeof aServer>[0]): Node => aNode({ identity: waas, ...aServer(answers) })

  test("(the same server, by the book)", async () => {
    const knows = new Uint8Array(16)
    await dial(handshake({ kind: "resume", epoch: new Uint8Array(16).fill(1), knows, received: 0 })).online()
  })

  test("a challenge recorded from another connection, or signed by another key, gets no proof", async () => {
    const proofs: Packet[] = []
    const answer = (make: (hello: Packet) => Packet) => (packet: Packet) => {
      if (packet.kind === "hello") return [make(packet)]
      proofs.push(packet)
      return []
    }
    const other = newIdentity()
    const fakes = [
      challengeBy(waas, { nodeNonce: new Uint8Array(32) }),
      challengeBy(waas, { nodeKey: other.publicKey }),
      challengeBy(waas, { waasMs: 2 }),
      challengeBy(waas, { version: 2 }),
      challengeBy(other, { waasKey: waas.publicKey }),
      challengeBy(other),
    ]
    for (const fake of fakes) await dial(answer(fake)).ended("E-LNK-004")
    expect(proofs).toEqual([])
  })

  const tooLarge = new Uint8Array(MAX_PACKET_BYTES + 1)
  const knows = new Uint8Array(16)
  const breaches: readonly (readonly [string, Parameters<typeof aServer>[0]])[] = [
    ["a welcome before the challenge", () => [{ kind: "welcome" }]],
    ["a second challenge", (packet) => [challengeBy(waas)(packet), challengeBy(waas)(packet)]],
    ["frames before the challenge", () => [{ kind: "data", seq: 1, ack: 0, payload: knows }]],
    ["a second welcome", handshake({ kind: "welcome" })],
    ["what only a node says", handshake({ kind: "ping", stamp: 1 })],
    ["frames before the resume", handshake({ kind: "data", seq: 1, ack: 0, payload: knows })],
    [
      "a gap",
      handshake(
        { kind: "resume", epoch: knows.with(0, 1), knows, received: 0 },
        { kind: "data", seq: 2, ack: 0, payload: knows },
      ),
    ],
    ["text", handshake("hello")],
    ["garbage", handshake(utf8("garbage"))],
    ["a packet beyond the limit", handshake(tooLarge)],
  ]
  for (const [name, answers] of breaches) test(name, () => dial(answers).ended("E-LNK-010"))

  test("frames that cannot be read are counted, the link stays", async () => {
    const resume: Packet = { kind: "resume", epoch: knows.with(0, 1), knows, received: 0 }
    const frames = [utf8("garbage"), new Uint8Array(0), encodeFromNode(fromNode(1)), encodeToNode(toNode(1))]
    const packets = frames.map((payload, i): Packet => ({ kind: "data", seq: i + 1, ack: 0, payload }))
    const node = dial(handshake(resume, ...packets))
    await gotCount(node, 1)
    expect(node.link.state().dropped.malformed).toBe(3)
    expect(node.link.state().phase).toBe("online")
  })
})

describe("one side restarts", () => {
  test("WaaS: the node says so and offers again what was not acknowledged", async () => {
    const identity = newIdentity()
    const first = startWaas({ identity })
    const node = aNode(first)
    await meet(first, node)
    node.link.send(fromNode(0))
    await frameCount(first, 1)
    await first.stop()
    await node.journal.until((all) => all.some((one) => one.kind === "offline"))
    node.link.send(fromNode(1))
    const second = aWaas({ identity, port: first.port })
    await frameCount(second, 1)
    expect(numbersOf(heard(second))).toEqual([1])
    expect(node.journal.entries.flatMap((one) => (one.kind === "online" ? [one.peer] : []))).toEqual([
      "first",
      "restarted",
    ])
    expect(second.journal.entries[0]).toMatchObject({ kind: "online", peer: "first" })
  })

  test("a node: WaaS says so and offers again what was not acknowledged", async () => {
    const waas = aWaas()
    const identity = newIdentity()
    const before = aNode(waas, { identity })
    await meet(waas, before)
    before.link.stop()
    await waas.journal.until((all) => all.at(-1)?.kind === "offline")
    expect(waas.relay.send(identity.party, toNode(0))).toBe("offline-queued")
    const after = aNode(waas, { identity })
    await gotCount(after, 1)
    const memories = waas.journal.entries.flatMap((one) => (one.kind === "online" ? [one.peer] : []))
    expect(memories).toEqual(["first", "restarted"])
  })
})

describe("what does not answer", () => {
  test("a WaaS that falls silent is noticed, and the link recovers", async () => {
    const waas = aWaas()
    const wire = await aWire(waas)
    const node = aNode(through(wire, waas), { timing: { ...QUICK, pingMs: 20, handshakeMs: 100 } })
    await node.online()
    wire.swallow()
    node.link.send(fromNode(0))
    expect(node.link.state().queue).toMatchObject({ frames: 1, inFlight: 1 })
    await node.ended("E-LNK-009")
    expect(node.link.state().queue).toMatchObject({ frames: 1, inFlight: 0 })
    expect(node.journal.entries).toContainEqual({ kind: "offline", code: "E-LNK-009" })
    expect(node.link.state().lastError).toMatchObject({ code: "E-LNK-009", data: { silentMs: 60 } })
    // The wire still swallows: the next connection does not get through its handshake.
    await node.ended("E-LNK-003")
  })

  test("a node that falls silent goes offline", async () => {
    const waas = aWaas({ limits: { silentMs: 100 } })
    const wire = await aWire(waas)
    const node = aNode(through(wire, waas), { timing: { ...QUICK, pingMs: 20, missedPings: 1_000_000 } })
    await meet(waas, node)
    wire.swallow()
    await waas.journal.until((all) => all.at(-1)?.kind === "offline")
    expect(countOf(waas, "silent")).toBe(1)
  })

  test("a heartbeat is enough to stay", async () => {
    const waas = aWaas({ limits: { silentMs: 80 } })
    const node = aNode(waas, { timing: { ...QUICK, pingMs: 10, handshakeMs: 100 } })
    await node.online()
    const until = performance.now() + 300
    while (performance.now() < until) await new Promise((resolve) => setTimeout(resolve, 20))
    expect(countOf(waas, "silent")).toBe(0)
    expect(node.link.state().lastError).toBeUndefined()
    expect(node.link.state().phase).toBe("online")
  })

  test("a server that accepts and says nothing ends by our own timer", async () => {
    const silent = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } })
    onEnd(() => silent.stop(true))
    const node = aNode({ identity: newIdentity(), port: silent.port }, { timing: { ...QUICK, handshakeMs: 50 } })
    await node.ended("E-LNK-003")
    expect(node.link.state().lastError).toMatchObject({ data: { limitMs: 50 } })
  })

  test("a server that speaks something else, or none at all", async () => {
    const garbage = Bun.listen({
      hostname: "127.0.0.1",
      port: 0,
      socket: {
        data(socket) {
          socket.end("SSH-2.0-x\r\n")
        },
      },
    })
    const node = aNode({ identity: newIdentity(), port: garbage.port })
    await node.ended("E-LNK-001")
    const port = garbage.port
    garbage.stop(true)
    await aNode({ identity: newIdentity(), port }).ended("E-LNK-001")
  })

  test("the pauses double up to the cap and are spread by chance", async () => {
    const told = new Journal<number>()
    aNode(
      { identity: newIdentity(), port: 1 },
      {
        timing: { ...QUICK, backoffMs: 4, backoffCapMs: 20 },
        jitter: () => (told.entries.length % 2 === 0 ? 0 : 0.999),
        log: logTo((_level, _message, fields) => {
          const wait = fields["retryInMs"]
          if (typeof wait === "number") told.add(wait)
        }),
      },
    )
    await told.until((waits) => waits.length >= 6)
    expect(told.entries.slice(0, 6)).toEqual([2, 8, 8, 20, 10, 20])
  })
})

describe("how soon a link is dialled again", () => {
  /** Of each pause, as its line says it, in order. */
  const pauses = (node: Node): readonly number[] =>
    node.journal.entries.flatMap((one) => {
      const wait = one.kind === "line" ? one.line.fields["retryInMs"] : undefined
      return typeof wait === "number" ? [wait] : []
    })
  const jitter = () => 0.999_999

  test("a link that is cut every moment is dialled after the first pause each time", async () => {
    const waas = aWaas()
    const wire = await aWire(waas)
    const node = aNode(through(wire, waas), { timing: { ...QUICK, backoffMs: 10, backoffCapMs: 60_000 }, jitter })
    for (let i = 1; i <= 12; i++) {
      await node.online(i)
      wire.cut()
    }
    await node.online(13)
    expect(pauses(node)).toEqual(Array.from({ length: 12 }, () => 10))
    expect(node.link.state().failures).toBe(0)
  })

  const slow = { ...QUICK, backoffMs: 60_000, backoffCapMs: 60_000, waitedForCapMs: 30 }

  test("while a task waits the pauses have a cap of their own", async () => {
    const nobody = { identity: newIdentity(), port: 1 }
    const node = aNode(nobody, { timing: slow, jitter, isWaitedFor: () => true })
    await node.journal.until(() => pauses(node).length >= 3)
    expect(pauses(node)).toEqual([30, 30, 30])
  })

  test("a frame that comes in the middle of a long pause cuts it short", async () => {
    const nobody = { identity: newIdentity(), port: 1 }
    const node = aNode(nobody, { timing: slow, jitter })
    await node.journal.until(() => pauses(node).length === 1)
    expect(pauses(node)).toEqual([60_000])
    node.link.send(fromNode(1))
    await node.journal.until(() => pauses(node).length === 2)
  })
})

describe("options that cannot work stop the start", () => {
  const at = { identity: newIdentity(), port: 1 }
  const bad: readonly (readonly [string, NodeOptions])[] = [
    ["no URL", { url: "waas.example" }],
    ["another protocol", { url: "https://waas.example/ws" }],
    ["a user in the URL", { url: "wss://me:secret@waas.example/ws" }],
    ["a fragment in the URL", { url: "wss://waas.example/ws#x" }],
    ["a key of 31 bytes", { waasKey: new Uint8Array(31) }],
    ["a CA file without a certificate", { ca: "nothing" }],
    ["a CA file with a broken one", { ca: "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n" }],
    ["a proxy of another protocol", { proxy: "socks5://127.0.0.1:1" }],
  ]
  for (const [name, options] of bad) test(name, () => expect(codeOf(() => startNode(at, options))).toBe("E-LNK-012"))
})

test("a frame that WaaS would refuse is refused here", async () => {
  const waas = aWaas()
  const node = aNode(waas)
  await node.online()
  expect(
    codeOf(() => node.link.send({ kind: "envelope", taskId: "a b", receiver: undefined, envelope: utf8("x") })),
  ).toBe("E-LNK-020")
  expect(codeOf(() => waas.relay.send(node.identity.party, { kind: "outcomeStored", taskId: "" }))).toBe("E-LNK-020")
  expect(node.link.state().phase).toBe("online")
})

test.skipIf(process.env["COSIGNER_LONG"] !== "1")(
  "3000 reconnects leave nothing behind",
  async () => {
    const waas = aWaas()
    const wire = await aWire(waas)
    const node = aNode(through(wire, waas), { timing: { ...QUICK, backoffMs: 1, backoffCapMs: 1 } })
    const round = async (from: number, to: number): Promise<void> => {
      for (let i = from; i < to; i++) {
        await node.online(i + 1)
        wire.cut()
      }
      Bun.gc(true)
    }
    await round(0, 500)
    const before = process.memoryUsage().rss
    await round(500, 3_000)
    expect(process.memoryUsage().rss - before).toBeLessThan(40 * 1024 * 1024)
  },
  300_000,
)

test("no line but the one that means it says that the link is up", () => {
  expect(allLines.length).toBeGreaterThan(100)
  for (const { message, fields } of allLines) {
    if (message === "[Websocket.Client] connected.") continue
    expect(`${message} ${JSON.stringify(fields)}`).not.toContain("connected.")
  }
})
