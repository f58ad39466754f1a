/**
 * The link to one address of WaaS. It dials, reconnects, and delivers frames in order, and exactly once unless a side restarts.
 * Owns reconnection, the channel, the state that metrics and status show, and the log lines about the link.
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

/** The pause after `failures` failed connections, ms; the caller adds jitter. */
const backoffMs = (failures: number, timing: LinkTiming, capMs: number): number =>
  Math.min(capMs, timing.backoffMs * 2 ** Math.min(failures, 30))

/** The frame in the form of that link version (formats.md 13.2); undefined if the version has no such frame, and it is left out. */
function asSpoken(frame: FromNode, version: number): FromNode | undefined {
  if (frame.kind === "awaits") return version >= LINK_WITH_APPROVALS ? frame : undefined
  if (frame.kind === "peer") return version >= LINK_WITH_PEERS ? frame : undefined
  if (version >= LINK_WITH_READINESS || frame.kind === "report" || frame.kind === "envelope") return frame
  if (frame.kind === "readiness" || frame.kind === "groups" || version === 0) return undefined
  return { ...frame, kind: "report", status: 160, attempt: 0, approved: false, outcome: undefined }
}

/**
 * E-LNK-028 counts as at least so many failures: the pause is then long enough for the sibling, whose connection this link took, to
 * come back first.
 */
const FAILURES_AFTER_YIELDING = 3

const EVERY_TASK: Concerns = () => true

/** The constructor starts dialling at once. */
export class NodeLink implements Link {
  #options: LinkOptions
  readonly #handlers: LinkHandlers
  readonly #channel: Channel
  readonly #dropped: Record<LinkDrop, number> = { malformed: 0, duplicate: 0, handlerFailed: 0, queueFull: 0 }
  #connection: Connection | undefined
  #phase: LinkState["phase"] = "connecting"
  /** The link version of the latest connection; 0 before the first. */
  #version = 0
  #sinceMs: number
  /** When frames stopped flowing, by the monotonic clock; undefined while they flow. */
  #awaySince: number | undefined = performance.now()
  #failures = 0
  #connections = 0
  #measured: Measured | undefined
  #lastError: CosignerError | undefined
  #waasProblem: LinkState["waasProblem"]
  /** WaaS's latest token could not be stored; the log says so once. */
  #isForgetful = false
  /** A frame was refused because the queue was full, and its sender waits for onWritable. */
  #awaited = false
  #retry: ReturnType<typeof setTimeout> | undefined
  /** When the pause ends, by the monotonic clock. */
  #retryAt = 0
  /** The last connection ended in a way that dialling soon would make worse: nothing shortens the pause. */
  #keepsLongPause = false
  /** While a handler runs, nothing is sent: a packet would acknowledge the frame before it is handled. */
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
    // A peer message is only for nodes that are online now, so it is not kept for later: the queue is for tasks.
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

  /** With one address every frame goes the same way. */
  commanded(): void {}

  get url(): string {
    return shownUrl(this.#options.url)
  }

  isOnline(): boolean {
    return this.#phase === "online"
  }

  /** The channel epoch of the WaaS process at this address, as it said last: it identifies the process. */
  peerEpoch(): Bytes | undefined {
    return this.#channel.peerEpoch()
  }

  /** Shortens a long pause: a frame waits to be sent, or the last other link went down. */
  hasten(): void {
    const { timing, jitter } = this.#options
    if (this.#phase !== "waiting" || this.#keepsLongPause || !this.#isUrgent(this.#failures)) return
    if (this.#retryAt - performance.now() <= timing.waitedForCapMs) return
    this.#dialIn(Math.round(timing.waitedForCapMs * (0.5 + jitter() / 2)))
  }

  withdraw(isMeant: (envelope: EnvelopeOut) => boolean): void {
    const isOnItsWay = this.#channel.replace((encoded) => {
      const frame = decodeFromNode(encoded)
      if ("problem" in frame || frame.kind !== "envelope" || !isMeant(frame)) return undefined
      // The frame keeps its number, because a gap would end the connection. Receivers drop one byte as a malformed envelope.
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

  /** Time since frames stopped flowing, ms; 0 while they flow. */
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
    // A replica may be a moment behind another and catch up at once: its first E-LNK-022 in a row does not lengthen the pause.
    const isBehind = isCode(error, "E-LNK-022") && this.#lastError?.code !== error.code
    const known = isCode(error, "E-LNK-028") ? Math.max(this.#failures, FAILURES_AFTER_YIELDING) : this.#failures
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
    // Another process has this node's key. Dialling at once would take the connection back from it, and it would do the same for
    // ever. With several links, the other one was a sibling of this link.
    const isReplaced = isCode(error, "E-LNK-008") && this.#options.siblings === undefined
    this.#keepsLongPause = isReplaced || isCode(error, "E-LNK-015")
    const capMs = this.#isUrgent(failures) ? Math.min(timing.waitedForCapMs, timing.backoffCapMs) : timing.backoffCapMs
    const pause = this.#keepsLongPause ? timing.backoffCapMs : backoffMs(failures, timing, capMs)
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

  /**
   * Follows the token as at a handshake, with one exception: a lower mark of the same incarnation is ignored, because a replica may
   * be a moment behind another, and the handshake has already accepted this WaaS (formats.md 14.1).
   */
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
      // The node's readiness already reports that its store takes no writes. The next standing frame tries again.
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
