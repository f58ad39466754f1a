/**
 * The console (formats.md 7.7) as one function from Request to Response: checks who may read, routes, and answers from what the main
 * thread sent last. It is read-only: it changes nothing except the sessions of its readers.
 */
import type { Static, TObject } from "@sinclair/typebox"
import type { Bytes } from "../../bytes.ts"
import { HEADERS, json, otherSite, pathOf, readQuery, refusal, tooMany, wrongHost } from "../../panel/asking.ts"
import type { Weight } from "../../panel/limits.ts"
import type { Listen } from "../../panel/listen.ts"
import type { Answer } from "../../panel/serve.ts"
import type { Shelf } from "../../panel/shelf.ts"
import { findLabel, noQuery, requestsQuery, vaultsQuery } from "./documents.ts"
import { CONSOLE_CSP, CONSOLE_PAGE, LOGIN_CSP, loginPage, SCRIPT, STYLE } from "./page.ts"
import { createSessions, type Sessions } from "./sessions.ts"

export type ConsoleList = "requests" | "vaults"

interface SiteParts {
  readonly listen: Listen
  /** SHA-256 of the token. */
  readonly token: Bytes
  /** Monotonic, milliseconds. */
  readonly clock: () => number
  /** The overview as checked JSON, and its age; undefined before the first message of the main thread. */
  readonly known: () => { readonly overview: string; readonly silentMs: number } | undefined
  /** Documents as checked JSON. */
  readonly lists: Readonly<Record<ConsoleList, Pick<Shelf, "page">>>
  /** Whether the client may ask now (panel/limits.ts). */
  readonly admit: (client: string | undefined, weight: Weight) => boolean
}

const file = (type: string, csp: string) => ({
  ...HEADERS,
  // With the policy no-referrer a browser sends forms with `Origin: null`, and fromElsewhere would refuse them.
  "referrer-policy": "same-origin",
  "content-type": `${type}; charset=utf-8`,
  "content-security-policy": csp,
})
const NOTHING = "default-src 'none'"
const STYLE_HEADERS = file("text/css", NOTHING)
const SCRIPT_HEADERS = file("text/javascript", NOTHING)
const PAGE_HEADERS = file("text/html", CONSOLE_CSP)
const LOGIN_HEADERS = file("text/html", LOGIN_CSP)

const SHORT: ReadonlySet<string> = new Set(["/", "/console.css", "/console.js", "/login", "/logout"])
/** The longest login form: a token of 512 characters, each of them percent-encoded. */
const MOST_FORM = 2048

/** The returned function never rejects. */
export function createSite(parts: SiteParts): Answer {
  const sessions = createSessions(parts.token, parts.clock)
  return (request, client) =>
    wrongHost(parts.listen, request) ?? overBounds(parts, request, client) ?? answer(parts, sessions, request)
}

function overBounds({ admit }: SiteParts, request: Request, client: string | undefined): Response | undefined {
  if (admit(client, SHORT.has(pathOf(request.url)) ? "short" : "long")) return undefined
  return tooMany("more was asked of the console than it answers", "ask again later, and less often")
}

function answer(parts: SiteParts, sessions: Sessions, request: Request): Response | Promise<Response> {
  const path = pathOf(request.url)
  if (path === "/login" || path === "/logout") {
    if (request.method !== "POST") return wrongMethod("POST")
    return fromElsewhere(request) ?? (path === "/login" ? login(sessions, request) : logout(sessions, request))
  }
  if (request.method !== "GET" && request.method !== "HEAD") return wrongMethod("GET")
  // Style and script hold no data of this WaaS, so they need no session.
  if (path === "/console.css") return new Response(STYLE, { headers: STYLE_HEADERS })
  if (path === "/console.js") return new Response(SCRIPT, { headers: SCRIPT_HEADERS })
  if (path === "/") return front(sessions, request)
  return otherSite(request) ?? notAdmitted(sessions, request) ?? data(parts, path, request)
}

const wrongMethod = (method: string): Response =>
  refusal(405, "wrong_method", "the console only shows", `use ${method}`)

/** Refuses forms of other sites: they must not log a reader in or out. */
function fromElsewhere(request: Request): Response | undefined {
  const origin = request.headers.get("origin")
  const isOwn = origin === null || origin === `http://${request.headers.get("host") ?? ""}`
  return (
    otherSite(request) ??
    (isOwn ? undefined : refusal(403, "other_site", "a page of another site asked", "open the console itself"))
  )
}

function front(sessions: Sessions, request: Request): Response {
  if (sessions.admits(request) === "admitted") return new Response(CONSOLE_PAGE, { headers: PAGE_HEADERS })
  return new Response(loginPage(""), { headers: LOGIN_HEADERS })
}

async function login(sessions: Sessions, request: Request): Promise<Response> {
  const text = await request.text().catch(() => "")
  const token = text.length > MOST_FORM ? "" : (new URLSearchParams(text).get("token") ?? "").trim()
  const opened = sessions.open(token)
  if (typeof opened === "object") {
    return new Response(null, { status: 303, headers: { ...HEADERS, location: "/", "set-cookie": opened.cookie } })
  }
  const problem =
    opened === "refused"
      ? "That is not the token of this console."
      : "Too many wrong tokens came; the next one is looked at in a few seconds."
  return new Response(loginPage(problem), { status: opened === "refused" ? 401 : 429, headers: LOGIN_HEADERS })
}

const logout = (sessions: Sessions, request: Request): Response =>
  new Response(null, { status: 303, headers: { ...HEADERS, location: "/", "set-cookie": sessions.close(request) } })

function notAdmitted(sessions: Sessions, request: Request): Response | undefined {
  switch (sessions.admits(request)) {
    case "admitted":
      return undefined
    case "too many":
      return tooMany("too many wrong tokens came", "ask again later, with the right one", "10")
    case "refused": {
      const refused = refusal(401, "wrong_token", "the session or token is missing, over or wrong", "open / and log in")
      refused.headers.set("www-authenticate", "Bearer")
      return refused
    }
  }
}

function data(parts: SiteParts, path: string, request: Request): Response {
  const known = parts.known()
  if (known === undefined) return refusal(503, "not_yet", "the console has not heard of WaaS yet", "ask again later")
  switch (path) {
    case "/overview":
      return withQuery(noQuery, request, () => json(`{"silent_ms":${known.silentMs},"overview":${known.overview}}`))
    case "/vaults":
      return withQuery(vaultsQuery, request, (query) => listed(parts, "vaults", {}, query))
    case "/requests":
      return withQuery(requestsQuery, request, ({ state, kind, waits, vault, find, ...place }) => {
        const wanted = Object.entries({ state, kind, waits, vault }).flatMap(([name, value]) =>
          value === undefined ? [] : [[name, value] as const],
        )
        const found = find === undefined ? {} : { [findLabel(find)]: "yes" }
        return listed(parts, "requests", { ...Object.fromEntries(wanted), ...found }, place)
      })
    default:
      return refusal(404, "not_found", "there is no such place", "there are /overview, /vaults and /requests")
  }
}

function withQuery<S extends TObject>(schema: S, request: Request, found: (query: Static<S>) => Response): Response {
  const query = readQuery(schema, request)
  if (typeof query === "string")
    return refusal(400, "bad_query", query, "docs/how-to/console.md says what may be asked")
  return found(query)
}

function listed(
  { lists }: SiteParts,
  name: ConsoleList,
  labels: Readonly<Record<string, string>>,
  { skip, limit }: { readonly skip: number; readonly limit: number },
): Response {
  const { texts, nextSkip } = lists[name].page(labels, skip, limit)
  return json(`{"${name}":[${texts.join(",")}],"next_skip":${nextSkip}}`)
}
