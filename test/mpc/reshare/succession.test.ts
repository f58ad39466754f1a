/** What the certificate of a reshare proves to a node that took no part, and everything that proves nothing. */
import { expect, test } from "bun:test"
import { type Bytes, copy, equal } from "../../../src/bytes.ts"
import { curveNamed } from "../../../src/crypto/curve.ts"
import { commitments, evaluateCommitted, interpolateCommitted } from "../../../src/crypto/feldman.ts"
import { randomPolynomial } from "../../../src/crypto/shamir.ts"
import { type GroupPublic, NO_EPOCH } from "../../../src/keys/group.ts"
import type { PartyId } from "../../../src/keys/party.ts"
import { verifyCertificate } from "../../../src/mpc/dkg/certificate.ts"
import { epochIdOf } from "../../../src/mpc/dkg/epoch.ts"
import {
  ancestorOf,
  type Generation,
  provenEpoch,
  type Succession,
  successorOf,
} from "../../../src/mpc/reshare/succession.ts"
import type { ReshareSpec } from "../../../src/mpc/session.ts"
import { reshareSid } from "../../../src/mpc/sid.ts"
import { ackOf } from "../ackOf.ts"
import { identityAt, partyAt, runCluster } from "../cluster.ts"
import { type DealtGroup, dealGroup } from "../dealer.ts"
import { seededRng } from "../network.ts"
import { dkgSpecs, makeMembers } from "../specs.ts"
import { Kept, reshareSpecs } from "./specs.ts"

const members = makeMembers(4)
const old = dealGroup("ed25519", 2, members.slice(0, 3), "succession")
const epoch: GroupPublic = { ...old.group, certificate: [] }

async function certified(change: Partial<ReshareSpec> = {}): Promise<Succession & { readonly group: GroupPublic }> {
  const kept = new Kept()
  const specs = reshareSpecs(
    old,
    { dealers: [partyAt(0), partyAt(1)], members: [1, 3].flatMap((i) => members[i] ?? []), threshold: 2 },
    change,
  )
  const [first] = [...(await runCluster(specs, { onRecord: kept.onRecord })).values()]
  const [spec] = specs
  if (first?.ending.kind !== "done" || first.ending.result.kind !== "epoch" || spec === undefined)
    throw new Error("failed")
  const group = kept.group()
  const { self: _, old: __, chainCode, protocol: ___, ...terms } = spec
  return { terms, chainCode, members: group.members, acks: first.ending.result.certificate, group }
}

const good = await certified()

test("a node that took no part makes the public record of the next epoch from its certificate", () => {
  const next = successorOf(epoch, good)
  const { group } = good
  expect(next).toEqual({ ...group, status: "ERASED" })
  expect(provenEpoch(good)).toEqual({ sid: group.sid, epochId: group.epochId, ackView: group.ackView })
})

const flipped = (bytes: Bytes): Bytes => {
  const out = copy(bytes)
  out[0] = (out[0] ?? 0) ^ 1
  return out
}
const [ack = new Uint8Array(0)] = good.acks
const [one, two] = good.members
if (one === undefined || two === undefined) throw new Error("two members")
const byMembers = good.group.members.map(({ party }) => ackOf(identityAt(party), good.group))

/** A certificate that is right in itself, over terms with these dealers: what old members could sign if they colluded. */
function signedFor(dealers: Succession["terms"]["dealers"], parties: readonly number[]): Succession {
  const terms = { ...good.terms, dealers }
  const { ackView } = good.group
  const sid = reshareSid(terms)
  const epochId = epochIdOf(sid, ackView, terms.rootPublicKey, good.members, good.chainCode)
  const acks = parties
    .map((i) => identityAt(partyAt(i)))
    .sort((a, b) => (a.party < b.party ? -1 : 1))
    .map((identity) => ackOf(identity, { ...good.group, sid, epochId }))
  return { ...good, terms, acks }
}

test("one dealer named twice is one dealer: it cannot end a group alone", () => {
  const [a, b] = good.terms.dealers
  if (a === undefined || b === undefined) throw new Error("two dealers")
  expect(successorOf(epoch, signedFor([a, b], [0, 1, 3]))).toBeDefined()
  const alone = signedFor(
    [a, a],
    [0, 1, 3].filter((i) => partyAt(i) !== b.party || good.members.some(({ party }) => party === b.party)),
  )
  expect(provenEpoch(alone)).toBeDefined()
  expect(successorOf(epoch, alone)).toBeUndefined()
})

const NOTHING: readonly (readonly [string, Partial<Succession>])[] = [
  ["without acks", { acks: [] }],
  ["with the acks of the members alone", { acks: byMembers }],
  ["with an ack of a stranger more", { acks: [...good.acks, ackOf(identityAt(partyAt(5)), good.group)] }],
  ["with one ack twice", { acks: [ack, ack, ...good.acks.slice(2)] }],
  ["of another chain code", { chainCode: flipped(good.chainCode) }],
  ["of another time", { terms: { ...good.terms, createdMs: good.terms.createdMs + 1 } }],
  ["of another mode", { terms: { ...good.terms, mode: "extend", newGroupId: "another" } }],
  ["of another group", { terms: { ...good.terms, oldGroupId: "another", newGroupId: "another" } }],
  ["of another attempt", { terms: { ...good.terms, attempt: 2 } }],
  ["of another threshold", { terms: { ...good.terms, newThreshold: 3 } }],
  ["of fewer dealers", { terms: { ...good.terms, dealers: good.terms.dealers.slice(1) } }],
  [
    "of another dealer",
    { terms: { ...good.terms, dealers: [members[0], members[2]].flatMap((member) => member ?? []) } },
  ],
  ["of other members", { members: [one] }],
  ["of members in another order", { members: [two, one] }],
  ["with another public share", { members: [{ ...one, sharePublicKey: two.sharePublicKey }, two] }],
  ["with another share id", { members: [{ ...one, shareId: 7n }, two] }],
]
for (const [what, change] of NOTHING) {
  test(`a certificate ${what} proves nothing`, () => {
    expect(successorOf(epoch, { ...good, ...change })).toBeUndefined()
  })
}

test("nor does one whose dealers are not threshold members of the epoch that it is to end", () => {
  const others: readonly Partial<GroupPublic>[] = [
    { threshold: 3 },
    { groupId: "another" },
    { curve: "secp256k1" },
    { commitments: [epoch.commitments[1] ?? epoch.sid, epoch.commitments[0] ?? epoch.sid] },
    { chainCode: flipped(epoch.chainCode) },
    { members: epoch.members.slice(1) },
    { members: epoch.members.map((member) => ({ ...member, shareId: member.shareId + 1n })) },
  ]
  for (const change of others) expect(successorOf({ ...epoch, ...change }, good)).toBeUndefined()
})

test("strangers cannot end a group: a set-up among themselves, certified by all of them", async () => {
  // The nodes 3 and 5 reshare a key of their own making and call it this group.
  const own = dealGroup(
    "ed25519",
    2,
    [members[3], makeMembers(6)[5]].flatMap((member) => member ?? []),
    "strangers",
  )
  const lie = { ...own, group: { ...own.group, groupId: old.group.groupId } }
  const kept = new Kept()
  const specs = reshareSpecs(lie, {
    dealers: own.group.members.map(({ party }) => party),
    members: own.group.members.map(({ party, shareId }) => ({ party, x: shareId })),
    threshold: 2,
  })
  const [run] = [...(await runCluster(specs, { onRecord: kept.onRecord })).values()]
  if (run?.ending.kind !== "done" || run.ending.result.kind !== "epoch" || specs[0] === undefined)
    throw new Error("failed")
  const { self: _, old: __, chainCode, protocol: ___, ...terms } = specs[0]
  const theirs = { terms, chainCode, members: kept.group().members, acks: run.ending.result.certificate }
  expect(provenEpoch(theirs)).toBeDefined()
  expect(successorOf(epoch, theirs)).toBeUndefined()
})

// ---- the epoch that one was dealt from ------------------------------------------------------------------------------

/** A key generation of the first three, and a reshare from two of them to two others; as a node among those knows it. */
async function generated(): Promise<{
  readonly made: Generation
  readonly known: GroupPublic
  readonly next: Succession
}> {
  const kept = new Kept()
  const specs = dkgSpecs("ed25519", 2, members.slice(0, 3))
  const [run] = [...(await runCluster(specs, { onRecord: kept.onRecord })).values()]
  const [spec] = specs
  if (run?.ending.kind !== "done" || run.ending.result.kind !== "epoch" || spec === undefined) throw new Error("failed")
  const dealt = kept.dealt()
  const { self: _, protocol: __, ...terms } = spec
  const {
    commitments: [publicKey = new Uint8Array(0)],
    chainCode,
  } = dealt.group
  const made = { terms, publicKey, chainCode, members: dealt.group.members, acks: run.ending.result.certificate }
  const { succession, group } = await reshared(dealt)
  return { made, known: { ...group, certificate: succession.acks }, next: succession }
}

async function reshared(from: DealtGroup, at = 1_800_000_000_000) {
  const kept = new Kept()
  const [a, b] = from.group.members.map(({ party }) => party)
  const others = makeMembers(8).filter(({ party }) => !from.group.members.some((member) => member.party === party))
  const specs = reshareSpecs(
    from,
    { dealers: [a ?? "", b ?? ""] as PartyId[], members: others.slice(0, 2), threshold: 2 },
    { createdMs: at },
  )
  const [run] = [...(await runCluster(specs, { onRecord: kept.onRecord })).values()]
  const [spec] = specs
  if (run?.ending.kind !== "done" || run.ending.result.kind !== "epoch" || spec === undefined) throw new Error("failed")
  const { self: _, old: __, chainCode, protocol: ___, ...terms } = spec
  const group = kept.group()
  return {
    group,
    dealt: kept.dealt(),
    succession: { terms, chainCode, members: group.members, acks: run.ending.result.certificate },
  }
}

const tree = await generated()

test("a node without any record of it proves the epoch that its own was dealt from, and what others dealt from that", async () => {
  const root = ancestorOf(tree.known, tree.made)
  expect(root).toMatchObject({ mode: "keygen", status: "ERASED", createdMs: tree.made.terms.createdMs, threshold: 2 })
  expect(root?.parent).toBeUndefined()
  expect(root?.epochId).toEqual(tree.known.parent?.epochId ?? new Uint8Array(0))
  if (root === undefined) throw new Error("no root")
  expect(verifyCertificate(root, tree.made.acks)).toBe(true)
  expect(successorOf(root, tree.next)?.epochId).toEqual(tree.known.epochId)
  expect(successorOf(root, tree.made)).toBeUndefined()
  expect(ancestorOf(tree.known, tree.next)).toBeUndefined()
})

test("also where a reshare made it; what that one was dealt from is not known by it", async () => {
  const first = await reshared({ ...old, group: { ...old.group, certificate: [] } })
  const second = await reshared(first.dealt, 1_800_000_000_001)
  const record = ancestorOf({ ...second.group, certificate: second.succession.acks }, first.succession)
  expect(record).toEqual({
    ...first.group,
    status: "ERASED",
    parent: { groupId: old.group.groupId, epochId: NO_EPOCH, dealers: first.group.parent?.dealers ?? [] },
  })
  if (record === undefined) throw new Error("no record")
  expect(verifyCertificate(record, first.succession.acks)).toBe(true)
  // The grandparent is not what it was dealt from.
  expect(ancestorOf({ ...second.group, certificate: [] }, tree.made)).toBeUndefined()
})

const { known, made } = tree
const NO_ANCESTOR: readonly (readonly [string, Partial<GroupPublic>, Partial<Generation>])[] = [
  ["of an epoch without a parent", {}, {}],
  [
    "of an epoch with another parent",
    { parent: { ...known.parent, groupId: known.groupId, epochId: flipped(known.epochId), dealers: [] } },
    {},
  ],
  [
    "of an epoch that was dealt from another group",
    { parent: { ...known.parent, groupId: "another", epochId: known.parent?.epochId ?? known.sid, dealers: [] } },
    {},
  ],
  [
    "of another group",
    { groupId: "another", parent: { groupId: "another", epochId: known.parent?.epochId ?? known.sid, dealers: [] } },
    {},
  ],
  ["of another key", { commitments: [known.commitments[1] ?? known.sid, known.commitments[0] ?? known.sid] }, {}],
  ["of another chain code", { chainCode: flipped(known.chainCode) }, {}],
  ["that is not before it", { createdMs: made.terms.createdMs - 1 }, {}],
  ["without acks", {}, { acks: [] }],
  ["with one ack less", {}, { acks: made.acks.slice(1) }],
  ["dated otherwise", {}, { terms: { ...made.terms, createdMs: made.terms.createdMs - 1 } }],
  ["of another attempt", {}, { terms: { ...made.terms, attempt: 2 } }],
  ["of another threshold", {}, { terms: { ...made.terms, threshold: 3 } }],
  ["with fewer members", {}, { members: made.members.slice(1) }],
  ["with another public key", {}, { publicKey: known.commitments[1] ?? known.sid }],
]
for (const [what, change, generation] of NO_ANCESTOR) {
  test(`no record is made of an epoch ${what}`, () => {
    const without = what === "of an epoch without a parent"
    const { parent: _, ...orphan } = known
    const group: GroupPublic = without ? orphan : { ...known, ...change }
    expect(ancestorOf(group, { ...made, ...generation })).toBeUndefined()
  })
}

test("a polynomial in the exponent is found again from as many values as it has coefficients", () => {
  for (const name of ["ed25519", "secp256k1"] as const) {
    const curve = curveNamed(name)
    for (const t of [1, 2, 3, 7]) {
      const points = commitments(curve, randomPolynomial(curve, t, seededRng(`${name} ${t}`)))
      const ids = [curve.order - 1n, 1n, 12_345n, 2n, 99n, 1n << 200n, 3n].slice(0, t)
      const values = ids.map((x) => evaluateCommitted(curve, points, x))
      const found = interpolateCommitted(curve, ids, values)
      expect(found.length).toBe(t)
      for (const [k, point] of found.entries()) {
        expect(equal(curve.encodePoint(point), curve.encodePoint(points[k] ?? curve.identity))).toBe(true)
      }
    }
  }
})
