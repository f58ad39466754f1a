/**
 * The node's link to WaaS, as the rest of the node sees it: calls, events, state. nodeLink.ts implements the link to one address;
 * links.ts combines the links to several addresses into one.
 */
import type { Bytes } from "../bytes.ts"
import type { CosignerError } from "../errors.ts"
import type { Depth, PeerMemory } from "../wire/channel.ts"
import type { FromNode, ToNode } from "../wire/frames.ts"
import type { Measured } from "./connection.ts"

/** Whether frames about this task go over the link that came up, or that has room again. */
export type Concerns = (taskId: string) => boolean

interface CameUp {
  /** No other link to WaaS is up. */
  readonly isFirst: boolean
  readonly concerns: Concerns
}

export interface LinkHandlers {
  /**
   * Handles one frame of WaaS. The frame is acknowledged after this returns. An exception is logged as a bug, and the frame counts
   * as received all the same.
   */
  onFrame(frame: ToNode): void
  /**
   * Frames flow from now on. If `peer` is "restarted", the channel sends unacknowledged frames again, and WaaS may have forgotten
   * frames that it did acknowledge.
   */
  onOnline(peer: PeerMemory, cameUp: CameUp): void
  /** No link to WaaS is up any more. */
  onOffline(why: CosignerError): void
  /**
   * Frames about these tasks can be sent (again): after a "full" there is room, or the replica that commanded them is gone while
   * another one is connected.
   */
  onWritable(concerns: Concerns): void
}

export interface LinkState {
  readonly phase: "connecting" | "online" | "waiting" | "stopped"
  /** When this phase began, ms since 1970. */
  readonly sinceMs: number
  /** Connections that failed since the last one that came up. */
  readonly failures: number
  /** Connections that came up since the start. */
  readonly connections: number
  readonly measured: Measured | undefined
  /** Time since WaaS was last heard on this connection, ms; undefined without a connection. */
  readonly silentMs: number | undefined
  /** Why WaaS takes no writes, as it said last on this connection; undefined while it takes them, or has said nothing. */
  readonly waasProblem: { readonly code: string; readonly reason: string } | undefined
  /** How the last connection ended. */
  readonly lastError: CosignerError | undefined
  /** Frames that were dropped on arrival or not accepted for sending, by reason. */
  readonly dropped: Readonly<Record<LinkDrop, number>>
  readonly queue: Depth
  /** The addresses of WaaS, in the order of the configuration. */
  readonly replicas: readonly ReplicaState[]
}

/** One address of WaaS. */
export interface ReplicaState {
  /** Without user, password and query. */
  readonly url: string
  readonly phase: LinkState["phase"]
  /** When this phase began, ms since 1970. */
  readonly sinceMs: number
  /** Time since frames stopped flowing, or since the start, ms; undefined while they flow. */
  readonly awayMs: number | undefined
  readonly failures: number
  readonly silentMs: number | undefined
  readonly rttMs: number | undefined
  readonly queuedFrames: number
  readonly lastError: CosignerError | undefined
}

export type LinkDrop = "malformed" | "duplicate" | "handlerFailed" | "queueFull"

export interface Link {
  /** "full": the frame was not accepted; wait for onWritable. Throws E-LNK-020 for a frame that WaaS would refuse to read. */
  send(frame: FromNode): "queued" | "full"
  /** Says that the frame being handled commands this task: from now on frames about the task go to the replica that sent it. */
  commanded(taskId: string): void
  /**
   * Takes back the unacknowledged envelopes for which `isMeant` is true. If one of them may already be in a send buffer, the
   * connection ends at once, so that the buffer is lost; the other frames follow on the next connection.
   */
  withdraw(isMeant: (envelope: EnvelopeOut) => boolean): void
  state(): LinkState
  /** From now on the link accepts only the WaaS with this key. A connection that is up ends, and the link dials again. */
  trust(waasKey: Bytes): void
  /** Ends the link for good; unacknowledged frames are forgotten. */
  stop(): void
}

export type EnvelopeOut = Extract<FromNode, { readonly kind: "envelope" }>
