/** Real HTTP servers on loopback that answer as callback servers do, well or badly, and the keys and tasks to try them. */
import { createSign, generateKeyPairSync, type KeyObject } from "node:crypto"
import { type Asker, type CallbackSettings, createAsker, type Tried } from "../../src/callback/ask.ts"
import type { CallbackServer } from "../../src/callback/servers.ts"
import type { KeySignTask } from "../../src/wire/task.ts"
import { openToken, tokenSigner } from "../../src/wire/tssJwt.ts"

const rsa = (modulusLength: number) => generateKeyPairSync("rsa", { modulusLength })
export const nodeKey = rsa(2048)
export const serverKey = rsa(2048)
export const strangerKey = rsa(2048)

export const HASH = `0x${"1a".repeat(32)}`
export const signTask: KeySignTask = {
  version: 1,
  type: "KeySign",
  task_id: "task-2",
  biz_task_id: "biz-2",
  created_ms: 1,
  deadline_ms: 2,
  extra_info: { org: { org_id: "o" }, transaction: { msg_hash_list: ["0xforged"] } },
  group_id: "g1",
  root_pub_key: "xpub661MyTest",
  used_node_ids: ["n1", "n2"],
  signature_type: 1,
  messages: [{ bip32_path: "m/44/60/0/0/5", msg_hash: HASH, tweak: "" }],
}

export interface Asked {
  readonly request_id: string
  readonly request_type: number
  readonly request_detail: string
  readonly extra_info: string
}

const base64url = (text: string | Buffer) => Buffer.from(text).toString("base64url")

/** A token built by hand, so that it can be wrong in any way. */
export function forge(
  claims: Readonly<Record<string, unknown>>,
  how: { key?: KeyObject; hash?: string; header?: object; signature?: string } = {},
): string {
  const head = `${base64url(JSON.stringify(how.header ?? { alg: "RS256", typ: "JWT" }))}.${base64url(JSON.stringify(claims))}`
  if (how.signature !== undefined) return `${head}.${how.signature}`
  const signature = createSign(how.hash ?? "RSA-SHA256")
    .update(head)
    .sign(how.key ?? serverKey.privateKey)
  return `${head}.${base64url(signature)}`
}

export const inSeconds = (seconds: number) => Math.floor(Date.now() / 1000) + seconds
export const claimsOf = (response: object, over: object = {}) => ({
  package_data: Buffer.from(JSON.stringify(response)).toString("base64"),
  exp: inSeconds(120),
  iss: "callback-server",
  ...over,
})
export const approval = (asked: Asked) => ({ request_id: asked.request_id, status: 0, action: "APPROVE" })

export type Answering = (asked: Asked, nth: number, request: Request) => Response | string | Promise<Response | string>

export interface RiskServer extends Disposable {
  readonly server: CallbackServer
  readonly address: string
  /** Every request body it got, in order. */
  readonly asked: Asked[]
  /** Resolves when it got its nth request, from 1. */
  got(nth: number): Promise<void>
}

/** A server that opens each request with the node's public key and lets `answering` answer. */
export function riskServer(answering: Answering, version: 1 | 2 = 2): RiskServer {
  const asked: Asked[] = []
  const waiting: { nth: number; resolve: () => void }[] = []
  const http = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    idleTimeout: 0,
    async fetch(request) {
      const token = new URLSearchParams(await request.text()).get("TSS_JWT_MSG") ?? ""
      const opened = await openToken(token, nodeKey.publicKey, Date.now())
      if (!opened.ok) return new Response(`bad request token: ${opened.reason}`, { status: 500 })
      const body: Asked = JSON.parse(opened.body)
      asked.push(body)
      for (const one of waiting) if (asked.length >= one.nth) one.resolve()
      const answer = await answering(body, asked.length, request)
      return typeof answer === "string" ? new Response(answer) : answer
    },
  })
  const address = `http://127.0.0.1:${http.port}/v2/check`
  return {
    server: { address, version, publicKey: serverKey.publicKey },
    address,
    asked,
    got: (nth) => new Promise((resolve) => (asked.length >= nth ? resolve() : waiting.push({ nth, resolve }))),
    [Symbol.dispose]: () => void http.stop(true),
  }
}

export const approving = (version: 1 | 2 = 2) => riskServer((asked) => forge(claimsOf(approval(asked))), version)

export const settings: CallbackSettings = {
  token_expire_minutes: 2,
  retry_times: 2,
  sleep_seconds: 0,
  request_timeout: 5,
}

export function askerFor(
  servers: readonly CallbackServer[],
  over: Partial<CallbackSettings> = {},
  more: { observe?: (tried: Tried) => void; askKeyShareSign?: boolean } = {},
): Asker {
  return createAsker({
    servers,
    settings: { ...settings, ...over },
    sign: tokenSigner(nodeKey.privateKey, "callback key"),
    askKeyShareSign: more.askKeyShareSign ?? false,
    fetch,
    now: Date.now,
    newId: () => crypto.randomUUID(),
    observe: more.observe ?? (() => undefined),
  })
}

export const never = new AbortController().signal
export const publicPem = (key: KeyObject) => key.export({ type: "spki", format: "pem" }).toString()
