/**
 * A callback server for a co-signer node. The node asks it about every task before it takes part, and only its signed "APPROVE"
 * lets the node sign. Owns the exchange: HTTP, the node's token, the signed answer. decide.ts decides what is approved.
 *
 *     npm install && bun server.ts config.json        (or node 24 in place of bun)
 */
import { createHash, createPrivateKey, createPublicKey, type KeyObject, sign, verify } from "node:crypto"
import { readFileSync } from "node:fs"
import { createServer, type IncomingMessage } from "node:http"
import { dirname, join } from "node:path"
import { isObject, type JsonObject, Refused, readAsked, rulesOf } from "./decide.ts"

const MAX_BODY = 4 * 1024 * 1024
/** The most seconds that two clocks may differ. */
const CLOCK_SKEW = 60
/** Seconds: a token of a node lives for minutes. */
const MAX_LIFETIME = 3900
const ANSWER_EXPIRY = 120
const MAX_SEEN = 100_000

interface Answer {
  readonly request_id: string
  /** 0 decided, 10 invalid request, 20 invalid token. */
  readonly status: number
  readonly action?: "APPROVE" | "REJECT"
  readonly error?: string
}

const [file] = process.argv.slice(2)
if (file === undefined) throw new Error("usage: server.ts config.json")
const config = parseJson(readFileSync(file, "utf8"))
if (config === undefined) throw new Error(`${file} holds no JSON object`)
const inFolder = (name: unknown): string => readFileSync(join(dirname(file), String(name)), "utf8")
const rules = rulesOf(config)
const privateKey = createPrivateKey(inFolder(config["private_key"]))
const nodeKeys: readonly KeyObject[] = [config["node_public_keys"]]
  .flat()
  .map((name) => createPublicKey(inFolder(name)))
const seen = new Map<string, string>()

const now = (): number => Math.floor(Date.now() / 1000)

function parseJson(text: string): JsonObject | undefined {
  try {
    const value: unknown = JSON.parse(text)
    return isObject(value) ? value : undefined
  } catch {
    return undefined
  }
}

/** Verifies RS256 and nothing else, a node's key, the times. The body inside, or why there is none. */
function openedBody(token: string): string {
  const [head = "", payload = "", signature = "", ...more] = token.split(".")
  const header = parseJson(Buffer.from(head, "base64url").toString())
  if (header?.["alg"] !== "RS256" || more.length > 0) throw new Refused("the token is not of RS256")
  const signed = Buffer.from(`${head}.${payload}`)
  const isOfANode = nodeKeys.some((key) => verify("sha256", signed, key, Buffer.from(signature, "base64url")))
  if (!isOfANode) throw new Refused("no known node signed it")
  const { exp, nbf, iat, package_data: data } = parseJson(Buffer.from(payload, "base64url").toString()) ?? {}
  if (typeof exp !== "number" || exp <= now() - CLOCK_SKEW) throw new Refused("the token is expired")
  if (exp > now() + MAX_LIFETIME) throw new Refused("the token is valid for too long")
  for (const time of [nbf ?? 0, iat ?? 0])
    if (typeof time !== "number" || time > now() + CLOCK_SKEW) throw new Refused("the token is from the future")
  const body = typeof data === "string" ? Buffer.from(data, "base64") : Buffer.alloc(0)
  if (body.length === 0 || body.toString("base64") !== data) throw new Refused("the token has no package_data")
  return body.toString()
}

function signedToken(answer: Answer): string {
  const claims = { package_data: btoaUtf8(JSON.stringify(answer)), exp: now() + ANSWER_EXPIRY, iss: "" }
  const text = [{ alg: "RS256", typ: "JWT" }, claims]
    .map((part) => Buffer.from(JSON.stringify(part)).toString("base64url"))
    .join(".")
  return `${text}.${sign("sha256", Buffer.from(text), privateKey).toString("base64url")}`
}

const btoaUtf8 = (text: string): string => Buffer.from(text).toString("base64")

/** A node repeats a request under its id; nobody may replace it by another. */
function isSameAsBefore(id: string, body: string): boolean {
  const digest = createHash("sha256").update(body).digest("hex")
  const before = seen.get(id)
  if (before !== undefined) return before === digest
  seen.set(id, digest)
  const [oldest] = seen.keys()
  if (seen.size > MAX_SEEN && oldest !== undefined) seen.delete(oldest)
  return true
}

/** Why it is refused; undefined where it is not. */
function refusal(work: () => void): string | undefined {
  try {
    work()
    return undefined
  } catch (error) {
    if (error instanceof Refused) return error.message
    throw error
  }
}

function answerTo(token: string): Answer {
  let body = ""
  const badToken = refusal(() => {
    body = openedBody(token)
  })
  if (badToken !== undefined) return { request_id: "", status: 20, error: badToken }
  const asked = readAsked(parseJson(body), parseJson)
  if (typeof asked === "string") return { request_id: "", status: 10, error: asked }
  const { id: request_id } = asked
  if (asked.kind === 0) return { request_id, status: 0, action: "APPROVE" }
  if (!isSameAsBefore(request_id, body))
    return { request_id, status: 10, action: "REJECT", error: "this request id was used for another request" }
  const error = refusal(() => rules.decide(asked))
  return error === undefined
    ? { request_id, status: 0, action: "APPROVE" }
    : { request_id, status: 0, action: "REJECT", error }
}

/** Undefined where it is too long. */
async function bodyOf(request: IncomingMessage): Promise<string | undefined> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of request) {
    size += chunk.length
    if (size > MAX_BODY) return undefined
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString("latin1")
}

const server = createServer({ requestTimeout: 10_000 }, async (request, response) => {
  try {
    if (request.url === "/ping")
      return response.end(JSON.stringify({ server: "typescript-callback-server", timestamp: Date.now() }))
    if (request.url !== "/v2/check" || request.method !== "POST") return response.writeHead(404).end()
    const form = await bodyOf(request)
    const token = new URLSearchParams(form ?? "").get("TSS_JWT_MSG") ?? ""
    const answer: Answer =
      form === undefined ? { request_id: "", status: 10, error: "the body is too long" } : answerTo(token)
    process.stdout.write(`${JSON.stringify(answer)}\n`)
    response.writeHead(200, { "content-type": "text/plain; charset=utf-8" }).end(signedToken(answer))
  } catch {
    // A fault of this server approves nothing.
    response.destroy()
  }
  return undefined
})

const [, host = "", port = ""] = /^(.+):([0-9]+)$/.exec(String(config["listen"])) ?? []
server.listen(Number(port), host, () => process.stdout.write(`listening on ${host}:${port}\n`))
