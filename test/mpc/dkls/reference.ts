/**
 * A second implementation of ECDSA signing, written from threshold.md 1, 2, 4.2 and 5 alone: slow, obvious, on BigInts, and all
 * knowing, because it plays every party. It shares no code with src/, so that what both get from the same randomness is
 * what the text says and not what one file says to another; the constant N_C alone, which a long run sets to 256. Bits are BigInts: bit j of a row is bit j of the number.
 */
import { createCipheriv } from "node:crypto"
import { x25519 } from "@noble/curves/ed25519.js"
import { sha256, sha512 } from "@noble/hashes/sha2.js"
import { N_C } from "../../../src/crypto/parameters.ts"

type Octets = Uint8Array

// ---- 1.1, 1.4: encodings and hashes -------------------------------------------------------------------------------

export const hexOf = (bytes: Octets): string => Buffer.from(bytes).toString("hex")
export const ofHex = (hex: string): Octets => Uint8Array.from(Buffer.from(hex, "hex"))
export const be = (value: bigint, length: number): Octets => ofHex(value.toString(16).padStart(2 * length, "0"))
export const le = (value: bigint, length: number): Octets => be(value, length).reverse()
export const u8 = (value: number): Octets => be(BigInt(value), 1)
export const u32 = (value: number): Octets => be(BigInt(value), 4)
export const fromBe = (bytes: Octets): bigint => BigInt(`0x0${hexOf(bytes)}`)
export const fromLe = (bytes: Octets): bigint => fromBe(Uint8Array.from(bytes).reverse())
export const join = (...parts: readonly Octets[]): Octets => Uint8Array.from(parts.flatMap((part) => [...part]))
export const ascii = (text: string): Octets => Uint8Array.from(text, (letter) => letter.charCodeAt(0))

export const F = (tag: string, ...fields: readonly Octets[]): Octets =>
  join(
    ascii("TSSN1"),
    u8(tag.length),
    ascii(tag),
    u8(fields.length),
    ...fields.flatMap((field) => [u32(field.length), field]),
  )
export const H = (tag: string, ...fields: readonly Octets[]): Octets => sha256(F(tag, ...fields))
export const H512 = (tag: string, ...fields: readonly Octets[]): Octets => sha512(F(tag, ...fields))
export const plainHash = (bytes: Octets): Octets => sha256(bytes)
const HS = (tag: string, ...fields: readonly Octets[]): bigint => fromBe(H512(tag, ...fields)) % q

/** AES-256-CTR with IV 0, block by block. */
function keystream(key: Octets, length: number): Octets {
  const cipher = createCipheriv("aes-256-ecb", key, null).setAutoPadding(false)
  const blocks = Array.from({ length: Math.ceil(length / 16) }, (_, i) => be(BigInt(i), 16))
  return Uint8Array.from(cipher.update(join(...blocks))).slice(0, length)
}

// ---- 1.1, 1.3: secp256k1 and Shamir -------------------------------------------------------------------------------

export const p = 2n ** 256n - 2n ** 32n - 977n
export const q = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n
export type Affine = readonly [bigint, bigint] | undefined
const G: Affine = [
  0x79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798n,
  0x483ada7726a3c4655da4fbfc0e1108a8fd17b448a68554199c47d08ffb10d4b8n,
]
export const mod = (a: bigint, m: bigint): bigint => ((a % m) + m) % m
function inverse(a: bigint, m: bigint): bigint {
  let [r0, r1, s0, s1] = [m, mod(a, m), 0n, 1n]
  while (r1 !== 0n) [r0, r1, s0, s1] = [r1, r0 % r1, s1, s0 - (r0 / r1) * s1]
  return mod(s0, m)
}
export function add(a: Affine, b: Affine): Affine {
  if (a === undefined) return b
  if (b === undefined) return a
  if (a[0] === b[0] && mod(a[1] + b[1], p) === 0n) return undefined
  const slope = a[0] === b[0] ? 3n * a[0] * a[0] * inverse(2n * a[1], p) : (b[1] - a[1]) * inverse(b[0] - a[0], p)
  const x = mod(slope * slope - a[0] - b[0], p)
  return [x, mod(slope * (a[0] - x) - a[1], p)]
}
export function times(k: bigint, point: Affine = G): Affine {
  let sum: Affine
  for (const bit of mod(k, q).toString(2)) {
    sum = add(sum, sum)
    if (bit === "1") sum = add(sum, point)
  }
  return sum
}
export function enc(point: Affine): Octets {
  if (point === undefined) throw new Error("O has no encoding")
  return join(u8(point[1] % 2n === 0n ? 2 : 3), be(point[0], 32))
}
const sc = (a: bigint): Octets => be(mod(a, q), 32)

const lambda = (i: bigint, ids: readonly bigint[]): bigint =>
  ids.filter((j) => j !== i).reduce((product, j) => mod(product * j * inverse(j - i, q), q), 1n)

export const TREES = N_C / 4
/** Bytes of a column. */
const COLUMN = N_C / 8

// ---- 4.2: PPRF ----------------------------------------------------------------------------------------------------

export interface BaseOts {
  readonly sidOt: Octets
  /** K_{m,0}, K_{m,1} and c_m, m < N_C. */
  readonly keys: readonly (readonly [Octets, Octets])[]
  readonly choices: readonly (0 | 1)[]
}
const xor = (a: Octets, b: Octets): Octets => a.map((byte, i) => byte ^ (b[i] ?? 0))
const xorAll = (all: readonly Octets[]): Octets => all.reduce(xor)

export interface Trees {
  /** Message 2 of the PPRF. */
  readonly corrections: Octets
  /** By tree and leaf. */
  readonly leaves: readonly (readonly Octets[])[]
  /** The missing leaf of each tree: every bit of its number, from the root down, is 1 - c. */
  readonly delta: readonly number[]
}

export function treesOf({ sidOt, keys, choices }: BaseOts): Trees {
  const sid = H("pprf/sid", sidOt)
  const corrections: Octets[] = []
  const leaves: Octets[][] = []
  const delta: number[] = []
  for (let tau = 0; tau < TREES; tau++) {
    let v: Octets[] = [...keys[4 * tau]!]
    for (let l = 1; l <= 3; l++) {
      const children = v.flatMap((seed, y) => {
        const both = H512("pprf/node", sid, u8(tau), u8(l), u8(y), seed)
        return [both.slice(0, 32), both.slice(32)]
      })
      for (const side of [0, 1] as const) {
        corrections.push(xor(keys[4 * tau + l]![side], xorAll(children.filter((_, y) => y % 2 === side))))
      }
      v = children
    }
    const proofs = v.map((seed, y) => H512("pprf/leafchk", sid, u8(tau), u8(y), seed))
    corrections.push(xorAll(proofs), H512("pprf/dig", sid, u8(tau), ...proofs))
    leaves.push(v)
    delta.push([0, 1, 2, 3].reduce((path, l) => 2 * path + 1 - choices[4 * tau + l]!, 0))
  }
  return { corrections: join(...corrections), leaves, delta }
}

// ---- 5.1, 5.3, 5.4: OT extension ----------------------------------------------------------------------------------

const ONES = 2n ** 128n - 1n
const bit = (value: bigint, i: number): bigint => (value >> BigInt(i)) & 1n

export function gf(a: bigint, b: bigint): bigint {
  let product = 0n
  for (let i = 0; i < 128; i++) if (bit(b, i) === 1n) product ^= a << BigInt(i)
  for (let i = 255; i >= 128; i--) if (bit(product, i) === 1n) product ^= (2n ** 128n + 0x87n) << BigInt(i - 128)
  return product
}

/** The map of 5.3(5) on one row of `length` columns in use and 128 that mask. */
function checked(row: bigint, length: number, chi: readonly bigint[]): bigint {
  const used = row & (2n ** BigInt(length) - 1n)
  return chi.reduce((sum, e, blk) => sum ^ gf(e, (used >> BigInt(128 * blk)) & ONES), row >> BigInt(length))
}

function chiOf(psid1: Octets, u: Octets, length: number): readonly bigint[] {
  const blocks = Math.ceil(length / 128)
  const stream = keystream(H("ote/chi", H("ote/u", psid1, u)), 16 * blocks)
  return Array.from({ length: blocks }, (_, blk) => fromLe(stream.slice(16 * blk, 16 * blk + 16)))
}

const stream = (psid1: Octets, tau: number, y: number, leaf: Octets, bytes: number): bigint =>
  fromLe(keystream(sha256(join(psid1, u8(tau), u8(y), leaf)), bytes))

/** Column j: bit r is that of row r. */
const columnsOf = (rows: readonly bigint[], length: number): readonly bigint[] =>
  Array.from({ length }, (_, j) => rows.reduce((column, row, r) => column | (bit(row, j) << BigInt(r)), 0n))

export interface Extension {
  readonly message: Octets
  readonly columns: readonly bigint[]
}

/** `x`: beta, then mask. */
export function extendAsBob(trees: Trees, psid1: Octets, length: number, x: bigint): Extension {
  const bytes = (length + 128) / 8
  const rows: bigint[] = []
  const u: Octets[] = []
  for (let tau = 0; tau < TREES; tau++) {
    const r = trees.leaves[tau]!.map((leaf, y) => stream(psid1, tau, y, leaf, bytes))
    for (let b = 0; b < 4; b++) rows.push(r.reduce((sum, one, y) => ((y >> b) & 1 ? sum ^ one : sum), 0n))
    u.push(
      le(
        r.reduce((sum, one) => sum ^ one, x),
        bytes,
      ),
    )
  }
  const chi = chiOf(psid1, join(...u), length)
  const tHat = rows.map((row) => checked(row, length, chi))
  const message = join(
    ...u,
    le(checked(x, length, chi), 16),
    ...columnsOf(tHat, 128).map((column) => le(column, COLUMN)),
  )
  return { message, columns: columnsOf(rows, length) }
}

export const deltaColumn = (trees: Trees): bigint =>
  trees.delta.reduce((column, nibble, tau) => column | (BigInt(nibble) << BigInt(4 * tau)), 0n)

/** Alice's columns; throws if the check of any row fails. */
export function receiveAsAlice(trees: Trees, psid1: Octets, length: number, message: Octets): readonly bigint[] {
  const bytes = (length + 128) / 8
  const u = message.slice(0, TREES * bytes)
  const rows: bigint[] = []
  for (let tau = 0; tau < TREES; tau++) {
    const missing = trees.delta[tau]!
    const r = trees.leaves[tau]!.map((leaf, y) => (y === missing ? 0n : stream(psid1, tau, y, leaf, bytes)))
    const total = r.reduce((sum, one) => sum ^ one, fromLe(u.slice(bytes * tau, bytes * (tau + 1))))
    for (let b = 0; b < 4; b++) {
      const row = r.reduce((sum, one, y) => ((y >> b) & 1 ? sum ^ one : sum), 0n)
      rows.push((missing >> b) & 1 ? row ^ total : row)
    }
  }
  const chi = chiOf(psid1, u, length)
  const [xHat = 0n, ...sliced] = [0, ...Array.from({ length: 128 }, (_, i) => 16 + COLUMN * i)].map((at, i) =>
    fromLe(message.slice(TREES * bytes + at).slice(0, i === 0 ? 16 : COLUMN)),
  )
  const D = deltaColumn(trees)
  for (const [r, row] of rows.entries()) {
    const tHat = sliced.reduce((sum, column, i) => sum | (bit(column, r) << BigInt(i)), 0n)
    if ((checked(row, length, chi) ^ tHat) !== (bit(D, r) === 1n ? xHat : 0n)) throw new Error(`row ${r} fails`)
  }
  return columnsOf(rows, length)
}

// ---- 5.5, 5.6: RVOLE ----------------------------------------------------------------------------------------------

const XI = 416
const pad = (psid2: Octets, j: number, w: number, column: bigint): bigint =>
  fromLe(sha256(join(psid2, le(BigInt(j), 4), u8(w), le(column, COLUMN))))

const sumOver = (count: number, pick: (i: number) => bigint): bigint =>
  Array.from({ length: count }, (_, i) => pick(i)).reduce((sum, value) => mod(sum + value, q), 0n)

export interface AliceSide {
  readonly ta: Octets
  readonly etap: Octets
  readonly mu: Octets
  readonly c: readonly (readonly [bigint, bigint])[]
}

export function asAlice(
  psid2: Octets,
  columns: readonly bigint[],
  D: bigint,
  g: readonly bigint[],
  inputs: readonly (readonly [bigint, bigint, bigint])[],
): AliceSide {
  const alpha0 = columns.map((column, j) => [0, 1, 2].map((w) => pad(psid2, j, w, column)))
  const ta = join(
    ...columns.flatMap((column, j) =>
      [0, 1, 2].map((w) => {
        const input = inputs[Math.floor(j / XI)]![w]!
        return le(mod(alpha0[j]![w]! - pad(psid2, j, w, column ^ D) + input, q), 32)
      }),
    ),
  )
  const hTa = H("rvole/theta0", psid2, ta)
  const thetas = inputs.map((_, n) => [0, 1].map((w) => HS("rvole/theta", hTa, u32(n), u8(w))))
  const theta = (n: number, w: number) => thetas[n]![w]!
  const etap = inputs.map(([a0, a1, eta], n) => le(mod(eta + theta(n, 0) * a0 + theta(n, 1) * a1, q), 32))
  const digest = alpha0.map(([first, second, check], j) => {
    const n = Math.floor(j / XI)
    return le(mod(check! + theta(n, 0) * first! + theta(n, 1) * second!, q), 32)
  })
  const share = (n: number, w: number) => mod(-sumOver(XI, (j) => g[j]! * alpha0[n * XI + j]![w]!), q)
  return {
    ta,
    etap: join(...etap),
    mu: H("rvole/mu", psid2, hTa, join(...digest)),
    c: inputs.map((_, n) => [share(n, 0), share(n, 1)] as const),
  }
}

/** d; throws if mu does not fit. */
export function asBob(
  psid2: Octets,
  columns: readonly bigint[],
  beta: bigint,
  g: readonly bigint[],
  { ta, etap, mu }: Pick<AliceSide, "ta" | "etap" | "mu">,
): readonly (readonly [bigint, bigint])[] {
  const hTa = H("rvole/theta0", psid2, ta)
  const y = columns.map((column, j) =>
    [0, 1, 2].map((w) => {
      const sent = fromLe(ta.slice(32 * (3 * j + w), 32 * (3 * j + w + 1)))
      return pad(psid2, j, w, column) + bit(beta, j) * sent
    }),
  )
  const z = Array.from({ length: columns.length / XI }, (_, n) => {
    const theta = [0, 1].map((w) => HS("rvole/theta", hTa, u32(n), u8(w)))
    const sent = fromLe(etap.slice(32 * n, 32 * n + 32))
    return y.slice(n * XI, (n + 1) * XI).map(([first, second, check], j) => {
      const chosen = bit(beta, n * XI + j) * sent
      return le(mod(check! + theta[0]! * first! + theta[1]! * second! - chosen, q), 32)
    })
  }).flat()
  if (hexOf(H("rvole/mu", psid2, hTa, join(...z))) !== hexOf(mu)) throw new Error("mu does not fit")
  const share = (n: number, w: number) => sumOver(XI, (j) => g[j]! * y[n * XI + j]![w]!)
  return Array.from({ length: columns.length / XI }, (_, n) => [share(n, 0), share(n, 1)] as const)
}

const gadget = (pairId: Octets, xBob: bigint, xAlice: bigint): readonly bigint[] =>
  Array.from({ length: XI }, (_, j) => HS("rvole/g", pairId, sc(xBob), sc(xAlice), u32(j)))

// ---- 2.2: views ---------------------------------------------------------------------------------------------------

export const view = (
  sid: Octets,
  round: number,
  before: Octets,
  broadcasts: readonly (readonly [nodeId: Octets, body: Octets])[],
): Octets =>
  H(
    "view",
    sid,
    u8(round),
    before,
    u32(broadcasts.length),
    ...broadcasts.flatMap(([nodeId, body]) => [nodeId, sha256(body)]),
  )

// ---- 5.7, 5.8: the session ----------------------------------------------------------------------------------------

export interface Signer {
  readonly nodeId: Octets
  readonly x: bigint
  readonly share: bigint
  readonly rng: (length: number) => Octets
}
export interface PairOf {
  readonly pairId: Octets
  readonly zseed: Octets
}
export interface Session {
  readonly sid: Octets
  /** In order of node id. */
  readonly signers: readonly Signer[]
  /** Of the pair of signers i and k, whatever their order. */
  pair(i: number, k: number): PairOf
  /** Of the direction in which signer `bob` is Bob and `alice` Alice. */
  trees(bob: number, alice: number): Trees
  readonly messages: readonly { readonly digest: Octets; readonly tau: bigint }[]
}
export interface Transcript {
  /** Bodies, by round, kind, sender and (directs) receiver: indices into the signers. */
  readonly bodies: ReadonlyMap<string, Octets>
  readonly signatures: readonly { readonly rs: Octets; readonly recid: number; readonly key: Octets }[]
}

const scalarFrom = (rng: Signer["rng"]): bigint => fromBe(rng(48)) % q

export function signAll({ sid, signers, pair, trees, messages }: Session): Transcript {
  const bodies = new Map<string, Octets>()
  const N = messages.length
  const L = N * XI
  const everybody = signers.map((_, i) => i)
  const peersOf = (i: number) => everybody.filter((k) => k !== i)
  const perMessage = <T>(pick: (n: number) => T): T[] => Array.from({ length: N }, (_, n) => pick(n))

  // Round 1. The order of the draws is the implementation's; the text leaves it open.
  const drawn = signers.map(({ rng }, i) => {
    const r = perMessage(() => scalarFrom(rng))
    const phi = perMessage(() => scalarFrom(rng))
    const [nu, salt, eph] = [rng(32), rng(32), rng(32)]
    const x = new Map(peersOf(i).map((k) => [k, fromLe(rng((L + 128) / 8))]))
    return { r, phi, nu, salt, eph, x, R: r.map((value) => times(value)) }
  })
  const psid1 = (bob: number, alice: number): Octets =>
    H("ote/1", sid, pair(bob, alice).pairId, sc(signers[bob]!.x), sc(signers[alice]!.x), drawn[bob]!.nu)
  const offers = new Map<string, Extension>()
  for (const i of everybody) {
    const { nu, salt, eph, R, x } = drawn[i]!
    const { nodeId } = signers[i]!
    const committed = join(nu, ...R.map(enc))
    const C = H("com", sid, ascii("sign"), nodeId, sc(signers[i]!.x), committed, salt)
    bodies.set(`1 broadcast ${i}`, join(nu, x25519.getPublicKey(eph), C))
    for (const k of peersOf(i)) {
      const { pairId, zseed } = pair(i, k)
      const kc = H("kc", zseed, pairId, sid, sc(signers[i]!.x), sc(signers[k]!.x), nu)
      const extension = extendAsBob(trees(i, k), psid1(i, k), L, x.get(k)!)
      offers.set(`${i} ${k}`, extension)
      bodies.set(`1 direct ${i} ${k}`, join(kc, extension.message))
    }
  }
  const h1 = view(
    sid,
    1,
    new Uint8Array(32),
    everybody.map((i) => [signers[i]!.nodeId, bodies.get(`1 broadcast ${i}`)!]),
  )

  // Round 2.
  const gadgets = signers.map((bob, i) =>
    signers.map((alice, k) => (i === k ? [] : gadget(pair(i, k).pairId, bob.x, alice.x))),
  )
  const g = (bob: number, alice: number) => gadgets[bob]![alice]!
  const b = (bob: number, alice: number, n: number): bigint =>
    sumOver(XI, (j) => bit(drawn[bob]!.x.get(alice)!, n * XI + j) * g(bob, alice)[j]!)
  const ids = signers.map(({ x }) => x)
  const sk = signers.map(({ x, share }, i) =>
    messages.map(({ tau }, n) => {
      const zeta = peersOf(i).reduce((sum, k) => {
        const zero = HS("zero", pair(i, k).zseed, sid, h1, u32(n))
        return signers[k]!.x > x ? sum + zero : sum - zero
      }, 0n)
      return mod(lambda(x, ids) * (share + tau) + zeta, q)
    }),
  )
  const psid2 = (bob: number, alice: number): Octets =>
    H("ote/2", psid1(bob, alice), drawn[alice]!.nu, sha256(offers.get(`${bob} ${alice}`)!.message))
  const alices = new Map<string, AliceSide>()
  const psi = new Map<string, readonly bigint[]>()
  for (const i of everybody) {
    for (const k of peersOf(i)) {
      const columns = receiveAsAlice(trees(k, i), psid1(k, i), L, offers.get(`${k} ${i}`)!.message)
      const inputs = perMessage((n) => [drawn[i]!.r[n]!, sk[i]![n]!, scalarFrom(signers[i]!.rng)] as const)
      const side = asAlice(psid2(k, i), columns, deltaColumn(trees(k, i)), g(k, i), inputs)
      const masks = perMessage((n) => mod(drawn[i]!.phi[n]! - b(i, k, n), q))
      alices.set(`${i} ${k}`, side)
      psi.set(`${i} ${k}`, masks)
      const points = [
        drawn[i]!.R,
        sk[i]!.map((value) => times(value)),
        ...[0, 1].map((w) => side.c.map((c) => times(c[w]!))),
      ]
      bodies.set(
        `2 direct ${i} ${k}`,
        join(drawn[i]!.salt, ...points.flat().map(enc), ...masks.map(sc), side.etap, side.mu, side.ta),
      )
    }
  }

  // Round 3.
  const R = perMessage((n) => drawn.reduce<Affine>((sum, one) => add(sum, one.R[n]), undefined)!)
  const shares = signers.map((_, i) => {
    const d = new Map(
      peersOf(i).map((k) => {
        const { columns } = offers.get(`${i} ${k}`)!
        const beta = drawn[i]!.x.get(k)! & (2n ** BigInt(L) - 1n)
        return [k, asBob(psid2(i, k), columns, beta, g(i, k), alices.get(`${k} ${i}`)!)] as const
      }),
    )
    return messages.map(({ digest }, n) => {
      const Phi = peersOf(i).reduce((sum, k) => sum + psi.get(`${k} ${i}`)![n]!, drawn[i]!.phi[n]!)
      const products = (w: 0 | 1) =>
        peersOf(i).reduce((sum, k) => sum + alices.get(`${i} ${k}`)!.c[n]![w] + d.get(k)![n]![w], 0n)
      const u = mod(drawn[i]!.r[n]! * Phi + products(0), q)
      const v = mod(sk[i]![n]! * Phi + products(1), q)
      return { w: mod(fromBe(digest) * drawn[i]!.phi[n]! + R[n]![0] * v, q), u }
    })
  })
  for (const i of everybody) {
    bodies.set(`3 broadcast ${i}`, join(...shares[i]!.flatMap(({ w, u }) => [sc(w), sc(u)])))
  }

  const signatures = messages.map((_, n) => {
    const w = shares.reduce((sum, share) => sum + share[n]!.w, 0n)
    const u = shares.reduce((sum, share) => sum + share[n]!.u, 0n)
    const s = mod(w * inverse(u, q), q)
    const high = s > (q - 1n) / 2n
    const [x, y] = R[n]!
    const recid = (Number(y % 2n) ^ (high ? 1 : 0)) | (x >= q ? 2 : 0)
    const key = enc(times(sk.reduce((sum, one) => sum + one[n]!, 0n)))
    return { rs: join(sc(x), sc(high ? q - s : s)), recid, key }
  })
  return { bodies, signatures }
}
