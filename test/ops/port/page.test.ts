/** The page in a real browser: it loads, it lives, text from outside stays text, and nothing runs that is not its own. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { join } from "node:path"
import { utf8 } from "../../../src/bytes.ts"
import { digestOf } from "../../../src/panel/listen.ts"
import { scriptOf } from "../../../src/panel/look.ts"
import { barriersOf } from "../../support/accessible.ts"
import { type Browser, chromium, openBrowser, type Page } from "../../support/browser.ts"
import { typeErrors } from "../../support/pageTypes.ts"
import { type Rig, rig, START_MS, statusOf, taskOf } from "./rig.ts"

if (chromium === undefined)
  console.log("skipped: the page in a browser, because no chromium is installed (apt-get install chromium)")

const status = join(import.meta.dir, "..", "..", "..", "src", "ops", "port")

test("the script of the page passes the strict type check, with the types of a browser", async () => {
  const own = await Bun.file(join(status, "pageScript.js")).text()
  expect(await typeErrors(scriptOf(own))).toBe("")
})

test("the page names nothing outside itself, and nothing that could run by name", async () => {
  await using it = await rig()
  const answer = await it.get("/")
  const html = await answer.text()
  // the name space of SVG is a name, not a place
  expect(html.replaceAll("http://www.w3.org/2000/svg", "")).not.toMatch(/https?:|\/\/[a-z]+\.|@import|url\(/)
  expect(html).not.toMatch(/\son[a-z]+\s*=\s*["']/)
  expect(html).not.toMatch(/innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b|new Function/)
  const csp = answer.headers.get("content-security-policy") ?? ""
  expect(csp).toContain("default-src 'none'")
  expect(csp).not.toMatch(/unsafe|\*|https?:|data:/)
  for (const tag of ["script", "style"]) {
    const [, text = ""] = new RegExp(`<${tag}>([\\s\\S]*?)</${tag}>`).exec(html) ?? []
    const digest = new Bun.CryptoHasher("sha256").update(text).digest("base64")
    expect(csp).toContain(`${tag}-src 'sha256-${digest}'`)
    expect(html.split(`<${tag}`)).toHaveLength(2)
  }
})

describe.skipIf(chromium === undefined)("in a browser", () => {
  let browser: Browser
  let it: Rig
  let page: Page

  beforeAll(async () => {
    browser = await openBrowser(chromium ?? "")
    it = await rig()
    it.tasks = [taskOf()]
    await it.settled()
    page = await browser.page()
    await page.goto(it.url)
  }, 60_000)
  afterAll(async () => {
    await it[Symbol.asyncDispose]()
    await browser[Symbol.asyncDispose]()
  })

  test("it loads and shows the node, its readiness, its tasks", async () => {
    await page.until(`document.querySelector("#ready").textContent === "ready"`)
    expect(await page.value(`document.querySelectorAll("#items li").length`)).toBe(7)
    expect(await page.value(`document.querySelector("#tasks tbody tr").innerText`)).toContain("E-RSK-009")
    expect(await page.value(`document.querySelectorAll("#plots svg").length`)).toBe(2)
    expect(page.problems).toEqual([])
  })

  test("it lives: what changes on the node changes on the page", async () => {
    const items = statusOf().items.map((item) =>
      item.name === "link"
        ? { ...item, state: "failed" as const, reason: "silence", code: "E-STA-011", next: "check the firewall" }
        : item,
    )
    it.status = { ...statusOf({ ready: false, items }), now_ms: START_MS + 90_000 }
    it.tasks = [taskOf({ task_id: "task-2", state: "running", code: "", reason: "", verdict: null }), taskOf()]
    it.beat()
    await page.until(`document.querySelector("#ready").textContent === "not ready"`)
    await page.until(`document.querySelectorAll("#tasks tbody tr").length === 2`)
    expect(await page.value(`document.querySelector("#items .failed").innerText`)).toContain("check the firewall")
    it.status = statusOf()
    it.beat()
    await page.until(`document.querySelector("#ready").textContent === "ready"`)
  })

  test("what a task signs is shown in words, as text and whole", async () => {
    const to = "0x0f76F604fd7762Bd94B48CA2523F69ab9665c97f"
    const text = `transfer 1 ETH to ${to} on eip155:1, fee at most 0.01 ETH\nmemo <b>x</b>`
    it.tasks = [taskOf({ task_id: "task-intent", intents: [{ hash: "ab".repeat(32), text }] }), ...it.tasks]
    await page.until(`document.querySelector("#tasks tbody").innerText.includes("task-intent")`)
    expect(await page.value(`document.querySelector("#tasks .intent").innerText`)).toContain(to)
    expect(await page.value(`document.querySelectorAll("#tasks .intent li").length`)).toBe(2)
    expect(await page.value(`document.querySelectorAll("#tasks .intent b").length`)).toBe(0)
    it.tasks = it.tasks.slice(1)
    await page.until(`!document.querySelector("#tasks tbody").innerText.includes("task-intent")`)
  })

  test("a task that waits for people says for whom", async () => {
    const waits = { state: "claimed", code: "", reason: "waits for 2 of treasury (alice)", verdict: null } as const
    it.tasks = [taskOf({ task_id: "task-people", ...waits }), ...it.tasks]
    await page.until(`document.querySelector("#tasks .people")?.innerText === "waits for 2 of treasury (alice)"`)
    it.tasks = it.tasks.slice(1)
    await page.until(`document.querySelector("#tasks .people") === null`)
  })

  test("details that a reader opened stay open while the page lives", async () => {
    await page.value(`(document.querySelectorAll("#tasks details")[0].open = true)`)
    it.tasks = [taskOf({ task_id: "task-3" }), ...it.tasks.slice(1)]
    await page.until(`document.querySelector("#tasks tbody").innerText.includes("task-3")`)
    expect(await page.value(`document.querySelectorAll("#tasks tbody tr")[1].querySelector("details").open`)).toBe(true)
  })

  test("filters ask the node", async () => {
    await page.value(`{
      const select = document.querySelector("#state")
      select.value = "failed"
      select.dispatchEvent(new Event("change"))
    }`)
    await page.until(`document.querySelector("#tasks tbody").innerText === "none"`)
    await page.value(`{
      const select = document.querySelector("#state")
      select.value = ""
      select.dispatchEvent(new Event("change"))
    }`)
    await page.until(`document.querySelector("#tasks tbody").innerText !== "none"`)
  })

  test("text from outside is shown as text, wherever it comes from", async () => {
    const evil = [
      `<img src=x onerror="window.hit=1">`,
      `</script><script>window.hit=1</script>`,
      `"><svg onload="window.hit=1">`,
      `<style>*{display:none}</style>`,
      `javascript:window.hit=1`,
    ].join("")
    const rules = [{ rule: evil, outcome: "deny" as const, reason: evil }]
    const verdict = { action: "reject" as const, code: evil, reason: evil, rules }
    it.tasks = [taskOf({ task_id: `evil-${evil}`, group_id: evil, paths: [evil], code: evil, reason: evil, verdict })]
    it.status = statusOf({
      node_id: evil,
      environment: evil,
      items: statusOf().items.map((item) => ({
        ...item,
        name: `${item.name} ${evil}`,
        reason: evil,
        code: evil,
        next: evil,
      })),
      risk: {
        rules_enabled: true,
        callback_servers: [
          {
            server: evil,
            healthy: false,
            last_answer_ms: null,
            took_ms: null,
            skew_ms: null,
            failures: 1,
            failure: evil,
          },
        ],
      },
      event_servers: [{ server: evil, healthy: null, last_taken_ms: null, failure: evil, pending: 1, failed: 0 }],
      link: {
        ...statusOf().link,
        replicas: [
          ...statusOf().link.replicas,
          {
            ...{ url: evil, phase: "waiting", since_ms: 0, silent_ms: null, rtt_ms: null, failures: 1 },
            ...{ queued_frames: 2, last_error: { code: "E-LNK-001", message: evil, next: evil } },
          },
        ],
      },
    })
    it.beat()
    await page.until(`document.querySelector("#who").textContent.includes("onerror")`)
    await page.until(`document.querySelector("#tasks tbody").textContent.includes("onerror")`)
    expect(
      await page.value(
        `document.querySelectorAll("img, iframe, object, a[href^=javascript], main style, main script").length`,
      ),
    ).toBe(0)
    expect(await page.value(`document.querySelectorAll("script").length`)).toBe(1)
    expect(
      await page.value(
        `[...document.querySelectorAll("*")].flatMap((of) => of.getAttributeNames()).filter((name) => name.startsWith("on"))`,
      ),
    ).toEqual([])
    expect(await page.value(`window.hit`)).toBeUndefined()
    expect(await page.value(`document.querySelector("#tasks .why").textContent`)).toContain(evil)
    expect(await page.value(`document.querySelector("#facts").innerText`)).toContain("1 of 2 replicas")
    const servers = await page.value(`[...document.querySelectorAll("#servers li")].map((li) => li.textContent)`)
    expect(servers).toEqual([
      expect.stringMatching(/^ok\s*wss:\/\/waas\.example\.com\/ws.*WaaS$/),
      expect.stringContaining(`E-LNK-001 ${evil}`),
      expect.stringContaining(evil),
    ])
    it.status = statusOf()
    it.tasks = [taskOf()]
    it.beat()
    await page.until(`document.querySelector("#ready").textContent === "ready"`)
  })

  /** Ways to run something or to send something away; each says whether it worked. */
  const ATTEMPTS: Readonly<Record<string, string>> = {
    "a script element": `(() => { const s = document.createElement("script"); s.textContent = "window.a = 1"; document.body.append(s); return window.a === 1 })()`,
    "an event handler": `(() => { const b = document.createElement("button"); b.setAttribute("onclick", "window.b = 1"); document.body.append(b); b.click(); return window.b === 1 })()`,
    "markup from text": `(() => { const d = document.createElement("div"); d.innerHTML = "<i></i>"; return d.children.length === 1 })()`,
    "code from text": `new Promise((resolve) => { setTimeout("window.c = 1"); setTimeout(() => resolve(window.c === 1), 50) })`,
    "a style element": `(() => { const s = document.createElement("style"); s.textContent = "body { opacity: 0.5 }"; document.head.append(s); return getComputedStyle(document.body).opacity === "0.5" })()`,
  }
  const tried = (on: Page, code: string): Promise<unknown> =>
    on.value(`(async () => { try { return await ${code} } catch { return false } })()`)

  test("the policy stops what is not the page's own", async () => {
    // the positive control: where there is no policy, each of them works
    const free = await browser.page()
    for (const [what, code] of Object.entries(ATTEMPTS)) {
      expect(`${what} ${await tried(free, code)}`).toBe(`${what} true`)
      expect(`${what} ${await tried(page, code)}`).toBe(`${what} false`)
    }
    const other = Bun.serve({
      hostname: "127.0.0.1",
      port: 0,
      fetch: () => new Response("x", { headers: { "access-control-allow-origin": "*" } }),
    })
    const sending = `fetch("http://127.0.0.1:${other.port}/").then(() => true)`
    await free.goto(`http://127.0.0.1:${other.port}/`)
    expect(await tried(free, sending)).toBe(true)
    expect(await tried(page, sending)).toBe(false)
    await other.stop(true)
  })

  test("it cannot be framed", async () => {
    const frame = Bun.serve({
      hostname: "127.0.0.1",
      port: 0,
      fetch: () => new Response(`<iframe src="${it.url}"></iframe>`, { headers: { "content-type": "text/html" } }),
    })
    const outer = await browser.page()
    await outer.goto(`http://127.0.0.1:${frame.port}/`)
    await outer.until(`document.readyState === "complete"`)
    expect(outer.problems.join(" ")).toMatch(/frame/i)
    await frame.stop(true)
  })

  test("keyboards and readers of the screen find their way", async () => {
    const fresh = await browser.page()
    await fresh.goto(it.url)
    await fresh.until(`document.querySelector("#ready").textContent === "ready"`)
    await fresh.key("Tab")
    expect(await fresh.value(`document.activeElement.textContent`)).toStartWith("Skip to")
    const seen: string[] = []
    for (let i = 0; i < 8; i++) {
      await fresh.key("Tab")
      seen.push(await fresh.value(`document.activeElement.id || document.activeElement.tagName`))
    }
    expect(seen).toEqual(expect.arrayContaining(["state", "type", "SUMMARY"]))
    await fresh.value(`document.querySelector("#tasks summary").focus()`)
    await fresh.key("Enter")
    expect(await fresh.value(`document.querySelector("#tasks details").open`)).toBe(true)
    const { nodes } = await fresh.send("Accessibility.getFullAXTree")
    const named = ["button", "combobox", "image", "figure", "region", "main", "table", "heading", "columnheader"]
    const nameless = nodes
      .filter(
        (node: { ignored: boolean; role?: { value: string } }) =>
          !node.ignored && named.slice(0, 3).includes(node.role?.value ?? ""),
      )
      .filter((node: { name?: { value: string } }) => (node.name?.value ?? "") === "")
    expect(nameless).toEqual([])
    const roles = new Set(nodes.map((node: { role?: { value: string } }) => node.role?.value))
    for (const role of ["main", "banner", "status", "heading", "table", "columnheader", "rowheader"])
      expect([...roles]).toContain(role)
  })

  test("risk control comes first, and a node without any, or not in production, says so", async () => {
    const fresh = await browser.page()
    await fresh.goto(it.url)
    await fresh.until(`document.querySelector("#ready").textContent === "ready"`)
    expect(await fresh.value(`document.querySelector("main section h2").textContent`)).toBe("Risk control")
    const flags = () => fresh.value(`document.querySelector("#flags").innerText`)
    it.status = statusOf({ environment: "production" })
    it.beat()
    await fresh.until(`document.querySelector("#flags").textContent === ""`)
    it.status = statusOf({ environment: "development", risk: { rules_enabled: false, callback_servers: [] } })
    it.beat()
    await fresh.until(`document.querySelectorAll("#flags li").length === 2`)
    expect(await flags()).toMatch(/No control is on[\s\S]*Environment development/)
    expect(await fresh.value(`document.querySelector("#risk").innerText`)).toMatch(
      /off[\s\S]*embedded rules[\s\S]*none[\s\S]*callback servers/,
    )
    const [first] = statusOf().items
    const frozen = { name: "freeze", reason: "frozen: group 3f6b, by ada: a drill" }
    it.status = statusOf({ items: first === undefined ? [] : [{ ...first, ...frozen }] })
    it.beat()
    await fresh.until(`document.querySelector("#flags .failed")?.textContent === "Frozen: group 3f6b, by ada: a drill"`)
    it.status = statusOf()
    it.beat()
    await fresh.until(`document.querySelectorAll("#flags li").length === 1`)
  })

  test("times name their zone, and the legend is of the whole window, whose lines are both seen", async () => {
    const elsewhere = await browser.page()
    await elsewhere.send("Emulation.setTimezoneOverride", { timezoneId: "Asia/Kolkata" })
    const { now_ms: nowMs } = it.status
    for (let i = 0; i < 20; i++) it.history.ended("completed", 2_000, nowMs - 60_000)
    it.history.ended("rejected", undefined, nowMs)
    it.history.ended("completed", 10, nowMs)
    it.tasks = [taskOf()]
    await elsewhere.goto(it.url)
    await elsewhere.until(`document.querySelectorAll("#plots .dot").length === 4`)
    expect(await elsewhere.value(`document.querySelector("#foot").textContent`)).toMatch(/:\d\d \+05:30\./)
    const legend = await elsewhere.value(`document.querySelectorAll("#plots .legend")[1].innerText`)
    expect(legend).toMatch(/median 2\.0 s[\s\S]*p95 2\.0 s/)
    const lines = await elsewhere.value(
      `[...document.querySelectorAll("#plots .line")].map((line) => [line.className.baseVal, parseFloat(getComputedStyle(line).strokeWidth)])`,
    )
    expect(lines).toEqual([
      ["line p95", 5],
      ["line p50", 1.5],
    ])
  })

  test("a state has one colour, in marks and in bars", async () => {
    const colours = await page.value(`(() => {
      const of = (name) => { const span = document.createElement("span"); span.className = "mark " + name; document.body.append(span); const { color } = getComputedStyle(span); span.remove(); return color }
      const bar = (name) => { const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg"); const rect = document.createElementNS("http://www.w3.org/2000/svg", "rect"); rect.setAttribute("class", "bar " + name); svg.append(rect); document.body.append(svg); const { fill } = getComputedStyle(rect); svg.remove(); return fill }
      return ["completed", "rejected", "failed"].map((name) => [of(name), bar(name)]).concat([[of("running"), of("claimed")]])
    })()`)
    for (const [mark, other] of colours) expect(mark).toBe(other)
    expect(new Set(colours.map(([mark]: [string]) => mark)).size).toBe(4)
  })

  test("it fits a narrow window, and follows the reader's colours", async () => {
    const narrow = await browser.page()
    await narrow.send("Emulation.setDeviceMetricsOverride", {
      width: 360,
      height: 800,
      deviceScaleFactor: 1,
      mobile: true,
    })
    await narrow.goto(it.url)
    await narrow.until(`document.querySelector("#ready").textContent === "ready"`)
    expect(await narrow.value(`document.documentElement.scrollWidth`)).toBeLessThanOrEqual(360)
    // the text of the charts is as large as it is on a desk
    const heights = await narrow.value(
      `[...document.querySelectorAll("#plots text")].map((text) => text.getBoundingClientRect().height)`,
    )
    expect(heights.length).toBeGreaterThan(6)
    expect(Math.min(...heights)).toBeGreaterThanOrEqual(10)
    const ground = async (value: string): Promise<string> => {
      await narrow.send("Emulation.setEmulatedMedia", { features: [{ name: "prefers-color-scheme", value }] })
      return narrow.value(`getComputedStyle(document.body).backgroundColor`)
    }
    expect(await ground("light")).toBe("rgb(246, 247, 249)")
    expect(await ground("dark")).toBe("rgb(17, 21, 27)")
  })

  test("everybody can use it: contrast in light and dark, names, structure, the order of the keyboard", async () => {
    const fresh = await browser.page()
    it.tasks = [taskOf(), taskOf({ task_id: "task-2", state: "running", code: "", reason: "", verdict: null })]
    await fresh.goto(it.url)
    await fresh.until(`document.querySelectorAll("#tasks tbody tr").length === 2`)
    expect(await barriersOf(fresh)).toEqual([])
    it.tasks = [taskOf()]
  })

  test("a port with a token asks for it, and takes only the right one", async () => {
    await using locked = await rig({ port: { token: digestOf(utf8("0123456789abcdef")) } })
    locked.beat()
    const guest = await browser.page()
    await guest.goto(locked.url)
    await guest.until(`!document.querySelector("#login").hidden`)
    expect(await guest.value(`document.querySelector("#main").hidden`)).toBe(true)
    const enter = (token: string) =>
      guest.value(
        `document.querySelector("#token").value = ${JSON.stringify(token)}; document.querySelector("#login").requestSubmit()`,
      )
    await enter("wrong-wrong-wrong")
    await guest.until(`document.querySelector("#ready").textContent === "the token was not taken"`)
    await enter("0123456789abcdef")
    await guest.until(`document.querySelector("#ready").textContent === "ready"`)
    expect(await guest.value(`localStorage.length + sessionStorage.length + document.cookie.length`)).toBe(0)
  })

  test("a node that goes away is said to have gone", async () => {
    const going = await rig()
    await going.settled()
    const left = await browser.page()
    await left.goto(going.url)
    await left.until(`document.querySelector("#ready").textContent === "ready"`)
    await going[Symbol.asyncDispose]()
    await left.until(`document.querySelector("#ready").textContent === "no answer"`)
  })
})
