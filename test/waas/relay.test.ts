import { describe, expect, setDefaultTimeout, test } from "bun:test"
import { readdirSync } from "node:fs"
import { type Bytes, concat, copy, u8, utf8 } from "../../src/bytes.ts"
import { RELAY_LIMITS } from "../../src/waas/relayOptions.ts"
import { CHANNEL_LIMITS } from "../../src/wire/channel.ts"
import { encodeFromNode, encodeToNode } from "../../src/wire/framesCodec.ts"
import { type FencingToken, isProof, prove, type Transcript } from "../../src/wire/hello.ts"
import {
  decodePacket,
  encodePacket,
  MAX_NODE_PACKET_BYTES,
  type Packet,
  type RefusalReason,
} from "../../src/wire/packets.ts"
import { stage } from "../link/stage.ts"
import { countOf, Journal, numbered, startNode, startWire, type Waas } from "../link/world.ts"
import { type Identity, newIdentity } from "../wire/documents.ts"
import { envelope } from "../wire/said.ts"

setDefaultTimeout(20_000)

const { onEnd, aWaas, aNode } = stage()

const taskId = "7d1e3f0a-0001"
const payload = (number: number): Bytes => encodeFromNode(envelope(taskId, numbered(number, 20)))

const MOST_UNPROVEN_BYTES = 80 * 1024 * 1024
const UPGRADE = {
  Upgrade: "websocket",
  Connection: "Upgrade",
  "Sec-WebSocket-Version": "13",
  "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
}

type Event = Packet | { readonly kind: "closed" }

/** A node by hand: says what the test says, when the test says it. */
class RawNode {
  readonly journal = new Journal<Event>()
  readonly socket: WebSocket
  readonly nonce = new Uint8Array(32).fill(5)

  constructor(
    readonly waas: Waas,
    readonly identity: Identity = newIdentity(),
  ) {
    this.socket = new WebSocket(`ws://127.0.0.1:${waas.port}/ws`)
    this.socket.binaryType = "arraybuffer"
    this.socket.onmessage = (event: MessageEvent<ArrayBuffer>) => {
      const packet = decodePacket(new Uint8Array(event.data))
      if ("problem" in packet) throw new TypeError("the relay sent what cannot be read")
      this.journal.add(packet)
    }
    this.socket.onclose = () => this.journal.add({ kind: "closed" })
    onEnd(() => this.socket.terminate())
  }

  opened(): Promise<void> {
    if (this.socket.readyState === WebSocket.OPEN) return Promise.resolve()
    return new Promise((resolve) => this.socket.addEventListener("open", () => resolve()))
  }
  /** Whether the upgrade succeeds. */
  getsIn(): Promise<boolean> {
    return new Promise((resolve) => {
      this.socket.addEventListener("open", () => resolve(true))
      this.socket.addEventListener("close", () => resolve(false))
    })
  }
  say(packet: Packet): void {
    this.socket.send(encodePacket(packet))
  }
  async heard<K extends Event["kind"]>(kind: K): Promise<Extract<Event, { readonly kind: K }>> {
    await this.journal.until((all) => all.some((one) => one.kind === kind))
    const found = this.journal.entries.find((one): one is Extract<Event, { readonly kind: K }> => one.kind === kind)
    if (found === undefined) throw new TypeError("until() has seen it")
    return found
  }
  sayHello(): void {
    this.say({ kind: "hello", form: 1, nodeKey: this.identity.publicKey, nodeNonce: this.nonce })
  }
  /** Up to the challenge; returns what both sides sign. */
  async hello(): Promise<Transcript> {
    await this.opened()
    this.sayHello()
    const { waasNonce, waasMs, signature } = await this.heard("challenge")
    const transcript: Transcript = {
      version: 1,
      nodeKey: this.identity.publicKey,
      waasKey: this.waas.identity.publicKey,
      nodeNonce: this.nonce,
      waasNonce,
      waasMs,
    }
    expect(isProof("waas", transcript, signature)).toBe(true)
    return transcript
  }
  /** Up to the flow of frames. */
  async online(): Promise<this> {
    this.say({ kind: "proof", signature: prove("node", await this.hello(), this.identity) })
    const { epoch } = await this.heard("resume")
    this.say({ kind: "resume", epoch: new Uint8Array(16).fill(9), knows: epoch, received: 0 })
    await this.waas.journal.until(() => this.waas.relay.online().has(this.identity.party))
    return this
  }
  /** The proof of a node that says how far its database has come. */
  async stand(fencingToken: FencingToken): Promise<this> {
    const signature = prove("node", { ...(await this.hello()), fencingToken }, this.identity)
    this.say({ kind: "proof", signature, fencingToken })
    return this
  }
  async refused(reason: RefusalReason): Promise<void> {
    expect(await this.heard("refused")).toEqual({ kind: "refused", reason })
    await this.heard("closed")
    await this.waas.journal.until(() => !this.waas.relay.online().has(this.identity.party))
    expect(countOf(this.waas, reason)).toBe(1)
  }
}

describe("the handshake", () => {
  test("by the book", async () => {
    const waas = aWaas()
    const node = await new RawNode(waas).online()
    expect(node.journal.entries.map((one) => one.kind)).toEqual(["challenge", "welcome", "resume"])
  })

  test("a recorded hello and proof do not work a second time", async () => {
    const waas = aWaas()
    const first = new RawNode(waas)
    const proof: Packet = { kind: "proof", signature: prove("node", await first.hello(), first.identity) }
    first.say(proof)
    await first.heard("welcome")
    const replay = new RawNode(waas, first.identity)
    await replay.hello()
    replay.say(proof)
    await replay.refused("proof")
    expect(first.socket.readyState).toBe(WebSocket.OPEN)
  })

  test("the proof of another role or another key is refused", async () => {
    const waas = aWaas()
    const stranger = newIdentity()
    const turned = new RawNode(waas)
    turned.say({ kind: "proof", signature: prove("waas", await turned.hello(), turned.identity) })
    await turned.refused("proof")
    const thief = new RawNode(aWaas())
    thief.say({ kind: "proof", signature: prove("node", await thief.hello(), stranger) })
    await thief.refused("proof")
  })

  test("a key that anybody can sign for proves nothing", async () => {
    const identity = new Uint8Array(32)
    identity[0] = 1
    const node = new RawNode(aWaas(), { ...newIdentity(), publicKey: identity })
    await node.hello()
    const forged = new Uint8Array(64)
    forged[0] = 1
    node.say({ kind: "proof", signature: forged })
    await node.refused("proof")
  })

  test("another version is refused by name", async () => {
    const node = new RawNode(aWaas())
    await node.opened()
    node.say({ kind: "hello", form: 2, nodeKey: new Uint8Array(0), nodeNonce: new Uint8Array(0) })
    await node.refused("version")
  })

  const signature = new Uint8Array(64)
  const epoch = new Uint8Array(16)
  const early: readonly (readonly [string, (node: RawNode) => void])[] = [
    ["a proof before the hello", (node) => node.say({ kind: "proof", signature })],
    ["a resume before the hello", (node) => node.say({ kind: "resume", epoch, knows: epoch, received: 0 })],
    ["a ping before the hello", (node) => node.say({ kind: "ping", stamp: 1 })],
    ["what only a server says", (node) => node.say({ kind: "welcome" })],
    ["a text message", (node) => node.socket.send("hello")],
    ["garbage", (node) => node.socket.send(utf8("GET / HTTP/1.1"))],
    ["nothing at all in a message", (node) => node.socket.send(new Uint8Array(0))],
    ["more than a handshake ever has", (node) => node.socket.send(concat(u8(1), u8(2), new Uint8Array(255)))],
  ]
  for (const [name, action] of early) {
    test(`${name} is refused`, async () => {
      const node = new RawNode(aWaas())
      await node.opened()
      action(node)
      await node.refused("protocol")
    })
  }

  test("frames between challenge and proof are refused", async () => {
    const node = new RawNode(aWaas())
    await node.hello()
    node.say({ kind: "data", seq: 1, ack: 0, payload: payload(1) })
    await node.refused("protocol")
    expect(node.waas.journal.entries).toEqual([])
  })

  test("a second hello is refused", async () => {
    const node = new RawNode(aWaas())
    await node.hello()
    node.sayHello()
    await node.refused("protocol")
  })

  test("whoever does not prove a key in time is put out", async () => {
    const node = new RawNode(aWaas({ limits: { handshakeMs: 50 } }))
    await node.hello()
    await node.refused("silent")
  })

  test("whoever has proved it is not", async () => {
    const node = await new RawNode(aWaas({ limits: { handshakeMs: 50 } })).online()
    await new Promise((resolve) => setTimeout(resolve, 100))
    node.say({ kind: "ping", stamp: 1 })
    expect(await node.heard("pong")).toMatchObject({ stamp: 1 })
  })

  test("connections without proof are bounded: the oldest makes room; those with proof do not count", async () => {
    const waas = aWaas({ limits: { unproven: 2 } })
    const proved = await new RawNode(waas).online()
    const idle = [new RawNode(waas), new RawNode(waas)]
    for (const node of idle) await node.opened()
    const late = await new RawNode(waas).online()
    await idle[0]?.journal.until((all) => all.some((one) => one.kind === "closed"))
    expect(countOf(waas, "busy")).toBe(1)
    for (const node of [proved, late]) {
      node.say({ kind: "ping", stamp: 1 })
      expect(await node.heard("pong")).toMatchObject({ stamp: 1 })
    }
    expect(idle[1]?.journal.entries).toEqual([])
  })

  test("strangers who open all connections there are and say nothing keep no node out", async () => {
    const waas = aWaas()
    const silent = Array.from({ length: RELAY_LIMITS.unproven + 50 }, () => new RawNode(waas))
    await Promise.all(silent.map((node) => node.opened()))
    expect(await new RawNode(waas).getsIn()).toBe(true)
    await waas.journal.until(() => waas.sockets() <= RELAY_LIMITS.unproven + 1)
    // What the runtime may hold of messages that strangers begin and never end.
    expect(RELAY_LIMITS.unproven * MAX_NODE_PACKET_BYTES).toBeLessThanOrEqual(MOST_UNPROVEN_BYTES)
  })

  test("a page in a browser is refused", async () => {
    const headers = { ...UPGRADE, Origin: "https://evil.example" }
    const answer = await fetch(`http://127.0.0.1:${aWaas().port}/ws`, { headers })
    expect(answer.status).toBe(403)
  })
})

describe("once online", () => {
  test("frames that cannot be read are counted and acknowledged; the connection stays", async () => {
    const waas = aWaas()
    const node = await new RawNode(waas).online()
    const toNode = encodeToNode({ kind: "outcomeStored", taskId })
    const unknownKind = concat(u8(1), u8(0x7f), utf8("x"))
    const unknownVersion = payload(0).with(0, 2)
    const bad = [toNode, unknownKind, copy(unknownVersion), utf8("garbage"), new Uint8Array(0)]
    for (const [i, one] of bad.entries()) node.say({ kind: "data", seq: i + 1, ack: 0, payload: one })
    node.say({ kind: "data", seq: bad.length + 1, ack: 0, payload: payload(7) })
    await node.journal.until((all) => all.some((one) => one.kind === "ack" && one.ack === bad.length + 1))
    expect(waas.relay.dropped().get("malformed")).toBe(bad.length)
    expect(waas.journal.entries.filter((one) => one.kind === "frame")).toHaveLength(1)
  })

  test("a handler that throws costs its frame, not the node", async () => {
    const waas = aWaas({
      onFrame() {
        throw new Error("a bug")
      },
    })
    const node = await new RawNode(waas).online()
    node.say({ kind: "data", seq: 1, ack: 0, payload: payload(1) })
    await node.heard("ack")
    expect(waas.relay.dropped().get("handlerFailed")).toBe(1)
    expect(waas.relay.online().size).toBe(1)
  })

  test("while its frame is handled a node is sent nothing: that would acknowledge the frame", async () => {
    const waas: Waas = aWaas({
      onFrame(party) {
        expect(waas.relay.send(party, { kind: "outcomeStored", taskId })).toBe("queued")
        waas.relay.forget(party)
      },
    })
    const node = await new RawNode(waas).online()
    node.say({ kind: "data", seq: 1, ack: 0, payload: payload(1) })
    await node.refused("unknownNode")
    expect(node.journal.entries.some((one) => one.kind === "data" || one.kind === "ack")).toBe(false)
  })

  test.skipIf(process.platform !== "linux")(
    "a refused node that never hangs up does not keep its socket, reading or not",
    async () => {
      const waas = aWaas()
      const sockets = (): number => readdirSync("/proc/self/fd").length
      const before = sockets()
      for (const burden of [0, 100]) {
        const wire = await startWire(waas.port)
        const node = startNode({ identity: waas.identity, port: wire.port })
        await node.online()
        await waas.journal.until(() => waas.relay.online().size === 1)
        if (burden > 0) wire.stall()
        for (let i = 0; i < burden; i++) {
          waas.relay.send(node.identity.party, { kind: "envelope", taskId, envelope: numbered(i, 100_000) })
        }
        wire.swallow()
        waas.relay.forget(node.identity.party)
        expect(waas.sockets()).toBe(1)
        while (waas.sockets() > 0) await new Promise((resolve) => setTimeout(resolve, 5))
        node.link.stop()
        await wire.close()
      }
      while (sockets() > before) await new Promise((resolve) => setTimeout(resolve, 5))
    },
  )

  const epoch = new Uint8Array(16)
  const violations: readonly (readonly [string, (node: RawNode) => void])[] = [
    ["a gap", (node) => node.say({ kind: "data", seq: 2, ack: 0, payload: payload(1) })],
    ["an ack of what was never sent", (node) => node.say({ kind: "ack", ack: 1 })],
    ["a second resume", (node) => node.say({ kind: "resume", epoch, knows: epoch, received: 0 })],
    ["a hello", (node) => node.sayHello()],
    ["a pong", (node) => node.say({ kind: "pong", stamp: 1, nowMs: 1 })],
    ["a text message", (node) => node.socket.send("x")],
    ["garbage", (node) => node.socket.send(utf8("\u0000garbage"))],
  ]
  for (const [name, action] of violations) {
    test(`${name} ends that connection and no other`, async () => {
      const waas = aWaas()
      const bystander = aNode(waas)
      await bystander.online()
      const node = await new RawNode(waas).online()
      action(node)
      await node.refused("protocol")
      waas.relay.send(bystander.identity.party, { kind: "outcomeStored", taskId })
      await bystander.journal.until((all) => all.some((one) => one.kind === "frame"))
    })
  }

  test("a message above the limit ends the connection by the runtime", async () => {
    const node = await new RawNode(aWaas()).online()
    node.socket.send(new Uint8Array(MAX_NODE_PACKET_BYTES + 1))
    expect(await node.heard("closed")).toMatchObject({ kind: "closed" })
    await node.waas.journal.until(() => node.waas.relay.online().size === 0)
  })

  test("whoever sends faster than the limit is put out: by packets, and by bytes", async () => {
    const limits = { packetsPerSecond: 5, bytesPerSecond: 1_000, burstSeconds: 2 }
    const chatty = await new RawNode(aWaas({ limits })).online()
    for (let i = 0; i < 10; i++) chatty.say({ kind: "ping", stamp: i })
    await chatty.refused("tooFast")
    const heavy = await new RawNode(aWaas({ limits })).online()
    heavy.say({ kind: "data", seq: 1, ack: 0, payload: new Uint8Array(2_000) })
    await heavy.refused("tooFast")
  })

  test("WaaS that stops says so", async () => {
    const waas = aWaas()
    const node = await new RawNode(waas).online()
    waas.relay.close()
    await node.refused("stopping")
    expect((await fetch(`http://127.0.0.1:${waas.port}/ws`)).status).toBe(503)
    expect(waas.journal.entries.at(-1)).toEqual({ kind: "offline", party: node.identity.party })
  })
})

describe("queues", () => {
  const stored = { kind: "outcomeStored", taskId } as const

  test("the queue of a node that is away is bounded, and each node has its own", () => {
    const waas = aWaas({ limits: { channel: { ...CHANNEL_LIMITS, queueFrames: 3 } } })
    const [away, other] = [newIdentity().party, newIdentity().party]
    for (let i = 0; i < 3; i++) expect(waas.relay.send(away, stored)).toBe("offline-queued")
    expect(waas.relay.send(away, stored)).toBe("full")
    expect(waas.relay.send(other, stored)).toBe("offline-queued")
    expect(waas.relay.dropped().get("queueFull")).toBe(1)
  })

  test("nodes are bounded; one that is away and owed nothing makes room", async () => {
    const waas = aWaas({ limits: { nodes: 2 } })
    const leaving = await new RawNode(waas).online()
    expect(waas.relay.send(newIdentity().party, stored)).toBe("offline-queued")
    const third = newIdentity()
    expect(waas.relay.send(third.party, stored)).toBe("full")
    const refused = new RawNode(waas, third)
    refused.say({ kind: "proof", signature: prove("node", await refused.hello(), third) })
    await refused.refused("busy")
    leaving.socket.terminate()
    await waas.journal.until((all) => all.at(-1)?.kind === "offline")
    expect(waas.relay.send(third.party, stored)).toBe("offline-queued")
  })

  test("what a forgotten node was owed is gone", async () => {
    const waas = aWaas()
    const identity = newIdentity()
    waas.relay.send(identity.party, stored)
    waas.relay.forget(identity.party)
    const node = await new RawNode(waas, identity).online()
    node.say({ kind: "ping", stamp: 1 })
    await node.heard("pong")
    expect(node.journal.entries.some((one) => one.kind === "data")).toBe(false)
  })
})

describe("copies of one node", () => {
  const fencingToken = (bootId: number, over: Partial<FencingToken> = {}): FencingToken => ({
    incarnation: 0,
    boot: 1,
    bootId: new Uint8Array(16).fill(bootId),
    generation: 1,
    ...over,
  })
  const upright = (admit: (fencingToken: FencingToken) => boolean = () => true): Waas =>
    aWaas({ admitFencingToken: async (_, it) => (admit(it) ? "newest" : "behind") })

  test("a second start beside one that is heard is refused, and the first is not disturbed", async () => {
    const waas = upright()
    const first = await new RawNode(waas).stand(fencingToken(1))
    await first.heard("welcome")
    await (await new RawNode(waas, first.identity).stand(fencingToken(2))).refused("twin")
    expect(first.journal.entries.some(({ kind }) => kind === "refused" || kind === "closed")).toBe(false)
  })
  test("the same start takes its own place again", async () => {
    const waas = upright()
    const first = await new RawNode(waas).stand(fencingToken(1))
    await first.heard("welcome")
    await (await new RawNode(waas, first.identity).stand(fencingToken(1))).heard("welcome")
    expect(await first.heard("refused")).toEqual({ kind: "refused", reason: "replaced" })
  })
  test("a probe that says nothing of a database does not take the place of a node at work", async () => {
    const waas = upright()
    const first = await new RawNode(waas).stand(fencingToken(1))
    await first.heard("welcome")
    const probe = new RawNode(waas, first.identity)
    probe.say({ kind: "proof", signature: prove("node", await probe.hello(), probe.identity) })
    await probe.refused("busy")
    expect(first.journal.entries.some(({ kind }) => kind === "refused")).toBe(false)
  })
  test("an older copy is refused, and nothing it sends is heard", async () => {
    const asked: FencingToken[] = []
    const waas = upright((it) => asked.push(it) === 0)
    const older = fencingToken(1, { incarnation: 3, boot: 4, generation: 5 })
    await (await new RawNode(waas).stand(older)).refused("rolledBack")
    expect(asked).toEqual([older])
    expect(waas.relay.online().size).toBe(0)
  })
  test("what a node says of its database is signed: another's words do not pass", async () => {
    const waas = upright()
    const node = new RawNode(waas)
    const signature = prove("node", { ...(await node.hello()), fencingToken: fencingToken(1) }, node.identity)
    node.say({ kind: "proof", signature, fencingToken: fencingToken(1, { generation: 9 }) })
    await node.refused("proof")
    const silent = new RawNode(waas)
    const bare = prove("node", await silent.hello(), silent.identity)
    silent.say({ kind: "proof", signature: bare, fencingToken: fencingToken(1) })
    expect(await silent.heard("refused")).toEqual({ kind: "refused", reason: "proof" })
  })
  test("who cannot be judged is not let in", async () => {
    const waas = aWaas({ admitFencingToken: () => Promise.reject(new Error("disk full")) })
    await (await new RawNode(waas).stand(fencingToken(1))).refused("busy")
  })
})
