/** A node and a WaaS of different age, and a relay in between that would like them to speak an older version than they could. */
import { expect, setDefaultTimeout, test } from "bun:test"
import { randomBytes } from "node:crypto"
import { type Bytes, copy } from "../../src/bytes.ts"
import type { PartyId } from "../../src/keys/party.ts"
import { type FencingToken, prove, type Transcript } from "../../src/wire/hello.ts"
import { decodePacket, encodePacket, type Packet } from "../../src/wire/packets.ts"
import { BEFORE_VERSIONS, LINK, markedNonce, type NodeVersions, VERSIONS } from "../../src/wire/versions.ts"
import { signToken } from "../../src/wire/waasToken.ts"
import { stage } from "../link/stage.ts"
import { Journal, type startNode, type Waas } from "../link/world.ts"
import { type Identity, newIdentity } from "../wire/documents.ts"

setDefaultTimeout(20_000)

const { onEnd, aNode, aWaas } = stage()

interface Told {
  readonly party: PartyId
  readonly versions: NodeVersions
}

/** A WaaS that notes what nodes tell of their versions. */
function listeningWaas(): { readonly waas: Waas; readonly told: Journal<Told> } {
  const told = new Journal<Told>()
  const waas = aWaas({
    admitFencingToken: async (party, _token, versions) => {
      told.add({ party, versions })
      return "newest"
    },
  })
  return { waas, told }
}

const fencingToken: FencingToken = { incarnation: 0, boot: 1, bootId: new Uint8Array(16), generation: 1 }

type Alter = (packet: Packet, from: "node" | "waas") => Packet

/** Carries packets between a node and a WaaS, and alters them on the way. */
function carrier(waas: Waas, alter: Alter): { readonly port: number; readonly identity: Identity } {
  const server = Bun.serve<{ up: WebSocket; waiting: Uint8Array<ArrayBuffer>[] }>({
    hostname: "127.0.0.1",
    port: 0,
    fetch(request, self) {
      const up = new WebSocket(`ws://127.0.0.1:${waas.port}/ws`)
      up.binaryType = "arraybuffer"
      return self.upgrade(request, { data: { up, waiting: [] } }) ? undefined : new Response("", { status: 400 })
    },
    websocket: {
      open(socket) {
        const { up, waiting } = socket.data
        up.onopen = () => {
          for (const bytes of waiting.splice(0)) up.send(bytes)
        }
        up.onmessage = (event: MessageEvent<ArrayBuffer>) => void socket.send(altered(event.data, "waas"))
        up.onclose = () => socket.close()
      },
      message(socket, message) {
        if (typeof message === "string") throw new TypeError("a node sends packets")
        const { up, waiting } = socket.data
        const bytes = altered(message, "node")
        if (up.readyState === WebSocket.OPEN) up.send(bytes)
        else waiting.push(bytes)
      },
      close: (socket) => socket.data.up.terminate(),
    },
  })
  const altered = (bytes: ArrayBuffer | Uint8Array, from: "node" | "waas"): Uint8Array<ArrayBuffer> => {
    const packet = decodePacket(new Uint8Array(bytes))
    if ("problem" in packet) throw new TypeError("both sides send packets")
    return encodePacket(alter(packet, from))
  }
  onEnd(() => server.stop(true))
  return { port: server.port ?? 0, identity: waas.identity }
}

function node(to: { readonly port: number; readonly identity: Identity }): ReturnType<typeof startNode> {
  const started = aNode(to, { fencingToken: () => fencingToken })
  return started
}

/** A node without a link: it answers the challenge as `proof` has it, and notes what WaaS says. */
function handshaking(
  waas: Waas,
  { publicKey: nodeKey }: Identity,
  nodeNonce: Bytes,
  proof: (challenged: Omit<Transcript, "version">) => Packet,
): Journal<Packet> {
  const heard = new Journal<Packet>()
  const socket = new WebSocket(`ws://127.0.0.1:${waas.port}/ws`)
  socket.binaryType = "arraybuffer"
  onEnd(() => socket.terminate())
  socket.onopen = () => socket.send(encodePacket({ kind: "hello", form: 1, nodeKey, nodeNonce }))
  socket.onmessage = (event: MessageEvent<ArrayBuffer>) => {
    const packet = decodePacket(new Uint8Array(event.data))
    if ("problem" in packet) throw new TypeError(packet.problem)
    heard.add(packet)
    if (packet.kind !== "challenge") return
    const { waasNonce, waasMs } = packet
    socket.send(encodePacket(proof({ nodeKey, waasKey: waas.identity.publicKey, nodeNonce, waasNonce, waasMs })))
  }
  return heard
}

test("a node and a WaaS of this release speak the newest link, and WaaS learns the rest", async () => {
  const { waas, told } = listeningWaas()
  const alike = node(waas)
  await alike.online()
  expect(told.entries).toEqual([{ party: alike.identity.party, versions: { ...VERSIONS, link: LINK.newest } }])
})

test("through a carrier that alters nothing too", async () => {
  const { waas, told } = listeningWaas()
  await node(carrier(waas, (packet) => packet)).online()
  expect(told.entries[0]?.versions.link).toBe(LINK.newest)
})

test("a node of before is understood, and taken for what it is", async () => {
  const { waas, told } = listeningWaas()
  const old = newIdentity()
  // As c2cf136 did it: a random nonce, version 1 under both signatures, the token right behind the signature.
  const heard = handshaking(waas, old, copy(randomBytes(32)), (challenged) => {
    const signature = prove("node", { ...challenged, version: 1, fencingToken }, old)
    return { kind: "proof", signature, fencingToken }
  })
  await heard.until((all) => all.some(({ kind }) => kind === "welcome"))
  expect(told.entries).toEqual([{ party: old.party, versions: BEFORE_VERSIONS }])
})

test("the marks of either side cannot be taken away, nor the chosen version changed", async () => {
  const plain = (nonce: Uint8Array) => copy(nonce).fill(7, 22)
  const alterations: readonly (readonly [string, Alter, string])[] = [
    [
      "the node's mark",
      (packet) => (packet.kind === "hello" ? { ...packet, nodeNonce: plain(packet.nodeNonce) } : packet),
      "E-LNK-004",
    ],
    [
      "a node's mark that offers version 1 alone",
      (packet) =>
        packet.kind === "hello"
          ? { ...packet, nodeNonce: markedNonce(packet.nodeNonce, { oldest: 1, newest: 1 }) }
          : packet,
      "E-LNK-004",
    ],
    [
      "the mark of WaaS",
      (packet) => (packet.kind === "challenge" ? { ...packet, waasNonce: plain(packet.waasNonce) } : packet),
      "E-LNK-004",
    ],
    [
      "a mark of WaaS that offers version 1 alone",
      (packet) =>
        packet.kind === "challenge"
          ? { ...packet, waasNonce: markedNonce(packet.waasNonce, { oldest: 1, newest: 1 }) }
          : packet,
      "E-LNK-004",
    ],
    [
      "versions that the proof covers",
      (packet) =>
        packet.kind === "proof" && packet.versions !== undefined
          ? { ...packet, versions: { ...packet.versions, suites: [1, 9] } }
          : packet,
      "E-LNK-007",
    ],
    [
      "versions cut off",
      (packet) => (packet.kind === "proof" ? { kind: "proof", signature: packet.signature, fencingToken } : packet),
      "E-LNK-007",
    ],
  ]
  for (const [what, alter, code] of alterations) {
    const { waas, told } = listeningWaas()
    const victim = node(carrier(waas, alter))
    await victim.ended(code)
    expect({ what, told: told.entries }).toEqual({ what, told: [] })
    expect(waas.relay.online().size).toBe(0)
  }
})

test("a node that chose version 2 or later must tell its versions, and one that chose 1 must not", async () => {
  for (const marked of [true, false]) {
    const { waas, told } = listeningWaas()
    const odd = newIdentity()
    const heard = new Journal<Packet>()
    const socket = new WebSocket(`ws://127.0.0.1:${waas.port}/ws`)
    socket.binaryType = "arraybuffer"
    onEnd(() => socket.terminate())
    const nodeNonce = marked ? markedNonce(randomBytes(32), LINK) : copy(randomBytes(32))
    socket.onopen = () => socket.send(encodePacket({ kind: "hello", form: 1, nodeKey: odd.publicKey, nodeNonce }))
    socket.onmessage = (event: MessageEvent<ArrayBuffer>) => {
      const packet = decodePacket(new Uint8Array(event.data))
      if ("problem" in packet) throw new TypeError(packet.problem)
      heard.add(packet)
      if (packet.kind !== "challenge") return
      const { waasNonce, waasMs } = packet
      const version = marked ? LINK.newest : 1
      const transcript: Transcript = {
        version,
        nodeKey: odd.publicKey,
        waasKey: waas.identity.publicKey,
        nodeNonce,
        waasNonce,
        waasMs,
      }
      const said = marked ? { fencingToken } : { fencingToken, versions: VERSIONS }
      socket.send(encodePacket({ kind: "proof", signature: prove("node", { ...transcript, ...said }, odd), ...said }))
    }
    await heard.until((all) => all.some(({ kind }) => kind === "refused"))
    expect(heard.entries.at(-1)).toEqual({ kind: "refused", reason: "protocol" })
    expect(told.entries).toEqual([])
  }
})

const token = (by: Identity, mark: number) =>
  signToken(by, { incarnation: 1, mark, markId: new Uint8Array(16).fill(mark) })

const without =
  (kind: Packet["kind"], field: string): Alter =>
  (packet) =>
    packet.kind === kind ? ({ ...packet, [field]: undefined } as Packet) : packet

test("neither the token of WaaS nor the one that the node followed can be changed or taken away", async () => {
  const identity = newIdentity()
  const alterations: readonly (readonly [string, Alter, string])[] = [
    [
      "another token of the same WaaS",
      (packet) => (packet.kind === "challenge" ? { ...packet, standing: token(identity, 9) } : packet),
      "E-LNK-004",
    ],
    ["the token taken away", without("challenge", "standing"), "E-LNK-004"],
    [
      "what the node followed, older",
      (packet) => (packet.kind === "proof" ? { ...packet, followed: token(identity, 1) } : packet),
      "E-LNK-007",
    ],
    ["what the node followed, taken away", without("proof", "followed"), "E-LNK-007"],
  ]
  for (const [what, alter, code] of alterations) {
    const fence = { token: async () => token(identity, 5), shown: async () => true, isFenced: () => false }
    const waas = aWaas({ identity, fence })
    const followed = { latest: () => token(identity, 4), follow: () => {} }
    const victim = aNode(carrier(waas, alter), { fencingToken: () => fencingToken, followed })
    await victim.ended(code)
    expect([what, waas.relay.online().size]).toEqual([what, 0])
  }
})

test("a token in the proof of a link version that has none is refused", async () => {
  const { waas } = listeningWaas()
  const odd = newIdentity()
  const nonce = markedNonce(randomBytes(32), { oldest: 1, newest: 3 })
  const heard = handshaking(waas, odd, nonce, (challenged) => {
    const said = { fencingToken, versions: VERSIONS }
    const signature = prove("node", { ...challenged, version: 3, ...said }, odd)
    return { kind: "proof", signature, ...said, followed: token(waas.identity, 1) }
  })
  await heard.until((all) => all.some(({ kind }) => kind === "refused"))
  expect(heard.entries.at(-1)).toEqual({ kind: "refused", reason: "protocol" })
})

test("a range without a common version ends with the code that says so", async () => {
  const { waas } = listeningWaas()
  const ahead = { oldest: LINK.newest + 1, newest: LINK.newest + 2 }
  const alter: Alter = (packet) =>
    packet.kind === "hello" ? { ...packet, nodeNonce: markedNonce(packet.nodeNonce, ahead) } : packet
  await node(carrier(waas, alter)).ended("E-LNK-006")
})
