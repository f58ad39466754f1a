/**
 * A callback server with mistakes planted in it, one for each case of the conformance kit and named like it. Without any
 * it is a good server, written apart from the reference one and from its parsers.
 */
import { createHash, createHmac, createPublicKey, createVerify } from "node:crypto"
import { createServer, type IncomingMessage, type ServerResponse } from "node:http"
import { keccak_256 } from "@noble/hashes/sha3.js"
import { forge, nodeKey, publicPem, serverKey, strangerKey } from "./kit.ts"

type Fields = Record<string, unknown>
type Outcome = { approve: boolean; status?: number; error?: string }

export const ALLOWED = "0x0f76F604fd7762Bd94B48CA2523F69ab9665c97f"
const MAX_WEI = 10n ** 17n
const MAX_FEE = 10n ** 16n
const no = (error: string): Outcome => ({ approve: false, error })

export interface BadServer extends Disposable {
  readonly url: string
}

export async function badServer(...planted: readonly string[]): Promise<BadServer> {
  const has = (fault: string) => planted.includes(fault)
  const seen = new Map<string, string>()
  let dead = false
  let lastId = ""
  let turn: Promise<void> = Promise.resolve()

  async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (dead) return void request.socket.destroy()
    const earlier = turn
    const done = Promise.withResolvers<void>()
    turn = done.promise
    if (has("slow-body")) await earlier
    const text = await bodyOf(request)
    done.resolve()
    if (text === undefined) {
      if (has("huge-body")) dead = true
      return void request.socket.destroy()
    }
    const token = new URLSearchParams(text).get("TSS_JWT_MSG")
    const opened = token === null ? undefined : openLoosely(token, has)
    if (opened === undefined) {
      if (has("answers-always")) return void request.socket.destroy()
      const lenient = has("token-absent") && token === null
      return send(response, { status: lenient ? 0 : 20, ...(lenient ? { action: "APPROVE" } : { error: "bad token" }) })
    }
    const fields = read(opened)
    const id = String(fields["request_id"] ?? "")
    lastId = id
    if (has("answers-in-parallel")) await Bun.sleep(5)
    const outcome = judge(fields, opened)
    const answer = {
      ...(has("answer-names-request") ? {} : { request_id: has("answers-in-parallel") ? lastId : id }),
      status: outcome.status ?? 0,
      action: outcome.approve ? "APPROVE" : "REJECT",
      error: has("huge-answer") ? String(fields["extra_info"]) : (outcome.error ?? ""),
    }
    send(response, answer, has("answer-form") ? 201 : 200)
  }

  function send(response: ServerResponse, answer: object, status = 200): void {
    const seconds = has("answer-expires") ? 7_200 : 120
    const claims = {
      package_data: Buffer.from(JSON.stringify(answer)).toString("base64"),
      exp: Math.floor(Date.now() / 1000) + seconds,
      iss: "bad",
    }
    response.writeHead(status, { "content-type": "application/json" })
    response.end(JSON.stringify(forge(claims, { key: (has("answer-signed") ? strangerKey : serverKey).privateKey })))
  }

  function judge(fields: Fields, body: string): Outcome {
    const { request_id: id, request_type: type, request_detail: detail, extra_info: extra } = fields
    if (type === 0) return has("ping-status") ? { approve: false, status: 30 } : { approve: true }
    const broken = brokenBody(fields)
    if (broken !== undefined) return has(broken) ? { approve: true } : no(broken)
    const before = seen.get(String(id))
    seen.set(String(id), body)
    if (before !== undefined && (has("repeat-same") || (before !== body && !has("request-id-reuse")))) return no("seen")
    return type === 2 ? judgeSign(read(String(detail)), read(String(extra)), has) : { approve: true }
  }

  const http = createServer((request, response) => {
    handle(request, response).catch(() => request.socket?.destroy())
  })
  await new Promise<void>((resolve) => http.listen(0, "127.0.0.1", resolve))
  const address = http.address()
  const port = typeof address === "object" && address !== null ? address.port : 0
  return {
    url: `http://127.0.0.1:${port}/v2/check`,
    [Symbol.dispose]: () => {
      http.closeAllConnections()
      http.close()
    },
  }
}

const MAX_BODY = 16 * 1024 * 1024

/** Undefined if it is too long. */
async function bodyOf(request: IncomingMessage): Promise<string | undefined> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of request) {
    size += chunk.length
    if (size > MAX_BODY) return undefined
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString()
}

function read(text: string): Fields {
  try {
    return Object(JSON.parse(text))
  } catch {
    return {}
  }
}

/** The payload's body, or undefined for a bad token. */
function openLoosely(token: string, has: (fault: string) => boolean): string | undefined {
  const [head = "", payload = "", signature = ""] = token.split(".")
  const header = read(Buffer.from(head, "base64url").toString())
  const claims = read(Buffer.from(payload, "base64url").toString())
  const signed = `${head}.${payload}`
  const alg = String(header["alg"])
  const verified = (hash: string, key = nodeKey.publicKey) =>
    createVerify(hash).update(signed).verify(key, signature, "base64url")
  const embedded = () => createPublicKey({ key: Object(header["jwk"]), format: "jwk" })
  const accepted =
    (alg === "RS256" && signature !== "" && verified("RSA-SHA256")) ||
    (alg === "RS256" && signature !== "" && has("token-stranger")) ||
    (has("token-altered") && alg === "RS256" && signature !== "") ||
    (has("token-alg-none") && alg === "none") ||
    (has("token-alg-nOnE") && alg !== "none" && alg.toLowerCase() === "none") ||
    (has("token-unsigned-rs256") && alg === "RS256" && signature === "") ||
    (has("token-rs512") && alg === "RS512" && verified("RSA-SHA512")) ||
    (has("token-embedded-key") && "jwk" in header && verified("RSA-SHA256", embedded())) ||
    (has("token-hs256") &&
      alg === "HS256" &&
      createHmac("sha256", publicPem(nodeKey.publicKey)).update(signed).digest("base64url") === signature)
  if (!accepted) return undefined
  const now = Date.now() / 1000
  const { exp, nbf, iat } = claims
  if (exp === undefined && !has("token-without-exp")) return undefined
  const leeway = has("token-expired-long-ago") ? Number.POSITIVE_INFINITY : has("token-expired") ? 86_400 : 60
  if (typeof exp === "number" && exp < now - leeway) return undefined
  if (typeof exp === "number" && exp > now + 3_600 && !has("token-for-years")) return undefined
  if (typeof nbf === "number" && nbf > now + 60 && !has("token-not-before")) return undefined
  if (typeof iat === "number" && iat > now + 60 && !has("token-from-future")) return undefined
  if (claims["package_data"] === undefined)
    return has("body-absent")
      ? '{"request_type":1,"request_id":"x","request_detail":"{}","extra_info":"{}"}'
      : undefined
  const body = Buffer.from(String(claims["package_data"]), "base64").toString()
  if (has("body-no-json") && body === "{")
    return '{"request_type":1,"request_id":"y","request_detail":"{}","extra_info":"{}"}'
  return body
}

/** The name of what is wrong with the four fields. */
function brokenBody({
  request_id: id,
  request_type: type,
  request_detail: detail,
  extra_info: extra,
}: Fields): string | undefined {
  if (type === undefined) return "body-without-type"
  if (id === undefined) return "body-without-id"
  if (detail === undefined) return "body-without-detail"
  if (extra === undefined) return "body-without-extra"
  if (id === "") return "body-empty-id"
  if (detail === "") return "body-empty-detail"
  if (typeof detail !== "string") return "body-detail-object"
  try {
    JSON.parse(detail)
  } catch {
    return "body-detail-no-json"
  }
  if (typeof type === "string") return "body-type-text"
  if (!Number.isInteger(type)) return "body-type-fraction"
  if (type === 4) return "body-type-4"
  return [1, 2, 3].includes(Number(type)) ? undefined : "body-type-unknown"
}

type Tree = Buffer | Tree[]
interface Parsed {
  tree: Tree
  rest: Buffer
  canonical: boolean
}

/** RLP without any of the checks; `canonical` says whether one is missed. */
function lenient(bytes: Buffer): Parsed {
  const first = bytes[0] ?? 0
  if (first < 0x80) return { tree: bytes.subarray(0, 1), rest: bytes.subarray(1), canonical: true }
  const list = first >= 0xc0
  const kind = first - (list ? 0xc0 : 0x80)
  const digits = Math.max(0, kind - 55)
  const length = digits === 0 ? kind : Number(`0x${bytes.subarray(1, 1 + digits).toString("hex")}`)
  let body = bytes.subarray(1 + digits, 1 + digits + length)
  const rest = bytes.subarray(1 + digits + length)
  if (!list) return { tree: body, rest, canonical: true }
  const tree: Tree[] = []
  while (body.length > 0) {
    const one = lenient(body)
    tree.push(one.tree)
    body = one.rest
  }
  return { tree, rest, canonical: true }
}

const big = (tree: Tree | undefined): bigint => BigInt(`0x0${Buffer.isBuffer(tree) ? tree.toString("hex") : ""}`)
const padded = (tree: Tree | undefined): boolean => Buffer.isBuffer(tree) && tree[0] === 0

function judgeSign(detail: Fields, extra: Fields, has: (fault: string) => boolean): Outcome {
  const transaction = Object(extra["transaction"])
  const shown = Object(Object(transaction.destination).account_output)
  const rawText = Object(transaction.raw_tx_info).unsigned_raw_tx
  const believed = intentMistake(extra, detail)
  if (believed !== undefined) return has(believed) ? { approve: true } : no("intent")
  if (detail["signature_type"] !== 1 && !has("tx-other-signature-type")) return no("type")
  if (rawText === undefined) return has("tx-no-raw") ? { approve: true } : no("raw")
  const raw = Buffer.from(String(rawText).slice(2), "hex")
  const hashes = [detail["msg_hash_list"] ?? []].flat().map(String)
  const digest = `0x${Buffer.from(keccak_256(raw)).toString("hex")}`
  if (hashes.length === 0) return has("tx-no-digest") ? { approve: true } : no("none")
  if (hashes.length > 1 && !has("tx-second-digest")) return no("many")
  if (!hashes.includes(digest) && !has("tx-digest-of-another")) return no("digest")

  if (raw[0] === 4 && !has("tx-delegation")) return no("delegation")
  const typed = raw[0] === 2 || raw[0] === 4
  if (raw[0] === 2 && has("tx-eip1559")) return no("typed")
  if (extra["intent"] !== undefined && has("intent-beside")) return no("intent")
  const { tree, rest } = lenient(typed ? raw.subarray(1) : raw)
  if (rest.length > 0 && !has("tx-trailing-bytes")) return no("rest")
  const list = Buffer.isBuffer(tree) ? [] : tree
  const fields = typed ? [list[1], list[3], list[4], list[5], list[6], list[7], list[0]] : list
  const [, price, gas, to, value, data, chain] = fields
  if (padded(value) && !has("tx-other-encoding")) return no("encoding")
  if (chain === undefined ? !has("tx-no-chain") : big(chain) !== 1n && !has("tx-other-chain")) return no("chain")
  if (big(price) * big(gas) > MAX_FEE && !has("tx-any-fee")) return no("fee")
  if (Buffer.isBuffer(data) && data.length > 0 && !has("tx-hidden-call")) return no("data")
  const target = Buffer.isBuffer(to) ? `0x${to.toString("hex")}` : ""
  if (target === "0x") return has("tx-contract-creation") ? { approve: true } : no("creation")
  return judgeWords(target, big(value), String(shown.address), String(shown.amount), has)
}

/** The mistake by which a server approves what the node's intent does not show; undefined where it and the transaction agree. */
function intentMistake(extra: Fields, detail: Fields): string | undefined {
  const [intent] = [extra["intent"] ?? []].flat().map((one): Fields => Object(one))
  if (intent === undefined) return undefined
  const format = String(intent["format"]).replace("/", "-")
  const [hash] = [detail["msg_hash_list"] ?? []].flat()
  if ([intent["digests"]].flat()[0] !== hash) return `intent-other-digest-${format}`
  const effects = [intent["effects"]].flat().map((one): Fields => Object(one))
  if (effects.some(({ kind }) => kind === "left_out")) return `intent-left-out-${format}`
  const raw = Object(Object(extra["transaction"]).raw_tx_info).unsigned_raw_tx
  const to = String(effects[0]?.["to"]).slice(2).toLowerCase()
  if (String(raw).includes(to))
    return intent["intent_hash"] === hashOf(intent, detail) ? undefined : "intent-other-hash"
  // The intent is right about where people think it goes, or the transaction is.
  return to === ALLOWED.slice(2).toLowerCase() ? `intent-other-raw-${format}` : "intent-contradicts"
}

/** Of an intent with one transfer, from docs/spec/intents.md 6.1. */
function hashOf(intent: Fields, detail: Fields): string {
  const u32 = (n: number) => Buffer.from(n.toString(16).padStart(8, "0"), "hex").toString("latin1")
  const listed = (...parts: readonly string[]) =>
    u32(parts.length) + parts.map((part) => u32(part.length) + part).join("")
  const tagged = (tag: string, ...fields: readonly string[]) => {
    const head = `TSSN1${String.fromCharCode(tag.length)}${tag}${String.fromCharCode(fields.length)}`
    const frame = head + fields.map((field) => u32(field.length) + field).join("")
    return createHash("sha256").update(Buffer.from(frame, "latin1")).digest("latin1")
  }
  const [effect] = [intent["effects"]].flat().map((one): Fields => Object(one))
  const { kind, from, to, asset, amount } = effect ?? {}
  const fee = Object(intent["fee"])
  const words = ["amount", `i${amount}`, "asset", `s${asset}`, "from", `s${from}`, "kind", `s${kind}`, "to", `s${to}`]
  const digest = Buffer.from(String([intent["digests"]].flat()[0]).slice(2), "hex").toString("latin1")
  const [path] = [detail["bip32_path_list"]].flat()
  const hash = tagged(
    "intent",
    u32(1),
    String(intent["format"]),
    String(detail["root_pub_key"]),
    String(intent["chain"]),
    listed(String([intent["from"]].flat()[0])),
    tagged("intent/effect", ...words),
    listed(fee.max, fee.asset, String(fee.unbounded)),
    listed(String(intent["nonce"])),
    listed(),
    listed(listed(listed(String(path)), listed(), digest)),
  )
  return `0x${Buffer.from(hash, "latin1").toString("hex")}`
}

function judgeWords(
  to: string,
  wei: bigint,
  shownTo: string,
  shownAmount: string,
  has: (fault: string) => boolean,
): Outcome {
  const allowed = ALLOWED.toLowerCase()
  const ends = (text: string) => text.slice(0, 6) + text.slice(-4)
  const believed = has("tx-other-destination-than-shown") ? shownTo.toLowerCase() : to
  const listed = believed === allowed || (has("tx-look-alike") && ends(believed) === ends(allowed))
  if (!listed && !has("tx-unknown-destination")) return no("destination")
  const readable = has("tx-foreign-letters") ? shownTo.replace("\u0445", "x") : shownTo
  const same = has("tx-other-destination-than-shown") || readable.toLowerCase() === to
  if (!same) return no("shown destination")
  const checksum = readable === ALLOWED || readable.toLowerCase() !== allowed || has("tx-wrong-checksum")
  if (!checksum) return no("checksum")
  const [whole = "0", fraction = ""] = shownAmount.split(".")
  const shownWei = BigInt(whole + fraction.padEnd(18, "0"))
  const counted = has("tx-other-amount-than-shown") ? shownWei : wei
  if (counted > MAX_WEI && !has("tx-any-amount")) return no("amount")
  const differs = shownWei !== wei && !has("tx-other-amount-than-shown")
  return differs && !(has("tx-small-amount-shown-large") && wei < shownWei) ? no("shown amount") : { approve: true }
}
