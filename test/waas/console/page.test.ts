/** The console in a real browser: it opens, it lives, text from outside stays text, and everybody can use it. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { join } from "node:path"
import { scriptOf } from "../../../src/panel/look.ts"
import { barriersOf } from "../../support/accessible.ts"
import { type Browser, chromium, openBrowser, type Page } from "../../support/browser.ts"
import { typeErrors } from "../../support/pageTypes.ts"
import { nodeOf, overviewWith, REQUESTS, requestWith, type Sample, sample, TOKEN, vaultWith } from "./sample.ts"

const REPLICA = { id: "6", name: "host pid 6", serves: true, leads: false, is_this: false, seen_ms: 1 }
const LONG = process.env["COSIGNER_LONG"] === "1"
const root = join(import.meta.dir, "..", "..", "..")

if (LONG && chromium === undefined)
  console.log("skipped: the console in a browser, because no chromium is installed (apt-get install chromium)")

test("the script of the console passes the strict type check, with the types of a browser", async () => {
  const own = await Bun.file(join(root, "src", "waas", "console", "consoleScript.js")).text()
  expect(await typeErrors(scriptOf(own))).toBe("")
})

async function entered(browser: Browser, it: Sample, token = TOKEN): Promise<Page> {
  const page = await browser.page()
  await page.goto(it.url)
  await enter(page, token)
  return page
}

const enter = (page: Page, token: string): Promise<void> =>
  page.value(
    `document.querySelector("#token").value = ${JSON.stringify(token)}; document.querySelector("form").requestSubmit()`,
  )

const READY = `document.querySelector("#ready")?.textContent.includes("nodes ready")`

describe.skipIf(!LONG || chromium === undefined)("in a browser", () => {
  let browser: Browser
  let it: Sample
  let page: Page

  beforeAll(async () => {
    browser = await openBrowser(chromium ?? "")
    it = sample()
    page = await entered(browser, it)
    await page.until(READY)
  }, 60_000)
  afterAll(async () => {
    await it[Symbol.asyncDispose]()
    await browser[Symbol.asyncDispose]()
  })

  const text = (selector: string): Promise<string> =>
    page.value(`document.querySelector(${JSON.stringify(selector)}).innerText`)

  test("the form takes the token alone, its session survives a reload, and who logs out is out", async () => {
    const guest = await entered(browser, it, "wrong-wrong-wrong")
    await guest.until(`document.querySelector("#problem")?.textContent.includes("not the token")`)
    expect(await guest.value(`document.querySelector("#main").textContent`)).not.toContain("Treasury")
    await enter(guest, TOKEN)
    await guest.until(READY)
    expect(await guest.value(`document.cookie + Object.keys(localStorage) + Object.keys(sessionStorage)`)).toBe("")
    await guest.goto(it.url)
    await guest.until(READY)
    await guest.value(`document.querySelector("#leave").requestSubmit()`)
    await guest.until(`document.querySelector("#token") !== null`)
  })

  test("it shows nodes, vaults, requests with their intents, who refused and why, webhooks and the store", async () => {
    expect(await text("#nodes")).toMatch(/Frankfurt[\s\S]*not ready[\s\S]*E-STA-010[\s\S]*ecdsa is blocked/)
    expect(await text("#requests tbody")).toMatch(/transfer 12000 USDC to 0x52908400098527886E0F7030069857D2E4169EE7/)
    expect(await text("#requests tbody")).toMatch(/waits for people: 2 of treasury \(alice\), at Frankfurt, Zurich/)
    expect(await text("#flags")).toContain("1 request waits for approvals by people.")
    expect(await text("#requests tbody")).toMatch(/Frankfurt refused: E-RSK-025 400 ETH to an address/)
    expect(await text("#vaults")).toMatch(
      /Treasury[\s\S]*ecdsa 2 of 3[\s\S]*Paris: its key is blocked[\s\S]*first epoch/,
    )
    expect(await text("#webhooks")).toMatch(/failing[\s\S]*HTTP 503[\s\S]*2 waiting/)
    expect(await text("#facts")).toMatch(
      /sqlite[\s\S]*1\.3 MB[\s\S]*checked 2026-11-17[\s\S]*Thread delay p99[\s\S]*3\.2 ms/,
    )
    expect(await text("#flags")).toContain("Webhooks to https://hooks.example.com fail")
    expect(page.problems.filter((problem) => !problem.includes("401"))).toEqual([])
  })

  test("it lives: what changes at WaaS changes on the page, and an open detail stays open", async () => {
    await page.value(`void (document.querySelectorAll("#requests details")[1].open = true)`)
    it.overview = overviewWith({ nodes: [nodeOf(0), nodeOf(1, { state: "away" }), nodeOf(2, { state: "away" })] })
    it.vaults = [
      vaultWith({
        groups: vaultWith().groups.map((group) => ({
          ...group,
          keys: group.keys.map((key) => ({
            ...key,
            algorithms: key.algorithms.map((one) => ({
              ...one,
              able: 1,
              missing: ["Zurich: offline", "Paris: offline"],
            })),
          })),
        })),
      }),
    ]
    it.requests = [requestWith({ id: "a-new-one" }), ...REQUESTS]
    await page.until(`document.querySelector("#ready").textContent === "1 of 3 nodes ready"`)
    await page.until(`document.querySelectorAll("#requests tbody tr").length === 5`)
    expect(await text("#flags")).toContain("Treasury: MainGroup cannot sign with ecdsa, 1 of the 2 nodes")
    expect(await page.value(`document.querySelectorAll("#requests details")[2].open`)).toBe(true)
    it.overview = overviewWith({
      items: [{ name: "store", state: "failed", code: "E-WAA-061", reason: "no space", next: "look at the disk" }],
      replicas: [
        { ...REPLICA, id: "7", name: "host pid 7", leads: true, is_this: true, seen_ms: overviewWith().now_ms - 400 },
      ],
    })
    await page.until(`document.querySelector("#flags").innerText.includes("E-WAA-061 no space; look at the disk")`)
    expect(await page.value(`document.querySelector("#ready").className`)).toBe("failed")
    expect(await text("#replicas")).toMatch(/serves[\s\S]*7: host pid 7[\s\S]*this one, leads[\s\S]*400 ms ago/)
    it.silentMs = 60_000
    await page.until(`document.querySelector("#ready").textContent.startsWith("no word from WaaS for 1 min")`)
    it.silentMs = 0
    it.overview = overviewWith()
    it.requests = REQUESTS
    it.vaults = [vaultWith()]
    await page.until(READY)
  })

  test("filters and pages ask the console", async () => {
    const choose = (id: string, value: string) =>
      page.value(
        `void (document.querySelector("#${id}").value = ${JSON.stringify(value)}, document.querySelector("#${id}").dispatchEvent(new Event("change")))`,
      )
    await choose("state", "refused")
    await page.until(`document.querySelectorAll("#requests tbody tr").length === 1`)
    await choose("vault", vaultWith().vault_id)
    await choose("kind", "check-up")
    await page.until(`document.querySelector("#requests tbody").innerText === "none"`)
    for (const id of ["state", "kind", "vault"]) await choose(id, "")
    const find = (id: string) =>
      page.value(
        `void (document.querySelector("#find").value = ${JSON.stringify(id)}, document.querySelector("#find").dispatchEvent(new Event("input")))`,
      )
    await find(" invoice-2026-1187 ")
    await page.until(`document.querySelectorAll("#requests tbody tr").length === 1`)
    await find("")
    await choose("waits", "people")
    await page.until(`document.querySelectorAll("#requests tbody tr").length === 1`)
    await choose("waits", "")
    it.requests = Array.from({ length: 25 }, (_, i) => requestWith({ id: `request-${i}` }))
    await page.until(`document.querySelector("#page").textContent === "1 to 20"`)
    await page.value(`document.querySelector("#older").click()`)
    await page.until(`document.querySelector("#page").textContent === "21 to 25"`)
    await page.value(`document.querySelector("#newer").click()`)
    await page.until(`document.querySelector("#page").textContent === "1 to 20"`)
    it.vaults = Array.from({ length: 12 }, (_, i) => vaultWith({ vault_id: `vault-${i}`, name: `vault ${i}` }))
    await page.until(`document.querySelector("#vaults-page").textContent === "1 to 10"`)
    await page.value(`document.querySelector("#vaults-older").click()`)
    await page.until(`document.querySelector("#vaults-page").textContent === "11 to 12"`)
    await page.value(`document.querySelector("#vaults-newer").click()`)
    await page.until(`document.querySelector("#vaults-page").textContent === "1 to 10"`)
    it.requests = REQUESTS
    it.vaults = [vaultWith()]
    await page.until(`document.querySelectorAll("#requests tbody tr").length === 4`)
  })

  test("text from outside is shown as text, wherever it comes from", async () => {
    const evil = `<img src=x onerror="window.hit=1"></script><script>window.hit=1</script>"><svg onload="window.hit=1">`
    const of = requestWith({ state: "refused" })
    it.requests = [
      {
        ...of,
        ...{ id: evil, request_id: evil, vault: evil, description: evil, paths: [evil], code: evil, reason: evil },
        ...{
          what: evil,
          status: evil,
          unread: evil,
          waiting_for: [evil],
          intents: [{ hash: evil, text: `${evil}\n${evil}` }],
        },
        transaction: { type: evil, chain: evil, status: evil, hash: evil },
        tasks: of.tasks.map((task) => ({
          ...task,
          ...{ task_id: evil, state: evil, causes: [evil] },
          awaits: [{ text: evil, nodes: [evil] }],
          people: [{ approver: evil, decision: evil, not_after_ms: 1 }],
          nodes: task.nodes.map((node) => ({
            ...node,
            node_id: evil,
            name: evil,
            said: "refused" as const,
            code: evil,
            reason: evil,
          })),
        })),
      },
    ]
    it.vaults = [
      vaultWith({
        vault_id: evil,
        name: evil,
        type: evil,
        groups: vaultWith().groups.map((group) => ({
          ...group,
          ...{ group_id: evil, type: evil, holders: group.holders.map(() => ({ node_id: evil, name: evil })) },
          keys: group.keys.map((key) => ({
            ...key,
            ...{ share_group_id: evil, curve: evil, epoch_id: evil },
            algorithms: key.algorithms.map((one) => ({ ...one, able: 0, missing: [evil] })),
          })),
        })),
      }),
    ]
    const [endpoint] = overviewWith().webhooks.endpoints
    it.overview = overviewWith({
      ...{ organisation: evil, url: evil, version: evil, public_key: evil },
      nodes: [
        nodeOf(0, { node_id: evil, names: [evil], code: evil, reason: evil, state: "not ready", refresh: [evil] }),
      ],
      webhooks: {
        hosts: [evil],
        endpoints: endpoint === undefined ? [] : [{ ...endpoint, server: evil, description: evil, failure: evil }],
      },
      store: { ...overviewWith().store, kind: evil, place: evil },
      replicas: [{ ...REPLICA, name: evil }],
      items: [{ name: evil, state: "failed", code: evil, reason: evil, next: evil }],
    })
    for (const id of ["who", "nodes", "requests", "vaults", "webhooks", "facts", "replicas", "flags"])
      await page.until(`document.querySelector("#${id}").textContent.includes("onerror")`)
    expect(
      await page.value(`document.querySelectorAll("img, iframe, object, svg, main style, main script").length`),
    ).toBe(0)
    expect(
      await page.value(
        `[...document.querySelectorAll("*")].flatMap((of) => of.getAttributeNames()).filter((name) => name.startsWith("on") || name === "style")`,
      ),
    ).toEqual([])
    expect(await page.value(`window.hit`)).toBeUndefined()
    it.overview = overviewWith()
    it.requests = REQUESTS
    it.vaults = [vaultWith()]
    await page.until(READY)
  })

  test("the policy stops what is not the page's own", async () => {
    const tried = (code: string) =>
      page.value(`(async () => { try { return await ${code} } catch { return "stopped" } })()`)
    expect(
      await tried(
        `(() => { const s = document.createElement("script"); s.textContent = "window.a = 1"; document.body.append(s); return window.a ?? "stopped" })()`,
      ),
    ).toBe("stopped")
    expect(
      await tried(
        `(() => { const d = document.createElement("div"); d.innerHTML = "<i></i>"; return d.children.length })()`,
      ),
    ).toBe("stopped")
    expect(
      await tried(
        `(() => { const s = document.createElement("style"); s.textContent = "body { opacity: 0.5 }"; document.head.append(s); return getComputedStyle(document.body).opacity === "0.5" ? "styled" : "stopped" })()`,
      ),
    ).toBe("stopped")
    const other = Bun.serve({
      hostname: "127.0.0.1",
      port: 0,
      fetch: () => new Response("x", { headers: { "access-control-allow-origin": "*" } }),
    })
    expect(await tried(`fetch("http://127.0.0.1:${other.port}/").then(() => "sent")`)).toBe("stopped")
    await other.stop(true)
  })

  test("a page of another port neither frames it, nor reads it, nor logs its reader out", async () => {
    const foreign = Bun.serve({
      hostname: "127.0.0.1",
      port: 0,
      fetch: () =>
        new Response(`<iframe src="${it.url}"></iframe><form method="post" action="${it.url}/logout"></form>`, {
          headers: { "content-type": "text/html" },
        }),
    })
    const outer = await entered(browser, it)
    await outer.until(READY)
    await outer.goto(`http://127.0.0.1:${foreign.port}/`)
    await outer.until(`document.readyState === "complete"`)
    expect(outer.problems.join(" ")).toMatch(/frame/i)
    const read = `fetch("${it.url}/overview", { credentials: "include" }).then(() => "read", () => "stopped")`
    expect(await outer.value(read)).toBe("stopped")
    await outer.value(`document.forms[0].submit()`)
    await outer.until(`document.body?.textContent.includes("other_site")`)
    await outer.goto(it.url)
    await outer.until(READY)
    await foreign.stop(true)
  })

  test("it fits a phone, and its text is not cut there", async () => {
    const phone = await browser.page()
    await phone.shown({ width: 360, height: 800 })
    await phone.goto(it.url)
    await enter(phone, TOKEN)
    await phone.until(READY)
    expect(await phone.value(`document.documentElement.scrollWidth`)).toBeLessThanOrEqual(360)
    const cut = await phone.value(
      `[...document.querySelectorAll("#requests li, #requests p, .lines li")].filter((of) => of.scrollWidth > of.clientWidth + 1).length`,
    )
    expect(cut).toBe(0)
  })

  test("everybody can use it: contrast, names, structure, the order of the keyboard, before and after the form", async () => {
    const fresh = await entered(browser, it)
    await fresh.until(READY)
    expect(await barriersOf(fresh)).toEqual([])
    await fresh.value(`document.querySelector("#leave").requestSubmit()`)
    await fresh.until(`document.querySelector("#token") !== null`)
    await enter(fresh, "wrong-wrong-wrong")
    await fresh.until(`document.querySelector("#problem") !== null`)
    expect(await barriersOf(fresh)).toEqual([])
  })

  test("the detectors detect", async () => {
    const bad = await browser.page()
    const markup = `<p style="color:#bbb">faint</p><h3>deep</h3><input id=x><button></button><a href="#" style="outline:none">quiet</a><b tabindex="5">first</b>`
    const server = Bun.serve({
      hostname: "127.0.0.1",
      port: 0,
      fetch: () => new Response(`<!doctype html>${markup}`, { headers: { "content-type": "text/html" } }),
    })
    await bad.goto(`http://127.0.0.1:${server.port}/`)
    const found = (await barriersOf(bad)).join("\n")
    for (const part of [
      "contrast",
      "no language",
      "no title",
      "not one main",
      "not of level 1",
      "a field without label: x",
      "a button has no name",
      "changes the order",
      "nothing shows",
    ])
      expect(found).toContain(part)
    await server.stop(true)
  })

  test("a WaaS that goes away is said to have gone", async () => {
    const going = sample()
    const left = await entered(browser, going)
    await left.until(READY)
    await going[Symbol.asyncDispose]()
    await left.until(`document.querySelector("#ready").textContent === "no answer"`)
  })
})
