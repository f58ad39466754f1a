/**
 * The link to one address of WaaS: it dials out, stays up, and carries frames in order and exactly once while neither side restarts.
 * Owns reconnection, the channel, the state that metrics and status show, and the lines that say how it stands.
 */
import { randomBytes } from "node:crypto"
import { type Bytes, copy } from "../bytes.ts"
import { CosignerError, errorText, isCode } from "../errors.ts"
import { type Channel, type ChannelReceived, createChannel, type PeerMemory } from "../wire/channel.ts"
import type { FromNode, Standing } from "../wire/frames.ts"
import { decodeFromNode, decodeToNode, encodeFromNode } from "../wire/framesCodec.ts"
import { type ChannelPacket, EPOCH_BYTES } from "../wire/packets.ts"
import { shownFrame } from "../wire/shown.ts"
import { LINK_WITH_APPROVALS, LINK_WITH_PEERS, LINK_WITH_READINESS } from "../wire/versions.ts"
import { isTokenOf } from "../wire/waasToken.ts"
import { Connection, type Measured } from "./connection.ts"
import { failureLine, wrongServer } from "./failure.ts"
import { follow } from "./followed.ts"
import type { Concerns, EnvelopeOut, Link, LinkDrop, LinkHandlers, LinkState, ReplicaState } from "./link.ts"
import { type LinkOptions, type LinkTiming, shownUrl } from "./options.ts"

/** The pause after `failures` connections that did not come up before this one, ms; the caller spreads it by chance. */
const backoffMs = (failures: number, timing: LinkTiming, capMs: number): number =>
  Math.min(capMs, timing.backoffMs * 2 ** Math.min(failures, 30))

/** The frame as a WaaS of that link version reads it; undefined for what it has no words for, and need not be told. */
function asSpoken(frame: FromNode, version: number): FromNode | undefined {
  if (frame.kind === "awaits") return version >= LINK_WITH_APPROVALS ? frame : undefined
  if (frame.kind === "peer") return version >= LINK_WITH_PEERS ? frame : undefined
  if (version >= LINK_WITH_READINESS || frame.kind === "report" || frame.kind === "envelope") return frame
  if (frame.kind === "readiness" || frame.kind === "groups" || version === 0) return undefined
  return { ...frame, kind: "report", status: 160, attempt: 0, approved: false, outcome: undefined }
}

/** The pause after so many failures is long enough for the link to come back that this one took the place of. */
const YIELDS = 3

const EVERY_TASK: Concerns = () => true

/** Dials at once. */
export class NodeLink implements Link {
  #options: LinkOptions
  readonly #handlers: LinkHandlers
  readonly #channel: Channel
  readonly #dropped: Record<LinkDrop, number> = { malformed: 0, duplicate: 0, handlerFailed: 0, queueFull: 0 }
  #connection: Connection | undefined
  #phase: LinkState["phase"] = "connecting"
  /** Of the connection that was made last; 0 before the first. */
  #version = 0
  #sinceMs: number
  /** By the monotonic clock. */
  #awaySince: number | undefined = performance.now()
  #failures = 0
  #connections = 0
  #measured: Measured | undefined
  #lastError: CosignerError | undefined
  #waasProblem: LinkState["waasProblem"]
  /** What WaaS said last could not be written down. */
  #isForgetful = false
  /** A frame was refused for want of room, and its sender waits to be told of room. */
  #awaited = false
  #retry: ReturnType<typeof setTimeout> | undefined
  /** When the pause ends, by the monotonic clock. */
  #retryAt = 0
  #refusedForGood = false
  /** While a frame is being handled nothing is sent: what is sent would acknowledge it. */
  #handling = false

  constructor(options: LinkOptions, handlers: LinkHandlers) {
    this.#options = options
    this.#handlers = handlers
    this.#channel = createChannel(() => copy(randomBytes(EPOCH_BYTES)), options.limits)
    this.#sinceMs = options.clock()
    this.#dial()
  }

  send(said: FromNode): "queued" | "full" {
    const frame = asSpoken(said, this.#version)
    // What is for whoever is online now is not kept for later: the queue is for tasks.
    if (frame === undefined || (frame.kind === "peer" && this.#phase !== "online")) return "queued"
    const encoded = encodeFromNode(frame)
    const answer = this.#channel.send(encoded)
    this.#options.log.trace("frame out", () => ({ ...shownFrame(frame, encoded.length), answer }))
    if (answer === "full") {
      this.#dropped.queueFull += 1
      this.#awaited = true
    } else {
      this.hasten()
      this.#pump()
    }
    return answer
  }

  /** One address, one home. */
  commanded(): void {}

  get url(): string {
    return shownUrl(this.#options.url)
  }

  isOnline(): boolean {
    return this.#phase === "online"
  }

  /** Of the process at the other end, as it said last. */
  peerEpoch(): Bytes | undefined {
    return this.#channel.peerEpoch()
  }

  /** Something is to be sent, or no other link is up, in the middle of a long pause. */
  hasten(): void {
    const { timing, jitter } = this.#options
    if (this.#phase !== "waiting" || this.#refusedForGood || !this.#isUrgent(this.#failures)) return
    if (this.#retryAt - performance.now() <= timing.waitedForCapMs) return
    this.#dialIn(Math.round(timing.waitedForCapMs * (0.5 + jitter() / 2)))
  }

  withdraw(isMeant: (envelope: EnvelopeOut) => boolean): void {
    const isOnItsWay = this.#channel.replace((encoded) => {
      const frame = decodeFromNode(encoded)
      if ("problem" in frame || frame.kind !== "envelope" || !isMeant(frame)) return undefined
      // its number must not be missing; its receivers drop what is no envelope
      return encodeFromNode({ ...frame, envelope: new Uint8Array(1) })
    })
    if (isOnItsWay) this.#connection?.fail(new CosignerError("E-FRZ-005", {}))
  }

  state(): LinkState {
    return {
      phase: this.#phase,
      sinceMs: this.#sinceMs,
      failures: this.#failures,
      connections: this.#connections,
      measured: this.#measured,
      silentMs: this.#connection?.silentMs(),
      waasProblem: this.#waasProblem,
      lastError: this.#lastError,
      dropped: { ...this.#dropped },
      queue: this.#channel.depth(),
      replicas: [this.#replica()],
    }
  }

  trust(waasKey: Bytes): void {
    this.#options = { ...this.#options, waasKey }
    if (this.#phase === "stopped") return
    if (this.#connection === undefined) return this.#dialIn(0)
    this.#connection.fail(new CosignerError("E-LNK-026", {}))
  }

  stop(): void {
    if (this.#phase === "stopped") return
    this.#enter("stopped")
    clearTimeout(this.#retry)
    this.#connection?.close()
    this.#connection = undefined
  }

  /** Since frames ceased to flow; 0 while they do. */
  awayMs(): number {
    return this.#awaySince === undefined ? 0 : performance.now() - this.#awaySince
  }

  #replica(): ReplicaState {
    return {
      url: this.url,
      phase: this.#phase,
      sinceMs: this.#sinceMs,
      awayMs: this.isOnline() ? undefined : this.awayMs(),
      failures: this.#failures,
      silentMs: this.#connection?.silentMs(),
      rttMs: this.#measured?.rttMs,
      queuedFrames: this.#channel.depth().frames,
      lastError: this.#lastError,
    }
  }

  #enter(next: LinkState["phase"]): void {
    this.#phase = next
    this.#sinceMs = this.#options.clock()
    this.#awaySince = next === "online" ? undefined : (this.#awaySince ?? performance.now())
  }

  #dial(): void {
    const { log, url } = this.#options
    this.#enter("connecting")
    log.info(`WebSocket connecting to ${shownUrl(url)}`, {})
    this.#connection = new Connection(this.#options, {
      opened: () => log.info("Start to register service", {}),
      established: (version) => {
        this.#version = version
        log.info("[Websocket.Client] connected.", {})
        this.#channel.connect()
        this.#pump()
      },
      measured: (measured) => {
        this.#measured = measured
      },
      packet: (packet) => this.#onPacket(packet),
      ended: (error) => this.#onEnd(error),
    })
  }

  #onEnd(error: CosignerError): void {
    const { log } = this.#options
    const wasOnline = this.#phase === "online"
    // A replica may be a moment behind another: what it has to catch up with says nothing of how long it was away.
    const isBehind = isCode(error, "E-LNK-022") && this.#lastError?.code !== error.code
    const known = isCode(error, "E-LNK-028") ? Math.max(this.#failures, YIELDS) : this.#failures
    const failures = wasOnline || isBehind ? 0 : known
    this.#connection = undefined
    this.#waasProblem = undefined
    this.#lastError = error
    this.#channel.disconnect()
    this.#failures = wasOnline ? 0 : failures + 1
    const waitMs = this.#pauseAfter(error, failures)
    this.#enter("waiting")
    log.warn(failureLine(error), { code: error.code, next: error.next, retryInMs: waitMs })
    this.#dialIn(waitMs)
    if (wasOnline) this.#guarded(() => this.#handlers.onOffline(error))
  }

  #pauseAfter(error: CosignerError, failures: number): number {
    const { timing, jitter } = this.#options
    // A second node with the same key would take the connection back at once, and so on for ever. Of several links it was a sibling.
    const isReplaced = isCode(error, "E-LNK-008") && this.#options.siblings === undefined
    this.#refusedForGood = isReplaced || isCode(error, "E-LNK-015")
    const capMs = this.#isUrgent(failures) ? Math.min(timing.waitedForCapMs, timing.backoffCapMs) : timing.backoffCapMs
    const pause = this.#refusedForGood ? timing.backoffCapMs : backoffMs(failures, timing, capMs)
    return Math.round(pause * (0.5 + jitter() / 2))
  }

  #isUrgent(failures: number): boolean {
    return this.#options.siblings?.isUrgent(failures) ?? this.#isWaitedFor()
  }

  #isWaitedFor(): boolean {
    return this.#channel.depth().frames > 0 || this.#options.isWaitedFor?.() === true
  }

  #dialIn(waitMs: number): void {
    clearTimeout(this.#retry)
    this.#retryAt = performance.now() + waitMs
    this.#retry = setTimeout(() => {
      const { siblings, timing } = this.#options
      if (siblings?.mayDial() === false) this.#dialIn(timing.backoffCapMs)
      else this.#dial()
    }, waitMs)
  }

  #pump(): void {
    while (!this.#handling) {
      const packet = this.#connection === undefined ? undefined : this.#channel.next()
      if (packet === undefined) return
      this.#connection?.send(packet)
    }
  }

  #onPacket(packet: ChannelPacket): void {
    this.#onReceived(this.#channel.receive(packet))
    if (this.#awaited && this.#channel.hasRoom()) {
      this.#awaited = false
      this.#guarded(() => this.#handlers.onWritable(EVERY_TASK))
    }
    this.#pump()
  }

  #onReceived(received: ChannelReceived): void {
    switch (received.kind) {
      case "nothing":
        return
      case "duplicate":
        this.#dropped.duplicate += 1
        return
      case "violation":
        this.#connection?.fail(new CosignerError("E-LNK-010", { problem: received.what }))
        return
      case "resumed":
        return this.#onResumed(received.peer)
      case "frame":
        return this.#onFrame(received.payload)
    }
  }

  #onResumed(peer: PeerMemory): void {
    const other = this.#options.siblings?.sameAs()
    if (other !== undefined) {
      return this.#connection?.fail(new CosignerError("E-LNK-028", { url: this.url, other }))
    }
    this.#enter("online")
    this.#connections += 1
    this.#options.log.info("TSS Node registration accepted", { peer, ...this.#measured })
    this.#guarded(() => this.#handlers.onOnline(peer, { isFirst: true, concerns: EVERY_TASK }))
  }

  #onFrame(payload: Bytes): void {
    const { log } = this.#options
    const frame = decodeToNode(payload)
    if ("problem" in frame) {
      this.#dropped.malformed += 1
      return log.warn("A frame from WaaS was dropped", { problem: frame.problem })
    }
    log.trace("frame in", () => shownFrame(frame, payload.length))
    if (frame.kind === "standing") return this.#onStanding(frame)
    this.#guarded(() => this.#handlers.onFrame(frame))
  }

  /** Followed as at a handshake, but that a replica may be a moment behind: it is the same WaaS that the handshake let in. */
  #onStanding({ token, code, reason }: Standing): void {
    const { followed, waasKey, log } = this.#options
    if (!isTokenOf(waasKey, token)) return this.#connection?.fail(wrongServer(this.#options))
    this.#waasProblem = code === "" ? undefined : { code, reason }
    const seen = followed?.latest()
    if (followed === undefined) return
    if (seen !== undefined && token.token.incarnation === seen.token.incarnation && token.token.mark < seen.token.mark)
      return
    try {
      const outdated = follow(followed, token)
      if (outdated !== undefined) this.#connection?.fail(outdated)
      this.#isForgetful = false
    } catch (error) {
      // Its own readiness says that the store does not write; the next word of WaaS is remembered again.
      if (!this.#isForgetful) log.warn("how far WaaS has come could not be remembered", { why: errorText(error) })
      this.#isForgetful = true
    }
  }

  #guarded(handle: () => void): void {
    const outer = this.#handling
    this.#handling = true
    try {
      handle()
    } catch (error) {
      this.#dropped.handlerFailed += 1
      const bug = new CosignerError("E-CLI-001", { what: `a handler of the link threw: ${errorText(error)}` })
      this.#options.log.error(bug.message, { code: bug.code, next: bug.next })
    } finally {
      this.#handling = outer
    }
  }
}
