/**
 * The node's link to WaaS, as the rest of the node sees it: calls, events, state. nodeLink.ts is the link to one address, links.ts
 * makes one link of several.
 */
import type { Bytes } from "../bytes.ts"
import type { CosignerError } from "../errors.ts"
import type { Depth, PeerMemory } from "../wire/channel.ts"
import type { FromNode, ToNode } from "../wire/frames.ts"
import type { Measured } from "./connection.ts"

/** Whether frames about a task go by the link that came up, or has room again. */
export type Concerns = (taskId: string) => boolean

interface CameUp {
  /** No other link to WaaS is up. */
  readonly isFirst: boolean
  readonly concerns: Concerns
}

export interface LinkHandlers {
  /** A frame of WaaS; acknowledged when this returns. What it throws is logged as a bug, and the frame counts as seen. */
  onFrame(frame: ToNode): void
  /** Frames flow. After "restarted", frames that WaaS had not acknowledged are sent again, and earlier ones may be lost to it. */
  onOnline(peer: PeerMemory, cameUp: CameUp): void
  /** WaaS is met nowhere any more. */
  onOffline(why: CosignerError): void
  /** After a "full" there is room again; or the replica that had these tasks is gone, and others are there. */
  onWritable(concerns: Concerns): void
}

export interface LinkState {
  readonly phase: "connecting" | "online" | "waiting" | "stopped"
  /** When this phase began, ms since 1970. */
  readonly sinceMs: number
  /** Connections that did not come up since the last one that did. */
  readonly failures: number
  /** Connections that came up since the start. */
  readonly connections: number
  readonly measured: Measured | undefined
  /** Since WaaS was last heard on this connection, ms; undefined without one. */
  readonly silentMs: number | undefined
  /** What WaaS said last on this connection of why it takes no writes; undefined while it does, or says nothing of it. */
  readonly waasProblem: { readonly code: string; readonly reason: string } | undefined
  /** How the last connection ended. */
  readonly lastError: CosignerError | undefined
  /** Frames that came or went no further, by reason. */
  readonly dropped: Readonly<Record<LinkDrop, number>>
  readonly queue: Depth
  /** Where WaaS may be met, in the order of the configuration. */
  readonly replicas: readonly ReplicaState[]
}

/** One address of WaaS. */
export interface ReplicaState {
  /** Without user, password and query. */
  readonly url: string
  readonly phase: LinkState["phase"]
  /** When this phase began, ms since 1970. */
  readonly sinceMs: number
  /** Since frames ceased to flow, or the start, ms; undefined while they do. */
  readonly awayMs: number | undefined
  readonly failures: number
  readonly silentMs: number | undefined
  readonly rttMs: number | undefined
  readonly queuedFrames: number
  readonly lastError: CosignerError | undefined
}

export type LinkDrop = "malformed" | "duplicate" | "handlerFailed" | "queueFull"

export interface Link {
  /** "full": not taken; wait for onWritable. Throws E-LNK-020 for a frame that WaaS would refuse to read. */
  send(frame: FromNode): "queued" | "full"
  /** The frame that is being handled is a command about this task: frames about it go to its sender from now on. */
  commanded(taskId: string): void
  /**
   * Takes envelopes back that WaaS has not acknowledged: those of which `isMeant` says so. If one of them may be on its way, the
   * connection ends at once and what the system still holds of it is lost; the next one carries the rest.
   */
  withdraw(isMeant: (envelope: EnvelopeOut) => boolean): void
  state(): LinkState
  /** From now on only the WaaS of that key; a connection to another one ends. */
  trust(waasKey: Bytes): void
  /** For good; unacknowledged frames are forgotten. */
  stop(): void
}

export type EnvelopeOut = Extract<FromNode, { readonly kind: "envelope" }>
