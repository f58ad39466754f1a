/** Every field of FRO1 and FRO2 on both suites, and the rows of threshold.md 10.2 and 10.3 that concern FROST. */
import { expect, test } from "bun:test"
import { concat, copy } from "../../src/bytes.ts"
import { curveNamed, ED } from "../../src/crypto/curve.ts"
import type { Algorithm } from "../../src/mpc/session.ts"
import { type Alter, partyAt, resigned } from "../mpc/cluster.ts"
import { dealGroup } from "../mpc/dealer.ts"
import { makeMembers, signSpecs, toSign } from "../mpc/specs.ts"
import { envelopeAttacks } from "./envelopes.ts"
import {
  altering,
  consecutive,
  type Layout,
  MUTATIONS,
  meddling,
  outcome,
  transcriptOf,
  underAttack,
} from "./mutations.ts"

const members = makeMembers(3)
const [cheat, victim, third] = [partyAt(0), partyAt(1), partyAt(2)]
const signers = members.map(({ party }) => party)
const messages = [toSign(new Uint8Array(32).fill(1), [1]), toSign(new Uint8Array(32).fill(2), [2])]

const dealt = { eddsa: dealGroup("ed25519", 3, members, "eddsa"), bip340: dealGroup("secp256k1", 3, members, "bip340") }
const specsOf = (algorithm: "eddsa" | "bip340", change: { readonly taskId?: string } = {}) =>
  signSpecs(dealt[algorithm], algorithm satisfies Algorithm, signers, messages, change)

const layoutsOn = (pt: number): readonly [Layout, Layout] => [
  {
    message: "FRO1-B",
    round: 1,
    kind: "broadcast",
    fields: consecutive(["nu", 32], ["D(1)", pt], ["E(1)", pt], ["D(2)", pt], ["E(2)", pt]),
  },
  { message: "FRO2-B", round: 2, kind: "broadcast", fields: consecutive(["z(1)", 32], ["z(2)", 32]) },
]

for (const algorithm of ["eddsa", "bip340"] as const) {
  const layouts = layoutsOn(curveNamed(dealt[algorithm].group.curve).pointLength)
  const specs = (change: { readonly taskId?: string } = {}) => specsOf(algorithm, change)
  for (const layout of layouts) {
    for (const field of layout.fields) {
      test(`${algorithm} ${layout.message} ${field.name}: changed in any way by its sender`, async () => {
        const honest = await transcriptOf(specs(), "")
        const foreign = await transcriptOf(specs({ taskId: "another" }), "another")
        for (const mutation of MUTATIONS) {
          const alter = altering({ cheat, victim, layout, field, mutation, honest, foreign })
          if (alter === undefined) continue
          const runs = await underAttack(specs(), cheat, { alter })
          // nu is any 32 bytes, as long as all have seen the same.
          const expected = field.name === "nu" ? "done" : "FAULT"
          // Whoever looks second may have been told first.
          const got = [victim, third].map((party) => outcome(runs.get(party)?.ending))
          expect(`${mutation}: ${got[0]}`).toBe(`${mutation}: ${expected}`)
          expect([expected, "SESSION peer aborted"]).toContain(got[1] ?? "")
        }
      })
    }
  }
  envelopeAttacks({ name: algorithm, layouts, specs, parties: [cheat, victim, third] })
}

test("regression 17: commitments with a part of small order are faults, and no share is made of them", async () => {
  const torsion = Uint8Array.fromHex("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a")
  const identity = concat(Uint8Array.of(1), new Uint8Array(31))
  for (const point of [torsion, identity]) {
    for (const at of [32, 64]) {
      const alter: Alter = (party, step) => {
        if (party !== cheat || step.round !== 1 || step.broadcast?.send === undefined) return step
        const send = copy(step.broadcast.send)
        send.set(point, at)
        return { ...step, broadcast: { ...step.broadcast, send } }
      }
      const runs = await underAttack(specsOf("eddsa"), cheat, { alter })
      for (const party of [victim, third]) {
        expect(["FAULT", "SESSION peer aborted"]).toContain(outcome(runs.get(party)?.ending))
        expect(runs.get(party)?.records).toEqual([])
      }
      expect(outcome(runs.get(victim)?.ending)).toBe("FAULT")
    }
  }
})

test("another list of commitments to each node: views differ, and no honest share is called invalid", async () => {
  const [fro1] = layoutsOn(ED.pointLength)
  const otherD = ED.encodePoint(ED.multiplyBase(77n))
  const relay = meddling(fro1, cheat, [victim], ({ envelope }) => {
    const body = copy(envelope.body)
    body.set(otherD, 32)
    return [resigned(envelope, { body })]
  })
  const runs = await underAttack(specsOf("eddsa"), cheat, { relay })
  for (const party of [victim, third]) expect(outcome(runs.get(party)?.ending)).toBe("EQUIV")
  for (const run of runs.values()) for (const blame of run.blames) expect(blame.kind).not.toBe("FAULT")
})

test("commitments copied from another signer are a fault: who cannot open them cannot sign with them", async () => {
  const honest = await transcriptOf(specsOf("eddsa"), "")
  const theirs = [...honest].find(([name]) => name.startsWith(`1 broadcast ${victim}`))?.[1] ?? new Uint8Array(0)
  const alter: Alter = (party, step) =>
    party === cheat && step.round === 1
      ? { ...step, broadcast: { from: new Map(step.broadcast?.from), send: theirs } }
      : step
  const runs = await underAttack(specsOf("eddsa"), cheat, { alter })
  expect(outcome(runs.get(victim)?.ending)).toBe("FAULT")
})

test("once a share has left, the record of it stands, whatever comes of the session", async () => {
  const [, fro2] = layoutsOn(ED.pointLength)
  const runs = await underAttack(specsOf("eddsa"), cheat, { relay: meddling(fro2, cheat, [victim, third], () => []) })
  for (const party of [victim, third]) {
    expect(outcome(runs.get(party)?.ending)).toBe("deadline")
    expect(runs.get(party)?.records.map(({ kind }) => kind)).toEqual(["emitted"])
    expect(runs.get(party)?.log.slice(0, 4)).toEqual(["began", "sent", "recorded", "sent"])
  }
})
