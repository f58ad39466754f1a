/**
 * One signer's seat in a session: who signs, with what share of the key, and the open pair with each peer. Refuses here,
 * before anything is sent, what must not start: another number of signers, a blocked peer, a share that is not the record's.
 */
import type { Bytes } from "../../bytes.ts"
import { u32be } from "../../bytes.ts"
import { K1 } from "../../crypto/curve.ts"
import { HS } from "../../crypto/frame.ts"
import type { Rng } from "../../crypto/random.ts"
import { lagrange } from "../../crypto/shamir.ts"
import { CosignerError } from "../../errors.ts"
import type { GroupMember, GroupPublic, GroupSecret } from "../../keys/group.ts"
import type { PartyId } from "../../keys/party.ts"
import { type Blame, fault, sessionAbort } from "../blame.ts"
import { type GadgetCache, type OpenPair, openPairs } from "./pairs.ts"

export interface EcdsaMessage {
  /** 32 bytes; any value, also above the group order. */
  readonly digest: Bytes
  /** tau of the path: child key = root key + tau (keys/derive.ts). */
  readonly tweak: bigint
  /** enc(PK'), the key that will verify. */
  readonly publicKey: Bytes
}

export interface EcdsaContext {
  readonly sid: Bytes
  readonly self: PartyId
  readonly group: GroupPublic
  readonly secret: GroupSecret
  /** Exactly `threshold` members, self included. */
  readonly signers: readonly PartyId[]
  readonly messages: readonly EcdsaMessage[]
  readonly rng: Rng
  readonly gadgets: GadgetCache
}

export interface Seat {
  readonly context: EcdsaContext
  /** Wiped when the session is over, however it ends. */
  readonly scope: DisposableStack
  readonly self: GroupMember
  /** sc(x) of this signer. */
  readonly x: Bytes
  readonly count: number
  /** One open pair per peer, ascending. */
  readonly pairs: readonly OpenPair[]
  readonly peers: readonly PartyId[]
  /** s_i and lambda_{i,S}. */
  readonly share: bigint
  readonly lambda: bigint
}

export function takeSeat(context: EcdsaContext, scope: DisposableStack): Seat {
  const { group } = context
  const signers = group.members.filter(({ party }) => context.signers.includes(party))
  if (signers.length !== group.threshold || context.signers.length !== group.threshold) {
    throw new CosignerError("E-TSK-009", { problem: `exactly ${group.threshold} different members sign` })
  }
  const index = signers.findIndex(({ party }) => party === context.self)
  const self = signers[index]
  const lambda = lagrange(
    K1,
    signers.map(({ shareId }) => shareId),
  )[index]
  if (self === undefined || lambda === undefined) {
    throw new CosignerError("E-TSK-009", { problem: "this node is not among the signers" })
  }
  const others = signers.filter(({ party }) => party !== self.party)
  const share = openShare(context, self)
  const pairs = openPairs(context.secret, self, others, context.gadgets).map((pair) => scope.use(pair))
  const x = K1.encodeScalar(self.shareId)
  const peers = others.map(({ party }) => party)
  return { context, scope, self, x, count: context.messages.length, pairs, peers, share, lambda }
}

/** s_i; throws E-KEY-008 unless it belongs to the public share on record (a substituted share leaks by its failures). */
function openShare({ group, secret }: EcdsaContext, self: GroupMember): bigint {
  const share = K1.decodeScalar(secret.share.expose())
  const recorded = K1.decodePoint(self.sharePublicKey)
  if (!share || !recorded || !K1.equals(K1.multiplyBase(share), recorded)) {
    throw new CosignerError("E-KEY-008", { group: group.groupId })
  }
  return share
}

/**
 * sk_i(n) = lambda (s_i + tau) + zeta_i(n): additive shares of each child key, made anew for this session by zero shares
 * that cancel over the signers (tss.md 5.7).
 */
export function additiveShares(seat: Seat, h1: Bytes): readonly bigint[] {
  const { context, self, pairs, share, lambda } = seat
  return context.messages.map(({ tweak }, n) => {
    const zero = pairs.reduce((sum, pair) => {
      const mask = HS(K1.order, "zero", pair.zeroSeed, context.sid, h1, u32be(n))
      return pair.shareId > self.shareId ? sum + mask : sum - mask
    }, 0n)
    return K1.mod(lambda * (share + tweak) + zero)
  })
}

/** What nobody can be named for among several peers is the one peer's fault when there is but one (tss.md 2.4). */
export function unattributed({ peers }: Seat, reason: string): Blame {
  const [only, ...more] = peers
  return only !== undefined && more.length === 0 ? fault(only, reason) : sessionAbort(reason)
}
