/** src/ against test/mpc/dkls/reference.ts: every byte of a session, from the same randomness. */
import { expect, test } from "bun:test"
import { type Bytes, copy, toHex, utf8 } from "../../../src/bytes.ts"
import { N_C } from "../../../src/crypto/parameters.ts"
import { aliceState, bobState, correct, expandAlice, expandBob } from "../../../src/crypto/pprf.ts"
import type { Rng } from "../../../src/crypto/random.ts"
import type { GroupPublic, GroupSecret, PairState } from "../../../src/keys/group.ts"
import type { PartyId } from "../../../src/keys/party.ts"
import { GadgetCache } from "../../../src/mpc/dkls/pairs.ts"
import { signEcdsa } from "../../../src/mpc/dkls/sign.ts"
import { Secret } from "../../../src/secret.ts"
import { partyNo, runAll, seededRng } from "../network.ts"
import * as ref from "./reference.ts"

/** Base OTs as an ideal functionality would deal them. */
function baseOts(rng: Rng): ref.BaseOts {
  return {
    sidOt: rng(32),
    keys: Array.from({ length: N_C }, () => [rng(32), rng(32)] as const),
    choices: Array.from(rng(N_C), (byte) => (byte & 1) as 0 | 1),
  }
}

/** The same as src/ takes them, and what it makes of them. */
function statesOf({ sidOt, keys, choices }: ref.BaseOts) {
  const sid = copy(sidOt)
  const both = [copy(ref.join(...keys.map(([zero]) => zero))), copy(ref.join(...keys.map(([, one]) => one)))] as const
  const chosen = copy(ref.join(...keys.map((pair, m) => pair[choices[m]!])))
  const corrections = correct(sid, both)
  const alice = aliceState(sid, chosen, Uint8Array.from(choices), corrections)
  if (alice === undefined) throw new Error("the trees do not verify")
  return { corrections, alice, bob: bobState(sid, both) }
}

test("PPRF: corrections, all leaves, and the leaf that is missing", () => {
  const base = baseOts(seededRng("reference trees"))
  const expected = ref.treesOf(base)
  const { corrections, alice, bob } = statesOf(base)
  expect(toHex(corrections)).toBe(ref.hexOf(expected.corrections))
  const leaves = expected.leaves.flat()
  expect(toHex(expandBob(bob).leaves)).toBe(leaves.map(ref.hexOf).join(""))
  const punctured = expandAlice(alice)
  expect([...punctured.delta]).toEqual([...expected.delta])
  const known = leaves.map((leaf, i) => (i % 16 === expected.delta[i >> 4] ? "00".repeat(32) : ref.hexOf(leaf)))
  expect(toHex(punctured.leaves)).toBe(known.join(""))
})

const Q = ref.q
/** Ids whose order is not that of the parties, at the edges of what an id may be. */
const CASES: readonly (readonly [ids: readonly bigint[], tweaks: readonly bigint[]])[] = [
  [
    [Q - 1n, 5n],
    [0n, Q - 3n],
  ],
  [[1n << 200n, 1n, Q - 2n], [77n]],
]

test.each(CASES)(
  "a session of signers %p with tweaks %p: every message and every signature, byte for byte",
  (ids, tweaks) => {
    const t = ids.length
    const seed = `reference ${t}`
    const rng = seededRng(seed)
    const scalar = () => ref.fromBe(rng(48)) % Q
    const parties = ids.map((_, i) => partyNo(i + 1))
    const sid = rng(32)
    const coefficients = Array.from({ length: t }, scalar)
    const shares = ids.map((x) => coefficients.reduceRight((sum, a) => (sum * x + a) % Q, 0n))
    const enc = (k: bigint): Bytes => copy(ref.enc(ref.times(k)))
    const messages = tweaks.map((tau) => ({ digest: rng(32), tweak: tau, publicKey: enc(coefficients[0]! + tau) }))

    const pairs = new Map<string, ref.PairOf>()
    const bases = new Map<string, ref.BaseOts>()
    for (let i = 0; i < t; i++) {
      for (let k = 0; k < t; k++) {
        if (i < k) pairs.set(`${i} ${k}`, { pairId: rng(32), zseed: rng(32) })
        if (i !== k) bases.set(`${i} ${k}`, baseOts(rng))
      }
    }
    const pair = (i: number, k: number) => pairs.get(i < k ? `${i} ${k}` : `${k} ${i}`)!
    const streams = () => parties.map((party) => seededRng(`${seed} ${party}`))

    // What the text says.
    const trees = new Map([...bases].map(([direction, base]) => [direction, ref.treesOf(base)]))
    const mine = streams()
    const expected = ref.signAll({
      sid,
      signers: ids.map((x, i) => ({ nodeId: ref.ofHex(parties[i]!), x, share: shares[i]!, rng: mine[i]! })),
      pair,
      trees: (bob, alice) => trees.get(`${bob} ${alice}`)!,
      messages: messages.map(({ digest, tweak }) => ({ digest, tau: tweak })),
    })

    // What src/ does.
    const group: GroupPublic = {
      groupId: "group",
      epochId: rng(32),
      curve: "secp256k1",
      mode: "keygen",
      status: "ACTIVE",
      threshold: t,
      members: parties.map((party, i) => ({ party, shareId: ids[i]!, sharePublicKey: enc(shares[i]!) })),
      commitments: coefficients.map(enc),
      chainCode: rng(32),
      createdMs: 0,
      sid: rng(32),
      ackView: rng(32),
    }
    const secretOf = (i: number): GroupSecret => ({
      share: Secret.take(copy(ref.be(shares[i]!, 32))),
      pairs: parties.flatMap((peer, k): PairState[] => {
        if (k === i) return []
        const { pairId, zseed } = pair(i, k)
        const asAlice = statesOf(bases.get(`${k} ${i}`)!)
        const asBob = statesOf(bases.get(`${i} ${k}`)!)
        return [
          {
            peer,
            pairId: copy(pairId),
            zeroSeed: Secret.from(zseed),
            otAlice: Secret.take(asAlice.alice),
            otBob: Secret.take(asBob.bob),
          },
        ]
      }),
    })
    const gadgets = new GadgetCache()
    const theirs = streams()
    const protocols = new Map(
      parties.map((self, i) => [
        self,
        signEcdsa({ sid, self, group, secret: secretOf(i), signers: parties, messages, rng: theirs[i]!, gadgets }),
      ]),
    )
    const seen = new Map<string, string>()
    const run = runAll(sid, protocols, {
      tamper: ({ round, kind, from, to, body }) => {
        const index = (party: PartyId) => parties.indexOf(party)
        const name = kind === "broadcast" ? `${index(from)}` : `${index(from)} ${index(to)}`
        seen.set(`${round} ${kind} ${name}`, toHex(body))
        return body
      },
    })

    expect([...seen.keys()].sort()).toEqual([...expected.bodies.keys()].sort())
    for (const [name, body] of expected.bodies) expect(`${name}: ${seen.get(name)}`).toBe(`${name}: ${ref.hexOf(body)}`)
    for (const outcome of run.outcomes.values()) {
      if (outcome.kind !== "done") throw new Error(outcome.kind)
      for (const [n, { signature, recoveryId, publicKey }] of outcome.value.entries()) {
        const { rs, recid, key } = expected.signatures[n]!
        expect([toHex(signature), recoveryId, toHex(publicKey)]).toEqual([ref.hexOf(rs), recid, ref.hexOf(key)])
      }
    }
  },
  60_000,
)

test("the reference bites: another sid, nonce or direction makes other bytes", () => {
  const trees = ref.treesOf(baseOts(seededRng("bites")))
  const psid1 = ref.H("ote/1", utf8("one"))
  const { message, columns } = ref.extendAsBob(trees, psid1, 416, 12345n)
  expect(ref.receiveAsAlice(trees, psid1, 416, message)).toHaveLength(columns.length)
  expect(() => ref.receiveAsAlice(trees, ref.H("ote/1", utf8("two")), 416, message)).toThrow()
})
