/** The documents that the console shows, as closed schemas: no field leaves that is not named here (panel/schemas.ts). */
import { type Static, Type } from "@sinclair/typebox"
import { delaySchema } from "../../panel/loopDelay.ts"
import { atMost, closed, count, oneOf, orNull, skip, time, words } from "../../panel/schemas.ts"
import { ALGORITHMS } from "../../wire/frames.ts"

export const noQuery = closed({})

// ---- the overview ----------------------------------------------------------------------------------------------------

const nodeSchema = closed({
  node_id: words("The node."),
  names: Type.Array(words("The names that vaults give it.")),
  state: oneOf(
    ["ready", "not ready", "silent", "away"],
    "away: not online. silent: it owes an answer and sends nothing.",
  ),
  code: words("Why it is not ready, E-STA-nnn; else empty."),
  reason: words("The same, for people."),
  silent_ms: orNull(count("Milliseconds since it was last heard.")),
  blocked: Type.Array(
    closed({
      group_id: words("A group whose key cannot sign at this node."),
      algorithm: oneOf(ALGORITHMS, "The algorithm with which it cannot sign."),
      code: words("Why, as an error code."),
    }),
  ),
  refresh: Type.Array(words("A group that should be refreshed soon, as the node says.")),
  asked: count("Tasks that it has in work."),
  running: count("Its running sessions."),
  link: count("The link version of its connection; 0 while it is away."),
  incarnation: count(
    "Fencing token of its database: incarnation, which rises when an operator goes on from an older copy.",
  ),
  starts: count("Fencing token of its database: starts."),
  commits: count("Fencing token of its database: commits, when the node last connected."),
})
export type ConsoleNode = Static<typeof nodeSchema>

const endpointSchema = closed({
  endpoint_id: words("The endpoint."),
  server: words("Scheme and host of its URL; the rest may hold a secret of its owner."),
  description: words("The description that its owner gave."),
  active: Type.Boolean(),
  event_types: count("The number of event types that it subscribes to."),
  waiting: count("Events that are not delivered yet."),
  failed: count("Events that were given up."),
  last_ms: orNull(time("Its latest delivery.")),
  failure: words("Why that delivery failed; empty if it succeeded."),
})
export type ConsoleEndpoint = Static<typeof endpointSchema>

export const overviewSchema = closed({
  version: words("The version of this program."),
  organisation: words("The organisation's name in waas.toml."),
  url: words("The URL of the REST API."),
  public_key: words("The public key that nodes pin, hex."),
  started_ms: time("The start of this process."),
  now_ms: time("When this overview was made."),
  items: Type.Array(
    closed({
      name: words("store or newest."),
      state: oneOf(["ok", "failed"], "As in GET /readyz of the REST port."),
      code: words("E-WAA-nnn if failed, else empty."),
      reason: words("Why, for people."),
      next: words("What to do, if failed."),
    }),
  ),
  open_requests: count("Open requests among those that are shown."),
  awaiting_people: count("Open requests that wait for statements of people."),
  nodes: Type.Array(nodeSchema),
  nodes_left_out: count("Nodes beyond those that are shown."),
  webhooks: closed({
    hosts: Type.Array(words("A host to which webhooks may be sent.")),
    endpoints: Type.Array(endpointSchema),
  }),
  store: closed({
    kind: words("sqlite or postgres."),
    place: words("The path of the file, or the URL of the database without its password."),
    bytes: orNull(count("The size of its files; null: not known.")),
    last_commit_ms: orNull(time("The last commit of this process.")),
    checked_ms: orNull(time("When every record was verified against its checksum; null: not at this start.")),
  }),
  event_loop: delaySchema,
  replicas: Type.Array(
    closed({
      id: words("Its number, which only rises."),
      name: words("Host and process id."),
      serves: Type.Boolean({ description: "Whether it serves now; false: it did before." }),
      leads: Type.Boolean({
        description:
          "Whether it does the work that one process does for all: webhooks, broadcasting, refreshes, retention.",
      }),
      is_this: Type.Boolean({ description: "Whether it is the process that shows this." }),
      seen_ms: time("When the database last heard it, by the database's clock."),
    }),
  ),
})
export type Overview = Static<typeof overviewSchema>

// ---- vaults ----------------------------------------------------------------------------------------------------------

export const vaultSchema = closed({
  vault_id: words("The vault."),
  name: words("Its name."),
  type: words("Org-Controlled or User-Controlled."),
  created_ms: time("When it was made."),
  groups: Type.Array(
    closed({
      group_id: words("The key share holder group."),
      type: words("MainGroup, SigningGroup or RecoveryGroup."),
      status: words("New, Valid or Unavailable."),
      threshold: count("The number of nodes that a signature needs."),
      holders: Type.Array(closed({ node_id: words("The node."), name: words("The vault's name for it.") })),
      keys: Type.Array(
        closed({
          share_group_id: words("The id under which nodes know the group."),
          curve: words("SECP256K1 or ED25519."),
          root_pubkey: words("xpub or cpub."),
          epoch_id: words("The epoch in use, hex; empty: the first one."),
          epoch_ms: orNull(time("When the request was made that led to this epoch; null: the first one.")),
          algorithms: Type.Array(
            closed({
              algorithm: oneOf(ALGORITHMS, "An algorithm of the curve."),
              able: count("Nodes that can sign with it now."),
              missing: Type.Array(words("A node that cannot, and why.")),
            }),
          ),
        }),
      ),
      created_ms: time("When it was made."),
    }),
  ),
})
export type ConsoleVault = Static<typeof vaultSchema>

export const vaultsQuery = closed({ skip, limit: atMost(100, 20) })

// ---- requests --------------------------------------------------------------------------------------------------------

export const REQUEST_STATES = ["open", "done", "refused", "failed", "cancelled"] as const
export const REQUEST_KINDS = ["signature", "key", "check-up"] as const
const SAID = [
  "asked",
  "not asked",
  "later",
  "awaits people",
  "approved",
  "signing",
  "done",
  "refused",
  "failed",
  "cancelled",
] as const

const taskSchema = closed({
  task_id: words("The same id in the logs of the nodes."),
  state: words("approving, ready, running, or how it ended."),
  attempt: count("The number of the latest attempt."),
  needed: count("The number of nodes that the task needs."),
  nodes: Type.Array(
    closed({
      node_id: words("A node that may take part."),
      name: words("The vault's name for it."),
      said: oneOf(SAID, "How far this node is."),
      code: words("Why it refused, failed or said later, as an error code."),
      reason: words("The same, for people."),
    }),
  ),
  causes: Type.Array(words("Why an attempt ended.")),
  awaits: Type.Array(
    closed({
      text: words("The statements of people that are still needed."),
      nodes: Type.Array(words("A node that needs them, by name.")),
    }),
  ),
  people: Type.Array(
    closed({
      approver: words("The approver that the statement names. WaaS cannot verify it; nodes know the approvers' keys."),
      decision: words("request, approve or reject."),
      not_after_ms: time("The statement does not count after this."),
    }),
  ),
})

export const requestSchema = closed({
  id: words("The request."),
  kind: oneOf(REQUEST_KINDS, "What is asked for."),
  what: words("The request's type, such as KeyGen, or KeySign with its algorithm."),
  state: oneOf(REQUEST_STATES, "Open, or how it ended."),
  status: words("The status in the REST API."),
  request_id: words("The caller's own id."),
  vault_id: words("The vault."),
  vault: words("The vault's name."),
  group_id: words("The group."),
  description: words("The caller's description, which nobody verified."),
  messages: count("The number of messages to sign."),
  paths: Type.Array(words("The path of one of the first messages.")),
  intents: Type.Array(
    closed({ hash: words("The intent hash of a payload."), text: words("What the payload does, in words.") }),
  ),
  unread: words("Why payloads are not shown in words; empty if all are, or there is none."),
  transaction: orNull(
    closed({
      type: words("The type of the wallet's transaction."),
      chain: words("Its chain."),
      status: words("Its status."),
      hash: words("Its hash on the chain; empty until it is signed."),
    }),
  ),
  tasks: Type.Array(taskSchema),
  awaits_people: Type.Boolean({ description: "Whether a node waits for statements of people." }),
  waiting_for: Type.Array(words("A node that keeps the request from going on, and why.")),
  code: words("Why it ended without a result, as an error code."),
  reason: words("The same, for people."),
  created_ms: time("When it was made."),
  updated_ms: time("When it last changed."),
  deadline_ms: orNull(time("Nothing is done after this.")),
})
export type ConsoleRequest = Static<typeof requestSchema>

/** The labels by which a request can be found: its state, kind and vault, and every id that people may know of it. */
export const labelsOf = ({ id, request_id, tasks, ...request }: ConsoleRequest): Readonly<Record<string, string>> => ({
  state: request.state,
  kind: request.kind,
  vault: request.vault_id,
  waits: request.awaits_people ? "people" : "",
  ...Object.fromEntries(
    [id, request_id, ...tasks.map(({ task_id }) => task_id)]
      .filter((of) => of !== "")
      .map((of) => [findLabel(of), "yes"]),
  ),
})
export const findLabel = (id: string): string => `id ${id}`

export const requestsQuery = closed({
  state: Type.Optional(oneOf(REQUEST_STATES, "Only those in this state.")),
  kind: Type.Optional(oneOf(REQUEST_KINDS, "Only those of this kind.")),
  waits: Type.Optional(oneOf(["people"], "people: only those that wait for words of people.")),
  vault: Type.Optional(Type.String({ maxLength: 64, description: "Only those of this vault." })),
  find: Type.Optional(
    Type.String({
      maxLength: 128,
      description: "Only those of this id: the request's, a task's, or the caller's own.",
    }),
  ),
  skip,
  limit: atMost(100, 20),
})
