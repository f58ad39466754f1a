/** Epochs with the certificates of their members, and nodes that tell of them. */
import { utf8 } from "../../src/bytes.ts"
import { type CurveName, curveNamed, type Point } from "../../src/crypto/curve.ts"
import { commitments as committed, evaluateCommitted } from "../../src/crypto/feldman.ts"
import { sha256 } from "../../src/crypto/frame.ts"
import { randomPolynomial } from "../../src/crypto/shamir.ts"
import type { GroupPublic } from "../../src/keys/group.ts"
import { encodeGroupPublic } from "../../src/keys/groupCodec.ts"
import { shareIdOf } from "../../src/keys/shareId.ts"
import { epochIdOf } from "../../src/mpc/dkg/epoch.ts"
import { ackRoundOf } from "../../src/mpc/dkg/rounds.ts"
import { encodeHeader, type Identity, identityOf, KIND, makeEnvelope, PROTOCOL } from "../../src/mpc/envelope.ts"
import type { TellingNode } from "../../src/waas/adoption.ts"
import { nodeIdOf } from "../../src/wire/nodeId.ts"
import { seededRng } from "../mpc/network.ts"

export const nodes: readonly Identity[] = [1, 2, 3]
  .map((n) => identityOf(new Uint8Array(32).fill(n)))
  .sort((a, b) => (a.party < b.party ? -1 : 1))
export const ids = nodes.map(({ party }) => nodeIdOf(party))
export const named = new Set(ids)

const keyOf = ({ curve, commitments: [key] }: GroupPublic): Point => {
  const point = key && curveNamed(curve).decodePoint(key)
  if (point === undefined) throw new Error("a group has a key")
  return point
}

interface Wish {
  readonly curve?: CurveName
  readonly groupId?: string
  readonly createdMs?: number
  readonly seed?: string
  readonly mode?: GroupPublic["mode"]
  readonly members?: readonly Identity[]
  /** An epoch of that one's key. */
  readonly ofKey?: GroupPublic
}

/** A 2-of-n group with the acks of all its members. */
export function certified(wish: Wish = {}): GroupPublic {
  const {
    curve: name = "ed25519",
    groupId = "AbcdefghijklmnopqrsT",
    createdMs = 5,
    seed = "one",
    mode = "keygen",
  } = wish
  const curve = curveNamed(name)
  const drawn = committed(curve, randomPolynomial(curve, 2, seededRng(`${seed} ${name}`)))
  const points = wish.ofKey === undefined ? drawn : [keyOf(wish.ofKey), ...drawn.slice(1)]
  const holders = wish.members ?? nodes
  const members = holders.map(({ party }) => {
    const shareId = shareIdOf(party)
    return { party, shareId, sharePublicKey: curve.encodePoint(evaluateCommitted(curve, points, shareId)) }
  })
  const commitments = points.map((point) => curve.encodePoint(point))
  const [publicKey] = commitments
  if (publicKey === undefined) throw new Error("a polynomial has a constant term")
  const [sid, ackView, drawnCode] = ["sid", "view", "chain"].map((word) =>
    sha256(utf8(`${word} ${seed} ${name} ${createdMs}`)),
  )
  const chainCode = wish.ofKey?.chainCode ?? drawnCode
  if (sid === undefined || ackView === undefined || chainCode === undefined) throw new Error("three words")
  const epochId = epochIdOf(sid, ackView, publicKey, members, chainCode)
  const parent =
    mode === "keygen" ? {} : { parent: { groupId: "parent", epochId: sid, dealers: holders.map(({ party }) => party) } }
  const group = {
    groupId,
    epochId,
    curve: name,
    mode,
    threshold: 2,
    members,
    commitments,
    chainCode,
    createdMs,
    sid,
    ackView,
  }
  const header = {
    protocol: mode === "keygen" ? PROTOCOL.dkg : PROTOCOL.reshare,
    round: ackRoundOf(undefined),
    kind: KIND.broadcast,
    bodyLength: 32,
    sid,
    receiver: undefined,
    view: ackView,
  }
  const certificate = holders.map((by) => makeEnvelope(by, encodeHeader({ ...header, sender: by.party }), epochId))
  return { ...group, status: "ACTIVE", certificate, ...parent }
}

export const toldBy = (indices: readonly number[], ...epochs: readonly GroupPublic[]): readonly TellingNode[] =>
  indices.map((index) => ({ nodeId: ids[index] ?? "", records: epochs.map((epoch) => encodeGroupPublic(epoch)) }))

export const nameOf = (nodeId: string): string => `n${ids.indexOf(nodeId)}`
