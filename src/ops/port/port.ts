/**
 * The status port as one function from Request to Response: who may ask, what is asked, and the answer from what the main
 * thread told last. Read-only: nothing here changes anything. Where answers come from is worker.ts's.
 */
import { timingSafeEqual } from "node:crypto"
import type { Static, TObject, TSchema } from "@sinclair/typebox"
import { Value } from "@sinclair/typebox/value"
import { Elysia } from "elysia"
import { type Bytes, utf8 } from "../../bytes.ts"
import { digestOf, type Listen } from "../../config/listen.ts"
import { groupsQuery, tasksQuery } from "./documents.ts"
import type { Question } from "./messages.ts"
import { CSP, PAGE } from "./page.ts"
import { openApi, ROUTES } from "./routes.ts"

interface PortParts {
  readonly listen: Listen
  readonly token: Bytes | undefined
  readonly version: string
  /** What is known now, as text that was checked already; undefined before the first word of the main thread. */
  readonly known: () => KnownState | undefined
  /** Checked JSON or text from the main thread; undefined when it did not answer in time. */
  readonly ask: (question: Question) => Promise<string | undefined>
}

export interface KnownState {
  readonly status: string
  readonly ready: string
  readonly isReady: boolean
  readonly history: string
}

const HEADERS = {
  "cache-control": "no-store",
  "x-content-type-options": "nosniff",
  "referrer-policy": "no-referrer",
  "cross-origin-resource-policy": "same-origin",
  "cross-origin-opener-policy": "same-origin",
  "x-frame-options": "DENY",
}
const JSON_HEADERS = { ...HEADERS, "content-type": "application/json", "content-security-policy": "default-src 'none'" }
const TEXT_HEADERS = { ...HEADERS, "content-type": "text/plain; version=0.0.4; charset=utf-8" }
const PAGE_HEADERS = { ...HEADERS, "content-type": "text/html; charset=utf-8", "content-security-policy": CSP }

const json = (body: string, status = 200): Response => new Response(body, { status, headers: JSON_HEADERS })

function refusal(status: number, code: string, message: string, next: string): Response {
  return json(JSON.stringify({ code, message, next }), status)
}
const badQuery = (problem: string): Response =>
  refusal(400, "bad_query", problem, "GET /openapi.json says what may be asked")
const silent = (): Response =>
  refusal(503, "E-STA-015", "the main thread of the node does not answer", "look at /readyz and the log of the node")

/** Never rejects. */
export function createPort(parts: PortParts): (request: Request) => Promise<Response> | Response {
  const app = router(parts)
  return (request) => refusalOf(parts, request) ?? app.handle(asGet(request))
}

/** HEAD is answered as GET, and the server leaves the body out. */
const asGet = (request: Request): Request => (request.method === "GET" ? request : new Request(request.url))

function router({ known, ask, version }: PortParts): { handle(request: Request): Promise<Response> } {
  const description = JSON.stringify(openApi(version))
  const health = JSON.stringify({ alive: true, version })
  const asked = async (question: Question, headers: Readonly<Record<string, string>>): Promise<Response> => {
    const body = await ask(question)
    return body === undefined ? silent() : new Response(body, { headers })
  }
  return new Elysia({ aot: false, normalize: false })
    .onError(({ code }) =>
      code === "NOT_FOUND"
        ? refusal(404, "not_found", "there is no such place", "GET /openapi.json lists them")
        : refusal(500, "E-CLI-001", "an invariant of this program is broken", "keep the log and report it"),
    )
    .get("/", () => new Response(PAGE, { headers: PAGE_HEADERS }))
    .get("/openapi.json", () => json(description))
    .get(ROUTES.healthz.path, () => json(health))
    .get(ROUTES.readyz.path, () => withKnown(known, ({ ready, isReady }) => json(ready, isReady ? 200 : 503)))
    .get(ROUTES.status.path, () => withKnown(known, ({ status }) => json(status)))
    .get(ROUTES.history.path, () => withKnown(known, ({ history }) => json(history)))
    .get(ROUTES.groups.path, ({ request }) => {
      const query = readQuery(groupsQuery, request)
      return typeof query === "string" ? badQuery(query) : asked({ kind: "groups", query }, JSON_HEADERS)
    })
    .get(ROUTES.metrics.path, () => asked({ kind: "metrics" }, TEXT_HEADERS))
    .get(ROUTES.tasks.path, ({ request }) => {
      const query = readQuery(tasksQuery, request)
      return typeof query === "string" ? badQuery(query) : asked({ kind: "tasks", query }, JSON_HEADERS)
    })
}

const withKnown = (known: PortParts["known"], answer: (known: KnownState) => Response): Response => {
  const now = known()
  return now === undefined ? silent() : answer(now)
}

// ---- who may ask -----------------------------------------------------------------------------------------------------

function refusalOf({ listen, token }: PortParts, request: Request): Response | undefined {
  if (request.method !== "GET" && request.method !== "HEAD")
    return refusal(405, "wrong_method", "the port is read-only", "use GET")
  // A web page under another name that resolves to this machine would ask under that name.
  if (listen.kind === "tcp" && !isOurHost(request.headers.get("host") ?? ""))
    return refusal(421, "wrong_host", "the Host header names another machine", "ask by 127.0.0.1, [::1] or localhost")
  const path = pathOf(request.url)
  const site = request.headers.get("sec-fetch-site")
  if (path !== "/" && (site === "cross-site" || site === "same-site"))
    return refusal(403, "other_site", "a page of another site asked", "open the status page itself")
  // The page holds no data: it asks its reader for the token, and then this port.
  if (token === undefined || path === "/") return undefined
  const given = /^Bearer ([\x21-\x7e]{1,512})$/i.exec(request.headers.get("authorization") ?? "")?.[1] ?? ""
  if (timingSafeEqual(digestOf(utf8(given)), token)) return undefined
  const refused = refusal(
    401,
    "wrong_token",
    "the bearer token is missing or wrong",
    "status.token_path names the file",
  )
  refused.headers.set("www-authenticate", "Bearer")
  return refused
}

const isOurHost = (host: string): boolean => /^(?:127\.0\.0\.1|localhost|\[::1\])(?::\d{1,5})?$/i.test(host)

/** The path of an absolute URL, without a full parse: this is asked for every request. */
function pathOf(url: string): string {
  const from = url.indexOf("/", url.indexOf("://") + 3)
  const to = url.indexOf("?", from)
  return from < 0 ? "/" : url.slice(from, to < 0 ? undefined : to)
}

// ---- what is asked ---------------------------------------------------------------------------------------------------

/** The query with its defaults, or what is wrong with it. Closed: a word that is not known is refused. */
function readQuery<S extends TObject>(schema: S, request: Request): Static<S> | string {
  const fields = new Map(Object.entries<TSchema>(schema.properties))
  const raw: Record<string, unknown> = {}
  for (const [name, text] of new URL(request.url).searchParams) {
    const field = fields.get(name)
    if (field === undefined) return `${name} cannot be asked for`
    if (Object.hasOwn(raw, name)) return `${name} is given twice`
    raw[name] = field["type"] === "integer" && /^\d{1,9}$/.test(text) ? Number(text) : text
  }
  const query = Value.Default(schema, raw)
  if (Value.Check(schema, query)) return query
  const first = Value.Errors(schema, query).First()
  return `${first?.path.slice(1) ?? "the query"}: ${(first?.message ?? "invalid").toLowerCase()}`
}
