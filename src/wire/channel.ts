/**
 * The channel between a node and WaaS (formats.md 13.1): it delivers frames in order, each exactly once, over connections that come
 * and go. A pure state machine: packets in, packets out. Its host owns sockets, timers and the handshake.
 *
 * Each side numbers its frames from 1 and keeps them until they are acknowledged. Every connection begins with a resume packet in
 * both directions and continues after the last frame that the peer says it received. Each side draws an epoch when it makes its
 * channel. A peer that restarted has another epoch: numbering starts again, and the frames that it had not acknowledged are sent
 * again. Only in this case may a frame arrive twice.
 *
 * Memory is bounded: `send` answers "full" and keeps nothing; received frames are handed on at once; and the window bounds how much
 * is sent ahead of the peer's acknowledgements.
 */
import { type Bytes, equal } from "../bytes.ts"
import { type ChannelPacket, EPOCH_BYTES } from "./packets.ts"

export interface ChannelLimits {
  /** How much may be queued, sent or not, until it is acknowledged; beyond it `send` answers "full". */
  readonly queueFrames: number
  readonly queueBytes: number
  /** How much may be sent and not yet acknowledged; one frame is always let through. */
  readonly windowFrames: number
  readonly windowBytes: number
}

export const CHANNEL_LIMITS: ChannelLimits = {
  queueFrames: 8192,
  queueBytes: 32 * 1024 * 1024,
  windowFrames: 1024,
  windowBytes: 4 * 1024 * 1024,
}

/** first: the peer is new to this side. same: nothing was lost. restarted: the peer has forgotten everything that it was sent. */
export type PeerMemory = "first" | "same" | "restarted"

export type ChannelReceived =
  | { readonly kind: "nothing" }
  /** Frames flow from now on. */
  | { readonly kind: "resumed"; readonly peer: PeerMemory }
  /** The caller must handle the frame before it calls `next`, because the next packet may acknowledge it. */
  | { readonly kind: "frame"; readonly payload: Bytes }
  | { readonly kind: "duplicate" }
  /** The caller must close the connection. The channel has drawn a new epoch, so the next connection begins a new numbering. */
  | { readonly kind: "violation"; readonly what: string }

export interface Depth {
  readonly frames: number
  readonly bytes: number
  readonly inFlight: number
}

export interface Channel {
  /**
   * Replaces each unacknowledged frame for which `instead` returns another one. The number stays, so a peer that already has the
   * first frame drops the second as a duplicate. True if one of the replaced frames was already sent on this connection.
   */
  replace(instead: (frame: Bytes) => Bytes | undefined): boolean
  /** Queues a frame, connected or not. "full": the frame was not accepted; try again when `hasRoom`. */
  send(frame: Bytes): "queued" | "full"
  /** A new connection is there and its handshake is done; the channel forgets any earlier one. */
  connect(): void
  disconnect(): void
  receive(packet: ChannelPacket): ChannelReceived
  /** The next packet to send; undefined if there is none, or the window is used up. */
  next(): ChannelPacket | undefined
  /** Whether the queue is at most half full; not merely below its limit, so that a sender is not woken for each frame. */
  hasRoom(): boolean
  depth(): Depth
  /** The peer's epoch as of its last resume; undefined before the first. It identifies the peer's process. */
  peerEpoch(): Bytes | undefined
}

/** Stands for the peer's epoch in a resume while none is known. */
const NOBODY: Bytes = new Uint8Array(EPOCH_BYTES)

/** `newEpoch` returns 16 fresh random bytes at each call. */
export const createChannel = (newEpoch: () => Bytes, limits: ChannelLimits): Channel =>
  new NumberedChannel(newEpoch, limits)

class NumberedChannel implements Channel {
  readonly #newEpoch: () => Bytes
  readonly #limits: ChannelLimits
  #epoch: Bytes
  #peer: Bytes | undefined
  /** Frames number #acked + 1 to #acked + #queue.length; the first `#sent` of them were sent on this connection. */
  #queue: Bytes[] = []
  #queueBytes = 0
  #acked = 0
  #sent = 0
  #sentBytes = 0
  /** The highest number ever sent to the peer in its present epoch. */
  #highest = 0
  #received = 0
  #state: "apart" | "greeting" | "resumed" = "apart"
  #resumeDue = false
  #ackDue = false

  constructor(newEpoch: () => Bytes, limits: ChannelLimits) {
    this.#newEpoch = newEpoch
    this.#limits = limits
    this.#epoch = newEpoch()
  }

  send(frame: Bytes): "queued" | "full" {
    const { queueFrames, queueBytes } = this.#limits
    if (this.#queue.length >= queueFrames || this.#queueBytes + frame.length > queueBytes) return "full"
    this.#queue.push(frame)
    this.#queueBytes += frame.length
    return "queued"
  }

  replace(instead: (frame: Bytes) => Bytes | undefined): boolean {
    let isOnItsWay = false
    this.#queue = this.#queue.map((frame, i) => {
      const other = instead(frame)
      if (other === undefined) return frame
      const grown = other.length - frame.length
      this.#queueBytes += grown
      if (i < this.#sent) {
        this.#sentBytes += grown
        isOnItsWay = true
      }
      return other
    })
    return isOnItsWay
  }

  connect(): void {
    this.disconnect()
    this.#state = "greeting"
    this.#resumeDue = true
  }

  disconnect(): void {
    this.#state = "apart"
    this.#sent = 0
    this.#sentBytes = 0
    this.#resumeDue = false
    this.#ackDue = false
  }

  receive(packet: ChannelPacket): ChannelReceived {
    if (packet.kind === "resume") return this.#resume(packet)
    if (this.#state !== "resumed") return this.#violation("a packet before the resume")
    if (packet.kind === "data") return this.#data(packet)
    if (this.#acknowledge(packet.ack)) return { kind: "nothing" }
    return this.#violation("an acknowledgement of what was never sent")
  }

  next(): ChannelPacket | undefined {
    if (this.#resumeDue) {
      this.#resumeDue = false
      return { kind: "resume", epoch: this.#epoch, knows: this.#peer ?? NOBODY, received: this.#received }
    }
    if (this.#state !== "resumed") return undefined
    const frame = this.#queue[this.#sent]
    if (frame !== undefined && this.#fitsWindow(frame)) return this.#dataOf(frame)
    if (!this.#ackDue) return undefined
    this.#ackDue = false
    return { kind: "ack", ack: this.#received }
  }

  hasRoom(): boolean {
    const { queueFrames, queueBytes } = this.#limits
    return this.#queue.length <= queueFrames / 2 && this.#queueBytes <= queueBytes / 2
  }

  depth(): Depth {
    return { frames: this.#queue.length, bytes: this.#queueBytes, inFlight: this.#sent }
  }

  peerEpoch(): Bytes | undefined {
    return this.#peer
  }

  /** One frame always fits, however large: otherwise a frame larger than the window would block the channel. */
  #fitsWindow(frame: Bytes): boolean {
    const { windowFrames, windowBytes } = this.#limits
    return this.#sent === 0 || (this.#sent < windowFrames && this.#sentBytes + frame.length <= windowBytes)
  }

  #dataOf(frame: Bytes): ChannelPacket {
    this.#sent += 1
    this.#sentBytes += frame.length
    this.#highest = Math.max(this.#highest, this.#acked + this.#sent)
    this.#ackDue = false
    return { kind: "data", seq: this.#acked + this.#sent, ack: this.#received, payload: frame }
  }

  #startNumbering(): void {
    this.#acked = 0
    this.#highest = 0
    this.#received = 0
    this.#sent = 0
    this.#sentBytes = 0
  }

  #violation(what: string): ChannelReceived {
    this.#epoch = this.#newEpoch()
    this.#peer = undefined
    this.#startNumbering()
    this.disconnect()
    return { kind: "violation", what }
  }

  /** Drops the frames that the peer has; false for a number that no honest peer sends. */
  #acknowledge(upTo: number): boolean {
    if (upTo < this.#acked || upTo > this.#highest) return false
    const count = upTo - this.#acked
    for (const [i, frame] of this.#queue.slice(0, count).entries()) {
      this.#queueBytes -= frame.length
      if (i < this.#sent) this.#sentBytes -= frame.length
    }
    this.#queue = count === 0 ? this.#queue : this.#queue.slice(count)
    this.#sent = Math.max(0, this.#sent - count)
    this.#acked = upTo
    return true
  }

  #resume(packet: Extract<ChannelPacket, { readonly kind: "resume" }>): ChannelReceived {
    if (this.#state !== "greeting") return this.#violation("a resume out of place")
    const memory = this.#peer === undefined ? "first" : equal(packet.epoch, this.#peer) ? "same" : "restarted"
    if (memory !== "same") {
      this.#startNumbering()
      this.#peer = packet.epoch
    }
    if (equal(packet.knows, this.#epoch)) {
      if (!this.#acknowledge(packet.received)) return this.#violation("a resume after frames that were never sent")
    } else if (this.#acked > 0 || this.#received > 0) {
      return this.#violation("a peer that forgot this side without a new epoch")
    }
    this.#state = "resumed"
    return { kind: "resumed", peer: memory }
  }

  #data(packet: Extract<ChannelPacket, { readonly kind: "data" }>): ChannelReceived {
    if (!this.#acknowledge(packet.ack)) return this.#violation("an acknowledgement of what was never sent")
    if (packet.seq > this.#received + 1) return this.#violation("a gap in the numbering")
    this.#ackDue = true
    if (packet.seq <= this.#received) return { kind: "duplicate" }
    this.#received = packet.seq
    return { kind: "frame", payload: packet.payload }
  }
}
