/**
 * The approvals page in a real browser, with a virtual authenticator: a passkey is made, its entry becomes an approver, it approves
 * and rejects, by keyboard too; text from outside stays text.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { join } from "node:path"
import { readStatement } from "../../../src/approvals/statement.ts"
import { readCoseKey } from "../../../src/approvals/webauthn.ts"
import { copy } from "../../../src/bytes.ts"
import { scriptOf } from "../../../src/panel/look.ts"
import { makeCertificates } from "../../link/certificates.ts"
import { barriersOf } from "../../support/accessible.ts"
import { type Browser, chromium, openBrowser, type Page } from "../../support/browser.ts"
import { typeErrors } from "../../support/pageTypes.ts"
import { PAYMENT, type PageRig, pageRig, waitingTask } from "./rig.ts"

const isLong = process.env["COSIGNER_LONG"] === "1"
if (isLong && chromium === undefined)
  console.log("skipped: the approvals page in a browser, because no chromium is installed (apt-get install chromium)")

const source = join(import.meta.dir, "..", "..", "..", "src", "kit", "approvalsPage", "pageScript.js")

test.skipIf(!isLong)("over TLS the page is its own name's, and nothing else's", async () => {
  const certificates = makeCertificates()
  if (certificates === undefined) return
  const { server, ca, otherCa } = certificates
  await using it = await pageRig(undefined, server)
  const get = (authority: string) =>
    fetch(`${it.origin}/tasks`, { tls: { ca: authority } }).then(({ status }) => status)
  expect(it.origin).toStartWith("https://localhost:")
  expect(await get(ca)).toBe(200)
  await expect(get(otherCa)).rejects.toThrow()
})

describe.skipIf(!isLong || chromium === undefined)("in a browser", () => {
  let browser: Browser
  let it: PageRig
  let page: Page
  let authenticatorId: string

  beforeAll(async () => {
    browser = await openBrowser(chromium ?? "")
    it = await pageRig()
    page = await browser.page()
    await page.send("WebAuthn.enable")
    const options = {
      protocol: "ctap2",
      transport: "internal",
      hasResidentKey: true,
      hasUserVerification: true,
      isUserVerified: true,
      automaticPresenceSimulation: true,
    }
    authenticatorId = (await page.send("WebAuthn.addVirtualAuthenticator", { options })).authenticatorId
    await page.goto(it.origin)
  }, 60_000)
  afterAll(async () => {
    await it[Symbol.asyncDispose]()
    await browser[Symbol.asyncDispose]()
  })

  const news = (text: string) =>
    page.until(`document.querySelector("#news").textContent.includes(${JSON.stringify(text)})`)
  const press = (decision: string) =>
    page.value(`document.querySelector('button[data-decision="${decision}"]').click()`)

  /** Chromium misses RS256, whose keys no node takes. */
  const problems = () => page.problems.filter((text) => !text.includes("pubKeyCredParams"))

  /** The entry on the page as the approver that it names. */
  async function approverOnPage() {
    const entry = String(await page.value(`document.querySelector("#entry").textContent`))
    const [, name = "", id = "", key = "", rpId = "", origin = ""] =
      /name = "(.*)"\ncredential_id = "(.*)"\npublic_key = "(.*)"\nrp_id = "(.*)"\norigin = "(.*)"/.exec(entry) ?? []
    const publicKey = readCoseKey(copy(Buffer.from(key, "base64url")))
    if ("problem" in publicKey) throw new Error(publicKey.problem)
    const passkey = { credentialId: copy(Buffer.from(id, "base64url")), publicKey, rpId, origin }
    return { name, keys: [{ kind: "passkey", passkey }] } as const
  }

  test("the script passes the strict type check, with the types of a browser", async () => {
    expect(await typeErrors(scriptOf(await Bun.file(source).text()))).toBe("")
  })

  test("what waits is shown in words; a stranger's text is text", async () => {
    const line = `memo "<b>x</b><img src=x onerror=alert(1)>" on eip155:1, no fee`
    it.tasks = [waitingTask({ words: [PAYMENT, line], unverified: ["the root key <i>is</i> WaaS's word"] })]
    await page.goto(it.origin)
    await page.until(`document.querySelectorAll(".words li").length === 2`)
    expect(await page.value(`document.querySelector(".words").innerText`)).toContain(PAYMENT)
    expect(await page.value(`document.querySelectorAll("#tasks b, #tasks i, #tasks img").length`)).toBe(0)
    expect(await page.value(`document.querySelector(".unverified").innerText`)).toContain("<i>is</i>")
    expect(await page.value(`document.querySelector("#nobody").hidden`)).toBe(false)
    expect(problems()).toEqual([])
  })

  test("a passkey is made by keyboard alone, and shows that it signs", async () => {
    await page.value(`document.querySelector("#name").focus()`)
    await page.send("Input.insertText", { text: "ada" })
    await page.key("Tab")
    await page.key("Enter")
    await news("The passkey signs.")
    expect(it.entries).toEqual([await page.value(`document.querySelector("#entry").textContent`)])
    const approver = await approverOnPage()
    expect(approver).toMatchObject({ name: "ada", keys: [{ passkey: { origin: it.origin, rpId: "localhost" } }] })
    it.approvers = [approver]
    await page.goto(it.origin)
    await page.until(`document.querySelector("#approver").value === "ada"`)
  })

  test("it approves: the statement on the page is what it signed", async () => {
    await page.until(`document.querySelector('button[data-decision="approve"]')`)
    await press("approve")
    await news("ada says approve to request request-1")
    const [signed] = it.sent
    if (signed === undefined) throw new Error("nothing was sent")
    const shown = await page.value(`document.querySelector("#statement").textContent`)
    expect(Buffer.from(signed.statement).toString()).toBe(shown)
    expect(readStatement(signed.statement)).toMatchObject({ decision: "approve", approver: "ada", task: "task-1" })
  })

  test("it rejects, and confirms what it asked for", async () => {
    for (const decision of ["reject", "request"]) {
      await press(decision)
      await news(`ada says ${decision} to request request-1`)
      expect(readStatement(it.sent.at(-1)?.statement ?? new Uint8Array(0))).toMatchObject({ decision })
    }
  })

  test("a person who is not verified, or refuses, signs nothing", async () => {
    const before = it.sent.length
    await page.send("WebAuthn.setUserVerified", { authenticatorId, isUserVerified: false })
    await press("approve")
    await news("Nothing was signed.")
    await page.send("WebAuthn.setUserVerified", { authenticatorId, isUserVerified: true })
    expect(it.sent).toHaveLength(before)
  })

  test("what cannot be read has no button to approve", async () => {
    it.tasks = [waitingTask({ problem: "E-INT-001 at data" })]
    await page.goto(it.origin)
    await page.until(`document.querySelector("#tasks article")`)
    expect(await page.value(`document.querySelector("#tasks").innerText`)).toContain("can only be rejected")
    expect(await page.value(`document.querySelectorAll("#tasks button").length`)).toBe(1)
    it.tasks = [waitingTask()]
  })

  test("a reader of the screen is told of everything by name", async () => {
    await page.goto(it.origin)
    await page.until(`document.querySelector("#tasks article")`)
    const { nodes } = await page.send("Accessibility.getFullAXTree")
    const named = (role: string): readonly string[] =>
      nodes.flatMap((node: { role?: { value: string }; name?: { value: string } }) =>
        node.role?.value === role ? [node.name?.value ?? ""] : [],
      )
    expect([...named("button")].sort()).toEqual([
      "Approve with a passkey",
      "Confirm that I asked for it",
      "Make a passkey",
      "Reject with a passkey",
    ])
    // what a screen reader calls the buttons of several tasks is told apart by their description
    expect(await page.value(`document.querySelector("#tasks button").getAttribute("aria-describedby")`)).toBe(
      "task-task-1",
    )
    if (process.env["COSIGNER_SHOT"] !== undefined) {
      const { data } = await page.send("Page.captureScreenshot", { format: "png" })
      await Bun.write(process.env["COSIGNER_SHOT"], Buffer.from(data, "base64"))
    }
    expect(named("article")).toEqual(["Request request-1"])
    expect(named("combobox")).toEqual(["Approver"])
    for (const role of ["textbox", "list", "heading"]) expect(named(role).every((name) => name !== "")).toBe(true)
    expect(nodes.some((node: { role?: { value: string } }) => node.role?.value === "status")).toBe(true)
    expect(await barriersOf(page)).toEqual([])
    expect(problems()).toEqual([])
  })
})
