/** What a relay is made of, and what it offers (relay.ts). */
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
  /** Of each node's queue, online or not. */
  readonly channel: ChannelLimits
  /** Connections that have not proved a key. The runtime holds up to one message's bytes of each before it shows them. */
  readonly unproven: number
  /** Nodes with a channel; beyond it, one that is offline and owed nothing makes room. */
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
  /** The token of this moment, durable and signed. */
  token(): Promise<SignedWaasToken>
  /** A node has followed this token, which is signed with our own key. Whether that fences this WaaS off. */
  shown(followed: SignedWaasToken): Promise<boolean>
  /** Once shown, for good. */
  isFenced(): boolean
}

export interface RelayOptions {
  /** WaaS's key, which nodes have pinned. */
  readonly signer: RemoteSigner
  /** Whether a node that has proved its key may stay. */
  isKnownNode(party: PartyId): boolean
  /**
   * Whether a node whose database has come so far may work: "behind" is an older copy, "twin" another start that another replica
   * hears. The token and the versions that the node speaks are durable when it resolves; without it, all may.
   */
  readonly admitFencingToken?: (
    party: PartyId,
    fencingToken: FencingToken,
    versions: NodeVersions,
  ) => Promise<Awaited<ReturnType<SharedStore["admit"]>>>
  /** A connection that it called the newest has ended; once for each. */
  onLeft?(party: PartyId, fencingToken: FencingToken): void
  /** Absent: nodes are told nothing of how far the database has come. */
  readonly fence?: WaasFence
  /** Acknowledged when this returns. What it throws is logged as a bug, and the frame counts as seen. */
  onFrame(party: PartyId, frame: FromNode): void
  /** Frames flow. After "restarted" the node remembers nothing of what it was told and had not written down. */
  onOnline(party: PartyId, peer: PeerMemory): void
  onOffline(party: PartyId): void
  readonly clock: () => number
  readonly log: Log
  readonly limits: RelayLimits
}

export type RelayDrop = "malformed" | "duplicate" | "handlerFailed" | "queueFull" | RefusalReason

export interface Relay {
  /** The upgrade of a request to `/ws`: to be tried before any other route; "other" is somebody else's. */
  upgrade(request: Request, server: Bun.Server<NodeConnection>): "upgraded" | "other" | Response
  readonly websocket: Bun.WebSocketHandler<NodeConnection>
  /** "full": not taken, say it again later. Throws E-LNK-020 for a frame that nodes would refuse to read. */
  send(party: PartyId, frame: ToNode): "queued" | "offline-queued" | "full"
  online(): ReadonlySet<PartyId>
  /** Since the node was heard last, ms; undefined while it is offline. */
  silentMs(party: PartyId): number | undefined
  /** Ends the node's connection and forgets what it was owed: it is no longer known. */
  forget(party: PartyId): void
  /** Frames dropped and connections refused since the start, by reason. */
  dropped(): ReadonlyMap<RelayDrop, number>
  /** Ends every connection, with this reason. */
  refuseAll(reason: RefusalReason): void
  /** Tells every node that WaaS is stopping. What was not acknowledged is forgotten. */
  close(): void
}
