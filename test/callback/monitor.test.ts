import { expect, test } from "bun:test"
import { createMonitor, runPings } from "../../src/callback/monitor.ts"
import { approval, approving, askerFor, claimsOf, forge, inSeconds, never, riskServer, signTask } from "./kit.ts"

test.each<[string, (id: string) => object]>([
  ["version 2, with an action", (request_id) => ({ request_id, status: 0, action: "APPROVE" })],
  ["version 1, without", (request_id) => ({ request_id, status: 0 })],
  ["without status and id", () => ({})],
])("a ping of %s is a sign of life", async (_, response) => {
  using risk = riskServer((asked) => forge(claimsOf(response(asked.request_id))))
  const monitor = createMonitor([risk.address])
  expect(monitor.states()[0]?.healthy).toBeUndefined()
  expect((await askerFor([risk.server], {}, { observe: monitor.observe }).ping(risk.server, never)).kind).toBe(
    "approve",
  )
  expect(risk.asked).toEqual([{ request_id: "", request_type: 0, request_detail: "", extra_info: "" }])
  expect(monitor.states()).toMatchObject([{ server: risk.address, healthy: true, failures: 0, failure: "" }])
})

test("failures are counted, named, and forgotten with the next good answer; the skew stays", async () => {
  using risk = riskServer((asked, nth) =>
    nth <= 2 ? "nonsense" : forge(claimsOf(approval(asked), { iat: inSeconds(-40), exp: inSeconds(60) })),
  )
  const monitor = createMonitor([risk.address])
  const asker = askerFor([risk.server], { retry_times: 1 }, { observe: monitor.observe })
  await asker.ask(signTask, never)
  expect(monitor.states()).toMatchObject([
    { healthy: false, failures: 2, failure: expect.stringContaining("E-RSK-114") },
  ])
  await asker.ask(signTask, never)
  expect(monitor.states()).toMatchObject([{ healthy: true, failures: 0, failure: "" }])
  expect(Math.abs((monitor.states()[0]?.skewMs ?? 0) + 40_000)).toBeLessThan(2_500)
})

test("a status that is not 0 is no sign of life", async () => {
  using risk = riskServer(() => forge(claimsOf({ status: 30, error: "db" })))
  expect((await askerFor([risk.server]).ping(risk.server, never)).kind).toBe("failed")
})

test("pings repeat, never overlap, and end with the signal", async () => {
  const stop = new AbortController()
  let open = 0
  let most = 0
  using risk = riskServer(async (asked) => {
    most = Math.max(most, ++open)
    await Bun.sleep(5)
    open--
    return forge(claimsOf(approval(asked)))
  })
  const running = runPings(askerFor([risk.server]), 1, stop.signal)
  await risk.got(4)
  stop.abort()
  await running
  const after = risk.asked.length
  await Bun.sleep(20)
  expect(risk.asked.length).toBe(after)
  expect(most).toBe(1)
})

test("a proxy in the environment is not used", async () => {
  using risk = approving()
  let proxied = 0
  const proxy = Bun.serve({ port: 0, hostname: "127.0.0.1", fetch: () => new Response(String(++proxied)) })
  const script = `
    import { postToken } from ${JSON.stringify(new URL("../../src/callback/post.ts", import.meta.url).pathname)}
    const answer = await postToken(fetch, ${JSON.stringify(risk.address)}, "x", 5000, new AbortController().signal)
    console.log(JSON.stringify(answer))`
  const url = `http://127.0.0.1:${proxy.port}`
  const env = {
    ...process.env,
    HTTP_PROXY: url,
    http_proxy: url,
    HTTPS_PROXY: url,
    ALL_PROXY: url,
    NO_PROXY: "",
    no_proxy: "",
  }
  const child = Bun.spawn([process.execPath, "-e", script], { env, stdout: "pipe", stderr: "inherit" })
  const text = await new Response(child.stdout).text()
  await proxy.stop(true)
  expect(text).toContain("bad request token")
  expect(proxied).toBe(0)
})
