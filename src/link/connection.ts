/**
 * One connection to WaaS, from the dial to its end: handshake, heartbeat, packets (formats.md 10, 13.1). nodeLink.ts owns what
 * outlives a connection: the channel, and when to dial again.
 */

import { randomBytes } from "node:crypto"
import { type Bytes, copy } from "../bytes.ts"
import { CosignerError, errorText } from "../errors.ts"
import { errnoOf } from "../files.ts"
import { isProof, prove, type Transcript } from "../wire/hello.ts"
import { type ChannelPacket, decodePacket, encodePacket, HELLO_FORM, type Packet } from "../wire/packets.ts"
import { common, LINK, LINK_WITH_STANDING, markedNonce, NONCE_BYTES, rangeOf, VERSIONS } from "../wire/versions.ts"
import { isTokenOf } from "../wire/waasToken.ts"
import { type DialFailure, dialError, refusalError, wrongServer } from "./failure.ts"
import { follow } from "./followed.ts"
import { Incoming } from "./incoming.ts"
import { asBuffer, type LinkOptions, shownUrl } from "./options.ts"

export interface Measured {
  readonly rttMs: number
  /** Clock of WaaS minus this node's clock at the middle of the round trip, ms; the error is at most half a round trip. */
  readonly clockOffsetMs: number
}

interface ConnectionEvents {
  /** The socket is open; neither side has proved its key yet. */
  opened(): void
  /** Both sides have proved their keys; `version` is the newest link version that both speak. */
  established(version: number): void
  measured(measured: Measured): void
  packet(packet: ChannelPacket): void
  /** Called once, as the last event. Not called after `close`. */
  ended(error: CosignerError): void
}

type Phase = "dialing" | "challenge" | "welcome" | "open" | "ended"
type Challenge = Extract<Packet, { readonly kind: "challenge" }>

export class Connection {
  readonly #options: LinkOptions
  readonly #events: ConnectionEvents
  readonly #nodeNonce: Bytes
  readonly #socket: WebSocket
  readonly #handshakeTimer: ReturnType<typeof setTimeout>
  readonly #incoming = new Incoming<unknown>((data) => this.#onMessage(data))
  #phase: Phase = "dialing"
  #version = 0
  #failure: DialFailure | undefined
  /** Set if this WaaS is an older copy. The proof is still sent, because it shows that WaaS the newer token; then the connection ends. */
  #outdated: CosignerError | undefined
  #helloAt = 0
  #unansweredBeats = 0
  #heardAt = performance.now()
  #heartbeat: ReturnType<typeof setInterval> | undefined
  #busyPing: ReturnType<typeof setInterval> | undefined

  /** Dials at once. */
  constructor(options: LinkOptions, events: ConnectionEvents) {
    const { url, timing } = options
    this.#options = options
    this.#events = events
    this.#nodeNonce = markedNonce(randomBytes(NONCE_BYTES), LINK)
    this.#socket = this.#dial()
    this.#handshakeTimer = setTimeout(() => {
      this.fail(this.#outdated ?? new CosignerError("E-LNK-003", { url: shownUrl(url), limitMs: timing.handshakeMs }))
    }, timing.handshakeMs)
  }

  send(packet: Packet): void {
    if (this.#phase !== "ended") this.#socket.send(encodePacket(packet))
  }

  /** Closes the connection; packets that were sent before are still delivered. */
  close(): void {
    if (this.#leave()) this.#socket.close(1000)
  }

  /** Ends the connection at once and reports this error as its end. */
  fail(error: CosignerError): void {
    if (!this.#leave()) return
    this.#socket.terminate()
    this.#events.ended(error)
  }

  /** Time since WaaS was last heard, or since the dial if it never was, ms. */
  silentMs(): number {
    return performance.now() - this.#heardAt
  }

  #dial(): WebSocket {
    const socket = new WebSocket(this.#options.url, socketOptions(this.#options))
    socket.binaryType = "arraybuffer"
    socket.onopen = () => this.#onOpen()
    socket.onmessage = (event: MessageEvent<unknown>) => this.#onIncoming(event.data)
    socket.onerror = (event) => {
      this.#failure = describeFailure(event)
    }
    socket.onclose = (event) => {
      this.#incoming.finish()
      this.#onClose(event.code)
    }
    return socket
  }

  /** Ends timers and phase. False if the connection had ended before. */
  #leave(): boolean {
    if (this.#phase === "ended") return false
    this.#phase = "ended"
    clearTimeout(this.#handshakeTimer)
    clearInterval(this.#heartbeat)
    clearInterval(this.#busyPing)
    this.#incoming.close()
    this.#options.proofAnswered?.()
    return true
  }

  #onOpen(): void {
    if (this.#phase !== "dialing") return
    this.#phase = "challenge"
    this.#events.opened()
    this.#helloAt = performance.now()
    const { publicKey: nodeKey } = this.#options.node
    this.send({ kind: "hello", form: HELLO_FORM, nodeKey, nodeNonce: this.#nodeNonce })
  }

  /** WaaS is heard as soon as a message is here, however long that waits. */
  #onIncoming(data: unknown): void {
    if (this.#phase === "ended") return
    this.#unansweredBeats = 0
    this.#heardAt = performance.now()
    this.#incoming.take(data, data instanceof ArrayBuffer ? data.byteLength : 0)
  }

  #onMessage(data: unknown): void {
    if (this.#phase === "ended") return
    const packet = data instanceof ArrayBuffer ? decodePacket(new Uint8Array(data)) : { problem: "a text message" }
    if ("problem" in packet) return this.fail(new CosignerError("E-LNK-010", { problem: packet.problem }))
    this.#onPacket(packet)
  }

  #onClose(closeCode: number): void {
    if (!this.#leave()) return
    const failure = this.#failure
    if (this.#outdated !== undefined) this.#events.ended(this.#outdated)
    else if (failure === undefined) this.#events.ended(new CosignerError("E-LNK-011", { closeCode }))
    else this.#events.ended(dialError(this.#options, failure))
  }

  #onPacket(packet: Packet): void {
    if (this.#outdated !== undefined) return this.fail(this.#outdated)
    if (packet.kind === "refused") return this.fail(refusalError(this.#options, packet.reason))
    if (this.#phase === "challenge" && packet.kind === "challenge") return this.#onChallenge(packet)
    if (this.#phase === "welcome" && packet.kind === "welcome") return this.#onWelcome()
    if (this.#phase === "open" && packet.kind === "pong") return this.#measure(packet.stamp / 1000, packet.nowMs)
    if (this.#phase === "open" && isChannelPacket(packet)) return this.#events.packet(packet)
    this.fail(new CosignerError("E-LNK-010", { problem: `${packet.kind} out of place` }))
  }

  #onChallenge({ waasNonce, waasMs, signature, standing }: Challenge): void {
    const { node, waasKey, followed } = this.#options
    const version = common(LINK, rangeOf(waasNonce))
    if (version === undefined) return this.fail(refusalError(this.#options, "version"))
    const transcript: Transcript = {
      version,
      nodeKey: node.publicKey,
      waasKey: copy(waasKey),
      nodeNonce: this.#nodeNonce,
      waasNonce,
      waasMs,
      ...(standing && { standing }),
    }
    if (!isProof("waas", transcript, signature)) return this.fail(wrongServer(this.#options))
    if (standing !== undefined && !isTokenOf(waasKey, standing)) return this.fail(wrongServer(this.#options))
    this.#measure(this.#helloAt, waasMs)
    // The token is durable before this node proves its own key, and so before the node does anything for this WaaS.
    const seen = followed?.latest()
    try {
      if (followed !== undefined) this.#outdated = follow(followed, standing)
    } catch (error) {
      const bug = () => new CosignerError("E-CLI-001", { what: `a WaaS could not be remembered: ${errorText(error)}` })
      return this.fail(error instanceof CosignerError ? error : bug())
    }
    this.#phase = "welcome"
    this.#version = version
    this.#prove(version >= LINK_WITH_STANDING && seen !== undefined ? { ...transcript, followed: seen } : transcript)
  }

  #prove(transcript: Transcript): void {
    const { node, fencingToken } = this.#options
    const said = {
      ...(fencingToken === undefined ? {} : { fencingToken: fencingToken() }),
      ...(transcript.version === 1 ? {} : { versions: VERSIONS }),
      ...(transcript.followed && { followed: transcript.followed }),
    }
    this.send({ kind: "proof", signature: prove("node", { ...transcript, ...said }, node), ...said })
  }

  #onWelcome(): void {
    this.#phase = "open"
    this.#options.proofAnswered?.()
    clearTimeout(this.#handshakeTimer)
    this.#heartbeat = setInterval(() => this.#beat(), this.#options.timing.pingMs)
    this.#busyPing = setInterval(() => this.#pingWhileBusy(), this.#options.timing.busyPingMs)
    this.#events.established(this.#version)
  }

  #beat(): void {
    const { missedPings, pingMs } = this.#options.timing
    if (this.#unansweredBeats >= missedPings) {
      return this.fail(new CosignerError("E-LNK-009", { silentMs: (this.#unansweredBeats + 1) * pingMs }))
    }
    this.#unansweredBeats += 1
    this.#ping()
  }

  /** While this node works on a task, WaaS must be able to tell that it is slow and does not hang (formats.md 12). */
  #pingWhileBusy(): void {
    if (this.#options.isWaitedFor?.() === true) this.#ping()
  }

  #ping(): void {
    this.send({ kind: "ping", stamp: Math.round(performance.now() * 1000) })
  }

  #measure(sentAt: number, waasMs: number): void {
    const rttMs = performance.now() - sentAt
    const clockOffsetMs = Math.round(waasMs - (this.#options.clock() - rttMs / 2))
    this.#events.measured({ rttMs, clockOffsetMs })
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
      // Set explicitly: the default can be switched off by an environment variable (NODE_TLS_REJECT_UNAUTHORIZED).
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
