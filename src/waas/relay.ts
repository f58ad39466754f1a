/**
 * The relay: nodes connect to it and prove their keys, and it delivers frames to them in order, and exactly once while neither side
 * restarts (formats.md 10, 13). It can delay and drop frames but not forge them: WaaS or a node signs everything that nodes act on.
 * Owns who is online, the channels and their bounds. The engine owns the meaning of frames, the caller the HTTP routes.
 */
import { randomBytes } from "node:crypto"
import { type Bytes, copy, equal } from "../bytes.ts"
import { CosignerError, errorText } from "../errors.ts"
import type { PartyId } from "../keys/party.ts"
import { type Channel, createChannel } from "../wire/channel.ts"
import type { ToNode } from "../wire/frames.ts"
import { decodeFromNode, encodeToNode } from "../wire/framesCodec.ts"
import type { FencingToken } from "../wire/hello.ts"
import { nodeIdOf } from "../wire/nodeId.ts"
import {
  type ChannelPacket,
  EPOCH_BYTES,
  MAX_NODE_PACKET_BYTES,
  MAX_PACKET_BYTES,
  type RefusalReason,
} from "../wire/packets.ts"
import { shownFrame } from "../wire/shown.ts"
import { NodeConnection, type NodeSaid, type RelayConnectionEvents } from "./relayConnection.ts"
import type { Relay, RelayDrop, RelayOptions } from "./relayOptions.ts"
import { UnprovenConnections } from "./unproven.ts"

/** A node sends a heartbeat every 15 s. One that was silent for longer may have crashed and restarted with a new boot id. */
const TWIN_MS = 20_000

interface Peer {
  readonly channel: Channel
  connection: NodeConnection | undefined
  /** The socket's buffer is full; nothing more is sent until it drains. */
  full: boolean
  /** A frame of this peer is being handled. Nothing is sent meanwhile: the next packet would acknowledge the frame. */
  handling: boolean
}

export const createRelay = (options: RelayOptions): Relay => new NodeRelay(options)

class NodeRelay implements Relay {
  readonly websocket: Bun.WebSocketHandler<NodeConnection>
  readonly #options: RelayOptions
  readonly #peers = new Map<PartyId, Peer>()
  readonly #online = new Set<PartyId>()
  readonly #connections = new Set<NodeConnection>()
  /** Connections that other replicas know of, each with the function that tells them of its end. */
  readonly #known = new Map<NodeConnection, () => void>()
  readonly #unproven: UnprovenConnections
  readonly #dropped = new Map<RelayDrop, number>()
  readonly #events: RelayConnectionEvents
  readonly #sweep: ReturnType<typeof setInterval>
  #closing = false

  constructor(options: RelayOptions) {
    this.#options = options
    this.#unproven = new UnprovenConnections(options.limits.unproven)
    this.#events = {
      admit: (connection, party, said) => this.#admit(connection, party, said),
      opened: (connection, party) => this.#opened(connection, party),
      packet: (connection, party, packet) => this.#packet(connection, party, packet),
      refused: (connection, reason) => this.#refused(connection, reason),
    }
    this.websocket = this.#websocket()
    const sweepMs = Math.ceil(options.limits.silentMs / 4)
    this.#sweep = setInterval(() => {
      for (const connection of this.#connections) connection.checkSilence()
    }, sweepMs)
  }

  upgrade(request: Request, server: Bun.Server<NodeConnection>): "upgraded" | "other" | Response {
    if (new URL(request.url).pathname !== "/ws") return "other"
    if (this.#closing) return new Response("stopping", { status: 503 })
    // Browsers send Origin, and nodes do not: a web page must not reach a relay in its visitor's network.
    if (request.headers.has("origin")) return new Response("no place for browsers", { status: 403 })
    const address = server.requestIP(request)?.address ?? ""
    const data = new NodeConnection(address, this.#options, this.#events)
    if (server.upgrade(request, { data })) return "upgraded"
    return new Response("a WebSocket is expected here", { status: 426, headers: { Upgrade: "websocket" } })
  }

  send(party: PartyId, frame: ToNode): "queued" | "offline-queued" | "full" {
    const bytes = encodeToNode(frame)
    this.#options.log.trace("frame out", () => ({ nodeId: nodeIdOf(party), ...shownFrame(frame, bytes.length) }))
    const peer = this.#peerOf(party)
    if (peer === undefined || peer.channel.send(bytes) === "full") {
      this.#count("queueFull")
      return "full"
    }
    if (!this.#online.has(party)) return "offline-queued"
    this.#pump(peer)
    return "queued"
  }

  online(): ReadonlySet<PartyId> {
    return this.#online
  }

  silentMs(party: PartyId): number | undefined {
    return this.#online.has(party) ? this.#peers.get(party)?.connection?.silentMs() : undefined
  }

  forget(party: PartyId): void {
    this.#peers.get(party)?.connection?.refuse("unknownNode")
    this.#peers.delete(party)
  }

  dropped(): ReadonlyMap<RelayDrop, number> {
    return this.#dropped
  }

  refuseAll(reason: RefusalReason): void {
    for (const connection of this.#connections) connection.refuse(reason)
  }

  close(): void {
    this.#closing = true
    clearInterval(this.#sweep)
    this.refuseAll("stopping")
    this.#peers.clear()
  }

  // ---- sockets -----------------------------------------------------------------------------------------------------

  #websocket(): Bun.WebSocketHandler<NodeConnection> {
    return {
      maxPayloadLength: MAX_NODE_PACKET_BYTES,
      // More than the channel's window lets out: the runtime silently drops what exceeds this limit.
      backpressureLimit: 4 * this.#options.limits.channel.windowBytes + 2 * MAX_PACKET_BYTES,
      idleTimeout: 0,
      sendPings: false,
      perMessageDeflate: false,
      open: (socket) => {
        this.#unproven.evict(socket.data.address)?.evict()
        this.#unproven.add(socket.data)
        this.#connections.add(socket.data)
        socket.data.open(socket)
      },
      message: (socket, message) => socket.data.message(message),
      drain: (socket) => this.#drained(socket.data),
      close: (socket) => {
        this.#connections.delete(socket.data)
        this.#unproven.delete(socket.data)
        socket.data.closed()
        this.#leave(socket.data)
      },
    }
  }

  #drained(connection: NodeConnection): void {
    const peer = this.#peerBehind(connection)
    if (peer === undefined) return
    peer.full = false
    this.#pump(peer)
  }

  // ---- who may connect ---------------------------------------------------------------------------------------------

  #admit(
    connection: NodeConnection,
    party: PartyId,
    said: NodeSaid,
  ): Promise<RefusalReason | undefined> | RefusalReason | undefined {
    const { fencingToken, versions } = said
    const { admitFencingToken, log } = this.#options
    if (fencingToken === undefined || admitFencingToken === undefined) return this.#register(connection, party, said)
    if (!this.#isKnown(party)) return this.#register(connection, party, said)
    // A known node has proved its key; it now waits for WaaS, and must not be evicted in favour of strangers.
    this.#unproven.delete(connection)
    const elsewhere = this.#besideTwin(party, fencingToken)
    if (elsewhere !== undefined) return elsewhere
    return admitFencingToken(party, fencingToken, versions).then(
      (admission) => {
        if (admission === "newest") return this.#admitted(connection, party, { ...said, fencingToken })
        const nodeId = nodeIdOf(party)
        if (admission === "twin") log.warn("A second copy of a node that another replica hears was refused", { nodeId })
        else log.warn("A node with an older copy of its database was refused", { nodeId })
        return admission === "twin" ? "twin" : "rolledBack"
      },
      (error: unknown) => {
        this.#failed(error)
        return "busy"
      },
    )
  }

  /** The store has recorded this connection, so other replicas know of it; they must be told when it ends. */
  #admitted(
    connection: NodeConnection,
    party: PartyId,
    said: NodeSaid & { readonly fencingToken: FencingToken },
  ): RefusalReason | undefined {
    this.#known.set(connection, () => this.#options.onLeft?.(party, said.fencingToken))
    if (!connection.hasEnded) return this.#register(connection, party, said)
    this.#leave(connection)
    return "busy"
  }

  /**
   * "twin" if another start of the same node is connected and not silent: it stays, because two copies of one database run. A node that
   * was restarted is let in, because its old connection has closed or falls silent soon.
   */
  #besideTwin(party: PartyId, fencingToken: FencingToken | undefined): RefusalReason | undefined {
    const connected = this.#peers.get(party)?.connection
    const known = connected?.said?.fencingToken
    if (connected === undefined || known === undefined) return undefined
    if (fencingToken === undefined) return "busy"
    if (equal(known.bootId, fencingToken.bootId) || connected.silentMs() > TWIN_MS) return undefined
    this.#options.log.warn("A second copy of a connected node was refused", { nodeId: nodeIdOf(party) })
    return "twin"
  }

  #register(connection: NodeConnection, party: PartyId, { fencingToken }: NodeSaid): RefusalReason | undefined {
    const elsewhere = this.#besideTwin(party, fencingToken)
    if (elsewhere !== undefined) return elsewhere
    if (!this.#isKnown(party)) {
      this.#options.log.info("A node that is not known was refused", { nodeId: nodeIdOf(party) })
      return "unknownNode"
    }
    const peer = this.#peerOf(party)
    if (peer === undefined) return "busy"
    this.#unproven.delete(connection)
    peer.connection?.refuse("replaced")
    peer.connection = connection
    peer.full = false
    return undefined
  }

  #isKnown(party: PartyId): boolean {
    try {
      return this.#options.isKnownNode(party)
    } catch (error) {
      this.#failed(error)
      return false
    }
  }

  #peerOf(party: PartyId): Peer | undefined {
    const known = this.#peers.get(party)
    if (known !== undefined) return known
    const { limits } = this.#options
    if (this.#peers.size >= limits.nodes && !this.#makeRoom()) return undefined
    const channel = createChannel(() => copy(randomBytes(EPOCH_BYTES)), limits.channel)
    const peer: Peer = { channel, connection: undefined, full: false, handling: false }
    this.#peers.set(party, peer)
    return peer
  }

  #makeRoom(): boolean {
    for (const [party, peer] of this.#peers) {
      if (peer.connection === undefined && peer.channel.depth().frames === 0) return this.#peers.delete(party)
    }
    return false
  }

  // ---- what a connection brings ------------------------------------------------------------------------------------

  /** The peer that this connection belongs to; undefined once another connection has replaced it. */
  #peerBehind(connection: NodeConnection): Peer | undefined {
    const peer = connection.party === undefined ? undefined : this.#peers.get(connection.party)
    return peer?.connection === connection ? peer : undefined
  }

  #opened(connection: NodeConnection, party: PartyId): void {
    const peer = this.#peers.get(party)
    if (peer?.connection !== connection) return
    peer.channel.connect()
    this.#pump(peer)
  }

  #packet(connection: NodeConnection, party: PartyId, packet: ChannelPacket): void {
    const peer = this.#peers.get(party)
    if (peer?.connection !== connection) return
    this.#receive(peer, party, packet)
    this.#pump(peer)
  }

  #receive(peer: Peer, party: PartyId, packet: ChannelPacket): void {
    const { log, onOnline } = this.#options
    const received = peer.channel.receive(packet)
    switch (received.kind) {
      case "nothing":
        return
      case "duplicate":
        return this.#count("duplicate")
      case "violation":
        log.warn("A node broke the link protocol", { nodeId: nodeIdOf(party), problem: received.what })
        peer.connection?.refuse("protocol")
        return
      case "resumed":
        this.#online.add(party)
        log.info("Node online", { nodeId: nodeIdOf(party), peer: received.peer })
        return this.#guarded(peer, () => onOnline(party, received.peer))
      case "frame":
        return this.#frame(peer, party, received.payload)
    }
  }

  #frame(peer: Peer, party: PartyId, payload: Bytes): void {
    const { log, onFrame } = this.#options
    const frame = decodeFromNode(payload)
    if ("problem" in frame) {
      this.#count("malformed")
      return log.warn("A frame of a node was dropped", { nodeId: nodeIdOf(party), problem: frame.problem })
    }
    log.trace("frame in", () => ({ nodeId: nodeIdOf(party), ...shownFrame(frame, payload.length) }))
    this.#guarded(peer, () => onFrame(party, frame))
  }

  #guarded(peer: Peer, handle: () => void): void {
    const outer = peer.handling
    peer.handling = true
    try {
      handle()
    } catch (error) {
      this.#failed(error)
    } finally {
      peer.handling = outer
    }
  }

  #pump(peer: Peer): void {
    while (!peer.handling && !peer.full && peer.connection !== undefined) {
      const packet = peer.channel.next()
      if (packet === undefined) return
      const status = peer.connection.send(packet)
      if (status === "lost") return
      peer.full = status === "later"
    }
  }

  #refused(connection: NodeConnection, reason: RefusalReason): void {
    this.#count(reason)
    this.#leave(connection)
  }

  #leave(connection: NodeConnection): void {
    const tell = this.#known.get(connection)
    if (this.#known.delete(connection)) tell?.()
    const peer = this.#peerBehind(connection)
    if (connection.party !== undefined && peer !== undefined) this.#detach(connection.party, peer)
  }

  #detach(party: PartyId, peer: Peer): void {
    peer.connection = undefined
    peer.channel.disconnect()
    if (!this.#online.delete(party)) return
    this.#options.log.info("Node offline", { nodeId: nodeIdOf(party) })
    this.#guarded(peer, () => this.#options.onOffline(party))
  }

  #failed(error: unknown): void {
    this.#count("handlerFailed")
    const code = error instanceof CosignerError ? error.code : "E-CLI-001"
    this.#options.log.error("A handler of the relay threw", { code, what: errorText(error) })
  }

  #count(reason: RelayDrop): void {
    this.#dropped.set(reason, (this.#dropped.get(reason) ?? 0) + 1)
  }
}
