/** What callback, event and InfluxDB requests have in common, on real sockets. */
import { describe, expect, test } from "bun:test"
import { gzipSync } from "node:zlib"
import { MAX_ANSWER_BYTES, postToken } from "../src/callback/post.ts"
import { deliver } from "../src/events/deliver.ts"
import { readBounded } from "../src/outbound.ts"
import { serverAt } from "./events/kit.ts"
import { forgetfulServer } from "./forgetfulServer.ts"

const never = new AbortController().signal
/** Far more than loopback needs; what waits for a vanished request waits for all of it. */
const PATIENCE_MS = 2_000

describe("a load balancer that forgets idle connections costs no request", () => {
  test("the test server is one: a request on a pooled connection vanishes", async () => {
    using server = await forgetfulServer()
    const ask = () => fetch(server.url, { method: "POST", body: "x", signal: AbortSignal.timeout(300) })
    await (await ask()).text()
    const second = await ask().then(
      () => "answered",
      () => "lost",
    )
    expect(second).toBe("lost")
    expect(server.counts.vanished).toBe(1)
  })

  test("callback", async () => {
    using server = await forgetfulServer()
    for (let i = 0; i < 3; i++) {
      expect(await postToken(fetch, server.url, "token", PATIENCE_MS, never)).toMatchObject({ status: 200, body: "ok" })
    }
    expect(server.counts).toEqual({ answered: 3, vanished: 0 })
  })

  test("event", async () => {
    using server = await forgetfulServer()
    const target = serverAt(server.url, { requestTimeoutSeconds: PATIENCE_MS / 1000 })
    for (let i = 0; i < 3; i++) expect(await deliver(fetch, target, "token", never)).toBeUndefined()
    expect(server.counts).toEqual({ answered: 3, vanished: 0 })
  })

  test("a connection that another part of the program left idle is not used either", async () => {
    using server = await forgetfulServer()
    await (await fetch(server.url, { method: "POST", body: "x" })).text()
    expect(await postToken(fetch, server.url, "token", PATIENCE_MS, never)).toMatchObject({ status: 200 })
  })
})

describe("answers are read to a bound", () => {
  test("what is packed stays packed", async () => {
    const packed = gzipSync(Buffer.alloc(16 * 1024 * 1024))
    using server = Bun.serve({
      port: 0,
      hostname: "127.0.0.1",
      fetch: () => new Response(packed, { headers: { "content-encoding": "gzip" } }),
    })
    const answer = await postToken(fetch, `${server.url}`, "token", PATIENCE_MS, never)
    expect("body" in answer && answer.body.length).toBeLessThan(MAX_ANSWER_BYTES)
  })

  test("exactly the bound is whole, one byte more is nothing", async () => {
    expect((await readBounded(new Response("1234"), 4))?.toString()).toBe("1234")
    expect(await readBounded(new Response("12345"), 4)).toBeUndefined()
  })

  test("a body without an end is given up at the bound", async () => {
    let sent = 0
    const endless = new ReadableStream({
      pull: (controller) => {
        sent += 1024
        controller.enqueue(new Uint8Array(1024))
      },
    })
    expect(await readBounded(new Response(endless), 10_000)).toBeUndefined()
    expect(sent).toBeLessThan(100_000)
  })
})
