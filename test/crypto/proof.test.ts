import { expect, test } from "bun:test"
import fc from "fast-check"
import { concat } from "../../src/bytes.ts"
import { type Curve, ED, K1 } from "../../src/crypto/curve.ts"
import { decodeProof, encodeProof, type ProofContext, proofLength, prove, verifies } from "../../src/crypto/proof.ts"
import { seededRng } from "../mpc/network.ts"

const fill = (value: number) => new Uint8Array(32).fill(value)
const contextOn = (curve: Curve): ProofContext => ({
  curve,
  sid: fill(1),
  purpose: "coef",
  prover: { nodeId: fill(2), shareId: fill(3) },
  index: 0,
})

for (const curve of [K1, ED]) {
  const context = contextOn(curve)
  const a = 123_456_789n
  const A = curve.multiplyBase(a)
  const proof = prove(context, a, A, seededRng("proof"))

  test(`${curve.name}: a proof verifies, and survives its encoding`, () => {
    expect(verifies(context, A, proof)).toBe(true)
    const encoded = encodeProof(curve, proof)
    expect(encoded.length).toBe(proofLength(curve))
    const decoded = decodeProof(curve, encoded)
    expect(decoded && verifies(context, A, decoded)).toBe(true)
  })

  test(`${curve.name}: it verifies for nothing else`, () => {
    const replays: readonly ProofContext[] = [
      { ...context, sid: fill(9) },
      { ...context, purpose: "checkup" },
      { ...context, prover: { ...context.prover, nodeId: fill(9) } },
      { ...context, prover: { ...context.prover, shareId: fill(9) } },
      { ...context, index: 1 },
    ]
    for (const other of replays) expect(verifies(other, A, proof)).toBe(false)
    expect(verifies(context, curve.add(A, curve.generator), proof)).toBe(false)
    expect(verifies(context, A, { ...proof, z: proof.z + 1n })).toBe(false)
    expect(verifies(context, A, { ...proof, T: curve.add(proof.T, curve.generator) })).toBe(false)
  })

  test(`${curve.name}: no proof without the secret`, () => {
    fc.assert(
      fc.property(fc.bigInt({ min: 1n, max: curve.order - 1n }), (guess) => {
        fc.pre(guess !== a)
        expect(verifies(context, A, prove(context, guess, A, seededRng("guess")))).toBe(false)
      }),
      { seed: 3, numRuns: 10 },
    )
  })

  test(`${curve.name}: T that is the identity or no point, z that is q or more, and other lengths do not decode`, () => {
    const T = curve.encodePoint(proof.T)
    const z = curve.encodeScalar(proof.z)
    const identity = curve.name === "ed25519" ? Uint8Array.of(1, ...new Uint8Array(31)) : new Uint8Array(33)
    expect(decodeProof(curve, concat(identity, z))).toBeUndefined()
    expect(decodeProof(curve, concat(T, new Uint8Array(32).fill(255)))).toBeUndefined()
    expect(decodeProof(curve, concat(T, z.subarray(1)))).toBeUndefined()
    expect(decodeProof(curve, concat(T, z, z))).toBeUndefined()
    expect(decodeProof(curve, new Uint8Array(0))).toBeUndefined()
  })
}
