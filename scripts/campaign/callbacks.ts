/** A callback server that approves whatever it is asked, or fails in one of the ways in which servers fail. It never rejects. */
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { claimsOf, forge, serverKey, strangerKey } from "../../test/callback/kit.ts"

export const CALLBACK_FAULTS = ["hang", "slow", "status 500", "garbage", "strange signature", "cut off"] as const
type CallbackFault = (typeof CALLBACK_FAULTS)[number]

export class Callbacks implements Disposable {
  fault: CallbackFault | undefined
  readonly #server: Bun.Server<undefined>

  constructor() {
    this.#server = Bun.serve({
      hostname: "127.0.0.1",
      port: 0,
      idleTimeout: 0,
      fetch: (request) => this.#answer(request),
    })
  }

  /** What a node's configuration gets, with the server's key beside it. Tries go on until the deadline: only a server says no. */
  toml(folder: string): string {
    const key = join(folder, "campaign-callback.pem")
    writeFileSync(key, serverKey.publicKey.export({ format: "pem", type: "spki" }), { mode: 0o600 })
    return [
      "[callback]",
      "retry_times = 0",
      "sleep_seconds = 0",
      "request_timeout = 1",
      "[[callback.cb_server_v2]]",
      `service_address = "http://127.0.0.1:${this.#server.port}/v2/check"`,
      `pubkey_path = "${key}"`,
    ].join("\n")
  }

  async #answer(request: Request): Promise<Response> {
    const { fault } = this
    const token = new URLSearchParams(await request.text()).get("TSS_JWT_MSG") ?? ""
    if (fault === "hang") await Bun.sleep(5_000)
    if (fault === "slow") await Bun.sleep(700)
    if (fault === "status 500") return new Response("out of order", { status: 500 })
    if (fault === "garbage") return new Response('{"request_id": "', { status: 200 })
    // Fewer bytes than it promised, and then the end.
    if (fault === "cut off") return new Response("eyJhbGciOi", { headers: { "content-length": "600" } })
    const answer = { request_id: requestOf(token), status: 0, action: "APPROVE" }
    const { privateKey } = fault === "strange signature" ? strangerKey : serverKey
    return new Response(forge(claimsOf(answer), { key: privateKey }))
  }

  [Symbol.dispose](): void {
    void this.#server.stop(true)
  }
}

/** The id of the request in a token, whose signature this server leaves unread. */
function requestOf(token: string): string {
  const claims: unknown = JSON.parse(Buffer.from(token.split(".")[1] ?? "", "base64url").toString())
  const packed = typeof claims === "object" && claims !== null && "package_data" in claims ? claims.package_data : ""
  const body: unknown = JSON.parse(Buffer.from(String(packed), "base64").toString())
  return typeof body === "object" && body !== null && "request_id" in body ? String(body.request_id) : ""
}
