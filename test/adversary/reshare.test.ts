/** Every field of RSH1 to RSH4, and the rows of threshold.md 10.2 and 10.3 that concern resharing. */
import { expect, test } from "bun:test"
import { type Bytes, concat, copy } from "../../src/bytes.ts"
import { ED } from "../../src/crypto/curve.ts"
import type { Rng } from "../../src/crypto/random.ts"
import { lagrange } from "../../src/crypto/shamir.ts"
import type { PartyId } from "../../src/keys/party.ts"
import { GadgetCache } from "../../src/mpc/dkls/pairs.ts"
import type { ExchangeStep } from "../../src/mpc/exchange.ts"
import { prepareSession } from "../../src/mpc/host.ts"
import { reshare } from "../../src/mpc/reshare/reshare.ts"
import type { ReshareSpec } from "../../src/mpc/session.ts"
import { membersOf } from "../../src/mpc/sid.ts"
import { Secret } from "../../src/secret.ts"
import { type Alter, Cluster, partyAt } from "../mpc/cluster.ts"
import { type DealtGroup, dealGroup } from "../mpc/dealer.ts"
import { reshareSpecs } from "../mpc/reshare/specs.ts"
import { makeMembers } from "../mpc/specs.ts"
import { envelopeAttacks } from "./envelopes.ts"
import {
  altering,
  consecutive,
  type Layout,
  MUTATIONS,
  type Mutation,
  outcome,
  transcriptOf,
  underAttack,
} from "./mutations.ts"

const LONG = process.env["COSIGNER_LONG"] === "1"
const T = 2
const POINT = 32
const PROOF = 64
// The cheat deals and is a member; the victim is a dealer that stays, the third an old node that deals no more, the fourth is new.
const old = dealGroup("ed25519", T, makeMembers(3), "old")
const [cheat, victim, third, fresh] = [partyAt(0), partyAt(1), partyAt(2), partyAt(3)]
const of = { dealers: [cheat, victim], members: makeMembers(4), threshold: T }
const specs = (change: Partial<ReshareSpec> = {}) => reshareSpecs(old, of, change)

const RSH1: Layout = {
  message: "RSH1-B",
  round: 1,
  kind: "broadcast",
  fields: consecutive(["nu", 32], ["eph", 32], ["old epoch", 32], ["old A_0", 32], ["old A_1", 32], ["C", 32]),
}
const RSH2B: Layout = {
  message: "RSH2-B",
  round: 2,
  kind: "broadcast",
  fields: consecutive(["salt", 32], ["A_0", 32], ["A_1", 32], ["T_0", 32], ["z_0", 32], ["T_1", 32], ["z_1", 32]),
}
const RSH2P: Layout = {
  message: "RSH2-P",
  round: 2,
  kind: "direct",
  fields: consecutive(["share", 32], ["cc", 32], ["zs", 32]),
}
const RSH4: Layout = { message: "RSH4-B", round: 4, kind: "broadcast", fields: consecutive(["epoch_id", 32]) }

/** What it comes to where it is no fault of the cheat. */
const OTHERWISE: Readonly<Record<string, string>> = {
  "RSH1-B nu": "done",
  "RSH2-P zs": "done",
  "RSH1-B old epoch": `SESSION epoch mismatch: ${cheat}`,
  "RSH1-B old A_0": `SESSION epoch mismatch: ${cheat}`,
  "RSH1-B old A_1": `SESSION epoch mismatch: ${cheat}`,
}

for (const layout of [RSH1, RSH2B, RSH2P, RSH4]) {
  for (const field of layout.fields) {
    const name = `${layout.message} ${field.name}`
    test(`${name}: changed in any way by its sender`, async () => {
      const honest = await transcriptOf(specs(), "")
      const foreign = await transcriptOf(specs({ taskId: "another" }), "another")
      for (const mutation of LONG ? MUTATIONS : quick(field.name)) {
        const alter = altering({ cheat, victim, layout, field, mutation, honest, foreign })
        if (alter === undefined) continue
        const runs = await underAttack(specs(), cheat, { alter })
        expect(`${mutation}: ${outcome(runs.get(victim)?.ending)}`).toBe(`${mutation}: ${OTHERWISE[name] ?? "FAULT"}`)
        const prepared = runs.get(victim)?.records.length
        expect(prepared).toBe(OTHERWISE[name] === "done" || layout === RSH4 ? 1 : 0)
      }
    }, 60_000)
  }
}

function quick(field: string): readonly Mutation[] {
  return ["C", "A_0", "T_0", "share", "cc", "epoch_id"].includes(field)
    ? ["flip last bit", "of another session"]
    : ["random", "zero"]
}

envelopeAttacks({
  name: "reshare",
  layouts: [RSH1, RSH2B, RSH2P, RSH4],
  specs: (change) => specs(change),
  parties: [cheat, victim, third],
})

// ---- what one node is shown, and what a new one can know -------------------------------------------------------------------

const broadcastBody =
  (round: number, parties: readonly PartyId[], change: (body: Bytes, party: PartyId) => Bytes): Alter =>
  (party, step): ExchangeStep =>
    !parties.includes(party) || step.round !== round || step.broadcast?.send === undefined
      ? step
      : { ...step, broadcast: { ...step.broadcast, send: change(copy(step.broadcast.send), party) } }

test("RSH1 another epoch or polynomial of one dealer: SESSION before round 2, at old and new nodes alike", async () => {
  for (const at of [64, 96, 128]) {
    const sent: number[] = []
    const runs = await new Cluster({
      alter: broadcastBody(1, [cheat], (body) =>
        concat(body.slice(0, at), ED.encodePoint(ED.generator), body.slice(at + 32)),
      ),
      relay: ({ envelope }) => {
        sent.push(envelope.header.round)
        return [envelope.bytes]
      },
    }).run(specs())
    for (const party of [victim, third, fresh]) {
      const end = outcome(runs.get(party)?.ending)
      expect(end).toMatch(/^SESSION (epoch mismatch|peer aborted|the dealers deal another key)/)
      expect(runs.get(party)?.blames.flatMap(({ parties }) => parties) ?? []).toEqual([])
    }
    expect(sent.filter((round) => round > 2)).toEqual([])
  }
})

test("all dealers deal another key, in every way in order: a new node holds them to the approved task before round 2", async () => {
  const another = dealGroup("ed25519", T, makeMembers(3), "another key")
  const cast4 = { ...of, members: makeMembers(4).filter(({ party }) => party !== third) }
  const lies = reshareSpecs(another, cast4)
  const sent: number[] = []
  const prepared = reshareSpecs(old, cast4).map((spec, i) => {
    const honest = prepareSession(spec, spec.self, new GadgetCache())
    const lie = lies[i]
    if (spec.self === fresh || lie === undefined) return [spec.self, honest] as const
    return [spec.self, { ...honest, protocol: (rng: Rng) => reshareOf(lie, honest.sid, rng) }] as const
  })
  const runs = await new Cluster({
    relay: ({ from, envelope }) => {
      if (from === fresh) sent.push(envelope.header.round)
      return [envelope.bytes]
    },
  }).runPrepared(prepared)
  expect(outcome(runs.get(fresh)?.ending)).toBe("SESSION the dealers deal another key")
  expect(sent.filter((round) => round > 1)).toEqual([])
})

const reshareOf = (spec: ReshareSpec, sid: Bytes, rng: Rng) => reshare(spec, sid, undefined, rng)

/** As `reshareSpecs`, but the named dealers deal this share instead of theirs. */
function withShares(group: DealtGroup, shares: ReadonlyMap<PartyId, bigint>) {
  return (runs: readonly ReshareSpec[]) =>
    runs.map((spec) => {
      const share = shares.get(spec.self)
      const prepared = prepareSession(spec, spec.self, new GadgetCache())
      if (share === undefined || spec.old?.secret === undefined) return [spec.self, prepared] as const
      // After the host's own check, as a cheat would.
      const secret = { share: Secret.take(ED.encodeScalar(share)), pairs: [] }
      const cheating = { ...spec, old: { group: group.group, secret } }
      return [spec.self, { ...prepared, protocol: (rng: Rng) => reshareOf(cheating, prepared.sid, rng) }] as const
    })
}

const shareOf = (party: PartyId): bigint => ED.decodeScalar(old.secretOf(party).share.expose()) ?? 0n

test("a dealer deals another secret than its share: FAULT, though everything else of its deal is in order", async () => {
  const prepared = withShares(old, new Map([[cheat, shareOf(cheat) + 1n]]))(specs())
  const runs = await new Cluster({}).runPrepared(prepared)
  for (const party of [victim, third, fresh]) {
    const end = outcome(runs.get(party)?.ending)
    expect(end).toMatch(/^(FAULT|SESSION peer aborted)/)
    for (const { parties } of runs.get(party)?.blames ?? []) for (const named of parties) expect(named).toBe(cheat)
    expect(runs.get(party)?.records).toEqual([])
  }
  expect([victim, third, fresh].map((party) => outcome(runs.get(party)?.ending))).toContain("FAULT")
})

test("two colluding dealers whose errors cancel, so that the key is the same: each is at fault all the same", async () => {
  const dealers = [cheat, victim]
  const lambdas = lagrange(
    ED,
    membersOf(old.group, dealers).map(({ x }) => x),
  )
  const [a = 1n, b = 1n] = lambdas
  const error = 12_345n
  const shares = new Map([
    [cheat, ED.mod(shareOf(cheat) + error * ED.invert(a))],
    [victim, ED.mod(shareOf(victim) - error * ED.invert(b))],
  ])
  const runs = await new Cluster({}).runPrepared(withShares(old, shares)(specs()))
  for (const party of [third, fresh]) {
    expect(runs.get(party)?.records).toEqual([])
    for (const blame of runs.get(party)?.blames ?? [])
      for (const named of blame.parties) expect(dealers).toContain(named)
  }
  expect([third, fresh].map((party) => outcome(runs.get(party)?.ending))).toContain("FAULT")
})

test("a wrong lambda, that of another set of dealers, is a fault", async () => {
  const [wrong = 1n] = lagrange(
    ED,
    membersOf(old.group, [cheat, third]).map(({ x }) => x),
  )
  const [right = 1n] = lagrange(
    ED,
    membersOf(old.group, [cheat, victim]).map(({ x }) => x),
  )
  const shares = new Map([[cheat, ED.mod(shareOf(cheat) * wrong * ED.invert(right))]])
  const runs = await new Cluster({}).runPrepared(withShares(old, shares)(specs()))
  expect([victim, third, fresh].map((party) => outcome(runs.get(party)?.ending))).toContain("FAULT")
  for (const party of [victim, third, fresh]) expect(runs.get(party)?.records).toEqual([])
})

test("a dealer deals another chain code, and commits to it: FAULT where the old record is held, SESSION at the new node", async () => {
  const lie = new Uint8Array(32).fill(7)
  const prepared = specs().map((spec) => {
    const honest = prepareSession(spec, spec.self, new GadgetCache())
    if (spec.self !== cheat || spec.old === undefined) return [spec.self, honest] as const
    const cheating = { ...spec, chainCode: lie, old: { ...spec.old, group: { ...spec.old.group, chainCode: lie } } }
    return [spec.self, { ...honest, protocol: (rng: Rng) => reshareOf(cheating, honest.sid, rng) }] as const
  })
  const ends = new Map(
    [...(await new Cluster({}).runPrepared(prepared))].map(([party, run]) => [
      party,
      { end: outcome(run.ending), run },
    ]),
  )
  for (const party of [victim, third]) {
    expect(ends.get(party)?.end).toMatch(/^(FAULT|SESSION peer aborted)$/)
    for (const { parties } of ends.get(party)?.run.blames ?? []) for (const named of parties) expect(named).toBe(cheat)
  }
  expect([victim, third].map((party) => ends.get(party)?.end)).toContain("FAULT")
  expect(ends.get(fresh)?.end).toMatch(/^SESSION (chain code mismatch|peer aborted)$/)
  for (const { run } of ends.values()) expect(run.records).toEqual([])
})

test("a polynomial of one degree more or less than the new threshold is a fault: nobody raises or lowers it", async () => {
  const longer = (body: Bytes) =>
    concat(body.slice(0, 32 + T * POINT), ED.encodePoint(ED.generator), body.slice(32 + T * POINT), body.slice(-PROOF))
  const shorter = (body: Bytes) => concat(body.slice(0, 32 + POINT), body.slice(32 + T * POINT, 32 + T * POINT + PROOF))
  for (const change of [longer, shorter]) {
    const runs = await underAttack(specs(), cheat, { alter: broadcastBody(2, [cheat], change) })
    for (const party of [victim, third, fresh]) expect(outcome(runs.get(party)?.ending)).toBe("FAULT")
  }
})

test("an old share id that is another node's new one confuses nobody", async () => {
  const crossed = dealGroup("ed25519", T, makeMembers(3, [11n, 12n, 13n]), "crossed")
  const runs = await new Cluster({}).run(
    reshareSpecs(crossed, { dealers: [cheat, victim], members: makeMembers(4, [12n, 13n, 11n, 14n]), threshold: T }),
  )
  for (const { ending } of runs.values()) expect(outcome(ending)).toBe("done")
})

test("an ack of another epoch is a fault; a split view of the acks leaves the record prepared, and the certificate proves it", async () => {
  const runs = await new Cluster({
    relay: ({ from, to, envelope }) =>
      from === cheat && to === fresh && envelope.header.round === 4 ? [] : [envelope.bytes],
  }).run(specs())
  expect(outcome(runs.get(fresh)?.ending)).toBe("deadline")
  expect(runs.get(fresh)?.records.map(({ kind }) => kind)).toEqual(["prepared"])
  for (const party of [victim, third]) expect(outcome(runs.get(party)?.ending)).toBe("done")
  for (const { blames } of runs.values()) for (const { parties } of blames) expect(parties).toEqual([])
})
