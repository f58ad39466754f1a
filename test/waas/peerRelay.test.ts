/** What nodes say to each other beside tasks: to whom it goes, from whom it comes, how much of it. */
import { expect, test } from "bun:test"
import { utf8 } from "../../src/bytes.ts"
import type { PartyId } from "../../src/keys/party.ts"
import { PeerRelay } from "../../src/waas/peerRelay.ts"
import type { ToNode } from "../../src/wire/frames.ts"
import { nodeIdOf } from "../../src/wire/nodeId.ts"
import { partyNo } from "../support/nodeHome.ts"

test("one node's message reaches the one it names, under the sender's proved name, within a quota", () => {
  const [a, b, away] = [partyNo(0), partyNo(1), partyNo(2)]
  const sent: (readonly [PartyId, ToNode])[] = []
  let nowMs = 0
  const relay = new PeerRelay({
    send: (party, frame) => sent.push([party, frame]),
    hears: (party) => party !== away,
    clock: () => nowMs,
  })
  const to = (receiver: string) => ({ kind: "peer", receiver, message: utf8("m") }) as const
  expect(relay.relay(a, to(nodeIdOf(b)))).toBe(true)
  expect(sent).toEqual([[b, { kind: "peer", sender: nodeIdOf(a), message: utf8("m") }]])
  for (const receiver of [nodeIdOf(away), nodeIdOf(a), "nobody"]) expect(relay.relay(a, to(receiver))).toBe(false)
  let taken = 0
  for (let n = 0; n < 1000; n++) if (relay.relay(a, to(nodeIdOf(b)))) taken++
  expect(taken).toBe(255)
  // Of each sender, and it comes back.
  expect(relay.relay(b, to(nodeIdOf(a)))).toBe(true)
  nowMs = 1000
  expect(relay.relay(a, to(nodeIdOf(b)))).toBe(true)
})

test("many senders together do not fill one receiver's queue, and reach the others", () => {
  const [victim, other] = [partyNo(0), partyNo(1)]
  let nowMs = 0
  const relay = new PeerRelay({ send: () => {}, hears: () => true, clock: () => nowMs })
  const message = utf8("m")
  const senders = Array.from({ length: 20 }, (_, n) => partyNo(10 + n))
  const flood = (): number => {
    const sent = senders.flatMap((sender) => Array.from({ length: 100 }, () => sender))
    return sent.filter((sender) => relay.relay(sender, { kind: "peer", receiver: nodeIdOf(victim), message })).length
  }
  expect(flood()).toBe(256)
  nowMs = 1000
  expect(flood()).toBe(32)
  expect(relay.relay(victim, { kind: "peer", receiver: nodeIdOf(other), message })).toBe(true)
})
