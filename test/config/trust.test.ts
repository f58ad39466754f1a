/** Requests to the customer's servers under a private authority, against a server whose certificate it has signed. */
import { describe, expect, test } from "bun:test"
import { fetchTrusting } from "../../src/config/trust.ts"
import { makeCertificates } from "../link/certificates.ts"

const certificates = makeCertificates()

describe.skipIf(certificates === undefined)("a server of a private authority", () => {
  const { ca, otherCa, server } = certificates ?? { ca: "", otherCa: "", server: { cert: "", key: "" } }
  const ask = async (trusted: string | undefined): Promise<string> => {
    await using https = Bun.serve({ port: 0, tls: server, fetch: () => new Response("heard") })
    try {
      return await (await fetchTrusting(trusted)(`https://localhost:${https.port}/`, { method: "POST" })).text()
    } catch (error) {
      return error instanceof Error && "code" in error ? String(error.code) : "no code"
    }
  }
  test("is heard by who trusts that authority", async () => {
    expect(await ask(ca)).toBe("heard")
  })
  test("and by nobody who trusts another, or the system's alone", async () => {
    expect(await ask(otherCa)).not.toBe("heard")
    expect(await ask(undefined)).not.toBe("heard")
  })
})
