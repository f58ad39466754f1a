/** The console over HTTP: who may look, what it answers, and what it never does. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { connect } from "node:net"
import { Type } from "@sinclair/typebox"
import { Value } from "@sinclair/typebox/value"
import { escapeHtml } from "../../../src/panel/html.ts"
import { createLimits } from "../../../src/panel/limits.ts"
import { closed, nextSkip } from "../../../src/panel/schemas.ts"
import { requestSchema, vaultSchema } from "../../../src/waas/console/documents.ts"
import { loginPage } from "../../../src/waas/console/page.ts"
import { SESSION_MS } from "../../../src/waas/console/sessions.ts"
import { jsonOf } from "../../ops/port/rig.ts"
import { type Sample, sample, TOKEN } from "./sample.ts"

let it: Sample
let cookie: string
beforeAll(async () => {
  it = sample()
  cookie = await it.session()
})
afterAll(() => it[Symbol.asyncDispose]())

const DATA = ["/overview", "/vaults", "/requests"] as const
const form = (token: string, headers: Record<string, string> = {}): RequestInit => ({
  method: "POST",
  body: new URLSearchParams({ token }),
  headers,
})

/** A request as bytes, because fetch would not send these. */
function raw(request: string): Promise<string> {
  const { hostname, port } = new URL(it.url)
  return new Promise((resolve, reject) => {
    let text = ""
    const socket = connect(Number(port), hostname, () => socket.end(request))
    socket.on("data", (chunk) => (text += chunk))
    socket.on("close", () => resolve(text))
    socket.on("error", reject)
  })
}

describe("who may look", () => {
  test("nobody without a session or the token, and no answer tells anything of WaaS", async () => {
    for (const path of DATA) {
      for (const headers of [
        {},
        { authorization: "Bearer wrong-wrong-wrong-1" },
        { cookie: `cosigner_console=${"A".repeat(43)}` },
      ]) {
        const answer = await it.ask(path, { headers })
        expect(answer.status).toBe(401)
        expect(await answer.text()).not.toMatch(/Treasury|Example Ltd|invoice/)
      }
    }
    const front = await it.ask("/")
    expect(front.status).toBe(200)
    expect(await front.text()).not.toMatch(/console\.js|Example Ltd/)
  })

  test("the token of the header opens each answer, and so does a session of the form", async () => {
    for (const path of DATA) {
      expect((await it.ask(path, { headers: { authorization: `Bearer ${TOKEN}` } })).status).toBe(200)
      expect((await it.ask(path, { headers: { cookie } })).status).toBe(200)
    }
    expect(await (await it.ask("/", { headers: { cookie } })).text()).toContain(`src="/console.js"`)
  })

  test("the cookie is no token, scripts cannot read it, and other sites cannot send it", async () => {
    const opened = await it.ask("/login", form(TOKEN))
    expect(opened.status).toBe(303)
    expect(opened.headers.get("location")).toBe("/")
    const set = opened.headers.get("set-cookie") ?? ""
    expect(set).toMatch(/^cosigner_console=[\w-]{43}; Path=\/; HttpOnly; SameSite=Strict; Max-Age=\d+$/)
    expect(set).not.toContain(TOKEN)
  })

  test("who logs out is out, and a session ends by itself", async () => {
    let nowMs = 0
    await using own = sample({ clock: () => nowMs })
    const first = await own.session()
    const second = await own.session()
    const status = async (of: string) => (await own.ask("/overview", { headers: { cookie: of } })).status
    const left = await own.ask("/logout", { method: "POST", headers: { cookie: first } })
    expect(left.headers.get("set-cookie")).toContain("Max-Age=0")
    expect([await status(first), await status(second)]).toEqual([401, 200])
    nowMs = SESSION_MS
    expect(await status(second)).toBe(401)
  })

  test("sessions are bounded: the oldest goes", async () => {
    await using own = sample()
    const first = await own.session()
    const others: string[] = []
    for (let i = 0; i < 64; i++) others.push(await own.session())
    expect((await own.ask("/overview", { headers: { cookie: first } })).status).toBe(401)
    expect((await own.ask("/overview", { headers: { cookie: others[63] ?? "" } })).status).toBe(200)
  })

  test("wrong tokens are bounded, in the form and in the header, and a session goes on meanwhile", async () => {
    let nowMs = 0
    await using own = sample({ clock: () => nowMs })
    const session = await own.session()
    for (let i = 0; i < 5; i++) expect((await own.ask("/login", form("wrong-wrong-wrong"))).status).toBe(401)
    for (let i = 0; i < 5; i++)
      expect((await own.ask("/overview", { headers: { authorization: "Bearer wrong" } })).status).toBe(401)
    // not even the right one is looked at now: nobody learns that it is
    expect((await own.ask("/login", form(TOKEN))).status).toBe(429)
    const refused = await own.ask("/overview", { headers: { authorization: `Bearer ${TOKEN}` } })
    expect([refused.status, refused.headers.get("retry-after")]).toEqual([429, "10"])
    expect((await own.ask("/overview", { headers: { cookie: session } })).status).toBe(200)
    nowMs = 10_000
    expect((await own.ask("/login", form(TOKEN))).status).toBe(303)
  })

  test("by another host's name: 421, and nothing is looked at", async () => {
    for (const host of ["evil.example", "127.0.0.1.evil.example", "0.0.0.0", "2130706433"]) {
      const answer = await raw(
        `GET /overview HTTP/1.1\r\nHost: ${host}\r\nCookie: ${cookie}\r\nConnection: close\r\n\r\n`,
      )
      expect(`${host} ${answer.slice(0, 12)}`).toBe(`${host} HTTP/1.1 421`)
      expect(answer).not.toContain("Example Ltd")
    }
  })

  test("pages of other sites and of other ports can neither ask nor log anybody in", async () => {
    for (const site of ["cross-site", "same-site"]) {
      for (const path of DATA)
        expect((await it.ask(path, { headers: { cookie, "sec-fetch-site": site } })).status).toBe(403)
      expect((await it.ask("/login", form(TOKEN, { "sec-fetch-site": site }))).status).toBe(403)
    }
    for (const origin of ["http://evil.example", "http://127.0.0.1:1", "null"])
      expect((await it.ask("/login", form(TOKEN, { origin }))).status).toBe(403)
    expect((await it.ask("/login", form(TOKEN, { origin: it.url }))).status).toBe(303)
    const kept = await it.ask("/logout", { method: "POST", headers: { cookie, origin: "http://evil.example" } })
    expect([kept.status, kept.headers.get("set-cookie")]).toEqual([403, null])
    expect((await it.ask("/overview", { headers: { cookie } })).status).toBe(200)
  })

  test("beyond its share a client gets 429, before anything else is looked at", async () => {
    const admit = createLimits({
      short: { each: { burst: 5, perSecond: 0 }, all: { burst: 5, perSecond: 0 } },
      long: { each: { burst: 1, perSecond: 0 }, all: { burst: 1, perSecond: 0 } },
    })
    await using own = sample({ admit: (client, weight) => admit(client, weight, 0) })
    const session = await own.session()
    const ask = async () => (await own.ask("/requests", { headers: { cookie: session } })).status
    expect([await ask(), await ask()]).toEqual([200, 429])
    expect((await own.ask("/")).status).toBe(200)
  })
})

describe("what it answers", () => {
  const get = async (path: string) => it.ask(path, { headers: { cookie } })

  test("what the schemas say, newest first, page by page, by state, kind and vault", async () => {
    const requests = closed({ requests: Type.Array(requestSchema), next_skip: nextSkip })
    expect([...Value.Errors(requests, await jsonOf(await get("/requests")))]).toEqual([])
    const vaults = closed({ vaults: Type.Array(vaultSchema), next_skip: nextSkip })
    expect([...Value.Errors(vaults, await jsonOf(await get("/vaults")))]).toEqual([])
    const ids = async (query: string) =>
      (await jsonOf(await get(`/requests?${query}`))).requests.map(({ id }: { id: string }) => id.slice(-2))
    expect(await ids("")).toEqual(["03", "02", "01", "00"])
    expect(await ids("state=refused")).toEqual(["02"])
    expect(await ids("kind=key")).toEqual(["00"])
    expect(await ids("vault=nobody")).toEqual([])
    expect(await ids("waits=people")).toEqual(["03"])
    for (const id of [
      "5a0f8b52-0d8c-4ea8-9d27-20d1d2f0aa02",
      "0b9a8c7d-6e5f-4a3b-9c2d-1e0f1a2b3c02",
      "invoice-2026-1188",
    ])
      expect(await ids(`find=${id}`)).toEqual(["02"])
    for (const id of ["invoice", "", "__proto__", "state"]) expect(await ids(`find=${id}`)).toEqual([])
    expect(await ids("skip=1&limit=2")).toEqual(["02", "01"])
    expect((await jsonOf(await get("/requests?skip=1&limit=2"))).next_skip).toBe(3)
  })

  test("a question that it does not know is refused, whatever it is", async () => {
    for (const query of ["state=odd", "limit=0", "limit=101", "skip=-1", "x=1", "skip=1&skip=2"])
      expect(`${query} ${(await get(`/requests?${query}`)).status}`).toBe(`${query} 400`)
    expect((await get("/overview?x=1")).status).toBe(400)
    expect((await get("/nowhere")).status).toBe(404)
    for (const method of ["POST", "PUT", "DELETE", "OPTIONS"])
      expect((await it.ask("/requests", { method, headers: { cookie } })).status).toBe(405)
    expect((await get("/login")).status).toBe(405)
  })

  test("headers: kept by nobody, framed by nobody, and nothing runs but its own file", async () => {
    for (const path of ["/", "/console.css", "/console.js", ...DATA, "/nowhere"]) {
      const { headers } = await get(path)
      expect(headers.get("cache-control")).toBe("no-store")
      expect(headers.get("x-content-type-options")).toBe("nosniff")
      expect(headers.get("x-frame-options")).toBe("DENY")
      expect(headers.get("access-control-allow-origin")).toBeNull()
      const csp = headers.get("content-security-policy") ?? ""
      expect(csp).toContain("default-src 'none'")
      expect(csp).not.toMatch(/unsafe|\*|https?:|data:|sha256/)
    }
    const csp = (await get("/")).headers.get("content-security-policy") ?? ""
    for (const rule of ["script-src 'self'", "frame-ancestors 'none'", "base-uri 'none'", "trusted-types 'none'"])
      expect(csp).toContain(rule)
    expect((await it.ask("/")).headers.get("content-security-policy")).not.toContain("script-src")
  })

  test("page, style and script name nothing outside, and nothing that could run by name", async () => {
    for (const path of ["/", "/console.css", "/console.js"]) {
      const text = (await (await get(path)).text()).replaceAll("http://www.w3.org/2000/svg", "")
      expect(text).not.toMatch(/https?:|\/\/[a-z]+\.|@import|url\(/)
      expect(text).not.toMatch(/\son[a-z]+\s*=\s*["']|\sstyle\s*=|<style|<script>/)
      expect(text).not.toMatch(/innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b|new Function|DOMParser/)
    }
  })

  test("text in markup that is made here is text", () => {
    const evil = `"><img src=x onerror='hit()'>&amp;`
    expect(escapeHtml(evil)).toBe("&quot;&gt;&lt;img src=x onerror=&#39;hit()&#39;&gt;&amp;amp;")
    expect(loginPage(evil)).not.toContain("<img")
    expect(loginPage(evil)).toContain(escapeHtml(evil))
  })
})
