/** Connects the relay and the engine of one WaaS: frames of nodes go to the engine, frames of the engine to nodes. */
import { toHex } from "../bytes.ts"
import { errorText } from "../errors.ts"
import type { PartyId } from "../keys/party.ts"
import type { Log } from "../log.ts"
import type { Standing } from "../wire/frames.ts"
import { nodeIdOf, parseNodeId } from "../wire/nodeId.ts"
import type { RefusalReason } from "../wire/packets.ts"
import type { RemoteSigner } from "../wire/signed.ts"
import { LINK_WITH_PEERS, LINK_WITH_STANDING } from "../wire/versions.ts"
import type { Engine } from "./engine/engine.ts"
import type { RelayPort } from "./engine/ports.ts"
import { PeerRelay } from "./peerRelay.ts"
import { createRelay } from "./relay.ts"
import type { Relay, RelayLimits } from "./relayOptions.ts"
import type { StandingKeeper } from "./standing.ts"

/** Logs a failure of the engine's work, which is tried again later. */
export const engineFailed = (log: Log, error: unknown): void =>
  log.error("the engine failed; it tries again", { error: errorText(error) })

/** The relay as the engine sees it. The engine is made first; until `connect` is called nobody is online, and frames are dropped. */
export function lateRelay(): {
  readonly port: RelayPort
  tell(standing: Standing, linkOf: (nodeId: string) => number): void
  refuseAll(reason: RefusalReason): void
  connect(relay: Relay): void
} {
  let relay: Relay | undefined
  // A cache: the engine asks for every node of every task again and again, and parsing a node id costs a hash.
  const parties = new Map<string, PartyId | undefined>()
  const partyOf = (nodeId: string): PartyId | undefined => {
    if (!parties.has(nodeId)) parties.set(nodeId, parseNodeId(nodeId))
    return parties.get(nodeId)
  }
  return {
    port: {
      online: (nodeId) => {
        const party = partyOf(nodeId)
        return party !== undefined && relay?.online().has(party) === true
      },
      silentMs: (nodeId) => {
        const party = partyOf(nodeId)
        return party === undefined ? undefined : relay?.silentMs(party)
      },
      send(nodeId, frame) {
        const party = partyOf(nodeId)
        if (party !== undefined) relay?.send(party, frame)
      },
    },
    tell(standing, linkOf) {
      for (const party of relay?.online() ?? []) {
        if (linkOf(nodeIdOf(party)) >= LINK_WITH_STANDING) relay?.send(party, standing)
      }
    },
    refuseAll: (reason) => relay?.refuseAll(reason),
    connect: (made) => {
      relay = made
    },
  }
}

interface RelayParts {
  readonly engine: Engine
  readonly standing: StandingKeeper
  readonly signer: RemoteSigner
  readonly limits: RelayLimits
  readonly log: Log
}

export function relayFor({ engine, standing, signer, limits, log }: RelayParts): Relay {
  const swallow = (work: Promise<void>): void => void work.catch((error: unknown) => engineFailed(log, error))
  const peers = new PeerRelay({
    send: (party, frame) => void relay.send(party, frame),
    hears: (party) => relay.online().has(party) && engine.versions(nodeIdOf(party)).link >= LINK_WITH_PEERS,
    clock: () => performance.now(),
  })
  const relay: Relay = createRelay({
    signer,
    fence: standing,
    admitFencingToken: (party, { bootId, ...fencingToken }, versions) =>
      engine.admitFencingToken(nodeIdOf(party), { ...fencingToken, bootId: toHex(bootId), versions }),
    onLeft: (party, { bootId }) => swallow(engine.left(nodeIdOf(party), toHex(bootId))),
    isKnownNode: (party: PartyId) => engine.isKnownNode(nodeIdOf(party)),
    onFrame(party, frame) {
      if (frame.kind === "peer") peers.relay(party, frame)
      else swallow(engine.onFrame(nodeIdOf(party), frame))
    },
    onOnline(party, peer) {
      if (engine.versions(nodeIdOf(party)).link >= LINK_WITH_STANDING) relay.send(party, standing.frame())
      swallow(engine.onOnline(nodeIdOf(party), peer))
    },
    onOffline: () => {},
    clock: Date.now,
    log,
    limits,
  })
  return relay
}
