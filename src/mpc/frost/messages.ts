/** The two broadcasts of FROST signing (threshold.md 12). */
import { type Bytes, concat, copy } from "../../bytes.ts"
import type { Curve } from "../../crypto/curve.ts"
import type { BodyCodec } from "../exchange.ts"
import { allDefined, fieldsOf, takeMany } from "../layout.ts"
import type { NonceCommitment } from "./nonces.ts"

const NONCE_LENGTH = 32

interface Commitments {
  /** Makes the session's view unique (threshold.md 2.2); it has nothing to do with the nonces of the signature. */
  readonly nonce: Bytes
  /** One per message. */
  readonly pairs: readonly NonceCommitment[]
}

export const commitmentsCodec = (curve: Curve, count: number): BodyCodec<Commitments> => ({
  size: NONCE_LENGTH + 2 * count * curve.pointLength,
  encode: ({ nonce, pairs }) => concat(nonce, ...pairs.map(({ encoded }) => encoded)),
  decode(bytes) {
    const take = fieldsOf(bytes)
    const nonce = take(NONCE_LENGTH)
    const pairs = allDefined(
      Array.from({ length: count }, () => {
        // A point has one encoding: what was read is what encodePoint would write.
        const encoded = copy(take(2 * curve.pointLength))
        const D = curve.decodePoint(encoded.subarray(0, curve.pointLength))
        const E = curve.decodePoint(encoded.subarray(curve.pointLength))
        return D && E && { D, E, encoded }
      }),
    )
    return pairs && { nonce, pairs }
  },
})

/** z_i, one per message. */
export const sharesCodec = (curve: Curve, count: number): BodyCodec<readonly bigint[]> => ({
  size: 32 * count,
  encode: (shares) => concat(...shares.map((z) => curve.encodeScalar(z))),
  decode: (bytes) => allDefined(takeMany(fieldsOf(bytes), count, 32).map((z) => curve.decodeScalar(z))),
})
