/**
 * Trial signatures (threshold.md 3.8): in suite 3 a secp256k1 key is recorded and acknowledged by those alone who have signed with it, in sets that
 * contain every pair. A member whose state of a pair is wrong, though it confirmed it, is named by whoever shares the pair; and
 * the key has no certificate.
 */
import { expect, test } from "bun:test"
import { secp256k1 } from "@noble/curves/secp256k1.js"
import { type Bytes, beToBig, bigToBe, concat, copy } from "../../src/bytes.ts"
import { H } from "../../src/crypto/frame.ts"
import type { GroupPublic, PairState } from "../../src/keys/group.ts"
import type { PartyId } from "../../src/keys/party.ts"
import { partyBytes } from "../../src/keys/party.ts"
import { verifyCertificate } from "../../src/mpc/dkg/certificate.ts"
import { dkg, dkgShape } from "../../src/mpc/dkg/dkg.ts"
import { startOtSetup } from "../../src/mpc/dkls/otSetup.ts"
import { GadgetCache } from "../../src/mpc/dkls/pairs.ts"
import type { StartOtSetup } from "../../src/mpc/dkls/setup.ts"
import { trialSets } from "../../src/mpc/dkls/trial.ts"
import { ABORT_ROUND } from "../../src/mpc/envelope.ts"
import { prepareSession } from "../../src/mpc/host.ts"
import { provenEpoch } from "../../src/mpc/reshare/succession.ts"
import { dkgSid } from "../../src/mpc/sid.ts"
import { SET_UP } from "../../src/mpc/stages.ts"
import { type Alter, Cluster, type NodeRun, partyAt, type Relay } from "../mpc/cluster.ts"
import { dealGroup } from "../mpc/dealer.ts"
import { reshareSpecs } from "../mpc/reshare/specs.ts"
import { dkgSpecs, makeMembers } from "../mpc/specs.ts"
import { outcome, underAttack } from "./mutations.ts"

const SUITE = { suite: 3 } as const
const [cheat, victim, third] = [partyAt(0), partyAt(1), partyAt(2)]
const specs = (threshold: number, size: number) => dkgSpecs("secp256k1", threshold, makeMembers(size), SUITE)
const TRIAL: readonly number[] = [SET_UP.tryCommit, SET_UP.tryMultiply, SET_UP.tryRelease].map(({ round }) => round)

/** No member has a certificate, and who shares no set with the cheat's victim holds a promise at most. */
function neverCertified(runs: ReadonlyMap<PartyId, NodeRun>): void {
  for (const { ending } of runs.values()) expect(ending.kind).not.toBe("done")
}

/** The cheat's own pairs as its set-up makes them, changed by `spoil` when it sends its first message of that round. */
async function withState(
  threshold: number,
  size: number,
  round: number,
  spoil: (pair: PairState) => void,
  peer: PartyId = victim,
): Promise<ReadonlyMap<PartyId, NodeRun>> {
  let held: readonly PairState[] = []
  const start: StartOtSetup = (context) => {
    const honest = startOtSetup(context)
    return {
      first: honest.first,
      answer: (first) => honest.answer(first),
      finish(second, epochId, zeroHalves) {
        held = honest.finish(second, epochId, zeroHalves)
        return held
      },
      [Symbol.dispose]: () => honest[Symbol.dispose](),
    }
  }
  const alter: Alter = (party, step) => {
    if (party === cheat && step.round === round) for (const pair of held) if (pair.peer === peer) spoil(pair)
    return step
  }
  const prepared = specs(threshold, size).map((spec) => {
    if (spec.self !== cheat) return [spec.self, prepareSession(spec, spec.self, new GadgetCache())] as const
    const sid = dkgSid(spec)
    const session = {
      sid,
      shape: dkgShape(spec, start),
      protocol: (rng: Parameters<typeof dkg>[3]) => dkg(spec, sid, start, rng),
    }
    return [spec.self, session] as const
  })
  // The cheat does not say that it stopped: what is looked at is what its peers find by themselves.
  const relay: Relay = ({ from, envelope }) =>
    from === cheat && envelope.header.round === ABORT_ROUND ? [] : [envelope.bytes]
  return await new Cluster({ alter, relay }).runPrepared(prepared)
}

const flip = (bytes: Bytes | undefined, at = 0): void => {
  if (bytes !== undefined) bytes[at] = (bytes[at] ?? 0) ^ 1
}

test.each([
  [2, 2],
  [2, 3],
  [3, 3],
  [3, 5],
  [2, 5],
])(
  "a key of %d of %d signs in every pair before it is acknowledged, and its certificate says so",
  async (threshold, size) => {
    const order: string[] = []
    const groups = new Map<PartyId, GroupPublic>()
    const alter: Alter = (party, step) => {
      if (party === partyAt(0)) order.push(`round ${step.round}`)
      return step
    }
    const runs = await new Cluster({
      alter,
      onRecord: (party, record) => {
        if (party === partyAt(0)) order.push(record.kind)
        if (record.kind === "prepared") groups.set(party, record.group)
      },
    }).run(specs(threshold, size))
    for (const { ending } of runs.values()) expect(outcome(ending)).toBe("done")
    const rounds = [1, 2, 3, 5, 7, 8, 9].map((round) => `round ${round}`)
    expect(order).toEqual([...rounds, "prepared", "round 10"])
    const [group] = groups.values()
    const [run] = runs.values()
    if (group === undefined || run?.ending.kind !== "done" || run.ending.result.kind !== "epoch")
      throw new Error("no epoch")
    const { certificate } = run.ending.result
    expect(certificate.map((ack) => ack[7])).toEqual(Array.from({ length: size }, () => SET_UP.acknowledgeTried.round))
    expect(verifyCertificate(group, certificate)).toBe(true)
    expect(verifyCertificate({ ...group, suite: 2 }, certificate)).toBe(false)
  },
)

test("what is signed is a tagged hash under the root key, by another implementation's verification", async () => {
  const sent = new Map<string, Bytes>()
  const alter: Alter = (party, step) => {
    for (const [to, body] of step.direct?.send ?? []) sent.set(`${step.round} ${party} ${to}`, copy(body))
    return step
  }
  const runs = await new Cluster({ alter }).run(specs(2, 2))
  const [prepared] = runs.get(cheat)?.records ?? []
  if (prepared?.kind !== "prepared") throw new Error("nothing was recorded")
  const { sid, epochId, commitments } = prepared.group
  const bodies = (round: number) =>
    [sent.get(`${round} ${cheat} ${victim}`), sent.get(`${round} ${victim} ${cheat}`)].map(
      (body) => body ?? new Uint8Array(0),
    )
  // View and salt, then enc(R); view, then (w, u).
  const { Point } = secp256k1
  const R = bodies(SET_UP.tryMultiply.round)
    .map((body) => Point.fromBytes(body.subarray(64, 97)))
    .reduce((sum, point) => sum.add(point))
  const sum = (from: number, to: number) =>
    Point.Fn.create(
      bodies(SET_UP.tryRelease.round).reduce((total, body) => total + beToBig(body.subarray(from, to)), 0n),
    )
  const s = Point.Fn.mul(sum(32, 64), Point.Fn.inv(sum(64, 96)))
  const signature = concat(bigToBe(Point.Fn.create(R.toAffine().x), 32), bigToBe(s, 32))
  const message = H("trial/msg", H("trial/sid", sid, epochId, partyBytes(cheat), partyBytes(victim)))
  const root = commitments[0] ?? sid
  expect(secp256k1.verify(signature, message, root, { prehash: false, lowS: false })).toBe(true)
  expect(secp256k1.verify(signature, H("trial/msg", sid), root, { prehash: false, lowS: false })).toBe(false)
})

test("the sets contain every pair and are the same for everybody", () => {
  const parties = [4, 1, 3, 0, 2].map(partyAt)
  const sets = trialSets(parties, 3)
  expect(trialSets([...parties].sort(), 3)).toEqual(sets)
  for (const a of parties)
    for (const b of parties) {
      if (a !== b) expect(sets.some((set) => set.includes(a) && set.includes(b))).toBe(true)
    }
})

const OT_STATES: readonly (readonly [string, (pair: PairState) => void])[] = [
  ["as Bob: a leaf seed", (pair) => flip(pair.otBob?.expose(), 100)],
  ["as Bob: the last leaf seed", (pair) => flip(pair.otBob?.expose(), (pair.otBob?.length ?? 1) - 1)],
]

for (const [threshold, size] of [
  [2, 3],
  [3, 3],
] as const) {
  test.each(OT_STATES)(
    `${threshold} of ${size}: a member whose OT state is wrong %s is named by its peer`,
    async (_, spoil) => {
      const runs = await withState(threshold, size, SET_UP.confirm.round, spoil)
      const end = runs.get(victim)?.ending
      expect(outcome(end)).toBe("FAULT")
      expect(end?.kind === "blamed" && end.blame.parties).toEqual([cheat])
      expect(end?.kind === "blamed" && end.blame.reason).toContain("trial signature of")
      expect(runs.get(victim)?.records).toEqual([])
      neverCertified(runs)
      for (const { blames } of runs.values()) for (const { kind } of blames) expect(kind).not.toBe("BAN")
    },
  )

  test(`${threshold} of ${size}: a member whose zero-share seed is wrong makes no key with anybody`, async () => {
    const runs = await withState(threshold, size, SET_UP.tryCommit.round, (pair) => flip(pair.zeroSeed.expose()))
    // It finds out itself, by its peer's confirmation under the right seed, and goes silent: its peers wait, and have recorded nothing.
    expect(outcome(runs.get(cheat)?.ending)).toContain("epoch mismatch")
    expect(outcome(runs.get(victim)?.ending)).toBe("deadline")
    expect(runs.get(victim)?.records).toEqual([])
    neverCertified(runs)
  })
}

/** What the cheat sends to the victim in that round, one bit flipped; negative counts from the end. */
const flipping =
  (round: number, at: number): Alter =>
  (party, step) => {
    if (party !== cheat || step.round !== round || step.direct === undefined) return step
    const send = new Map(step.direct.send)
    const body = copy(send.get(victim) ?? new Uint8Array(1))
    flip(body, at < 0 ? body.length + at : at)
    return { ...step, direct: { ...step.direct, send: send.set(victim, body) } }
  }

const MESSAGES: readonly (readonly [string, number, number, string])[] = [
  ["the commitment", SET_UP.tryCommit.round, 64, "SESSION"],
  ["the pair's confirmation", SET_UP.tryCommit.round, 96, "SESSION"],
  ["the OT extension", SET_UP.tryCommit.round, 140, "FAULT"],
  ["the OT extension's check", SET_UP.tryCommit.round, -1, "FAULT"],
  ["the view", SET_UP.tryMultiply.round, 0, "SESSION"],
  ["the opening", SET_UP.tryMultiply.round, 32, "FAULT"],
  ["the products", SET_UP.tryMultiply.round, -1, "FAULT"],
  ["the second view", SET_UP.tryRelease.round, 0, "SESSION"],
  ["the share of the signature", SET_UP.tryRelease.round, -1, "FAULT"],
]

test.each(MESSAGES)(
  "2 of 3: a flipped bit in %s ends the set-up before any record of the victim",
  async (_, round, at, expected) => {
    const runs = await underAttack(specs(2, 3), cheat, { alter: flipping(round, at) })
    expect(outcome(runs.get(victim)?.ending)).toStartWith(expected)
    expect(runs.get(victim)?.records).toEqual([])
    neverCertified(runs)
  },
)

test("3 of 3: a member that shows its peers different commitments is found out before anything is evaluated, and names nobody wrongly", async () => {
  const runs = await underAttack(specs(3, 3), cheat, { alter: flipping(SET_UP.tryCommit.round, 70) })
  expect(outcome(runs.get(victim)?.ending)).toContain("view mismatch")
  expect(outcome(runs.get(third)?.ending)).toStartWith("SESSION")
  neverCertified(runs)
})

test("a member that leaves before its share of a trial: nobody has a key, nobody is blamed", async () => {
  const alter: Alter = (party, step) =>
    party === cheat && TRIAL.includes(step.round) && step.direct !== undefined
      ? { ...step, direct: { ...step.direct, send: new Map() } }
      : step
  const runs = await underAttack(specs(2, 3), cheat, { alter })
  for (const { ending, blames } of runs.values()) {
    expect(["deadline", "blamed"]).toContain(ending.kind)
    expect(blames.flatMap(({ parties }) => parties)).toEqual([])
  }
  neverCertified(runs)
})

test("a reshare tries the new epoch among its members; a dealer that leaves takes no part in it, and all acknowledge", async () => {
  const dealt = dealGroup("secp256k1", 2, makeMembers(3), "old")
  const members = [1, 2, 3].map((index) => makeMembers(4)[index]).flatMap((member) => member ?? [])
  const set = reshareSpecs(dealt, { dealers: [cheat, victim], members, threshold: 2 }, SUITE)
  const rounds = new Map<PartyId, number[]>()
  const alter: Alter = (party, step) => {
    rounds.set(party, [...(rounds.get(party) ?? []), step.round])
    return step
  }
  const runs = await underAttack(set, cheat, { alter })
  for (const { ending } of runs.values()) expect(outcome(ending)).toBe("done")
  expect(rounds.get(cheat)).toEqual([1, 2, 10])
  expect(rounds.get(victim)).toEqual([1, 2, 3, 5, 7, 8, 9, 10])
  const run = runs.get(victim)
  const [prepared] = run?.records ?? []
  if (prepared?.kind !== "prepared" || set[0] === undefined) throw new Error("nothing was recorded")
  if (run?.ending.kind !== "done" || run.ending.result.kind !== "epoch") throw new Error("no epoch")
  const { self: _, old: __, chainCode, protocol: ___, suite: ____, ...terms } = set[0]
  const made = { terms, chainCode, members: prepared.group.members, acks: run.ending.result.certificate }
  expect(provenEpoch(made)?.suite).toBe(3)
})

test("nodes of suites 2 and 3 make no set-up together, and blame nobody", async () => {
  const older = dkgSpecs("secp256k1", 2, makeMembers(3), { suite: 2 })
  const mixed = [...specs(2, 3).filter(({ self }) => self === cheat), ...older.filter(({ self }) => self !== cheat)]
  for (const { ending, records } of (await underAttack(mixed, cheat, {})).values()) {
    expect(outcome(ending)).toBe("deadline")
    expect(records).toEqual([])
  }
})
