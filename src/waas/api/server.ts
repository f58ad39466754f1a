/**
 * The REST API as one function from Request to Response: check the headers, read the body up to its limit, verify the caller, route,
 * answer, sign the answer. Elysia routes a request that is rebuilt from the signed target, so that a request cannot be verified as one
 * thing and routed as another.
 */
import { randomUUID } from "node:crypto"
import { Elysia } from "elysia"
import { build } from "../../build.ts"
import { type Code, CosignerError, errorText, isCode } from "../../errors.ts"
import { errnoOf } from "../../files.ts"
import type { Log } from "../../log.ts"
import type { Signer } from "../../wire/signed.ts"
import { ApiFailure } from "../failure.ts"
import type { ApiRole } from "../store/model.ts"
import { awaitingRoute } from "./approvals.ts"
import { type Authenticate, requireAddress, requireRole } from "./auth.ts"
import { bodyReader } from "./body.ts"
import { parseTarget, type RequestTarget } from "./canonical.ts"
import type { ApiContext } from "./context.ts"
import { problemOfJson } from "./exactJson.ts"
import { groupRoutes } from "./groups.ts"
import { openApiOf } from "./openapi.ts"
import { orderRoutes } from "./orders.ts"
import { projectRoutes } from "./projects.ts"
import type { Route } from "./route.ts"
import { shareSignRequestRoutes } from "./shareSignRequests.ts"
import { signatureHeaders } from "./signedAnswer.ts"
import { signRequestRoutes } from "./signRequests.ts"
import { spread } from "./spread.ts"
import { transactionRoutes } from "./transactions.ts"
import { transferRoutes } from "./transfers.ts"
import { tssRequestRoutes } from "./tssRequests.ts"
import { vaultRoutes } from "./vaults.ts"
import { walletRoutes } from "./wallets.ts"
import { webhookRoutes } from "./webhooks.ts"

interface ApiOptions {
  readonly context: ApiContext
  readonly authenticate: Authenticate
  /** Signs answers (formats.md 7.2); not the key that signs tasks. */
  readonly responseKey: Signer
  readonly bodyBytes: number
  /** Why this WaaS accepts no changes any more (2029); undefined while it does. */
  readonly closed?: () => string | undefined
  readonly log: Log
}

export const routesOf = (context: ApiContext): readonly Route[] => [
  ...vaultRoutes(context),
  ...groupRoutes(context),
  ...tssRequestRoutes(context),
  ...signRequestRoutes(context),
  ...shareSignRequestRoutes(context),
  ...orderRoutes(context),
  awaitingRoute(context),
  ...projectRoutes(context),
  ...walletRoutes(context),
  ...transactionRoutes(context),
  ...transferRoutes(context),
  ...webhookRoutes(context),
]

/** `from` is the IP address of the caller. If it is unknown, keys with a list of addresses are refused. */
type Api = (request: Request, from?: string) => Promise<Response>

/** The returned function never rejects: every failure becomes an answer. */
export function createApi(options: ApiOptions): Api {
  const routes = routesOf(options.context)
  const [read, approve, operate, admin] = (["read", "approve", "operate", "admin"] as const).map((role) =>
    router(routes, role, options.log),
  )
  const apps = { read, approve, operate, admin }
  const bodies = bodyReader(options)
  const inTurn = spread()
  const proven = async (request: Request, from: string | undefined): Promise<Response> => {
    const target = parseTarget(targetOf(request.url))
    if (target === undefined) throw new ApiFailure(2021, "no such endpoint")
    const claimed = await options.authenticate(request.headers)
    const body = await bodies.read(request, claimed.publicKey)
    await inTurn(body)
    const { role, addresses } = await claimed.prove({ method: request.method, target, body })
    requireAddress(addresses, from)
    const closed = request.method === "GET" ? undefined : options.closed?.()
    if (closed !== undefined) throw new ApiFailure(2029, closed)
    const app = apps[role]
    if (app === undefined) throw new TypeError("a key has a role that no routes were made for")
    return app.handle(rebuilt(request.method, target, body))
  }
  const description = JSON.stringify(openApiOf(routes, build.version))
  return async (request, from) => {
    // The description is the same for everybody and holds no data, so it needs no key.
    if (request.method === "GET" && targetOf(request.url) === "/openapi.json") {
      return new Response(description, { headers: { "content-type": "application/json" } })
    }
    const begun = performance.now()
    const response = await proven(request, from).catch((error: unknown) => failed(error, options.log))
    options.log.trace("request answered", () => ({
      method: request.method,
      path: targetOf(request.url).split("?")[0],
      status: response.status,
      tookMs: Math.round(performance.now() - begun),
    }))
    return signed(response, options.responseKey, options.context.now())
  }
}

/** A router for API keys of one role; it refuses routes that need a higher one. */
function router(routes: readonly Route[], role: ApiRole, log: Log): { handle(request: Request): Promise<Response> } {
  const app = new Elysia({ aot: false, normalize: false }).onError(({ code, error }) => {
    if (code === "NOT_FOUND") return failed(new ApiFailure(2021, "no such endpoint"), log)
    return failed(error, log)
  })
  for (const { method, path, answer, role: least } of routes) {
    app.route(method, path, async ({ params, query, body, set }) => {
      requireRole(role, least)
      const value = await answer({ params, query, body })
      set.status = method === "POST" ? 201 : 200
      return value
    })
  }
  return app
}

/** Path and query of an absolute URL as received; URL would normalise them. */
function targetOf(url: string): string {
  const slash = url.indexOf("/", url.indexOf("://") + 3)
  return slash < 0 ? "/" : url.slice(slash)
}

function rebuilt(method: string, { path, query }: RequestTarget, body: string): Request {
  const search = new URLSearchParams([...query]).toString()
  const url = `http://waas.internal${path}${search === "" ? "" : `?${search}`}`
  if (body === "") return new Request(url, { method })
  if (method === "GET") throw new ApiFailure(2006, "a GET has no body")
  const problem = problemOfJson(body)
  if (problem !== undefined) throw new ApiFailure(2006, `the body cannot be taken: ${problem}`)
  return new Request(url, { method, body, headers: { "content-type": "application/json" } })
}

const AWAY_RETRY_SECONDS = 2

/** Failures after which the caller should ask again later, in words for the caller. */
const LATER: Partial<Readonly<Record<Code, string>>> = {
  "E-WAA-070": "the database of WaaS does not answer",
  "E-WAA-074": "another WaaS has taken over the work of this one",
  "E-WAA-085": "the replica of WaaS that works on the request has not answered in time",
  "E-WAA-086": "another replica of WaaS works on the request now",
  "E-WAA-088": "other work of this kind is under way",
  "E-WAA-090": "too many calls wait for the replica of WaaS that works on the request",
}

/** What SQLite says of a disk that is full, read-only or failing. Damage is not among it: it does not pass. */
const PASSING = /^SQLITE_(?:FULL|IOERR|READONLY|BUSY)/

/** Why the caller should ask again later; undefined for every other failure. */
function whyLater(error: unknown): string | undefined {
  if (isCode(error, "E-WAA-006") && PASSING.test(errnoOf(error.cause) ?? "")) return "the disk of WaaS takes no writes"
  const code: Code | undefined = error instanceof CosignerError ? error.code : undefined
  return code && LATER[code]
}

/** The error answer of formats.md 7.3. An internal error goes to the log; the caller gets only the id under which the log has it. */
function failed(error: unknown, log: Log): Response {
  const error_id = randomUUID().replaceAll("-", "")
  if (error instanceof ApiFailure) {
    return Response.json(
      { error_code: error.errorCode, error_message: error.message, error_id },
      {
        status: error.status,
        ...(error.retryAfter !== undefined && { headers: { "retry-after": String(error.retryAfter) } }),
      },
    )
  }
  const later = whyLater(error)
  if (later !== undefined) {
    log.warn("a request is to be made again", { error_id, error: errorText(error) })
    const error_message = `${later}: ask again; under one request_id it stays one request`
    return Response.json(
      { error_code: 2000, error_message, error_id },
      { status: 503, headers: { "retry-after": String(AWAY_RETRY_SECONDS) } },
    )
  }
  log.error("a request ended in an internal error", { error_id, error: errorText(error) })
  const error_message = `internal error; the log of WaaS has it under ${error_id}`
  return Response.json({ error_code: 2000, error_message, error_id }, { status: 500 })
}

async function signed(response: Response, key: Signer, nowMs: number): Promise<Response> {
  const body = await response.text()
  const retryAfter = response.headers.get("retry-after")
  return new Response(body, {
    status: response.status,
    headers: {
      ...(retryAfter !== null && { "retry-after": retryAfter }),
      "content-type": "application/json",
      "cache-control": "no-store",
      ...signatureHeaders(body, key, nowMs),
    },
  })
}
