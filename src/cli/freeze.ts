/** `cosigner freeze` and `cosigner unfreeze`: the emergency stop of a node, whether or not the node runs. */
import { EXIT } from "../errors/entry.ts"
import { requireNewest } from "../jobs/rollbackGuard.ts"
import { silentLog } from "../log.ts"
import { askNode } from "../ops/admin/client.ts"
import { freezingOf } from "../ops/freezing.ts"
import { requireHostMayUnfreeze } from "../ops/inventory/policy.ts"
import { durationMs } from "../settings/schema.ts"
import { openStore, type Store } from "../store/store.ts"
import { changeBeside, showShown } from "./besideNode.ts"
import { command, refuse, value } from "./command.ts"
import { lastingFor, orderOptions, sendOrder, writeOut } from "./orders.ts"

const MAX_REASON = 200
const group = value("--group <id>", "only this group; without it the whole node, key generation included")

export const freeze = command({
  summary: "Stop this node from signing, at once",
  details: [
    "Within one second no new share leaves: the node takes up and approves nothing new, ends running attempts, and does not send what was about to be sent.",
    "The freeze is durable before the answer. It lasts through restarts, until `cosigner unfreeze` or the end that --for names. A running node needs no password",
    "for it: anybody who reaches its admin socket may stop it. Without a running node the command writes to the database, which needs the password.",
    "An approver can freeze remotely: --as prints the order, ssh-keygen -Y sign -n cosigner-freeze signs it, --signed gives both to the node.",
    "A freeze never shortens another. With --for it ends when both the wall clock and the node's time in service have passed its end.",
  ].join("\n"),
  options: {
    for: value("--for <duration>", "ends by itself after that: 30m, 2h; without it, when it is lifted", readDuration),
    group,
    ...orderOptions,
    reason: value(
      "--reason <text>",
      `for the log and for cosigner status, at most ${MAX_REASON} characters`,
      readReason,
    ),
  },
  examples: [
    ["cosigner freeze --reason 'keys of the API may be stolen'", "until somebody lifts it"],
    ["cosigner freeze --for 2h --group OoQGkknsPdPjLCmSuuSf", "one group, for two hours"],
  ],
  run: async (base) => {
    const { for: forMs, group: groupId, reason = "" } = base.options
    if (base.options.signed !== undefined) return sendOrder(base, base.options.signed)
    if (base.options.as !== undefined) {
      const until = forMs === undefined ? undefined : Math.ceil((Date.now() + forMs) / 1000)
      const about = groupId === undefined ? "node" : `group ${groupId}`
      return writeOut(base, base.options, { kind: "freeze", about, until, notAfter: lastingFor(base.options) })
    }
    const { db } = await base.config()
    const answer = await askNode(db.path, {
      command: "freeze",
      reason,
      ...(forMs === undefined ? {} : { for_ms: forMs }),
      ...(groupId === undefined ? {} : { group_id: groupId }),
    })
    if (answer !== undefined) {
      showShown(base, answer.shown)
      return EXIT.ok
    }
    base.out.note("cosigner: no node runs here; the freeze is written to the database, for its next start")
    using password = await base.passwords.existing(db)
    using store = openStore(db.path, password, { readOnly: false })
    requireNewest(store)
    showShown(base, offline(store).freeze({ groupId: groupId ?? "", forMs, reason, by: "host" }))
    return EXIT.ok
  },
})

export const unfreeze = command({
  summary: "Let a frozen node sign again",
  details: [
    "Needs the password, unlike freezing. On a node that follows a policy bundle it needs owners instead: each prints the order with --as,",
    "signs it (ssh-keygen -Y sign -n cosigner-freeze), and gives it to the node with --signed. Without --group it lifts every freeze of the node, with --group only that of the group.",
    "The node may then sign tasks that were approved before the freeze and have not passed their deadline: look at `cosigner info task` first.",
  ].join("\n"),
  options: { group: value("--group <id>", "only the freeze of this group"), ...orderOptions },
  examples: [["cosigner unfreeze", "lifts everything"]],
  run: async (base) => {
    const { group: groupId } = base.options
    if (base.options.signed !== undefined) return sendOrder(base, base.options.signed)
    if (base.options.as !== undefined) {
      const about = groupId === undefined ? "everything" : `group ${groupId}`
      return writeOut(base, base.options, {
        kind: "unfreeze",
        about,
        until: undefined,
        notAfter: lastingFor(base.options),
      })
    }
    const asked = { command: "unfreeze", ...(groupId === undefined ? {} : { group_id: groupId }) } as const
    await changeBeside(base, asked, (store) => {
      requireHostMayUnfreeze(store)
      return offline(store).unfreeze(groupId)
    })
    return EXIT.ok
  },
})

/** Without a running node no event is sent: event servers belong to the running node. */
const offline = (store: Store) =>
  freezingOf({
    store,
    log: silentLog,
    event: (eventType, _freeze, createdMs) => ({ eventId: "", eventType, createdMs, body: "" }),
    onFrozen: () => {},
  })

function readDuration(text: string): number {
  return durationMs(text) ?? refuse("--for", "a duration such as 30m or 2h, up to a year", text)
}

function readReason(text: string): string {
  const isPlain = /^[^\p{Cc}]*$/u.test(text) && text.length <= MAX_REASON
  return isPlain ? text : refuse("--reason", `one line of at most ${MAX_REASON} characters`, text.slice(0, 20))
}
