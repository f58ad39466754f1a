/**
 * The context of one signer in a session: who signs, with which share of the key, and the open pair with each peer. Refuses here,
 * before anything is sent, a session that must not start: a wrong number of signers, a blocked peer. The host has already checked
 * that the share fits the record (keys/group.ts).
 */
import { type Bytes, u32be } from "../../bytes.ts"
import { K1 } from "../../crypto/curve.ts"
import { HS } from "../../crypto/frame.ts"
import type { Rng } from "../../crypto/random.ts"
import { lagrange } from "../../crypto/shamir.ts"
import { CosignerError } from "../../errors.ts"
import type { GroupMember, GroupPublic, GroupSecret } from "../../keys/group.ts"
import type { PartyId } from "../../keys/party.ts"
import { type Blame, fault, sessionAbort } from "../blame.ts"
import { type GadgetCache, type OpenPair, openPair, type ReadyPair, readyPairs } from "./pairs.ts"

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

/** The signers and public values, before any secret is opened. */
export interface SignerContext {
  readonly context: EcdsaContext
  readonly self: GroupMember
  /** sc(x) of this signer, and lambda_{i,S}. */
  readonly x: Bytes
  readonly lambda: bigint
  readonly count: number
  readonly ready: readonly ReadyPair[]
  readonly peers: readonly PartyId[]
}

/** The signer of a session that runs. */
export interface OpenSignerContext extends SignerContext {
  /** Wiped when the session is over, however it ends. */
  readonly scope: DisposableStack
  /** One open pair per peer, ascending. */
  readonly pairs: readonly OpenPair[]
  /** s_i. */
  readonly share: bigint
}

/** Throws E-TSK-009 or E-TSK-013 for a session that must not start. */
export function signerContextOf(context: EcdsaContext): SignerContext {
  const { group } = context
  const signers = group.members.filter(({ party }) => context.signers.includes(party))
  const wrong = (problem: string) => new CosignerError("E-TSK-009", { problem })
  if (signers.length !== group.threshold || context.signers.length !== group.threshold) {
    throw wrong(`exactly ${group.threshold} different members sign`)
  }
  const index = signers.findIndex(({ party }) => party === context.self)
  const shareIds = signers.map(({ shareId }) => shareId)
  const self = signers[index]
  const lambda = lagrange(K1, shareIds)[index]
  if (self === undefined || lambda === undefined) throw wrong("this node is not among the signers")
  const others = signers.filter((_, i) => i !== index)
  const peers = others.map(({ party }) => party)
  const ready = readyPairs(context.secret, others)
  return { context, self, x: K1.encodeScalar(self.shareId), lambda, count: context.messages.length, ready, peers }
}

/** Opens what is secret, into `scope`. */
export function take(signer: SignerContext, scope: DisposableStack): OpenSignerContext {
  const { context, ready, x } = signer
  const share = K1.decodeScalar(context.secret.share.expose())
  if (share === undefined) throw new TypeError("the host has checked the share")
  return { ...signer, scope, share, pairs: ready.map((pair) => scope.use(openPair(pair, x, context.gadgets))) }
}

/**
 * sk_i(n) = lambda (s_i + tau) + zeta_i(n): additive shares of each child key, made for this session by zero shares
 * that cancel over the signers (threshold.md 5.7).
 */
export function additiveShares(signer: OpenSignerContext, h1: Bytes): readonly bigint[] {
  const { context, self, pairs, share, lambda } = signer
  return context.messages.map(({ tweak }, n) => {
    const zero = pairs.reduce((sum, pair) => {
      const mask = HS(K1.order, "zero", pair.zeroSeed, context.sid, h1, u32be(n))
      return pair.shareId > self.shareId ? sum + mask : sum - mask
    }, 0n)
    return K1.mod(lambda * (share + tweak) + zero)
  })
}

/** If a fault cannot be attributed among several peers, nobody is named; with a single peer it is that peer's fault (threshold.md 2.4). */
export function unattributed({ peers }: SignerContext, reason: string): Blame {
  const [only, ...more] = peers
  return only !== undefined && more.length === 0 ? fault(only, reason) : sessionAbort(reason)
}
