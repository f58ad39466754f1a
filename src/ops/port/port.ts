/**
 * The status port as one function from Request to Response: who may ask, what is asked, and the answer from what the main
 * thread sent last. Read-only: nothing here changes anything. worker.ts supplies the data.
 */
import { Elysia } from "elysia"
import type { Bytes } from "../../bytes.ts"
import {
  HEADERS,
  hasToken,
  json,
  otherSite,
  pathOf,
  readQuery,
  refusal,
  tooMany,
  wrongHost,
} from "../../panel/asking.ts"
import type { Weight } from "../../panel/limits.ts"
import type { Listen } from "../../panel/listen.ts"
import type { Answer } from "../../panel/serve.ts"
import type { Shelf } from "../../panel/shelf.ts"
import { groupsQuery, tasksQuery } from "./documents.ts"
import type { ListName } from "./messages.ts"
import { CSP, PAGE } from "./page.ts"
import { openApi, ROUTES } from "./routes.ts"

interface PortParts {
  readonly listen: Listen
  readonly token: Bytes | undefined
  readonly version: string
  /** What is known now, as text that was already checked; undefined before the first message of the main thread. */
  readonly known: () => KnownState | undefined
  /** The documents received so far, already checked. */
  readonly lists: Readonly<Record<ListName, Pick<Shelf, "page">>>
  /** Whether this client may have an answer now; undefined: clients cannot be distinguished. */
  readonly admit: (client: string | undefined, weight: Weight) => boolean
}

export interface KnownState {
  readonly status: string
  readonly ready: string
  readonly isReady: boolean
  readonly history: string
  readonly metrics: string
}

const TEXT_HEADERS = { ...HEADERS, "content-type": "text/plain; version=0.0.4; charset=utf-8" }
const PAGE_HEADERS = { ...HEADERS, "content-type": "text/html; charset=utf-8", "content-security-policy": CSP }

const badQuery = (problem: string): Response =>
  refusal(400, "bad_query", problem, "GET /openapi.json says what may be asked")
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
export function createPort(parts: PortParts): Answer {
  const app = router(parts)
  return (request, client) =>
    refusalOf(parts, request) ?? overBounds(parts, request, client) ?? app.handle(asGet(request))
}

/** Checked last: a client that may not ask at all uses up none of what the others share. */
function overBounds({ admit }: PortParts, request: Request, client: string | undefined): Response | undefined {
  if (admit(client, LONG.has(pathOf(request.url)) ? "long" : "short")) return undefined
  return tooMany(
    "more was asked of this port than it answers",
    "ask again later, and less often; a token or a unix socket keeps others from asking at all",
  )
}

/** HEAD is answered like GET; the server leaves the body out. */
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
  const stranger = wrongHost(listen, request)
  if (stranger !== undefined) return stranger
  const path = pathOf(request.url)
  // A link to the page is fine, because the page holds no data: it asks its reader for the token, and then asks this port.
  if (path === "/") return undefined
  const other = otherSite(request)
  if (other !== undefined || token === undefined || hasToken(request, token)) return other
  const refused = refusal(
    401,
    "wrong_token",
    "the bearer token is missing or wrong",
    "status.token_path names the file",
  )
  refused.headers.set("www-authenticate", "Bearer")
  return refused
}
