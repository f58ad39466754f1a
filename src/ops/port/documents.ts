/**
 * The answers of the status port, as schemas. The types here, the check before anything is sent, and the OpenAPI description
 * come from them. Every field is named here on purpose. Nothing is passed through whole, so no secret can slip in.
 */

import { type Static, Type } from "@sinclair/typebox"
import { delaySchema } from "../../panel/loopDelay.ts"
import { atMost, closed, count, milliseconds, nextSkip, oneOf, orNull, skip, time, words } from "../../panel/schemas.ts"
import { TASK_STATES } from "../../tasks/ports.ts"
import { TASK_TYPES } from "../../wire/task.ts"

const ITEM_STATES = ["ok", "waiting", "failed"] as const

// ---- readiness and status --------------------------------------------------------------------------------------------

const itemSchema = closed({
  name: words("store, link, clock, workers, sessions, groups, freeze, policy, configuration, loop or proof."),
  state: oneOf(ITEM_STATES, "waiting: not known yet; the node is ready when all are ok."),
  reason: words("Why, for people."),
  code: words("E-STA-nnn when failed, else empty."),
  next: words("What to do when failed."),
  since_ms: time("In this state since."),
  checked_ms: time("Last looked at."),
})

export const readySchema = closed({ ready: Type.Boolean(), items: Type.Array(itemSchema) })
export const healthSchema = closed({ alive: Type.Literal(true), version: words("Of this program.") })

const PHASES = ["connecting", "online", "waiting", "stopped"] as const

const linkErrorSchema = orNull(
  closed({ code: words("E-LNK-nnn."), message: words("What happened."), next: words("What to do.") }),
)

const replicaSchema = closed({
  url: words("Its address, without user, password and query."),
  phase: oneOf(PHASES, "Where the link to it stands."),
  since_ms: time("In this phase since."),
  silent_ms: orNull(milliseconds("Since it was last heard on this connection.")),
  rtt_ms: orNull(milliseconds("Round trip.")),
  failures: count("Connections that failed since the last good one."),
  queued_frames: count("Not acknowledged by it."),
  last_error: linkErrorSchema,
})

const linkSchema = closed({
  phase: oneOf(PHASES, "Where the link to WaaS stands; online while that to any replica is."),
  since_ms: time("In this phase since."),
  silent_ms: orNull(milliseconds("Since WaaS was last heard on this connection.")),
  rtt_ms: orNull(milliseconds("Round trip.")),
  clock_offset_ms: orNull(milliseconds("Clock of WaaS minus ours.")),
  failures: count("Connections that failed or ended since the last good one."),
  queued_frames: count("Not acknowledged by WaaS."),
  last_error: linkErrorSchema,
  replicas: Type.Array(replicaSchema, { description: "One for each address of the configuration, in its order." }),
})

const callbackSchema = closed({
  server: words("Its address."),
  healthy: orNull(Type.Boolean({ description: "null: not heard of yet." })),
  last_answer_ms: orNull(time("Its last answer.")),
  took_ms: orNull(milliseconds("How long that took.")),
  skew_ms: orNull(milliseconds("Its clock minus ours.")),
  failures: count("Tries in a row without a decision."),
  failure: words("Of the last of them."),
})

const eventServerSchema = closed({
  server: words("Its address."),
  healthy: orNull(Type.Boolean({ description: "null: nothing was sent yet." })),
  last_taken_ms: orNull(time("It last took an event.")),
  failure: words("Why the last try failed."),
  pending: count("Events it is still to get."),
  failed: count("Events that were given up."),
})

export const statusSchema = closed({
  node_id: words("The TSS node id."),
  version: words("Of this program."),
  commit: words("It was built from."),
  environment: words("env of the configuration."),
  started_ms: time("This process started."),
  now_ms: time("This document was made."),
  ready: Type.Boolean({ description: "All items are ok." }),
  items: Type.Array(itemSchema),
  link: linkSchema,
  store: closed({
    bytes: count("Length of secrets.db."),
    commits: count("Since the file was made."),
    last_backup_ms: orNull(time("The last backup.")),
  }),
  workers: closed({
    alive: count("Session workers."),
    size: count("As many as there should be."),
    ping_ms: orNull(milliseconds("The slowest took to answer.")),
  }),
  sessions_open: count("Sessions in progress."),
  tasks: closed({
    open: count("In progress."),
    completed: count("Since the start, as the three below."),
    rejected: count("Refused by risk control."),
    failed: count("Could not be carried out."),
    cancelled: count("By WaaS."),
  }),
  groups: closed({
    active: count("ACTIVE epochs."),
    blocked: count("Of those, that cannot sign with some algorithm of their key; /groups says why."),
    epochs: count("All, old ones included."),
    bans: count("Of peers."),
  }),
  risk: closed({ rules_enabled: Type.Boolean(), callback_servers: Type.Array(callbackSchema) }),
  event_servers: Type.Array(eventServerSchema),
  event_loop: delaySchema,
  memory_bytes: count("Resident memory of the process."),
})
export type StatusDocument = Static<typeof statusSchema>
export type ItemDocument = Static<typeof itemSchema>

// ---- history ---------------------------------------------------------------------------------------------------------

export const historySchema = closed({
  interval_ms: count("Of one point."),
  window: closed({
    p50_ms: orNull(milliseconds("Median over all points, from claim to end of completed signing tasks.")),
    p95_ms: orNull(milliseconds("95 of 100 of them took less.")),
  }),
  points: Type.Array(
    closed({
      at_ms: time("Its beginning."),
      completed: count("Tasks that ended so in it."),
      rejected: count("By risk control."),
      failed: count("Failed or cancelled."),
      p50_ms: orNull(milliseconds("Median from claim to end of completed signing tasks.")),
      p95_ms: orNull(milliseconds("95 of 100 took less.")),
    }),
  ),
})
export type HistoryDocument = Static<typeof historySchema>

// ---- groups ----------------------------------------------------------------------------------------------------------

export const groupsQuery = closed({ skip, limit: atMost(500, 100) })

export const groupSchema = closed({
  group_id: words("The group."),
  epoch_id: words("The epoch, hex."),
  status: oneOf(
    ["PREPARED", "ACTIVE", "SUPERSEDED", "ERASED"],
    "No other than an ACTIVE one signs; algorithms says what with.",
  ),
  mode: oneOf(["keygen", "extend", "replace", "import"], "How it was made."),
  curve: oneOf(["secp256k1", "ed25519"], "Of its key."),
  threshold: count("Nodes that it takes to sign."),
  created_ms: time("Made."),
  algorithms: Type.Array(
    closed({
      algorithm: oneOf(["ecdsa", "bip340", "eddsa"], "Of its key."),
      ready: Type.Boolean({
        description: "Some members, as many as the threshold and this node among them, can sign.",
      }),
      code: words("Why not; where ready, why not every member can take part. Else empty."),
      reason: words("The same, for people."),
      next: words("What to do about it."),
    }),
  ),
  imported: oneOf(
    ["", "unconfirmed", "confirmed"],
    "Whether it was taken over from recovery files, and whether the old shares are known to be destroyed.",
  ),
  refresh_due: words("Why it is to be refreshed before long, though it signs. Else empty."),
  participants: Type.Array(
    closed({
      node_id: words("The node."),
      is_self: Type.Boolean({ description: "This node." }),
      is_banned: Type.Boolean({ description: "ECDSA with it is over in this epoch." }),
    }),
  ),
})
export type GroupDocument = Static<typeof groupSchema>
export const groupsSchema = closed({ groups: Type.Array(groupSchema), next_skip: nextSkip })

// ---- tasks -----------------------------------------------------------------------------------------------------------

export const tasksQuery = closed({
  state: Type.Optional(oneOf(TASK_STATES, "Only tasks in this state.")),
  type: Type.Optional(oneOf(TASK_TYPES, "Only tasks of this type.")),
  skip,
  limit: atMost(100, 20),
})

const ruleSchema = closed({
  rule: words("As the configuration names it, or callback:ADDRESS."),
  outcome: oneOf(["allow", "deny", "error"], "What it said."),
  reason: words("Why."),
})

export const taskSchema = closed({
  task_id: words("The task."),
  biz_task_id: words("The request at WaaS that it belongs to."),
  type: oneOf(TASK_TYPES, "What is asked."),
  state: oneOf(TASK_STATES, "How far it is."),
  attempt: count("The highest that was begun; 0 before the first."),
  claimed_ms: time("Taken up."),
  updated_ms: time("Last changed."),
  deadline_ms: time("Nothing is done after."),
  group_id: words("The group that it is about."),
  node_ids: Type.Array(words("A node that takes part.")),
  signature_type: orNull(Type.Integer({ description: "1 ECDSA, 2 EdDSA, 3 BIP-340." })),
  messages: count("To be signed."),
  paths: Type.Array(words("Of the first messages.")),
  verdict: orNull(
    closed({
      action: oneOf(["approve", "reject"], "The decision."),
      code: words("E-RSK-nnn when rejected."),
      reason: words("Why."),
      rules: Type.Array(ruleSchema),
    }),
  ),
  intents: Type.Array(
    closed({ hash: words("Of what was read in a payload."), text: words("What it does, in words.") }),
  ),
  code: words("Of a task that did not complete."),
  reason: words("Why it did not; of one that waits for people, what it waits for."),
  delivered: Type.Boolean({ description: "WaaS has stored the outcome." }),
})
export type TaskDocument = Static<typeof taskSchema>
export const tasksSchema = closed({ tasks: Type.Array(taskSchema), next_skip: nextSkip })

export const errorSchema = closed({
  code: words("Stable."),
  message: words("What happened."),
  next: words("What to do."),
})
