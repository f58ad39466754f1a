/**
 * Ed25519 set-up and FROST signing without network and envelopes; beside them the same signatures by noble's FROST
 * helpers as their README uses them. Medians of warm runs in this process, per party and per message. A single message is
 * signed under the root key, as the peer's are; those of a batch each under a child of it. What is compared takes turns,
 * so that whatever else the machine does falls on both.
 */
import type { FROST } from "@noble/curves/abstract/frost.js"
import { ed25519_FROST } from "@noble/curves/ed25519.js"
import { schnorr_FROST } from "@noble/curves/secp256k1.js"
import type { CurveName } from "../../src/crypto/curve.ts"
import { hasMemory, makeMemory, useMemory } from "../../src/crypto/wasm.ts"
import { DerivationCache } from "../../src/keys/derive.ts"
import { encodeGroupSecret } from "../../src/keys/groupCodec.ts"
import type { PartyId } from "../../src/keys/party.ts"
import { dkg } from "../../src/mpc/dkg/dkg.ts"
import type { Protocol } from "../../src/mpc/exchange.ts"
import { frostSign } from "../../src/mpc/frost/sign.ts"
import { ED25519_SHA512, SECP256K1_SHA256_TR } from "../../src/mpc/frost/suite.ts"
import type { MessageSignature } from "../../src/mpc/session.ts"
import { dkgSid, membersOf } from "../../src/mpc/sid.ts"
import { signingKeys } from "../../src/mpc/signingKey.ts"
import { dealGroup, membersUpTo } from "../../test/mpc/dealer.ts"
import { runAll, seededRng } from "../../test/mpc/network.ts"

export interface BenchLine {
  readonly op: string
  readonly t: number
  readonly n: number
  readonly batch: number
  readonly ms_per_party: number
  readonly bytes_per_party: number
  readonly share_bytes: number
}

const SIZES = [
  [2, 3],
  [3, 5],
] as const
const SID = new Uint8Array(32).fill(1)

export async function benchMpc(): Promise<readonly BenchLine[]> {
  // as session workers do
  if (!hasMemory()) useMemory(makeMemory())
  const lines: BenchLine[] = []
  for (const [t, n] of SIZES) {
    lines.push(...measure([setUp(t, n)], 12))
    lines.push(
      ...measure([sign("eddsa_sign", "ed25519", t, n, 1), peer("noble_frost_ed25519", ed25519_FROST, t, n)], 200),
    )
    lines.push(
      ...measure([sign("bip340_sign", "secp256k1", t, n, 1), peer("noble_frost_bip340", schnorr_FROST, t, n)], 200),
    )
    lines.push(...measure([sign("eddsa_sign", "ed25519", t, n, 16)], 10))
    lines.push(...measure([sign("bip340_sign", "secp256k1", t, n, 16)], 10))
  }
  return lines
}

/** One thing to measure: what all `parties` do in one round, and what each of them sent. */
interface Subject {
  readonly op: string
  readonly t: number
  readonly n: number
  readonly batch: number
  readonly parties: number
  run(round: number): ReadonlyMap<unknown, number>
  shareBytes(): number
}

function setUp(t: number, n: number): Subject {
  const members = membersUpTo(n)
  const specs = members.map(({ party }) => ({
    protocol: "dkg" as const,
    self: party,
    taskId: "bench",
    attempt: 1,
    groupId: "bench",
    curve: "ed25519" as const,
    threshold: t,
    members,
    createdMs: 1,
  }))
  const [first] = specs
  if (first === undefined) throw new RangeError("no members")
  const sid = dkgSid(first)
  let shareBytes = 0
  const run = (round: number) =>
    runAll(
      sid,
      new Map(specs.map((spec) => [spec.self, dkg(spec, sid, undefined, seededRng(`${spec.self} ${round}`))])),
      {
        onRecord: (_, record) => {
          if (record.kind === "prepared") shareBytes = encodeGroupSecret(record.secret).length
        },
      },
    ).bytesSent
  return { op: "ed25519_dkg", t, n, batch: 1, parties: n, run, shareBytes: () => shareBytes }
}

function sign(op: string, curve: CurveName, t: number, n: number, batch: number): Subject {
  const dealt = dealGroup(curve, t, membersUpTo(n), "bench")
  const signers = membersOf(dealt.group).slice(0, t)
  const [suite, algorithm] =
    curve === "ed25519" ? ([ED25519_SHA512, "eddsa"] as const) : ([SECP256K1_SHA256_TR, "bip340"] as const)
  // as a session host does
  const derived = new DerivationCache()
  const run = (round: number) => {
    const messages = Array.from({ length: batch }, (_, i) => ({
      path: batch === 1 ? [] : [i],
      message: new Uint8Array(32).fill(i),
      taproot: undefined,
    }))
    function* party(self: PartyId): Protocol<readonly MessageSignature[]> {
      const keys = signingKeys(dealt.group, algorithm, messages, derived)
      return yield* frostSign({
        suite,
        self,
        signers,
        commitments: dealt.group.commitments,
        share: dealt.secretOf(self).share,
        requests: keys.map((key, i) => ({ key, message: messages[i]?.message ?? SID })),
        digest: SID,
        rng: seededRng(`${self} ${round}`),
      })
    }
    const { outcomes, bytesSent } = runAll(SID, new Map(signers.map((member) => [member.party, party(member.party)])))
    if ([...outcomes.values()].some(({ kind }) => kind !== "done")) throw new Error("a signature failed")
    return bytesSent
  }
  const [one] = signers
  const shareBytes = one === undefined ? 0 : encodeGroupSecret(dealt.secretOf(one.party)).length
  return { op, t, n, batch, parties: t, run, shareBytes: () => shareBytes }
}

/** Every party commits, signs and aggregates, as ours do; at the root key, as that library derives none. */
function peer(op: string, frost: FROST, t: number, n: number): Subject {
  const deal = frost.trustedDealer({ min: t, max: n })
  const ids = Object.keys(deal.secretShares).slice(0, t)
  const secretOf = (id: string) => {
    const secret = deal.secretShares[id]
    if (secret === undefined) throw new Error("no share")
    return secret
  }
  const run = () => {
    const first = ids.map((id) => frost.commit(secretOf(id)))
    const list = first.map(({ commitments }) => commitments)
    const shares: Record<string, Uint8Array> = {}
    for (const [i, id] of ids.entries()) {
      const nonces = first[i]?.nonces
      if (nonces !== undefined) shares[id] = frost.signShare(secretOf(id), deal.public, nonces, list, SID)
    }
    for (const _ of ids) frost.aggregate(deal.public, list, SID, shares)
    const length = deal.public.commitments[0]?.length ?? 0
    return new Map([["", 2 * length + 32]])
  }
  return { op, t, n, batch: 1, parties: t, run, shareBytes: () => 32 }
}

/** Medians of `rounds` rounds after half as many to warm up; the subjects take turns. */
function measure(subjects: readonly Subject[], rounds: number): readonly BenchLine[] {
  const all = subjects.map((subject) => ({ subject, times: [] as number[], bytes: 0 }))
  const warm = Math.ceil(rounds / 2)
  for (let round = 0; round < rounds + warm; round++) {
    for (const one of all) {
      const from = performance.now()
      const sent = one.subject.run(round)
      if (round >= warm) one.times.push(performance.now() - from)
      one.bytes = Math.max(...sent.values())
    }
  }
  return all.map(({ subject, times, bytes }): BenchLine => {
    const { op, t, n, batch, parties } = subject
    times.sort((a, b) => a - b)
    const median = times[times.length >> 1] ?? Number.NaN
    return {
      ...{ op, t, n, batch, ms_per_party: Math.round((1000 * median) / parties / batch) / 1000 },
      ...{ bytes_per_party: Math.round(bytes / batch), share_bytes: subject.shareBytes() },
    }
  })
}
