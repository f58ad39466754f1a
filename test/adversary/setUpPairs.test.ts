/**
 * The pairs of a secp256k1 set-up (threshold.md 2.3, 3.5): in suite 2 a pair that could never sign together ends the set-up before
 * its members record or acknowledge anything. In suite 1 it was certified.
 */
import { expect, test } from "bun:test"
import { type Bytes, copy } from "../../src/bytes.ts"
import type { PartyId } from "../../src/keys/party.ts"
import { verifyCertificate } from "../../src/mpc/dkg/certificate.ts"
import { OT2_SIZE } from "../../src/mpc/dkls/setup.ts"
import { claimsSession, provenEpoch, successorOf } from "../../src/mpc/reshare/succession.ts"
import { SET_UP } from "../../src/mpc/stages.ts"
import { ackOf } from "../mpc/ackOf.ts"
import { type Alter, identityAt, partyAt } from "../mpc/cluster.ts"
import { dealGroup } from "../mpc/dealer.ts"
import { reshareSpecs } from "../mpc/reshare/specs.ts"
import { dkgSpecs, makeMembers } from "../mpc/specs.ts"
import { envelopeAttacks } from "./envelopes.ts"
import { consecutive, type Layout, outcome, underAttack } from "./mutations.ts"

const members = makeMembers(3)
const [cheat, victim, third] = [partyAt(0), partyAt(1), partyAt(2)]
const specs = (change: { readonly taskId?: string } = {}) => dkgSpecs("secp256k1", 2, members, { suite: 2, ...change })
const inSuite1 = () => dkgSpecs("secp256k1", 2, members)
const dealt = dealGroup("secp256k1", 2, members, "old")
const reshares = () =>
  reshareSpecs(dealt, { dealers: [cheat, victim], members: makeMembers(3), threshold: 2 }, { suite: 2 })

const LONG = process.env["COSIGNER_LONG"] === "1"
const SHARE_AND_CHAIN_CODE = 64
/** B, before the corrections: threshold.md 12. */
const POINT = 33
const CONFIRM: Layout = {
  message: "SETUP5-P",
  round: SET_UP.confirm.round,
  kind: "direct",
  fields: consecutive(["kc", 32]),
}

/** What the cheat sends to the victim in that round has one bit flipped at that place; it goes on as if it had not. */
const flipping =
  (round: number, at: number): Alter =>
  (party, step) => {
    if (party !== cheat || step.round !== round || step.direct === undefined) return step
    const change = (body: Bytes, to: PartyId): Bytes => {
      if (to !== victim) return body
      const out = copy(body)
      out[at] = (out[at] ?? 0) ^ 1
      return out
    }
    const send = new Map([...step.direct.send].map(([to, body]) => [to, change(body, to)]))
    return { ...step, direct: { ...step.direct, send } }
  }

const attacks: readonly (readonly [string, Alter])[] = [
  ["a bit of a zero-share half", flipping(SET_UP.deal.round, SHARE_AND_CHAIN_CODE)],
  ["a bit of the confirmation", flipping(SET_UP.confirm.round, 31)],
]

for (const [protocol, set] of [
  ["key generation", specs],
  ["resharing", reshares],
] as const) {
  for (const [what, alter] of attacks) {
    test(`${protocol}: ${what} ends the set-up before any ack; the pair is named, and nobody is blamed`, async () => {
      const runs = await underAttack(set(), cheat, { alter })
      expect(outcome(runs.get(victim)?.ending)).toBe(`SESSION pair mismatch with ${cheat}`)
      expect(runs.get(victim)?.records.length).toBe(0)
      expect(outcome(runs.get(third)?.ending)).toBe("SESSION peer aborted")
      expect(outcome(runs.get(cheat)?.ending)).toStartWith("SESSION")
      for (const { blames } of runs.values()) expect(blames.flatMap(({ parties }) => parties)).toEqual([])
    })
  }

  // Of the two sums of a level the victim uses one, as its choice bit says; the other is in the transcript alone.
  test(`${protocol}: corrections of the OT set-up with a flipped bit: a fault, or a pair that does not confirm`, async () => {
    const outcomes = []
    for (const at of [POINT, POINT + 32, OT2_SIZE - 1]) {
      const runs = await underAttack(set(), cheat, { alter: flipping(SET_UP.transfer.round, at) })
      outcomes.push(outcome(runs.get(victim)?.ending))
      expect(runs.get(victim)?.records.length).toBe(0)
      for (const { ending } of runs.values()) expect(ending.kind).toBe("blamed")
    }
    const [first, second, digest] = outcomes
    expect([first, second].sort()).toEqual(["FAULT", `SESSION pair mismatch with ${cheat}`])
    expect(digest).toBe("FAULT")
  })
}

test("suite 1 certified such a pair: this is why suite 2 asks before", async () => {
  const runs = await underAttack(inSuite1(), cheat, { alter: flipping(SET_UP.deal.round, SHARE_AND_CHAIN_CODE) })
  for (const { ending } of runs.values()) expect(outcome(ending)).toBe("done")
})

test("the certificates of both suites prove themselves, and an ack is made again with the same bytes", async () => {
  for (const [set, round] of [
    [specs(), SET_UP.acknowledgeConfirmed.round],
    [inSuite1(), SET_UP.acknowledge.round],
  ] as const) {
    const runs = await underAttack(set, cheat, {})
    const run = runs.get(victim)
    const [prepared] = run?.records ?? []
    if (run?.ending.kind !== "done" || run.ending.result.kind !== "epoch") throw new Error("no epoch")
    if (prepared?.kind !== "prepared") throw new Error("nothing was recorded")
    const { certificate } = run.ending.result
    expect(certificate.map((ack) => ack[7])).toEqual([round, round, round])
    expect(verifyCertificate(prepared.group, certificate)).toBe(true)
    expect(certificate).toContainEqual(ackOf(identityAt(victim), prepared.group))
    const { suite, ...before } = prepared.group
    const other = suite === 2 ? before : { ...before, suite: 2 as const }
    expect(verifyCertificate(other, certificate)).toBe(false)
  }
})

test("a reshare of either suite is proven to a node that took no part, and its record says which it was", async () => {
  for (const suite of [undefined, 2] as const) {
    const members = makeMembers(2)
    const specs = reshareSpecs(dealt, { dealers: [cheat, victim], members, threshold: 2 }, suite && { suite })
    const run = (await underAttack(specs, cheat, {})).get(victim)
    const [prepared] = run?.records ?? []
    if (run?.ending.kind !== "done" || run.ending.result.kind !== "epoch") throw new Error("no epoch")
    if (prepared?.kind !== "prepared" || specs[0] === undefined) throw new Error("nothing was recorded")
    const { self: _, old: __, chainCode, protocol: ___, suite: ____, ...terms } = specs[0]
    const made = { terms, chainCode, members: prepared.group.members, acks: run.ending.result.certificate }
    expect(claimsSession(made)).toBe(true)
    expect(provenEpoch(made)?.suite).toBe(suite)
    const next = successorOf({ ...dealt.group, certificate: [] }, made)
    expect(next).toEqual({ ...prepared.group, status: "ERASED" })
    if (next === undefined) throw new Error("not proven")
    expect(verifyCertificate(next, made.acks)).toBe(true)
  }
})

test("nodes of different suites make no set-up together, and blame nobody", async () => {
  const mixed = [...specs().filter(({ self }) => self === cheat), ...inSuite1().filter(({ self }) => self !== cheat)]
  const runs = await underAttack(mixed, cheat, {})
  for (const { ending, records } of runs.values()) {
    expect(outcome(ending)).toBe("deadline")
    expect(records.length).toBe(0)
  }
})

if (LONG) envelopeAttacks({ name: "secp256k1 suite 2", layouts: [CONFIRM], specs, parties: [cheat, victim, third] })
