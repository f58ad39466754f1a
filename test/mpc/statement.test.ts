/** Two statements prove an equivocation to anybody, and nothing less does: no honest node can be accused with any. */
import { expect, test } from "bun:test"
import { type Bytes, concat, utf8 } from "../../src/bytes.ts"
import { ABORT_ROUND, encodeHeader, type Header, KIND, makeEnvelope, PROTOCOL } from "../../src/mpc/envelope.ts"
import { equivocatorOf, parseStatement, statementOf } from "../../src/mpc/statement.ts"
import { identityAt, partyAt } from "./cluster.ts"

const [self, peer] = [partyAt(0), partyAt(1)]

function statement(body: string, change: Partial<Header> = {}, signer = peer): Bytes {
  const header: Header = {
    protocol: PROTOCOL.checkup,
    round: 1,
    kind: KIND.broadcast,
    bodyLength: body.length,
    sid: new Uint8Array(32).fill(1),
    sender: peer,
    receiver: undefined,
    view: new Uint8Array(32),
    ...change,
  }
  const made = statementOf(makeEnvelope(identityAt(signer), encodeHeader(header), utf8(body)))
  if (made === undefined) throw new Error("an envelope has a statement")
  return made
}

test("two bodies, lengths or views of one message name their sender, in 237 bytes each", () => {
  const one = statement("one")
  expect(one.length).toBe(237)
  for (const other of [statement("two"), statement("three"), statement("one", { view: new Uint8Array(32).fill(2) })]) {
    expect(equivocatorOf(one, other)).toBe(peer)
  }
})

test("one message twice, or messages of other places, name nobody", () => {
  const one = statement("one")
  for (const other of [
    one,
    statement("two", { sid: new Uint8Array(32).fill(9) }),
    statement("two", { protocol: PROTOCOL.dkg }),
    statement("two", { round: 2 }),
  ]) {
    expect(equivocatorOf(one, other)).toBeUndefined()
  }
  expect(equivocatorOf(one, statement("two", { sender: self }, self))).toBeUndefined()
  const direct = { kind: KIND.sealed, receiver: self } as const
  expect(equivocatorOf(statement("one", direct), statement("two", direct))).toBe(peer)
  for (const other of [
    { ...direct, receiver: partyAt(2) },
    { ...direct, kind: KIND.clear },
  ] as const) {
    expect(equivocatorOf(statement("one", direct), statement("two", other))).toBeUndefined()
  }
  const report = { round: ABORT_ROUND }
  expect(equivocatorOf(statement("one", report), statement("two", report))).toBeUndefined()
})

test("what its sender did not sign names nobody: a bit, a length, another's key", () => {
  const one = statement("one")
  const two = statement("two")
  for (const at of [0, 20, 60, 130, 150, 180, 236]) {
    const spoilt = two.slice()
    spoilt[at] = (spoilt[at] ?? 0) ^ 1
    expect([at, parseStatement(spoilt)]).toEqual([at, undefined])
    expect(equivocatorOf(one, spoilt)).toBeUndefined()
    expect(equivocatorOf(spoilt, one)).toBeUndefined()
  }
  expect(parseStatement(concat(two, new Uint8Array(1)))).toBeUndefined()
  expect(parseStatement(two.subarray(1))).toBeUndefined()
  expect(parseStatement(concat(two.subarray(0, -64), new Uint8Array(1), two.subarray(-64)))).toBeUndefined()
  // signed by peer, in self's name
  expect(parseStatement(statement("two", { sender: self }))).toBeUndefined()
  expect(statementOf(utf8("no envelope"))).toBeUndefined()
})
