/** Resharing between honest nodes: whoever stays, leaves or comes, the key and the chain code stay, and nothing else does. */
import { expect, test } from "bun:test"
import { toHex } from "../../../src/bytes.ts"
import { type CurveName, curveNamed } from "../../../src/crypto/curve.ts"
import { checkGroup, type GroupSecret } from "../../../src/keys/group.ts"
import { decodeGroupSecret, encodeGroupSecret } from "../../../src/keys/groupCodec.ts"
import type { Member, PartyId } from "../../../src/keys/party.ts"
import { verifyCertificate } from "../../../src/mpc/dkg/certificate.ts"
import { GadgetCache } from "../../../src/mpc/dkls/pairs.ts"
import { prepareSession } from "../../../src/mpc/host.ts"
import { reshare } from "../../../src/mpc/reshare/reshare.ts"
import type { ReshareSpec, SessionResult } from "../../../src/mpc/session.ts"
import { reshareSid } from "../../../src/mpc/sid.ts"
import { partyAt, runCluster } from "../cluster.ts"
import { type DealtGroup, dealGroup } from "../dealer.ts"
import { runAll, seededRng } from "../network.ts"
import { makeMembers, signSpecs, toSign } from "../specs.ts"
import { Kept, type Members, reshareSpecs } from "./specs.ts"

const at = (...indices: readonly number[]): readonly PartyId[] => indices.map(partyAt)
const membersAt = (...indices: readonly number[]): readonly Member[] =>
  makeMembers(6).filter(({ party }) => at(...indices).includes(party))

/** The protocol alone, without OT: what is asked here is the same on both curves. */
function run(old: DealtGroup, members: Members, change: Partial<ReshareSpec> = {}): Kept {
  const specs = reshareSpecs(old, members, change)
  const kept = new Kept()
  const [first] = specs
  if (first === undefined) throw new Error("nobody takes part")
  const sid = reshareSid(first)
  const protocols = specs.map(
    (spec) => [spec.self, reshare(spec, sid, undefined, seededRng(`${toHex(sid)} ${spec.self}`))] as const,
  )
  const { outcomes } = runAll<SessionResult>(sid, new Map(protocols), { onRecord: kept.onRecord })
  const group = kept.group()
  expect(outcomes.size).toBe(specs.length)
  for (const end of outcomes.values()) {
    expect(end).toMatchObject({ kind: "done", value: { kind: "epoch", epochId: group.epochId } })
  }
  return kept
}

/** Same key and chain code under a new polynomial of the new degree, which every choice of threshold members knows. */
function expectReshared(old: DealtGroup, kept: Kept, members: Members): void {
  const group = kept.group()
  checkGroup(group)
  expect(group.commitments[0]).toEqual(old.group.commitments[0])
  expect(group.chainCode).toEqual(old.group.chainCode)
  expect(group.threshold).toBe(members.threshold)
  expect(group.members.map(({ party }) => party)).toEqual(members.members.map(({ party }) => party).sort())
  expect([...kept.shares.keys()].sort()).toEqual(members.members.map(({ party }) => party).sort())
  expect(group.parent).toEqual({ groupId: old.group.groupId, epochId: old.group.epochId, dealers: members.dealers })
  const parties = members.members.map(({ party }) => party)
  expect(kept.key(parties.slice(0, members.threshold))).toBe(old.secretKey)
  expect(kept.key(parties.slice(-members.threshold))).toBe(old.secretKey)
  expect(kept.key(parties.slice(0, members.threshold - 1))).not.toBe(old.secretKey)
  for (const commitment of group.commitments.slice(1)) expect(old.group.commitments).not.toContainEqual(commitment)
}

const CASES: readonly (readonly [string, { t: number; members: readonly number[] }, Members])[] = [
  ["refresh", { t: 2, members: [0, 1, 2] }, { dealers: at(0, 1), members: membersAt(0, 1, 2), threshold: 2 }],
  [
    "one node lost and replaced",
    { t: 2, members: [0, 1, 2] },
    { dealers: at(0, 2), members: membersAt(0, 2, 3), threshold: 2 },
  ],
  ["a dealer leaves", { t: 2, members: [0, 1, 2] }, { dealers: at(0, 1), members: membersAt(1, 2, 4), threshold: 2 }],
  ["disjoint sets", { t: 2, members: [0, 1, 2] }, { dealers: at(1, 2), members: membersAt(3, 4, 5), threshold: 2 }],
  [
    "the threshold goes up",
    { t: 2, members: [0, 1, 2] },
    { dealers: at(0, 2), members: membersAt(0, 1, 2, 3, 4), threshold: 4 },
  ],
  [
    "the threshold goes down",
    { t: 4, members: [0, 1, 2, 3, 4] },
    { dealers: at(0, 1, 3, 4), members: membersAt(0, 5), threshold: 2 },
  ],
  [
    "more dealers than the old threshold",
    { t: 2, members: [0, 1, 2, 3] },
    { dealers: at(0, 1, 2, 3), members: membersAt(0, 1, 2), threshold: 3 },
  ],
]

for (const curve of ["ed25519", "secp256k1"] as const satisfies readonly CurveName[]) {
  for (const [what, { t, members }, of] of CASES) {
    test(`${curve}: ${what}`, () => {
      const old = dealGroup(curve, t, membersAt(...members), what)
      expectReshared(old, run(old, of), of)
    })
  }

  test(`${curve}: share ids are told apart by node: an old one may be another node's new one`, () => {
    const old = dealGroup(curve, 2, makeMembers(3, [11n, 12n, 13n]), "crossed")
    const [a, b, c] = at(0, 1, 2) as [PartyId, PartyId, PartyId]
    const members = [
      { party: a, x: 12n },
      { party: b, x: 13n },
      { party: c, x: 11n },
    ]
    const of = { dealers: [a, b], members, threshold: 2 }
    expectReshared(old, run(old, of), of)
  })

  test(`${curve}: ten times in a row`, () => {
    let old = dealGroup(curve, 2, membersAt(0, 1, 2), "in a row")
    const epochs = new Set<string>()
    for (let i = 1; i <= 10; i++) {
      const members = membersAt(i % 6, (i + 1) % 6, (i + 2) % 6)
      const of = { dealers: old.group.members.slice(0, 2).map(({ party }) => party), members, threshold: 2 }
      const kept = run(old, of, { taskId: `task ${i}`, createdMs: 1_800_000_000_000 + i })
      expectReshared(old, kept, of)
      old = kept.dealt()
      epochs.add(toHex(old.group.epochId))
    }
    expect(epochs.size).toBe(10)
  })

  test(`${curve}: extend makes another group of the same key`, () => {
    const old = dealGroup(curve, 2, membersAt(0, 1, 2), "extend")
    const of = { dealers: at(0, 1), members: membersAt(3, 4), threshold: 2 }
    const kept = run(old, of, { mode: "extend", newGroupId: "another" })
    expectReshared(old, kept, of)
    expect(kept.group()).toMatchObject({ groupId: "another", mode: "extend" })
  })
}

test("old and new shares do not mix: no choice of both gives the key", () => {
  const old = dealGroup("ed25519", 2, membersAt(0, 1, 2), "mixing")
  const kept = run(old, { dealers: at(0, 1), members: membersAt(0, 1, 2), threshold: 2 })
  const before = new Kept()
  before.groups.set(partyAt(0), { ...kept.group(), status: "PREPARED" })
  before.shares.set(partyAt(0), old.secretOf(partyAt(0)).share.expose() as Uint8Array<ArrayBuffer>)
  before.shares.set(partyAt(1), kept.shares.get(partyAt(1)) ?? new Uint8Array(32))
  expect(before.key(at(0, 1))).not.toBe(old.secretKey)
})

// ---- as hosts run them ----------------------------------------------------------------------------------------------------

test("ed25519, hosted: certified by all participants, the dealer that leaves among them; the new epoch signs", async () => {
  const old = dealGroup("ed25519", 2, membersAt(0, 1, 2), "hosted")
  const kept = new Kept()
  const runs = await runCluster(reshareSpecs(old, { dealers: at(0, 1), members: membersAt(1, 2, 3), threshold: 2 }), {
    onRecord: kept.onRecord,
  })
  const { group } = kept.dealt()
  const certificates = [...runs.values()].map(({ ending }) => {
    if (ending.kind !== "done" || ending.result.kind !== "epoch") throw new Error(`it ended: ${ending.kind}`)
    return ending.result.certificate
  })
  expect(certificates).toHaveLength(4)
  for (const certificate of certificates) {
    expect(certificate).toEqual(certificates[0] ?? [])
    expect(verifyCertificate(group, certificate)).toBe(true)
  }
  const [certificate = []] = certificates
  for (const missing of certificate) {
    const rest = certificate.filter((ack) => ack !== missing)
    expect(verifyCertificate(group, rest)).toBe(false)
  }
  // Durable before the ack leaves: at the dealer that leaves as well.
  for (const run of runs.values()) expect(run.log.slice(-2)).toEqual(["recorded", "sent"])

  const specs = signSpecs(kept.dealt(), "eddsa", at(1, 3), [toSign("after")])
  for (const { ending } of (await runCluster(specs)).values()) expect(ending.kind).toBe("done")
})

test("nodes of two epochs never meet in a signing session, and blame nobody", async () => {
  const old = dealGroup("ed25519", 2, membersAt(0, 1), "two epochs")
  const kept = run(old, { dealers: at(0, 1), members: membersAt(0, 1), threshold: 2 })
  const [first] = signSpecs(old, "eddsa", at(0, 1), [toSign("mixed")])
  const [, second] = signSpecs(kept.dealt(), "eddsa", at(0, 1), [toSign("mixed")])
  if (first === undefined || second === undefined) throw new Error("two signers")
  for (const { ending, blames } of (await runCluster([first, second])).values()) {
    expect(ending.kind).toBe("deadline")
    expect(blames).toEqual([])
  }
})

test("secp256k1, hosted with its OT set-up: the new epoch signs ECDSA, and its pair states are new", async () => {
  const old = dealGroup("secp256k1", 2, membersAt(0, 1), "with OT")
  const secrets = new Map<PartyId, GroupSecret>()
  const kept = new Kept()
  const runs = await runCluster(reshareSpecs(old, { dealers: at(0, 1), members: membersAt(1, 2), threshold: 2 }), {
    onRecord: (party, record) => {
      kept.onRecord(party, record)
      if (record.kind === "prepared") secrets.set(party, copySecret(record.secret))
    },
  })
  for (const { ending } of runs.values()) expect(ending.kind).toBe("done")
  const dealt = { ...kept.dealt(), secretOf: (party: PartyId) => must(secrets.get(party)) }
  const specs = signSpecs(dealt, "ecdsa", at(1, 2), [toSign(new Uint8Array(32).fill(9), [44, 60])])
  for (const { ending } of (await runCluster(specs)).values()) expect(ending.kind).toBe("done")
}, 30_000)

// ---- what no session can be made of ---------------------------------------------------------------------------------------

const old = dealGroup("ed25519", 2, membersAt(0, 1, 2), "refused")
const fine: Members = { dealers: at(0, 1), members: membersAt(0, 1, 2), threshold: 2 }
const q = curveNamed("ed25519").order
const [aMember, bMember] = makeMembers(2) as [Member, Member]
const REFUSED: readonly (readonly [string, Partial<ReshareSpec>, string])[] = [
  ["fewer dealers than the old threshold", { dealers: [aMember] }, "E-TSK-009"],
  ["a dealer twice", { dealers: [aMember, aMember] }, "E-TSK-009"],
  ["a dealer twice under two ids", { dealers: [aMember, { ...aMember, x: 5n }] }, "E-TSK-009"],
  ["a dealer who is not in the old group", { dealers: [aMember, ...membersAt(4)] }, "E-TSK-009"],
  ["a dealer with another share id", { dealers: [aMember, { ...bMember, x: 5n }] }, "E-TSK-009"],
  ["a dealer with id 0", { dealers: [aMember, { ...bMember, x: 0n }] }, "E-TSK-009"],
  ["a dealer with id q", { dealers: [aMember, { ...bMember, x: q }] }, "E-TSK-009"],
  ["a dealer with another's id", { dealers: [aMember, { ...bMember, x: aMember.x }] }, "E-TSK-009"],
  ["another old threshold, enough dealers", { oldThreshold: 3, dealers: membersAt(0, 1, 2) }, "E-TSK-009"],
  ["a new threshold of 1", { newThreshold: 1 }, "E-TSK-009"],
  ["a new threshold above the members", { newThreshold: 4 }, "E-TSK-009"],
  ["a member twice", { members: [aMember, aMember] }, "E-TSK-009"],
  ["a member with id q + another's", { members: [aMember, { ...bMember, x: q + aMember.x }] }, "E-TSK-009"],
  ["another key", { rootPublicKey: old.group.commitments[1] ?? old.group.sid }, "E-TSK-007"],
  ["another chain code", { chainCode: old.group.sid }, "E-TSK-007"],
  ["another curve", { curve: "secp256k1" }, "E-TSK-007"],
  ["another old group", { oldGroupId: "another", newGroupId: "another" }, "E-TSK-007"],
  ["replace under another id", { newGroupId: "another" }, "E-TSK-009"],
  ["extend under the same id", { mode: "extend" }, "E-TSK-009"],
  ["neither dealer nor member", { dealers: membersAt(1, 2), members: membersAt(3, 4) }, "E-TSK-008"],
  ["a dealer without the record", { old: undefined }, "E-TSK-006"],
  ["a dealer without the share", { old: { group: old.group, secret: undefined } }, "E-TSK-006"],
  [
    "a superseded epoch",
    { old: { group: { ...old.group, status: "SUPERSEDED" }, secret: old.secretOf(partyAt(0)) } },
    "E-TSK-006",
  ],
  [
    "a prepared epoch",
    { old: { group: { ...old.group, status: "PREPARED" }, secret: old.secretOf(partyAt(0)) } },
    "E-TSK-006",
  ],
  ["a share that is not the record's", { old: { group: old.group, secret: old.secretOf(partyAt(1)) } }, "E-KEY-008"],
  ["the name of another node", { self: partyAt(1) }, "E-TSK-008"],
]
for (const [what, change, code] of REFUSED) {
  test(`refused before anything is sent: ${what}`, () => {
    const [spec] = reshareSpecs(old, fine, change)
    const attempt = () => prepareSession(must(spec), partyAt(0), new GadgetCache())
    expect(attempt).toThrow(expect.objectContaining({ code }))
  })
}

const DIFFERENT: readonly (readonly [string, Partial<ReshareSpec>])[] = [
  ["task", { taskId: "another" }],
  ["attempt", { attempt: 2 }],
  ["mode", { mode: "extend" }],
  ["old group", { oldGroupId: "another" }],
  ["new group", { newGroupId: "another" }],
  ["key", { rootPublicKey: old.group.commitments[1] ?? old.group.sid }],
  ["old threshold", { oldThreshold: 3 }],
  ["dealers", { dealers: membersAt(0, 2) }],
  ["old share id", { dealers: [aMember, { ...bMember, x: 5n }] }],
  ["new threshold", { newThreshold: 3 }],
  ["members", { members: membersAt(0, 1, 3) }],
  ["new share id", { members: [aMember, { ...bMember, x: 5n }] }],
  ["time", { createdMs: 1 }],
]
test("a session for each: nothing that nodes could mean differently is outside the session id", () => {
  const sidOf = (change: Partial<ReshareSpec>) => toHex(reshareSid(must(reshareSpecs(old, fine, change)[0])))
  const sids = [sidOf({}), ...DIFFERENT.map(([, change]) => sidOf(change))]
  expect(new Set(sids).size).toBe(sids.length)
})

const copySecret = (secret: GroupSecret): GroupSecret => must(decodeGroupSecret(encodeGroupSecret(secret)))

function must<T>(value: T | undefined): T {
  if (value === undefined) throw new Error("it should be there")
  return value
}
