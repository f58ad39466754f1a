/** Asking callback servers: every fault of a server, on real sockets. The deadline of a test is its own assertion. */
import { expect, test } from "bun:test"
import { createSecretKey } from "node:crypto"
import type { Tried } from "../../src/callback/ask.ts"
import { MAX_ANSWER_BYTES } from "../../src/callback/post.ts"
import type { CallbackServer } from "../../src/callback/servers.ts"
import {
  type Answering,
  approval,
  approving,
  askerFor,
  claimsOf,
  forge,
  HASH,
  inSeconds,
  never,
  publicPem,
  riskServer,
  serverKey,
  signTask,
  strangerKey,
} from "./kit.ts"

/** The code of each try, and the verdict. */
async function tried(answering: Answering, over: Parameters<typeof askerFor>[1] = { retry_times: 1 }) {
  using risk = riskServer(answering)
  const tries: Tried[] = []
  const verdict = await askerFor([risk.server], over, { observe: (one) => tries.push(one) }).ask(signTask, never)
  return {
    verdict,
    asked: risk.asked,
    tries: tries.map(({ answer }): string => (answer.kind === "failed" ? answer.code : answer.kind)),
    last: tries.at(-1)?.answer,
  }
}

test("an approval approves, and the request is what the task says", async () => {
  using risk = approving()
  const verdict = await askerFor([risk.server]).ask(signTask, never)
  expect(verdict).toEqual({
    action: "approve",
    code: "",
    reason: "",
    rules: [
      {
        rule: `callback:${risk.address}`,
        outcome: "allow",
        reason: expect.stringMatching(/^approved; answer sha256 [0-9a-f]{64}$/),
      },
    ],
  })
  const [body] = risk.asked
  expect(body).toMatchObject({ request_type: 2, extra_info: JSON.stringify(signTask.extra_info) })
  expect(JSON.parse(body?.request_detail ?? "")).toMatchObject({
    msg_hash_list: [HASH],
    task_id: "task-2",
    biz_task_id: "biz-2",
  })
})

test("no server configured: approved by none", async () => {
  expect(await askerFor([]).ask(signTask, never)).toEqual({ action: "approve", code: "", reason: "", rules: [] })
})

test("each server gets its own request id, each try of one server the same", async () => {
  using a = riskServer((asked, nth) => (nth < 3 ? "nonsense" : forge(claimsOf(approval(asked)))))
  using b = approving()
  expect((await askerFor([a.server, b.server]).ask(signTask, never)).action).toBe("approve")
  expect(new Set(a.asked.map((one) => one.request_id)).size).toBe(1)
  expect(a.asked[0]?.request_id).not.toBe(b.asked[0]?.request_id)
})

// ---- answers that approve ------------------------------------------------------------------------------------------

test.each<[string, Answering]>([
  ["in quotes, as Go sends it", (a) => Response.json(forge(claimsOf(approval(a))))],
  ["with white space around", (a) => `\n ${forge(claimsOf(approval(a)))}\r\n`],
  ["with HTTP 400", (a) => new Response(forge(claimsOf(approval(a))), { status: 400 })],
  ["with HTTP 503", (a) => new Response(forge(claimsOf(approval(a))), { status: 503 })],
  [
    "with another content type",
    (a) => new Response(forge(claimsOf(approval(a))), { headers: { "content-type": "image/png" } }),
  ],
  ["without status", (a) => forge(claimsOf({ request_id: a.request_id, action: "APPROVE" }))],
  ["with null claims", (a) => forge(claimsOf(approval(a), { aud: null, jti: null, iat: null, nbf: null, sub: null }))],
  ["with iat", (a) => forge(claimsOf(approval(a), { iat: inSeconds(0) }))],
  ["with an aud of its own", (a) => forge(claimsOf(approval(a), { aud: "x" }))],
  ["with an empty error", (a) => forge(claimsOf({ ...approval(a), error: "" }))],
  ["with null and empty fields", (a) => forge(claimsOf({ ...approval(a), error: null, extra: 1 }))],
  ["with a clock 50 s behind", (a) => forge(claimsOf(approval(a), { exp: inSeconds(-50) }))],
  ["with a clock 50 s ahead", (a) => forge(claimsOf(approval(a), { iat: inSeconds(50) }))],
])("approves %s", async (_, answering) => {
  expect((await tried(answering)).tries).toEqual(["approve"])
})

// ---- answers that reject at once -----------------------------------------------------------------------------------

test.each<[string, Answering, string]>([
  [
    "documented: 200, status 0",
    (a) => forge(claimsOf({ ...approval(a), action: "REJECT", error: "over limit" })),
    "over limit",
  ],
  [
    "Go: HTTP 400, status 30, no action",
    (a) =>
      Response.json(forge(claimsOf({ request_id: a.request_id, status: 30, error: "reject sign request: no" })), {
        status: 400,
      }),
    "reject sign request: no",
  ],
  [
    "Java: 200, status 10",
    (a) => forge(claimsOf({ request_id: a.request_id, status: 10, action: "REJECT", error: "no" })),
    "no",
  ],
  [
    "Python: 200, status 30",
    (a) => forge(claimsOf({ request_id: a.request_id, status: 30, action: "REJECT", error: "no" })),
    "no",
  ],
  ["without request id", () => forge(claimsOf({ status: 0, action: "REJECT", error: "no" })), "no"],
  [
    "APPROVE with an error status and HTTP 422",
    (a) => new Response(forge(claimsOf({ ...approval(a), status: 30 })), { status: 422 }),
    "status 30",
  ],
])("rejects at once: %s", async (_, answering, reason) => {
  const { verdict, tries } = await tried(answering, { retry_times: 5 })
  expect(tries).toEqual(["reject"])
  expect(verdict).toMatchObject({ action: "reject", code: "E-RSK-101", rules: [{ outcome: "deny" }] })
  expect(verdict.reason).toContain(reason)
})

test("the server's words reach the verdict as one bounded line", async () => {
  const { verdict } = await tried((a) =>
    forge(claimsOf({ ...approval(a), action: "REJECT", error: `a\nb\u202e${"x".repeat(9_000)}` })),
  )
  expect(verdict.reason).toContain("a b x")
  expect(verdict.reason.length).toBeLessThan(700)
})

// ---- answers that are none -----------------------------------------------------------------------------------------

const huge = "x".repeat(100 * 1024 * 1024)
const hmac = createSecretKey(Buffer.from(publicPem(serverKey.publicKey)))

test.each<[string, Answering, string]>([
  ["an empty body", () => "", "E-RSK-114"],
  ["an HTML page", () => new Response("<html>502</html>", { status: 502 }), "E-RSK-114"],
  ["a broken quote", (a) => `"${forge(claimsOf(approval(a)))}`, "E-RSK-114"],
  ["bare JSON", (a) => JSON.stringify(approval(a)), "E-RSK-114"],
  ["5xx without a token", () => new Response("oops", { status: 500 }), "E-RSK-114"],
  ["a redirect", () => Response.redirect("/elsewhere", 302), "E-RSK-112"],
  [
    "a redirect with an approval in it",
    (a) => new Response(forge(claimsOf(approval(a))), { status: 307, headers: { location: "/" } }),
    "E-RSK-112",
  ],
  ["100 MB", () => huge, "E-RSK-113"],
  ["one byte too many", (a) => forge(claimsOf(approval(a))).padEnd(MAX_ANSWER_BYTES + 1), "E-RSK-113"],
  [
    "a gzip bomb",
    () => new Response(Bun.gzipSync(Buffer.alloc(20_000_000)), { headers: { "content-encoding": "gzip" } }),
    "E-RSK-114",
  ],
  ["alg none", (a) => forge(claimsOf(approval(a)), { header: { alg: "none" }, signature: "" }), "E-RSK-115"],
  ["alg RS512", (a) => forge(claimsOf(approval(a)), { header: { alg: "RS512" }, hash: "RSA-SHA512" }), "E-RSK-115"],
  ["alg HS256 with the public key", (a) => hs256(claimsOf(approval(a))), "E-RSK-115"],
  ["a stranger's key", (a) => forge(claimsOf(approval(a)), { key: strangerKey.privateKey }), "E-RSK-116"],
  [
    "a stranger's key that the header brings along",
    (a) => {
      const jwk = strangerKey.publicKey.export({ format: "jwk" })
      const header = { alg: "RS256", kid: "../../../../dev/null", jku: "http://127.0.0.1:9/keys", jwk }
      return forge(claimsOf(approval(a)), { key: strangerKey.privateKey, header })
    },
    "E-RSK-116",
  ],
  ["RS256 that says RS256 and is RS512", (a) => forge(claimsOf(approval(a)), { hash: "RSA-SHA512" }), "E-RSK-116"],
  ["an altered payload", (a) => altered(forge(claimsOf(approval(a)))), "E-RSK-116"],
  ["an expired token", (a) => forge(claimsOf(approval(a), { exp: inSeconds(-90) })), "E-RSK-117"],
  ["a token from the future (iat)", (a) => forge(claimsOf(approval(a), { iat: inSeconds(71) })), "E-RSK-118"],
  ["a token from the future (nbf)", (a) => forge(claimsOf(approval(a), { nbf: inSeconds(71) })), "E-RSK-118"],
  ["no exp", (a) => forge(claimsOf(approval(a), { exp: undefined })), "E-RSK-120"],
  ["exp as text", (a) => forge(claimsOf(approval(a), { exp: "9999999999" })), "E-RSK-120"],
  ["no package_data", (a) => forge(claimsOf(approval(a), { package_data: undefined })), "E-RSK-120"],
  [
    "package_data without padding",
    (a) => forge(claimsOf(approval(a), { package_data: unpadded(approval(a)) })),
    "E-RSK-120",
  ],
  ["another request id", (a) => forge(claimsOf({ ...approval(a), request_id: "other" })), "E-RSK-119"],
  [
    "a rejection of another request",
    (a) => forge(claimsOf({ ...approval(a), request_id: "other", action: "REJECT" })),
    "E-RSK-119",
  ],
  ["an approval without request id", () => forge(claimsOf({ status: 0, action: "APPROVE" })), "E-RSK-119"],
  [
    "an approval with an empty request id",
    () => forge(claimsOf({ request_id: "", status: 0, action: "APPROVE" })),
    "E-RSK-119",
  ],
  ["neither action nor error", (a) => forge(claimsOf({ request_id: a.request_id, status: 0 })), "E-RSK-120"],
  ["an unknown action", (a) => forge(claimsOf({ ...approval(a), action: "approve" })), "E-RSK-120"],
  ["status as text", (a) => forge(claimsOf({ ...approval(a), status: "0" })), "E-RSK-120"],
  ["an action that is a list", (a) => forge(claimsOf({ ...approval(a), action: ["APPROVE"] })), "E-RSK-120"],
  ["a body that is a list", () => forge(claimsOf([])), "E-RSK-120"],
  ["APPROVE with an error status", (a) => forge(claimsOf({ ...approval(a), status: 30 })), "E-RSK-121"],
  ["APPROVE with an error", (a) => forge(claimsOf({ ...approval(a), error: "over limit" })), "E-RSK-120"],
  ["an internal error", (a) => forge(claimsOf({ request_id: a.request_id, status: 30, error: "db" })), "E-RSK-121"],
  ["an invalid token, it says", () => forge(claimsOf({ status: 20, error: "expired" })), "E-RSK-121"],
])("is retried and then rejects: %s", async (_, answering, code) => {
  const { verdict, tries } = await tried(answering)
  expect(tries).toEqual([code, code])
  expect(verdict).toMatchObject({ action: "reject", code: "E-RSK-102", rules: [{ outcome: "error" }] })
  expect(verdict.reason).toContain(code)
})

function hs256(claims: object): string {
  const head = [{ alg: "HS256", typ: "JWT" }, claims]
    .map((part) => Buffer.from(JSON.stringify(part)).toString("base64url"))
    .join(".")
  return `${head}.${new Bun.CryptoHasher("sha256", hmac.export()).update(head).digest("base64url")}`
}

/** Base64 that needs padding, without it. */
function unpadded(response: object): string {
  let text = JSON.stringify(response)
  while (text.length % 3 === 0) text += " "
  return Buffer.from(text).toString("base64").replaceAll("=", "")
}

function altered(token: string): string {
  const [head = "", payload = "", signature = ""] = token.split(".")
  const claims = JSON.parse(Buffer.from(payload, "base64url").toString())
  return [head, Buffer.from(JSON.stringify({ ...claims, iss: "x" })).toString("base64url"), signature].join(".")
}

test("the measured skew is reported", async () => {
  const { last } = await tried((a) => forge(claimsOf(approval(a), { iat: inSeconds(71) })))
  expect(last).toMatchObject({ kind: "failed", reason: expect.stringContaining("ahead of ours (limit 60 s)") })
  expect(Math.abs((last?.skewMs ?? 0) - 71_000)).toBeLessThan(2_500)
})

// ---- sockets -------------------------------------------------------------------------------------------------------

const at = (port: number): CallbackServer => ({
  address: `http://127.0.0.1:${port}/v2/check`,
  version: 2,
  publicKey: serverKey.publicKey,
})

/** A raw socket that does `action` once it has a request. */
function rawServer(action: (socket: { write(text: string): unknown; end(): unknown }) => void) {
  return Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data: (socket) => action(socket) } })
}

async function triedAt(server: CallbackServer, over: Parameters<typeof askerFor>[1]) {
  const tries: Tried[] = []
  const verdict = await askerFor([server], over, { observe: (one) => tries.push(one) }).ask(signTask, never)
  return { verdict, tries: tries.map(({ answer }): string => (answer.kind === "failed" ? answer.code : answer.kind)) }
}

test("a server that is down", async () => {
  const gone = rawServer(() => undefined)
  const { port } = gone
  gone.stop(true)
  const { verdict, tries } = await triedAt(at(port), { retry_times: 2 })
  expect(tries).toEqual(["E-RSK-110", "E-RSK-110", "E-RSK-110"])
  expect(verdict.code).toBe("E-RSK-102")
})

test.each<[string, string]>([
  ["closes without an answer", ""],
  ["closes in mid-headers", "HTTP/1.1 200 OK\r\nContent-Le"],
  ["closes in mid-body", "HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\neyJhbGciOi"],
  ["closes in mid-chunk", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n40\r\neyJh"],
])("a server that %s", async (_, text) => {
  const raw = rawServer((socket) => {
    socket.write(text)
    socket.end()
  })
  const { verdict, tries } = await triedAt(at(raw.port), { retry_times: 1 })
  raw.stop(true)
  expect(tries).toEqual(["E-RSK-110", "E-RSK-110"])
  expect(verdict.action).toBe("reject")
})

test.each<[string, string]>([
  ["never answers", ""],
  ["hangs after its headers", "HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n"],
  ["hangs in mid-body", "HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\neyJhbGciOi"],
])("a server that %s", async (_, text) => {
  const raw = rawServer((socket) => socket.write(text))
  const started = Date.now()
  const { verdict, tries } = await triedAt(at(raw.port), { retry_times: 1, request_timeout: 0.2 })
  raw.stop(true)
  expect(tries).toEqual(["E-RSK-111", "E-RSK-111"])
  expect(verdict.code).toBe("E-RSK-102")
  expect(Date.now() - started).toBeLessThan(3_000)
})

test("a server that trickles its answer is cut off at the timeout, not per byte", async () => {
  const raw = rawServer((socket) => {
    socket.write("HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n")
    const timer = setInterval(() => socket.write("x") === 0 && clearInterval(timer), 20)
    setTimeout(() => clearInterval(timer), 1_500)
  })
  const { tries } = await triedAt(at(raw.port), { retry_times: 1, request_timeout: 0.2 })
  raw.stop(true)
  expect(tries).toEqual(["E-RSK-111", "E-RSK-111"])
})

// ---- several servers, deadlines ------------------------------------------------------------------------------------

test("one of three rejects: rejected at once, the others are cancelled", async () => {
  const approved = Promise.withResolvers<void>()
  const hanging: Answering = () => new Promise<Response>(() => undefined)
  using slow = riskServer(hanging)
  using yes = approving()
  using no = riskServer(async (a) => {
    await Promise.all([slow.got(1), approved.promise])
    return forge(claimsOf({ ...approval(a), action: "REJECT", error: "no" }))
  })
  const observe = ({ answer }: Tried) => answer.kind === "approve" && approved.resolve()
  const asker = askerFor([slow.server, yes.server, no.server], { request_timeout: 60 }, { observe })
  const verdict = await asker.ask(signTask, never)
  expect(verdict).toMatchObject({ action: "reject", code: "E-RSK-101" })
  expect(verdict.rules.map((r) => r.outcome)).toEqual(["error", "allow", "deny"])
  expect(slow.asked.length).toBe(1)
})

test("all servers are asked at once", async () => {
  const waiting = Promise.withResolvers<void>()
  let arrived = 0
  const together: Answering = async (a) => {
    if (++arrived === 3) waiting.resolve()
    await waiting.promise
    return forge(claimsOf(approval(a)))
  }
  using a = riskServer(together)
  using b = riskServer(together, 1)
  using c = riskServer(together)
  expect((await askerFor([a.server, b.server, c.server]).ask(signTask, never)).action).toBe("approve")
})

test("a server that recovers within its tries approves", async () => {
  const { verdict, tries } = await tried(
    (a, nth) => (nth < 3 ? new Response("", { status: 503 }) : forge(claimsOf(approval(a)))),
    { retry_times: 2 },
  )
  expect(tries).toEqual(["E-RSK-114", "E-RSK-114", "approve"])
  expect(verdict.action).toBe("approve")
})

test("retry_times 0 goes on until the deadline, and the deadline rejects", async () => {
  const deadline = new AbortController()
  using risk = riskServer(() => "nonsense")
  const asking = askerFor([risk.server], { retry_times: 0 }).ask(signTask, deadline.signal)
  // Quick tries without a pause come to an end: a server that is down for days must not keep a processor busy.
  await risk.got(21)
  await Bun.sleep(300)
  expect(risk.asked.length).toBe(21)
  await risk.got(22)
  deadline.abort()
  const verdict = await asking
  expect(verdict).toMatchObject({ action: "reject", code: "E-RSK-103" })
  expect(verdict.reason).toContain("E-RSK-114")
})

test("a deadline in the middle of a request, of a pause, and before the first try", async () => {
  using hanging = riskServer(() => new Promise<Response>(() => undefined))
  using bad = riskServer(() => "nonsense")
  const inRequest = new AbortController()
  const first = askerFor([hanging.server], { request_timeout: 60 }).ask(signTask, inRequest.signal)
  await hanging.got(1)
  inRequest.abort()
  expect((await first).code).toBe("E-RSK-103")

  const inPause = new AbortController()
  const second = askerFor([bad.server], { sleep_seconds: 60 }, { observe: () => inPause.abort() }).ask(
    signTask,
    inPause.signal,
  )
  expect((await second).code).toBe("E-RSK-103")
  expect(bad.asked.length).toBe(1)

  expect((await askerFor([bad.server]).ask(signTask, AbortSignal.abort())).code).toBe("E-RSK-103")
  expect(bad.asked.length).toBe(1)
})

test("sleep_seconds lies between the tries", async () => {
  const started = Date.now()
  const { asked } = await tried(() => "nonsense", { retry_times: 1, sleep_seconds: 0.3 })
  expect(asked.length).toBe(2)
  expect(Date.now() - started).toBeGreaterThanOrEqual(295)
})

test("our own failure to sign is a reject, not an exception", async () => {
  using risk = approving()
  const { createAsker } = await import("../../src/callback/ask.ts")
  const asker = createAsker({
    servers: [risk.server],
    settings: { token_expire_minutes: 2, retry_times: 0, sleep_seconds: 0, request_timeout: 5 },
    sign: () => Promise.reject(new Error("no key")),
    askKeyShareSign: false,
    fetch,
    now: Date.now,
    newId: () => "id",
    observe: () => undefined,
  })
  expect(await asker.ask(signTask, never)).toMatchObject({ action: "reject", code: "E-RSK-102" })
  expect(risk.asked.length).toBe(0)
})

test("key share checks are asked only where switched on", async () => {
  const {
    messages: _,
    used_node_ids: __,
    root_pub_key: ___,
    signature_type: ____,
    group_id: _____,
    ...common
  } = signTask
  const task = { ...common, type: "KeyShareSign", node_id: "n1", details: [{ group_id: "g1", message: "00" }] } as const
  using risk = approving()
  expect((await askerFor([risk.server]).ask(task, never)).action).toBe("approve")
  expect(risk.asked.length).toBe(0)
  expect((await askerFor([risk.server], {}, { askKeyShareSign: true }).ask(task, never)).action).toBe("approve")
  expect(risk.asked[0]?.request_type).toBe(5)
})

test("200 tasks at once: each is asked about its own digests", async () => {
  const hashOf = (n: number) => `0x${n.toString(16).padStart(64, "0")}`
  using risk = riskServer((asked) => {
    const detail: { task_id: string; msg_hash_list: string[] } = JSON.parse(asked.request_detail)
    const own = detail.msg_hash_list[0] === hashOf(Number(detail.task_id))
    // Every third is refused, so that an answer in the wrong place shows.
    const action = own && Number(detail.task_id) % 3 !== 0 ? "APPROVE" : "REJECT"
    return forge(claimsOf({ ...approval(asked), action }))
  })
  const asker = askerFor([risk.server], { request_timeout: 20 })
  const verdicts = await Promise.all(
    Array.from({ length: 200 }, (_, n) =>
      asker.ask(
        { ...signTask, task_id: String(n), messages: [{ bip32_path: "m/0", msg_hash: hashOf(n), tweak: "" }] },
        never,
      ),
    ),
  )
  expect(verdicts.map(({ action }) => action)).toEqual(
    Array.from({ length: 200 }, (_, n) => (n % 3 === 0 ? "reject" : "approve")),
  )
})
