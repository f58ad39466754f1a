import { expect, test } from "bun:test"
import { createPublicKey, verify } from "node:crypto"
import type { FROST } from "@noble/curves/abstract/frost.js"
import { ed25519_FROST } from "@noble/curves/ed25519.js"
import { schnorr, schnorr_FROST } from "@noble/curves/secp256k1.js"
import fc from "fast-check"
import { type Bytes, concat, copy, fromHex, toHex, utf8 } from "../../src/bytes.ts"
import { type Curve, ED, K1 } from "../../src/crypto/curve.ts"
import { sha256 } from "../../src/crypto/frame.ts"
import { evaluate } from "../../src/crypto/shamir.ts"
import { deriveTweak } from "../../src/keys/derive.ts"
import type { Member, PartyId } from "../../src/keys/party.ts"
import { NoncePair } from "../../src/mpc/frost/nonces.ts"
import { type FrostRequest, frostSign } from "../../src/mpc/frost/sign.ts"
import { ED25519_SHA512, SECP256K1_SHA256_TR, type Suite } from "../../src/mpc/frost/suite.ts"
import type { Algorithm, MessageSignature, MessageToSign } from "../../src/mpc/session.ts"
import { membersOf } from "../../src/mpc/sid.ts"
import { signingKeys, signingPoint, signingScalar } from "../../src/mpc/signingKey.ts"
import { Secret } from "../../src/secret.ts"
import vectors from "../vectors/frost.json"
import { type DealtGroup, dealGroup, membersUpTo } from "./dealer.ts"
import { partyNo, runAll, seededRng, type Travelling } from "./network.ts"

const SID = new Uint8Array(32).fill(9)
const hex = (text: string): Bytes => fromHex(text) ?? new Uint8Array(0)

interface Way {
  readonly algorithm: Algorithm
  readonly suite: Suite
  readonly curve: Curve
  readonly noble: FROST
}
const EDDSA: Way = { algorithm: "eddsa", suite: ED25519_SHA512, curve: ED, noble: ed25519_FROST }
const BIP340: Way = { algorithm: "bip340", suite: SECP256K1_SHA256_TR, curve: K1, noble: schnorr_FROST }
const WAYS = [EDDSA, BIP340]

const message = (text: string, path: readonly number[] = [], taproot?: Bytes): MessageToSign => ({
  path,
  message: sha256(utf8(text)),
  taproot,
})

function signAll(
  way: Way,
  dealt: DealtGroup,
  signers: readonly Member[],
  messages: readonly MessageToSign[],
  tamper?: (message: Travelling) => Bytes,
) {
  const keys = signingKeys(dealt.group, way.algorithm, messages)
  const requests = messages.flatMap(({ message }, n): FrostRequest[] => {
    const key = keys[n]
    return key === undefined ? [] : [{ key, message }]
  })
  const protocols = signers.map(({ party }) => {
    const session = {
      suite: way.suite,
      self: party,
      signers,
      commitments: dealt.group.commitments,
      share: dealt.secretOf(party).share,
      requests,
      digest: SID,
      rng: seededRng(`${party} ${dealt.group.groupId}`),
    }
    return [party, frostSign(session)] as const
  })
  return runAll<readonly MessageSignature[]>(SID, new Map(protocols), tamper && { tamper, ignoreViews: true })
}

function signatures(...parameters: Parameters<typeof signAll>): readonly MessageSignature[] {
  const all = [...signAll(...parameters).outcomes.values()].map((end) => {
    if (end.kind !== "done") throw new Error(end.kind === "blamed" ? end.blame.message : end.kind)
    return end.value
  })
  for (const one of all) expect(one).toEqual(all[0] ?? [])
  return all[0] ?? []
}

/** By OpenSSL for Ed25519; BIP-340 has no second implementation at hand but noble's verifier. */
function isValid(way: Way, signed: MessageSignature | undefined, message: Bytes): boolean {
  if (signed === undefined) return false
  if (way.algorithm === "bip340") return schnorr.verify(signed.signature, message, signed.publicKey)
  const spki = concat(hex("302a300506032b6570032100"), signed.publicKey)
  const key = createPublicKey({ key: Buffer.from(spki), format: "der", type: "spki" })
  return verify(null, message, key, signed.signature)
}

// ---- vectors --------------------------------------------------------------------------------------------------------

for (const vector of vectors) {
  test(`${vector.suite}: commitments, shares and signature of ${vector.source}`, () => {
    const { suite, curve, algorithm } = vector.suite.includes("Ed25519") ? EDDSA : BIP340
    const polynomial = [vector.secretKey, vector.coefficient].map((text) => curve.decodeScalar(hex(text)) ?? 0n)
    const commitments = polynomial.map((coefficient) => curve.encodePoint(curve.multiplyBase(coefficient)))
    expect(toHex(commitments[0] ?? SID)).toBe(vector.publicKey)
    const members = vector.signers.map(({ id }) => ({ party: partyNo(id), x: BigInt(id) }))
    const group = { ...dealGroup(curve.name, 2, membersUpTo(3), "vector").group, commitments }
    const [key] = signingKeys(group, algorithm, [{ path: [], taproot: undefined }])
    if (key === undefined) throw new Error("no key")
    const sent = new Map<string, string>()
    const protocols = vector.signers.map((signer) => {
      expect(toHex(curve.encodeScalar(evaluate(curve, polynomial, BigInt(signer.id))))).toBe(signer.share)
      const draws = [hex(signer.hidingRandomness), hex(signer.bindingRandomness), new Uint8Array(32)]
      const self = partyNo(signer.id)
      const share = Secret.from(hex(signer.share))
      const requests = [{ key, message: hex(vector.message) }]
      const rng = () => draws.shift() ?? new Uint8Array(32)
      return [
        self,
        frostSign({ suite, self, signers: members, commitments, share, requests, digest: SID, rng }),
      ] as const
    })
    const { outcomes } = runAll(SID, new Map(protocols), {
      tamper: ({ round, from, body }) => {
        sent.set(`${round} ${from}`, toHex(body))
        return body
      },
    })
    for (const signer of vector.signers) {
      const self = partyNo(signer.id)
      expect(sent.get(`1 ${self}`)?.slice(64)).toBe(signer.hidingCommitment + signer.bindingCommitment)
      expect(sent.get(`2 ${self}`)).toBe(signer.signatureShare)
      const end = outcomes.get(self)
      expect(end?.kind === "done" && toHex(end.value[0]?.signature ?? SID)).toBe(vector.signature)
    }
  })
}

// ---- against another implementation -----------------------------------------------------------------------------------

for (const way of WAYS) {
  const { curve, noble, algorithm, suite } = way

  test(`${algorithm}: our nonces and shares are noble's: either side's can be aggregated with the other's`, () => {
    const dealt = dealGroup(curve.name, 2, membersUpTo(3), "interop")
    const [one, two] = membersOf(dealt.group)
    if (one === undefined || two === undefined) throw new Error("no members")
    const text = message("interop", [1, 2])
    const [key] = signingKeys(dealt.group, algorithm, [text])
    if (key === undefined) throw new Error("no key")
    const idOf = (member: Member) => toHex(curve.encodeScalar(member.x))
    const pub = {
      signers: { min: 2, max: 3 },
      commitments: [key.encoded, ...dealt.group.commitments.slice(1)],
      verifyingShares: Object.fromEntries(
        dealt.group.members.map((member) => {
          const point = curve.decodePoint(member.sharePublicKey)
          return [
            toHex(curve.encodeScalar(member.shareId)),
            point === undefined ? SID : curve.encodePoint(signingPoint(curve, key, point)),
          ]
        }),
      ),
    }
    const theirs = {
      identifier: idOf(two),
      signingShare: curve.encodeScalar(
        signingScalar(curve, key, curve.decodeScalar(dealt.secretOf(two.party).share.expose()) ?? 0n),
      ),
    }
    const { nonces, commitments } = noble.commit(theirs)

    // Party one is ours; party two answers with what noble makes.
    const ours = frostSign({
      suite,
      self: one.party,
      signers: [one, two],
      commitments: dealt.group.commitments,
      share: dealt.secretOf(one.party).share,
      requests: [{ key, message: text.message }],
      digest: SID,
      rng: seededRng("interop"),
    })
    const answer = (round: number, body: Bytes) => ({
      broadcasts: new Map([[two.party, body]]),
      directs: new Map(),
      view: SID,
      originals: new Map(),
      round,
    })
    const first = ours.next()
    const sent = first.done || first.value.kind !== "exchange" ? SID : (first.value.broadcast?.send ?? SID)
    const length = curve.pointLength
    const list = [
      { identifier: idOf(one), hiding: sent.slice(32, 32 + length), binding: sent.slice(32 + length) },
      commitments,
    ]
    const theirShare = noble.signShare(theirs, pub, nonces, list, text.message)
    ours.next(answer(1, concat(new Uint8Array(32), copy(commitments.hiding), copy(commitments.binding))))
    const second = ours.next(answer(1, SID))
    const ourShare = second.done || second.value.kind !== "exchange" ? SID : (second.value.broadcast?.send ?? SID)
    expect(noble.verifyShare(pub, list, text.message, idOf(one), ourShare)).toBe(true)
    const theirSignature = noble.aggregate(pub, list, text.message, { [idOf(one)]: ourShare, [idOf(two)]: theirShare })
    const last = ours.next(answer(2, copy(theirShare)))
    expect(last.done && toHex(last.value[0]?.signature ?? SID)).toBe(toHex(copy(theirSignature)))
  })

  test(`${algorithm}: every threshold, every subset at the edges, ids of all sizes`, () => {
    const q = curve.order
    const ids = [1n, q - 1n, 2n, (1n << 128n) + 1n, q >> 1n]
    for (const [t, n] of [
      [2, 2],
      [2, 3],
      [3, 3],
      [3, 5],
    ] as const) {
      const members = ids.slice(0, n).map((x, i) => ({ party: partyNo(i + 1), x }))
      const dealt = dealGroup(curve.name, t, members, `matrix ${t} ${n}`)
      for (const signers of [members.slice(0, t), members.slice(n - t)]) {
        const text = message(`${t} ${n}`, [7])
        expect(isValid(way, signatures(way, dealt, signers, [text])[0], text.message)).toBe(true)
      }
    }
  })

  test(`${algorithm}: twelve paths in one session: each verifies under the key that anybody derives`, () => {
    const dealt = dealGroup(curve.name, 2, membersUpTo(3), "paths")
    const signers = membersOf(dealt.group).slice(1)
    const messages = Array.from({ length: 12 }, (_, i) => message(`path ${i}`, i === 0 ? [] : [44, i]))
    const signed = signatures(way, dealt, signers, messages)
    const parities = new Set<number>()
    const [root] = dealt.group.commitments
    for (const [n, { path, message }] of messages.entries()) {
      const derived = deriveTweak(curve.name, root ?? SID, dealt.group.chainCode, path).publicKey
      parities.add(derived[0] ?? 0)
      const expected = algorithm === "bip340" ? derived.slice(1) : derived
      expect(toHex(signed[n]?.publicKey ?? SID)).toBe(toHex(expected))
      expect(isValid(way, signed[n], message)).toBe(true)
      expect(isValid(way, signed[n], sha256(message))).toBe(false)
    }
    if (algorithm === "bip340") expect([...parities].sort()).toEqual([2, 3])
    expect(new Set(signed.map(({ signature }) => toHex(signature.subarray(0, 32)))).size).toBe(12)
  })

  test(`${algorithm}: a wrong share names its sender, alone or among several, and nobody gets a signature`, () => {
    const dealt = dealGroup(curve.name, 3, membersUpTo(3), "cheats")
    const signers = membersOf(dealt.group)
    const [a, b, c] = signers.map(({ party }) => party) as [PartyId, PartyId, PartyId]
    for (const cheats of [[b], [b, c]]) {
      for (const at of [0, 1]) {
        const { outcomes } = signAll(
          way,
          dealt,
          signers,
          [message("x"), message("y", [3])],
          ({ round, from, body }) => {
            if (round !== 2 || !cheats.includes(from)) return body
            const z = body.subarray(32 * at, 32 * at + 32)
            z.set(curve.encodeScalar((curve.decodeScalar(z) ?? 0n) + 1n))
            return body
          },
        )
        expect(outcomes.get(a)).toMatchObject({ kind: "blamed", blame: { kind: "FAULT", parties: cheats } })
      }
    }
  })
}

test("eddsa: messages of any length, the empty one included, by RFC 8032's verifier", () => {
  const dealt = dealGroup("ed25519", 2, membersUpTo(2), "lengths")
  const signers = membersOf(dealt.group)
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 2000 }), (bytes) => {
      const text: MessageToSign = { path: [1], message: Uint8Array.from(bytes), taproot: undefined }
      expect(isValid(EDDSA, signatures(EDDSA, dealt, signers, [text])[0], text.message)).toBe(true)
    }),
    { seed: 8032, numRuns: 8, examples: [[new Uint8Array(0)]] },
  )
})

test("bip340: Taproot output keys of both parities, with and without a merkle root, are BIP-341's", () => {
  const root = sha256(utf8("scripts"))
  const parities = new Set<string>()
  for (let i = 0; i < 6; i++) {
    const dealt = dealGroup("secp256k1", 2, membersUpTo(3), `taproot ${i}`)
    const messages = [
      message("none", [86, i]),
      message("key path", [86, i], new Uint8Array(0)),
      message("tree", [86, i], root),
    ]
    const signed = signatures(BIP340, dealt, membersOf(dealt.group).slice(0, 2), messages)
    const internal = deriveTweak("secp256k1", dealt.group.commitments[0] ?? SID, dealt.group.chainCode, [
      86,
      i,
    ]).publicKey
    const x = internal.slice(1)
    for (const [n, merkle] of [undefined, new Uint8Array(0), root].entries()) {
      // BIP-341's taproot_tweak_pubkey, written out with noble's pieces alone.
      const lifted = schnorr.Point.fromBytes(concat(Uint8Array.of(2), x))
      const t = BigInt(`0x${toHex(copy(schnorr.utils.taggedHash("TapTweak", x, merkle ?? SID)))}`)
      const Q = merkle === undefined ? lifted : lifted.add(schnorr.Point.BASE.multiply(t))
      if (merkle !== undefined) parities.add(`${internal[0]} ${Q.toBytes()[0]}`)
      expect(toHex(signed[n]?.publicKey ?? SID)).toBe(toHex(copy(Q.toBytes()).slice(1)))
      expect(isValid(BIP340, signed[n], messages[n]?.message ?? SID)).toBe(true)
    }
  }
  expect(parities.size).toBe(4)
})

test("bip340: the wallet vectors of BIP-341 give the same output keys", () => {
  const given: readonly (readonly [string, string, string])[] = [
    [
      "d6889cb081036e0faefa3a35157ad71086b123b2b144b649798b494c300a961d",
      "",
      "53a1f6e454df1aa2776a2814a721372d6258050de330b3c6d10ee8f4e0dda343",
    ],
    [
      "187791b6f712a8ea41c8ecdd0ee77fab3e85263b37e1ec18a3651926b3a6cf27",
      "5b75adecf53548f3ec6ad7d78383bf84cc57b55a3127c72b9a2481752dd88b21",
      "147c9c57132f6e7ecddba9800bb0c4449251c92a1e60371ee77557b6620f3ea3",
    ],
    [
      "93478e9488f956df2396be2ce6c5cced75f900dfa18e7dabd2428aae78451820",
      "c525714a7f49c28aedbbba78c005931a81c234b2f6c99a73e4d06082adc8bf2b",
      "e4d810fd50586274face62b8a807eb9719cef49c04177cc6b76a9a4251d5450e",
    ],
  ]
  const group = dealGroup("secp256k1", 2, membersUpTo(2), "bip341").group
  for (const [internal, merkle, output] of given) {
    const commitments = [concat(Uint8Array.of(3), hex(internal))]
    const [key] = signingKeys({ ...group, commitments }, "bip340", [{ path: [], taproot: hex(merkle) }])
    expect(toHex(key?.publicKey ?? SID)).toBe(output)
  }
})

// ---- nonces -----------------------------------------------------------------------------------------------------------

test("a nonce pair is taken once, and is gone after its session", () => {
  const pair = new NoncePair(ED25519_SHA512, 5n, seededRng("once"))
  const bound = pair.bound(7n)
  const { d, e } = pair.take()
  expect(ED.equals(bound, ED.add(pair.points.D, ED.multiplyPublic(pair.points.E, 7n)))).toBe(true)
  expect(ED.equals(pair.points.D, ED.multiplyBase(d)) && ED.equals(pair.points.E, ED.multiplyBase(e))).toBe(true)
  expect(() => pair.take()).toThrow(TypeError)
  expect(() => pair.bound(7n)).toThrow(TypeError)
  const disposed = new NoncePair(ED25519_SHA512, 5n, seededRng("disposed"))
  disposed[Symbol.dispose]()
  expect(() => disposed.take()).toThrow(TypeError)
})

test("nonces are hedged: one random stream under two shares, or one share under two streams, gives other nonces", () => {
  const D = (share: bigint, seed: string) =>
    toHex(ED.encodePoint(new NoncePair(ED25519_SHA512, share, seededRng(seed)).points.D))
  expect(new Set([D(5n, "a"), D(6n, "a"), D(5n, "b")]).size).toBe(3)
  expect(D(5n, "a")).toBe(D(5n, "a"))
})

test("regression 16: no signature share leaves without everybody's commitments, and only after it is on record", () => {
  const dealt = dealGroup("ed25519", 2, membersUpTo(2), "ros")
  const [self] = membersOf(dealt.group)
  const signing = frostSign({
    suite: ED25519_SHA512,
    self: self?.party ?? partyNo(1),
    signers: membersOf(dealt.group),
    commitments: dealt.group.commitments,
    share: dealt.secretOf(partyNo(1)).share,
    requests: signingKeys(dealt.group, "eddsa", [message("x")]).map((key) => ({ key, message: SID })),
    digest: SID,
    rng: seededRng("ros"),
  })
  signing.next()
  const empty = { broadcasts: new Map(), directs: new Map(), view: SID, originals: new Map() }
  expect(() => signing.next(empty)).toThrow(TypeError)
  expect(signing.next(empty).done).toBe(true)
  const { records } = signAll(EDDSA, dealt, membersOf(dealt.group), [message("x")])
  for (const items of records.values()) expect(items).toEqual([{ kind: "emitted", digest: SID }])
})
