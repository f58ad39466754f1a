/**
 * One connection of a node, on the side of WaaS: the handshake that proves both keys (formats.md 10), the rate limit, the heartbeat.
 * relay.ts owns which nodes may connect, and the channel, which outlives the connection.
 */

import { randomBytes } from "node:crypto"
import type { Bytes } from "../bytes.ts"
import { type PartyId, partyOf } from "../keys/party.ts"
import { TokenBucket } from "../tokenBucket.ts"
import { type FencingToken, isProof, prove, type Transcript } from "../wire/hello.ts"
import {
  type ChannelPacket,
  decodePacket,
  encodePacket,
  HELLO_FORM,
  MAX_HANDSHAKE_BYTES,
  type Packet,
  type RefusalReason,
} from "../wire/packets.ts"
import {
  BEFORE_VERSIONS,
  common,
  LINK,
  LINK_WITH_STANDING,
  markedNonce,
  NONCE_BYTES,
  type NodeVersions,
  rangeOf,
  type Versions,
} from "../wire/versions.ts"
import { isNewestWaas, isTokenOf, type SignedWaasToken } from "../wire/waasToken.ts"
import type { RelayOptions } from "./relayOptions.ts"

type Socket = Bun.ServerWebSocket<NodeConnection>

export interface ConnectionLimits {
  /** Limit from the upgrade to the welcome, ms. */
  readonly handshakeMs: number
  /** A node that was silent for so long, ms, counts as gone; it sends a heartbeat every 15 s. */
  readonly silentMs: number
  /** How long a refused node may take to read the reason and hang up, ms; then its socket is destroyed. */
  readonly farewellMs: number
  /** Sustained rates of one connection; `burstSeconds` is how many seconds' worth may arrive at once. */
  readonly packetsPerSecond: number
  readonly bytesPerSecond: number
  readonly burstSeconds: number
}

/** What a node's signed proof says about it. */
export interface NodeSaid {
  readonly fencingToken: FencingToken | undefined
  readonly versions: NodeVersions
}

export interface RelayConnectionEvents {
  /** The node has proved its key. A refusal ends the connection; undefined lets the node in. Must not reject. */
  admit(
    connection: NodeConnection,
    party: PartyId,
    said: NodeSaid,
  ): Promise<RefusalReason | undefined> | RefusalReason | undefined
  /** The welcome was sent. */
  opened(connection: NodeConnection, party: PartyId): void
  packet(connection: NodeConnection, party: PartyId, packet: ChannelPacket): void
  /** WaaS ended the connection; not called when the node ended it. */
  refused(connection: NodeConnection, reason: RefusalReason): void
}

type HandshakePhase =
  | { readonly kind: "hello" }
  /** The token of WaaS is being read from the store, for the challenge. */
  | { readonly kind: "challenging" }
  | { readonly kind: "proof"; readonly transcript: Transcript; readonly party: PartyId }
  /** Whether the node may connect is being decided; it must send nothing meanwhile. */
  | { readonly kind: "admitting" }
  | { readonly kind: "open"; readonly party: PartyId }
  | { readonly kind: "ended" }

type NodeHello = Extract<Packet, { readonly kind: "hello" }>

export class NodeConnection {
  #phase: HandshakePhase = { kind: "hello" }
  #socket: Socket | undefined
  #party: PartyId | undefined
  #said: NodeSaid | undefined
  #lastHeard = performance.now()
  #timer: ReturnType<typeof setTimeout> | undefined
  #packets: TokenBucket
  #bytes: TokenBucket

  constructor(
    /** The peer's IP address, as the socket says; empty if unknown. */
    readonly address: string,
    private readonly options: Pick<RelayOptions, "signer" | "clock" | "limits" | "fence">,
    private readonly events: RelayConnectionEvents,
  ) {
    const { limits } = options
    this.#packets = bucketOf(limits.packetsPerSecond, limits)
    this.#bytes = bucketOf(limits.bytesPerSecond, limits)
  }

  /** The node, once it has proved its key and is admitted. */
  get party(): PartyId | undefined {
    return this.#party
  }

  /** What the node's proof says, once it is admitted. */
  get said(): NodeSaid | undefined {
    return this.#said
  }

  get hasEnded(): boolean {
    return this.#phase.kind === "ended"
  }

  /** Time since the node was last heard, ms. */
  silentMs(): number {
    return performance.now() - this.#lastHeard
  }

  open(socket: Socket): void {
    this.#socket = socket
    this.#timer = setTimeout(() => this.refuse("silent"), this.options.limits.handshakeMs)
  }

  /** Says that the socket is closed, by whichever side. */
  closed(): void {
    clearTimeout(this.#timer)
    this.#phase = { kind: "ended" }
  }

  /** Tells the node the reason and ends the connection: the node hangs up, or the socket is destroyed after farewellMs. */
  refuse(reason: RefusalReason): void {
    if (this.#phase.kind === "ended") return
    const status = this.send({ kind: "refused", reason })
    this.closed()
    // Not close(): the runtime would keep the socket until the other side answers, which it may never do.
    const farewellMs = status === "sent" ? this.options.limits.farewellMs : 0
    this.#timer = setTimeout(() => this.#socket?.terminate(), farewellMs)
    this.events.refused(this, reason)
  }

  /** Ends the connection at once, without a reason, to make room for others. */
  evict(): void {
    if (this.#phase.kind === "ended") return
    this.closed()
    this.#socket?.terminate()
    this.events.refused(this, "busy")
  }

  /** Refuses a proved node that has been silent for too long. */
  checkSilence(): void {
    if (this.#phase.kind === "open" && performance.now() - this.#lastHeard > this.options.limits.silentMs)
      this.refuse("silent")
  }

  /** sent: the socket took it. later: the socket took it and is full until it drains. lost: the connection is broken. */
  send(packet: Packet): "sent" | "later" | "lost" {
    if (this.#phase.kind === "ended" || this.#socket === undefined) return "lost"
    const status = this.#socket.sendBinary(encodePacket(packet))
    if (status > 0) return "sent"
    if (status < 0) return "later"
    // The runtime dropped the packet silently (full buffer, or a closing socket): sending on would leave a gap in the numbers.
    this.#socket.terminate()
    return "lost"
  }

  message(message: string | Uint8Array): void {
    if (this.#phase.kind === "ended") return
    this.#lastHeard = performance.now()
    const nowMs = performance.now()
    if (!this.#packets.take(nowMs) || !this.#bytes.take(nowMs, message.length)) return this.refuse("tooFast")
    if (typeof message === "string") return this.refuse("protocol")
    if (this.#phase.kind !== "open" && message.length > MAX_HANDSHAKE_BYTES) return this.refuse("protocol")
    const packet = decodePacket(message)
    if ("problem" in packet) return this.refuse("protocol")
    this.#packet(this.#phase, packet)
  }

  #packet(phase: HandshakePhase, packet: Packet): void {
    if (phase.kind === "hello" && packet.kind === "hello") return this.#challenge(packet)
    if (phase.kind === "proof" && packet.kind === "proof") return this.#prove(phase, packet)
    if (phase.kind === "open") {
      switch (packet.kind) {
        case "ping":
          this.send({ kind: "pong", stamp: packet.stamp, nowMs: this.options.clock() })
          return
        case "resume":
        case "data":
        case "ack":
          return this.events.packet(this, phase.party, packet)
      }
    }
    this.refuse("protocol")
  }

  #challenge(hello: NodeHello): void {
    const version = hello.form === HELLO_FORM ? common(LINK, rangeOf(hello.nodeNonce)) : undefined
    if (version === undefined) return this.refuse("version")
    const party = partyOf(hello.nodeKey)
    if (party === undefined) return this.refuse("protocol")
    const { fence } = this.options
    if (version < LINK_WITH_STANDING || fence === undefined) return this.#sendChallenge(hello, party, version)
    this.#phase = { kind: "challenging" }
    fence.token().then(
      (standing) => {
        if (this.#phase.kind === "challenging") this.#sendChallenge(hello, party, version, standing)
      },
      // The store cannot be read; the node dials again later.
      () => this.refuse("busy"),
    )
  }

  #sendChallenge(hello: NodeHello, party: PartyId, version: number, standing?: SignedWaasToken): void {
    const { signer, clock } = this.options
    const transcript: Transcript = {
      version,
      nodeKey: hello.nodeKey,
      waasKey: signer.publicKey,
      nodeNonce: hello.nodeNonce,
      waasNonce: markedNonce(randomBytes(NONCE_BYTES), LINK),
      waasMs: clock(),
      ...(standing && { standing }),
    }
    this.#phase = { kind: "proof", transcript, party }
    const { waasNonce, waasMs } = transcript
    const challenge = (signature: Bytes) =>
      this.send({ kind: "challenge", waasNonce, waasMs, signature, ...(standing && { standing }) })
    const signed = prove("waas", transcript, signer)
    if (!(signed instanceof Promise)) challenge(signed)
    // The key command does not answer; the node dials again later.
    else signed.then(challenge).catch(() => this.refuse("busy"))
  }

  #prove(
    { transcript, party }: Extract<HandshakePhase, { readonly kind: "proof" }>,
    { signature, fencingToken, versions, followed }: Extract<Packet, { readonly kind: "proof" }>,
  ): void {
    // The signature covers these fields, so an attacker in between can neither remove nor add one.
    const signed = {
      ...transcript,
      ...(fencingToken && { fencingToken }),
      ...(versions && { versions }),
      ...(followed && { followed }),
    }
    if (!isProof("node", signed, signature)) return this.refuse("proof")
    if ((versions === undefined) !== (transcript.version === 1)) return this.refuse("protocol")
    if (followed !== undefined && transcript.version < LINK_WITH_STANDING) return this.refuse("protocol")
    const said: NodeSaid = { fencingToken, versions: versionsOf(transcript.version, versions) }
    this.#phase = { kind: "admitting" }
    const fenced = this.#fencedBy(transcript, followed)
    if (fenced instanceof Promise) {
      void fenced.then((refusal) => (refusal === undefined ? this.#admit(party, said) : this.refuse(refusal)))
    } else if (fenced !== undefined) this.refuse(fenced)
    else this.#admit(party, said)
  }

  /** The refusal if a newer copy of this WaaS is at work, as this node or an earlier one has shown with a token of our own key. */
  #fencedBy(
    { standing, version }: Transcript,
    followed: SignedWaasToken | undefined,
  ): RefusalReason | undefined | Promise<RefusalReason | undefined> {
    const { fence, signer } = this.options
    const fenced = version < LINK_WITH_STANDING ? "busy" : "fenced"
    if (fence?.isFenced() === true) return fenced
    if (fence === undefined || followed === undefined || standing === undefined) return undefined
    // An older token only shows what the node saw last. A token of another key says nothing about this WaaS.
    if (isNewestWaas(standing.token, followed.token) || !isTokenOf(signer.publicKey, followed)) return undefined
    return fence.shown(followed).then(
      (isFenced) => (isFenced ? fenced : undefined),
      () => "busy" as const,
    )
  }

  #admit(party: PartyId, said: NodeSaid): void {
    if (this.#phase.kind !== "admitting") return
    const answer = this.events.admit(this, party, said)
    if (answer instanceof Promise) void answer.then((refusal) => this.#welcome(party, said, refusal))
    else this.#welcome(party, said, answer)
  }

  #welcome(party: PartyId, said: NodeSaid, refusal: RefusalReason | undefined): void {
    if (this.#phase.kind !== "admitting") return
    if (refusal !== undefined) return this.refuse(refusal)
    this.#said = said
    clearTimeout(this.#timer)
    this.#party = party
    this.#phase = { kind: "open", party }
    this.send({ kind: "welcome" })
    this.events.opened(this, party)
  }
}

const versionsOf = (link: number, versions: Versions | undefined): NodeVersions =>
  versions === undefined ? { ...BEFORE_VERSIONS, link } : { ...versions, link }

const bucketOf = (perSecond: number, { burstSeconds }: ConnectionLimits): TokenBucket =>
  new TokenBucket({ burst: perSecond * burstSeconds, perSecond }, performance.now())
