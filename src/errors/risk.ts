import { EXIT, entry } from "./entry.ts"

interface Reason {
  readonly reason: string
}
interface Server {
  readonly server: string
}

/** A rule of [embedded_risk_control_rules] said no; `reason` names the rule and what it saw. */
const denied = (next: string) =>
  entry<Reason>({ kind: "input", exit: EXIT.refused, what: (d) => `refused by the embedded rules: ${d.reason}`, next })

/** One try of a callback server failed; after the last try the task is refused with E-RSK-102. */
const failed = (what: (d: Server & Reason) => string, next: string) =>
  entry<Server & Reason>({ kind: "fault", exit: EXIT.network, what, next })

const WHY = "`cosigner policy explain --task FILE` shows every rule's answer"

/** Codes E-RSK-nnn. 0nn: embedded rules. 1nn: callback servers. 2nn: event servers. 3nn: the reference callback server. */
export const riskCodes = {
  "E-RSK-001": entry<Reason>({
    kind: "bug",
    exit: EXIT.refused,
    what: (d) => `a rule could not be evaluated, and doubt is a reject: ${d.reason}`,
    next: "keep the log and report it; the task was not signed",
  }),
  "E-RSK-002": denied("add the section for this kind of task to [embedded_risk_control_rules], or leave it refused"),
  "E-RSK-003": denied("set reject_all = false in that section if such tasks are wanted"),
  "E-RSK-004": denied("add an entry for exactly these members to allow_list if the task is wanted"),
  "E-RSK-005": denied(WHY),
  "E-RSK-006": denied(WHY),
  "E-RSK-007": denied(WHY),
  "E-RSK-008": denied(WHY),
  "E-RSK-009": denied(WHY),
  "E-RSK-010": denied(WHY),
  "E-RSK-011": denied("ask again when the window has moved on, or raise the limit"),
  "E-RSK-012": denied("ask again inside a time window, or change time_windows"),
  "E-RSK-013": denied(WHY),
  "E-RSK-014": denied(WHY),
  "E-RSK-015": denied("let the caller send the missing context in extra_info"),
  "E-RSK-016": entry<Reason>({
    kind: "input",
    exit: EXIT.refused,
    what: (d) => `the task cannot be judged by the embedded rules: ${d.reason}`,
    next: "compare the task with `cosigner info group`; nothing was signed",
  }),
  "E-RSK-017": denied(WHY),
  "E-RSK-018": denied(
    "`cosigner policy explain --task FILE` says for each effect which entries cover it and why others do not",
  ),
  "E-RSK-019": denied(
    "the deny entry refuses such a task even if allow covers it; change the named deny entry if the task is wanted",
  ),
  "E-RSK-021": denied("send the payload with the task, or name the path in blind_paths"),
  "E-RSK-022": denied(
    "let the payload say it: transferChecked for a token, the accounts of a lookup table under [[intent.lookup_tables]], mints under [[intent.assets]]",
  ),
  "E-RSK-023": denied(
    "`cosigner policy check` lists every name and amount that stands for nothing; correct them and reload",
  ),
  "E-RSK-024": denied(
    "a task waits for approvals until its deadline: `cosigner policy explain --task FILE` names those that it needs. A task that a person rejected, or for which an approval had expired when it was decided, needs a new request",
  ),
  "E-RSK-020": entry<{ readonly file: string; readonly problem: string }>({
    kind: "input",
    exit: EXIT.failure,
    what: (d) => `${d.file} is not a task: ${d.problem}`,
    next: "give one task document of WaaS as JSON; `cosigner policy explain --help` shows one",
  }),

  "E-RSK-101": entry<Server & Reason>({
    kind: "input",
    exit: EXIT.refused,
    what: (d) => `callback server ${d.server} rejected the task${d.reason === "" ? "" : `: ${d.reason}`}`,
    next: "the reason is the server's own; ask whoever runs it",
  }),
  "E-RSK-102": failed(
    (d) => `callback server ${d.server} gave no usable answer in all its tries; the last one: ${d.reason}`,
    "check the server with `cosigner callback-test`; the task was refused",
  ),
  "E-RSK-103": failed(
    (d) => `the task's deadline passed before callback server ${d.server} answered: ${d.reason}`,
    "make the server faster or the deadline longer; the task was refused",
  ),
  "E-RSK-104": failed(
    (d) => `callback server ${d.server} was not heard to the end: ${d.reason}`,
    "nothing to do: the task was already refused",
  ),
  "E-RSK-110": failed(
    (d) => `callback server ${d.server} cannot be reached: ${d.reason}`,
    "check that the server runs and that its address and the firewall are right",
  ),
  "E-RSK-111": failed(
    (d) => `callback server ${d.server} did not finish its answer within ${d.reason}`,
    "check the server's load, or raise request_timeout",
  ),
  "E-RSK-112": failed(
    (d) => `callback server ${d.server} answered with a redirect (${d.reason}), which is never followed`,
    "write the final address into service_address",
  ),
  "E-RSK-113": failed(
    (d) => `callback server ${d.server} sent an answer that is larger than ${d.reason}`,
    "an answer is one token of about a kilobyte: check what listens at that address",
  ),
  "E-RSK-114": failed(
    (d) => `callback server ${d.server} did not answer with a signed token: ${d.reason}`,
    "check service_address, its path, and the server's log: servers also fail like this when they hold a wrong node key",
  ),
  "E-RSK-115": failed(
    (d) => `callback server ${d.server} signed its answer with ${d.reason} where only RS256 counts`,
    "configure the server to sign with RS256",
  ),
  "E-RSK-116": failed(
    (d) => `the signature of callback server ${d.server} does not verify: ${d.reason}`,
    "compare pubkey_path with the public key of the server",
  ),
  "E-RSK-117": failed(
    (d) => `callback server ${d.server} answered with an expired token: ${d.reason}`,
    "check NTP on both sides: `cosigner doctor`",
  ),
  "E-RSK-118": failed(
    (d) => `callback server ${d.server} answered with a token from the future: ${d.reason}`,
    "check NTP on both sides: `cosigner doctor`",
  ),
  "E-RSK-119": failed(
    (d) => `callback server ${d.server} answered another request: ${d.reason}`,
    "an old answer was replayed, or the server mixes up requests",
  ),
  "E-RSK-120": failed(
    (d) => `callback server ${d.server} sent an answer that cannot be read: ${d.reason}`,
    "the answer must be the JSON of a callback response: request_id, status, action, error",
  ),
  "E-RSK-121": failed(
    (d) => `callback server ${d.server} reports an error of its own: ${d.reason}`,
    "look into the server's log",
  ),
  "E-RSK-130": entry<{ readonly url: string; readonly problem: string }>({
    kind: "input",
    exit: EXIT.config,
    what: (d) => `${d.url} cannot be used as the address of a callback or event server: ${d.problem}`,
    next: "write an address such as https://risk.example:11020/v2/check",
  }),
  "E-RSK-131": entry<{ readonly file: string; readonly problem: string }>({
    kind: "input",
    exit: EXIT.config,
    what: (d) => `the public key ${d.file} of a callback server cannot be used: ${d.problem}`,
    next: "make it with `openssl rsa -in server.key -pubout -out server-pub.key`: SPKI PEM, RSA, 2048 bits or more",
  }),
  "E-RSK-132": entry<{ readonly what: string; readonly problem: string }>({
    kind: "input",
    exit: EXIT.config,
    what: (d) => `the ${d.what} cannot be used: ${d.problem}`,
    next: "restore secrets.db from a backup, or make a new key; it must be an RSA key of 2048 bits or more",
  }),

  "E-RSK-133": entry<{ readonly file: string; readonly problem: string }>({
    kind: "input",
    exit: EXIT.config,
    what: (d) => `the public key ${d.file} of a node cannot be used: ${d.problem}`,
    next: "save what the node prints: `cosigner info` its callback key, `cosigner event key info` its event key",
  }),
  "E-RSK-134": entry<{ readonly file: string; readonly problem: string }>({
    kind: "input",
    exit: EXIT.config,
    what: (d) => `the private key ${d.file} cannot be used: ${d.problem}`,
    next: "make one with `openssl genrsa -out FILE 2048`: RSA in PEM, 2048 bits or more, mode 600",
  }),

  "E-RSK-201": entry<Record<never, never>>({
    kind: "input",
    exit: EXIT.config,
    what: () => "[event] names servers and event types, but this node has no event key yet",
    next: "make it with `cosigner event key create`, and give the printed public key to the event servers",
  }),
  "E-RSK-202": entry<Record<never, never>>({
    kind: "input",
    exit: EXIT.failure,
    what: () => "this node has an event key already",
    next: "`cosigner event key info` prints its public half",
  }),
  "E-RSK-203": entry<{ readonly server: string; readonly type: string; readonly known: readonly string[] }>({
    kind: "input",
    exit: EXIT.config,
    what: (d) => `event server ${d.server} asks for ${d.type}, which is no event; known: ${d.known.join(", ")}`,
    next: "correct event_types",
  }),
  "E-RSK-204": entry<Record<never, never>>({
    kind: "input",
    exit: EXIT.failure,
    what: () => "this node has no event key",
    next: "make it with `cosigner event key create`",
  }),
  "E-RSK-205": entry<{ readonly server: string }>({
    kind: "input",
    exit: EXIT.config,
    what: (d) => `two event servers have the address ${d.server}; what each still has to get is kept under its address`,
    next: "write the server once, with the event types of both",
  }),
  "E-RSK-210": entry<{ readonly server: string; readonly reason: string }>({
    kind: "fault",
    exit: EXIT.network,
    what: (d) => `event server ${d.server} did not take an event: ${d.reason}`,
    next: "the event stays in the outbox and is sent again",
  }),

  "E-RSK-302": entry<{ readonly file: string }>({
    kind: "input",
    exit: EXIT.failure,
    what: (d) => `${d.file} exists, and nothing is ever overwritten`,
    next: "choose another folder with --dir, or move the file away",
  }),
} as const
