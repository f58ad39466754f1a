import { afterEach, describe, expect, test } from "bun:test"
import { gzipSync } from "node:zlib"
import { type InfluxTarget, influxTarget } from "../../../src/config/influxTarget.ts"
import { silentLog } from "../../../src/log.ts"
import { createMetrics } from "../../../src/ops/metrics/catalogue.ts"
import { startInflux } from "../../../src/ops/metrics/influx.ts"
import { forgetfulServer, NO_CONTENT } from "../../forgetfulServer.ts"
import { readLines } from "./parsers.ts"

interface Got {
  readonly url: URL
  readonly authorization: string | null
  readonly body: string
}

const servers: ReturnType<typeof Bun.serve>[] = []
afterEach(async () => {
  for (const server of servers.splice(0)) await server.stop(true)
})

/** A receiver that parses every line strictly, as InfluxDB answers it. */
function receiver(answer: () => Response | Promise<Response> = () => new Response(null, { status: 204 })) {
  const got: Got[] = []
  let waiting: (() => void) | undefined
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    async fetch(request) {
      const body = await request.text()
      got.push({ url: new URL(request.url), authorization: request.headers.get("authorization"), body })
      waiting?.()
      return answer()
    },
  })
  servers.push(server)
  return {
    got,
    url: `http://127.0.0.1:${server.port}`,
    next: () => new Promise<void>((resolve) => (waiting = resolve)),
  }
}

const V2: Omit<InfluxTarget, "url"> = { token: "s3cret", org: "o", bucket: "b" }

function exporter(target: InfluxTarget, more: { intervalMs?: number; timeoutMs?: number } = {}) {
  const metrics = createMetrics()
  const lines: string[] = []
  const said: string[] = []
  let skipped = 0
  metrics.set("cosigner_link_up", {}, 1)
  metrics.add("cosigner_tasks_total", { type: "KeySign", outcome: "rejected", code: "E-RSK-001" })
  const started = startInflux({
    target,
    prefix: "p_",
    tags: { job: "tss-node", instance: "3" },
    intervalMs: more.intervalMs ?? 20,
    timeoutMs: more.timeoutMs ?? 200,
    families: metrics.families,
    onSkipped: () => void skipped++,
    now: () => 1_795_000_000_000,
    log: {
      ...silentLog,
      warn: (message, fields) => {
        said.push(message)
        lines.push(`warn ${fields?.["code"]}`)
      },
      info: () => void lines.push("info"),
    },
  })
  return { started, lines, said, skipped: () => skipped }
}

describe("a server that takes points", () => {
  test("2.x: org, bucket, token, and every line as the protocol has it", async () => {
    const server = receiver()
    const { started } = exporter({ ...V2, url: server.url })
    await server.next()
    await started.stop(1000)
    const [first] = server.got
    expect(first?.url.pathname).toBe("/api/v2/write")
    expect(Object.fromEntries(first?.url.searchParams ?? [])).toEqual({ org: "o", bucket: "b", precision: "ms" })
    expect(first?.authorization).toBe("Token s3cret")
    expect(readLines(first?.body ?? "")).toEqual([
      {
        measurement: "p_cosigner_tasks_total",
        tags: { job: "tss-node", instance: "3", type: "KeySign", outcome: "rejected", code: "E-RSK-001" },
        fields: { value: 1 },
        time: 1_795_000_000_000,
      },
      {
        measurement: "p_cosigner_link_up",
        tags: { job: "tss-node", instance: "3" },
        fields: { value: 1 },
        time: 1_795_000_000_000,
      },
    ])
  })
  test("1.8: database, user and password travel as bucket and token", async () => {
    const server = receiver()
    const target = influxTarget({ server_addr: server.url, database: "tss", username: "u", password: "p w" })
    const { started } = exporter(target ?? { ...V2, url: "" })
    await server.next()
    await started.stop(1000)
    expect(server.got[0]?.url.searchParams.get("bucket")).toBe("tss/")
    expect(server.got[0]?.authorization).toBe("Token u:p w")
  })
  test("the end brings a last round", async () => {
    const server = receiver()
    const { started } = exporter({ ...V2, url: server.url }, { intervalMs: 60_000 })
    await started.stop(2000)
    expect(server.got).toHaveLength(1)
  })
})

describe("a server that does not", () => {
  test("is quoted with its status and its code alone: an answer may repeat the token", async () => {
    const answers = [
      ['{"code":"unauthorized","message":"Token s3cret is not known"}', "HTTP 401 unauthorized"],
      ['{"code":"Token s3cret","message":""}', "HTTP 401"],
      ["authorization: Token s3cret", "HTTP 401"],
    ] as const
    for (const [body, reason] of answers) {
      const server = receiver(() => new Response(body, { status: 401 }))
      const { started, said } = exporter({ ...V2, url: server.url })
      while (said.length === 0) await Bun.sleep(2)
      await started.stop(1000)
      expect(said[0]).toContain(reason)
      expect(said[0]).not.toContain("s3cret")
    }
  })
  test("dead: said once, rounds left out, the end does not wait", async () => {
    const dead = receiver()
    await servers.pop()?.stop(true)
    const { started, lines, skipped } = exporter({ ...V2, url: dead.url })
    while (skipped() < 3) await Bun.sleep(10)
    const begun = performance.now()
    await started.stop(2000)
    expect(performance.now() - begun).toBeLessThan(1500)
    expect(lines).toEqual(["warn E-STA-020"])
  })
  test("hanging: one round at a time, and the end is bounded", async () => {
    const server = receiver(() => new Promise<Response>(() => undefined))
    const { started, skipped } = exporter({ ...V2, url: server.url }, { timeoutMs: 60_000 })
    await server.next()
    while (skipped() < 5) await Bun.sleep(10)
    expect(server.got).toHaveLength(1)
    const begun = performance.now()
    await started.stop(150)
    expect(performance.now() - begun).toBeLessThan(1000)
  })
  test("hanging for less than the timeout, then well: said once, and once when it is over", async () => {
    let isDown = true
    const server = receiver(() => (isDown ? new Response("no", { status: 503 }) : new Response(null, { status: 204 })))
    const { started, lines, skipped } = exporter({ ...V2, url: server.url })
    while (skipped() < 3) await Bun.sleep(10)
    isDown = false
    while (!lines.includes("info")) await Bun.sleep(10)
    await started.stop(1000)
    expect(lines).toEqual(["warn E-STA-020", "info"])
  })
  test("a redirect is not followed: the token is for one server", async () => {
    const other = receiver()
    const server = receiver(() => Response.redirect(`${other.url}/api/v2/write`, 307))
    const { started, skipped } = exporter({ ...V2, url: server.url })
    while (skipped() < 1) await Bun.sleep(10)
    await started.stop(500)
    expect(other.got).toEqual([])
  })
})

describe("[metrics.influxdb]", () => {
  test("off without a server", () => expect(influxTarget({})).toBeUndefined())
  const server_addr = "http://127.0.0.1:8086"
  for (const [what, keys] of Object.entries({
    "a token without a server": { token: "t" },
    "both versions": { server_addr, database: "d", token: "t", org: "o", bucket: "b" },
    "neither version": { server_addr },
    "2.x without a bucket": { server_addr, token: "t", org: "o" },
    "1.8 with half a login": { server_addr, database: "d", username: "u" },
  })) {
    test(`${what} is refused`, () => {
      expect(() => influxTarget(keys)).toThrow(expect.objectContaining({ code: "E-STA-021" }))
    })
  }
  test("1.8 without a login", () => {
    expect(influxTarget({ server_addr, database: "d" })).toEqual({
      url: server_addr,
      token: "",
      org: "-",
      bucket: "d/",
    })
  })
})

describe("a server that costs us", () => {
  test("a load balancer that forgets idle connections loses no round", async () => {
    using server = await forgetfulServer(NO_CONTENT)
    const { started, lines } = exporter({ ...V2, url: server.url }, { timeoutMs: 2000 })
    while (server.counts.answered < 3 && server.counts.vanished === 0) await Bun.sleep(5)
    await started.stop(1000)
    expect(server.counts.vanished).toBe(0)
    expect(lines).toEqual([])
  })

  test("a packed answer is not unpacked: a megabyte that would be a gigabyte costs no memory", async () => {
    const packed = gzipSync(Buffer.alloc(256 * 1024 * 1024))
    const server = receiver(
      () =>
        new Response(packed, { status: 400, headers: { "content-encoding": "gzip", "content-type": "text/plain" } }),
    )
    const before = process.memoryUsage().rss
    const { started, lines } = exporter({ ...V2, url: server.url }, { timeoutMs: 5000 })
    await server.next()
    await started.stop(5000)
    expect(lines).toEqual(["warn E-STA-020"])
    expect(process.memoryUsage().rss - before).toBeLessThan(128 * 1024 * 1024)
  })

  test("a proxy of the environment is not used", async () => {
    const [server, proxy] = [receiver(), receiver()]
    const old = process.env["HTTP_PROXY"]
    process.env["HTTP_PROXY"] = proxy.url
    try {
      const { started } = exporter({ ...V2, url: server.url })
      await Promise.race([server.next(), proxy.next()])
      await started.stop(1000)
    } finally {
      if (old === undefined) delete process.env["HTTP_PROXY"]
      else process.env["HTTP_PROXY"] = old
    }
    expect(proxy.got).toEqual([])
    expect(server.got.length).toBeGreaterThan(0)
  })
})
