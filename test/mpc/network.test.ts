import { expect, test } from "bun:test"
import { type Bytes, concat, copy, u8 } from "../../src/bytes.ts"
import type { PartyId } from "../../src/keys/party.ts"
import { allOf, type BodyCodec, exchange, type Protocol, record } from "../../src/mpc/exchange.ts"
import { partyNo, runAll, seededRng } from "./network.ts"

const byte: BodyCodec<number> = { size: 1, encode: u8, decode: (bytes) => (bytes[0] === 255 ? undefined : bytes[0]) }
const SID: Bytes = new Uint8Array(32).fill(7)
const PARTIES = [partyNo(1), partyNo(2), partyNo(3)]

/** Everybody tells everybody a number, then each peer the sum of both. */
function* adding(self: PartyId, mine: number): Protocol<{ readonly sum: number; readonly view: Bytes }> {
  const peers = PARTIES.filter((party) => party !== self)
  const first = yield* exchange({
    stage: { round: 1, name: "test" },
    broadcast: { send: byte.encode(mine), from: allOf(peers, byte) },
  })
  yield* record({ kind: "emitted", digest: new Uint8Array(32) })
  const second = yield* exchange({
    stage: { round: 2, name: "test" },
    direct: {
      channel: "clear",
      send: new Map([...first.broadcasts].map(([peer, theirs]) => [peer, byte.encode(mine + theirs)])),
      from: allOf(peers, byte),
    },
  })
  return { sum: [...second.directs.values()].reduce((a, b) => a + b, 0), view: second.view }
}
const all = () => new Map(PARTIES.map((party, i) => [party, adding(party, i + 1)]))

test("generators hear one another, with equal views", () => {
  const { outcomes, records, bytesSent } = runAll(SID, all())
  const ends = PARTIES.map((party) => outcomes.get(party))
  expect(ends.map((end) => (end?.kind === "done" ? end.value.sum : end?.kind))).toEqual([7, 8, 9])
  expect(new Set(ends.map((end) => (end?.kind === "done" ? end.value.view.toHex() : ""))).size).toBe(1)
  expect(records.get(partyNo(1))?.map(({ kind }) => kind)).toEqual(["emitted"])
  expect(bytesSent.get(partyNo(1))).toBe(3)
})

test("a body that does not decode is its sender's fault, and the others wait for the one that ended", () => {
  const { outcomes } = runAll(SID, all(), {
    tamper: ({ round, from, to, body }) =>
      round === 1 && from === partyNo(1) && to === partyNo(2) ? Uint8Array.of(255) : body,
  })
  expect(outcomes.get(partyNo(2))).toMatchObject({ kind: "blamed", blame: { kind: "FAULT", parties: [partyNo(1)] } })
  expect(outcomes.get(partyNo(1))).toEqual({ kind: "stuck" })
})

test("an equivocated broadcast ends as view mismatch", () => {
  const { outcomes } = runAll(SID, all(), {
    tamper: ({ round, from, to, body }) =>
      round === 1 && from === partyNo(1) && to === partyNo(2) ? Uint8Array.of(9) : body,
  })
  for (const outcome of outcomes.values()) {
    expect(outcome).toMatchObject({ kind: "blamed", blame: { kind: "SESSION", reason: "view mismatch" } })
  }
})

test("the seeded stream does not depend on how it is cut", () => {
  const a = seededRng("x")
  const b = seededRng("x")
  expect(concat(a(5), a(70))).toEqual(copy(b(75)))
})
