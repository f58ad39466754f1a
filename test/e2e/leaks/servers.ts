/**
 * Servers that a node talks to: a callback server and an event server that keep what they are sent, and two that give back in
 * their refusals whatever they were sent, secrets in headers included, as badly made ones do.
 */
import { generateKeyPairSync } from "node:crypto"
import { FORM_FIELD, tokenSigner } from "../../../src/wire/tssJwt.ts"
import { tellRsa } from "./secrets.ts"
import type { Surveillance } from "./surveillance.ts"

export interface TestServer extends AsyncDisposable {
  readonly url: string
  /** Requests so far. */
  readonly asked: () => number
}

const serve = (fetch: (request: Request) => Promise<Response>, path: string): TestServer => {
  let count = 0
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    fetch(request) {
      count++
      return fetch(request)
    },
  })
  return {
    url: `http://127.0.0.1:${server.port}${path}`,
    asked: () => count,
    [Symbol.asyncDispose]: () => server.stop(true),
  }
}

/** Of a token in a form: what it says, without a look at its signature. */
function claimsOf(form: string): Readonly<Record<string, unknown>> {
  const [, payload = ""] = (new URLSearchParams(form).get(FORM_FIELD) ?? "").split(".")
  const claims = JSON.parse(Buffer.from(payload, "base64url").toString())
  return JSON.parse(Buffer.from(String(claims.package_data), "base64").toString())
}

/** Approves what `approves` says; `pem` is its public key. */
export function callbackServer(
  { leakScanner, token: hear }: Surveillance,
  approves: (body: Readonly<Record<string, unknown>>) => boolean,
): TestServer & { readonly pem: string } {
  const { privateKey, publicKey } = generateKeyPairSync("rsa", { modulusLength: 2048 })
  tellRsa(leakScanner, "key of the callback server", privateKey)
  const sign = tokenSigner(privateKey, "the test's callback key")
  const server = serve(async (request) => {
    const form = await request.text()
    hear("callback requests", form)
    const body = claimsOf(form)
    const action = approves(body) ? "APPROVE" : "REJECT"
    const answer = { request_id: body["request_id"], status: 0, action, error: action === "REJECT" ? "not today" : "" }
    const token = await sign(JSON.stringify(answer), Date.now() + 60_000)
    hear("callback answers", token)
    return new Response(token)
  }, "/v2/check")
  return { ...server, pem: String(publicKey.export({ format: "pem", type: "spki" })) }
}

export function eventServer({ token: hear }: Surveillance): TestServer & { readonly types: readonly string[] } {
  const types: string[] = []
  const server = serve(async (request) => {
    const form = await request.text()
    hear("events", form)
    types.push(String(claimsOf(form)["event_type"]))
    return new Response("")
  }, "/v2/event")
  return { ...server, types }
}

/** Refuses every request with all of it in the answer. */
export const echoServer = (): TestServer =>
  serve(async (request) => {
    const said = [...request.headers].map(([name, value]) => `${name}: ${value}`).join("; ")
    const headers = { "x-you-said": said, "www-authenticate": said }
    return new Response(said, { status: 401, statusText: said.slice(0, 1000), headers })
  }, "")

/** A proxy that opens for nobody, and says back what it was told, in the status line, in headers and in the body. */
export function echoProxy(): TestServer {
  let count = 0
  const server = Bun.listen({
    hostname: "127.0.0.1",
    port: 0,
    socket: {
      data(socket, bytes) {
        count++
        const said = bytes.toString("latin1").replaceAll(/\s+/g, " ").trim()
        socket.end(
          `HTTP/1.1 407 ${said}\r\nProxy-Authenticate: Basic realm="${said}"\r\nContent-Length: ${said.length}\r\n\r\n${said}`,
        )
      },
    },
  })
  return {
    url: `127.0.0.1:${server.port}`,
    asked: () => count,
    [Symbol.asyncDispose]: async () => server.stop(true),
  }
}
