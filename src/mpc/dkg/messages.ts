/**
 * The messages of a set-up. They separate dealing from receiving, so that a DKG and a reshare have the same messages (threshold.md 12:
 * in a DKG every party does both).
 */
import { type Bytes, concat } from "../../bytes.ts"
import { COMMITMENT_LENGTH, SALT_LENGTH } from "../../crypto/commit.ts"
import type { Curve, Point } from "../../crypto/curve.ts"
import { decodeProof, encodeProof, type Proof, proofLength } from "../../crypto/proof.ts"
import type { BodyCodec } from "../exchange.ts"
import { allDefined, fieldsOf, takeMany } from "../layout.ts"
import { EPHEMERAL_LENGTH } from "../seal.ts"

export const NONCE_LENGTH = 32
export const CHAIN_CODE_LENGTH = 32
export const ZERO_HALF_LENGTH = 32

/** The role of a participant in the set-up; in a DKG every party is dealer and member. */
export interface Role {
  readonly deals: boolean
  readonly receives: boolean
}

/** Round 1, broadcast. */
export interface Hello {
  readonly nonce: Bytes
  readonly ephemeral: Bytes
  /** Dealers only: the epoch that is dealt again (empty in a DKG), and the commitment to polynomial and chain code. */
  readonly deal: { readonly statement: Bytes; readonly commitment: Bytes } | undefined
}

export function helloCodec(role: Role, statementLength: number): BodyCodec<Hello> {
  const own = NONCE_LENGTH + EPHEMERAL_LENGTH
  return {
    size: role.deals ? own + statementLength + COMMITMENT_LENGTH : own,
    encode: ({ nonce, ephemeral, deal }) =>
      deal === undefined ? concat(nonce, ephemeral) : concat(nonce, ephemeral, deal.statement, deal.commitment),
    decode(bytes) {
      const take = fieldsOf(bytes)
      const nonce = take(NONCE_LENGTH)
      const ephemeral = take(EPHEMERAL_LENGTH)
      if (!role.deals) return { nonce, ephemeral, deal: undefined }
      return { nonce, ephemeral, deal: { statement: take(statementLength), commitment: take(COMMITMENT_LENGTH) } }
    },
  }
}

/** Round 2, broadcast by dealers: the polynomial in the exponent, and proofs that the dealer knows its coefficients. */
export interface Opening {
  readonly salt: Bytes
  /** enc(A_0) .. enc(A_{t-1}), joined: what the commitment covers. */
  readonly encoded: Bytes
  readonly points: readonly Point[]
  readonly proofs: readonly Proof[]
}

export function openingCodec(curve: Curve, threshold: number): BodyCodec<Opening> {
  const points = threshold * curve.pointLength
  return {
    size: SALT_LENGTH + points + threshold * proofLength(curve),
    encode: ({ salt, encoded, proofs }) => concat(salt, encoded, ...proofs.map((proof) => encodeProof(curve, proof))),
    decode(bytes) {
      const take = fieldsOf(bytes)
      const salt = take(SALT_LENGTH)
      const encoded = take(points)
      const decodedPoints = allDefined(
        takeMany(fieldsOf(encoded), threshold, curve.pointLength).map((point) => curve.decodePoint(point)),
      )
      const decodedProofs = allDefined(
        takeMany(take, threshold, proofLength(curve)).map((proof) => decodeProof(curve, proof)),
      )
      if (decodedPoints === undefined || decodedProofs === undefined) return undefined
      return { salt, encoded, points: decodedPoints, proofs: decodedProofs }
    },
  }
}

/** Round 2, sealed, to a member. */
interface Dealt {
  /** From a dealer. */
  readonly dealt: { readonly share: bigint; readonly chainCode: Bytes } | undefined
  /** From a member: its half of the pair's zero-share seed, and OT message 1 (empty on Ed25519). */
  readonly pair: { readonly zeroHalf: Bytes; readonly ot1: Bytes } | undefined
}

/** The decoder takes ownership of the body: fields are views of it, and it wipes the share's bytes once they are read. */
export function dealtCodec(curve: Curve, sender: Role, ot1Length: number): BodyCodec<Dealt> {
  const fromDealer = sender.deals ? 32 + CHAIN_CODE_LENGTH : 0
  const fromMember = sender.receives ? ZERO_HALF_LENGTH + ot1Length : 0
  return {
    size: fromDealer + fromMember,
    encode: ({ dealt, pair }) =>
      concat(
        ...(dealt === undefined ? [] : [curve.encodeScalar(dealt.share), dealt.chainCode]),
        ...(pair === undefined ? [] : [pair.zeroHalf, pair.ot1]),
      ),
    decode(bytes) {
      const take = fieldsOf(bytes)
      const dealt = sender.deals
        ? { share: readScalar(curve, take(32)), chainCode: take(CHAIN_CODE_LENGTH) }
        : undefined
      const pair = sender.receives ? { zeroHalf: take(ZERO_HALF_LENGTH), ot1: take(ot1Length) } : undefined
      if (dealt === undefined) return { dealt: undefined, pair }
      const { share, chainCode } = dealt
      return share === undefined ? undefined : { dealt: { share, chainCode }, pair }
    },
  }
}

function readScalar(curve: Curve, bytes: Bytes): bigint | undefined {
  const scalar = curve.decodeScalar(bytes)
  bytes.fill(0)
  return scalar
}
