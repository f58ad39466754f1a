/** Session ids, and what the host refuses before anything is sent. */
import { expect, test } from "bun:test"
import { toHex } from "../../src/bytes.ts"
import { N_C } from "../../src/crypto/parameters.ts"
import type { Entropy } from "../../src/crypto/random.ts"
import { CosignerError } from "../../src/errors.ts"
import type { PartyId } from "../../src/keys/party.ts"
import { GadgetCache } from "../../src/mpc/dkls/pairs.ts"
import { prepareSession, sessionHost } from "../../src/mpc/host.ts"
import type { DkgSpec, ReshareSpec, SessionSpec, SignSpec } from "../../src/mpc/session.ts"
import { MAX_BATCH } from "../../src/mpc/sid.ts"
import { Secret } from "../../src/secret.ts"
import { identityAt, partyAt } from "./cluster.ts"
import { dealGroup } from "./dealer.ts"
import { dkgSpecs, makeMembers, signSpecs, toSign } from "./specs.ts"

const [A, B, C] = [partyAt(0), partyAt(1), partyAt(2)]
const sidOf = (spec: SessionSpec) => toHex(prepareSession(spec, spec.self, new GadgetCache()).sid)

const dkgSpec = dkgSpecs("ed25519", 2, makeMembers(3))[0] as DkgSpec
const ed = dealGroup("ed25519", 2, makeMembers(3), "host ed")
const k1 = dealGroup("secp256k1", 2, makeMembers(3), "host k1")
const digest = new Uint8Array(32).fill(1)
const edSpec = signSpecs(ed, "eddsa", [A, B], [toSign("text", [1, 2])])[0] as SignSpec
const trSpec = signSpecs(k1, "bip340", [A, B], [toSign(digest, [1, 2])])[0] as SignSpec
const ecSpec = signSpecs(k1, "ecdsa", [A, B], [toSign(digest, [1, 2])])[0] as SignSpec

// ---- session ids --------------------------------------------------------------------------------------------------------

test("all parties compute the same session id, and it is a known answer", () => {
  expect(new Set(dkgSpecs("ed25519", 2, makeMembers(3)).map(sidOf)).size).toBe(1)
  expect(new Set(signSpecs(ed, "eddsa", [A, B], [toSign("text", [1, 2])]).map(sidOf)).size).toBe(1)
  const shuffled = { ...dkgSpec, members: [...dkgSpec.members].reverse() }
  expect(sidOf(shuffled)).toBe(sidOf(dkgSpec))
  expect(sidOf({ ...edSpec, signers: [B, A] })).toBe(sidOf(edSpec))
  expect(sidOf(dkgSpec)).toMatchInlineSnapshot(`"b1051c9c0550160d136bcc90edd4bc55318397d2887ff2dc8907ef80c5f16218"`)
  expect(sidOf(edSpec)).toMatchInlineSnapshot(`"6bdaac51b4a86a20e166a7c29da306ecea820411ae01211e55bc77c942e82f1e"`)
})
test.skipIf(N_C !== 128)("on secp256k1 the base OTs are part of it: a known answer for 128 of them", () => {
  expect(sidOf(trSpec)).toMatchInlineSnapshot(`"d031cc16f515a9e297a5642d05ebb6e7eb47d4c6e9bd547f44f02991d3b60193"`)
})

const otherDkg: readonly (readonly [string, Partial<DkgSpec>])[] = [
  ["task", { taskId: "another" }],
  ["attempt", { attempt: 2 }],
  ["group", { groupId: "another" }],
  ["curve", { curve: "secp256k1" }],
  ["threshold", { threshold: 3 }],
  ["members", { members: makeMembers(4) }],
  ["share ids", { members: makeMembers(3, [1n, 2n, 3n]) }],
]
for (const [what, change] of otherDkg) {
  test(`another ${what}, another set-up session`, () =>
    expect(sidOf({ ...dkgSpec, ...change })).not.toBe(sidOf(dkgSpec)))
}

const message = trSpec.messages[0] ?? toSign(digest)
const otherSign: readonly (readonly [string, Partial<SignSpec>])[] = [
  ["task", { taskId: "another" }],
  ["attempt", { attempt: 2 }],
  ["algorithm", { algorithm: "ecdsa" }],
  ["set of signers", { signers: [A, C] }],
  ["path", { messages: [{ ...message, path: [1, 3] }] }],
  ["path, cut differently", { messages: [{ ...message, path: [1] }] }],
  ["message", { messages: [{ ...message, message: new Uint8Array(32).fill(9) }] }],
  ["tweak: Taproot without scripts", { messages: [{ ...message, taproot: new Uint8Array(0) }] }],
  ["tweak: a merkle root", { messages: [{ ...message, taproot: digest }] }],
  ["number of messages", { messages: [message, message] }],
  ["group", { group: { ...k1.group, groupId: "another" } }],
  ["epoch", { group: { ...k1.group, epochId: digest } }],
  ["chain code, thus another key", { group: { ...k1.group, chainCode: digest } }],
]
for (const [what, change] of otherSign) {
  test(`another ${what}, another signing session`, () => {
    const secret = k1.secretOf(A)
    expect(sidOf({ ...trSpec, secret, ...change })).not.toBe(sidOf({ ...trSpec, secret }))
  })
}

// ---- what is refused ------------------------------------------------------------------------------------------------------

const wrongShare = { share: Secret.from(ed.secretOf(B).share.expose()), pairs: [] }
const reshare: ReshareSpec = {
  protocol: "reshare",
  self: A,
  taskId: "task",
  attempt: 1,
  mode: "extend",
  curve: "ed25519",
  oldGroupId: "old",
  newGroupId: "new",
  rootPublicKey: ed.group.commitments[0] ?? digest,
  chainCode: ed.group.chainCode,
  oldThreshold: 2,
  dealers: makeMembers(2),
  newThreshold: 2,
  members: makeMembers(3),
  createdMs: 1,
  old: undefined,
}
const refused: readonly (readonly [string, SessionSpec, string])[] = [
  ["regression 23: a share that is not the record's", { ...edSpec, secret: wrongShare }, "E-KEY-008"],
  ["regression 24: fewer signers than the threshold", { ...edSpec, signers: [A] }, "E-TSK-009"],
  ["regression 24: more signers than the threshold", { ...edSpec, signers: [A, B, C] }, "E-TSK-009"],
  ["a signer twice", { ...edSpec, signers: [A, A] }, "E-TSK-009"],
  ["a signer who is no member", { ...edSpec, signers: [A, partyAt(5)] }, "E-TSK-009"],
  ["signers without this node", { ...edSpec, signers: [B, C] }, "E-TSK-008"],
  ["a group that is not active", { ...edSpec, group: { ...ed.group, status: "PREPARED" } }, "E-TSK-006"],
  ["a superseded group", { ...edSpec, group: { ...ed.group, status: "SUPERSEDED" } }, "E-TSK-006"],
  ["eddsa on secp256k1", { ...trSpec, algorithm: "eddsa" }, "E-TSK-010"],
  ["bip340 on ed25519", { ...edSpec, algorithm: "bip340" }, "E-TSK-010"],
  ["no message", { ...edSpec, messages: [] }, "E-TSK-011"],
  ["too many messages", { ...edSpec, messages: Array.from({ length: MAX_BATCH + 1 }, () => toSign("x")) }, "E-TSK-011"],
  ["a digest of 31 bytes", { ...trSpec, messages: [toSign(new Uint8Array(31))] }, "E-TSK-011"],
  ["a digest of 33 bytes for ecdsa", { ...ecSpec, messages: [toSign(new Uint8Array(33))] }, "E-TSK-011"],
  ["a Taproot tweak for ecdsa", { ...ecSpec, messages: [toSign(digest, [], digest)] }, "E-TSK-011"],
  ["a merkle root of 31 bytes", { ...trSpec, messages: [toSign(digest, [], new Uint8Array(31))] }, "E-TSK-011"],
  ["a hardened path", { ...edSpec, messages: [toSign("x", [2 ** 31])] }, "E-KEY-002"],
  ["a reshare by a dealer without a record", reshare, "E-TSK-006"],
]
for (const [what, spec, code] of refused) {
  test(`refused: ${what}`, async () => {
    expect(() => prepareSession(spec, A, new GadgetCache())).toThrow(expect.objectContaining({ code }))
    expect(await endingOf(spec, A)).toMatchObject({ kind: "crashed", reason: expect.stringContaining(code) })
  })
}

test("regression 23: a record whose public parts do not fit together is not signed with", async () => {
  const [first, ...others] = ed.group.members
  const altered = { ...first!, sharePublicKey: others[0]!.sharePublicKey }
  const shifted = { ...others[1]!, shareId: others[1]!.shareId + 1n }
  for (const members of [
    [first!, others[0]!, shifted],
    [altered, ...others],
  ]) {
    const spec = { ...edSpec, group: { ...ed.group, members } }
    expect(await endingOf(spec, A)).toMatchObject({ kind: "crashed", reason: expect.stringContaining("E-KEY-007") })
  }
})

test("refused: a specification for another node than this one", () => {
  expect(() => prepareSession(edSpec, B, new GadgetCache())).toThrow(CosignerError)
})

/** Runs it on a host that may say nothing: a refused session neither begins nor sends. */
async function endingOf(spec: SessionSpec, self: PartyId) {
  const silent = (what: string) => async () => {
    throw new Error(`${what} was called`)
  }
  const start = sessionHost(identityAt(self), entropy())
  const session = start(spec, {
    begin: silent("begin"),
    record: silent("record"),
    mayRelease: silent("mayRelease"),
    blamed: silent("blamed"),
    send: () => {
      throw new Error("send was called")
    },
  })
  session.deliver(new Uint8Array(300))
  session.cancel("cancelled")
  return session.ending
}

function entropy(): () => Entropy {
  let sessionCounter = 0
  return () => ({
    system: new Uint8Array(64).fill(1),
    kernel: new Uint8Array(32).fill(2),
    nodeSecret: new Uint8Array(32).fill(2),
    bootCounter: 1,
    sessionCounter: sessionCounter++,
  })
}

test("a host signs: two of them, with randomness of their own", async () => {
  const parties = [A, B]
  const sessions = new Map<PartyId, ReturnType<ReturnType<typeof sessionHost>>>()
  const specs = signSpecs(ed, "eddsa", parties, [toSign("by hosts", [3])])
  for (const spec of specs) {
    const start = sessionHost(identityAt(spec.self), entropy())
    const session = start(spec, {
      begin: async () => {},
      record: async () => {},
      mayRelease: async () => true,
      blamed: async () => {},
      send: (envelope) => {
        for (const other of parties) if (other !== spec.self) sessions.get(other)?.deliver(envelope)
      },
    })
    sessions.set(spec.self, session)
  }
  const endings = await Promise.all([...sessions.values()].map(({ ending }) => ending))
  for (const ending of endings) expect(ending).toMatchObject({ kind: "done", result: { kind: "signatures" } })
  expect(endings[0]).toEqual(endings[1] ?? { kind: "cancelled" })
})
