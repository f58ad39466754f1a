/**
 * Opens the state that a pair keeps at rest (PairState) for one signing session: it grows the leaves again from their seeds, and takes
 * the public gadgets from a cache that lives as long as its host. Everything secret in an open pair is wiped with the session.
 */
import { type Bytes, toHex } from "../../bytes.ts"
import { K1 } from "../../crypto/curve.ts"
import {
  ALICE_LENGTH,
  BOB_LENGTH,
  expandAlice,
  expandBob,
  type FullTrees,
  type PuncturedTrees,
} from "../../crypto/pprf.ts"
import { type Gadget, gadget } from "../../crypto/rvole.ts"
import { CosignerError } from "../../errors.ts"
import type { GroupMember, GroupSecret } from "../../keys/group.ts"
import type { PartyId } from "../../keys/party.ts"
import type { Secret } from "../../secret.ts"

/** Gadgets are public and fixed for an epoch. Making the two gadgets of a pair costs as much as a quarter of a signature. */
export class GadgetCache {
  readonly #kept = new Map<string, Gadget>()

  /** `capacity`: how many are kept (about 40 kB each); the oldest is dropped first. */
  constructor(readonly capacity = 128) {}

  get(pairId: Bytes, bob: Bytes, alice: Bytes): Gadget {
    const key = toHex(pairId) + toHex(bob) + toHex(alice)
    const known = this.#kept.get(key)
    if (known !== undefined) return known
    const made = gadget(pairId, bob, alice)
    for (const oldest of this.#kept.keys()) {
      if (this.#kept.size < this.capacity) break
      this.#kept.delete(oldest)
    }
    this.#kept.set(key, made)
    return made
  }
}

/** One peer, ready for the two instances of the OT extension: this party is Bob in one and Alice in the other. */
export interface OpenPair extends Disposable {
  readonly party: PartyId
  /** x of the peer, and sc(x). */
  readonly shareId: bigint
  readonly x: Bytes
  readonly pairId: Bytes
  /** Live bytes of the pair's zero-share seed. */
  readonly zeroSeed: Bytes
  readonly bob: FullTrees
  readonly alice: PuncturedTrees
  readonly bobGadget: Gadget
  readonly aliceGadget: Gadget
}

/** The stored state of a pair that can still sign. */
export interface ReadyPair {
  readonly peer: GroupMember
  readonly pairId: Bytes
  readonly zeroSeed: Secret
  readonly otAlice: Secret
  readonly otBob: Secret
}

/**
 * Throws E-TSK-013 naming every peer whose OT state is missing: banned, disabled, never made, or made with another number of
 * base OTs (threshold.md 4.3).
 */
export function readyPairs(secret: GroupSecret, peers: readonly GroupMember[]): readonly ReadyPair[] {
  const blocked: PartyId[] = []
  const ready: ReadyPair[] = []
  for (const peer of peers) {
    const { pairId, zeroSeed, otAlice, otBob } = secret.pairs.find((pair) => pair.peer === peer.party) ?? {}
    const isOfSize = otAlice?.length === ALICE_LENGTH && otBob?.length === BOB_LENGTH
    if (pairId && zeroSeed && otAlice && otBob && isOfSize) ready.push({ peer, pairId, zeroSeed, otAlice, otBob })
    else blocked.push(peer.party)
  }
  if (blocked.length > 0) throw new CosignerError("E-TSK-013", { peers: blocked })
  return ready
}

/** `x`: sc(x) of this signer. */
export function openPair(
  { peer, pairId, zeroSeed, otAlice, otBob }: ReadyPair,
  x: Bytes,
  gadgets: GadgetCache,
): OpenPair {
  const peerX = K1.encodeScalar(peer.shareId)
  const bob = expandBob(otBob.expose())
  const alice = expandAlice(otAlice.expose())
  return {
    party: peer.party,
    shareId: peer.shareId,
    x: peerX,
    pairId,
    zeroSeed: zeroSeed.expose(),
    bob,
    alice,
    bobGadget: gadgets.get(pairId, x, peerX),
    aliceGadget: gadgets.get(pairId, peerX, x),
    [Symbol.dispose]() {
      for (const bytes of [bob.leaves, alice.leaves, alice.delta]) bytes.fill(0)
    },
  }
}
