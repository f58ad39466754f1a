/** Every field of DKG1 to DKG4, and the rows of threshold.md 10.2 and 10.3 that concern the set-up. */
import { expect, test } from "bun:test"
import { type Bytes, concat, copy } from "../../src/bytes.ts"
import { ED } from "../../src/crypto/curve.ts"
import type { ExchangeStep } from "../../src/mpc/exchange.ts"
import { type Alter, partyAt } from "../mpc/cluster.ts"
import { dkgSpecs, makeMembers } from "../mpc/specs.ts"
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
const members = makeMembers(3)
const [cheat, victim, third] = [partyAt(0), partyAt(1), partyAt(2)]
const specs = (change: { readonly taskId?: string } = {}) => dkgSpecs("ed25519", T, members, change)

const DKG1: Layout = {
  message: "DKG1-B",
  round: 1,
  kind: "broadcast",
  fields: consecutive(["nu", 32], ["eph", 32], ["C", 32]),
}
const DKG2B: Layout = {
  message: "DKG2-B",
  round: 2,
  kind: "broadcast",
  fields: consecutive(["salt", 32], ["A_0", 32], ["A_1", 32], ["T_0", 32], ["z_0", 32], ["T_1", 32], ["z_1", 32]),
}
const DKG2P: Layout = {
  message: "DKG2-P",
  round: 2,
  kind: "direct",
  fields: consecutive(["share", 32], ["cc", 32], ["zs", 32]),
}
const DKG4: Layout = { message: "DKG4-B", round: 4, kind: "broadcast", fields: consecutive(["epoch_id", 32]) }

/** What the victim must say; everything else is a fault of the cheat. */
const HARMLESS: Readonly<Record<string, string>> = {
  "DKG1-B nu": "its own affair: a nonce is any 32 bytes, and all saw the same",
  "DKG2-P zs": "no use on Ed25519",
}

for (const layout of [DKG1, DKG2B, DKG2P, DKG4]) {
  for (const field of layout.fields) {
    const name = `${layout.message} ${field.name}`
    test(`${name}: changed in any way by its sender`, async () => {
      const honest = await transcriptOf(specs(), "")
      const foreign = await transcriptOf(specs({ taskId: "another" }), "another")
      for (const mutation of LONG ? MUTATIONS : quick(field.name)) {
        const alter = altering({ cheat, victim, layout, field, mutation, honest, foreign })
        if (alter === undefined) continue
        const runs = await underAttack(specs(), cheat, { alter })
        const got = `${mutation}: ${outcome(runs.get(victim)?.ending)}`
        expect(got).toBe(`${mutation}: ${HARMLESS[name] === undefined ? "FAULT" : "done"}`)
        const prepared = runs.get(victim)?.records.length
        expect(prepared).toBe(HARMLESS[name] === undefined && layout !== DKG4 ? 0 : 1)
      }
    })
  }
}

/** The short run: one change that decodes and one that may not; the copied ones where copying is the attack. */
function quick(field: string): readonly Mutation[] {
  const copies: readonly Mutation[] = ["of another", "of another session"]
  return ["C", "A_0", "T_0", "z_0", "share", "cc", "epoch_id"].includes(field)
    ? ["flip last bit", ...copies]
    : ["random", "zero"]
}

envelopeAttacks({ name: "ed25519", layouts: [DKG1, DKG2B, DKG2P, DKG4], specs, parties: [cheat, victim, third] })

// ---- attacks that need more than one changed field ------------------------------------------------------------------------

const inRound =
  (round: number, change: (step: ExchangeStep) => ExchangeStep): Alter =>
  (party, step) =>
    party === cheat && step.round === round ? change(step) : step

const broadcastBody =
  (change: (body: Bytes) => Bytes) =>
  (step: ExchangeStep): ExchangeStep =>
    step.broadcast?.send === undefined
      ? step
      : { ...step, broadcast: { ...step.broadcast, send: change(copy(step.broadcast.send)) } }

const POINT = 32
const PROOF = 64

test("regression 1: a Feldman vector with one point more or one fewer, with its proofs, is a fault: no threshold is raised or lowered", async () => {
  const longer = broadcastBody((body) =>
    concat(body.slice(0, 32 + T * POINT), ED.encodePoint(ED.generator), body.slice(32 + T * POINT), body.slice(-PROOF)),
  )
  const shorter = broadcastBody((body) =>
    concat(body.slice(0, 32 + POINT), body.slice(32 + T * POINT, 32 + T * POINT + PROOF)),
  )
  for (const change of [longer, shorter]) {
    const runs = await underAttack(specs(), cheat, { alter: inRound(2, change) })
    for (const party of [victim, third]) expect(outcome(runs.get(party)?.ending)).toBe("FAULT")
  }
})

test("regression 2: an empty list of proofs is a fault", async () => {
  const runs = await underAttack(specs(), cheat, {
    alter: inRound(
      2,
      broadcastBody((body) => body.slice(0, 32 + T * POINT)),
    ),
  })
  for (const party of [victim, third]) expect(outcome(runs.get(party)?.ending)).toBe("FAULT")
})

test("regression 4: proofs in exchanged places are a fault (replays of each kind: mpc/deal.test.ts)", async () => {
  const swapped = broadcastBody((body) => {
    const at = 32 + T * POINT
    return concat(body.slice(0, at), body.slice(at + PROOF), body.slice(at, at + PROOF))
  })
  const runs = await underAttack(specs(), cheat, { alter: inRound(2, swapped) })
  expect(outcome(runs.get(victim)?.ending)).toBe("FAULT")
})

test("a rogue key, A_0 = -sum of the others, is prevented by the commitment", async () => {
  const honest = await transcriptOf(specs(), "")
  const others = [victim, third].map((party) => {
    const body = [...honest].find(([name]) => name.startsWith(`2 broadcast ${party}`))?.[1] ?? new Uint8Array(0)
    return ED.decodePoint(body.slice(32, 64)) ?? ED.generator
  })
  const rogue = ED.encodePoint(ED.negate(others.reduce((sum, point) => ED.add(sum, point))))
  const change = broadcastBody((body) => concat(body.slice(0, 32), rogue, body.slice(64)))
  const runs = await underAttack(specs(), cheat, { alter: inRound(2, change) })
  for (const party of [victim, third]) expect(outcome(runs.get(party)?.ending)).toBe("FAULT")
})

test("the identity, torsion and non-canonical points among A and T are faults", async () => {
  const bad = [
    concat(Uint8Array.of(1), new Uint8Array(31)),
    new Uint8Array(32),
    Uint8Array.fromHex("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a"),
    Uint8Array.fromHex(`ee${"ff".repeat(30)}7f`),
  ]
  for (const point of bad) {
    for (const at of [32, 64, 96]) {
      const change = broadcastBody((body) => concat(body.slice(0, at), point, body.slice(at + 32)))
      expect(outcome((await underAttack(specs(), cheat, { alter: inRound(2, change) })).get(victim)?.ending)).toBe(
        "FAULT",
      )
    }
  }
})

test("regression 6: another chain code to each node cannot open one commitment", async () => {
  const change = (step: ExchangeStep): ExchangeStep =>
    step.direct === undefined
      ? step
      : {
          ...step,
          direct: {
            ...step.direct,
            send: new Map(
              [...step.direct.send].map(([to, body]) => [
                to,
                to === victim ? concat(body.slice(0, 32), new Uint8Array(32).fill(7), body.slice(64)) : body,
              ]),
            ),
          },
        }
  const runs = await underAttack(specs(), cheat, { alter: inRound(2, change) })
  expect(outcome(runs.get(victim)?.ending)).toBe("FAULT")
  expect(outcome(runs.get(third)?.ending)).toBe("SESSION peer aborted")
})

test("regression 7: nodes that mean different sessions never meet, and blame nobody", async () => {
  const mixed = specs().map((spec) => (spec.self === cheat ? { ...spec, groupId: "another group" } : spec))
  const runs = await underAttack(mixed, cheat, {})
  for (const run of runs.values()) {
    expect(outcome(run.ending)).toBe("deadline")
    expect(run.dropped).toBeGreaterThan(0)
  }
})

test("regression 8: a session's messages are worth nothing in a later attempt", async () => {
  const first = specs()
  const again = first.map((spec) => ({ ...spec, attempt: 2 }))
  const earlier = await transcriptOf(first, "")
  const later = await transcriptOf(again, "")
  for (const [name, body] of earlier) expect(later.get(name)).not.toEqual(body)
})
