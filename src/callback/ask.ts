/**
 * The callback risk control: it asks every configured server at once, and all must approve. One reject cancels the
 * other requests. A server that gives no usable answer in all its tries, or none before the deadline, counts as a reject. The
 * result is a Verdict; nothing here throws because of a server.
 */

import type { Word } from "../approvals/word.ts"
import { CosignerError, errorText } from "../errors.ts"
import type { Fetch } from "../outbound.ts"
import type { RuleOutcome, Verdict } from "../policy/verdict.ts"
import { sleep } from "../sleep.ts"
import { type Intents, NO_INTENTS } from "../tasks/intents.ts"
import type { Task } from "../wire/task.ts"
import type { SignToken } from "../wire/tssJwt.ts"
import { type CallbackAnswer, type NoDecision, readAnswer } from "./answer.ts"
import { pingBody, taskBody } from "./body.ts"
import { postToken } from "./post.ts"
import type { CallbackServer } from "./servers.ts"

/** The keys of [callback], in their units. */
export interface CallbackSettings {
  readonly token_expire_minutes: number
  /** Further tries after the first; 0 is without limit, within the deadline. */
  readonly retry_times: number
  readonly sleep_seconds: number
  readonly request_timeout: number
}

/** The result of one try, for the monitor, metrics and the log. */
export interface Tried {
  readonly server: string
  readonly answer: CallbackAnswer
  readonly tookMs: number
  readonly atMs: number
}

export interface Asker {
  readonly servers: readonly CallbackServer[]
  /** Approves at once if no server is configured: the config has already decided whether that is allowed. */
  ask(task: Task, signal: AbortSignal, intents?: Intents, words?: readonly Word[]): Promise<Verdict>
  /** Never rejects. */
  ping(server: CallbackServer, signal: AbortSignal): Promise<CallbackAnswer>
}

export interface AskerParts {
  readonly servers: readonly CallbackServer[]
  readonly settings: CallbackSettings
  /** Signs with the node's callback key. */
  readonly sign: SignToken
  /** KeyShareSign is sent only where the operator switched it on: the known servers reject it (formats.md 1.3 rule 5). */
  readonly askKeyShareSign: boolean
  readonly fetch: Fetch
  readonly now: () => number
  /** A fresh unique id; binds an answer to its request. */
  readonly newId: () => string
  readonly observe: (tried: Tried) => void
}

export function createAsker(parts: AskerParts): Asker {
  return {
    servers: parts.servers,
    async ask(task, signal, intents = NO_INTENTS, words = []) {
      if (task.type === "KeyShareSign" && !parts.askKeyShareSign) return approvedBy([])
      // Fires when the caller's signal does, or when one server has rejected.
      const cancel = new AbortController()
      const all = AbortSignal.any([signal, cancel.signal])
      const body: BodyFor = ({ version }, requestId) => taskBody(version, requestId, task, intents, words)
      const endings = await Promise.all(
        parts.servers.map(async (server) => {
          const ending = await askServer(parts, server, body, signal, all).catch((error: unknown) =>
            broken(server, error),
          )
          if (ending.kind !== "approve") cancel.abort()
          return ending
        }),
      )
      return verdictOf(endings)
    },
    ping: (server, signal) =>
      tryOnce(parts, server, "", pingBody(), signal).catch((error: unknown) => ({
        kind: "failed",
        code: "E-RSK-110",
        reason: errorText(error),
        skewMs: undefined,
      })),
  }
}

/** After this many tries in a row a server is asked no faster than this, whatever sleep_seconds says: it may be down for days. */
const QUICK_TRIES = 20
const SLOW_MS = 1_000

type RefusalCode = "E-RSK-101" | "E-RSK-102" | "E-RSK-103" | "E-RSK-104"
type AskEnding =
  | { readonly kind: "approve"; readonly server: string; readonly token: string | undefined }
  | {
      readonly kind: "refused"
      readonly server: string
      readonly code: RefusalCode
      readonly reason: string
      readonly token?: string | undefined
    }

/** A failure of our own, such as a key that cannot sign, counts like no answer. */
const broken = (server: CallbackServer, error: unknown): AskEnding => ({
  kind: "refused",
  server: server.address,
  code: "E-RSK-102",
  reason: `it could not be asked: ${errorText(error)}`,
})

type BodyFor = (server: CallbackServer, requestId: string) => string

async function askServer(
  parts: AskerParts,
  server: CallbackServer,
  body: BodyFor,
  deadline: AbortSignal,
  all: AbortSignal,
): Promise<AskEnding> {
  const { retry_times: retries, sleep_seconds: pause } = parts.settings
  const refused = (code: RefusalCode, reason: string): AskEnding => ({
    kind: "refused",
    server: server.address,
    code,
    reason,
  })
  const requestId = parts.newId()
  let last = "it was not reached"
  for (let tries = 0; !all.aborted && (retries === 0 || tries <= retries); tries++) {
    if (tries > 0) await sleep(Math.max(pause * 1000, tries > QUICK_TRIES ? SLOW_MS : 0), all)
    if (all.aborted) break
    const answer = await tryOnce(parts, server, requestId, body(server, requestId), all)
    // An approval at or after the deadline is too late: the caller may have gone on already.
    if (all.aborted && answer.kind !== "reject") break
    if (answer.kind === "approve") return { kind: "approve", server: server.address, token: answer.token }
    if (answer.kind === "reject") return { ...refused("E-RSK-101", answer.reason), token: answer.token }
    last = textOf(server, answer)
  }
  if (deadline.aborted) return refused("E-RSK-103", last)
  if (all.aborted) return refused("E-RSK-104", "another server had refused already")
  return refused("E-RSK-102", last)
}

async function tryOnce(
  parts: AskerParts,
  server: CallbackServer,
  requestId: string,
  body: string,
  signal: AbortSignal,
): Promise<CallbackAnswer> {
  const { settings, now } = parts
  const startMs = now()
  const token = await parts.sign(body, startMs + settings.token_expire_minutes * 60_000)
  const http = await postToken(parts.fetch, server.address, token, settings.request_timeout * 1000, signal)
  const answer = "kind" in http ? http : await readAnswer(http, server.publicKey, requestId, now())
  if (!signal.aborted) parts.observe({ server: server.address, answer, tookMs: now() - startMs, atMs: now() })
  return answer
}

const textOf = (server: CallbackServer, { code, reason }: NoDecision): string =>
  `${code} ${new CosignerError(code, { server: server.address, reason }).message}`

/** A server's decision is named before a mere failure, and both before a request that was cancelled because of them. */
const IN_ORDER: readonly RefusalCode[] = ["E-RSK-101", "E-RSK-102", "E-RSK-103", "E-RSK-104"]

/** Approves only if no server refused, for whatever reason. */
function verdictOf(endings: readonly AskEnding[]): Verdict {
  const rules = endings.map(outcomeOf)
  const [first] = endings
    .flatMap((ending) => (ending.kind === "approve" ? [] : ending))
    .sort((a, b) => IN_ORDER.indexOf(a.code) - IN_ORDER.indexOf(b.code))
  if (first === undefined) return approvedBy(rules)
  const { message } = new CosignerError(first.code, { server: first.server, reason: first.reason })
  return { action: "reject", code: first.code, reason: message, rules }
}

function outcomeOf(ending: AskEnding): RuleOutcome {
  const rule = `callback:${ending.server}`
  if (ending.kind === "approve") return { rule, outcome: "allow", reason: `approved${answeredBy(ending)}` }
  return {
    rule,
    outcome: ending.code === "E-RSK-101" ? "deny" : "error",
    reason: `${ending.reason}${answeredBy(ending)}`,
  }
}

/** For auditors, who compare it with the server's records. */
const answeredBy = ({ token }: AskEnding): string => (token === undefined ? "" : `; answer sha256 ${token}`)

const approvedBy = (rules: readonly RuleOutcome[]): Verdict => ({ action: "approve", code: "", reason: "", rules })
