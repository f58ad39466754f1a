/**
 * The node's link to WaaS: it dials out, stays up, and carries frames in order and exactly once while neither side
 * restarts. Owns reconnection, the channel, the state that metrics and status show, and the lines that say how it stands.
 */
import { randomBytes } from "node:crypto"
import { copy } from "../bytes.ts"
import { CosignerError, errorText, isCode } from "../errors.ts"
import { createChannel, type Depth, type PeerMemory, type Received } from "../wire/channel.ts"
import type { FromNode, ToNode } from "../wire/frames.ts"
import { decodeToNode, encodeFromNode } from "../wire/framesCodec.ts"
import { type ChannelPacket, EPOCH_BYTES } from "../wire/packets.ts"
import { shownFrame } from "../wire/shown.ts"
import { type Connection, type Measured, openConnection } from "./connection.ts"
import { failureLine } from "./failure.ts"
import { checkOptions, type LinkOptions, type LinkTiming, shownUrl } from "./options.ts"

export interface LinkHandlers {
  /** A frame of WaaS; acknowledged when this returns. What it throws is logged as a bug, and the frame counts as seen. */
  onFrame(frame: ToNode): void
  /** Frames flow. After "restarted", frames that WaaS had not acknowledged are sent again, and earlier ones may be lost to it. */
  onOnline(peer: PeerMemory): void
  onOffline(why: CosignerError): void
  /** After a "full": there is room again. */
  onWritable(): void
}

export interface LinkState {
  readonly phase: "connecting" | "online" | "waiting" | "stopped"
  /** When this phase began, ms since 1970. */
  readonly sinceMs: number
  /** Connections that failed or ended since the last good one. */
  readonly failures: number
  readonly measured: Measured | undefined
  /** Since WaaS was last heard on this connection, ms; undefined without one. */
  readonly silentMs: number | undefined
  /** How the last connection ended. */
  readonly lastError: CosignerError | undefined
  /** Frames that came or went no further, by reason. */
  readonly dropped: Readonly<Record<LinkDrop, number>>
  readonly queue: Depth
}

export type LinkDrop = "malformed" | "duplicate" | "handlerFailed" | "queueFull"

export interface Link {
  /** "full": not taken; wait for onWritable. Throws E-LNK-020 for a frame that WaaS would refuse to read. */
  send(frame: FromNode): "queued" | "full"
  state(): LinkState
  /** For good; unacknowledged frames are forgotten. */
  stop(): void
}

/** The pause after `failures` connections that failed before this one, ms; the caller spreads it by chance. */
const backoffMs = (failures: number, timing: LinkTiming): number =>
  Math.min(timing.backoffCapMs, timing.backoffMs * 2 ** Math.min(failures, 30))

/** Dials at once. Throws E-LNK-012 for options that cannot work; everything later is a state and a retry. */
export function startLink(options: LinkOptions, handlers: LinkHandlers): Link {
  checkOptions(options)
  const { log, timing, clock } = options
  const channel = createChannel(() => copy(randomBytes(EPOCH_BYTES)), options.limits)
  const dropped: Record<LinkDrop, number> = { malformed: 0, duplicate: 0, handlerFailed: 0, queueFull: 0 }
  let connection: Connection | undefined
  let phase: LinkState["phase"] = "connecting"
  let sinceMs = clock()
  let onlineAt: number | undefined
  let failures = 0
  let measured: Measured | undefined
  let lastError: CosignerError | undefined
  let awaited = false
  let retry: ReturnType<typeof setTimeout> | undefined
  /** While a frame is being handled nothing is sent: what is sent would acknowledge it. */
  let handling = false

  function enter(next: LinkState["phase"]): void {
    phase = next
    sinceMs = clock()
  }

  function dial(): void {
    enter("connecting")
    log.info(`WebSocket connecting to ${shownUrl(options.url)}`, {})
    connection = openConnection(options, {
      opened: () => log.info("Start to register service", {}),
      established() {
        log.info("[Websocket.Client] connected.", {})
        channel.connect()
        pump()
      },
      measured(now) {
        measured = now
      },
      packet: onPacket,
      ended: onEnd,
    })
  }

  function onEnd(error: CosignerError): void {
    const wasOnline = phase === "online"
    const wasGood = onlineAt !== undefined && performance.now() - onlineAt >= timing.stableMs
    connection = undefined
    onlineAt = undefined
    lastError = error
    channel.disconnect()
    // A second node with the same key would take the connection back at once, and so on for ever.
    const isRefusedForGood = isCode(error, "E-LNK-008") || isCode(error, "E-LNK-015")
    const pause = isRefusedForGood ? timing.backoffCapMs : backoffMs(wasGood ? 0 : failures, timing)
    failures = wasGood ? 1 : failures + 1
    enter("waiting")
    const waitMs = Math.round(pause * (0.5 + options.jitter() / 2))
    log.warn(failureLine(error), { code: error.code, next: error.next, retryInMs: waitMs })
    retry = setTimeout(dial, waitMs)
    if (wasOnline) guarded(() => handlers.onOffline(error))
  }

  function pump(): void {
    while (!handling) {
      const packet = connection === undefined ? undefined : channel.next()
      if (packet === undefined) return
      connection?.send(packet)
    }
  }

  function onPacket(packet: ChannelPacket): void {
    onReceived(channel.receive(packet))
    if (awaited && channel.hasRoom()) {
      awaited = false
      guarded(() => handlers.onWritable())
    }
    pump()
  }

  function onReceived(received: Received): void {
    switch (received.kind) {
      case "nothing":
        return
      case "duplicate":
        dropped.duplicate += 1
        return
      case "violation":
        connection?.fail(new CosignerError("E-LNK-010", { problem: received.what }))
        return
      case "resumed":
        onlineAt = performance.now()
        enter("online")
        log.info("TSS Node registration accepted", { peer: received.peer, ...measured })
        guarded(() => handlers.onOnline(received.peer))
        return
      case "frame": {
        const frame = decodeToNode(received.payload)
        if ("problem" in frame) {
          dropped.malformed += 1
          log.warn("A frame from WaaS was dropped", { problem: frame.problem })
        } else {
          log.trace("frame in", () => shownFrame(frame, received.payload.length))
          guarded(() => handlers.onFrame(frame))
        }
      }
    }
  }

  function guarded(handle: () => void): void {
    const outer = handling
    handling = true
    try {
      handle()
    } catch (error) {
      dropped.handlerFailed += 1
      const bug = new CosignerError("E-CLI-001", { what: `a handler of the link threw: ${errorText(error)}` })
      log.error(bug.message, { code: bug.code, next: bug.next })
    } finally {
      handling = outer
    }
  }

  dial()
  return {
    send(frame) {
      const encoded = encodeFromNode(frame)
      const answer = channel.send(encoded)
      log.trace("frame out", () => ({ ...shownFrame(frame, encoded.length), answer }))
      if (answer === "full") {
        dropped.queueFull += 1
        awaited = true
      } else pump()
      return answer
    },
    state: () => ({
      phase,
      sinceMs,
      failures,
      measured,
      silentMs: connection?.silentMs(),
      lastError,
      dropped: { ...dropped },
      queue: channel.depth(),
    }),
    stop() {
      if (phase === "stopped") return
      enter("stopped")
      clearTimeout(retry)
      connection?.close()
      connection = undefined
    },
  }
}
