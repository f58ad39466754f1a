/** What can be done to whole messages of any protocol, and what must come of it (threshold.md 10.2, first rows). */
import { expect, test } from "bun:test"
import { type Bytes, concat, copy } from "../../src/bytes.ts"
import type { PartyId } from "../../src/keys/party.ts"
import type { SessionSpec } from "../../src/mpc/session.ts"
import { Cluster, flipped, type Passing, resigned } from "../mpc/cluster.ts"
import { type Layout, meddling, outcome, underAttack } from "./mutations.ts"

export interface Target {
  readonly name: string
  readonly layouts: readonly Layout[]
  specs(change?: { readonly taskId: string }): readonly SessionSpec[]
  /** Ascending; the cheat is the first, its victim the second. */
  readonly parties: readonly PartyId[]
}

type Change = (passing: Passing, cluster: Cluster) => readonly Bytes[]

export function envelopeAttacks({ name, layouts, specs, parties }: Target): void {
  const [cheat, victim, third] = parties as [PartyId, PartyId, PartyId]
  const lastRound = Math.max(...layouts.map(({ round }) => round))

  for (const layout of layouts) {
    const attack = (change: Change, receivers: readonly PartyId[] = [victim]) =>
      underAttack(specs(), cheat, { relay: meddling(layout, cheat, receivers, change) })

    // ---- without keys: a loss at most
    const inTransit: readonly (readonly [string, Change])[] = [
      ["a flipped header bit", ({ envelope }) => [flipped(envelope.bytes, 120)]],
      ["a flipped body bit", ({ envelope }) => [flipped(envelope.bytes, 141)]],
      ["a flipped signature", ({ envelope }) => [flipped(envelope.bytes, -5)]],
      ["a cut", ({ envelope }) => [envelope.bytes.slice(0, -1)]],
      ["an extension", ({ envelope }) => [concat(envelope.bytes, new Uint8Array(1))]],
      ["a swapped sender", ({ envelope }) => [withSender(envelope.bytes, third)]],
      ["a loss", () => []],
    ]
    for (const [what, change] of inTransit) {
      test(`${name} ${layout.message}: ${what} costs the session at most`, async () => {
        const runs = await attack(change)
        expect(outcome(runs.get(victim)?.ending)).toBe("deadline")
        expect(runs.get(victim)?.dropped).toBe(what === "a loss" ? 0 : 1)
        for (const run of runs.values()) for (const blame of run.blames) expect(blame.kind).toBe("SESSION")
      })
    }

    test(`${name} ${layout.message}: duplicates and delays change nothing`, async () => {
      const late: Bytes[] = []
      const runs = await underAttack(specs(), cheat, {
        relay: meddling(layout, cheat, [victim], ({ envelope }) => {
          late.push(envelope.bytes, envelope.bytes)
          return []
        }),
        onIdle: (cluster) => {
          for (const bytes of late) cluster.deliver(victim, bytes)
          return late.splice(0).length > 0
        },
      })
      for (const run of runs.values()) expect(outcome(run.ending)).toBe("done")
    })

    test(`${name} ${layout.message}: the message of an earlier session is not this one's`, async () => {
      const earlier = new Cluster({})
      await earlier.run(specs({ taskId: "an earlier task" }))
      const runs = await attack(({ envelope }) =>
        earlier.history
          .filter(({ from, to, envelope: { header } }) => {
            return (
              from === cheat && to === victim && header.round === layout.round && header.kind === envelope.header.kind
            )
          })
          .map((passing) => passing.envelope.bytes),
      )
      expect(outcome(runs.get(victim)?.ending)).toBe("deadline")
      expect(runs.get(victim)?.dropped).toBe(1)
    })

    // ---- with the cheat's key
    const lengths: readonly (readonly [string, (body: Bytes) => Bytes])[] = [
      ["a byte short", (body) => body.slice(0, -1)],
      ["a byte long", (body) => concat(body, new Uint8Array(1))],
      ["empty", () => new Uint8Array(0)],
    ]
    for (const [what, change] of lengths) {
      test(`${name} ${layout.message}: signed and ${what} is a fault`, async () => {
        const runs = await attack(({ envelope }) => [resigned(envelope, { body: change(copy(envelope.body)) })])
        expect(outcome(runs.get(victim)?.ending)).toBe("FAULT")
      })
    }

    test(`${name} ${layout.message}: two versions to one node are an equivocation, proven`, async () => {
      const runs = await attack(({ envelope }) => [
        envelope.bytes,
        resigned(envelope, { body: flipped(envelope.body, 3) }),
      ])
      expect(outcome(runs.get(victim)?.ending)).toBe("EQUIV")
      expect(runs.get(victim)?.blames[0]?.evidence).toHaveLength(2)
    })

    if (layout.round > 1) {
      test(`${name} ${layout.message}: another view stops the session before anything is looked at`, async () => {
        for (const view of [new Uint8Array(32), new Uint8Array(32).fill(1)]) {
          const runs = await attack(({ envelope }) => [resigned(envelope, { header: { view } })])
          // A broadcast whose header differs from what the others hold is an equivocation as well, and is proven to be.
          const expected = layout.kind === "broadcast" && layout.round < lastRound ? "EQUIV" : "SESSION view mismatch"
          expect(outcome(runs.get(victim)?.ending)).toBe(expected)
        }
      })
    }

    if (layout.kind === "broadcast" && layout.round < lastRound) {
      const equivocate = meddling(layout, cheat, [victim], ({ envelope }) => {
        // Another version that decodes as well as the first: what was sent, with the parts that may be anything changed.
        return [resigned(envelope, { body: flipped(envelope.body, 0) })]
      })
      test(`${name} ${layout.message}: another version to one node than to the rest ends in proof, or in nothing`, async () => {
        const shown = await underAttack(specs(), cheat, { relay: equivocate })
        // Told by a view that differs, or by the victim's own check where the change is more than a nonce's.
        const told = outcome(shown.get(victim)?.ending)
        expect(["EQUIV", "FAULT"]).toContain(told)
        expect(outcome(shown.get(third)?.ending)).toBe(told === "EQUIV" ? "EQUIV" : "SESSION peer aborted")
        const withheld = await underAttack(specs(), cheat, {
          relay: (passing, cluster) => (passing.envelope.header.round === 0 ? [] : equivocate(passing, cluster)),
        })
        for (const party of [victim, third]) {
          expect(["SESSION view mismatch", "deadline", "FAULT"]).toContain(outcome(withheld.get(party)?.ending))
        }
      })
    }
  }
}

function withSender(bytes: Bytes, sender: PartyId): Bytes {
  const out = copy(bytes)
  out.set(Uint8Array.fromHex(sender), 45)
  return out
}
