/** Raw keys against the vectors of RFC 8032 7.1 and RFC 7748 6.1, and against the runtime's own JWK reading. */
import { describe, expect, test } from "bun:test"
import { createPrivateKey, createPublicKey, diffieHellman, sign, verify } from "node:crypto"
import { toHex } from "../../src/bytes.ts"
import { privateKeyOf, publicKeyOf, rawPublicKey } from "../../src/crypto/rawKeys.ts"

const hex = (text: string) => Uint8Array.fromHex(text)

describe("Ed25519", () => {
  const seed = hex("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb")
  const publicKey = hex("3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c")
  const signature =
    "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"

  test("RFC 8032 7.1, test 2", () => {
    const key = privateKeyOf("ed25519", seed)
    expect(rawPublicKey(key)).toEqual(publicKey)
    expect(sign(null, hex("72"), key).toString("hex")).toBe(signature)
    expect(verify(null, hex("72"), publicKeyOf("ed25519", publicKey), hex(signature))).toBe(true)
  })
  test("is what the runtime makes of a JWK, and leaves the seed as it was", () => {
    const jwk = { kty: "OKP", crv: "Ed25519", d: Buffer.from(seed).toString("base64url") }
    const x = Buffer.from(publicKey).toString("base64url")
    const viaJwk = createPrivateKey({ key: { ...jwk, x }, format: "jwk" })
    const der = { format: "der", type: "pkcs8" } as const
    expect(privateKeyOf("ed25519", seed).export(der)).toEqual(viaJwk.export(der))
    const spki = { format: "der", type: "spki" } as const
    expect(publicKeyOf("ed25519", publicKey).export(spki)).toEqual(createPublicKey(viaJwk).export(spki))
    expect(toHex(seed)).toStartWith("4ccd")
  })
})

test("X25519: RFC 7748 6.1", () => {
  const alice = privateKeyOf("x25519", hex("77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a"))
  expect(toHex(rawPublicKey(alice))).toBe("8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a")
  const bob = publicKeyOf("x25519", hex("de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f"))
  const shared = diffieHellman({ privateKey: alice, publicKey: bob })
  expect(shared.toString("hex")).toBe("4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742")
})

test("another length is refused", () => {
  for (const length of [0, 31, 33, 64]) {
    expect(() => privateKeyOf("ed25519", new Uint8Array(length))).toThrow(RangeError)
    expect(() => publicKeyOf("x25519", new Uint8Array(length))).toThrow(RangeError)
  }
})
