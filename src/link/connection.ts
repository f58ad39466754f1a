/**
 * One connection to WaaS, from the dial to its one end: handshake, heartbeat, packets. What survives a connection (the
 * channel, the next attempt) is link.ts's.
 */

import { randomBytes } from "node:crypto"
import { copy } from "../bytes.ts"
import { CosignerError } from "../errors.ts"
import { errnoOf } from "../files.ts"
import { isProof, prove, type Transcript } from "../wire/hello.ts"
import { type ChannelPacket, decodePacket, encodePacket, LINK_VERSION, type Packet } from "../wire/packets.ts"
import { type DialFailure, dialError, refusalError, wrongServer } from "./failure.ts"
import { asBuffer, type LinkOptions, shownUrl } from "./options.ts"

export interface Measured {
  readonly rttMs: number
  /** Clock of WaaS minus ours, by the middle of the round trip; wrong by at most half of it. */
  readonly clockOffsetMs: number
}

export interface ConnectionEvents {
  /** The socket is open, nothing is proved. */
  opened(): void
  /** Both keys are proved. */
  established(): void
  measured(measured: Measured): void
  packet(packet: ChannelPacket): void
  /** Once, and last. Not called after `close`. */
  ended(error: CosignerError): void
}

export interface Connection {
  send(packet: Packet): void
  /** Ends it from our side: what was sent before is still delivered. */
  close(): void
  /** Ends it at once, with this reason. */
  fail(error: CosignerError): void
  /** Since anything was heard from WaaS, or since the dial, ms. */
  silentMs(): number
}

type Phase = "dialing" | "challenge" | "welcome" | "open" | "ended"

export function openConnection(options: LinkOptions, events: ConnectionEvents): Connection {
  const { timing, clock, node } = options
  const nodeNonce = copy(randomBytes(32))
  const socket = new WebSocket(options.url, socketOptions(options))
  socket.binaryType = "arraybuffer"
  let phase: Phase = "dialing"
  let failure: DialFailure | undefined
  let helloAt = 0
  let unheard = 0
  let heardAt = performance.now()
  let heartbeat: ReturnType<typeof setInterval> | undefined
  const patience = setTimeout(() => {
    fail(new CosignerError("E-LNK-003", { url: shownUrl(options.url), limitMs: timing.handshakeMs }))
  }, timing.handshakeMs)

  function leave(): boolean {
    if (phase === "ended") return false
    phase = "ended"
    clearTimeout(patience)
    clearInterval(heartbeat)
    return true
  }

  function fail(error: CosignerError): void {
    if (!leave()) return
    socket.terminate()
    events.ended(error)
  }

  function send(packet: Packet): void {
    if (phase !== "ended") socket.send(encodePacket(packet))
  }

  function measure(sentAt: number, waasMs: number): void {
    const rttMs = performance.now() - sentAt
    events.measured({ rttMs, clockOffsetMs: Math.round(waasMs - (clock() - rttMs / 2)) })
  }

  function beat(): void {
    if (unheard >= timing.missedPings) {
      return fail(new CosignerError("E-LNK-009", { silentMs: (unheard + 1) * timing.pingMs }))
    }
    unheard += 1
    send({ kind: "ping", stamp: Math.round(performance.now() * 1000) })
  }

  function onChallenge(packet: Extract<Packet, { readonly kind: "challenge" }>): void {
    const { waasNonce, waasMs } = packet
    const waasKey = copy(options.waasKey)
    const transcript: Transcript = {
      version: LINK_VERSION,
      nodeKey: node.publicKey,
      waasKey,
      nodeNonce,
      waasNonce,
      waasMs,
    }
    if (!isProof("waas", transcript, packet.signature)) return fail(wrongServer(options))
    measure(helloAt, waasMs)
    phase = "welcome"
    const fencingToken = options.fencingToken?.()
    if (fencingToken === undefined) return send({ kind: "proof", signature: prove("node", transcript, node) })
    send({ kind: "proof", signature: prove("node", { ...transcript, fencingToken }, node), fencingToken })
  }

  function onWelcome(): void {
    phase = "open"
    clearTimeout(patience)
    heartbeat = setInterval(beat, timing.pingMs)
    events.established()
  }

  function onPacket(packet: Packet): void {
    if (packet.kind === "refused") return fail(refusalError(options, packet.reason))
    if (phase === "challenge" && packet.kind === "challenge") return onChallenge(packet)
    if (phase === "welcome" && packet.kind === "welcome") return onWelcome()
    if (phase === "open" && packet.kind === "pong") return measure(packet.stamp / 1000, packet.nowMs)
    if (phase === "open" && isChannelPacket(packet)) return events.packet(packet)
    fail(new CosignerError("E-LNK-010", { problem: `${packet.kind} out of place` }))
  }

  socket.onopen = () => {
    if (phase !== "dialing") return
    phase = "challenge"
    events.opened()
    helloAt = performance.now()
    send({ kind: "hello", version: LINK_VERSION, nodeKey: node.publicKey, nodeNonce })
  }
  socket.onmessage = (event: MessageEvent<unknown>) => {
    if (phase === "ended") return
    unheard = 0
    heardAt = performance.now()
    const packet =
      event.data instanceof ArrayBuffer ? decodePacket(new Uint8Array(event.data)) : { problem: "a text message" }
    if ("problem" in packet) return fail(new CosignerError("E-LNK-010", { problem: packet.problem }))
    onPacket(packet)
  }
  socket.onerror = (event) => {
    failure = describeFailure(event)
  }
  socket.onclose = (event) => {
    if (!leave()) return
    if (failure !== undefined) return events.ended(dialError(options, failure))
    events.ended(new CosignerError("E-LNK-011", { closeCode: event.code }))
  }

  return {
    send,
    close() {
      if (leave()) socket.close(1000)
    },
    fail,
    silentMs: () => performance.now() - heardAt,
  }
}

const isChannelPacket = (packet: Packet): packet is ChannelPacket =>
  packet.kind === "resume" || packet.kind === "data" || packet.kind === "ack"

function socketOptions(options: LinkOptions): Bun.WebSocketOptions {
  const { ca, client, proxy } = options
  return {
    perMessageDeflate: false,
    ...(proxy === undefined ? {} : { proxy }),
    tls: {
      // Said aloud, because an environment variable would switch it off otherwise.
      rejectUnauthorized: true,
      ...(ca === undefined ? {} : { ca }),
      ...(client === undefined ? {} : { cert: client.certificate, key: asBuffer(client.key) }),
    },
  }
}

function describeFailure(event: Event): DialFailure {
  const message = "message" in event && typeof event.message === "string" ? event.message : "no reason given"
  const cause: unknown = "error" in event ? event.error : undefined
  const code = errnoOf(cause) ?? ""
  return { message, code }
}
