/** The pictures of docs/images: both pages in a headless Chromium, with what the tests make up for them. */
import type { TaskDocument } from "../../src/ops/port/documents.ts"
import { pageRig, waitingTask } from "../../test/kit/approvalsPage/rig.ts"
import { rig, START_MS, statusOf, taskOf } from "../../test/ops/port/rig.ts"
import { passkeyApprover } from "../../test/support/approvers.ts"
import { type Browser, chromium, openBrowser, type Page } from "../../test/support/browser.ts"
import { sample, TOKEN } from "../../test/waas/console/sample.ts"
import { withPalette } from "./palette.ts"

const DESK = { width: 1120, height: 700 }
const PHONE = { width: 390, height: 844 }
/** What a page of documents carries. */
const MOST_BYTES = 150_000

/** By file name. */
export async function screenshots(): Promise<ReadonlyMap<string, Buffer>> {
  if (chromium === undefined) throw new Error("no chromium is installed (apt-get install chromium)")
  await using browser = await openBrowser(chromium)
  const made = new Map([...(await ofConsole(browser)), ...(await ofNode(browser)), ...(await ofApprovals(browser))])
  for (const [name, png] of made) {
    if (png.length > MOST_BYTES) throw new Error(`${name} has ${png.length} bytes, and ${MOST_BYTES} are the most`)
  }
  return made
}

async function pageIn(browser: Browser): Promise<Page> {
  const page = await browser.page()
  await page.send("Emulation.setTimezoneOverride", { timezoneId: "UTC" })
  await page.send("Emulation.setScrollbarsHidden", { hidden: true })
  return page
}

async function ofConsole(browser: Browser): Promise<ReadonlyMap<string, Buffer>> {
  await using it = sample()
  const page = await pageIn(browser)
  await page.shown(DESK)
  await page.goto(it.url)
  await page.value(`document.querySelector("#token").value = ${JSON.stringify(TOKEN)}`)
  await page.value(`document.querySelector("form").requestSubmit()`)
  await page.until(`document.querySelectorAll("#requests tbody tr").length === 4`)
  await page.value(`void (document.querySelector("#requests details").open = true)`)
  return new Map([
    ["console.png", await taken(page, DESK)],
    ["console-phone.png", await taken(page, PHONE, true)],
  ])
}

async function ofNode(browser: Browser): Promise<ReadonlyMap<string, Buffer>> {
  await using it = await rig()
  const nowMs = START_MS + 3_600_000
  it.status = statusOf({
    environment: "production",
    now_ms: nowMs,
    risk: { rules_enabled: true, callback_servers: [CALLBACK] },
  })
  for (let i = 0; i < 118; i++) {
    const atMs = nowMs - (118 - i) * 5_000
    for (let n = 0; n < 1 + ((i * 7) % 4); n++) it.history.ended("completed", 260 + ((i * 37 + n * 91) % 240), atMs)
    if (i % 23 === 5) it.history.ended("rejected", undefined, atMs)
    if (i % 59 === 40) it.history.ended("failed", undefined, atMs)
  }
  it.tasks = tasksAt(nowMs)
  await it.settled()
  const page = await pageIn(browser)
  await page.shown(DESK)
  await page.goto(it.url)
  await page.until(`document.querySelectorAll("#tasks tbody tr").length === 3`)
  return new Map([
    ["node.png", await taken(page, DESK)],
    ["node-phone.png", await taken(page, PHONE, true, "#h-plots")],
  ])
}

async function ofApprovals(browser: Browser): Promise<ReadonlyMap<string, Buffer>> {
  await using it = await pageRig()
  const { name, keys } = passkeyApprover("alice").approver
  const ofPage = { rpId: "localhost", origin: it.origin }
  it.approvers = [
    {
      name,
      keys: keys.map((key) => (key.kind === "passkey" ? { ...key, passkey: { ...key.passkey, ...ofPage } } : key)),
    },
  ]
  const made = waitingTask()
  it.tasks = [
    waitingTask({
      task: { ...made.task, deadline_ms: Date.UTC(2026, 10, 22, 13) },
      subject: { ...made.subject, task: "0b9a8c7d-6e5f-4a3b-9c2d-1e0f1a2b3c03" },
      requestId: "5a0f8b52-0d8c-4ea8-9d27-20d1d2f0aa03",
      words: ["transfer 12000 USDC to 0x52908400098527886E0F7030069857D2E4169EE7 on eip155:1, fee at most 0.002 ETH"],
      awaited: "2 of treasury (bob)",
      signed: [],
    }),
  ]
  const page = await pageIn(browser)
  const window = { width: 800, height: 640 }
  await page.shown(window)
  await page.goto(it.origin)
  await page.until(`document.querySelectorAll(".words li").length === 1`)
  return new Map([["approvals.png", await taken(page, window)]])
}

const CALLBACK = {
  server: "https://approvals.example.com/callback",
  healthy: true,
  last_answer_ms: START_MS,
  took_ms: 41,
  skew_ms: 2,
  failures: 0,
  failure: "",
}

function tasksAt(nowMs: number) {
  const approved: NonNullable<TaskDocument["verdict"]> = {
    action: "approve",
    code: "",
    reason: "",
    rules: [{ rule: "key_sign.allow", outcome: "allow", reason: "suppliers: at most 2 ETH" }],
  }
  const text = "transfer 1.25 ETH to 0x0f76F604fd7762Bd94B48CA2523F69ab9665c97f on eip155:1, fee at most 0.0012 ETH"
  const intents = [{ hash: `0x${"ab".repeat(32)}`, text }]
  const ids = (last: number) => ({
    task_id: `0b9a8c7d-6e5f-4a3b-9c2d-1e0f1a2b3c0${last}`,
    group_id: "3f6b9c1d2e4f58a7b6c5d4e3f2a1b0c9d8e7f6a5",
  })
  return [
    taskOf({
      ...ids(3),
      state: "running",
      verdict: approved,
      intents,
      code: "",
      reason: "",
      attempt: 1,
      claimed_ms: nowMs - 240,
    }),
    taskOf({ ...ids(2), claimed_ms: nowMs - 9_000, updated_ms: nowMs - 8_750 }),
    taskOf({
      ...ids(1),
      state: "completed",
      verdict: approved,
      intents,
      code: "",
      reason: "",
      claimed_ms: nowMs - 61_000,
      updated_ms: nowMs - 60_640,
    }),
  ]
}

/** The first screen of a phone, the whole page of a desk. */
async function taken(
  page: Page,
  window: { readonly width: number; readonly height: number },
  dark = false,
  from = "body",
): Promise<Buffer> {
  await page.shown({ ...window, dark })
  // The plots are drawn for the width that they have.
  await page.value(
    `new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(() => resolve(document.dispatchEvent(new Event("visibilitychange"))))))`,
  )
  await page.until(`document.readyState === "complete"`)
  await Bun.sleep(300)
  await page.value(`document.querySelector(${JSON.stringify(from)}).scrollIntoView()`)
  return withPalette(await page.picture(window === DESK))
}
