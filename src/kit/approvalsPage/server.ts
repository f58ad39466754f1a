/**
 * The server of the approvals page, on the customer's own host. It reads each task itself, gives out the statement to sign, and
 * forwards only what verifies under a passkey of its own approvers file. It stores nothing between two requests: it compares
 * what comes back with the task, which it reads again.
 *
 * A page in a browser is only as honest as the host that serves it. It protects against WaaS.
 */
import type { Approver } from "../../approvals/approver.ts"
import {
  APPROVER_NAME,
  type ApprovalDecision,
  MAX_STATEMENT_BYTES,
  readStatement,
  secondsText,
  writeStatement,
} from "../../approvals/statement.ts"
import {
  type Assertion,
  MAX_ASSERTION_SIGNATURE,
  MAX_AUTHENTICATOR_DATA,
  MAX_CLIENT_DATA,
  MAX_CREDENTIAL_ID,
  type Passkey,
  problemOfAssertion,
} from "../../approvals/webauthn.ts"
import { type Bytes, copy, equal, utf8 } from "../../bytes.ts"
import { CosignerError, describe } from "../../errors.ts"
import { json, otherSite } from "../../panel/asking.ts"
import { TokenBucket } from "../../tokenBucket.ts"
import { base64 as base64Text, taskId } from "../../wire/fields.ts"
import { attempt, closed, oneOf, parseJson, type Read, text, textUpTo } from "../../wire/json.ts"
import { type Desk, statementFor, type WaitingTask } from "../approving/desk.ts"
import { PAGE, PAGE_HEADERS } from "./page.ts"
import {
  base64,
  newPasskey,
  type PagePlace,
  passkeyEntry,
  possessionStatement,
  problemOfPossession,
} from "./registration.ts"

interface PageParts {
  readonly desk: Desk
  /** From the approvers file: those with a passkey of this page's origin can sign here. */
  readonly approvers: () => readonly Approver[]
  readonly now: () => number
  /** Called with a new passkey's entry, which the page shows too. */
  readonly onEntry: (entry: string) => void
}

interface PageListen {
  readonly hostname: string
  readonly port: number
  readonly tls: { readonly cert: string; readonly key: string } | undefined
  /** The origin that browsers see; undefined is localhost with the port that was taken. */
  readonly origin: string | undefined
}

interface PageServer {
  readonly origin: string
  /** The port that was really taken. */
  readonly port: number
  readonly stop: () => Promise<void>
}

const MAX_BODY = 2 * MAX_STATEMENT_BYTES
const IDLE_SECONDS = 30
const MOST_TASKS = 20
/** Each request causes one or more requests to WaaS; a page asks every ten seconds. */
const RATE = { burst: 60, perSecond: 5 }

/** Listens at once; port 0 takes a free one. */
export function servePage(parts: PageParts, { hostname, port, tls, origin }: PageListen): PageServer {
  const server = Bun.serve({
    hostname,
    port,
    ...(tls === undefined ? {} : { tls }),
    fetch: (request) => handle(request),
    maxRequestBodySize: MAX_BODY,
    idleTimeout: IDLE_SECONDS,
    development: false,
  })
  const taken = server.port ?? port
  const place = placeOf(origin ?? `${tls === undefined ? "http" : "https"}://localhost:${taken}`)
  const handle = pageHandler(parts, place)
  return { origin: place.origin, port: taken, stop: () => server.stop(true) }
}

const placeOf = (origin: string): PagePlace => ({ origin, rpId: new URL(origin).hostname })

/** Why a request is refused; `status` is HTTP's. */
class PageRefusal extends Error {
  override readonly name = "PageRefusal"
  constructor(
    readonly status: 400 | 404 | 409 | 421 | 429,
    message: string,
  ) {
    super(message)
  }
}

interface PlacedPage extends PageParts {
  readonly place: PagePlace
}

type PageAnswer = Readonly<Record<string, unknown>>

function pageHandler(given: PageParts, place: PagePlace): (request: Request) => Promise<Response> {
  const parts = { ...given, place }
  const bucket = new TokenBucket(RATE, parts.now())
  const { host } = new URL(place.origin)
  return async (request) => {
    try {
      // Refuses a name that somebody else's DNS resolves to this host, and a post from another site.
      if (request.headers.get("host") !== host) throw new PageRefusal(421, `this page is ${parts.place.origin}`)
      const { pathname } = new URL(request.url)
      if (request.method === "GET" && pathname === "/") return new Response(PAGE, { headers: PAGE_HEADERS })
      // This comes before any counting: requests from other sites must not use up what people may ask.
      const stranger = otherSite(request)
      if (stranger !== undefined) return stranger
      if (!bucket.take(parts.now())) throw new PageRefusal(429, "more was asked than this page answers; wait a moment")
      return json(JSON.stringify(await answered(parts, request, pathname)))
    } catch (error) {
      if (error instanceof PageRefusal) return json(JSON.stringify({ message: error.message }), error.status)
      if (error instanceof CosignerError)
        return json(JSON.stringify({ code: error.code, message: describe(error) }), 502)
      throw error
    }
  }
}

async function answered(parts: PlacedPage, request: Request, path: string): Promise<PageAnswer> {
  if (request.method === "GET" && path === "/tasks") return await tasks(parts)
  if (request.method !== "POST") throw new PageRefusal(404, "there is nothing of that name")
  if (request.headers.get("origin") !== parts.place.origin) throw new PageRefusal(400, "another page asked")
  const body = new Uint8Array(await request.arrayBuffer())
  if (path === "/statements") return await statement(parts, read(statementBody, body))
  if (path === "/approvals") return await approval(parts, read(approvalBody, body))
  if (path === "/registrations") return registration(parts, read(registrationBody, body))
  throw new PageRefusal(404, "there is nothing of that name")
}

// ---- bodies ----------------------------------------------------------------------------------------------------------

const bytesOf =
  (max: number): Read<Bytes> =>
  (value, at) =>
    copy(Buffer.from(base64Text(max)(value, at), "base64"))

const requestId = text(/^[A-Za-z0-9-]{1,128}$/, "the id of a request")
const approverName = text(APPROVER_NAME, "a name of an approver")
const assertion: Read<Assertion> = (value, at) => {
  const given = closed({
    credential_id: bytesOf(MAX_CREDENTIAL_ID),
    authenticator_data: bytesOf(MAX_AUTHENTICATOR_DATA),
    client_data_json: bytesOf(MAX_CLIENT_DATA),
    signature: bytesOf(MAX_ASSERTION_SIGNATURE),
  })(value, at)
  return {
    credentialId: given.credential_id,
    authenticatorData: given.authenticator_data,
    clientDataJson: given.client_data_json,
    signature: given.signature,
  }
}
const statementText = textUpTo(MAX_STATEMENT_BYTES)

const statementBody = closed({
  request_id: requestId,
  task: taskId,
  decision: oneOf("approve", "reject", "request"),
  approver: approverName,
})
const approvalBody = closed({ request_id: requestId, statement: statementText, assertion })
const registrationBody = closed(
  { name: approverName, authenticator_data: bytesOf(MAX_AUTHENTICATOR_DATA) },
  { statement: statementText, assertion },
)

function read<T>(form: Read<T>, body: Uint8Array): T {
  const got = attempt(() => ({ value: form(parseJson(body, MAX_BODY), "$") }))
  if ("problem" in got) throw new PageRefusal(400, got.problem)
  return got.value
}

// ---- answers ---------------------------------------------------------------------------------------------------------

/** The passkeys that can sign here, by their approver's name. */
const passkeysOf = ({ approvers, place }: PlacedPage): ReadonlyMap<string, Passkey> =>
  new Map(
    approvers().flatMap(({ name, keys }) =>
      keys.flatMap((key) =>
        key.kind === "passkey" && key.passkey.origin === place.origin ? [[name, key.passkey] as const] : [],
      ),
    ),
  )

async function tasks(parts: PlacedPage): Promise<PageAnswer> {
  const waiting = await parts.desk.waiting(MOST_TASKS)
  return { approvers: [...passkeysOf(parts).keys()], tasks: waiting.map(shown) }
}

const shown = (waiting: WaitingTask): PageAnswer => ({
  request_id: waiting.requestId,
  task: waiting.subject.task,
  until: secondsText(Math.floor(waiting.task.deadline_ms / 1000)),
  words: waiting.words,
  unverified: waiting.unverified,
  problem: waiting.problem ?? null,
  awaited: waiting.awaited,
  said: saidOf(waiting),
})

/** Statements that WaaS reports; the nodes decide which of them count. */
function saidOf({ signed }: WaitingTask): string {
  const said = signed.flatMap((one) => {
    const statement = readStatement(one.statement)
    return "problem" in statement ? [] : [`${statement.decision} by ${statement.approver}`]
  })
  return said.length === 0 ? "WaaS tells of no statements yet." : `WaaS tells of: ${said.join(", ")}.`
}

function passkeyOf(parts: PlacedPage, name: string): Passkey {
  const found = passkeysOf(parts).get(name)
  if (found === undefined) throw new PageRefusal(404, `${name} has no passkey of this page in its approvers file`)
  return found
}

interface WantedStatement {
  readonly request_id: string
  readonly task: string
  readonly decision: ApprovalDecision
  readonly approver: string
}

async function taskOf({ desk }: PlacedPage, requestId: string, taskId: string): Promise<WaitingTask> {
  const found = (await desk.open(requestId)).find(({ subject }) => subject.task === taskId)
  if (found === undefined) throw new PageRefusal(404, `request ${requestId} has no task ${taskId} that waits`)
  return found
}

async function statement(
  parts: PlacedPage,
  { request_id, task, decision, approver }: WantedStatement,
): Promise<PageAnswer> {
  const { credentialId } = passkeyOf(parts, approver)
  const waiting = await taskOf(parts, request_id, task)
  refuseUnread(waiting, decision)
  const bytes = statementFor(waiting, decision, approver, parts.now())
  return { statement: Buffer.from(bytes).toString("utf8"), credential_id: base64(credentialId) }
}

function refuseUnread({ problem }: WaitingTask, decision: ApprovalDecision): void {
  if (problem !== undefined && decision !== "reject")
    throw new PageRefusal(409, `what cannot be read can only be rejected: ${problem}`)
}

interface SignedOnPage {
  readonly request_id: string
  readonly statement: string
  readonly assertion: Assertion
}

async function approval(parts: PlacedPage, given: SignedOnPage): Promise<PageAnswer> {
  const bytes = utf8(given.statement)
  const stated = readStatement(bytes)
  if ("problem" in stated) throw new PageRefusal(400, `that is no statement: ${stated.problem}`)
  const { decision, approver } = stated
  const waiting = await taskOf(parts, given.request_id, stated.task)
  refuseUnread(waiting, decision)
  if (!equal(writeStatement({ ...stated, ...waiting.subject }), bytes))
    throw new PageRefusal(409, "the statement is not about this task as it is read here")
  const problem = problemOfAssertion(given.assertion, bytes, passkeyOf(parts, approver))
  if (problem !== undefined) throw new PageRefusal(400, `the passkey's signature does not count: ${problem}`)
  await parts.desk.send(given.request_id, {
    statement: bytes,
    signature: { kind: "passkey", assertion: given.assertion },
  })
  return { message: `Sent: ${approver} says ${decision} to request ${given.request_id}.`, decision, approver }
}

interface Registration {
  readonly name: string
  readonly authenticator_data: Bytes
  readonly statement?: string
  readonly assertion?: Assertion
}

function registration(parts: PlacedPage, { name, authenticator_data, statement, assertion }: Registration): PageAnswer {
  const made = newPasskey(authenticator_data, parts.place)
  if (typeof made === "string") throw new PageRefusal(400, `that is no new passkey: ${made}`)
  const { passkey } = made
  if (statement === undefined || assertion === undefined) return { statement: possessionStatement(name, passkey) }
  const problem = problemOfPossession(name, passkey, statement, assertion)
  if (problem !== undefined) throw new PageRefusal(400, `the passkey did not show that it signs: ${problem}`)
  const entry = passkeyEntry(name, made)
  parts.onEntry(entry)
  return { entry }
}
