/**
 * Groups for signing tests, made by a trusted dealer: Shamir shares of a known key, and pair states whose base OTs are
 * dealt too (the trees are real). A hundred times quicker than a DKG; test/mpc/dkls/otSetup.test.ts has the real thing.
 */
import { type Bytes, concat, u32be, utf8 } from "../../../src/bytes.ts"
import { K1 } from "../../../src/crypto/curve.ts"
import { H, sha256 } from "../../../src/crypto/frame.ts"
import { N_C } from "../../../src/crypto/parameters.ts"
import { aliceState, bobState, correct } from "../../../src/crypto/pprf.ts"
import { type Rng, randomScalar } from "../../../src/crypto/random.ts"
import { evaluate, randomPolynomial } from "../../../src/crypto/shamir.ts"
import type { GroupPublic, GroupSecret, PairState } from "../../../src/keys/group.ts"
import type { PartyId } from "../../../src/keys/party.ts"
import { GadgetCache } from "../../../src/mpc/dkls/pairs.ts"
import { signEcdsa } from "../../../src/mpc/dkls/sign.ts"
import type { EcdsaMessage } from "../../../src/mpc/dkls/signerContext.ts"
import type { Protocol } from "../../../src/mpc/exchange.ts"
import type { MessageSignature } from "../../../src/mpc/session.ts"
import { Secret } from "../../../src/secret.ts"
import { partyNo, seededRng } from "../network.ts"

export interface DealtGroup {
  readonly group: GroupPublic
  readonly secrets: ReadonlyMap<PartyId, GroupSecret>
  /** The key itself, which nobody else ever knows. */
  readonly key: bigint
  readonly parties: readonly PartyId[]
}

/** t-of-n with these share ids (1..n unless given), in ascending order of party. */
export function dealGroup(
  threshold: number,
  n: number,
  seed: string,
  ids?: readonly bigint[],
  parties: readonly PartyId[] = Array.from({ length: n }, (_, i) => partyNo(i + 1)),
): DealtGroup {
  const rng = seededRng(seed)
  const xs = ids ?? parties.map((_, i) => BigInt(i + 1))
  const polynomial = randomPolynomial(K1, threshold, rng)
  const shares = xs.map((x) => evaluate(K1, polynomial, x))
  const epochId = rng(32)
  const group: GroupPublic = {
    groupId: `group-${seed}`,
    epochId,
    curve: "secp256k1",
    mode: "keygen",
    status: "ACTIVE",
    threshold,
    members: parties.map((party, i) => ({
      party,
      shareId: xs[i]!,
      sharePublicKey: K1.encodePoint(K1.multiplyBase(shares[i]!)),
    })),
    commitments: polynomial.map((a) => K1.encodePoint(K1.multiplyBase(a))),
    chainCode: rng(32),
    createdMs: 0,
    sid: rng(32),
    ackView: rng(32),
  }
  const pairs = new Map(parties.map((party) => [party, [] as PairState[]]))
  for (const [i, one] of parties.entries()) {
    for (const other of parties.slice(i + 1)) {
      const pairId = rng(32)
      const zero = rng(32)
      const forth = dealtTrees(rng)
      const back = dealtTrees(rng)
      const state = (peer: PartyId, alice: Bytes, bob: Bytes): PairState => ({
        peer,
        pairId,
        zeroSeed: Secret.from(zero),
        otAlice: Secret.take(alice),
        otBob: Secret.take(bob),
      })
      pairs.get(one)!.push(state(other, forth.alice, back.bob))
      pairs.get(other)!.push(state(one, back.alice, forth.bob))
    }
  }
  const secrets = new Map(
    parties.map((party, i) => [party, { share: Secret.take(K1.encodeScalar(shares[i]!)), pairs: pairs.get(party)! }]),
  )
  return { group, secrets, key: polynomial[0]!, parties }
}

/** Both ends of one direction, from ideal base OTs. */
export function dealtTrees(rng: Rng): { readonly alice: Bytes; readonly bob: Bytes } {
  const sidOt = rng(32)
  const keys = [rng(N_C * 32), rng(N_C * 32)] as const
  const choices = Uint8Array.from(rng(N_C), (byte) => byte & 1)
  const chosen = concat(...Array.from(choices, (c, m) => keys[c as 0 | 1].subarray(m * 32, (m + 1) * 32)))
  const alice = aliceState(sidOt, chosen, choices, correct(sidOt, keys))
  if (alice === undefined) throw new Error("dealt trees do not verify")
  return { alice, bob: bobState(sidOt, keys) }
}

/** A message under the key x + tau. */
export function messageUnder(dealt: DealtGroup, tweak: bigint, digest: Bytes): EcdsaMessage {
  return { digest, tweak, publicKey: K1.encodePoint(K1.multiplyBase(dealt.key + tweak)) }
}

/** `count` messages with random digests; the first under the root key, the others tweaked. */
export function someMessages(dealt: DealtGroup, count: number, seed: string): readonly EcdsaMessage[] {
  const rng = seededRng(`messages ${seed}`)
  return Array.from({ length: count }, (_, n) =>
    messageUnder(dealt, n === 0 ? 0n : randomScalar(rng, K1.order), sha256(rng(32))),
  )
}

export interface SessionOptions {
  readonly sid?: Bytes
  readonly gadgets?: GadgetCache
  /** Another party's generator, to scenario a cheat. */
  readonly secretsOf?: (party: PartyId) => GroupSecret
  readonly rngOf?: (party: PartyId, rng: Rng) => Rng
}

const shared = new GadgetCache(4096)

/** The generators of one session, one per signer. */
export function signers(
  dealt: DealtGroup,
  who: readonly PartyId[],
  messages: readonly EcdsaMessage[],
  seed: string,
  options: SessionOptions = {},
): { readonly sid: Bytes; readonly protocols: ReadonlyMap<PartyId, Protocol<readonly MessageSignature[]>> } {
  const sid = options.sid ?? H("sid", utf8(seed), u32be(messages.length))
  const protocols = new Map(
    who.map((self) => {
      const rng = seededRng(`${seed} ${self}`)
      return [
        self,
        signEcdsa({
          sid,
          self,
          group: dealt.group,
          secret: (options.secretsOf ?? ((party) => dealt.secrets.get(party)!))(self),
          signers: who,
          messages,
          rng: options.rngOf?.(self, rng) ?? rng,
          gadgets: options.gadgets ?? shared,
        }),
      ]
    }),
  )
  return { sid, protocols }
}
