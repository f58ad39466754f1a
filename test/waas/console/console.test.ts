/** The console in its own thread, beside a WaaS: its token, its place, and what becomes of it when something fails. */
import { afterAll, expect, test } from "bun:test"
import { chmodSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs"
import { type Log, silentLog } from "../../../src/log.ts"
import { listenIn } from "../../../src/panel/listen.ts"
import { parseConfig, readConfig } from "../../../src/waas/config.ts"
import { type ConsoleParts, startConsole } from "../../../src/waas/console/console.ts"
import { filesIn } from "../../../src/waas/files.ts"
import { waasInit } from "../../../src/waas/keys.ts"
import { startWaas } from "../../../src/waas/server.ts"
import { jsonOf } from "../../ops/port/rig.ts"
import { temporaryFolder } from "../../support/temporaryFolder.ts"
import { must, Rig } from "../../support/waas.ts"
import { ITEMS } from "./sample.ts"

const folder = temporaryFolder("console")
afterAll(() => folder[Symbol.dispose]())

const said: string[] = []
const line = (level: string) => (message: string) => void said.push(`${level} ${message}`)
const log: Log = {
  error: line("error"),
  warn: line("warn"),
  info: line("info"),
  debug: line("debug"),
  trace: line("trace"),
}

const LISTEN = listenIn("127.0.0.1:0")

function partsOf(rig: Rig, tokenFile: string, more: Partial<ConsoleParts> = {}): ConsoleParts {
  if (typeof LISTEN === "string") throw new Error(LISTEN)
  return {
    settings: { listen: LISTEN, tokenFile },
    chains: [],
    store: rig.store,
    engine: rig.engine,
    fixed: { organisation: "Test", url: "http://127.0.0.1:1", publicKey: "00", startedMs: 0, webhookHosts: [] },
    storeNow: () => ({ kind: "sqlite", place: "waas.db", bytes: 1, checkedMs: 1 }),
    replicas: async () => [],
    shared: rig.shared,
    items: () => ITEMS,
    now: rig.clock.now,
    log,
    ...more,
  }
}

test("what keeps it from looking is said once, and again after it could look", async () => {
  await using rig = await Rig.open({ curves: ["ED25519"] })
  const { vault } = rig.store
  const away = () => Promise.reject(new Error("away"))
  await rig.madeVault()
  rig.store.vault = away
  const before = said.length
  const failures = () => said.slice(before).filter((text) => text.includes("E-WAA-083"))
  const page = await startConsole(partsOf(rig, folder.at("looks.token")))
  try {
    await page.look()
    expect(failures()).toEqual([expect.stringMatching(/^error E-WAA-083 the console could not look at WaaS: Error/)])
    rig.store.vault = vault
    await page.look()
    rig.store.vault = away
    rig.onWritten = page.written
    await rig.vault()
    await page.look()
    expect(failures()).toHaveLength(2)
  } finally {
    await page.stop()
  }
})

test("it makes its token where there is none, serves from its thread, and shows what is written since", async () => {
  await using rig = await Rig.open({ curves: ["ED25519"] })
  const tokenFile = folder.at("console.token")
  const page = await startConsole(partsOf(rig, tokenFile))
  try {
    rig.onWritten = page.written
    expect(statSync(tokenFile).mode & 0o777).toBe(0o600)
    const token = readFileSync(tokenFile, "utf8").trim()
    expect(token).toMatch(/^[\w-]{43}$/)
    expect(said.join("\n")).not.toContain(token)
    const ask = (path: string) =>
      fetch(`http://${page.address}${path}`, { headers: { authorization: `Bearer ${token}` } })
    const { vault } = await rig.madeVault()
    await page.look()
    /** What was told reaches the thread in its own time; whoever asks more often is told to wait. */
    const until = async (path: string, isThere: (answer: Awaited<ReturnType<typeof jsonOf>>) => boolean) => {
      for (;;) {
        const answer = await jsonOf(await ask(path))
        if (isThere(answer)) return answer
        await Bun.sleep(60)
      }
    }
    const { vaults } = await until("/vaults", (answer) => answer.vaults[0]?.groups[0]?.status === "Valid")
    expect(vaults).toMatchObject([{ vault_id: vault.vaultId }])
    const { requests } = await until("/requests", (answer) => answer.requests[0]?.state === "done")
    expect(requests).toMatchObject([{ kind: "key", what: "KeyGen" }])
    await until("/overview", (answer) => answer.overview.nodes.length === 3)
    for (const end = performance.now() + 200; performance.now() < end; );
    await until("/overview", (answer) => {
      void page.look()
      return answer.overview.event_loop.max_ms > 100
    })
    expect((await fetch(`http://${page.address}/overview`)).status).toBe(401)
  } finally {
    await page.stop()
  }
})

test("a token that others can read, or that is none, stops the start", async () => {
  await using rig = await Rig.open()
  const tokenFile = folder.at("bad.token")
  writeFileSync(tokenFile, "0123456789abcdef\n", { mode: 0o600 })
  chmodSync(tokenFile, 0o644)
  await expect(startConsole(partsOf(rig, tokenFile))).rejects.toThrow(expect.objectContaining({ code: "E-WAA-081" }))
  rmSync(tokenFile)
  writeFileSync(tokenFile, "short\n", { mode: 0o600 })
  await expect(startConsole(partsOf(rig, tokenFile))).rejects.toThrow(expect.objectContaining({ code: "E-WAA-081" }))
  await expect(startConsole(partsOf(rig, folder.at("nowhere", "token")))).rejects.toThrow(
    expect.objectContaining({ code: "E-WAA-081" }),
  )
})

test("a place that is taken stops the start", async () => {
  await using rig = await Rig.open()
  const other = Bun.serve({ hostname: "127.0.0.1", port: 0, fetch: () => new Response("") })
  const listen = listenIn(`127.0.0.1:${other.port}`)
  if (typeof listen === "string") throw new Error(listen)
  const parts = partsOf(rig, folder.at("console.token"))
  const starting = startConsole({ ...parts, settings: { ...parts.settings, listen } })
  await expect(starting).rejects.toThrow(expect.objectContaining({ code: "E-WAA-080" }))
  await other.stop(true)
})

test("a store that cannot be read is said once, and so is a thread that died", async () => {
  await using rig = await Rig.open()
  said.length = 0
  let threads = 0
  const died = Promise.withResolvers<void>()
  const spawn = (): Worker => {
    threads++
    const worker = new Worker(new URL("./mortalConsole.ts", import.meta.url).href)
    worker.addEventListener("error", () => died.resolve())
    return worker
  }
  let isBroken = false
  const storeNow = () => {
    if (isBroken) throw new Error("no answer")
    return { kind: "sqlite", place: "waas.db", bytes: 1, checkedMs: 1 } as const
  }
  const page = await startConsole(partsOf(rig, folder.at("console.token"), { spawn, storeNow }))
  try {
    isBroken = true
    await page.look()
    await page.look()
    expect(said.filter((words) => words.includes("the console could not look"))).toHaveLength(1)
    isBroken = false
    await page.look()
    await died.promise
    expect(said.join("\n")).toContain("the thread of the console died")
    expect(threads).toBe(1)
  } finally {
    await page.stop()
  }
})

test("beside a WaaS that starts and stops: on its listener alone, and gone with it", async () => {
  const dir = folder.at("waas")
  const { files } = await waasInit(dir, 1)
  writeFileSync(files.config, '[waas]\n[waas.console]\nenable = true\nlisten = "127.0.0.1:0"\n')
  const signal = new AbortController().signal
  const waas = must(await startWaas(readConfig(files, "127.0.0.1:0"), files, silentLog, signal))
  const page = `http://${waas.console}`
  try {
    const headers = { authorization: `Bearer ${readFileSync(folder.at("waas", "console.token"), "utf8").trim()}` }
    const { overview } = await jsonOf(await fetch(`${page}/overview`, { headers }))
    expect(overview).toMatchObject({ url: waas.url, public_key: waas.publicKey, store: { kind: "sqlite" } })
    expect(overview.items.map(({ state }: { state: string }) => state)).toEqual(["ok", "ok"])
    for (const path of ["/", "/console.js", "/overview", "/requests", "/login"])
      expect((await fetch(`${waas.url}${path}`, { headers })).status).toBe(404)
  } finally {
    await waas.stop()
  }
  await expect(fetch(page)).rejects.toThrow()
})

test("it is off unless it is asked for, and is for this machine alone", () => {
  const files = filesIn("waas")
  const read = (text: string) => parseConfig(text, files).console
  expect(read("")).toBeUndefined()
  expect(read("[waas.console]\nenable = true\n")).toEqual({
    listen: { kind: "tcp", hostname: "127.0.0.1", port: 11_051 },
    tokenFile: "waas/console.token",
  })
  for (const listen of ["0.0.0.0:11051", "192.168.1.2:11051", "waas.example.com:11051", "[::]:11051"])
    expect(() => read(`[waas.console]\nenable = true\nlisten = "${listen}"\n`)).toThrow(
      expect.objectContaining({ code: "E-CFG-003" }),
    )
})
