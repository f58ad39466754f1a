import { expect, test } from "bun:test"
import fc from "fast-check"
import * as libsecp256k1 from "tiny-secp256k1"
import { type Bytes, beToBig, bigToBe, equal, fromHex, toHex } from "../../../src/bytes.ts"
import { K1 } from "../../../src/crypto/curve.ts"
import { N_C } from "../../../src/crypto/parameters.ts"
import { isCode } from "../../../src/errors.ts"
import type { GroupSecret } from "../../../src/keys/group.ts"
import type { PartyId } from "../../../src/keys/party.ts"
import { GadgetCache, openPair, readyPairs } from "../../../src/mpc/dkls/pairs.ts"
import { type EcdsaMessage, signerContextOf, take } from "../../../src/mpc/dkls/signerContext.ts"
import type { SessionRecord } from "../../../src/mpc/exchange.ts"
import { prepareSession } from "../../../src/mpc/host.ts"
import type { MessageSignature } from "../../../src/mpc/session.ts"
import { Secret } from "../../../src/secret.ts"
import { codeOf } from "../../keys/codeOf.ts"
import { runAll, seededRng } from "../network.ts"
import { type DealtGroup, dealGroup, messageUnder, signers, someMessages } from "./group.ts"

const LONG = process.env["COSIGNER_LONG"] === "1"
const Q = K1.order

/** Signs, and holds every signer's result against libsecp256k1. */
function signAndVerify(dealt: DealtGroup, who: readonly PartyId[], messages: readonly EcdsaMessage[], seed: string) {
  const { sid, protocols } = signers(dealt, who, messages, seed)
  const run = runAll(sid, protocols)
  const all: (readonly MessageSignature[])[] = []
  for (const outcome of run.outcomes.values()) {
    if (outcome.kind !== "done") throw outcome.kind === "blamed" ? outcome.blame : new Error(outcome.kind)
    all.push(outcome.value)
  }
  for (const results of all) expect(results).toEqual([...(all[0] ?? [])])
  for (const [n, result] of (all[0] ?? []).entries()) verifyElsewhere(messages[n]!, result)
  return { run, results: all[0] ?? [] }
}

function verifyElsewhere(
  { digest, publicKey }: EcdsaMessage,
  { signature, recoveryId, publicKey: key }: MessageSignature,
) {
  expect(equal(key, publicKey)).toBe(true)
  expect(libsecp256k1.verify(digest, publicKey, signature, true)).toBe(true)
  expect(beToBig(signature.subarray(32)) <= Q >> 1n).toBe(true)
  const recovered = libsecp256k1.recover(digest, signature, recoveryId as 0 | 1 | 2 | 3, true)
  expect(recovered !== null && equal(recovered, publicKey)).toBe(true)
}

function subsets<T>(items: readonly T[], size: number): T[][] {
  if (size === 0) return [[]]
  return items.flatMap((item, i) => subsets(items.slice(i + 1), size - 1).map((rest) => [item, ...rest]))
}

const MATRIX: readonly [number, number, readonly bigint[] | undefined][] = [
  [2, 2, [1n, Q - 1n]],
  [2, 3, [Q - 1n, Q - 2n, 1n]],
  [3, 3, undefined],
  [3, 5, [5n, 4n, (1n << 255n) + 17n, 1n << 128n, Q >> 1n]],
  [5, 9, undefined],
]

test.each(MATRIX)(
  "%i of %i: every subset signs, whatever the share ids",
  (t, n, ids) => {
    const dealt = dealGroup(t, n, `matrix ${t} ${n}`, ids)
    const all = subsets(dealt.parties, t)
    // Every subset of the large group takes minutes; the short run takes the first, the last and two between.
    const chosen = LONG || all.length <= 10 ? all : [0, 41, 83, all.length - 1].flatMap((i) => all.slice(i, i + 1))
    for (const [i, who] of chosen.entries()) {
      signAndVerify(dealt, who, someMessages(dealt, 1 + (i % 2), `${t} ${n} ${i}`), `subset ${t} ${n} ${i}`)
    }
  },
  600_000,
)

const pair = dealGroup(2, 3, "pair")
const [one, two, three] = pair.parties as [PartyId, PartyId, PartyId]

test("the largest batch, 32 under different keys", () => {
  const { results } = signAndVerify(pair, [one, three], someMessages(pair, 32, "batch"), "batch")
  expect(new Set(results.map(({ signature }) => toHex(signature.subarray(0, 32)))).size).toBe(32)
}, 60_000)

test("the records: every check is opened and closed per peer, and round 3 leaves only after it is on record", () => {
  const { run } = signAndVerify(pair, [one, two], someMessages(pair, 1, "records"), "records")
  const kinds: SessionRecord["kind"][] = ["checking", "checked", "checking", "checked", "emitted"]
  expect(run.records.get(one)?.map(({ kind }) => kind)).toEqual(kinds)
  for (const record of run.records.get(two) ?? []) if ("peer" in record) expect(record.peer).toBe(one)
})

test("traffic: with 128 base OTs both parties together send less than 100 kB for one signature", () => {
  const { run } = signAndVerify(pair, [two, three], someMessages(pair, 1, "traffic"), "traffic")
  expect([...run.bytesSent.values()].reduce((a, b) => a + b)).toBe(2 * (96 + 48 + 33 * N_C + 40_196 + 64))
})

const EDGES = [0n, 1n, Q - 1n, Q, Q + 1n, (1n << 256n) - 1n, 1n << 255n]
const digests = fc.oneof(fc.bigInt({ min: 0n, max: (1n << 256n) - 1n }), fc.constantFrom(...EDGES))
const tweaks = fc.oneof(fc.bigInt({ min: 0n, max: Q - 1n }), fc.constantFrom(0n, 1n, Q - 1n))

test("any digest and any tweak: what comes out verifies in libsecp256k1, low-s, with the right recovery id", () => {
  let session = 0
  fc.assert(
    fc.property(
      fc.array(fc.tuple(digests, tweaks), { minLength: 1, maxLength: LONG ? 16 : 3 }),
      fc.constantFrom([one, two], [one, three], [two, three]),
      (batch, who) => {
        const messages = batch.map(([digest, tweak]) => messageUnder(pair, tweak, bigToBe(digest, 32)))
        signAndVerify(pair, who, messages, `property ${session++}`)
      },
    ),
    { seed: 20, numRuns: LONG ? 400 : 12 },
  )
}, 600_000)

test("digests 0, q-1, q and 2^256-1 in one batch", () => {
  const messages = EDGES.map((digest) => messageUnder(pair, 3n, bigToBe(digest, 32)))
  signAndVerify(pair, [one, two], messages, "edges")
})

test("zero shares: additive key shares are new in every session, and still add up to the key", () => {
  const messages = [messageUnder(pair, 0n, new Uint8Array(32))]
  const keySharesIn = (seed: string) => {
    const { sid, protocols } = signers(pair, [one, two], messages, seed)
    const shown = new Map<PartyId, string>()
    runAll(sid, protocols, {
      tamper: ({ round, from, body }) => {
        // pk follows the salt and R in SIG2-P.
        if (round === 2) shown.set(from, toHex(body.subarray(65, 98)))
        return body
      },
    })
    return [...shown.values()].sort()
  }
  const [a, b] = [keySharesIn("zero a"), keySharesIn("zero b")]
  expect(new Set([...a, ...b]).size).toBe(4)
  const [first, second] = a.map((hex) => K1.decodePoint(fromHex(hex)!)!)
  expect(K1.equals(K1.add(first!, second!), K1.multiplyBase(pair.key))).toBe(true)
})

test("nonces that cancel out end the session, and nobody is named for it", () => {
  const messages = someMessages(pair, 1, "cancel")
  let r = 0n
  const { sid, protocols } = signers(pair, [one, two], messages, "cancel", {
    rngOf: (party, rng) => {
      let draws = 0
      return (length) => {
        const bytes = rng(length)
        // The first draw of a signer is its r; the second signer's is minus the first one's.
        if (draws++ > 0) return bytes
        if (party === one) r = beToBig(bytes) % Q
        return party === one ? bytes : bigToBe(Q - r, 48)
      }
    },
  })
  const run = runAll(sid, protocols)
  for (const outcome of run.outcomes.values()) {
    expect(outcome).toMatchObject({ kind: "blamed", blame: { kind: "SESSION", reason: "the nonces cancel out" } })
  }
  for (const records of run.records.values()) expect(records.map(({ kind }) => kind)).not.toContain("emitted")
})

test("an abort wipes everything that the session drew, whenever it comes, but for its public nonce", () => {
  const messages = someMessages(pair, 2, "wiped")
  for (const last of [1, 2, 3]) {
    const drawn: Bytes[] = []
    const { sid, protocols } = signers(pair, [one, two], messages, "wiped", {
      rngOf: (party, rng) => (length) => {
        const bytes = rng(length)
        if (party === one) drawn.push(bytes)
        return bytes
      },
    })
    const heard: Bytes[] = []
    runAll(sid, protocols, {
      tamper: (m) => {
        if (m.round === 1 && m.kind === "broadcast" && m.from === one) heard.push(m.body.slice(0, 32))
        // In its last round the other one says nothing that decodes.
        return m.round === last && m.from === two ? new Uint8Array(0) : m.body
      },
    })
    expect(drawn.length).toBeGreaterThan(7)
    const left = drawn.filter((bytes) => bytes.some((byte) => byte !== 0))
    // The weights of a check are nobody's secret once it is over.
    expect(left.filter(({ length }) => length !== 16)).toEqual([heard[0]!])
  }
})

// ---- what must not start -----------------------------------------------------------------------------------------

function start(who: readonly PartyId[], secret: GroupSecret, count = 1): unknown {
  try {
    const messages = someMessages(pair, count, "refused")
    return signers(pair, who, messages, "refused", { secretsOf: () => secret })
      .protocols.get(one)
      ?.next()
  } catch (error) {
    return error
  }
}
const own = (): GroupSecret => pair.secrets.get(one)!

test("regression 24: any number of signers but t is refused, and so is a stranger or a repeated one", () => {
  for (const who of [[one], [one, two, three], [one, one]]) expect(isCode(start(who, own()), "E-TSK-009")).toBe(true)
  expect(isCode(start([one, "ff".repeat(32) as PartyId], own()), "E-TSK-009")).toBe(true)
})

test("regression 23: a share that is not the record's is refused before a session is made of it", () => {
  const spec = {
    protocol: "sign" as const,
    ...{ taskId: "task", attempt: 1, algorithm: "ecdsa" as const, self: one, signers: [one, two], group: pair.group },
    messages: [{ path: [], message: new Uint8Array(32), taproot: undefined }],
  }
  const other = Secret.from(bigToBe(beToBig(own().share.expose()) ^ 1n, 32))
  const prepare = (secret: GroupSecret) => () => prepareSession({ ...spec, secret }, one, new GadgetCache())
  expect(prepare(own())).not.toThrow()
  expect(codeOf(prepare({ ...own(), share: other }))).toBe("E-KEY-008")
})

test("regression 19: without OT state there is no way to sign with that peer, with others there is", () => {
  const blocked: GroupSecret = {
    ...own(),
    pairs: own().pairs.map((state) =>
      state.peer === two ? { ...state, otAlice: undefined, otBob: undefined } : state,
    ),
  }
  const refusal = start([one, two], blocked)
  expect(isCode(refusal, "E-TSK-013") && refusal.data.peers).toEqual([two])
  const { protocols } = signers(pair, [three, one], someMessages(pair, 1, "others"), "others", {
    secretsOf: (party) => (party === one ? blocked : pair.secrets.get(party)!),
  })
  expect(protocols.get(one)?.next()).toMatchObject({ done: false })
})

test("OT state of another number of base OTs is no OT state", () => {
  for (const [role, length] of [
    ["otAlice", 32 + 129 * (N_C / 2)],
    ["otBob", 32 + 64 * (N_C / 2)],
  ] as const) {
    const other: GroupSecret = {
      ...own(),
      pairs: own().pairs.map((state) => ({ ...state, [role]: Secret.take(new Uint8Array(length)) })),
    }
    const refusal = start([one, two], other)
    expect(isCode(refusal, "E-TSK-013") && refusal.data.peers).toEqual([two])
  }
})

test("a batch of more than 32 is the caller's to split", () => {
  expect(start([one, two], own(), 33)).toBeInstanceOf(RangeError)
})

test("the pairs of a signer are wiped with its session", () => {
  const messages = someMessages(pair, 1, "signer")
  const context = {
    ...{ sid: new Uint8Array(32), self: one, group: pair.group, secret: own(), signers: [one, two], messages },
    ...{ rng: seededRng("signer"), gadgets: new GadgetCache() },
  }
  const scope = new DisposableStack()
  const secrets = take(signerContextOf(context), scope).pairs.flatMap(({ bob, alice }) => [bob.leaves, alice.leaves])
  expect(secrets).toHaveLength(2)
  for (const bytes of secrets) expect(bytes.some((byte) => byte !== 0)).toBe(true)
  scope.dispose()
  for (const bytes of secrets) expect(bytes.every((byte) => byte === 0)).toBe(true)
})

test("an open pair wipes its leaves and Delta", () => {
  const members = pair.group.members
  const [ready] = readyPairs(own(), [members[1]!])
  const open = openPair(ready!, K1.encodeScalar(members[0]!.shareId), new GadgetCache())
  expect(open.alice.leaves.some((byte) => byte !== 0)).toBe(true)
  open[Symbol.dispose]()
  for (const bytes of [open.bob.leaves, open.alice.leaves, open.alice.delta]) {
    expect(bytes.every((byte) => byte === 0)).toBe(true)
  }
})
