/** Runbook of risk control and the customer's servers (E-RSK), and of payloads (E-INT). */
import { guide } from "./guide.ts"

const SERVER_OK = "`cosigner status` shows the callback server as ok, and a task is approved"
const GRADED = "`cosigner callback-test` against a test instance grades it A or B, and a task is approved"
const ANSWERS = (causes: readonly string[], tell: string, act: string) =>
  guide(causes, tell, `${act}. The task was refused, and does not come back: the caller asks again`, GRADED)

export const riskGuides = {
  "E-RSK-001": guide(
    ["a defect of this program"],
    "one kind of task and one rule are concerned: `cosigner policy explain --task FILE` shows which",
    "keep the log and the task, and report it. Until then rewrite that rule; do not remove it without another control in its place",
    "`cosigner policy explain` gives an answer for the same task",
  ),
  "E-RSK-102": guide(
    ["the server is down or overloaded", "its key or the node's was changed on one side", "its address moved"],
    "the last reason is one of E-RSK-110 to E-RSK-121 in words",
    "repair the server, then have the caller ask again: refused tasks do not come back",
    SERVER_OK,
  ),
  "E-RSK-103": guide(
    ["the server waits for people", "it is slow", "the deadline of the request is short"],
    "the server's own log: how long the request lay there",
    "give the request a longer deadline, or the people less to wait for; then ask again",
    "a task is approved within its deadline",
  ),
  "E-RSK-104": guide(
    ["another server, or a rule, had already refused the task"],
    "the task's first reason in the log",
    "nothing: it was refused, and the other servers are not waited for",
    "nothing to be over",
  ),
  "E-RSK-110": guide(
    ["the server does not run", "a firewall", "it dislikes the token and closes the connection"],
    "`curl -i` on the address from the node's machine: an HTTP answer means the third",
    "start it, open the way, or give it the callback key that `cosigner info` prints",
    SERVER_OK,
  ),
  "E-RSK-111": guide(
    ["the server is overloaded", "it waits for something slow before it answers"],
    "its log and load; a `callback-test` of an idle instance is quick in the first case",
    "relieve it or raise [callback] request_timeout; people's approvals belong behind repeated requests, not into one",
    SERVER_OK,
  ),
  "E-RSK-112": ANSWERS(
    ["a proxy or load balancer redirects", "http where it wants https"],
    "the reason has the status and where it leads",
    "write the final address into service_address; a redirect is never followed",
  ),
  "E-RSK-113": ANSWERS(
    ["something else listens at the address", "the server answers with a page"],
    "`curl -i` on the address",
    "correct service_address: an answer is one token of about a kilobyte",
  ),
  "E-RSK-114": ANSWERS(
    ["the path is wrong", "the server holds another node's key and answers with an error page", "a proxy answers"],
    "`curl -i` on the address; the server's log in the second case",
    "correct path or key",
  ),
  "E-RSK-115": ANSWERS(
    ["the server signs with another algorithm", "somebody answers in its place"],
    "the algorithm in the text; ask whether the server was changed",
    "configure RS256; any other algorithm is refused for good reason",
  ),
  "E-RSK-116": ANSWERS(
    ["the server's key was exchanged, and not here", "somebody answers in its place"],
    "compare pubkey_path with the server's public key over another channel",
    "exchange the file and restart the node; if the keys are equal, find out who answers",
  ),
  "E-RSK-117": ANSWERS(
    ["a clock is off", "an answer was held back on the way"],
    "`cosigner doctor` measures the difference",
    "set the clocks; else look for a proxy that keeps answers",
  ),
  "E-RSK-118": ANSWERS(
    ["a clock is off"],
    "`cosigner doctor` measures the difference, also against WaaS: the clock that differs from the others is wrong",
    "set that clock",
  ),
  "E-RSK-119": ANSWERS(
    ["the server mixes up requests", "a cache in front of it", "an old answer was replayed"],
    "the server's log: which request it thinks it answered",
    "repair the server, or take the cache away; a replay by somebody else needs their way to the network closed",
  ),
  "E-RSK-120": ANSWERS(
    ["the server's answer lacks a field or has it in another form"],
    "`cosigner callback-test` names the case",
    "repair the server: request_id, status, action, error",
  ),
  "E-RSK-121": ANSWERS(
    ["the server failed inside"],
    "its log under the request id, which is the task id",
    "repair the server",
  ),
  "E-RSK-210": guide(
    ["the event server is down", "it refuses this event", "it trusts another event key"],
    "`cosigner event list` shows what waits and since when; the reason has the HTTP status",
    "repair the server: the event stays in the outbox and is sent again, in the order of its request. Signing is not concerned",
    "`cosigner event list` shows nothing that waits",
  ),
  "E-INT-001": guide(
    ["a defect of a decoder"],
    "`cosigner intent decode` fails on the same payload",
    "keep the payload and report it. Nothing was signed, and other payloads are not affected",
    "`cosigner intent decode` of a new release reads or refuses it by a code of its own",
  ),
} as const
