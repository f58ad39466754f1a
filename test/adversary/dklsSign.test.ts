/** The tampering table of threshold.md 10.2 for SIG1 to SIG3, row by row: what the receiver does, whom it names, and who must not be named. */
import { describe, expect, test } from "bun:test"
import fc from "fast-check"
import { type Bytes, beToBig, bigToBe, bigToLe, concat, copy, equal, leToBig } from "../../src/bytes.ts"
import { commitTo } from "../../src/crypto/commit.ts"
import { K1 } from "../../src/crypto/curve.ts"
import { extensionId } from "../../src/crypto/otExtension.ts"
import { N_C } from "../../src/crypto/parameters.ts"
import { expandAlice, expandBob } from "../../src/crypto/pprf.ts"
import type { GroupSecret } from "../../src/keys/group.ts"
import { type PartyId, partyBytes } from "../../src/keys/party.ts"
import type { BlameClass } from "../../src/mpc/blame.ts"
import type { ExchangeStep, Protocol } from "../../src/mpc/exchange.ts"
import type { MessageSignature } from "../../src/mpc/session.ts"
import { Secret } from "../../src/secret.ts"
import { cheat } from "../crypto/cheatingBob.ts"
import { type DealtGroup, dealGroup, signers, someMessages } from "../mpc/dkls/group.ts"
import { type Run, runAll, seededRng, type Travelling } from "../mpc/network.ts"

const Q = K1.order
const two = dealGroup(2, 2, "adversary 2")
const three = dealGroup(3, 3, "adversary 3")

// Offsets for one message (threshold.md 12).
const SIG1B = { nonce: 0, ephemeral: 32, commitment: 64 }
const U_LENGTH = 17 * N_C
const SIG1P = { confirmation: 0, u: 32, xHat: 32 + U_LENGTH, tHat: 32 + U_LENGTH + 16, length: 48 + 33 * N_C }
const SIG2P = { salt: 0, R: 32, pk: 65, Gu: 98, Gv: 131, psi: 164, etap: 196, mu: 228, ta: 260 }
const SIG3B = { w: 0, u: 32 }

type Alter = (body: Bytes) => Bytes
const flip =
  (at: number, mask = 1): Alter =>
  (body) => {
    const out = copy(body)
    out[at] = (out[at] ?? 0) ^ mask
    return out
  }
const put =
  (at: number, bytes: Bytes): Alter =>
  (body) => {
    const out = copy(body)
    out.set(bytes, at)
    return out
  }
const plusOneLe =
  (at: number): Alter =>
  (body) =>
    put(at, bigToLe((leToBig(body.slice(at, at + 32)) + 1n) % Q, 32))(body)
const plusOneBe =
  (at: number): Alter =>
  (body) =>
    put(at, bigToBe((beToBig(body.slice(at, at + 32)) + 1n) % Q, 32))(body)
const otherPoint = K1.encodePoint(K1.multiplyBase(12345n))
const OFF_CURVE = Uint8Array.of(2, ...new Uint8Array(31), 5)
const NO_POINT = new Uint8Array(33)

let session = 0
/** A session in which the last signer's messages to the first one are altered as it sends them. */
function cheated(
  dealt: DealtGroup,
  round: number,
  kind: Travelling["kind"],
  alter: Alter,
): Run<readonly MessageSignature[]> {
  const { cheater, victim } = roles(dealt)
  const { sid, protocols } = signers(dealt, dealt.parties, someMessages(dealt, 1, "cheated"), `cheated ${session++}`)
  return runAll(sid, protocols, {
    tamper: (m) =>
      m.round === round && m.kind === kind && m.from === cheater && m.to === victim ? alter(m.body) : m.body,
  })
}
const roles = (dealt: DealtGroup) => {
  const [victim, ...rest] = dealt.parties
  const cheater = rest.at(-1)
  if (victim === undefined || cheater === undefined) throw new Error("a group has two members")
  return { victim, cheater, bystanders: rest.slice(0, -1) }
}

/** The victim ends like this, nobody who is honest names anybody honest, and nothing was signed by those who saw it. */
function expectOutcome(dealt: DealtGroup, run: Run<unknown>, kind: BlameClass, reason: string): void {
  const { victim, cheater, bystanders } = roles(dealt)
  const named = kind === "SESSION" ? [] : [cheater]
  expect(run.outcomes.get(victim)).toMatchObject({ kind: "blamed", blame: { kind, parties: named, reason } })
  for (const party of bystanders) {
    const outcome = run.outcomes.get(party)
    if (outcome?.kind === "blamed") {
      for (const blamed of outcome.blame.parties) expect(blamed).toBe(cheater)
    }
  }
  if (kind !== "BAN") {
    for (const party of [victim, ...bystanders]) {
      const outcome = run.outcomes.get(party)
      expect(outcome?.kind === "blamed" && outcome.blame.kind === "BAN").toBe(false)
    }
  }
}
const checksOf = (run: Run<unknown>, party: PartyId): string[] => (run.records.get(party) ?? []).map(({ kind }) => kind)

describe("SIG1", () => {
  for (const [field, at] of Object.entries(SIG1B)) {
    if (field === "nonce") continue
    test(`${field} different for one peer: view mismatch, no ban anywhere`, () => {
      for (const dealt of [two, three]) {
        expectOutcome(dealt, cheated(dealt, 1, "broadcast", flip(at)), "SESSION", "view mismatch")
      }
    })
  }

  test("nonce different for one peer: its confirmation fails first, no check of OT, no ban", () => {
    for (const dealt of [two, three]) {
      const run = cheated(dealt, 1, "broadcast", flip(SIG1B.nonce))
      expectOutcome(dealt, run, "SESSION", "epoch mismatch")
      expect(checksOf(run, roles(dealt).victim)).toEqual([])
    }
  })

  test("kc wrong: epoch mismatch before any check of OT, no ban", () => {
    for (const dealt of [two, three]) {
      const run = cheated(dealt, 1, "direct", flip(SIG1P.confirmation + 31))
      expectOutcome(dealt, run, "SESSION", "epoch mismatch")
      expect(checksOf(run, roles(dealt).victim)).toEqual([])
    }
  })

  // A tree whose nibble is 0 lets u pass into its rows unseen, but u also decides chi.
  for (const [field, at] of [
    ["u, first tree", SIG1P.u],
    ["u, mask bits of the last tree", SIG1P.u + U_LENGTH - 1],
    ["x_hat", SIG1P.xHat + 3],
    ["t_hat", SIG1P.tHat],
    ["t_hat, last byte", SIG1P.length - 1],
  ] as const) {
    test(`${field} altered: BAN of the sender, and nothing of round 2 leaves`, () => {
      for (const dealt of [two, three]) {
        const run = cheated(dealt, 1, "direct", flip(at, 0x10))
        expectOutcome(dealt, run, "BAN", "OT extension")
        expect(checksOf(run, roles(dealt).victim).at(-1)).toBe("checking")
        expect(run.bytesSent.get(roles(dealt).victim)).toBe(96 + (dealt.parties.length - 1) * SIG1P.length)
      }
    })
  }

  test("the commitment of another party, copied: it does not open, FAULT of the copier", () => {
    for (const dealt of [two, three]) {
      const { victim } = roles(dealt)
      let seen: Bytes | undefined
      const name = `copied ${session++}`
      played(
        dealt,
        name,
        (step) => step,
        (m) => {
          if (m.round === 1 && m.kind === "broadcast" && m.from === victim) seen = m.body.slice(SIG1B.commitment)
          return m.body
        },
      )
      const copied = seen
      if (copied === undefined) throw new Error("nothing was heard")
      const run = played(dealt, name, (step) => rewriteBroadcast(step, 1, put(SIG1B.commitment, copied)))
      expectOutcome(dealt, run, "FAULT", "round 2: the commitment does not open")
    }
  })

  test("replay of an earlier session's message under a new sid: epoch mismatch, no check", () => {
    const { victim, cheater } = roles(two)
    let earlier: Bytes | undefined
    const messages = someMessages(two, 1, "replayed")
    const first = signers(two, two.parties, messages, "replay one")
    runAll(first.sid, first.protocols, {
      tamper: (m) => {
        if (m.round === 1 && m.kind === "direct" && m.from === cheater) earlier = m.body
        return m.body
      },
    })
    const second = signers(two, two.parties, messages, "replay two")
    const run = runAll(second.sid, second.protocols, {
      tamper: (m) => (m.round === 1 && m.kind === "direct" && m.from === cheater ? (earlier ?? m.body) : m.body),
    })
    expectOutcome(two, run, "SESSION", "epoch mismatch")
    expect(checksOf(run, victim)).toEqual([])
  })
})

describe("SIG2", () => {
  const rows: readonly [string, Alter, BlameClass, string][] = [
    ["salt not as committed", flip(SIG2P.salt), "FAULT", "round 2: the commitment does not open"],
    ["R not as committed", put(SIG2P.R, otherPoint), "FAULT", "round 2: the commitment does not open"],
    ["R off the curve", put(SIG2P.R, OFF_CURVE), "FAULT", "round 2 direct does not decode"],
    ["R the identity", put(SIG2P.R, NO_POINT), "FAULT", "round 2 direct does not decode"],
    ["pk another point", put(SIG2P.pk, otherPoint), "BAN", "multiplication"],
    ["pk the identity", put(SIG2P.pk, NO_POINT), "FAULT", "round 2 direct does not decode"],
    ["Gu another point", put(SIG2P.Gu, otherPoint), "BAN", "multiplication"],
    ["Gu the identity", put(SIG2P.Gu, NO_POINT), "FAULT", "round 2 direct does not decode"],
    ["Gv another point", put(SIG2P.Gv, otherPoint), "BAN", "multiplication"],
    ["Gv off the curve", put(SIG2P.Gv, OFF_CURVE), "FAULT", "round 2 direct does not decode"],
    ["psi not canonical", put(SIG2P.psi, bigToBe(Q, 32)), "FAULT", "round 2 direct does not decode"],
    ["etap altered", plusOneLe(SIG2P.etap), "BAN", "multiplication"],
    ["etap not canonical", put(SIG2P.etap, bigToLe(Q, 32)), "FAULT", "round 2 direct does not decode"],
    ["mu altered", flip(SIG2P.mu), "BAN", "multiplication"],
    ["ta altered, first entry", plusOneLe(SIG2P.ta), "BAN", "multiplication"],
    ["ta altered, last entry", plusOneLe(SIG2P.ta + 32 * (3 * 416 - 1)), "BAN", "multiplication"],
    [
      "ta not canonical",
      put(SIG2P.ta + 32 * 100, new Uint8Array(32).fill(255)),
      "FAULT",
      "round 2 direct does not decode",
    ],
    ["another party's length", (body) => body.slice(0, -1), "FAULT", "round 2 direct does not decode"],
  ]
  test.each(rows)("%s", (_, alter, kind, reason) => {
    for (const dealt of [two, three]) {
      const run = cheated(dealt, 2, "direct", alter)
      expectOutcome(dealt, run, kind, reason)
      expect(checksOf(run, roles(dealt).victim)).not.toContain("emitted")
    }
  })

  test("psi altered: no signature; FAULT of the one peer, nobody among several", () => {
    expectOutcome(two, cheated(two, 2, "direct", plusOneBe(SIG2P.psi)), "FAULT", "the signature does not verify")
    expectOutcome(three, cheated(three, 2, "direct", plusOneBe(SIG2P.psi)), "SESSION", "the signature does not verify")
  })

  test("a key share that is consistent but not the peer's: the sum of key shares does not fit", () => {
    for (const dealt of [two, three]) {
      const { cheater } = roles(dealt)
      const [message] = someMessages(dealt, 1, "other share")
      if (message === undefined) throw new Error("one message")
      const honest = signers(dealt, dealt.parties, [message], "other share")
      const wrong = signers(dealt, dealt.parties, [{ ...message, tweak: message.tweak + 1n }], "other share")
      const protocols = new Map(honest.protocols).set(cheater, wrong.protocols.get(cheater)!)
      const run = runAll(honest.sid, protocols)
      expectOutcome(dealt, run, dealt === two ? "FAULT" : "SESSION", "the key shares do not add up")
      expect(checksOf(run, roles(dealt).victim)).not.toContain("emitted")
    }
  })

  test("regression 14: an R that is not what was multiplied by, well committed: only c1 sees it", () => {
    for (const dealt of [two, three]) {
      const { cheater } = roles(dealt)
      const x = K1.encodeScalar(dealt.group.members.find(({ party }) => party === cheater)?.shareId ?? 0n)
      const salt = new Uint8Array(32).fill(7)
      const run = played(dealt, `inconsistent ${session++}`, (step, sid) => {
        const committed = rewriteBroadcast(step, 1, (body) => {
          const opening = concat(body.slice(0, 32), otherPoint)
          const speaker = { nodeId: partyBytes(cheater), shareId: x }
          return put(SIG1B.commitment, commitTo(sid, speaker, "sign", opening, salt))(body)
        })
        return rewriteDirects(committed, 2, (body) => put(SIG2P.R, otherPoint)(put(SIG2P.salt, salt)(body)))
      })
      expectOutcome(dealt, run, "BAN", "multiplication")
    }
  })
})

describe("SIG3", () => {
  const rows: readonly [string, Alter][] = [
    ["w altered", plusOneBe(SIG3B.w)],
    ["u altered", plusOneBe(SIG3B.u)],
    ["both zero", put(0, new Uint8Array(64))],
  ]
  test.each(rows)("%s: no signature", (_, alter) => {
    expectOutcome(two, cheated(two, 3, "broadcast", alter), "FAULT", "the signature does not verify")
    expectOutcome(three, cheated(three, 3, "broadcast", alter), "SESSION", "the signature does not verify")
  })

  test("w not canonical: FAULT", () => {
    for (const dealt of [two, three]) {
      const run = cheated(dealt, 3, "broadcast", put(0, bigToBe(Q, 32)))
      expectOutcome(dealt, run, "FAULT", "round 3 broadcast does not decode")
    }
  })

  test("regression 21: a signature turned into its negative verifies, but not with its recovery id: refused", () => {
    const { victim, cheater } = roles(two)
    const said = new Map<PartyId, Bytes>()
    const scalarAt = (body: Bytes, at: number): bigint => beToBig(body.slice(at, at + 32))
    const { sid, protocols } = signers(two, [victim, cheater], someMessages(two, 1, "negated"), "negated")
    // The cheater runs first, so that it has heard the victim before it speaks: it turns the sum of w into -w.
    const inOrder = new Map([cheater, victim].map((party) => [party, protocols.get(party)!]))
    const run = runAll(sid, inOrder, {
      tamper: (m) => {
        if (m.round !== 3) return m.body
        said.set(m.from, m.body)
        const theirs = said.get(victim)
        if (m.from !== cheater) return m.body
        if (theirs === undefined) throw new Error("the cheater spoke first")
        const w = scalarAt(m.body, 0) + 2n * scalarAt(theirs, 0)
        return put(0, bigToBe(K1.mod(-w), 32))(m.body)
      },
    })
    expectOutcome(two, run, "FAULT", "the signature does not verify")
  })

  test("one bad message of a batch ends all of it", () => {
    const { victim, cheater } = roles(two)
    const { sid, protocols } = signers(two, two.parties, someMessages(two, 3, "one of three"), "one of three")
    const run = runAll(sid, protocols, {
      tamper: (m) => (m.round === 3 && m.from === cheater && m.to === victim ? plusOneBe(64)(m.body) : m.body),
    })
    expectOutcome(two, run, "FAULT", "the signature does not verify")
  })
})

describe("state and session", () => {
  const { victim, cheater } = roles(two)
  const withPair = (party: PartyId, change: Partial<GroupSecret["pairs"][number]>): GroupSecret => {
    const secret = two.secrets.get(party)!
    return { ...secret, pairs: secret.pairs.map((state) => ({ ...state, ...change })) }
  }

  test("an old backup on one side (other seed, or other pair id): epoch mismatch, no check, no ban", () => {
    for (const change of [{ zeroSeed: Secret.take(new Uint8Array(32)) }, { pairId: new Uint8Array(32) }]) {
      const { sid, protocols } = signers(two, two.parties, someMessages(two, 1, "old"), `old ${session++}`, {
        secretsOf: (party) => (party === cheater ? withPair(party, change) : two.secrets.get(party)!),
      })
      const run = runAll(sid, protocols)
      for (const party of two.parties) {
        expect(run.outcomes.get(party)).toMatchObject({ kind: "blamed", blame: { kind: "SESSION", parties: [] } })
        expect(checksOf(run, party)).toEqual([])
      }
    }
  })

  test("regression 7: parties that disagree about the session never ban one another", () => {
    const messages = someMessages(two, 1, "two sids")
    const a = signers(two, two.parties, messages, "sid a")
    const b = signers(two, two.parties, messages, "sid b")
    const run = runAll(
      a.sid,
      new Map([
        [victim, a.protocols.get(victim)!],
        [cheater, b.protocols.get(cheater)!],
      ]),
    )
    for (const party of two.parties) {
      expect(run.outcomes.get(party)).toMatchObject({ kind: "blamed", blame: { kind: "SESSION", parties: [] } })
      expect(checksOf(run, party)).toEqual([])
    }
  })

  test("regression 9: a wrong guess of one nibble is a BAN, a right one passes the check", () => {
    const delta = expandAlice(two.secrets.get(victim)!.pairs[0]!.otAlice!.expose()).delta
    for (const right of [true, false]) {
      const nibble = right ? (delta[4] ?? 0) : ((delta[4] ?? 0) + 1) % 16
      const run = guessed(4, nibble)
      const outcome = run.outcomes.get(victim)
      const banned =
        outcome?.kind === "blamed" && outcome.blame.kind === "BAN" && outcome.blame.reason === "OT extension"
      expect(banned).toBe(!right)
      if (right) expect(checksOf(run, victim).slice(0, 2)).toEqual(["checking", "checked"])
    }
  })

  /** The cheater's OT extension message is replaced by the attack's. */
  function guessed(tree: number, nibble: number): Run<readonly MessageSignature[]> {
    const { sid, protocols } = signers(two, two.parties, someMessages(two, 1, "guess"), `guess ${session++}`)
    const state = two.secrets.get(cheater)!.pairs[0]!
    const [x, y] = [cheater, victim].map((party) => {
      const member = two.group.members.find((one) => one.party === party)
      return K1.encodeScalar(member?.shareId ?? 0n)
    }) as [Bytes, Bytes]
    let nonce: Bytes = new Uint8Array(32)
    return runAll(sid, protocols, {
      tamper: (m) => {
        if (m.round !== 1 || m.from !== cheater) return m.body
        if (m.kind === "broadcast") {
          nonce = m.body.slice(0, 32)
          return m.body
        }
        const psid1 = extensionId(sid, state.pairId, x, y, nonce)
        const trees = expandBob(state.otBob!.expose())
        return concat(m.body.slice(0, 32), cheat(trees, psid1, 416, seededRng("cheat"), { tree, nibble }))
      },
    })
  }
})

const BODIES = [
  { round: 1, kind: "broadcast", size: 96 },
  { round: 1, kind: "direct", size: 4272 },
  { round: 2, kind: "direct", size: 40_196 },
  { round: 3, kind: "broadcast", size: 64 },
] as const

test("any byte of any message, altered by its sender: no signature where it arrives, and nobody else is named", () => {
  fc.assert(
    fc.property(
      fc.constantFrom(two, three),
      fc.constantFrom(...BODIES),
      fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
      fc.oneof(
        fc.record({ how: fc.constant("flip" as const), mask: fc.integer({ min: 1, max: 255 }) }),
        fc.record({ how: fc.constant("zero" as const) }),
        fc.record({ how: fc.constant("ones" as const) }),
        fc.record({ how: fc.constant("short" as const) }),
        fc.record({ how: fc.constant("long" as const) }),
      ),
      (dealt, { round, kind, size }, where, alteration) => {
        const at = Math.floor(where * size)
        const alter: Alter = (body) => {
          switch (alteration.how) {
            case "flip":
              return flip(at, alteration.mask)(body)
            case "zero":
              return copy(body).fill(0, at, at + 32)
            case "ones":
              return copy(body).fill(255, at, at + 32)
            case "short":
              return body.slice(0, at)
            case "long":
              return concat(body, new Uint8Array(1))
          }
        }
        let altered = false
        const run = cheated(dealt, round, kind, (body) => {
          const changed = alter(body)
          altered ||= !equal(changed, body)
          return changed
        })
        // Zeros or ones may have been there already.
        fc.pre(altered)
        const { victim, cheater, bystanders } = roles(dealt)
        expect(run.outcomes.get(victim)?.kind).toBe("blamed")
        for (const party of [victim, ...bystanders]) {
          const outcome = run.outcomes.get(party)
          const named = outcome?.kind === "blamed" ? outcome.blame.parties : []
          for (const one of named) expect(one).toBe(cheater)
        }
        // A broadcast or a confirmation is never a reason for a ban.
        const outcome = run.outcomes.get(victim)
        if (kind === "broadcast" && outcome?.kind === "blamed") expect(outcome.blame.kind).not.toBe("BAN")
      },
    ),
    { seed: 10, numRuns: process.env["COSIGNER_LONG"] === "1" ? 3000 : 60 },
  )
}, 600_000)

/** Runs with every step of the cheater rewritten before it leaves: its own view is of what it sent. */
function played(
  dealt: DealtGroup,
  name: string,
  rewrite: (step: ExchangeStep, sid: Bytes) => ExchangeStep,
  tamper: (m: Travelling) => Bytes = (m) => m.body,
): Run<readonly MessageSignature[]> {
  const { cheater } = roles(dealt)
  const { sid, protocols } = signers(dealt, dealt.parties, someMessages(dealt, 1, "played"), name)
  const cheats = rewritten(protocols.get(cheater)!, (step) => rewrite(step, sid))
  return runAll(sid, new Map(protocols).set(cheater, cheats), { tamper })
}

function* rewritten<T>(protocol: Protocol<T>, rewrite: (step: ExchangeStep) => ExchangeStep): Protocol<T> {
  let next = protocol.next()
  while (!next.done) {
    const step = next.value
    next = protocol.next(yield step.kind === "exchange" ? rewrite(step) : step)
  }
  return next.value
}

function rewriteBroadcast(step: ExchangeStep, round: number, alter: Alter): ExchangeStep {
  const { broadcast } = step
  if (step.round !== round || broadcast?.send === undefined) return step
  return { ...step, broadcast: { ...broadcast, send: alter(broadcast.send) } }
}

function rewriteDirects(step: ExchangeStep, round: number, alter: Alter): ExchangeStep {
  const { direct } = step
  if (step.round !== round || direct === undefined) return step
  return { ...step, direct: { ...direct, send: new Map([...direct.send].map(([to, body]) => [to, alter(body)])) } }
}
