import { expect, test } from "bun:test"
import { type Bytes, beToBig, bigToBe, copy, equal, toHex } from "../../src/bytes.ts"
import { type CurveName, curveNamed } from "../../src/crypto/curve.ts"
import { lagrange } from "../../src/crypto/shamir.ts"
import { CosignerError } from "../../src/errors.ts"
import { checkGroup, type GroupPublic } from "../../src/keys/group.ts"
import type { Member, PartyId } from "../../src/keys/party.ts"
import { verifyCertificate } from "../../src/mpc/dkg/certificate.ts"
import { dkg } from "../../src/mpc/dkg/dkg.ts"
import { epochIdOf } from "../../src/mpc/dkg/epoch.ts"
import { GadgetCache } from "../../src/mpc/dkls/pairs.ts"
import type { SessionRecord, Step } from "../../src/mpc/exchange.ts"
import { prepareSession } from "../../src/mpc/host.ts"
import type { DkgSpec, SessionResult } from "../../src/mpc/session.ts"
import { dkgSid } from "../../src/mpc/sid.ts"
import { Secret } from "../../src/secret.ts"
import { ackOf } from "./ackOf.ts"
import { flipped, identityAt, partyAt, runCluster } from "./cluster.ts"
import { membersUpTo } from "./dealer.ts"
import { partyNo, runAll, seededRng } from "./network.ts"
import { dkgSpecs, makeMembers, signSpecs, toSign } from "./specs.ts"

const LONG = process.env["COSIGNER_LONG"] === "1"

/** Shares by party, copied before the protocol wipes them, and the group that all recorded. */
function generate(curve: CurveName, threshold: number, members: readonly Member[], seed: string) {
  const shares = new Map<PartyId, Bytes>()
  const groups: GroupPublic[] = []
  const specs = dkgSpecs(curve, threshold, members)
  const sid = dkgSid(specs[0] as DkgSpec)
  // Without OT: what is asked here is the same on both curves, and a base OT costs 0.1 s per pair.
  const protocols = specs.map(
    (spec) => [spec.self, dkg(spec, sid, undefined, seededRng(`${seed} ${spec.self}`))] as const,
  )
  const run = runAll<SessionResult>(sid, new Map(protocols), {
    onRecord: (party, record) => {
      if (record.kind !== "prepared") return
      shares.set(party, copy(record.secret.share.expose()))
      groups.push(record.group)
    },
  })
  const [group] = groups
  if (group === undefined) throw new Error("nothing was recorded")
  return { run, group, groups, shares }
}

const MATRIX = [
  [2, 2],
  [2, 3],
  [3, 3],
  [3, 5],
  ...(LONG
    ? ([
        [5, 9],
        [22, 32],
      ] as const)
    : []),
] as const

for (const curveName of ["ed25519", "secp256k1"] as const) {
  const curve = curveNamed(curveName)

  test(`${curveName}: every subset of shares is the key, every record is the same, for ids of all sizes`, () => {
    for (const [t, n] of MATRIX) {
      const edges = [1n, curve.order - 1n, 2n, curve.order - 2n, (1n << 251n) + 3n]
      const members = membersUpTo(n).map(({ party, x }, i) => ({ party, x: edges[i] ?? x }))
      const { run, group, groups, shares } = generate(curveName, t, members, `${t} of ${n}`)
      for (const end of run.outcomes.values()) {
        expect(end).toMatchObject({ kind: "done", value: { kind: "epoch", epochId: group.epochId } })
      }
      for (const other of groups) expect(other).toEqual(group)
      checkGroup(group)
      expect(group).toMatchObject({ status: "PREPARED", mode: "keygen", threshold: t })
      for (const signers of [members.slice(0, t), members.slice(n - t)]) {
        const lambdas = lagrange(
          curve,
          signers.map(({ x }) => x),
        )
        const key = signers.reduce(
          (sum, { party }, i) =>
            sum + (lambdas[i] ?? 0n) * (curve.decodeScalar(shares.get(party) ?? new Uint8Array(32)) ?? 0n),
          0n,
        )
        expect(toHex(curve.encodePoint(curve.multiplyBase(key)))).toBe(toHex(group.commitments[0] ?? new Uint8Array(0)))
      }
    }
  })

  test(`${curveName}: other randomness, another session or other members give another key and chain code`, () => {
    const one = generate(curveName, 2, membersUpTo(2), "one").group
    const two = generate(curveName, 2, membersUpTo(2), "two").group
    expect(toHex(one.chainCode)).not.toBe(toHex(two.chainCode))
    expect(toHex(one.commitments[0] ?? one.sid)).not.toBe(toHex(two.commitments[0] ?? two.sid))
    expect(toHex(one.epochId)).not.toBe(toHex(two.epochId))
  })
}

test("deals that cancel out, in any coefficient, end the session, and nobody is named for it", () => {
  const specs = dkgSpecs("secp256k1", 2, membersUpTo(2))
  const sid = dkgSid(specs[0] as DkgSpec)
  const { order } = curveNamed("secp256k1")
  for (const k of [0, 1]) {
    let coefficient = 0n
    const protocols = specs.map(({ self }, i) => {
      const rng = seededRng(`cancelled ${self}`)
      let scalars = 0
      const drawing = (length: number): Bytes => {
        const bytes = rng(length)
        // The first scalars of a dealer are its coefficients; the second dealer's k-th is minus the first one's.
        if (length !== 48 || scalars++ !== k) return bytes
        if (i === 0) coefficient = beToBig(bytes) % order
        return i === 0 ? bytes : bigToBe(order - coefficient, 48)
      }
      return [self, dkg(specs[i] as DkgSpec, sid, undefined, drawing)] as const
    })
    const run = runAll<SessionResult>(sid, new Map(protocols))
    for (const outcome of run.outcomes.values()) {
      expect(outcome).toMatchObject({ kind: "blamed", blame: { kind: "SESSION", reason: "the deals cancel out" } })
    }
    for (const records of run.records.values()) expect(records).toEqual([])
  }
})

test("the epoch id is that of what was recorded", () => {
  const { group } = generate("ed25519", 2, membersUpTo(3), "epoch")
  const [root] = group.commitments
  const expected = epochIdOf(group.sid, group.ackView, root ?? group.sid, group.members, group.chainCode)
  expect(toHex(group.epochId)).toBe(toHex(expected))
})

test("the prepared record comes before the ack, and its secrets are wiped after it", async () => {
  const kept: Secret[] = []
  const runs = await runCluster(dkgSpecs("ed25519", 2, makeMembers(2)), {
    onRecord: (_, record) => {
      if (record.kind === "prepared") kept.push(record.secret.share)
    },
  })
  for (const run of runs.values()) expect(run.log).toEqual(["began", "sent", "sent", "sent", "recorded", "sent"])
  expect(kept).toHaveLength(2)
  for (const secret of kept) expect(() => secret.expose()).toThrow(TypeError)
})

test("an abort wipes everything that the set-up drew, whenever it comes, but for its public nonce", () => {
  const specs = dkgSpecs("ed25519", 2, makeMembers(2))
  const sid = dkgSid(specs[0] as DkgSpec)
  for (const rounds of [1, 2]) {
    const drawn: Bytes[] = []
    const [mine, theirs] = specs.map((spec, i) => {
      const rng = seededRng(`wiped ${i}`)
      return dkg(spec, sid, undefined, (length) => {
        const bytes = rng(length)
        if (i === 0) drawn.push(bytes)
        return bytes
      })
    })
    const answer = (step: IteratorResult<Step, SessionResult> | undefined) => {
      if (step === undefined || step.done || step.value.kind !== "exchange") throw new Error("not a round")
      const { broadcast, direct } = step.value
      return { from: broadcast?.send ?? sid, direct: [...(direct?.send.values() ?? [])][0] ?? sid }
    }
    let steps = [mine?.next(), theirs?.next()]
    const publicNonce = answer(steps[0]).from.slice(0, 32)
    for (let round = 1; round < rounds; round++) {
      const heard = answer(steps[1])
      const inbox = {
        broadcasts: new Map([[partyAt(1), heard.from]]),
        directs: new Map(),
        view: sid,
        originals: new Map(),
      }
      steps = [mine?.next(inbox), undefined]
    }
    mine?.return({ kind: "signatures", signatures: [] })
    const left = drawn.filter((bytes) => bytes.some((byte) => byte !== 0))
    expect(drawn.length).toBeGreaterThan(4)
    expect(left).toEqual([publicNonce])
  }
})

test("a record that is not durable acknowledges nothing", async () => {
  const runs = await runCluster(dkgSpecs("ed25519", 2, makeMembers(2)), {
    onRecord: (party) => {
      if (party === partyAt(0)) throw new Error("disk full")
    },
  })
  expect(runs.get(partyAt(0))?.ending.kind).toBe("crashed")
  expect(runs.get(partyAt(1))?.ending).toMatchObject({ kind: "blamed", blame: { kind: "SESSION" } })
})

// ---- certificates -----------------------------------------------------------------------------------------------------

async function certified(threshold = 2, n = 3, change: Partial<DkgSpec> = {}) {
  const runs = [...(await runCluster(dkgSpecs("ed25519", threshold, makeMembers(n), change))).values()]
  const records = runs.flatMap((run): readonly SessionRecord[] => run.records)
  const [record] = records
  const [first] = runs
  if (record?.kind !== "prepared" || first?.ending.kind !== "done" || first.ending.result.kind !== "epoch") {
    throw new Error("the set-up failed")
  }
  return { group: record.group, certificate: first.ending.result.certificate, runs }
}

test("a certificate proves itself to anybody who has the record, in any order", async () => {
  const { group, certificate, runs } = await certified()
  expect(certificate).toHaveLength(3)
  expect(verifyCertificate(group, certificate)).toBe(true)
  expect(verifyCertificate(group, [...certificate].reverse())).toBe(true)
  for (const { ending } of runs) expect(ending).toMatchObject({ result: { certificate } })
})

test("it is refused with an ack too few, too many, twice, altered, of a stranger, of another session or epoch", async () => {
  const { group, certificate } = await certified()
  const other = await certified(2, 3, { taskId: "another task" })
  const [one, two, three] = certificate as [Bytes, Bytes, Bytes]
  const flippedBit = copy(three)
  flippedBit[60] = (flippedBit[60] ?? 0) ^ 1
  const stranger = ackOf(identityAt(partyAt(4)), group)
  const another = { ...group, epochId: other.group.epochId }
  const bad: readonly (readonly Bytes[])[] = [
    [],
    [one, two],
    [one, two, three, three],
    [one, two, two],
    [one, two, flippedBit],
    [one, two, flipped(three, -1)],
    [one, two, three.slice(0, -1)],
    [one, two, stranger],
    [one, two, three, stranger],
    other.certificate,
    [one, two, ackOf(identityAt(partyAt(2)), another)],
    [one, two, ackOf(identityAt(partyAt(2)), { ...group, sid: other.group.sid })],
    [one, two, ackOf(identityAt(partyAt(2)), { ...group, ackView: other.group.ackView })],
  ]
  for (const acks of bad) expect(verifyCertificate(group, acks)).toBe(false)
  expect(verifyCertificate(another, certificate)).toBe(false)
  expect(verifyCertificate({ ...group, mode: "replace" }, certificate)).toBe(false)
  // The members alone cannot certify a reshare: its dealers have to acknowledge it as well.
  const reshared = { ...group, mode: "replace" } as const
  const byMembers = reshared.members.map(({ party }) => ackOf(identityAt(party), reshared))
  expect(verifyCertificate(reshared, byMembers)).toBe(false)
  expect(verifyCertificate({ ...group, members: group.members.slice(1) }, certificate)).toBe(false)
})

test("an ack made again from the record is the same bytes", async () => {
  const { group, certificate } = await certified()
  for (const { party } of group.members) {
    const again = ackOf(identityAt(party), group)
    expect(certificate.some((ack) => equal(ack, again))).toBe(true)
  }
})

// ---- what no session can be made of -------------------------------------------------------------------------------------

const q = curveNamed("ed25519").order
const three = makeMembers(3)
const [first] = three
const REFUSED: readonly (readonly [string, Partial<DkgSpec>, string])[] = [
  ["threshold 1", { threshold: 1 }, "E-TSK-009"],
  ["a threshold above n", { threshold: 4 }, "E-TSK-009"],
  ["a threshold that is no integer", { threshold: 2.5 }, "E-TSK-009"],
  ["regression 3: id 0", { members: makeMembers(3, [0n, 2n, 3n]) }, "E-TSK-009"],
  ["regression 3: id q", { members: makeMembers(3, [q, 2n, 3n]) }, "E-TSK-009"],
  ["regression 3: an id congruent to another", { members: makeMembers(3, [q + 2n, 2n, 3n]) }, "E-TSK-009"],
  ["regression 3: an id twice", { members: makeMembers(3, [2n, 2n, 3n]) }, "E-TSK-009"],
  ["a member twice", { members: first === undefined ? [] : [...three, { ...first, x: 77n }] }, "E-TSK-009"],
  [
    "33 members",
    { members: Array.from({ length: 33 }, (_, i) => ({ party: partyNo(i), x: BigInt(i + 1) })) },
    "E-TSK-009",
  ],
  ["a group without this node", { members: three.slice(1) }, "E-TSK-008"],
  ["the name of another node", { self: partyAt(1) }, "E-TSK-008"],
]
for (const [what, change, code] of REFUSED) {
  test(`refused before anything is sent: ${what}`, () => {
    const spec = { ...(dkgSpecs("ed25519", 2, three)[0] as DkgSpec), ...change }
    const attempt = () => prepareSession(spec, partyAt(0), new GadgetCache())
    expect(attempt).toThrow(CosignerError)
    expect(attempt).toThrow(expect.objectContaining({ code }))
  })
}

// ---- from set-up to signature ---------------------------------------------------------------------------------------------

test("secp256k1 with its OT set-up: a group of the set-up signs ECDSA and BIP-340", async () => {
  const secrets = new Map<
    PartyId,
    { share: Bytes; pairs: { peer: PartyId; pairId: Bytes; zero: Bytes; a: Bytes; b: Bytes }[] }
  >()
  const groups = new Map<PartyId, GroupPublic>()
  const members = makeMembers(2)
  await runCluster(dkgSpecs("secp256k1", 2, members), {
    onRecord: (party, record) => {
      if (record.kind !== "prepared") return
      groups.set(party, { ...record.group, status: "ACTIVE" })
      secrets.set(party, {
        share: copy(record.secret.share.expose()),
        pairs: record.secret.pairs.map((pair) => ({
          peer: pair.peer,
          pairId: pair.pairId,
          zero: copy(pair.zeroSeed.expose()),
          a: copy(pair.otAlice?.expose() ?? new Uint8Array(0)),
          b: copy(pair.otBob?.expose() ?? new Uint8Array(0)),
        })),
      })
    },
  })
  const group = groups.get(partyAt(0))
  if (group === undefined) throw new Error("no group")
  const secretOf = (party: PartyId) => {
    const secret = secrets.get(party)
    return {
      share: Secret.from(secret?.share ?? new Uint8Array(0)),
      pairs: (secret?.pairs ?? []).map(({ peer, pairId, zero, a, b }) => ({
        peer,
        pairId,
        zeroSeed: Secret.from(zero),
        otAlice: Secret.from(a),
        otBob: Secret.from(b),
      })),
    }
  }
  const dealt = { group, secretKey: 0n, secretOf }
  for (const algorithm of ["ecdsa", "bip340"] as const) {
    const specs = signSpecs(
      dealt,
      algorithm,
      members.map(({ party }) => party),
      [toSign(new Uint8Array(32).fill(5), [1])],
    )
    const runs = await runCluster(specs)
    for (const run of runs.values()) expect(run.ending).toMatchObject({ kind: "done", result: { kind: "signatures" } })
  }
}, 30_000)
