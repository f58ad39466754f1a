/**
 * The bodies of an ECDSA signing session (threshold.md 12): fixed layouts, closed decoding. A decoded body has canonical scalars
 * and points of the group other than the identity. Nothing here depends on a secret of the receiver.
 */
import { type Bytes, concat } from "../../bytes.ts"
import { K1, type Point } from "../../crypto/curve.ts"
import { extensionLength } from "../../crypto/otExtension.ts"
import { XI } from "../../crypto/parameters.ts"
import { type AliceMessage, etapLength, isCanonical, taLength } from "../../crypto/rvole.ts"
import type { BodyCodec } from "../exchange.ts"
import { allDefined, fieldsOf, takeMany } from "../layout.ts"

const HASH = 32
const SCALAR = 32
const POINT = 33

/** SIG1-B: the nonce, the ephemeral sealing key and the commitment to both nonce and R. */
export interface Commit {
  readonly nonce: Bytes
  readonly ephemeral: Bytes
  readonly commitment: Bytes
}

export const commitCodec: BodyCodec<Commit> = {
  size: 3 * HASH,
  encode: ({ nonce, ephemeral, commitment }) => concat(nonce, ephemeral, commitment),
  decode(bytes) {
    const take = fieldsOf(bytes)
    return { nonce: take(HASH), ephemeral: take(HASH), commitment: take(HASH) }
  },
}

/** SIG1-P: pair confirmation and the OT extension with the sender as Bob. */
export interface Offer {
  readonly confirmation: Bytes
  readonly extension: Bytes
}

/** For a session of `count` messages. */
export const offerCodec = (count: number): BodyCodec<Offer> => ({
  size: HASH + extensionLength(XI * count),
  encode: ({ confirmation, extension }) => concat(confirmation, extension),
  decode(bytes) {
    const take = fieldsOf(bytes)
    return { confirmation: take(HASH), extension: take(extensionLength(XI * count)) }
  },
})

/** SIG2-P: openings and products with the sender as Alice; one entry per message in every list. */
export interface Product {
  readonly salt: Bytes
  readonly R: readonly Point[]
  /** enc(R) as it was received; the commitment of round 1 covers these bytes. */
  readonly encodedR: Bytes
  readonly pk: readonly Point[]
  readonly Gu: readonly Point[]
  readonly Gv: readonly Point[]
  readonly psi: readonly bigint[]
  readonly multiplication: AliceMessage
}

export const productCodec = (count: number): BodyCodec<Product> => ({
  size: 2 * HASH + count * (4 * POINT + SCALAR) + etapLength(count) + taLength(count),
  encode: ({ salt, encodedR, pk, Gu, Gv, psi, multiplication }) =>
    concat(
      salt,
      encodedR,
      ...K1.encodePoints([...pk, ...Gu, ...Gv]),
      ...psi.map(K1.encodeScalar),
      multiplication.etap,
      multiplication.mu,
      multiplication.ta,
    ),
  decode(bytes) {
    const take = fieldsOf(bytes)
    const points = () => allDefined(takeMany(take, count, POINT).map(K1.decodePoint))
    const salt = take(HASH)
    const encodedR = take(count * POINT)
    const R = allDefined(takeMany(fieldsOf(encodedR), count, POINT).map(K1.decodePoint))
    const pk = points()
    const Gu = points()
    const Gv = points()
    const psi = allDefined(takeMany(take, count, SCALAR).map(K1.decodeScalar))
    const etap = take(etapLength(count))
    const mu = take(HASH)
    const ta = take(taLength(count))
    if (!R || !pk || !Gu || !Gv || !psi || !isCanonical({ ta, etap })) return undefined
    return { salt, R, encodedR, pk, Gu, Gv, psi, multiplication: { ta, etap, mu } }
  },
})

/** SIG3-B: (w, u) per message. */
export interface Shares {
  readonly w: readonly bigint[]
  readonly u: readonly bigint[]
}

export const sharesCodec = (count: number): BodyCodec<Shares> => ({
  size: 2 * SCALAR * count,
  encode: ({ w, u }) => concat(...w.flatMap((wn, n) => [K1.encodeScalar(wn), K1.encodeScalar(u[n] ?? 0n)])),
  decode(bytes) {
    const both = allDefined(takeMany(fieldsOf(bytes), 2 * count, SCALAR).map(K1.decodeScalar))
    return both && { w: both.filter((_, i) => i % 2 === 0), u: both.filter((_, i) => i % 2 === 1) }
  },
})
