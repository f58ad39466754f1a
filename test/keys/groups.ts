/** Groups for tests, dealt by one hand: real shares of a real polynomial, no protocol. */
import { createHash } from "node:crypto"
import { type Bytes, copy, utf8 } from "../../src/bytes.ts"
import { type CurveName, curveNamed } from "../../src/crypto/curve.ts"
import { commitments } from "../../src/crypto/feldman.ts"
import type { Rng } from "../../src/crypto/random.ts"
import { evaluate, randomPolynomial } from "../../src/crypto/shamir.ts"
import type { GroupPublic } from "../../src/keys/group.ts"
import { type PartyId, partyOf } from "../../src/keys/party.ts"
import { shareIdOf } from "../../src/keys/shareId.ts"

/** A repeatable stream for `label`. */
export function stream(label: string): Rng {
  let block = 0
  return (length) => {
    const out = new Uint8Array(length)
    for (let at = 0; at < length; at += 32) out.set(digest(`${label}/${block++}`).subarray(0, length - at), at)
    return out
  }
}

export const digest = (text: string): Bytes => copy(createHash("sha256").update(utf8(text)).digest())

export interface Dealt {
  readonly group: GroupPublic
  readonly secret: bigint
  readonly shares: ReadonlyMap<PartyId, bigint>
}

export interface Deal {
  readonly curve: CurveName
  readonly threshold: number
  readonly size: number
  readonly label?: string
  /** Share ids in place of the derived ones, in the order of the parties. */
  readonly shareIds?: readonly bigint[]
}

export function deal({ curve: name, threshold, size, label = "test", shareIds }: Deal): Dealt {
  const curve = curveNamed(name)
  const rng = stream(label)
  const polynomial = randomPolynomial(curve, threshold, rng)
  const parties = Array.from({ length: size }, (_, i) => partyOf(digest(`${label} node ${i}`))!).sort()
  const members = parties.map((party, i) => {
    const shareId = shareIds?.[i] ?? shareIdOf(party)
    const share = evaluate(curve, polynomial, shareId)
    return { party, shareId, share, sharePublicKey: curve.encodePoint(curve.multiplyBase(share)) }
  })
  const group: GroupPublic = {
    groupId: `${label.replace(/[^A-Za-z]/g, "")}GroupGroupGroupGroup`.slice(0, 20),
    epochId: digest(`${label} epoch`),
    curve: name,
    mode: "keygen",
    status: "ACTIVE",
    threshold,
    members: members.map(({ party, shareId, sharePublicKey }) => ({ party, shareId, sharePublicKey })),
    commitments: commitments(curve, polynomial).map((point) => curve.encodePoint(point)),
    chainCode: digest(`${label} chain code`),
    createdMs: 1_795_340_000_123,
    sid: digest(`${label} sid`),
    ackView: digest(`${label} view`),
    certificate: members.map((_, i) => copy(rng(64 + i))),
  }
  return { group, secret: polynomial[0]!, shares: new Map(members.map(({ party, share }) => [party, share])) }
}
