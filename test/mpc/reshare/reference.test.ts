/**
 * Resharing against a second implementation of it, written from threshold.md 6 alone on top of dkls/reference.ts, which plays every
 * party: every message and every record, byte for byte, from the same randomness. On Ed25519, where nothing but the deals
 * is sent; the OT part is that of key generation (dkgReference.test.ts).
 */
import { expect, test } from "bun:test"
import { ed25519, x25519 } from "@noble/curves/ed25519.js"
import { toHex } from "../../../src/bytes.ts"
import { type PartyId, partyBytes } from "../../../src/keys/party.ts"
import { reshare } from "../../../src/mpc/reshare/reshare.ts"
import type { SessionResult } from "../../../src/mpc/session.ts"
import { reshareSid } from "../../../src/mpc/sid.ts"
import { dealGroup, memberNo } from "../dealer.ts"
import * as ref from "../dkls/reference.ts"
import { runAll, seededRng } from "../network.ts"
import { Kept, reshareSpecs } from "./specs.ts"

type Octets = Uint8Array
const { ascii, be, fromBe, fromLe, H, H512, join, le, mod, u32 } = ref
const q = ed25519.Point.Fn.ORDER
const sc = (a: bigint): Octets => le(mod(a, q), 32)
const encOf = (k: bigint): Octets => ed25519.Point.BASE.multiply(mod(k, q)).toBytes()

interface Named {
  readonly party: PartyId
  readonly x: bigint
}
interface Reshare {
  readonly mode: string
  readonly oldGroupId: string
  readonly newGroupId: string
  readonly oldEpoch: Octets
  readonly oldCommitments: readonly Octets[]
  readonly chainCode: Octets
  readonly dealers: readonly (Named & { readonly share: bigint })[]
  readonly members: readonly Named[]
  readonly threshold: number
  rngOf(party: PartyId): (length: number) => Octets
}

function reshareAll(of: Reshare) {
  const { dealers, members, threshold, chainCode } = of
  const everybody = [...new Set([...dealers, ...members].map(({ party }) => party))].sort()
  const rngs = new Map(everybody.map((party) => [party, of.rngOf(party)]))
  const bytes = (party: PartyId) => rngs.get(party)!(32)
  const scalar = (party: PartyId) => fromBe(rngs.get(party)!(48)) % q
  const list = (named: readonly Named[]) => [
    u32(named.length),
    ...named.flatMap(({ party, x }) => [partyBytes(party), sc(x)]),
  ]
  const payload = H(
    "reshare/payload",
    ascii(of.mode),
    ascii(of.oldGroupId),
    of.oldCommitments[0]!,
    u32(of.oldCommitments.length),
    be(1_800_000_000_000n, 8),
  )
  const sid = H(
    "sid",
    ...["ed25519", "reshare", "1", "", "reshare task"].map(ascii),
    u32(1),
    ascii(of.newGroupId),
    new Uint8Array(32),
    u32(threshold),
    ...list(members),
    ...list(dealers),
    payload,
  )
  const bodies = new Map<string, Octets>()

  // Round 1.
  const deals = new Map<
    PartyId,
    { readonly f: readonly bigint[]; readonly A: readonly Octets[]; readonly salt: Octets }
  >()
  for (const party of everybody) {
    const eph = x25519.getPublicKey(bytes(party))
    const dealer = dealers.find((one) => one.party === party)
    if (dealer === undefined) {
      bodies.set(`1 broadcast ${party}`, join(bytes(party), eph))
      continue
    }
    const lambda = dealers
      .filter(({ x }) => x !== dealer.x)
      .reduce((product, { x }) => mod(product * x * ed25519.Point.Fn.inv(mod(x - dealer.x, q)), q), 1n)
    const f = [mod(lambda * dealer.share, q), ...Array.from({ length: threshold - 1 }, () => scalar(party))]
    const A = f.map(encOf)
    const salt = bytes(party)
    const C = H("com", sid, ascii("deal"), partyBytes(party), sc(dealer.x), join(...A, chainCode), salt)
    bodies.set(`1 broadcast ${party}`, join(bytes(party), eph, of.oldEpoch, ...of.oldCommitments, C))
    deals.set(party, { f, A, salt })
  }
  const broadcasts = (round: number, by: readonly PartyId[]) =>
    by.map((party) => [partyBytes(party), bodies.get(`${round} broadcast ${party}`)!] as const)
  const h1 = ref.view(sid, 1, new Uint8Array(32), broadcasts(1, everybody))

  // Round 2.
  const at = (f: readonly bigint[], x: bigint) => f.reduceRight((sum, a) => mod(sum * x + a, q), 0n)
  for (const party of everybody) {
    const deal = deals.get(party)
    if (deal !== undefined) {
      const { f, A, salt } = deal
      const { x } = dealers.find((one) => one.party === party)!
      const proofs = f.map((a, k) => {
        const r = scalar(party)
        const fields = [join(sid, h1), ascii("coef"), partyBytes(party), sc(x), u32(k), encOf(1n), A[k]!, encOf(r)]
        return join(encOf(r), sc(r + (fromBe(H512("pok", ...fields)) % q) * a))
      })
      bodies.set(`2 broadcast ${party}`, join(salt, ...A, ...proofs))
    }
    const isMember = members.some((one) => one.party === party)
    for (const member of members) {
      if (member.party === party) continue
      const zs = bytes(party)
      const dealt = deal ? [sc(at(deal.f, member.x)), chainCode] : []
      bodies.set(`2 direct ${party} ${member.party}`, join(...dealt, ...(isMember ? [zs] : [])))
    }
  }
  const h2 = ref.view(
    sid,
    2,
    h1,
    broadcasts(
      2,
      dealers.map(({ party }) => party),
    ),
  )

  // The new epoch, and everybody's ack.
  const sums = Array.from({ length: threshold }, (_, k) =>
    [...deals.values()].reduce((sum, { f }) => mod(sum + f[k]!, q), 0n),
  )
  const shares = new Map(members.map(({ party, x }) => [party, at(sums, x)]))
  const named = members.flatMap(({ party }) => [partyBytes(party), encOf(shares.get(party)!)])
  const epochId = H("epoch", sid, h2, encOf(sums[0]!), u32(members.length), ...named, chainCode)
  for (const party of everybody) bodies.set(`4 broadcast ${party}`, epochId)
  return { sid, bodies, shares, epochId, ackView: h2, commitments: sums.map(encOf) }
}

test.each(["replace", "extend"] as const)("%s: a dealer leaves, a node joins, ids change", (mode) => {
  const old = dealGroup("ed25519", 2, [1, 2, 3].map(memberNo), "reference")
  const { group } = old
  // The joining node takes the old id of another one: ids are told apart by node.
  const members = [memberNo(2), { ...memberNo(3), x: q - 1n }, { ...memberNo(4), x: memberNo(1).x }]
  const dealers = [memberNo(1), memberNo(3)]
  const newGroupId = mode === "replace" ? group.groupId : "another group"
  const rngOf = (party: PartyId) => seededRng(`reshared ${party}`)
  const expected = reshareAll({
    ...{ mode, newGroupId, members, rngOf, threshold: 3 },
    oldGroupId: group.groupId,
    oldEpoch: group.epochId,
    oldCommitments: group.commitments,
    chainCode: group.chainCode,
    dealers: dealers.map(({ party, x }) => ({ party, x, share: fromLe(old.secretOf(party).share.expose()) })),
  })

  const parties = { dealers: dealers.map(({ party }) => party), members, threshold: 3 }
  const specs = reshareSpecs(old, parties, { mode, newGroupId })
  const sid = reshareSid(specs[0]!)
  expect(toHex(sid)).toBe(ref.hexOf(expected.sid))
  const kept = new Kept()
  const seen = new Map<string, string>()
  const protocols = specs.map((spec) => [spec.self, reshare(spec, sid, undefined, rngOf(spec.self))] as const)
  runAll<SessionResult>(sid, new Map(protocols), {
    onRecord: kept.onRecord,
    tamper: ({ round, kind, from, to, body }) => {
      seen.set(kind === "broadcast" ? `${round} ${kind} ${from}` : `${round} ${kind} ${from} ${to}`, toHex(body))
      return body
    },
  })
  expect([...seen.keys()].sort()).toEqual([...expected.bodies.keys()].sort())
  for (const [name, body] of expected.bodies) expect(`${name}: ${seen.get(name)}`).toBe(`${name}: ${ref.hexOf(body)}`)

  const made = kept.group()
  expect(made.commitments.map(toHex)).toEqual(expected.commitments.map(ref.hexOf))
  expect(toHex(made.commitments[0]!)).toBe(toHex(group.commitments[0]!))
  expect([toHex(made.epochId), toHex(made.ackView)]).toEqual([ref.hexOf(expected.epochId), ref.hexOf(expected.ackView)])
  for (const { party } of members) {
    expect(toHex(kept.shares.get(party)!)).toBe(ref.hexOf(sc(expected.shares.get(party)!)))
  }
})
