/** The conformance kit finds each planted mistake, and nothing in servers that have none. */
import { expect, test } from "bun:test"
import { readFileSync } from "node:fs"
import { parseAddress } from "../../src/intent/evm/address.ts"
import { startReferenceServer } from "../../src/kit/callbackServer/server.ts"
import { allCases, type ConformanceOptions, runCases } from "../../src/kit/conformance/run.ts"
import { tokenSigner } from "../../src/wire/tssJwt.ts"
import { ALLOWED, badServer } from "../callback/badServer.ts"
import { nodeKey, serverKey, strangerKey } from "../callback/kit.ts"

const to = parseAddress(ALLOWED) ?? new Uint8Array(20)
const sample = { chainId: 1n, chainName: "ETH", to, amount: 10n ** 15n }
const options = (url: string, only?: readonly string[]): ConformanceOptions => ({
  target: {
    url,
    nodeKey: nodeKey.privateKey,
    serverPublicKey: serverKey.publicKey,
    strangerKey: strangerKey.privateKey,
    timeoutMs: 700,
    now: Date.now,
    newId: () => crypto.randomUUID(),
  },
  sample,
  only,
})
const failed = async (url: string, only?: readonly string[]) =>
  (await runCases(options(url, only))).results.filter((one) => one.outcome === "fail").map((one) => one.id)

const ids = [...allCases.map((one) => one.id), "answers-always"]
/** Cases that wait or move megabytes: run for their own mistake only. */
const heavy = ["huge-body", "slow-body", "answers-always"]
const light = ids.filter((id) => !heavy.includes(id))

/** The long run asks every case about every mistake. */
const LONG = process.env["COSIGNER_LONG"] === "1"

/** Mistakes that more than one case sees. */
const alsoSeen: Readonly<Record<string, readonly string[]>> = {
  "answer-signed": ["ping-status"],
  "body-without-type": ["body-no-json"],
  "tx-other-amount-than-shown": ["tx-small-amount-shown-large"],
  "answer-names-request": ["answers-in-parallel"],
  "token-expired-long-ago": ["token-expired"],
  "token-stranger": ["token-altered", "token-embedded-key"],
  "token-altered": ["token-stranger", "token-embedded-key"],
  "tx-unknown-destination": ["tx-look-alike"],
}

test("a good server gets an A", async () => {
  using server = await badServer()
  const report = await runCases(options(server.url, light))
  expect(report.results.filter((one) => one.outcome !== "pass")).toEqual([])
  expect(report).toMatchObject({ grade: "A", approved: "transaction" })
}, 20_000)

test("the reference server gets an A, heavy cases included", async () => {
  const log: string[] = []
  const server = startReferenceServer(
    {
      rules: {
        keyGen: true,
        keyReshare: true,
        keyShareSign: true,
        evm: [{ name: "ETH", chainId: 1n, destinations: [to], maxAmount: 10n ** 17n, maxFee: 10n ** 16n, tokens: [] }],
      },
      nodeKeys: [strangerOnly(), nodeKey.publicKey],
      sign: tokenSigner(serverKey.privateKey, "key"),
      tokenExpireMinutes: 2,
      now: Date.now,
      log: (line) => log.push(line),
    },
    { hostname: "127.0.0.1", port: 0 },
  )
  const url = `http://127.0.0.1:${server.port}/v2/check`
  const report = await runCases({ ...options(url), target: { ...options(url).target, timeoutMs: 5_000 } })
  const health = await (await fetch(`http://127.0.0.1:${server.port}/ping`)).json()
  await server.stop(true)
  expect(report.results.filter((one) => one.outcome !== "pass")).toEqual([])
  expect(report.grade).toBe("A")
  expect(health).toEqual({ server: "cosigner-callback-server", timestamp: expect.any(Number) })
  expect(log.some((line) => line.includes("imitates"))).toBe(true)
}, 20_000)

/** A server may know several nodes; one that did not sign is no obstacle. */
function strangerOnly() {
  return serverKey.publicKey
}

test.each(ids)(
  "finds %s",
  async (fault) => {
    using server = await badServer(fault)
    const only = heavy.includes(fault) || !LONG ? [fault, ...(alsoSeen[fault] ?? []), "token-stranger"] : light
    expect((await failed(server.url, only)).toSorted()).toEqual([fault, ...(alsoSeen[fault] ?? [])].toSorted())
  },
  20_000,
)

test("finds all of them in one server", async () => {
  // Mistakes that hide others: an answer that nobody can read, a connection that is closed, a refusal where the others approve.
  const hiding = [
    "answer-signed",
    "answers-always",
    "huge-body",
    "slow-body",
    "repeat-same",
    "ping-status",
    "tx-eip1559",
    "intent-beside",
  ]
  const planted = ids.filter((id) => !hiding.includes(id))
  using server = await badServer(...planted)
  const found = await failed(server.url, planted)
  expect(planted.filter((id) => !found.includes(id))).toEqual([])
}, 20_000)

test("a server that approves nothing proves little, and is told so", async () => {
  const server = startReferenceServer(
    {
      rules: { keyGen: false, keyReshare: false, keyShareSign: false, evm: [] },
      nodeKeys: [nodeKey.publicKey],
      sign: tokenSigner(serverKey.privateKey, "key"),
      tokenExpireMinutes: 2,
      now: Date.now,
      log: () => undefined,
    },
    { hostname: "127.0.0.1", port: 0 },
  )
  const report = await runCases(options(`http://127.0.0.1:${server.port}/v2/check`, light))
  await server.stop(true)
  expect(report).toMatchObject({ grade: "-", approved: "nothing" })
  expect(report.results.some((one) => one.outcome === "fail")).toBe(false)
})

test("a server that is down fails", async () => {
  const gone = Bun.serve({ port: 0, hostname: "127.0.0.1", fetch: () => new Response("") })
  const { port } = gone
  await gone.stop(true)
  expect(await failed(`http://127.0.0.1:${port}/`, ["ping-status", "answer-signed"])).toEqual([
    "ping-status",
    "answer-signed",
  ])
})

test("every case has an id of its own and a planted mistake", () => {
  expect(new Set(ids).size).toBe(ids.length)
  const source = readFileSync(new URL("../callback/badServer.ts", import.meta.url), "utf8")
  // Those of the formats are one mistake in each.
  const mistakes = new Set(ids.map((id) => /^intent-(?:other-digest|other-raw|left-out)/.exec(id)?.[0] ?? id))
  expect([...mistakes].filter((id) => !source.includes(`"${id}"`) && !source.includes(`\`${id}-`))).toEqual([])
})
