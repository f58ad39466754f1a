/** A headless Chromium, driven by its own protocol over a WebSocket; ended and removed with the scope. */

import { rmSync } from "node:fs"
import { temporaryFolder } from "./temporaryFolder.ts"

export const chromium: string | undefined =
  process.env["COSIGNER_CHROMIUM"] ??
  Bun.which("chromium") ??
  Bun.which("chromium-browser") ??
  Bun.which("google-chrome") ??
  undefined

// biome-ignore lint/suspicious/noExplicitAny: answers of a protocol with thousands of shapes
type Answer = any

export interface Page {
  /** What went wrong on the page: exceptions, console errors, refused loads. */
  readonly problems: string[]
  send(method: string, params?: object): Promise<Answer>
  goto(url: string): Promise<void>
  /** The value of an expression, awaited; throws what it throws. */
  value(expression: string): Promise<Answer>
  /** Resolves when the expression is true. Pages of ours ask their server meanwhile, sooner than they would by themselves. */
  until(expression: string): Promise<void>
  key(key: string): Promise<void>
  /** How wide and high the window is, and whether the reader wants it dark. */
  shown(window: { readonly width: number; readonly height: number; readonly dark?: boolean }): Promise<void>
  /** A PNG of the window, or of the whole page below it. */
  picture(whole?: boolean): Promise<Buffer>
}

export interface Browser extends AsyncDisposable {
  /** Each is of a reader of its own: it has no cookie of another. */
  page(): Promise<Page>
}

const PATIENCE_MS = 20_000
const LOOK_MS = 20
/** Looks between two questions: pages ask once in two seconds, and their servers bound how often. */
const ASK_EVERY = 15
/** What a page asks at without waiting. */
const ASK_NOW = `void document.dispatchEvent(new Event("visibilitychange"))`
const KEYS: Readonly<Record<string, number>> = { Tab: 9, Enter: 13 }

export async function openBrowser(program: string): Promise<Browser> {
  const profile = temporaryFolder("chromium").path
  const child = Bun.spawn(
    [
      program,
      "--headless=new",
      "--no-sandbox",
      "--disable-gpu",
      "--disable-dev-shm-usage",
      "--no-first-run",
      "--disable-background-networking",
      "--remote-debugging-port=0",
      `--user-data-dir=${profile}`,
      "about:blank",
    ],
    { stdin: "ignore", stdout: "ignore", stderr: "pipe" },
  )
  const socket = new WebSocket(await addressIn(child.stderr))
  await new Promise((resolve, reject) => {
    socket.onopen = resolve
    socket.onerror = reject
  })
  const answers = new Map<number, { resolve: (answer: Answer) => void; reject: (error: Error) => void }>()
  const listeners = new Set<(message: Answer) => void>()
  let last = 0
  socket.onmessage = ({ data }) => {
    const message: Answer = JSON.parse(String(data))
    for (const listener of listeners) listener(message)
    const waiting = answers.get(message.id)
    answers.delete(message.id)
    if (message.error === undefined) waiting?.resolve(message.result)
    else waiting?.reject(new Error(message.error.message))
  }
  const send = (method: string, params: object = {}, sessionId?: string): Promise<Answer> =>
    new Promise((resolve, reject) => {
      const id = ++last
      answers.set(id, { resolve, reject })
      socket.send(JSON.stringify({ id, method, params, ...(sessionId === undefined ? {} : { sessionId }) }))
    })

  return {
    async page() {
      const { browserContextId } = await send("Target.createBrowserContext")
      const { targetId } = await send("Target.createTarget", { url: "about:blank", browserContextId })
      const { sessionId } = await send("Target.attachToTarget", { targetId, flatten: true })
      const problems: string[] = []
      listeners.add((message) => {
        if (message.sessionId !== sessionId) return
        if (message.method === "Runtime.exceptionThrown") problems.push(message.params.exceptionDetails.text)
        if (message.method === "Log.entryAdded") problems.push(message.params.entry.text)
        if (message.method === "Runtime.consoleAPICalled") problems.push(JSON.stringify(message.params.args))
      })
      const ask = (method: string, params: object = {}) => send(method, params, sessionId)
      for (const domain of ["Page", "Runtime", "Log", "Accessibility"]) await ask(`${domain}.enable`)
      const value = async (expression: string): Promise<Answer> => {
        const { result, exceptionDetails } = await ask("Runtime.evaluate", {
          expression,
          awaitPromise: true,
          returnByValue: true,
        })
        if (exceptionDetails !== undefined)
          throw new Error(exceptionDetails.exception?.description ?? exceptionDetails.text)
        return result.value
      }
      return {
        problems,
        send: ask,
        value,
        async goto(url) {
          const loaded = new Promise<void>((resolve) => {
            const listener = (message: Answer) => {
              if (message.sessionId !== sessionId || message.method !== "Page.loadEventFired") return
              listeners.delete(listener)
              resolve()
            }
            listeners.add(listener)
          })
          await ask("Page.navigate", { url })
          await loaded
        },
        async until(expression) {
          const give_up = performance.now() + PATIENCE_MS
          for (let i = 0; !(await value(`Boolean(${expression})`)); i++) {
            if (i % ASK_EVERY === 0) await value(ASK_NOW)
            if (performance.now() > give_up) throw new Error(`never true: ${expression}; ${problems.join("; ")}`)
            await Bun.sleep(LOOK_MS)
          }
        },
        async shown({ width, height, dark = false }) {
          const mobile = width < 600
          await ask("Emulation.setDeviceMetricsOverride", { width, height, deviceScaleFactor: 1, mobile })
          const features = [{ name: "prefers-color-scheme", value: dark ? "dark" : "light" }]
          await ask("Emulation.setEmulatedMedia", { features })
        },
        async picture(whole = false) {
          const { data } = await ask("Page.captureScreenshot", { format: "png", captureBeyondViewport: whole })
          return Buffer.from(data, "base64")
        },
        async key(key) {
          const windowsVirtualKeyCode = KEYS[key]
          const text = key === "Enter" ? "\r" : undefined
          await ask("Input.dispatchKeyEvent", {
            type: "keyDown",
            key,
            code: key,
            windowsVirtualKeyCode,
            ...(text ? { text } : {}),
          })
          await ask("Input.dispatchKeyEvent", { type: "keyUp", key, code: key, windowsVirtualKeyCode })
        },
      }
    },
    async [Symbol.asyncDispose]() {
      await send("Browser.close").catch(() => undefined)
      socket.close()
      child.kill("SIGKILL")
      await child.exited
      rmSync(profile, { recursive: true, force: true, maxRetries: 10 })
    },
  }
}

async function addressIn(stream: ReadableStream<Uint8Array>): Promise<string> {
  let text = ""
  const decoder = new TextDecoder()
  const reader = stream.getReader()
  for (;;) {
    const { value, done } = await reader.read()
    if (done) throw new Error(`chromium did not start: ${text.slice(-500)}`)
    text += decoder.decode(value, { stream: true })
    const found = /DevTools listening on (ws:\S+)/.exec(text)?.[1]
    if (found === undefined) continue
    // Its further words must not fill the pipe.
    void (async () => {
      while (!(await reader.read()).done);
    })()
    return found
  }
}
