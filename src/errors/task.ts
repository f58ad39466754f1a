import { EXIT, entry } from "./entry.ts"

/** Codes E-TSK-nnn: what a node refuses to do, or could not do, of what WaaS asked. They also reach WaaS and events. */
export const taskCodes = {
  "E-TSK-001": entry<{ readonly taskId: string }>({
    kind: "input",
    exit: EXIT.refused,
    what: (d) => `task ${d.taskId} came again with other content; the first one stands`,
    next: "WaaS must give new content a new task id; if it did not change the task, suspect its database",
  }),
  "E-TSK-002": entry<{ readonly what: string }>({
    kind: "input",
    exit: EXIT.refused,
    what: (d) => `a ${d.what} was not signed by the pinned WaaS key`,
    next: "compare websocket.waas_public_key with the output of: cosigner waas info",
  }),
  "E-TSK-003": entry<{ readonly problem: string }>({
    kind: "input",
    exit: EXIT.refused,
    what: (d) => `the task document cannot be read: ${d.problem}`,
    next: "check that WaaS and node are of compatible versions",
  }),
  "E-TSK-004": entry<{ readonly deadlineMs: number }>({
    kind: "fault",
    exit: EXIT.refused,
    what: (d) => `the deadline of the task, ${new Date(d.deadlineMs).toISOString()}, has passed`,
    next: "ask again; if it repeats, look for a slow callback server, an offline participant or a wrong clock",
  }),
  "E-TSK-005": entry<{ readonly reason: string }>({
    kind: "input",
    exit: EXIT.refused,
    what: (d) => `WaaS cancelled the task${d.reason === "" ? "" : `: ${d.reason}`}`,
    next: "nothing to do here",
  }),
  "E-TSK-006": entry<{ readonly groupId: string }>({
    kind: "input",
    exit: EXIT.refused,
    what: (d) => `this node has no active group ${d.groupId}`,
    next: "list the groups with: cosigner info group",
  }),
  "E-TSK-007": entry<{ readonly groupId: string }>({
    kind: "input",
    exit: EXIT.refused,
    what: (d) => `the root key in the task is not the root key of group ${d.groupId}`,
    next: "compare it with: cosigner info group; a WaaS that mixes up keys must not be signed for",
  }),
  "E-TSK-008": entry({
    kind: "input",
    exit: EXIT.refused,
    what: () => "this node is not among the participants of the task",
    next: "nothing to do here",
  }),
  "E-TSK-009": entry<{ readonly problem: string }>({
    kind: "input",
    exit: EXIT.refused,
    what: (d) => `the participants do not fit the group: ${d.problem}`,
    next: "name exactly as many members as the threshold asks for",
  }),
  "E-TSK-010": entry<{ readonly algorithm: string; readonly curve: string }>({
    kind: "input",
    exit: EXIT.refused,
    what: (d) => `${d.algorithm} does not sign with a key on ${d.curve}`,
    next: "use signature type 1 or 3 with secp256k1 and 2 with ed25519",
  }),
  "E-TSK-011": entry<{ readonly index: number; readonly problem: string }>({
    kind: "input",
    exit: EXIT.refused,
    what: (d) => `message ${d.index} cannot be signed: ${d.problem}`,
    next: "correct the message and ask again",
  }),
  "E-TSK-012": entry<{ readonly path: string; readonly algorithm: string }>({
    kind: "input",
    exit: EXIT.refused,
    what: (d) => `the child key ${d.path} is not meant for ${d.algorithm}`,
    next: "one child key has one algorithm; choose a path that the path rule gives to this algorithm",
  }),
  "E-TSK-013": entry<{ readonly peers: readonly string[] }>({
    kind: "input",
    exit: EXIT.refused,
    what: (d) =>
      `ECDSA with ${d.peers.join(", ")} is blocked in this epoch: after failed or unproven checks, or its OT state has another size`,
    next: "sign with other members, or reshare the group: only a new epoch lifts the block",
  }),
  "E-TSK-014": entry<{ readonly attempt: number; readonly reason: string }>({
    kind: "fault",
    exit: EXIT.refused,
    what: (d) => `attempt ${d.attempt} ended without a result: ${d.reason}`,
    next: "WaaS begins a new attempt while the deadline allows; if it repeats, look at the other participants",
  }),
  "E-TSK-015": entry<{ readonly kind: string; readonly parties: readonly string[] }>({
    kind: "fault",
    exit: EXIT.refused,
    what: (d) => `the protocol was stopped (${d.kind}) because of ${d.parties.join(", ")}`,
    next: "the log of this node has the reason; sign without that participant until its operator has explained it",
  }),
  "E-TSK-016": entry<{ readonly groupId: string }>({
    kind: "input",
    exit: EXIT.refused,
    what: (d) => `group ${d.groupId} exists already`,
    next: "WaaS must give a new group a new id",
  }),
  "E-TSK-017": entry<{ readonly limit: number }>({
    kind: "fault",
    exit: EXIT.refused,
    what: (d) => `this node already works on ${d.limit} tasks`,
    next: "wait until some have ended and ask again",
  }),
  "E-TSK-019": entry<{ readonly attempt: number; readonly highest: number }>({
    kind: "input",
    exit: EXIT.refused,
    what: (d) => `attempt ${d.attempt} is not above attempt ${d.highest}, which was already made`,
    next: "after a restart of this node there is nothing to do: WaaS starts the next attempt, under a higher number; without one, WaaS does not count upwards: look whether it was put back to an older database",
  }),
  "E-TSK-020": entry<{ readonly reason: string }>({
    kind: "fault",
    exit: EXIT.refused,
    what: (d) => `the task could not be carried on: ${d.reason}`,
    next: "the log of this node has the details: keep it and report it",
  }),
  "E-TSK-021": entry<{ readonly groupId: string; readonly createdMs: number }>({
    kind: "input",
    exit: EXIT.refused,
    what: (d) =>
      `this node already promised an epoch of group ${d.groupId} from ${new Date(d.createdMs).toISOString()} or later`,
    next: "make a new reshare request; if it repeats, the clock of WaaS runs behind",
  }),
  "E-TSK-022": entry<{ readonly createdMs: number; readonly nowMs: number }>({
    kind: "input",
    exit: EXIT.refused,
    what: (d) =>
      `the task is dated ${new Date(d.createdMs).toISOString()}, more than a day after ${new Date(d.nowMs).toISOString()}`,
    next: "set the clocks of this node and of WaaS right, then make a new request",
  }),
  "E-TSK-023": entry<{ readonly peers: readonly string[] }>({
    kind: "input",
    exit: EXIT.refused,
    what: (d) => `${d.peers.join(", ")} misbehaved in too many sessions with this node, which begins no task with it`,
    next: "choose other nodes; what happened shows: cosigner strikes, and the operator lifts it with: cosigner strikes pardon",
  }),
  "E-TSK-024": entry<{ readonly groupId: string }>({
    kind: "input",
    exit: EXIT.refused,
    what: (d) => `the share ids of group ${d.groupId} are not those of its nodes: it was not made by this software`,
    next: "such a group signs, but cannot be reshared; make a new vault and move its assets there",
  }),
  "E-TSK-030": entry<{ readonly code: string; readonly reason: string }>({
    kind: "input",
    exit: EXIT.refused,
    what: (d) => `the embedded rules approved this task and refuse to begin it now: ${d.code} ${d.reason}`,
    next: "nothing was signed in this attempt; another may begin before the deadline, once the rules allow it",
  }),
  "E-TSK-031": entry<{ readonly why: string }>({
    kind: "fault",
    exit: EXIT.refused,
    what: (d) => `${d.why}; a share of a signature had left this node by then, so a signature may exist`,
    next: "look at the other participants' results and at the chain before the same thing is asked for in another form; the limits stay debited",
  }),
  "E-TSK-032": entry<{ readonly deadlineMs: number }>({
    kind: "input",
    exit: EXIT.refused,
    what: (d) => `the deadline of the task, ${new Date(d.deadlineMs).toISOString()}, is more than 31 days away`,
    next: "ask again with an earlier deadline; if it is early enough, set the clocks of this node and of WaaS right",
  }),
  "E-TSK-033": entry<{ readonly burstBytes: number; readonly bytesPerDay: number }>({
    kind: "fault",
    exit: EXIT.refused,
    what: (d) =>
      `the journal has taken in ${d.burstBytes} bytes of refused tasks; further ones are refused without a record, but for ${d.bytesPerDay} bytes a day`,
    next: "ask the operator of WaaS why it asks for what is refused; cosigner_tasks_unrecorded_total counts them by code; tasks that are approved go on as always",
  }),
  "E-TSK-034": entry<{ readonly attempt: number }>({
    kind: "fault",
    exit: EXIT.refused,
    what: (d) => `attempt ${d.attempt} was ended: more messages came for its session than it can ever need`,
    next: "WaaS begins a new attempt while the deadline allows; if it repeats, somebody floods this node with messages: look at WaaS and at the other participants",
  }),
  "E-TSK-035": entry<{ readonly burstBytes: number; readonly bytesPerDay: number }>({
    kind: "fault",
    exit: EXIT.refused,
    what: (d) =>
      `the journal has taken in ${d.burstBytes} bytes of tasks that came to nothing, and of share check-ups; new tasks are refused, but for ${d.bytesPerDay} bytes a day`,
    next: "ask the operator of WaaS why it has so many tasks approved and lets them end, or asks for so many check-ups; then wait, or start the node again",
  }),
  "E-TSK-036": entry<{ readonly limit: number }>({
    kind: "fault",
    exit: EXIT.refused,
    what: (d) => `the tasks in work have documents of ${d.limit} bytes together, and this one has no room`,
    next: "wait until some have ended and ask again",
  }),
  "E-TSK-037": entry<{ readonly asked: number; readonly own: readonly number[] }>({
    kind: "input",
    exit: EXIT.refused,
    what: (d) => `the start names version ${d.asked} of the reader of payloads, and this node has ${d.own.join(", ")}`,
    next: "upgrade the older of node and WaaS; docs/how-to/upgrade.md has the order; nobody misbehaved",
  }),
  "E-TSK-038": entry({
    kind: "input",
    exit: EXIT.refused,
    what: () => "a task with payloads was started as if it had none",
    next: "upgrade WaaS; nothing was signed, and nobody misbehaved",
  }),
  "E-TSK-039": entry({
    kind: "fault",
    exit: EXIT.refused,
    what: () => "the payloads of the task are read otherwise now than when it was approved",
    next: "an upgrade or [[intent]] settings came in between: ask again under a new request, and it is judged anew",
  }),
  "E-TSK-040": entry<{ readonly groupId: string }>({
    kind: "input",
    exit: EXIT.refused,
    what: (d) =>
      `ECDSA waits in group ${d.groupId} for a refresh: this node was restored or rolled back since its epoch`,
    next: 'refresh the group at WaaS: POST /v2/wallets/mpc/vaults/VAULT/tss_requests with the group as target and source of a KeyReshare, both GROUP: {"type":"KeyReshare","target_key_share_holder_group_id":"GROUP","source_key_share_holder_group":{"key_share_holder_group_id":"GROUP"}}; EdDSA and BIP-340 sign meanwhile',
  }),
  "E-TSK-045": entry<{ readonly offsetMs: number; readonly limitMs: number }>({
    kind: "fault",
    exit: EXIT.refused,
    what: (d) =>
      `this clock and the clock of WaaS are ${d.offsetMs} ms apart (limit ${d.limitMs} ms): nothing is approved or begun meanwhile`,
    next: "set the clocks of this node and of WaaS right (timedatectl), then ask again; a task that was approved before begins with the next attempt",
  }),
  "E-TSK-046": entry<{ readonly groupId: string }>({
    kind: "input",
    exit: EXIT.refused,
    what: (d) => `this epoch of group ${d.groupId} is prepared and not yet certified`,
    next: "wait until every participant has acknowledged it and WaaS has handed the certificate on; if none comes, make the key or reshare again",
  }),
  "E-TSK-047": entry<{ readonly groupId: string; readonly isErased: boolean }>({
    kind: "input",
    exit: EXIT.refused,
    what: (d) =>
      `this epoch of group ${d.groupId} is over${d.isErased ? ", and this node holds no share of it" : ": a later one was certified"}`,
    next: "nothing to do here: the ACTIVE epoch of the group signs, on the nodes that are members of it",
  }),
  "E-TSK-048": entry<{ readonly why: string }>({
    kind: "fault",
    exit: EXIT.refused,
    what: (d) => `this node takes up no task just now: ${d.why}`,
    next: "WaaS asks again, and other nodes meanwhile; cosigner doctor and /readyz on the node say what it lacks",
  }),
  "E-TSK-049": entry<{ readonly problem: string }>({
    kind: "input",
    exit: EXIT.refused,
    what: (d) => `the start does not fit the task: ${d.problem}`,
    next: "upgrade WaaS; nothing was signed in this attempt, and nobody misbehaved",
  }),
  "E-TSK-050": entry<{ readonly groupId: string; readonly count: number }>({
    kind: "fault",
    exit: EXIT.refused,
    what: (d) =>
      `a refresh of group ${d.groupId} is due: crashes hid ${d.count} verdicts of checks of one member, and more than 8 end ECDSA with it in this epoch`,
    next: "find out why the node crashes; WaaS asks for a refresh by itself where [waas.refresh] automatic is set, else ask for a KeyReshare of the group to itself, and let the rules allow it",
  }),
} as const
