/** The status port over its real thread and socket: who may ask, what it answers, and what it never does. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { chmodSync, existsSync, statSync, symlinkSync, writeFileSync } from "node:fs"
import { connect } from "node:net"
import { join } from "node:path"
import { Value } from "@sinclair/typebox/value"
import { utf8 } from "../../../src/bytes.ts"
import { parseListen, readToken } from "../../../src/config/listen.ts"
import { openApi, type PortRoute, ROUTES } from "../../../src/ops/port/routes.ts"
import { digestOf } from "../../../src/panel/listen.ts"
import { fullPipe } from "../../support/fullPipe.ts"
import { folder, jsonOf, type Rig, rig, START_MS, statusOf, taskOf } from "./rig.ts"

let it: Rig
beforeAll(async () => {
  it = await rig()
  it.tasks = [taskOf()]
  await it.settled()
})
afterAll(() => it[Symbol.asyncDispose]())

/** As a killed node leaves one: there, and nobody behind it. */
function leaveSocket(path: string): void {
  const program = `Bun.listen({ unix: ${JSON.stringify(path)}, socket: { data() {} } }); process.kill(process.pid, "SIGKILL")`
  // On a busy machine the program may die before its socket is there.
  for (let tries = 0; tries < 5 && !existsSync(path); tries++) Bun.spawnSync([process.execPath, "-e", program])
  expect(statSync(path).isSocket()).toBe(true)
}

/** A request as bytes, because fetch would not send these. */
function raw(url: string, request: string): Promise<string> {
  const { hostname, port } = new URL(url)
  return new Promise((resolve, reject) => {
    let text = ""
    const socket = connect(Number(port), hostname, () => socket.end(request))
    socket.on("data", (chunk) => (text += chunk))
    socket.on("close", () => resolve(text))
    socket.on("error", reject)
  })
}

describe("every place", () => {
  for (const route of Object.values<PortRoute>(ROUTES)) {
    test(`${route.path} answers what its schema says`, async () => {
      const answer = await it.get(route.path)
      expect(answer.status).toBe(200)
      const schema = route.answers[200]
      if (schema === undefined)
        return expect(answer.headers.get("content-type")).toStartWith("text/plain; version=0.0.4")
      expect(answer.headers.get("content-type")).toBe("application/json")
      const body: unknown = await answer.json()
      expect([...Value.Errors(schema, body)]).toEqual([])
    })
  }
  test("/openapi.json describes all of them", async () => {
    const description = await jsonOf(await it.get("/openapi.json"))
    expect(Object.keys(description.paths).sort()).toEqual(
      Object.values<PortRoute>(ROUTES)
        .map(({ path }) => path)
        .sort(),
    )
    expect(description).toEqual(JSON.parse(JSON.stringify(openApi(description.info.version))))
    expect(description.paths["/tasks"].get.parameters.map(({ name }: { name: string }) => name)).toEqual([
      "state",
      "type",
      "skip",
      "limit",
    ])
  })
  test("HEAD tells what GET would, without the body", async () => {
    const answer = await raw(it.url, "HEAD /status HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
    expect(answer).toStartWith("HTTP/1.1 200")
    expect(answer).toEndWith("\r\n\r\n")
  })
  test("answers are not kept, sniffed, framed or lent to other sites", async () => {
    for (const path of ["/", "/status", "/metrics", "/nowhere"]) {
      const { headers } = await it.get(path)
      expect(headers.get("cache-control")).toBe("no-store")
      expect(headers.get("x-content-type-options")).toBe("nosniff")
      expect(headers.get("x-frame-options")).toBe("DENY")
      expect(headers.get("cross-origin-resource-policy")).toBe("same-origin")
      expect(headers.get("access-control-allow-origin")).toBeNull()
    }
  })
  test("readiness is 503 when an item is not ok, with the item's code and next step", async () => {
    const items = statusOf().items.map((item) =>
      item.name === "link" ? { ...item, state: "failed" as const, code: "E-STA-011", next: "look" } : item,
    )
    it.status = statusOf({ ready: false, items })
    await it.settled()
    const answer = await it.get("/readyz")
    expect(answer.status).toBe(503)
    expect((await jsonOf(answer)).items[1]).toMatchObject({ name: "link", state: "failed", code: "E-STA-011" })
    expect((await it.get("/healthz")).status).toBe(200)
    it.status = statusOf()
    await it.settled()
    expect((await it.get("/readyz")).status).toBe(200)
  })
})

describe("who may not ask", () => {
  const hostOf = (host: string) => raw(it.url, `GET /status HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`)
  test("by another host's name: 421, and nothing of the node", async () => {
    for (const host of [
      "evil.example",
      "127.0.0.1.evil.example",
      "localhost.evil.example",
      "2130706433",
      "0.0.0.0",
      "a",
    ]) {
      const answer = await hostOf(host)
      expect(`${host} ${answer.slice(0, 12)}`).toBe(`${host} HTTP/1.1 421`)
      expect(answer).not.toContain("node_id")
    }
  })
  test("by this machine's names: yes", async () => {
    for (const host of ["127.0.0.1", "localhost", "localhost:11040", "[::1]:1", "LOCALHOST"]) {
      expect(await hostOf(host)).toStartWith("HTTP/1.1 200")
    }
  })
  test("without a host: no", async () => {
    expect(await raw(it.url, "GET /status HTTP/1.0\r\n\r\n")).not.toContain("node_id")
  })
  test("to change something", async () => {
    for (const method of ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"]) {
      expect((await it.get("/status", { method })).status).toBe(405)
    }
  })
  test("from a page of another site, but a link to the page is fine", async () => {
    for (const site of ["cross-site", "same-site"]) {
      const headers = { "sec-fetch-site": site }
      expect((await it.get("/status", { headers })).status).toBe(403)
      expect((await it.get("/", { headers })).status).toBe(200)
    }
    expect((await it.get("/status", { headers: { "sec-fetch-site": "same-origin" } })).status).toBe(200)
  })
  test("with more than a question", async () => {
    expect((await it.get("/status", { method: "POST", body: "x".repeat(1_000_000) })).status).toBeGreaterThanOrEqual(
      400,
    )
  })
})

describe("tasks", () => {
  test("are shown newest first, page by page, and by state and type", async () => {
    const types = ["KeySign", "KeyGen"] as const
    const states = ["failed", "completed", "rejected"] as const
    it.tasks = Array.from({ length: 60 }, (_, i) =>
      taskOf({ task_id: `task-${i}`, type: types[i % 2] ?? "KeySign", state: states[i % 3] ?? "failed" }),
    )
    await it.settled()
    const shown = async (query: string) => {
      const { tasks, next_skip } = await jsonOf(await it.get(`/tasks${query}`))
      return [tasks.map(({ task_id }: { task_id: string }) => task_id), next_skip]
    }
    const ids = (from: number, to: number, step = 1) =>
      Array.from({ length: Math.ceil((to - from) / step) }, (_, i) => `task-${from + i * step}`)
    expect(await shown("")).toEqual([ids(0, 20), 20])
    expect(await shown("?skip=50&limit=5")).toEqual([ids(50, 55), 55])
    expect(await shown("?skip=50&limit=10")).toEqual([ids(50, 60), null])
    expect(await shown("?type=KeyGen&skip=28&limit=100")).toEqual([ids(57, 60, 2), null])
    expect(await shown("?state=failed&type=KeyGen&limit=2")).toEqual([["task-3", "task-9"], 2])
    expect(await shown("?skip=1000")).toEqual([[], null])
    it.tasks = [taskOf()]
    await it.settled()
    expect(await shown("?limit=100")).toEqual([["task-1"], null])
  })
  for (const query of [
    "limit=0",
    "limit=101",
    "limit=-1",
    "limit=1e2",
    "limit=x",
    "skip=100001",
    "state=gone",
    "type=",
    "more=1",
    "limit=1&limit=2",
    "__proto__=1",
    "constructor=1",
  ]) {
    test(`?${query} is refused`, async () => {
      expect((await it.get(`/tasks?${query}`)).status).toBe(400)
    })
  }
  test("a document that is not what the schema says is not sent", async () => {
    it.tasks = [{ ...taskOf({ task_id: "talks" }), password: "hunter2" } as never, taskOf()]
    await it.settled()
    const text = await (await it.get("/tasks")).text()
    expect(text).not.toContain("hunter2")
    expect(text).not.toContain("talks")
    expect(text).toContain("task-1")
    expect(it.log.filter((line) => line.startsWith("error"))).toHaveLength(1)
    it.tasks = [taskOf()]
  })
})

test("a snapshot with a field too many is never posted", () => {
  expect(() =>
    it.thread.beat(() => ({
      status: { ...statusOf(), secret: "hunter2" } as never,
      history: { interval_ms: 1, window: { p50_ms: null, p95_ms: null }, points: [] },
      metrics: "",
    })),
  ).toThrow(expect.objectContaining({ code: "E-CLI-001" }))
})

describe("with a token", () => {
  test("every question needs it, the page does not", async () => {
    await using locked = await rig({ port: { token: digestOf(utf8("0123456789abcdef")) } })
    locked.beat()
    const ask = (authorization?: string) =>
      locked.get("/healthz", authorization === undefined ? {} : { headers: { authorization } })
    expect((await ask()).status).toBe(401)
    expect((await ask("Bearer 0123456789abcdeF")).status).toBe(401)
    expect((await ask("Bearer 0123456789abcdef0")).status).toBe(401)
    expect((await ask("Basic 0123456789abcdef")).status).toBe(401)
    expect((await ask("Bearer ")).status).toBe(401)
    expect((await ask("Bearer 0123456789abcdef")).status).toBe(200)
    for (const { path } of Object.values<PortRoute>(ROUTES)) expect((await locked.get(path)).status).toBe(401)
    expect((await locked.get("/openapi.json")).status).toBe(401)
    const page = await locked.get("/")
    expect(page.status).toBe(200)
    expect(await page.text()).not.toContain(statusOf().node_id)
  })
  test("is one line of a file that nobody else reads", () => {
    using at = folder()
    const file = join(at.path, "token")
    const refused = () => expect(() => readToken(file)).toThrow(expect.objectContaining({ code: "E-STA-003" }))
    refused()
    writeFileSync(file, "0123456789abcdef\n", { mode: 0o600 })
    using token = readToken(file)
    expect(Buffer.from(token.expose()).toString()).toBe("0123456789abcdef")
    chmodSync(file, 0o640)
    refused()
    chmodSync(file, 0o600)
    for (const bad of ["short", "two\nlines of a token", "with blanks in a token", "x".repeat(513), "x".repeat(5000)]) {
      writeFileSync(file, bad)
      refused()
    }
    writeFileSync(join(at.path, "real"), "0123456789abcdef", { mode: 0o600 })
    symlinkSync("real", join(at.path, "link"))
    expect(readToken(join(at.path, "link")).length).toBe(16)
  })
})

describe("where it listens", () => {
  for (const bad of [
    "0.0.0.0:11040",
    "192.168.0.1:80",
    "example.com:80",
    "[::]:80",
    "127.0.0.1",
    "127.0.0.1:65536",
    "127.0.0.1:x",
    "unix:",
    `unix:${"x".repeat(200)}`,
    ":80",
    "127.1:80",
    "",
  ]) {
    test(`not at ${JSON.stringify(bad.slice(0, 30))}`, () => {
      expect(() => parseListen(bad)).toThrow(expect.objectContaining({ code: "E-STA-002" }))
    })
  }
  test("a place that is taken stops the start, and nothing is said to go on", async () => {
    const listen = parseListen(it.thread.address ?? "")
    const said: string[] = []
    expect(await rig({ port: { listen }, said }).catch((error: { code: string }) => error.code)).toBe("E-STA-001")
    expect(said).toEqual([])
  })
  test("a unix socket, for its owner alone; one that was left behind is taken over, one in use is not", async () => {
    using at = folder()
    const path = join(at.path, "s")
    const listen = parseListen(`unix:${path}`)
    const before = process.umask(0o077)
    try {
      await using first = await rig({ port: { listen } })
      first.beat()
      expect(statSync(path).mode & 0o777).toBe(0o700)
      expect((await fetch("http://anything/healthz", { unix: path })).status).toBe(200)
      expect(await rig({ port: { listen } }).catch((error: { code: string }) => error.code)).toBe("E-STA-001")
      expect((await fetch("http://anything/healthz", { unix: path })).status).toBe(200)
    } finally {
      process.umask(before)
    }
    leaveSocket(path)
    await using second = await rig({ port: { listen } })
    second.beat()
    expect((await fetch("http://anything/healthz", { unix: path })).status).toBe(200)
  })
  test("a file in its place stays", async () => {
    using at = folder()
    const path = join(at.path, "s")
    writeFileSync(path, "mine")
    expect(
      await rig({ port: { listen: parseListen(`unix:${path}`) } }).catch((error: { code: string }) => error.code),
    ).toBe("E-STA-001")
    expect(existsSync(path)).toBe(true)
  })
})

test("a thread that dies is said to have died, started again, and said to be back", async () => {
  await using mortal = await rig({ spawn: () => new Worker(new URL("./mortalWorker.ts", import.meta.url)) })
  mortal.beat()
  while (mortal.log.length < 2) await Bun.sleep(10)
  mortal.beat()
  while (mortal.log.length < 3) await Bun.sleep(10)
  expect(mortal.log.map((line) => line.slice(0, 15))).toEqual(["error E-STA-017", "info the status", "error E-STA-017"])
  expect(mortal.log[0]).toContain("mortalWorker.ts:")
  expect(mortal.log[0]).not.toContain("on purpose")
})

test("a stderr that nobody reads does not keep the port from saying that the main thread stalls", async () => {
  using at = folder()
  using pipe = fullPipe(join(at.path, "stderr"))
  const child = Bun.spawn([process.execPath, join(import.meta.dir, "stalled.ts")], {
    stdin: "ignore",
    stdout: "pipe",
    stderr: pipe.stderr,
  })
  try {
    const { value } = await child.stdout.getReader().read()
    const url = Buffer.from(value ?? new Uint8Array(0))
      .toString()
      .trim()
    // Each answer comes later than the stall was due to be told.
    for (let i = 0; i < 3; i++) {
      await Bun.sleep(400)
      expect((await fetch(`${url}/healthz`, { signal: AbortSignal.timeout(3_000), keepalive: false })).status).toBe(200)
    }
  } finally {
    child.kill("SIGKILL")
    await child.exited
  }
})

describe("before and without a word of the node", () => {
  test("nothing is known: 503, but alive", async () => {
    await using silent = await rig()
    expect((await silent.get("/healthz")).status).toBe(200)
    for (const path of ["/readyz", "/status", "/history"]) expect((await silent.get(path)).status).toBe(503)
    await silent.settled()
    expect((await silent.get("/readyz")).status).toBe(200)
    silent.thread.beat(undefined)
    while ((await silent.get("/readyz")).status !== 503) await Bun.sleep(2)
  })
  test("a main thread that falls silent is not ready, and is again with its next word", async () => {
    await using quiet = await rig({ stall: { limitMs: 300, format: undefined } })
    await quiet.settled()
    expect((await quiet.get("/readyz")).status).toBe(200)
    for (;;) {
      const answer = await quiet.get("/readyz")
      if (answer.status !== 503) {
        await Bun.sleep(20)
        continue
      }
      const { ready, items } = await jsonOf(answer)
      expect(ready).toBe(false)
      expect(items.find(({ name }: { name: string }) => name === "loop")).toMatchObject({
        state: "failed",
        code: "E-STA-015",
      })
      break
    }
    await quiet.settled()
    expect((await quiet.get("/readyz")).status).toBe(200)
    expect(START_MS).toBeGreaterThan(0)
  })
})
