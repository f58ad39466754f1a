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
import type { Weight } from "./limits.ts"
import type { ListName } from "./messages.ts"
import { CSP, PAGE } from "./page.ts"
import { openApi, ROUTES } from "./routes.ts"
import type { Shelf } from "./shelf.ts"

interface PortParts {
  readonly listen: Listen
  readonly token: Bytes | undefined
  readonly version: string
  /** What is known now, as text that was checked already; undefined before the first word of the main thread. */
  readonly known: () => KnownState | undefined
  /** What was told so far; documents that were checked already. */
  readonly lists: Readonly<Record<ListName, Pick<Shelf, "page">>>
  /** Whether this client may have an answer now; undefined: clients cannot be told apart. */
  readonly admit: (client: string | undefined, weight: Weight) => boolean
}

export interface KnownState {
  readonly status: string
  readonly ready: string
  readonly isReady: boolean
  readonly history: string
  readonly metrics: string
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
/** So long that a reader who keeps to it is within bounds again, seconds. */
const RETRY_AFTER = "1"
const LONG: ReadonlySet<string> = new Set([
  ROUTES.groups.path,
  ROUTES.tasks.path,
  ROUTES.metrics.path,
  ROUTES.history.path,
  "/openapi.json",
])
const silent = (): Response =>
  refusal(503, "E-STA-015", "the main thread of the node does not answer", "look at /readyz and the log of the node")

/** Never rejects. */
export function createPort(
  parts: PortParts,
): (request: Request, client?: string | undefined) => Promise<Response> | Response {
  const app = router(parts)
  return (request, client) => refusalOf(parts, request) ?? tooMany(parts, request, client) ?? app.handle(asGet(request))
}

/** Asked last: whoever may not ask at all takes nothing of what the others share. */
function tooMany({ admit }: PortParts, request: Request, client: string | undefined): Response | undefined {
  if (admit(client, LONG.has(pathOf(request.url)) ? "long" : "short")) return undefined
  const refused = refusal(
    429,
    "too_many",
    "more was asked of this port than it answers",
    "ask again later, and less often; a token or a unix socket keeps others from asking at all",
  )
  refused.headers.set("retry-after", RETRY_AFTER)
  return refused
}

/** HEAD is answered as GET, and the server leaves the body out. */
const asGet = (request: Request): Request => (request.method === "GET" ? request : new Request(request.url))

function router({ known, lists, version }: PortParts): { handle(request: Request): Promise<Response> } {
  const description = JSON.stringify(openApi(version))
  const health = JSON.stringify({ alive: true, version })
  const listed = (name: ListName, labels: Readonly<Record<string, string>>, { skip, limit }: ListQuery) =>
    withKnown(known, () => {
      const { texts, nextSkip } = lists[name].page(labels, skip, limit)
      return json(`{"${name}":[${texts.join(",")}],"next_skip":${nextSkip}}`)
    })
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
      return typeof query === "string" ? badQuery(query) : listed("groups", {}, query)
    })
    .get(ROUTES.metrics.path, () => withKnown(known, ({ metrics }) => new Response(metrics, { headers: TEXT_HEADERS })))
    .get(ROUTES.tasks.path, ({ request }) => {
      const query = readQuery(tasksQuery, request)
      if (typeof query === "string") return badQuery(query)
      const { state, type } = query
      const labels = { ...(state === undefined ? {} : { state }), ...(type === undefined ? {} : { type }) }
      return listed("tasks", labels, query)
    })
}

interface ListQuery {
  readonly skip: number
  readonly limit: number
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
