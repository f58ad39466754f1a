/**
 * The channel between a node and WaaS: frames in order, each exactly once, over connections that come and go. A pure
 * state machine: packets in, packets out; sockets, timers and the handshake are its host's.
 *
 * Each side numbers its frames from 1 and keeps them until they are acknowledged. Every connection begins with a resume
 * packet both ways, and goes on after the last frame that the peer says it received. Each side also has an epoch, drawn when
 * its channel is made: a peer that restarted has another one, numbering begins anew, and what it had not acknowledged is
 * offered to it again (so across a restart, and only then, a frame may be seen twice).
 *
 * Both queues are bounded: `send` answers "full" and keeps nothing; received frames are handed on at once, and the window
 * keeps a peer from being sent more than it acknowledges.
 */
import { type Bytes, equal } from "../bytes.ts"
import { type ChannelPacket, EPOCH_BYTES } from "./packets.ts"

export interface ChannelLimits {
  /** What may wait, unacknowledged, before `send` answers "full". */
  readonly queueFrames: number
  readonly queueBytes: number
  /** What may be on its way, sent and unacknowledged; one frame is always let through. */
  readonly windowFrames: number
  readonly windowBytes: number
}

export const CHANNEL_LIMITS: ChannelLimits = {
  queueFrames: 8192,
  queueBytes: 32 * 1024 * 1024,
  windowFrames: 1024,
  windowBytes: 4 * 1024 * 1024,
}

/** first: never met. same: nothing was lost. restarted: the peer remembers nothing of what it was told. */
export type PeerMemory = "first" | "same" | "restarted"

export type Received =
  | { readonly kind: "nothing" }
  /** From now on frames flow. */
  | { readonly kind: "resumed"; readonly peer: PeerMemory }
  /** To be handed on before the next packet is taken from `next`: that one may acknowledge it. */
  | { readonly kind: "frame"; readonly payload: Bytes }
  | { readonly kind: "duplicate" }
  /** The connection must be closed. The channel has renewed itself: the next connection begins a new numbering. */
  | { readonly kind: "violation"; readonly what: string }

export interface Depth {
  readonly frames: number
  readonly bytes: number
  readonly inFlight: number
}

export interface Channel {
  /** Queues a frame, whether connected or not. "full": not taken; ask again when `hasRoom`. */
  send(frame: Bytes): "queued" | "full"
  /** A new connection, handshake done; whatever connection there was is forgotten. */
  connect(): void
  disconnect(): void
  receive(packet: ChannelPacket): Received
  /** The next packet to put on the connection; undefined when there is nothing to say or the window is used up. */
  next(): ChannelPacket | undefined
  /** Whether the queue is at most half full. */
  hasRoom(): boolean
  depth(): Depth
}

const NOBODY: Bytes = new Uint8Array(EPOCH_BYTES)

/** `newEpoch`: 16 random bytes, fresh each time it is called. */
export function createChannel(newEpoch: () => Bytes, limits: ChannelLimits): Channel {
  let epoch = newEpoch()
  let peer: Bytes | undefined
  /** Frames acked + 1 .. acked + queue.length, of which the first `sent` are on this connection. */
  let queue: Bytes[] = []
  let queueBytes = 0
  let acked = 0
  let sent = 0
  let sentBytes = 0
  /** The highest number ever sent to this incarnation of the peer. */
  let highest = 0
  let received = 0
  let state: "apart" | "greeting" | "resumed" = "apart"
  let resumeDue = false
  let ackDue = false

  const frameOf = (i: number): Bytes => queue[i] ?? NOBODY

  function startNumbering(): void {
    acked = 0
    highest = 0
    received = 0
    sent = 0
    sentBytes = 0
  }

  function violation(what: string): Received {
    epoch = newEpoch()
    peer = undefined
    startNumbering()
    disconnect()
    return { kind: "violation", what }
  }

  function disconnect(): void {
    state = "apart"
    sent = 0
    sentBytes = 0
    resumeDue = false
    ackDue = false
  }

  /** Drops what the peer has; false for a number that no honest peer says. */
  function acknowledge(upTo: number): boolean {
    if (upTo < acked || upTo > highest) return false
    const count = upTo - acked
    for (let i = 0; i < count; i++) {
      queueBytes -= frameOf(i).length
      if (i < sent) sentBytes -= frameOf(i).length
    }
    queue = count === 0 ? queue : queue.slice(count)
    sent = Math.max(0, sent - count)
    acked = upTo
    return true
  }

  function resume(packet: Extract<ChannelPacket, { readonly kind: "resume" }>): Received {
    if (state !== "greeting") return violation("a resume out of place")
    const memory = peer === undefined ? "first" : equal(packet.epoch, peer) ? "same" : "restarted"
    if (memory !== "same") {
      startNumbering()
      peer = packet.epoch
    }
    if (equal(packet.knows, epoch)) {
      if (!acknowledge(packet.received)) return violation("a resume after frames that were never sent")
    } else if (acked > 0 || received > 0) {
      return violation("a peer that forgot this side without a new epoch")
    }
    state = "resumed"
    return { kind: "resumed", peer: memory }
  }

  function data(packet: Extract<ChannelPacket, { readonly kind: "data" }>): Received {
    if (!acknowledge(packet.ack)) return violation("an acknowledgement of what was never sent")
    if (packet.seq > received + 1) return violation("a gap in the numbering")
    ackDue = true
    if (packet.seq <= received) return { kind: "duplicate" }
    received = packet.seq
    return { kind: "frame", payload: packet.payload }
  }

  return {
    send(frame) {
      if (queue.length >= limits.queueFrames || queueBytes + frame.length > limits.queueBytes) return "full"
      queue.push(frame)
      queueBytes += frame.length
      return "queued"
    },
    connect() {
      disconnect()
      state = "greeting"
      resumeDue = true
    },
    disconnect,
    receive(packet) {
      if (packet.kind === "resume") return resume(packet)
      if (state !== "resumed") return violation("a packet before the resume")
      if (packet.kind === "data") return data(packet)
      return acknowledge(packet.ack) ? { kind: "nothing" } : violation("an acknowledgement of what was never sent")
    },
    next() {
      if (resumeDue) {
        resumeDue = false
        return { kind: "resume", epoch, knows: peer ?? NOBODY, received }
      }
      if (state !== "resumed") return undefined
      const frame = queue[sent]
      const fits = frame !== undefined && sent < limits.windowFrames && sentBytes + frame.length <= limits.windowBytes
      if (frame !== undefined && (fits || sent === 0)) {
        sent += 1
        sentBytes += frame.length
        highest = Math.max(highest, acked + sent)
        ackDue = false
        return { kind: "data", seq: acked + sent, ack: received, payload: frame }
      }
      if (!ackDue) return undefined
      ackDue = false
      return { kind: "ack", ack: received }
    },
    hasRoom: () => queue.length <= limits.queueFrames / 2 && queueBytes <= limits.queueBytes / 2,
    depth: () => ({ frames: queue.length, bytes: queueBytes, inFlight: sent }),
  }
}
