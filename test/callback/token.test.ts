/** The token that the node sends, read by another implementation: node:crypto and plain JSON. */
import { expect, test } from "bun:test"
import { createVerify } from "node:crypto"
import { openToken, tokenSigner } from "../../src/wire/tssJwt.ts"
import { nodeKey, serverKey } from "./kit.ts"

const NOW = 1_795_340_699_500
const sign = tokenSigner(nodeKey.privateKey, "callback key")
const part = (token: string, i: number) => JSON.parse(Buffer.from(token.split(".")[i] ?? "", "base64url").toString())

test("header, claims, padding and signature are what every known server reads", async () => {
  // Lengths 1, 2 and 3 mod 3, and what base64url spells otherwise.
  for (const body of ["{}", '{"a":"?>é"}', '{"a":1}', '{"a":"ÿÿÿ"}']) {
    const token = await sign(body, NOW + 120_000)
    expect(part(token, 0)).toEqual({ alg: "RS256", typ: "JWT" })
    const claims = part(token, 1)
    expect(Object.keys(claims)).toEqual(["package_data", "exp", "iss"])
    expect(claims).toEqual({ package_data: Buffer.from(body).toString("base64"), exp: 1_795_340_819, iss: "" })
    expect(claims.package_data.length % 4).toBe(0)
    const [head, payload, signature = ""] = token.split(".")
    const verifies = createVerify("RSA-SHA256")
      .update(`${head}.${payload}`)
      .verify(nodeKey.publicKey, signature, "base64url")
    expect(verifies).toBe(true)
    expect(await openToken(token, nodeKey.publicKey, NOW)).toMatchObject({ ok: true, body })
    expect(await openToken(token, serverKey.publicKey, NOW)).toMatchObject({ ok: false, fault: "signature" })
  }
})

test("the leeway is a minute, on the millisecond", async () => {
  const token = await sign("{}", NOW)
  const expires = Math.floor(NOW / 1000) * 1000
  expect((await openToken(token, nodeKey.publicKey, expires + 59_999)).ok).toBe(true)
  expect(await openToken(token, nodeKey.publicKey, expires + 60_000)).toMatchObject({ ok: false, fault: "expired" })
})

test.each(["", "a", "a.b", "a.b.c", "a.b.c.d", "..", "eyJhbGciOiJSUzI1NiJ9..", `${"e".repeat(70_000)}.a.b`])(
  "%p is no token",
  async (token) => {
    expect((await openToken(token, nodeKey.publicKey, NOW)).ok).toBe(false)
  },
)
