/**
 * A second implementation of key generation, written from threshold.md 1, 2, 3 and 4.1 alone, on top of dkls/reference.ts: slow,
 * and all knowing, because it plays every member. It shares no code with src/. Curve arithmetic is noble's on Ed25519 and
 * P-256, and hash-to-curve is noble's own.
 */
import { ed25519, x25519 } from "@noble/curves/ed25519.js"
import { p256, p256_hasher } from "@noble/curves/nist.js"
import { N_C } from "../../src/crypto/parameters.ts"
import * as ref from "./dkls/reference.ts"

type Octets = Uint8Array
const { ascii, be, fromBe, H, H512, join, le, mod, plainHash, u32, u8 } = ref

interface Group {
  readonly name: "secp256k1" | "ed25519"
  readonly q: bigint
  sc(a: bigint): Octets
  /** enc(k * G): every point of the protocol is shown by somebody who knows its k. */
  encOf(k: bigint): Octets
}
const GROUPS: Readonly<Record<Group["name"], Group>> = {
  secp256k1: {
    name: "secp256k1",
    q: ref.q,
    sc: (a) => be(mod(a, ref.q), 32),
    encOf: (k) => ref.enc(ref.times(k)),
  },
  ed25519: {
    name: "ed25519",
    q: ed25519.Point.Fn.ORDER,
    sc: (a) => le(mod(a, ed25519.Point.Fn.ORDER), 32),
    encOf: (k) => ed25519.Point.BASE.multiply(mod(k, ed25519.Point.Fn.ORDER)).toBytes(),
  },
}

export interface KeyGeneration {
  readonly curve: Group["name"]
  readonly taskId: string
  readonly attempt: number
  readonly groupId: string
  readonly threshold: number
  readonly createdMs: number
  /** In order of node id. */
  readonly members: readonly { readonly nodeId: Octets; readonly x: bigint; rng(length: number): Octets }[]
}
export interface PairRecord {
  readonly pairId: Octets
  readonly zseed: Octets
  /** Bob's roots and Alice's keys with her choices: K_{m,0} and K_{m,1}; K_{m,c} and c. */
  readonly asBob: readonly (readonly [Octets, Octets])[]
  readonly asAlice: readonly { readonly key: Octets; readonly choice: number }[]
}
export interface Generated {
  readonly sid: Octets
  /** Bodies, by round, kind, sender and (directs) receiver: indices into the members. */
  readonly bodies: ReadonlyMap<string, Octets>
  readonly shares: readonly Octets[]
  readonly commitments: readonly Octets[]
  readonly publicShares: readonly Octets[]
  readonly chainCode: Octets
  readonly epochId: Octets
  readonly ackView: Octets
  /** Of member i with member k; empty on Ed25519. */
  readonly pairs: ReadonlyMap<string, PairRecord>
}

/** 2.1, with the creation time in the payload. */
function sessionId(group: Group, keyGeneration: KeyGeneration): Octets {
  const list = [
    u32(keyGeneration.members.length),
    ...keyGeneration.members.flatMap(({ nodeId, x }) => [nodeId, group.sc(x)]),
  ]
  const parameters = group.name === "ed25519" ? [] : [u32(N_C), u32(4), u32(416), u32(80), ascii("P-256")]
  return H(
    "sid",
    ascii(group.name),
    ascii("dkg"),
    ascii("1"),
    join(...parameters),
    ascii(keyGeneration.taskId),
    u32(keyGeneration.attempt),
    ascii(keyGeneration.groupId),
    new Uint8Array(32),
    u32(keyGeneration.threshold),
    ...list,
    ...list,
    H("dkg/payload", ascii(group.name), ascii(keyGeneration.groupId), be(BigInt(keyGeneration.createdMs), 8)),
  )
}

// ---- 4.1: base OT -------------------------------------------------------------------------------------------------

const P256 = p256.Point
type P256Point = InstanceType<typeof P256>
const DST = "TSSN1-ot/h2c-P256_XMD:SHA-256_SSWU_RO_"
const u16 = (value: number): Octets => be(BigInt(value), 2)

const HP = (sidOt: Octets, m: number, c: number, other: Octets): P256Point =>
  P256.fromAffine(p256_hasher.hashToCurve(join(sidOt, u16(m), u8(c), other), { DST }).toAffine())

const slotKey = (sidOt: Octets, m: number, c: number, B: Octets, M: P256Point, shared: P256Point): Octets =>
  H("ot/key", sidOt, u16(m), u8(c), B, M.toBytes(), be(shared.toAffine().x, 32))

interface Receiver {
  readonly choices: readonly number[]
  readonly alphas: readonly bigint[]
  readonly first: Octets
}

function receiverOf(sidOt: Octets, rng: (length: number) => Octets): Receiver {
  const packed = rng(N_C / 8)
  const choices: number[] = []
  const alphas: bigint[] = []
  const first: Octets[] = []
  for (let m = 0; m < N_C; m++) {
    const c = (packed[m >> 3]! >> (m & 7)) & 1
    const u = fromBe(rng(48)) % P256.Fn.ORDER
    const alpha = fromBe(rng(48)) % P256.Fn.ORDER
    const free = P256.BASE.multiply(u).toBytes()
    const bound = P256.BASE.multiply(alpha)
      .subtract(HP(sidOt, m, c, free))
      .toBytes()
    choices.push(c)
    alphas.push(alpha)
    first.push(...(c === 0 ? [bound, free] : [free, bound]))
  }
  return { choices, alphas, first: join(...first) }
}

/** The sender's B and both keys of each OT. */
function answer(sidOt: Octets, first: Octets, rng: (length: number) => Octets) {
  const b = fromBe(rng(48)) % P256.Fn.ORDER
  const B = P256.BASE.multiply(b).toBytes()
  const keys = Array.from({ length: N_C }, (_, m) => {
    const slots = [0, 1].map((c) => first.slice(33 * (2 * m + c), 33 * (2 * m + c + 1)))
    const [zero, one] = slots.map((slot, c) => {
      const M = P256.fromBytes(slot).add(HP(sidOt, m, c, slots[1 - c]!))
      return slotKey(sidOt, m, c, B, M, M.multiply(b))
    })
    return [zero!, one!] as const
  })
  return { B, keys }
}

const receivedKey = (sidOt: Octets, { choices, alphas }: Receiver, B: Octets, m: number) => ({
  key: slotKey(sidOt, m, choices[m]!, B, P256.BASE.multiply(alphas[m]!), P256.fromBytes(B).multiply(alphas[m]!)),
  choice: choices[m]!,
})

// ---- 3: key generation --------------------------------------------------------------------------------------------

export function generateAll(keyGeneration: KeyGeneration): Generated {
  const group = GROUPS[keyGeneration.curve]
  const { q, sc, encOf } = group
  const { members, threshold } = keyGeneration
  const withOt = keyGeneration.curve === "secp256k1"
  const sid = sessionId(group, keyGeneration)
  const bodies = new Map<string, Octets>()
  const everybody = members.map((_, i) => i)
  const peersOf = (i: number) => everybody.filter((k) => k !== i)
  const scalar = (i: number) => fromBe(members[i]!.rng(48)) % q
  const bytes = (i: number) => members[i]!.rng(32)
  const broadcastsOf = (round: number) =>
    everybody.map((i) => [members[i]!.nodeId, bodies.get(`${round} broadcast ${i}`)!] as const)

  // Round 1. The order of the draws is the implementation's; the text leaves it open.
  const deals = everybody.map((i) => {
    const chainCode = bytes(i)
    const eph = bytes(i)
    const f = Array.from({ length: threshold }, () => scalar(i))
    const A = f.map(encOf)
    const [salt, nu] = [bytes(i), bytes(i)]
    const { nodeId, x } = members[i]!
    const C = H("com", sid, ascii("deal"), nodeId, sc(x), join(...A, chainCode), salt)
    bodies.set(`1 broadcast ${i}`, join(nu, x25519.getPublicKey(eph), C))
    return { chainCode, f, A, salt }
  })
  const h1 = ref.view(sid, 1, new Uint8Array(32), broadcastsOf(1))

  // Round 2.
  const sidOt = (R: number, S: number) => H("ot/sid", sid, h1, sc(members[R]!.x), sc(members[S]!.x))
  const receivers = new Map<string, Receiver>()
  const zs = new Map<string, Octets>()
  const shareOf = (i: number, k: number) => deals[i]!.f.reduceRight((sum, a) => mod(sum * members[k]!.x + a, q), 0n)
  for (const i of everybody) {
    const { chainCode, f, A, salt } = deals[i]!
    const { nodeId, x, rng } = members[i]!
    if (withOt) for (const k of peersOf(i)) receivers.set(`${i} ${k}`, receiverOf(sidOt(i, k), rng))
    const proofs = f.map((a, k) => {
      const r = scalar(i)
      const T = encOf(r)
      const fields = [join(sid, h1), ascii("coef"), nodeId, sc(x), u32(k), encOf(1n), A[k]!, T]
      const e = fromBe(H512("pok", ...fields)) % q
      return join(T, sc(r + e * a))
    })
    bodies.set(`2 broadcast ${i}`, join(salt, ...A, ...proofs))
    for (const k of peersOf(i)) {
      zs.set(`${i} ${k}`, bytes(i))
      const first = receivers.get(`${i} ${k}`)?.first ?? new Uint8Array(0)
      bodies.set(`2 direct ${i} ${k}`, join(sc(shareOf(i, k)), chainCode, zs.get(`${i} ${k}`)!, first))
    }
  }
  const h2 = ref.view(sid, 2, h1, broadcastsOf(2))

  // What everybody now knows, and epoch_id.
  const coefficients = Array.from({ length: threshold }, (_, k) =>
    deals.reduce((sum, { f }) => mod(sum + f[k]!, q), 0n),
  )
  const at = (x: bigint) => coefficients.reduceRight((sum, a) => mod(sum * x + a, q), 0n)
  const commitments = coefficients.map(encOf)
  const publicShares = members.map(({ x }) => encOf(at(x)))
  const chainCode = H("cc", sid, h1, ...everybody.flatMap((i) => [sc(members[i]!.x), deals[i]!.chainCode]))
  const named = members.flatMap(({ nodeId }, i) => [nodeId, publicShares[i]!])
  const epochId = H("epoch", sid, h2, commitments[0]!, u32(members.length), ...named, chainCode)

  // Round 3: member k answers as base-OT sender and Bob, in the direction in which i is receiver and Alice.
  const answers = new Map<string, ReturnType<typeof answer>>()
  if (withOt) {
    for (const k of everybody) {
      for (const i of peersOf(k)) {
        const id = sidOt(i, k)
        const answered = answer(id, receivers.get(`${i} ${k}`)!.first, members[k]!.rng)
        const choices = Array.from({ length: N_C }, () => 0 as const)
        const { corrections } = ref.treesOf({ sidOt: id, keys: answered.keys, choices })
        answers.set(`${i} ${k}`, answered)
        bodies.set(`3 direct ${k} ${i}`, join(answered.B, corrections))
      }
    }
  }
  for (const i of everybody) bodies.set(`4 broadcast ${i}`, epochId)

  // Pairs. The transcript of a direction is OT1, B and all corrections.
  const transcript = (R: number, S: number) =>
    plainHash(join(receivers.get(`${R} ${S}`)!.first, bodies.get(`3 direct ${S} ${R}`)!))
  const pairs = new Map<string, PairRecord>()
  for (const i of withOt ? everybody : []) {
    for (const k of peersOf(i)) {
      const [lo, hi] = members[i]!.x < members[k]!.x ? [i, k] : [k, i]
      const ids = [sc(members[lo]!.x), sc(members[hi]!.x)]
      const received = receivers.get(`${i} ${k}`)!
      const { B } = answers.get(`${i} ${k}`)!
      pairs.set(`${i} ${k}`, {
        pairId: H("pair", epochId, ...ids, transcript(lo, hi), transcript(hi, lo)),
        zseed: H("zseed", sid, h1, ...ids, zs.get(`${lo} ${hi}`)!, zs.get(`${hi} ${lo}`)!),
        asBob: answers.get(`${k} ${i}`)!.keys,
        asAlice: Array.from({ length: N_C }, (_, m) => receivedKey(sidOt(i, k), received, B, m)),
      })
    }
  }
  const shares = members.map(({ x }) => sc(at(x)))
  return { sid, bodies, shares, commitments, publicShares, chainCode, epochId, ackView: h2, pairs }
}
