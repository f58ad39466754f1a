import { expect, test } from "bun:test"
import type { PartyId } from "../../src/keys/party.ts"
import { encodeAbort } from "../../src/mpc/abort.ts"
import { ABORT_ROUND, encodeHeader, type Header, KIND, makeEnvelope, PROTOCOL } from "../../src/mpc/envelope.ts"
import { Mailbox } from "../../src/mpc/mailbox.ts"
import { identityAt, partyAt } from "./cluster.ts"

const [self, peer] = [partyAt(0), partyAt(1)]
const sid = new Uint8Array(32).fill(1)
const box = () =>
  new Mailbox(sid, self, {
    protocol: PROTOCOL.checkup,
    participants: [self, peer],
    rounds: [
      { round: 1, broadcast: new Map([[peer, 10]]) },
      { round: 2, direct: { sealed: true, from: new Map([[peer, 20]]) } },
    ],
  })

const headerOf = (length: number): Header => ({
  protocol: PROTOCOL.checkup,
  round: 1,
  kind: KIND.broadcast,
  bodyLength: length,
  sid,
  sender: peer as PartyId,
  receiver: undefined,
  view: new Uint8Array(32),
})

function envelope(length: number, change: Partial<Header> = {}) {
  const header = { ...headerOf(length), ...change }
  return makeEnvelope(identityAt(header.sender), encodeHeader(header), new Uint8Array(length))
}
const sealed = { round: 2, kind: KIND.sealed, receiver: self } as const

test("a later round's message is kept until its round, when its length is that round's", () => {
  const mailbox = box()
  expect(mailbox.accept(envelope(36, sealed)).kind).toBe("kept")
  expect(mailbox.get(2, KIND.sealed, peer)?.body.length).toBe(36)
})

test("a wrong length is refused when it arrives, not when its round comes: nothing of it is held", () => {
  for (const length of [0, 35, 37]) {
    const mailbox = box()
    expect(mailbox.accept(envelope(length, sealed))).toMatchObject({
      kind: "blame",
      blame: { kind: "FAULT", parties: [peer] },
    })
    expect(mailbox.get(2, KIND.sealed, peer)).toBeUndefined()
  }
})

test("what is longer than anything of this session is dropped unread, even when it is signed", () => {
  const mailbox = box()
  expect(mailbox.accept(envelope(5000)).kind).toBe("dropped")
  expect(mailbox.dropped).toBe(1)
})

test("two abort reports of one honest node are no two versions of a message: no proof against it can be made of them", () => {
  const reports = [
    { kind: "view mismatch", originals: [] },
    { kind: "protocol", originals: [] },
  ] as const
  const mailbox = box()
  const signed = reports.map((report) => {
    const body = encodeAbort(report)
    const header = { ...headerOf(body.length), round: ABORT_ROUND }
    return makeEnvelope(identityAt(header.sender), encodeHeader(header), body)
  })
  for (const bytes of signed) expect(mailbox.accept(bytes).kind).toBe("abort")
  expect(mailbox.equivocationIn({ kind: "view mismatch", originals: signed })).toBeUndefined()
})

test("a flood holds no more than one message of each kind and round", () => {
  const mailbox = box()
  for (let i = 0; i < 50; i++) mailbox.accept(envelope(10))
  expect(mailbox.broadcasts()).toHaveLength(1)
  expect(mailbox.dropped).toBe(0)
  for (let round = 3; round < 200; round++) mailbox.accept(envelope(10, { round }))
  expect(mailbox.broadcasts()).toHaveLength(1)
  expect(mailbox.dropped).toBe(197)
})
