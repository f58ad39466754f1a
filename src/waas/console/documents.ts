/** What the console shows, as schemas: every field is named here on purpose, and nothing else leaves (panel/schemas.ts). */
import { type Static, Type } from "@sinclair/typebox"
import { delaySchema } from "../../panel/loopDelay.ts"
import { atMost, closed, count, oneOf, orNull, skip, time, words } from "../../panel/schemas.ts"
import { ALGORITHMS } from "../../wire/frames.ts"

export const noQuery = closed({})

// ---- the whole -------------------------------------------------------------------------------------------------------

const nodeSchema = closed({
  node_id: words("The node."),
  names: Type.Array(words("What vaults call it.")),
  state: oneOf(["ready", "not ready", "silent", "away"], "away: it is not online. silent: it owes a word."),
  code: words("Why it is not ready, E-STA-nnn."),
  reason: words("The same, for people."),
  silent_ms: orNull(count("Since it was heard last, milliseconds.")),
  blocked: Type.Array(
    closed({
      group_id: words("A group whose key does not sign here."),
      algorithm: oneOf(ALGORITHMS, "With this algorithm."),
      code: words("Why."),
    }),
  ),
  refresh: Type.Array(words("A group that it wants refreshed.")),
  asked: count("Tasks that it has in work."),
  running: count("Sessions that run."),
  link: count("The link version that it spoke last; 0: not known."),
  incarnation: count("Of its database: decisions to go on from an older copy."),
  starts: count("Of its database."),
  commits: count("Of its database, when it last connected."),
})
export type ConsoleNode = Static<typeof nodeSchema>

const endpointSchema = closed({
  endpoint_id: words("The endpoint."),
  server: words("Scheme and host; the rest of an address may be a secret of its owner."),
  description: words("As its owner described it."),
  active: Type.Boolean(),
  event_types: count("Types of events that it is told."),
  waiting: count("Events that it is still to get."),
  failed: count("Events that were given up."),
  last_ms: orNull(time("Its last delivery.")),
  failure: words("Why that failed; empty where it was taken."),
})
export type ConsoleEndpoint = Static<typeof endpointSchema>

export const overviewSchema = closed({
  version: words("Of this program."),
  organisation: words("As waas.toml has it."),
  url: words("Of the REST API."),
  public_key: words("That nodes pin, hex."),
  started_ms: time("This process started."),
  now_ms: time("This was made."),
  items: Type.Array(
    closed({
      name: words("store or newest."),
      state: oneOf(["ok", "failed"], "As GET /readyz of the REST port says it."),
      code: words("E-WAA-nnn when failed, else empty."),
      reason: words("Why, for people."),
      next: words("What to do when failed."),
    }),
  ),
  open_requests: count("Among those that are shown."),
  awaiting_people: count("Of those, requests that wait for words of people."),
  nodes: Type.Array(nodeSchema),
  nodes_left_out: count("More than are shown."),
  webhooks: closed({ hosts: Type.Array(words("That may be called.")), endpoints: Type.Array(endpointSchema) }),
  store: closed({
    kind: words("sqlite or postgres."),
    place: words("The file, or the database without its password."),
    bytes: orNull(count("Of its files; null: not known.")),
    last_commit_ms: orNull(time("The last commit of this process.")),
    checked_ms: orNull(time("Every record was held against its sum; null: not at this start.")),
  }),
  event_loop: delaySchema,
  replicas: Type.Array(
    closed({
      id: words("Its number, which only rises."),
      name: words("The process."),
      serves: Type.Boolean({ description: "Or did before." }),
      leads: Type.Boolean({
        description: "It does what one does for all: webhooks, broadcasting, refreshes, retention.",
      }),
      is_this: Type.Boolean({ description: "The one that shows this." }),
      seen_ms: time("The database heard it last, by its own clock."),
    }),
  ),
})
export type Overview = Static<typeof overviewSchema>

// ---- vaults ----------------------------------------------------------------------------------------------------------

export const vaultSchema = closed({
  vault_id: words("The vault."),
  name: words("Its name."),
  type: words("Org-Controlled or User-Controlled."),
  created_ms: time("Made."),
  groups: Type.Array(
    closed({
      group_id: words("The key share holder group."),
      type: words("MainGroup, SigningGroup or RecoveryGroup."),
      status: words("New, Valid or Unavailable."),
      threshold: count("Nodes that it takes to sign."),
      holders: Type.Array(closed({ node_id: words("The node."), name: words("What the vault calls it.") })),
      keys: Type.Array(
        closed({
          share_group_id: words("The group as its nodes know it."),
          curve: words("SECP256K1 or ED25519."),
          root_pubkey: words("xpub or cpub."),
          epoch_id: words("Of the sharing in use, hex; empty: the first one."),
          epoch_ms: orNull(time("The request that made that sharing; null: the first one.")),
          algorithms: Type.Array(
            closed({
              algorithm: oneOf(ALGORITHMS, "Of the curve."),
              able: count("Nodes that can sign with it now."),
              missing: Type.Array(words("A node that cannot, and why.")),
            }),
          ),
        }),
      ),
      created_ms: time("Made."),
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
  attempt: count("The highest that was begun."),
  needed: count("Nodes that it takes."),
  nodes: Type.Array(
    closed({
      node_id: words("A node that may take part."),
      name: words("What the vault calls it."),
      said: oneOf(SAID, "How far it is."),
      code: words("Why it refused or failed, or said later."),
      reason: words("The same, for people."),
    }),
  ),
  causes: Type.Array(words("Why an attempt ended.")),
  awaits: Type.Array(
    closed({
      text: words("Words of people that a decision still needs."),
      nodes: Type.Array(words("Where, by name.")),
    }),
  ),
  people: Type.Array(
    closed({
      approver: words("Who is said to have signed; nodes know their keys, WaaS does not."),
      decision: words("request, approve or reject."),
      not_after_ms: time("It counts no longer."),
    }),
  ),
})

export const requestSchema = closed({
  id: words("The request."),
  kind: oneOf(REQUEST_KINDS, "What is asked."),
  what: words("KeySign, KeyGen and so on, with the algorithm."),
  state: oneOf(REQUEST_STATES, "How it stands."),
  status: words("As the REST API says it."),
  request_id: words("The caller's own id."),
  vault_id: words("The vault."),
  vault: words("Its name."),
  group_id: words("The group."),
  description: words("The caller's words; nobody checked them."),
  messages: count("To be signed."),
  paths: Type.Array(words("Of the first messages.")),
  intents: Type.Array(
    closed({ hash: words("Of what was read in a payload."), text: words("What it does, in words.") }),
  ),
  unread: words("Why a payload is not shown in words; empty where there is none, or all are."),
  transaction: orNull(
    closed({
      type: words("Of the wallet's transaction."),
      chain: words("Its chain."),
      status: words("Its status."),
      hash: words("On the chain."),
    }),
  ),
  tasks: Type.Array(taskSchema),
  awaits_people: Type.Boolean({ description: "A node waits for words of people." }),
  waiting_for: Type.Array(words("Who keeps it from going on, and why.")),
  code: words("Why it failed."),
  reason: words("The same, for people."),
  created_ms: time("Made."),
  updated_ms: time("Last changed."),
  deadline_ms: orNull(time("Nothing is done after.")),
})
export type ConsoleRequest = Static<typeof requestSchema>

/** What a request can be asked for by: its state, and every id that people may have of it. */
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
