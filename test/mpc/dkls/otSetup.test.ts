import { expect, test } from "bun:test"
import { type Bytes, copy, equal, toHex } from "../../../src/bytes.ts"
import { extend, receive } from "../../../src/crypto/otExtension.ts"
import { N_C, XI } from "../../../src/crypto/parameters.ts"
import { expandAlice, expandBob } from "../../../src/crypto/pprf.ts"
import type { PairState } from "../../../src/keys/group.ts"
import type { Member, PartyId } from "../../../src/keys/party.ts"
import { Blame } from "../../../src/mpc/blame.ts"
import { startOtSetup } from "../../../src/mpc/dkls/otSetup.ts"
import { OT1_SIZE, OT2_SIZE } from "../../../src/mpc/dkls/setup.ts"
import { partyNo, seededRng } from "../network.ts"

const sid = seededRng("sid")(32)
const h1 = seededRng("h1")(32)
const epochId = seededRng("epoch")(32)
const members: readonly Member[] = [
  { party: partyNo(1), x: 77n },
  { party: partyNo(2), x: 5n },
]
const [a, b] = members as [Member, Member]

type Alter = (message: Bytes) => Bytes
const untouched: Alter = (message) => message

/** Two parties; what a sends to b may be altered as a sends it. */
function setUp(alterFirst: Alter = untouched, seed = "setup") {
  const zeros = new Map(members.map(({ party }) => [party, seededRng(`zero ${party}`)(32)]))
  const of = (self: Member, peer: Member) => {
    const ot = startOtSetup({ sid, h1, self, peers: [peer], rng: seededRng(`${seed} ${self.party}`) })
    return { ot, self, peer }
  }
  const [A, B] = [of(a, b), of(b, a)]
  const message = (messages: ReadonlyMap<PartyId, Bytes>, to: Member): Bytes => {
    const bytes = messages.get(to.party)
    if (bytes === undefined) throw new Error("no message")
    return bytes
  }
  const answerOfB = B.ot.answer(new Map([[a.party, alterFirst(message(A.ot.first, b))]]))
  const answerOfA = A.ot.answer(new Map([[b.party, message(B.ot.first, a)]]))
  const finish = ({ ot, self, peer }: typeof A, second: Bytes, epoch = epochId, theirs?: Bytes): PairState => {
    const halves = { sent: zeros.get(self.party)!, received: theirs ?? zeros.get(peer.party)! }
    const [state] = ot.finish(new Map([[peer.party, second]]), epoch, new Map([[peer.party, halves]]))
    if (state === undefined) throw new Error("no state")
    return state
  }
  return {
    A,
    B,
    first: message(A.ot.first, b),
    second: message(answerOfA, b),
    ofA: (epoch?: Bytes, theirHalf?: Bytes) => finish(A, message(answerOfB, a), epoch, theirHalf),
    ofB: (alter: Alter = untouched) => finish(B, alter(message(answerOfA, b))),
  }
}
const blameOf = (run: () => unknown): Blame | undefined => {
  try {
    run()
    return undefined
  } catch (error) {
    if (error instanceof Blame) return error
    throw error
  }
}
const put =
  (at: number, bytes: Bytes): Alter =>
  (message) => {
    const out = copy(message)
    out.set(bytes, at)
    return out
  }
const flip =
  (at: number): Alter =>
  (message) =>
    put(at, Uint8Array.of((message[at] ?? 0) ^ 4))(message)

const honest = setUp()
const elsewhere = setUp(untouched, "elsewhere")

test("both sides come to the same pair, and both directions extend", () => {
  expect([honest.first.length, honest.second.length]).toEqual([OT1_SIZE, OT2_SIZE])
  const [ofA, ofB] = [honest.ofA(), honest.ofB()]
  expect([ofA.peer, ofB.peer]).toEqual([b.party, a.party])
  expect(equal(ofA.pairId, ofB.pairId)).toBe(true)
  expect(ofA.zeroSeed.equals(ofB.zeroSeed)).toBe(true)
  for (const [alice, bob] of [
    [ofA, ofB],
    [ofB, ofA],
  ] as const) {
    const rng = seededRng("extend")
    const psid1 = rng(32)
    const sent = extend(expandBob(bob.otBob!.expose()), psid1, XI, rng)
    expect(receive(expandAlice(alice.otAlice!.expose()), psid1, XI, sent.message).passed).toBe(true)
  }
  const atRest = [ofA.pairId, ofA.zeroSeed.expose(), ofA.otAlice!.expose(), ofA.otBob!.expose()]
  // Two peers and the share: a 2-of-3 node keeps less than 20 kB.
  expect(2 * atRest.reduce((sum, bytes) => sum + bytes.length, 0) + 32).toBe(288 + 12_352 * (N_C / 128))
})

test("the two directions are different instances, and another set-up makes another pair", () => {
  const ofA = honest.ofA()
  const again = elsewhere.ofA()
  expect(toHex(ofA.otAlice!.expose().slice(0, 32))).not.toBe(toHex(ofA.otBob!.expose().slice(0, 32)))
  expect(equal(ofA.pairId, again.pairId)).toBe(false)
})

test("the pair's id covers its transcripts and the epoch, its seed both halves", () => {
  const base = honest.ofA()
  expect(equal(base.pairId, honest.ofA(new Uint8Array(32)).pairId)).toBe(false)
  expect(equal(base.pairId, elsewhere.ofA().pairId)).toBe(false)
  expect(base.zeroSeed.equals(honest.ofA(epochId, new Uint8Array(32)).zeroSeed)).toBe(false)
})

const INVALID: readonly [string, Bytes][] = [
  ["the identity", new Uint8Array(33)],
  ["off the curve", Uint8Array.of(2, ...new Uint8Array(31), 1)],
  ["hybrid", Uint8Array.of(7, ...new Uint8Array(31), 3)],
]
test.each(INVALID)("DKG2 OT1 point %s: FAULT", (_, bad) => {
  for (const at of [0, 33, OT1_SIZE - 33]) {
    expect(blameOf(() => setUp(put(at, bad)))).toMatchObject({ kind: "FAULT", parties: [a.party] })
  }
})

test("DKG2 OT1 of another session, or both points of a pair equal: the pairs do not match, nobody learns why", () => {
  const replayed = elsewhere.first
  for (const alter of [() => replayed, (message: Bytes) => put(33, message.slice(0, 33))(message)]) {
    const run = setUp(alter)
    // The keys of the sender of OT1 are then random: the corrections made for it do not fit.
    expect(blameOf(() => run.ofA())).toMatchObject({ kind: "FAULT", parties: [b.party] })
  }
})

test.each(INVALID)("DKG3 B %s: FAULT", (_, bad) => {
  expect(blameOf(() => honest.ofB(put(0, bad)))).toMatchObject({ kind: "FAULT", parties: [a.party] })
})

test("DKG3 B another point, X or D altered, corrections of another session: FAULT", () => {
  const other = elsewhere.second
  const alters: readonly Alter[] = [
    put(0, other.slice(0, 33)),
    flip(33 + 192),
    flip(33 + 256),
    flip(33 + 31 * 320 + 319),
    () => other,
  ]
  for (const alter of alters) {
    const blame = blameOf(() => honest.ofB(alter))
    expect(blame).toMatchObject({
      kind: "FAULT",
      parties: [a.party],
      reason: "the PPRF corrections do not match their digest",
    })
  }
})

test("DKG3 E altered on both sides of every level: FAULT; a cheater who alters one guesses a choice bit, once", () => {
  let caught = 0
  for (let level = 0; level < 3; level++) {
    for (const side of [0, 1]) {
      if (blameOf(() => honest.ofB(flip(33 + 64 * level + 32 * side))) !== undefined) caught++
    }
  }
  // Of the two corrections of a level exactly one is used.
  expect(caught).toBe(3)
})

test("a message that is missing or of another length is a bug of ours, not a blame", () => {
  const { A } = honest
  expect(() => A.ot.answer(new Map())).toThrow(TypeError)
  expect(() => A.ot.answer(new Map([[b.party, new Uint8Array(OT1_SIZE - 1)]]))).toThrow(TypeError)
})
