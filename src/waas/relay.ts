/**
 * The relay: nodes connect to it, prove their keys, and are sent frames in order and exactly once while neither side
 * restarts. It can delay and drop, nothing else: what nodes action on is signed by WaaS or by one another.
 * Owns who is online, the channels, their bounds. What frames mean is the engine's; HTTP routes are the caller's.
 */
import { randomBytes } from "node:crypto"
import { copy, equal } from "../bytes.ts"
import { errorText } from "../errors.ts"
import type { PartyId } from "../keys/party.ts"
import type { Log } from "../log.ts"
import { CHANNEL_LIMITS, type Channel, type ChannelLimits, createChannel, type PeerMemory } from "../wire/channel.ts"
import type { FromNode, ToNode } from "../wire/frames.ts"
import { decodeFromNode, encodeToNode } from "../wire/framesCodec.ts"
import type { FencingToken } from "../wire/hello.ts"
import { nodeIdOf } from "../wire/nodeId.ts"
import { type ChannelPacket, EPOCH_BYTES, MAX_PACKET_BYTES, type RefusalReason } from "../wire/packets.ts"
import { shownFrame } from "../wire/shown.ts"
import type { Signer } from "../wire/signed.ts"
import { type ConnectionLimits, NodeConnection } from "./relayConnection.ts"

export interface RelayLimits extends ConnectionLimits {
  /** Of each node's queue, online or not. */
  readonly channel: ChannelLimits
  /** Sockets of connections that have not proved a key. */
  readonly unproven: number
  /** Nodes with a channel; beyond it, one that is offline and owed nothing makes room. */
  readonly nodes: number
}

export const RELAY_LIMITS: RelayLimits = {
  handshakeMs: 10_000,
  silentMs: 45_000,
  farewellMs: 2_000,
  packetsPerSecond: 4_000,
  bytesPerSecond: 64 * 1024 * 1024,
  burstSeconds: 4,
  channel: CHANNEL_LIMITS,
  unproven: 256,
  nodes: 4096,
}

/** A node is heard every 15 s; one that was silent for longer may have died and come back. */
const TWIN_MS = 20_000

export interface RelayOptions {
  /** WaaS's key, which nodes have pinned. */
  readonly signer: Signer
  /** Whether a node that has proved its key may stay. */
  isKnownNode(party: PartyId): boolean
  /** Whether a node whose database has come so far may work: false for an older copy. Durable when it resolves; without it, all may. */
  readonly admitFencingToken?: (party: PartyId, fencingToken: FencingToken) => Promise<boolean>
  /** Acknowledged when this returns. What it throws is logged as a bug, and the frame counts as seen. */
  onFrame(party: PartyId, frame: FromNode): void
  /** Frames flow. After "restarted" the node remembers nothing of what it was told and had not written down. */
  onOnline(party: PartyId, peer: PeerMemory): void
  onOffline(party: PartyId): void
  readonly clock: () => number
  readonly log: Log
  readonly limits: RelayLimits
}

export type RelayDrop = "malformed" | "duplicate" | "handlerFailed" | "queueFull" | RefusalReason

export interface Relay {
  /** The upgrade of a request to `/ws`: to be tried before any other route; "other" is somebody else's. */
  upgrade(request: Request, server: Bun.Server<NodeConnection>): "upgraded" | "other" | Response
  readonly websocket: Bun.WebSocketHandler<NodeConnection>
  /** "full": not taken, say it again later. Throws E-LNK-020 for a frame that nodes would refuse to read. */
  send(party: PartyId, frame: ToNode): "queued" | "offline-queued" | "full"
  online(): ReadonlySet<PartyId>
  /** Ends the node's connection and forgets what it was owed: it is no longer known. */
  forget(party: PartyId): void
  /** Frames dropped and connections refused since the start, by reason. */
  dropped(): ReadonlyMap<RelayDrop, number>
  /** Tells every node that WaaS is stopping. What was not acknowledged is forgotten. */
  close(): void
}

interface Peer {
  readonly channel: Channel
  connection: NodeConnection | undefined
  /** The socket wants no more until it drains. */
  full: boolean
  /** While a frame of this peer is handled it is sent nothing: what is sent would acknowledge the frame. */
  handling: boolean
}

export function createRelay(options: RelayOptions): Relay {
  const { limits, log } = options
  const peers = new Map<PartyId, Peer>()
  const online = new Set<PartyId>()
  const connections = new Set<NodeConnection>()
  const dropped = new Map<RelayDrop, number>()
  const unproven = new Set<NodeConnection>()
  let closing = false

  const count = (reason: RelayDrop): void => {
    dropped.set(reason, (dropped.get(reason) ?? 0) + 1)
  }

  function peerOf(party: PartyId): Peer | undefined {
    const known = peers.get(party)
    if (known !== undefined) return known
    if (peers.size >= limits.nodes && !makeRoom()) return undefined
    const channel = createChannel(() => copy(randomBytes(EPOCH_BYTES)), limits.channel)
    const peer: Peer = { channel, connection: undefined, full: false, handling: false }
    peers.set(party, peer)
    return peer
  }

  function makeRoom(): boolean {
    for (const [party, peer] of peers) {
      if (peer.connection === undefined && peer.channel.depth().frames === 0) return peers.delete(party)
    }
    return false
  }

  function admit(
    connection: NodeConnection,
    party: PartyId,
    fencingToken: FencingToken | undefined,
  ): Promise<RefusalReason | undefined> | RefusalReason | undefined {
    if (fencingToken === undefined || options.admitFencingToken === undefined)
      return register(connection, party, fencingToken)
    if (!isKnown(party)) return register(connection, party, fencingToken)
    const elsewhere = besideTwin(party, fencingToken)
    if (elsewhere !== undefined) return elsewhere
    return options.admitFencingToken(party, fencingToken).then(
      (isNewest) => {
        if (isNewest) return register(connection, party, fencingToken)
        log.warn("A node with an older copy of its database was refused", { nodeId: nodeIdOf(party) })
        return "rolledBack"
      },
      (error: unknown) => {
        failed(error)
        return "busy"
      },
    )
  }

  /** Two starts of one node at a time: the one that is heard stays. Restarted, a node's old connection is closed or soon silent. */
  function besideTwin(party: PartyId, fencingToken: FencingToken | undefined): RefusalReason | undefined {
    const connected = peers.get(party)?.connection
    const known = connected?.fencingToken
    if (connected === undefined || known === undefined) return undefined
    if (fencingToken === undefined) return "busy"
    if (equal(known.bootId, fencingToken.bootId) || connected.silentMs() > TWIN_MS) return undefined
    log.warn("A second copy of a connected node was refused", { nodeId: nodeIdOf(party) })
    return "twin"
  }

  function register(
    connection: NodeConnection,
    party: PartyId,
    fencingToken: FencingToken | undefined,
  ): RefusalReason | undefined {
    const elsewhere = besideTwin(party, fencingToken)
    if (elsewhere !== undefined) return elsewhere
    if (!isKnown(party)) {
      log.info("A node that is not known was refused", { nodeId: nodeIdOf(party) })
      return "unknownNode"
    }
    const peer = peerOf(party)
    if (peer === undefined) return "busy"
    unproven.delete(connection)
    peer.connection?.refuse("replaced")
    peer.connection = connection
    peer.full = false
    return undefined
  }

  function isKnown(party: PartyId): boolean {
    try {
      return options.isKnownNode(party)
    } catch (error) {
      failed(error)
      return false
    }
  }

  function opened(connection: NodeConnection, party: PartyId): void {
    const peer = peers.get(party)
    if (peer?.connection !== connection) return
    peer.channel.connect()
    pump(peer)
  }

  function packet(connection: NodeConnection, party: PartyId, packet: ChannelPacket): void {
    const peer = peers.get(party)
    if (peer?.connection !== connection) return
    receive(peer, party, packet)
    pump(peer)
  }

  function receive(peer: Peer, party: PartyId, packet: ChannelPacket): void {
    const received = peer.channel.receive(packet)
    switch (received.kind) {
      case "nothing":
        return
      case "duplicate":
        return count("duplicate")
      case "violation":
        log.warn("A node broke the link protocol", { nodeId: nodeIdOf(party), problem: received.what })
        peer.connection?.refuse("protocol")
        return
      case "resumed":
        online.add(party)
        log.info("Node online", { nodeId: nodeIdOf(party), peer: received.peer })
        return guarded(peer, () => options.onOnline(party, received.peer))
      case "frame": {
        const frame = decodeFromNode(received.payload)
        if ("problem" in frame) {
          count("malformed")
          return log.warn("A frame of a node was dropped", { nodeId: nodeIdOf(party), problem: frame.problem })
        }
        log.trace("frame in", () => ({ nodeId: nodeIdOf(party), ...shownFrame(frame, received.payload.length) }))
        return guarded(peer, () => options.onFrame(party, frame))
      }
    }
  }

  function guarded(peer: Peer, handle: () => void): void {
    const outer = peer.handling
    peer.handling = true
    try {
      handle()
    } catch (error) {
      failed(error)
    } finally {
      peer.handling = outer
    }
  }

  function failed(error: unknown): void {
    count("handlerFailed")
    log.error("A handler of the relay threw", { code: "E-CLI-001", what: errorText(error) })
  }

  function pump(peer: Peer): void {
    while (!peer.handling && !peer.full && peer.connection !== undefined) {
      const packet = peer.channel.next()
      if (packet === undefined) return
      const status = peer.connection.send(packet)
      if (status === "lost") return
      peer.full = status === "later"
    }
  }

  function detach(party: PartyId, peer: Peer): void {
    peer.connection = undefined
    peer.channel.disconnect()
    if (!online.delete(party)) return
    log.info("Node offline", { nodeId: nodeIdOf(party) })
    guarded(peer, () => options.onOffline(party))
  }

  function leave(connection: NodeConnection): void {
    const party = connection.party
    const peer = party === undefined ? undefined : peers.get(party)
    if (party !== undefined && peer?.connection === connection) detach(party, peer)
  }

  function refused(connection: NodeConnection, reason: RefusalReason): void {
    count(reason)
    leave(connection)
  }

  const events = { admit, opened, packet, refused }
  const sweep = setInterval(
    () => {
      for (const connection of connections) connection.checkSilence()
    },
    Math.ceil(limits.silentMs / 4),
  )

  return {
    upgrade(request, server) {
      if (new URL(request.url).pathname !== "/ws") return "other"
      if (closing) return new Response("stopping", { status: 503 })
      if (unproven.size >= limits.unproven) {
        count("busy")
        return new Response("too many connections without proof", { status: 503, headers: { "Retry-After": "10" } })
      }
      const data = new NodeConnection(options.signer, options.clock, limits, events)
      if (server.upgrade(request, { data })) return "upgraded"
      return new Response("a WebSocket is expected here", { status: 426, headers: { Upgrade: "websocket" } })
    },
    websocket: {
      maxPayloadLength: MAX_PACKET_BYTES,
      // Above what the channel's window lets out; a send beyond it would be dropped without a word.
      backpressureLimit: 4 * limits.channel.windowBytes + 2 * MAX_PACKET_BYTES,
      idleTimeout: 0,
      sendPings: false,
      perMessageDeflate: false,
      open(socket) {
        unproven.add(socket.data)
        connections.add(socket.data)
        socket.data.open(socket)
      },
      message: (socket, message) => socket.data.message(message),
      drain(socket) {
        const peer = socket.data.party === undefined ? undefined : peers.get(socket.data.party)
        if (peer?.connection !== socket.data) return
        peer.full = false
        pump(peer)
      },
      close(socket) {
        connections.delete(socket.data)
        unproven.delete(socket.data)
        socket.data.closed()
        leave(socket.data)
      },
    },
    send(party, frame) {
      const bytes = encodeToNode(frame)
      log.trace("frame out", () => ({ nodeId: nodeIdOf(party), ...shownFrame(frame, bytes.length) }))
      const peer = peerOf(party)
      if (peer === undefined || peer.channel.send(bytes) === "full") {
        count("queueFull")
        return "full"
      }
      if (!online.has(party)) return "offline-queued"
      pump(peer)
      return "queued"
    },
    online: () => online,
    forget(party) {
      peers.get(party)?.connection?.refuse("unknownNode")
      peers.delete(party)
    },
    dropped: () => dropped,
    close() {
      closing = true
      clearInterval(sweep)
      for (const connection of connections) connection.refuse("stopping")
      peers.clear()
    },
  }
}
