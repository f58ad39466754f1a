/** Groups made by a trusted dealer, for tests of what comes after a set-up. No OT state: these groups cannot do ECDSA. */
import { type Bytes, utf8 } from "../../src/bytes.ts"
import { type CurveName, curveNamed } from "../../src/crypto/curve.ts"
import { commitments, evaluateCommitted } from "../../src/crypto/feldman.ts"
import { sha256 } from "../../src/crypto/frame.ts"
import { evaluate, randomPolynomial, shareIdOf } from "../../src/crypto/shamir.ts"
import type { GroupPublic, GroupSecret } from "../../src/keys/group.ts"
import { type Member, type PartyId, partyBytes } from "../../src/keys/party.ts"
import { Secret } from "../../src/secret.ts"
import { partyNo, seededRng } from "./network.ts"

export const memberNo = (i: number): Member => ({ party: partyNo(i), x: shareIdOf(partyBytes(partyNo(i))) })

/** Members 1..n with derived share ids. */
export const membersUpTo = (n: number): readonly Member[] => Array.from({ length: n }, (_, i) => memberNo(i + 1))

export interface DealtGroup {
  readonly group: GroupPublic
  readonly secretKey: bigint
  /** A fresh copy each time: sessions wipe what they are given. */
  secretOf(party: PartyId): GroupSecret
}

export function dealGroup(
  curveName: CurveName,
  threshold: number,
  members: readonly Member[],
  seed: string,
  secretKey?: bigint,
): DealtGroup {
  const curve = curveNamed(curveName)
  const polynomial = randomPolynomial(curve, threshold, seededRng(seed), secretKey)
  const points = commitments(curve, polynomial)
  const group: GroupPublic = {
    groupId: `group of ${seed}`,
    epochId: sha256(utf8(`epoch of ${seed}`)),
    curve: curveName,
    mode: "keygen",
    status: "ACTIVE",
    threshold,
    members: members.map(({ party, x }) => ({
      party,
      shareId: x,
      sharePublicKey: curve.encodePoint(evaluateCommitted(curve, points, x)),
    })),
    commitments: points.map((point) => curve.encodePoint(point)),
    chainCode: sha256(utf8(`chain code of ${seed}`)),
    createdMs: 1,
    sid: sha256(utf8(`sid of ${seed}`)),
    ackView: sha256(utf8(`view of ${seed}`)),
  }
  const shareOf = (party: PartyId): Bytes => {
    const member = members.find((one) => one.party === party)
    if (member === undefined) throw new Error("no such member")
    return curve.encodeScalar(evaluate(curve, polynomial, member.x))
  }
  return {
    group,
    secretKey: polynomial[0] ?? 0n,
    secretOf: (party) => ({ share: Secret.take(shareOf(party)), pairs: [] }),
  }
}
