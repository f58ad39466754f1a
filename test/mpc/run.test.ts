/** The runner and its mailbox, on a protocol small enough to see through: three rounds, both kinds of messages, a record. */
import { expect, test } from "bun:test"
import { type Bytes, concat, copy, equal, u8 } from "../../src/bytes.ts"
import type { Rng } from "../../src/crypto/random.ts"
import { CosignerError } from "../../src/errors.ts"
import type { PartyId } from "../../src/keys/party.ts"
import { decodeAbort, encodeAbort } from "../../src/mpc/abort.ts"
import { type Blame, ban, fault } from "../../src/mpc/blame.ts"
import { isAuthentic, KIND, PROTOCOL, parseEnvelope } from "../../src/mpc/envelope.ts"
import { allOf, type BodyCodec, by, exchange, type Protocol, record } from "../../src/mpc/exchange.ts"
import type { Prepared } from "../../src/mpc/host.ts"
import { runSession } from "../../src/mpc/run.ts"
import { ephemeralKey } from "../../src/mpc/seal.ts"
import type { Ending, SessionResult } from "../../src/mpc/session.ts"
import {
  Cluster,
  type ClusterOptions,
  flipped,
  identityAt,
  type Passing,
  partyAt,
  type Relay,
  resigned,
} from "./cluster.ts"
import { seededRng } from "./network.ts"

const SID: Bytes = new Uint8Array(32).fill(7)
const [A, B, C] = [partyAt(0), partyAt(1), partyAt(2)]
const ALL = [A, B, C]

const key: BodyCodec<Bytes> = { size: 32, encode: copy, decode: (bytes) => bytes }
const byte: BodyCodec<number> = { size: 1, encode: u8, decode: (bytes) => (bytes[0] === 255 ? undefined : bytes[0]) }

interface Toy {
  /** What happens inside the protocol after round 2. */
  readonly inside?: (self: PartyId) => void
  readonly onReturn?: (self: PartyId) => void
}

/** Round 1: ephemeral keys. Round 2: a sealed byte to each. Then a record. Round 3: the sum of what one was told. */
function* adding(self: PartyId, rng: Rng, toy: Toy): Protocol<SessionResult> {
  const peers = ALL.filter((party) => party !== self)
  try {
    using ephemeral = ephemeralKey(rng)
    const first = yield* exchange({
      stage: { round: 1, name: "test" },
      broadcast: { send: ephemeral.publicKey, from: allOf(peers, key) },
    })
    using keys = ephemeral.agree(SID, self, first.broadcasts)
    const second = yield* exchange({
      stage: { round: 2, name: "test" },
      direct: { channel: keys, send: by(peers, (peer) => u8(ALL.indexOf(peer))), from: allOf(peers, byte) },
    })
    toy.inside?.(self)
    yield* record({ kind: "emitted", digest: SID })
    const sum = [...second.directs.values()].reduce((a, b) => a + b, 0)
    const third = yield* exchange({
      stage: { round: 3, name: "test" },
      broadcast: { send: u8(sum), from: allOf(peers, byte) },
    })
    const sums = [...third.broadcasts.values(), sum].sort()
    return { kind: "epoch", groupId: sums.join(), epochId: third.view, certificate: third.originals }
  } finally {
    toy.onReturn?.(self)
  }
}

const toyOf = (self: PartyId, toy: Toy): Prepared => {
  const peers = ALL.filter((party) => party !== self)
  return {
    sid: SID,
    shape: {
      protocol: PROTOCOL.checkup,
      participants: ALL,
      rounds: [
        { round: 1, broadcast: by(peers, () => 32) },
        { round: 2, direct: { sealed: true, from: by(peers, () => 1) } },
        { round: 3, broadcast: by(peers, () => 1) },
      ],
    },
    protocol: (rng) => adding(self, rng, toy),
  }
}

const runToy = (options: ClusterOptions = {}, toy: Toy = {}) =>
  new Cluster(options).runPrepared(ALL.map((party) => [party, toyOf(party, toy)]))

const kindOf = (ending: Ending | undefined): string =>
  ending?.kind === "blamed" ? `${ending.blame.kind} ${ending.blame.reason}` : (ending?.kind ?? "missing")
const endings = (runs: ReadonlyMap<PartyId, { readonly ending: Ending }>) =>
  ALL.map((party) => kindOf(runs.get(party)?.ending))
const is = (round: number, from: PartyId, to?: PartyId) => (passing: Passing) =>
  passing.envelope.header.round === round && passing.from === from && (to === undefined || passing.to === to)
/** Changes what `which` picks, and leaves all else alone. */
const only =
  (which: (passing: Passing) => boolean, change: (passing: Passing) => readonly Bytes[]): Relay =>
  (passing) =>
    which(passing) ? change(passing) : [passing.envelope.bytes]

test("honest nodes end with the same result, and begin before they send and record before the last round", async () => {
  const runs = await runToy()
  expect(endings(runs)).toEqual(["done", "done", "done"])
  const results = ALL.map((party) => runs.get(party)?.ending)
  expect(results[0]).toMatchObject({ result: { groupId: "0,2,4" } })
  for (const result of results) expect(result).toEqual(results[0])
  for (const run of runs.values()) {
    expect(run.log).toEqual(["began", "sent", "sent", "sent", "recorded", "sent"])
    expect(run.dropped).toBe(0)
  }
})

test("order does not matter: messages that come early, late or many times over", async () => {
  const held: { to: PartyId; bytes: Bytes }[] = []
  const runs = await runToy({
    // C hears of A only when all else stands still, and of everything thrice.
    relay: ({ from, to, envelope }) => {
      if (from !== A || to !== C) return [envelope.bytes, envelope.bytes, envelope.bytes]
      held.push({ to, bytes: envelope.bytes })
      return []
    },
    onIdle: (cluster) => {
      const next = held.pop()
      if (next !== undefined) cluster.deliver(next.to, next.bytes)
      return next !== undefined
    },
  })
  expect(endings(runs)).toEqual(["done", "done", "done"])
})

// ---- what an attacker without keys can do: nothing but delay ---------------------------------------------------------

const strangers: readonly (readonly [string, (passing: Passing) => Bytes])[] = [
  ["a flipped header bit", ({ envelope }) => flipped(envelope.bytes, 70)],
  ["a flipped body bit", ({ envelope }) => flipped(envelope.bytes, 141)],
  ["a flipped signature bit", ({ envelope }) => flipped(envelope.bytes, -1)],
  ["a cut", ({ envelope }) => envelope.bytes.slice(0, -1)],
  ["a longer one", ({ envelope }) => concat(envelope.bytes, u8(0))],
  ["noise", () => new Uint8Array(200).fill(3)],
  ["nothing", () => new Uint8Array(0)],
  ["far too many bytes", () => new Uint8Array(1 << 20)],
  ["another session", ({ envelope }) => resigned(envelope, { header: { sid: new Uint8Array(32).fill(8) } })],
  ["another protocol", ({ envelope }) => resigned(envelope, { header: { protocol: PROTOCOL.dkg } })],
  ["a round that there is not", ({ envelope }) => resigned(envelope, { header: { round: 9 } })],
  ["a sender who takes no part", ({ envelope }) => resigned(envelope, { header: { sender: partyAt(3) } })],
  ["a message in the receiver's own name", ({ envelope, to }) => resigned(envelope, { header: { sender: to } })],
  [
    "a direct message to somebody else",
    ({ envelope }) => resigned(envelope, { header: { kind: KIND.sealed, receiver: partyAt(4), round: 2 } }),
  ],
  [
    "a clear message where a sealed one belongs",
    ({ envelope, to }) => resigned(envelope, { header: { kind: KIND.clear, receiver: to, round: 2 } }),
  ],
  [
    "a direct message in a broadcast's round",
    ({ envelope, to }) => resigned(envelope, { header: { kind: KIND.sealed, receiver: to } }),
  ],
  [
    "an abort that says more than it may",
    ({ envelope }) => resigned(envelope, { header: { round: 0 }, body: Uint8Array.of(9, 0) }),
  ],
]
for (const [what, make] of strangers) {
  test(`${what} is dropped, and the session does not notice`, async () => {
    const runs = await runToy({ relay: (passing) => [make(passing), passing.envelope.bytes] })
    expect(endings(runs)).toEqual(["done", "done", "done"])
    for (const run of runs.values()) expect(run.dropped).toBeGreaterThan(0)
  })
}

test("what never arrives ends by the deadline and names nobody", async () => {
  for (const round of [1, 2, 3]) {
    const runs = await runToy({ relay: only(is(round, A, B), () => []) })
    for (const end of endings(runs)) expect(["done", "deadline", "SESSION peer aborted"]).toContain(end)
    expect(kindOf(runs.get(B)?.ending)).not.toBe("done")
  }
})

test("swapped senders: A's message in an envelope of C is not A's", async () => {
  const runs = await runToy({
    relay: only(is(1, A, B), ({ envelope }) => [flipped(envelope.bytes, 45 + 31)]),
  })
  expect(kindOf(runs.get(B)?.ending)).toBe("deadline")
})

// ---- what an attacker with a node's key can do: be named, or nothing -------------------------------------------------

test("a wrong length, signed, is its sender's fault", async () => {
  for (const body of [new Uint8Array(0), new Uint8Array(31), new Uint8Array(33)]) {
    const runs = await runToy({ relay: only(is(1, A, B), ({ envelope }) => [resigned(envelope, { body })]) })
    expect(runs.get(B)?.ending).toMatchObject({ kind: "blamed", blame: { kind: "FAULT", parties: [A] } })
    expect(kindOf(runs.get(C)?.ending)).toBe("SESSION peer aborted")
  }
})

test("a body that does not decode is its sender's fault", async () => {
  const runs = await runToy({ relay: only(is(3, A), ({ envelope }) => [resigned(envelope, { body: u8(255) })]) })
  expect(runs.get(B)?.ending).toMatchObject({ blame: { kind: "FAULT", parties: [A] } })
  expect(runs.get(C)?.ending).toMatchObject({ blame: { kind: "FAULT", parties: [A] } })
})

test("a sealed message that does not open, under an equal view, is its sender's fault", async () => {
  const runs = await runToy({
    relay: only(is(2, A, B), ({ envelope }) => [resigned(envelope, { body: flipped(envelope.body, 0) })]),
  })
  expect(runs.get(B)?.ending).toMatchObject({ blame: { kind: "FAULT", parties: [A] } })
})

test("a view in round 1 is its sender's fault", async () => {
  const view = new Uint8Array(32).fill(1)
  const runs = await runToy({ relay: only(is(1, A, B), ({ envelope }) => [resigned(envelope, { header: { view } })]) })
  expect(runs.get(B)?.ending).toMatchObject({ blame: { kind: "FAULT", parties: [A] } })
})

test("two signed versions of one message prove an equivocation, with both originals", async () => {
  for (const round of [1, 2]) {
    const runs = await runToy({
      relay: only(is(round, A, B), ({ envelope }) => [
        envelope.bytes,
        resigned(envelope, { body: flipped(envelope.body, 0) }),
      ]),
    })
    const end = runs.get(B)?.ending
    expect(end).toMatchObject({ kind: "blamed", blame: { kind: "EQUIV", parties: [A] } })
    const evidence = end?.kind === "blamed" ? end.blame.evidence.map((bytes) => parseEnvelope(copy(bytes))) : []
    expect(evidence).toHaveLength(2)
    for (const original of evidence)
      expect(original && isAuthentic(original) && original.header.sender === A).toBe(true)
    expect(equal(evidence[0]?.body ?? SID, evidence[1]?.body ?? SID)).toBe(false)
  }
})

test("proof of a broadcast's equivocation is passed on, so that all name the same node", async () => {
  const runs = await runToy({
    relay: only(is(1, A, B), ({ envelope }) => [
      envelope.bytes,
      resigned(envelope, { body: flipped(envelope.body, 0) }),
    ]),
  })
  for (const party of [B, C]) {
    expect(runs.get(party)?.ending).toMatchObject({ blame: { kind: "EQUIV", parties: [A] } })
  }
})

test("regression 7: different broadcasts to different nodes end in proof against their sender, and against nobody else", async () => {
  const runs = await runToy({
    relay: only(is(1, A, B), ({ envelope }) => [resigned(envelope, { body: flipped(envelope.body, 0) })]),
  })
  for (const party of [B, C]) {
    expect(runs.get(party)?.ending).toMatchObject({ blame: { kind: "EQUIV", parties: [A] } })
  }
})

test("the same with the proof withheld: the deadline comes and nobody is named", async () => {
  const equivocate = only(is(1, A, B), ({ envelope }) => [resigned(envelope, { body: flipped(envelope.body, 0) })])
  const runs = await runToy({
    relay: (passing, cluster) => (passing.envelope.header.round === 0 ? [] : equivocate(passing, cluster)),
  })
  for (const party of [B, C]) expect(kindOf(runs.get(party)?.ending)).toBe("SESSION view mismatch")
  for (const run of runs.values()) {
    for (const blame of run.blames) expect(blame.kind === "SESSION" && blame.parties.length === 0).toBe(true)
  }
})

test("regression 22: a zero or foreign view in a later round stops the session, and names nobody", async () => {
  for (const round of [2, 3]) {
    for (const view of [new Uint8Array(32), new Uint8Array(32).fill(9)]) {
      const runs = await runToy({
        relay: only(is(round, A, B), ({ envelope }) => [resigned(envelope, { header: { view } })]),
      })
      expect(kindOf(runs.get(B)?.ending)).toBe("SESSION view mismatch")
      expect(runs.get(B)?.records.length).toBe(round === 2 ? 0 : 1)
      for (const run of runs.values()) for (const blame of run.blames) expect(blame.kind).toBe("SESSION")
    }
  }
})

test("a forged report proves nothing: originals that are not signed, of other sessions, or of one's own", async () => {
  const forge = (passing: Passing, cluster: Cluster): readonly Bytes[] => {
    const { envelope, to } = passing
    if (!is(1, C, B)(passing)) return [envelope.bytes]
    const own = cluster.history.find(is(1, to))?.envelope
    const originals = [
      flipped(envelope.bytes, 150),
      resigned(envelope, { header: { sid: new Uint8Array(32).fill(1) }, body: new Uint8Array(32) }),
      ...(own === undefined ? [] : [resigned(own, { body: new Uint8Array(32) })]),
      new Uint8Array(3),
    ]
    const body = encodeAbort({ kind: "view mismatch", originals })
    return [envelope.bytes, resigned(envelope, { header: { round: 0 }, body })]
  }
  const runs = await runToy({ relay: forge })
  expect(kindOf(runs.get(B)?.ending)).toBe("SESSION peer aborted")
})

test("an abort that a participant did not sign is none: forged, reflected, a stranger's, or not to everybody", async () => {
  const body = encodeAbort({ kind: "protocol", originals: [] })
  const abort = { round: 0, kind: KIND.broadcast, receiver: undefined }
  const forgeries: readonly ((passing: Passing) => Bytes)[] = [
    ({ envelope }) => flipped(resigned(envelope, { header: abort, body }), -1),
    ({ envelope, to }) => resigned(envelope, { header: { ...abort, sender: to }, body }),
    ({ envelope }) => resigned(envelope, { header: { ...abort, sender: partyAt(3) }, body }),
    ({ envelope, to }) => resigned(envelope, { header: { round: 0, kind: KIND.clear, receiver: to }, body }),
  ]
  for (const forge of forgeries) {
    const runs = await runToy({ relay: (passing) => [forge(passing), passing.envelope.bytes] })
    expect(endings(runs)).toEqual(["done", "done", "done"])
  }
})

test("while reports are waited for, each participant's first is the one that counts", async () => {
  const relay: Relay = (passing, cluster) => {
    const { envelope, from, to } = passing
    if (envelope.header.round === 0 && to === B && from !== A) return []
    if (is(1, A, B)(passing)) return [resigned(envelope, { body: flipped(envelope.body, 0) })]
    if (envelope.header.round !== 0 || to !== B) return [envelope.bytes]
    const first = cluster.history.find(is(1, A, C))?.envelope.bytes ?? SID
    const report = (originals: readonly Bytes[]) =>
      resigned(envelope, { body: encodeAbort({ kind: "view mismatch", originals }) })
    return [report([]), report([first])]
  }
  const runs = await runToy({ relay })
  expect(kindOf(runs.get(B)?.ending)).toStartWith("SESSION")
})

test("an abort ends the session and blames nobody, in whatever round it comes", async () => {
  for (const round of [1, 2, 3]) {
    const runs = await runToy({
      relay: only(is(round, A, B), ({ envelope }) => [
        resigned(envelope, {
          header: { round: 0, kind: KIND.broadcast, receiver: undefined },
          body: encodeAbort({ kind: "protocol", originals: [] }),
        }),
      ]),
    })
    expect(kindOf(runs.get(B)?.ending)).toBe("SESSION peer aborted")
  }
})

// ---- the host's side ------------------------------------------------------------------------------------------------

test("an abort says nothing but that it is one, and follows the record of the blame", async () => {
  const runs = await runToy({
    relay: only(is(2, A, B), ({ envelope }) => [resigned(envelope, { body: new Uint8Array(17) })]),
  })
  expect(runs.get(B)?.log.slice(-2)).toEqual(["blamed", "sent"])
  const cluster = new Cluster({ relay: only(is(3, A, B), ({ envelope }) => [resigned(envelope, { body: u8(255) })]) })
  await cluster.runPrepared(ALL.map((party) => [party, toyOf(party, {})]))
  const aborts = cluster.history.filter(({ envelope }) => envelope.header.round === 0)
  expect(aborts.length).toBeGreaterThan(0)
  for (const { envelope } of aborts) expect(decodeAbort(envelope.body)).toEqual({ kind: "protocol", originals: [] })
})

test("blame that cannot be recorded is not told to anybody", async () => {
  const runs = await runToy({
    relay: only(is(3, A, B), ({ envelope }) => [resigned(envelope, { body: u8(255) })]),
    onBlamed: async (party) => {
      if (party === B) throw new Error("disk full")
    },
  })
  expect(kindOf(runs.get(B)?.ending)).toBe("crashed")
  expect(runs.get(B)?.log.at(-1)).toBe("sent")
  expect(runs.get(B)?.log.filter((what) => what === "sent")).toHaveLength(4)
})

test("a record that fails ends the session before anything of it leaves", async () => {
  const runs = await runToy({
    onRecord: (party) => {
      if (party === B) throw new CosignerError("E-CLI-001", { what: "the disk is full" })
    },
  })
  expect(runs.get(B)?.ending).toMatchObject({ kind: "crashed", reason: expect.stringContaining("E-CLI-001") })
  const sentByB = runs.get(B)?.log.filter((what) => what === "sent").length
  expect(sentByB).toBe(4) // round 1, two of round 2, the abort
  expect(kindOf(runs.get(A)?.ending)).toBe("SESSION peer aborted")
})

test("a session that may not begin says nothing at all", async () => {
  const runs = await runToy({
    onBegin: async (party) => {
      if (party === B) throw new CosignerError("E-CLI-001", { what: "the session id is known" })
    },
  })
  expect(runs.get(B)?.ending).toMatchObject({ kind: "crashed", reason: expect.stringContaining("E-CLI-001") })
  expect(runs.get(B)?.log).toEqual(["began"])
})

test("a ban that comes in meanwhile stops the release of every later round", async () => {
  const runs = await runToy({ mayRelease: (party) => party !== B })
  expect(kindOf(runs.get(B)?.ending)).toStartWith("SESSION")
  expect(runs.get(B)?.log).toEqual(["began", "sent", "blamed", "sent"])
})

test("a step that throws is our own bug: crashed, its place told and its message not, nobody blamed", async () => {
  const secret = "the secret is 12345"
  const inside = (self: PartyId) => {
    if (self === B) throw new RangeError(secret)
  }
  const runs = await runToy({}, { inside })
  const end = runs.get(B)?.ending
  expect(end).toMatchObject({ kind: "crashed", reason: expect.stringContaining("RangeError") })
  expect(JSON.stringify(end)).not.toContain("12345")
  expect(runs.get(B)?.blames).toEqual([])
})

test("a ban is not lost to a deadline that came while its check ran", async () => {
  const cluster = new Cluster({})
  const inside = (self: PartyId) => {
    if (self !== B) return
    cluster.sessions.get(B)?.cancel("deadline")
    throw ban(A, "a check failed")
  }
  const runs = await cluster.runPrepared(ALL.map((party) => [party, toyOf(party, { inside })]))
  expect(runs.get(B)?.ending).toMatchObject({ kind: "blamed", blame: { kind: "BAN", parties: [A] } })
  expect(runs.get(B)?.log.slice(-2)).toEqual(["blamed", "sent"])
})

test("a host that cannot send ends the session, and nothing is thrown at anybody", async () => {
  const sent: Bytes[] = []
  const { shape, protocol } = toyOf(B, {})
  const session = runSession(
    { sid: SID, identity: identityAt(B), shape, begin: async () => {} },
    protocol(seededRng("broken link")),
    {
      send: (envelope) => {
        sent.push(envelope)
        throw new Error("the link is gone")
      },
      record: async () => {},
      mayRelease: async () => true,
      blamed: async () => {},
    },
  )
  expect(await session.ending).toMatchObject({ kind: "crashed" })
  expect(sent).toHaveLength(2)
})

test("blame thrown by the protocol is the session's", async () => {
  const inside = (self: PartyId) => {
    if (self === B) throw fault(A, "a proof is wrong")
  }
  const runs = await runToy({}, { inside })
  expect(runs.get(B)?.blames.map((blame: Blame) => [blame.kind, blame.parties])).toEqual([["FAULT", [A]]])
})

const interrupted: readonly (readonly [string, ClusterOptions, Toy])[] = [
  ["an honest end", {}, {}],
  ["silence", { relay: only(is(2, A), () => []) }, {}],
  ["a fault", { relay: only(is(2, A, B), ({ envelope }) => [resigned(envelope, { body: new Uint8Array(17) })]) }, {}],
  [
    "a view mismatch",
    { relay: only(is(1, A, B), ({ envelope }) => [resigned(envelope, { body: flipped(envelope.body, 0) })]) },
    {},
  ],
  ["a failed record", { onRecord: () => Promise.reject(new Error("full")) }, {}],
  ["a ban", { mayRelease: () => false }, {}],
  [
    "a bug",
    {},
    {
      inside: () => {
        throw new TypeError("bug")
      },
    },
  ],
]
for (const [what, options, toy] of interrupted) {
  test(`after ${what} every protocol has been returned, whereby its secrets are wiped`, async () => {
    const returned: PartyId[] = []
    await runToy(options, { ...toy, onReturn: (party) => returned.push(party) })
    expect(returned.sort()).toEqual([...ALL])
  })
}

test("after its end a session takes nothing in and sends nothing", async () => {
  const cluster = new Cluster({})
  const runs = await cluster.runPrepared(ALL.map((party) => [party, toyOf(party, {})]))
  const sent = cluster.history.length
  const first = cluster.history.find(is(1, A, B))?.envelope
  const session = cluster.sessions.get(B)
  if (first === undefined || session === undefined) throw new Error("nothing was sent")
  session.deliver(resigned(first, { body: new Uint8Array(32) }))
  session.deliver(new Uint8Array(300))
  expect(session.dropped).toBe(0)
  session.cancel("deadline")
  await new Promise((resolve) => setImmediate(resolve))
  expect(cluster.history.length).toBe(sent)
  expect(await session.ending).toBe(runs.get(B)?.ending ?? { kind: "cancelled" })
  expect(identityAt(B).party).toBe(B)
})
