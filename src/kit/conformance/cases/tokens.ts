/** Tokens that no node made. Each carries a request that the server approves with a good token. */
import { approves, makeToken, post, type TokenOver } from "../client.ts"
import { approvedBody, ask, type Case, type Kit, type Severity } from "../kit.ts"

const seconds = (kit: Kit, from: number): number => Math.floor(kit.target.now() / 1000) + from
const DAY = 86_400

export const tokenCases: readonly Case[] = [
  wrong("token-expired", "critical", "an expired token", (kit) => ({ claims: { exp: seconds(kit, -600) } })),
  wrong("token-expired-long-ago", "critical", "a token of last year", (kit) => ({
    claims: { exp: seconds(kit, -365 * DAY) },
  })),
  wrong("token-without-exp", "critical", "a token without exp", () => ({ claims: { exp: undefined } })),
  wrong("token-for-years", "major", "a token that is valid for ten years", (kit) => ({
    claims: { exp: seconds(kit, 3650 * DAY) },
  })),
  wrong("token-not-before", "major", "a token that is not valid yet", (kit) => ({
    claims: { nbf: seconds(kit, 3600) },
  })),
  wrong("token-from-future", "major", "a token issued in the future", (kit) => ({
    claims: { iat: seconds(kit, 3600) },
  })),
  wrong("token-alg-none", "critical", "an unsigned token (alg none)", () => ({
    header: { alg: "none" },
    signWith: "nothing",
  })),
  wrong("token-alg-nOnE", "critical", "an unsigned token (alg nOnE)", () => ({
    header: { alg: "nOnE" },
    signWith: "nothing",
  })),
  wrong("token-unsigned-rs256", "critical", "a token with an empty signature", () => ({ signWith: "nothing" })),
  wrong("token-hs256", "critical", "a token under HS256 with the public key as the secret", () => ({
    header: { alg: "HS256" },
    signWith: "hmac",
  })),
  wrong("token-rs512", "minor", "a token under RS512", () => ({ header: { alg: "RS512" }, hash: "sha512" })),
  wrong("token-stranger", "critical", "a token of another key", () => ({ signWith: "stranger" })),
  wrong("token-embedded-key", "critical", "a token that brings its own key (jwk)", (kit) => ({
    header: { jwk: jwkOf(kit) },
    signWith: "stranger",
  })),
  {
    id: "token-altered",
    severity: "critical",
    title: "refuses a token whose body was exchanged",
    needs: "approval",
    run: async (kit) => {
      const [head = "", , signature = ""] = makeToken(kit.target, JSON.stringify(approvedBody(kit))).split(".")
      const [, payload = ""] = makeToken(kit.target, JSON.stringify(approvedBody(kit))).split(".")
      return approves(await post(kit.target, [head, payload, signature].join("."))) ? "it approved" : undefined
    },
  },
  {
    id: "token-absent",
    severity: "critical",
    title: "refuses a request without a token",
    needs: "nothing",
    run: async (kit) => {
      const reply = await post(kit.target, undefined)
      if (reply.http === undefined) kit.unanswered.add("token-absent")
      return approves(reply) ? "it approved" : undefined
    },
  },
]

function wrong(id: string, severity: Severity, what: string, over: (kit: Kit) => TokenOver): Case {
  return {
    id,
    severity,
    title: `refuses ${what}`,
    needs: "approval",
    run: async (kit) => (approves(await ask(kit, id, approvedBody(kit), over(kit))) ? "it approved" : undefined),
  }
}

function jwkOf({ target }: Kit): object {
  const { kty, n, e } = target.strangerKey.export({ format: "jwk" })
  return { kty, n, e, alg: "RS256" }
}
