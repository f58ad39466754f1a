/** The options and the interface of the relay (relay.ts). */
import type { PartyId } from "../keys/party.ts"
import type { Log } from "../log.ts"
import { CHANNEL_LIMITS, type ChannelLimits, type PeerMemory } from "../wire/channel.ts"
import type { FromNode, ToNode } from "../wire/frames.ts"
import type { FencingToken } from "../wire/hello.ts"
import type { RefusalReason } from "../wire/packets.ts"
import type { RemoteSigner } from "../wire/signed.ts"
import type { NodeVersions } from "../wire/versions.ts"
import type { SignedWaasToken } from "../wire/waasToken.ts"
import type { ConnectionLimits, NodeConnection } from "./relayConnection.ts"
import type { SharedStore } from "./store/shared.ts"

export interface RelayLimits extends ConnectionLimits {
  /** Limits of each node's queue, online or not. */
  readonly channel: ChannelLimits
  /** Connections that have not proved a key yet. The runtime may buffer one message of full size for each. */
  readonly unproven: number
  /** Nodes with a channel. Beyond it, the channel of a node that is offline and has an empty queue is dropped. */
  readonly nodes: number
}

export const RELAY_LIMITS: RelayLimits = {
  handshakeMs: 10_000,
  silentMs: 45_000,
  farewellMs: 2_000,
  packetsPerSecond: 4_000,
  bytesPerSecond: 64 * 1024 * 1024,
  burstSeconds: 4,
  channel: CHANNEL_LIMITS,
  unproven: 32,
  nodes: 4096,
}

/** Whether this WaaS is the newest of its copies (formats.md 14.1). */
export interface WaasFence {
  /** The present token of this WaaS, durable and signed. */
  token(): Promise<SignedWaasToken>
  /** Takes note of a token that a node has followed and that is signed with our own key. True if it fences this WaaS off. */
  shown(followed: SignedWaasToken): Promise<boolean>
  /** Whether this WaaS was fenced off; that never ends. */
  isFenced(): boolean
}

export interface RelayOptions {
  /** WaaS's key, which nodes have pinned. */
  readonly signer: RemoteSigner
  /** Whether a node that has proved its key may connect. */
  isKnownNode(party: PartyId): boolean
  /**
   * Whether a node with this fencing token may work: "behind" for an older copy of its database, "twin" for a second start while another
   * replica hears the first. Token and versions are durable when it resolves with "newest". Absent: all nodes may.
   */
  readonly admitFencingToken?: (
    party: PartyId,
    fencingToken: FencingToken,
    versions: NodeVersions,
  ) => Promise<Awaited<ReturnType<SharedStore["admit"]>>>
  /** A connection that admitFencingToken called "newest" has ended; called once for each. */
  onLeft?(party: PartyId, fencingToken: FencingToken): void
  /** Absent: nodes are shown no token of WaaS. */
  readonly fence?: WaasFence
  /** Handles a frame, which is acknowledged after this returns. An exception is logged, and the frame counts as received all the same. */
  onFrame(party: PartyId, frame: FromNode): void
  /** Frames flow. If `peer` is "restarted", the node has forgotten all frames that it had not made durable. */
  onOnline(party: PartyId, peer: PeerMemory): void
  onOffline(party: PartyId): void
  readonly clock: () => number
  readonly log: Log
  readonly limits: RelayLimits
}

export type RelayDrop = "malformed" | "duplicate" | "handlerFailed" | "queueFull" | RefusalReason

export interface Relay {
  /** Upgrades a request to `/ws`; call it before any other route. "other": the request is not for the relay. */
  upgrade(request: Request, server: Bun.Server<NodeConnection>): "upgraded" | "other" | Response
  readonly websocket: Bun.WebSocketHandler<NodeConnection>
  /** "full": the frame was not accepted; send it again later. Throws E-LNK-020 for a frame that nodes would refuse to read. */
  send(party: PartyId, frame: ToNode): "queued" | "offline-queued" | "full"
  online(): ReadonlySet<PartyId>
  /** Time since the node was last heard, ms; undefined while it is offline. */
  silentMs(party: PartyId): number | undefined
  /** Ends the node's connection and drops its queue, because the node is no longer known. */
  forget(party: PartyId): void
  /** Frames dropped and connections refused since the start, by reason. */
  dropped(): ReadonlyMap<RelayDrop, number>
  /** Ends every connection, with this reason. */
  refuseAll(reason: RefusalReason): void
  /** Tells every node that WaaS is stopping, and ends. Unacknowledged frames are forgotten. */
  close(): void
}
