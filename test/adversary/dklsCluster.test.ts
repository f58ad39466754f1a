/**
 * ECDSA as a host runs it, with signed and sealed envelopes: DKG to signature, and what the ban rule asks of the order of
 * things. Cheats hold valid keys and alter what their own protocol sends; the field-by-field table is dklsSign.test.ts's.
 */
import { expect, test } from "bun:test"
import { secp256k1 } from "@noble/curves/secp256k1.js"
import { type Bytes, copy } from "../../src/bytes.ts"
import { sha256 } from "../../src/crypto/frame.ts"
import type { GroupPublic, GroupSecret } from "../../src/keys/group.ts"
import type { PartyId } from "../../src/keys/party.ts"
import { GadgetCache } from "../../src/mpc/dkls/pairs.ts"
import { KIND } from "../../src/mpc/envelope.ts"
import type { ExchangeStep } from "../../src/mpc/exchange.ts"
import { prepareSession } from "../../src/mpc/host.ts"
import type { SignSpec } from "../../src/mpc/session.ts"
import { Secret } from "../../src/secret.ts"
import { codeOf } from "../keys/codeOf.ts"
import { Cluster, type ClusterOptions, flipped, type NodeRun, partyAt, resigned, runCluster } from "../mpc/cluster.ts"
import { type DealtGroup, dealGroup } from "../mpc/dkls/group.ts"
import { seededRng } from "../mpc/network.ts"
import { dkgSpecs, makeMembers, toSign } from "../mpc/specs.ts"

const [victim, other, cheater] = [partyAt(0), partyAt(1), partyAt(2)]

const copyOf = (secret: GroupSecret): GroupSecret => ({
  share: Secret.from(secret.share.expose()),
  pairs: secret.pairs.map((pair) => ({
    ...pair,
    zeroSeed: Secret.from(pair.zeroSeed.expose()),
    otAlice: pair.otAlice && Secret.from(pair.otAlice.expose()),
    otBob: pair.otBob && Secret.from(pair.otBob.expose()),
  })),
})

const specsFor = (
  group: GroupPublic,
  secretOf: (party: PartyId) => GroupSecret,
  signers: readonly PartyId[],
  taskId = "task",
): readonly SignSpec[] =>
  signers.map((self) => ({
    protocol: "sign",
    algorithm: "ecdsa",
    messages: [toSign(sha256(new Uint8Array(3)), [44, 60, 0, 0, 1]), toSign(new Uint8Array(32), [])],
    attempt: 1,
    secret: secretOf(self),
    ...{ taskId, group, signers, self },
  }))

/** Alters what `party` sends to the victim in the directs of `round`. */
const direct =
  (party: PartyId, round: number, alter: (body: Bytes) => Bytes) =>
  (who: PartyId, step: ExchangeStep): ExchangeStep => {
    const body = step.direct?.send.get(victim)
    if (who !== party || step.round !== round || step.direct === undefined || body === undefined) return step
    return { ...step, direct: { ...step.direct, send: new Map(step.direct.send).set(victim, alter(body)) } }
  }
const flip =
  (at: number) =>
  (body: Bytes): Bytes =>
    flipped(body, at)
const zeros =
  (at: number, length: number) =>
  (body: Bytes): Bytes =>
    copy(body).fill(0, at, at + length)
const blameOf = (run: NodeRun | undefined) => (run?.ending.kind === "blamed" ? run.ending.blame : undefined)

// ---- DKG ---------------------------------------------------------------------------------------------------------

/** Runs a 2-of-3 DKG and keeps what each node was asked to make durable. */
async function keygen(options: ClusterOptions = {}) {
  const kept = new Map<PartyId, { readonly group: GroupPublic; readonly secret: GroupSecret }>()
  const runs = await runCluster(dkgSpecs("secp256k1", 2, makeMembers(3)), {
    ...options,
    onRecord: (party, record) => {
      if (record.kind === "prepared") kept.set(party, { group: record.group, secret: copyOf(record.secret) })
    },
  })
  return { runs, kept }
}

test("from DKG to signatures: every pair of the three signs under the key that all of them hold", async () => {
  const { runs, kept } = await keygen()
  for (const run of runs.values()) expect(run.ending.kind).toBe("done")
  const groups = [...kept.values()].map(({ group }) => group)
  expect(groups[1]).toEqual(groups[0]!)
  expect(groups[2]).toEqual(groups[0]!)
  for (const signers of [
    [victim, other],
    [victim, cheater],
    [other, cheater],
  ]) {
    const specs = specsFor({ ...groups[0]!, status: "ACTIVE" }, (party) => copyOf(kept.get(party)!.secret), signers)
    for (const run of (await runCluster(specs)).values()) {
      if (run.ending.kind !== "done" || run.ending.result.kind !== "signatures") throw new Error(run.ending.kind)
      for (const [n, { signature, publicKey }] of run.ending.result.signatures.entries()) {
        expect(secp256k1.verify(signature, specs[0]!.messages[n]!.message, publicKey, { prehash: false })).toBe(true)
      }
    }
  }
})

// Offsets of threshold.md 12: DKG2-P is share, cc, zs, then OT1; DKG3-P is B, then E, X, D per tree.
const OF_OT: readonly [string, number, (body: Bytes) => Bytes][] = [
  ["DKG2 OT1, a point that is the identity", 2, zeros(96 + 33 * 7, 33)],
  ["DKG3 B off the curve or another", 3, flip(20)],
  ["DKG3 X", 3, flip(33 + 192)],
  ["DKG3 D", 3, flip(33 + 319)],
]
test.each(OF_OT)("%s: FAULT of the sender, nothing is prepared by the one who sees it", async (_, round, alter) => {
  const { runs, kept } = await keygen({ alter: direct(cheater, round, alter) })
  const blame = blameOf(runs.get(victim))
  expect(blame).toMatchObject({ kind: "FAULT", parties: [cheater] })
  expect(kept.has(victim)).toBe(false)
  const [honest] = [blameOf(runs.get(other))]
  expect(honest?.kind === "BAN" || honest?.parties.includes(victim)).toBe(false)
  for (const run of runs.values()) expect(run.ending.kind).not.toBe("done")
})

// ---- the ban rule ------------------------------------------------------------------------------------------------

const dealt: DealtGroup = dealGroup(2, 2, "cluster", undefined, [victim, cheater])
const secretOf = (party: PartyId): GroupSecret => copyOf(dealt.secrets.get(party)!)
const T_HAT = 32 + 32 * 4 * 30 + 16

test("a BAN is durable before anything more is sent, and the report names nothing", async () => {
  const cluster = new Cluster({ alter: direct(cheater, 1, flip(T_HAT)) })
  const run = (await cluster.run(specsFor(dealt.group, secretOf, [victim, cheater]))).get(victim)
  expect(blameOf(run)).toMatchObject({ kind: "BAN", parties: [cheater], reason: "OT extension" })
  // Round 1 is a broadcast and a direct; then the check, the ban, the abort.
  expect(run?.log).toEqual(["began", "sent", "sent", "recorded", "blamed", "sent"])
  expect(run?.records).toEqual([{ kind: "checking", peer: cheater }])
  const abort = cluster.history.filter(({ from }) => from === victim).at(-1)
  expect(abort?.envelope.header.round).toBe(0)
  expect(abort?.envelope.body.length).toBe(2)
})

test("who cannot make the ban durable sends nothing at all", async () => {
  const cluster = new Cluster({
    alter: direct(cheater, 1, flip(T_HAT)),
    onBlamed: () => Promise.reject(new Error("disk full")),
  })
  const run = (await cluster.run(specsFor(dealt.group, secretOf, [victim, cheater]))).get(victim)
  expect(run?.ending.kind).toBe("crashed")
  expect(run?.log.filter((entry) => entry === "sent").length).toBe(2)
})

test("who cannot record that a check begins does not begin it", async () => {
  const refuse = (party: PartyId) => (party === victim ? Promise.reject(new Error("disk full")) : undefined)
  const run = (
    await runCluster(specsFor(dealt.group, secretOf, [victim, cheater]), { onRecord: (party) => refuse(party) })
  ).get(victim)
  expect(run?.ending.kind).toBe("crashed")
  expect(run?.records).toEqual([])
})

test("regression 9: a ban stops the sessions that had begun before it: no round 2 of theirs leaves", async () => {
  let banned = false
  let busy = false
  const first = new Cluster({
    alter: direct(cheater, 1, flip(T_HAT)),
    onBlamed: async (party) => {
      if (party === victim) banned = true
    },
  })
  // The second session has done all its checks, and asks for its release after the first one's ban.
  const second = new Cluster({
    mayRelease: (party) => party !== victim || !banned,
    onIdle: () => busy,
    onRecord: async (party, record) => {
      if (party === victim && record.kind === "checked" && !banned) {
        busy = true
        await first.run(specsFor(dealt.group, secretOf, [victim, cheater], "first"))
        busy = false
      }
    },
  })
  const run = (await second.run(specsFor(dealt.group, secretOf, [victim, cheater], "second"))).get(victim)
  expect(banned).toBe(true)
  expect(blameOf(run)).toMatchObject({ kind: "SESSION", parties: [] })
  expect(second.history.some(({ from, envelope }) => from === victim && envelope.header.kind === KIND.sealed)).toBe(
    false,
  )
})

test("regression 19: after the ban erased the state no session with that peer can be made", () => {
  const erased = (party: PartyId): GroupSecret => {
    const secret = secretOf(party)
    return { ...secret, pairs: secret.pairs.map((pair) => ({ ...pair, otAlice: undefined, otBob: undefined })) }
  }
  const [spec] = specsFor(dealt.group, erased, [victim, cheater])
  expect(codeOf(() => prepareSession(spec!, victim, new GadgetCache()).protocol(seededRng("erased")))).toBe("E-TSK-013")
})

test("bits flipped on the way are dropped: no check, no blame, the deadline ends it", async () => {
  const specs = specsFor(dealt.group, secretOf, [victim, cheater])
  const runs = await runCluster(specs, {
    relay: ({ to, envelope }) => [
      to === victim && envelope.header.kind === KIND.clear ? flipped(copy(envelope.bytes), -1000) : envelope.bytes,
    ],
  })
  expect(runs.get(victim)?.ending.kind).toBe("deadline")
  expect(runs.get(victim)?.dropped).toBe(1)
  expect(runs.get(victim)?.records).toEqual([])
})

test("regression 22: a view of zeros in round 2 is a view mismatch, and no product is checked", async () => {
  const specs = specsFor(dealt.group, secretOf, [victim, cheater])
  const runs = await runCluster(specs, {
    relay: ({ from, envelope }) => [
      from === cheater && envelope.header.round === 2
        ? resigned(envelope, { header: { view: new Uint8Array(32) } })
        : envelope.bytes,
    ],
  })
  expect(blameOf(runs.get(victim))).toMatchObject({ kind: "SESSION", parties: [], reason: "view mismatch" })
  expect(runs.get(victim)?.records.map(({ kind }) => kind)).toEqual(["checking", "checked"])
})
