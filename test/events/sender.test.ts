import { expect, test } from "bun:test"
import { deliver } from "../../src/events/deliver.ts"
import { eventSink, MemoryOutbox, running, serverAt } from "./kit.ts"

const ids = (got: readonly { id: string }[]) => got.map((one) => one.id)

test("sends in order, once each, and leaves the outbox empty", async () => {
  using sink = eventSink()
  const outbox = new MemoryOutbox()
  for (const id of ["a", "b", "c"]) outbox.put(id, sink.url)
  await using run = running([serverAt(sink.url)], outbox)
  await run.tried(3)
  expect(ids(sink.got)).toEqual(["a", "b", "c"])
  expect(outbox.rows).toEqual([])
  expect(run.sender.states()).toMatchObject([{ server: sink.url, healthy: true, failure: "" }])
})

test("200 and 201 are taken, everything else is sent again, in order, with a new token", async () => {
  const statuses = [500, 400, 204, 302, 202, 201, 200]
  using sink = eventSink((nth) => new Response(null, { status: statuses[nth - 1] ?? 200, headers: { location: "/" } }))
  const outbox = new MemoryOutbox()
  outbox.put("a", sink.url)
  outbox.put("b", sink.url)
  await using run = running([serverAt(sink.url)], outbox)
  await run.tried(7)
  expect(ids(sink.got)).toEqual(["a", "a", "a", "a", "a", "a", "b"])
  expect(run.sent.map((one) => one.failure)).toEqual([
    "HTTP 500",
    "HTTP 400",
    "HTTP 204",
    "HTTP 302",
    "HTTP 202",
    "",
    "",
  ])
  expect(run.sent.some((one) => one.givenUp)).toBe(false)
})

test("retry_times is spent, then the next event has its turn, and the failed one stays as failed", async () => {
  using sink = eventSink((_, got) => new Response("", { status: got.id === "bad" ? 500 : 200 }))
  const outbox = new MemoryOutbox()
  outbox.put("bad", sink.url)
  outbox.put("good", sink.url)
  await using run = running([serverAt(sink.url, { retryTimes: 2 })], outbox)
  await run.tried(4)
  expect(ids(sink.got)).toEqual(["bad", "bad", "bad", "good"])
  expect(run.sent.map((one) => one.givenUp)).toEqual([false, false, true, false])
  expect(outbox.rows.map((row) => [row.event.eventId, row.failed])).toEqual([["bad", true]])
})

test("an event that a server refuses for good holds back only those of its own request, which keep their order", async () => {
  using sink = eventSink((_, got) => new Response("", { status: got.id.startsWith("bad") ? 400 : 200 }))
  const outbox = new MemoryOutbox()
  for (const id of ["bad1", "bad2"]) outbox.putFor("bad", id, sink.url)
  for (const id of ["good1", "good2"]) outbox.putFor("good", id, sink.url)
  await using run = running([serverAt(sink.url, { retryTimes: 2, sleepSeconds: 0.05 })], outbox)
  await run.tried(8)
  expect(ids(sink.got).slice(0, 3)).toEqual(["bad1", "good1", "good2"])
  expect(ids(sink.got).filter((id) => id.startsWith("bad"))).toEqual(["bad1", "bad1", "bad1", "bad2", "bad2", "bad2"])
  expect(outbox.rows.map((row) => [row.event.eventId, row.failed])).toEqual([
    ["bad1", true],
    ["bad2", true],
  ])
})

test("an event that is refused for a while is taken later, and the rest of its request after it", async () => {
  let refusals = 3
  using sink = eventSink((_, got) => new Response("", { status: got.id === "a1" && refusals-- > 0 ? 500 : 200 }))
  const outbox = new MemoryOutbox()
  outbox.putFor("a", "a1", sink.url)
  outbox.putFor("a", "a2", sink.url)
  outbox.putFor("b", "b1", sink.url)
  await using run = running([serverAt(sink.url)], outbox)
  await run.tried(6)
  expect(ids(sink.got).slice(0, 2)).toEqual(["a1", "b1"])
  expect(ids(sink.got).filter((id) => id !== "b1")).toEqual(["a1", "a1", "a1", "a1", "a2"])
  expect(outbox.rows).toEqual([])
})

test.each([401, 404, 429, 503])(
  "HTTP %d is of the server, not of the event: the others wait and spend no try",
  async (status) => {
    using sink = eventSink(() => new Response("", { status }))
    const outbox = new MemoryOutbox()
    for (const id of ["a", "b", "c"]) outbox.putFor(id, id, sink.url)
    await using run = running([serverAt(sink.url)], outbox)
    await run.tried(3)
    expect(new Set(ids(sink.got))).toEqual(new Set(["a"]))
  },
)

test("a server that refuses everything is asked about a bounded number of requests", async () => {
  using sink = eventSink(() => new Response("", { status: 400 }))
  const outbox = new MemoryOutbox()
  for (let i = 0; i < 200; i++) outbox.putFor(`r${i}`, `e${i}`, sink.url)
  await using run = running([serverAt(sink.url, { sleepSeconds: 0.2 })], outbox)
  await run.tried(130)
  // On a slow machine the first are tried again before the last of these have their turn.
  expect(new Set(ids(sink.got)).size).toBeLessThanOrEqual(64)
})

test("retry_times 0 goes on for ever", async () => {
  using sink = eventSink((nth) => new Response("", { status: nth < 80 ? 500 : 200 }))
  const outbox = new MemoryOutbox()
  outbox.put("a", sink.url)
  await using run = running([serverAt(sink.url, { sleepSeconds: 0.001 })], outbox)
  await run.tried(80)
  expect(outbox.rows).toEqual([])
})

test("a server that hangs delays no other", async () => {
  using stuck = eventSink(() => new Promise<Response>(() => undefined))
  using sink = eventSink()
  const outbox = new MemoryOutbox()
  for (const id of ["a", "b"]) outbox.put(id, stuck.url, sink.url)
  await using run = running([serverAt(stuck.url, { requestTimeoutSeconds: 60 }), serverAt(sink.url)], outbox)
  await run.tried(2)
  expect(ids(sink.got)).toEqual(["a", "b"])
  expect(ids(stuck.got)).toEqual(["a"])
})

test("no answer in time is a failure", async () => {
  using stuck = eventSink((nth) => (nth === 1 ? new Promise<Response>(() => undefined) : new Response("")))
  const outbox = new MemoryOutbox()
  outbox.put("a", stuck.url)
  await using run = running([serverAt(stuck.url, { requestTimeoutSeconds: 0.1 })], outbox)
  await run.tried(2)
  expect(run.sent.map((one) => one.failure)).toEqual(["no answer within 0.1 s", ""])
})

test("a new event is sent at once when poked", async () => {
  using sink = eventSink()
  const outbox = new MemoryOutbox()
  await using run = running([serverAt(sink.url)], outbox)
  await Bun.sleep(5)
  outbox.put("a", sink.url)
  const poked = Date.now()
  run.sender.poke()
  await run.tried(1)
  expect(Date.now() - poked).toBeLessThan(1_000)
})

test("after a restart everything pending is resumed: tries count on, the interval holds, no cap", async () => {
  const outbox = new MemoryOutbox()
  using down = eventSink(() => new Response("", { status: 503 }))
  for (let i = 0; i < 1_100; i++) outbox.put(`e${i}`, down.url)
  {
    await using first = running([serverAt(down.url, { retryTimes: 3, sleepSeconds: 0.4 })], outbox)
    await first.tried(1)
  }
  expect(outbox.rows[0]).toMatchObject({ attempts: 1, failed: false })
  const triedAt = down.got[0]?.atMs ?? 0
  using sink = eventSink()
  // The same server is up again: same name, other port, so the rows are moved.
  for (const row of outbox.rows) row.server = sink.url
  await using second = running([serverAt(sink.url, { retryTimes: 3, sleepSeconds: 0.4 })], outbox)
  await second.tried(1_100)
  // The interval counts from the end of a try, which the server saw begin, late if this machine is busy.
  expect((sink.got[0]?.atMs ?? 0) - triedAt).toBeGreaterThanOrEqual(300)
  expect(ids(sink.got)).toEqual(Array.from({ length: 1_100 }, (_, i) => `e${i}`))
})

test("a clock that was set back does not stall a server", async () => {
  using sink = eventSink()
  const outbox = new MemoryOutbox()
  outbox.put("a", sink.url)
  outbox.attempted(sink.url, 1, Date.now() + 86_400_000)
  await using run = running([serverAt(sink.url, { sleepSeconds: 0.05 })], outbox)
  await run.tried(1)
  expect(ids(sink.got)).toEqual(["a"])
})

test("stopping in mid-send keeps the event, also in its last try, and counts the try", async () => {
  using stuck = eventSink(() => new Promise<Response>(() => undefined))
  const outbox = new MemoryOutbox()
  outbox.put("a", stuck.url)
  outbox.attempted(stuck.url, 1, 0)
  {
    await using run = running([serverAt(stuck.url, { requestTimeoutSeconds: 60, retryTimes: 1 })], outbox)
    while (stuck.got.length === 0) await Bun.sleep(1)
    expect(run.sent).toEqual([])
  }
  expect(outbox.rows).toMatchObject([{ attempts: 2, failed: false }])
})

test("an outbox that fails for a while loses nothing, and is reported", async () => {
  using sink = eventSink()
  const outbox = new MemoryOutbox()
  for (const id of ["a", "b"]) outbox.put(id, sink.url)
  // Each operation fails on its first call.
  const failing = (name: "next" | "attempted" | "delivered") => {
    const real = outbox[name].bind(outbox)
    let calls = 0
    const wrapped = (...args: Parameters<typeof real>) => {
      if (calls++ === 0) {
        throw Object.assign(new Error("ENOSPC: disk full"), { code: "ENOSPC", errno: -28, syscall: "write" })
      }
      return Reflect.apply(real, outbox, args)
    }
    Object.assign(outbox, { [name]: wrapped })
  }
  for (const name of ["next", "attempted", "delivered"] as const) failing(name)
  await using run = running([serverAt(sink.url)], outbox)
  while (run.sender.states()[0]?.healthy !== false) await Bun.sleep(1)
  expect(run.sender.states()[0]?.failure).toContain("the outbox failed: ENOSPC: disk full")
  while (outbox.rows.length > 0) await Bun.sleep(1)
  // Taken, but not recorded as taken: sent again.
  expect(ids(sink.got)).toEqual(["a", "a", "b"])
})

test("pings have no data, and repeat", async () => {
  using sink = eventSink()
  await using run = running([serverAt(sink.url, { monitorIntervalMs: 5 })], new MemoryOutbox())
  await run.tried(3)
  expect(sink.got[0]?.body).toEqual({
    event_id: "ping-1",
    created_timestamp: expect.any(Number),
    node_id: "node",
    event_type: "ping",
  })
  expect(run.sender.states()[0]?.healthy).toBe(true)
})

test("a server that is down is reported", async () => {
  const outbox = new MemoryOutbox()
  const gone = eventSink()
  gone[Symbol.dispose]()
  outbox.put("a", gone.url)
  await using run = running([serverAt(gone.url)], outbox)
  await run.tried(2)
  expect(run.sender.states()).toMatchObject([{ healthy: false, failure: expect.stringContaining(gone.url) }])
})

test("a configured proxy is used, and what it answers counts", async () => {
  const seen: string[] = []
  const proxy = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    fetch: (request) => {
      seen.push(request.url)
      return new Response("")
    },
  })
  using sink = eventSink()
  const server = serverAt(sink.url, { proxy: `http://127.0.0.1:${proxy.port}` })
  expect(await deliver(fetch, server, "x", new AbortController().signal)).toBeUndefined()
  expect(seen.length).toBe(1)
  expect(sink.got.length).toBe(0)
  await proxy.stop(true)
})
