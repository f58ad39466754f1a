/** src/ against test/mpc/dkgReference.ts: every byte of a key generation and all that is kept of it, from the same randomness. */
import { expect, test } from "bun:test"
import { type Bytes, copy, toHex } from "../../src/bytes.ts"
import type { CurveName } from "../../src/crypto/curve.ts"
import { expandAlice, expandBob } from "../../src/crypto/pprf.ts"
import type { GroupPublic } from "../../src/keys/group.ts"
import { type Member, type PartyId, partyBytes } from "../../src/keys/party.ts"
import { dkg } from "../../src/mpc/dkg/dkg.ts"
import { startOtSetup } from "../../src/mpc/dkls/otSetup.ts"
import type { SessionResult } from "../../src/mpc/session.ts"
import { dkgSid } from "../../src/mpc/sid.ts"
import { generateAll } from "./dkgReference.ts"
import * as ref from "./dkls/reference.ts"
import { partyNo, runAll, seededRng } from "./network.ts"
import { dkgSpecs } from "./specs.ts"

interface Kept {
  readonly group: GroupPublic
  readonly share: Bytes
  readonly pairs: ReadonlyMap<
    PartyId,
    {
      readonly pairId: Bytes
      readonly zseed: Bytes
      readonly alice: Bytes | undefined
      readonly bob: Bytes | undefined
    }
  >
}

/** Ids whose order is not that of the parties. */
const CASES: readonly (readonly [curve: CurveName, threshold: number, ids: readonly bigint[]])[] = [
  ["secp256k1", 2, [ref.q - 1n, 5n]],
  ["ed25519", 2, [9n, 1n << 251n, 2n]],
]

test.each(CASES)(
  "%s, %p of %p: every message and every record, byte for byte",
  (curve, threshold, ids) => {
    const members: readonly Member[] = ids.map((x, i) => ({ party: partyNo(i + 1), x }))
    const index = (party: PartyId) => members.findIndex((member) => member.party === party)
    const rngOf = (party: PartyId) => seededRng(`reference ${curve} ${party}`)
    const specs = dkgSpecs(curve, threshold, members)
    const spec = specs[0]!
    const expected = generateAll({
      ...spec,
      members: members.map(({ party, x }) => ({ nodeId: partyBytes(party), x, rng: rngOf(party) })),
    })

    const sid = dkgSid(spec)
    expect(toHex(sid)).toBe(ref.hexOf(expected.sid))
    const kept = new Map<PartyId, Kept>()
    const seen = new Map<string, string>()
    runAll<SessionResult>(sid, new Map(specs.map((one) => [one.self, dkg(one, sid, startOtSetup, rngOf(one.self))])), {
      onRecord: (party, record) => {
        if (record.kind !== "prepared") return
        const pairs = record.secret.pairs.map(({ peer, pairId, zeroSeed, otAlice, otBob }) => {
          const secrets = { zseed: copy(zeroSeed.expose()), alice: copyOf(otAlice), bob: copyOf(otBob) }
          return [peer, { pairId, ...secrets }] as const
        })
        kept.set(party, { group: record.group, share: copy(record.secret.share.expose()), pairs: new Map(pairs) })
      },
      tamper: ({ round, kind, from, to, body }) => {
        const name = kind === "broadcast" ? `${index(from)}` : `${index(from)} ${index(to)}`
        seen.set(`${round} ${kind} ${name}`, toHex(body))
        return body
      },
    })

    expect([...seen.keys()].sort()).toEqual([...expected.bodies.keys()].sort())
    for (const [name, body] of expected.bodies) expect(`${name}: ${seen.get(name)}`).toBe(`${name}: ${ref.hexOf(body)}`)
    for (const [i, { party, x }] of members.entries()) {
      const { group, share, pairs } = kept.get(party)!
      expect(toHex(share)).toBe(ref.hexOf(expected.shares[i]!))
      expect(group.commitments.map(toHex)).toEqual(expected.commitments.map(ref.hexOf))
      expect(group.members.map(({ sharePublicKey }) => toHex(sharePublicKey))).toEqual(
        expected.publicShares.map(ref.hexOf),
      )
      expect(group.members[i]?.shareId).toBe(x)
      for (const field of ["chainCode", "epochId", "ackView", "sid"] as const) {
        expect(`${field} ${toHex(group[field])}`).toBe(`${field} ${ref.hexOf(expected[field])}`)
      }
      expect(pairs.size).toBe(curve === "secp256k1" ? members.length - 1 : 0)
      for (const [peer, pair] of pairs) {
        const record = expected.pairs.get(`${i} ${index(peer)}`)!
        expect(toHex(pair.pairId)).toBe(ref.hexOf(record.pairId))
        expect(toHex(pair.zseed)).toBe(ref.hexOf(record.zseed))
        expectTrees(i, index(peer), expected, pair)
      }
    }

    function expectTrees(
      i: number,
      k: number,
      generated: typeof expected,
      pair: { alice: Bytes | undefined; bob: Bytes | undefined },
    ) {
      const sc = (m: number) => ref.be(members[m]!.x, 32)
      const h1 = ref.view(
        generated.sid,
        1,
        new Uint8Array(32),
        members.map(({ party }, m) => [partyBytes(party), generated.bodies.get(`1 broadcast ${m}`)!]),
      )
      const sidOt = (R: number, S: number) => ref.H("ot/sid", generated.sid, h1, sc(R), sc(S))
      const choices = generated.pairs.get(`${i} ${k}`)!.asAlice.map(({ choice }) => choice as 0 | 1)
      const peerAsBob = generated.pairs.get(`${k} ${i}`)!.asBob
      // What the receiver computed is what the sender has in the chosen slot, and not what is in the other.
      for (const [m, { key, choice }] of generated.pairs.get(`${i} ${k}`)!.asAlice.entries()) {
        expect(ref.hexOf(key)).toBe(ref.hexOf(peerAsBob[m]![choice as 0 | 1]))
        expect(ref.hexOf(key)).not.toBe(ref.hexOf(peerAsBob[m]![(1 - choice) as 0 | 1]))
      }
      const asAlice = ref.treesOf({ sidOt: sidOt(i, k), keys: peerAsBob, choices })
      const asBob = ref.treesOf({ sidOt: sidOt(k, i), keys: generated.pairs.get(`${i} ${k}`)!.asBob, choices })
      expect([...expandAlice(pair.alice!).delta]).toEqual([...asAlice.delta])
      const known = asAlice.leaves.flatMap((tree, tau) =>
        tree.map((leaf, y) => (y === asAlice.delta[tau] ? "00".repeat(32) : ref.hexOf(leaf))),
      )
      expect(toHex(expandAlice(pair.alice!).leaves)).toBe(known.join(""))
      expect(toHex(expandBob(pair.bob!).leaves)).toBe(asBob.leaves.flat().map(ref.hexOf).join(""))
    }
  },
  60_000,
)

const copyOf = (secret: { expose(): Bytes } | undefined): Bytes | undefined => secret && copy(secret.expose())
