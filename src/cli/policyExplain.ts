/** `cosigner policy explain --task FILE`: a decision on one task, rule by rule. It debits nothing and asks nobody. */
import { readFileSync } from "node:fs"
import { utf8 } from "../bytes.ts"
import { EXIT } from "../errors/entry.ts"
import { CosignerError } from "../errors.ts"
import { type Decision, isAmount, NO_USAGE, type Usage } from "../policy/decision.ts"
import { evaluate } from "../policy/evaluate.ts"
import { explain as lines } from "../policy/explain.ts"
import { explainIntents } from "../policy/explainIntents.ts"
import type { People, Presented } from "../policy/people.ts"
import { openStore } from "../store/store.ts"
import {
  hasPayloads,
  intentKeyOf,
  intentSettingsOf,
  isUnread,
  NO_INTENTS,
  readIntents,
  unreadDecision,
  withIntents,
} from "../tasks/intents.ts"
import { type OwnGroup, ownGroup, policyRequest, rootKeyOf } from "../tasks/policyRequest.ts"
import { decodeTask, type Task } from "../wire/task.ts"
import { type CommandBase, command, flag, list, refuse, value } from "./command.ts"

const EXAMPLE =
  '{"version":1,"task_id":"t-1","biz_task_id":"b-1","created_ms":1795340000000,"deadline_ms":1795340060000,' +
  '"extra_info":{},"type":"KeySign","group_id":"...","root_pub_key":"xpub...","used_node_ids":["...","..."],' +
  '"signature_type":1,"messages":[{"bip32_path":"m/44/60/0/0/5","msg_hash":"0x...","tweak":""}]}'

export const explain = command({
  summary: "Say what the rules make of a task, and why",
  details: `Prints what each payload does and which entries cover it, then the answer of every rule. Exits 0 if the rules approve and 5 if they reject. A task is a document such as\n${EXAMPLE}`,
  options: {
    task: value("--task <file>", "the task document, JSON"),
    at: value("--at <time>", "at that moment instead of now, as 2026-11-22T10:00:00Z", timeOf),
    withoutDb: flag("--without-db", "believe the task's own group and root key, and take all counters for zero"),
    requestedBy: list("--requested-by <name>", "as if that approver had asked for the task by a signature"),
    approvedBy: list("--approved-by <name>", "as if that approver had approved it; may be repeated"),
  },
  examples: [
    ["cosigner policy explain -c draft.toml --task task.json --without-db", "a draft, on a machine without a node"],
    ["cosigner policy explain --task task.json --requested-by ada --approved-by bea,cy", "what their words would do"],
  ],
  run: async (base) => {
    const { options, config, out } = base
    const task = readTask(options.task ?? refuse("--task", "a file", "nothing"))
    const { embedded_risk_control_rules: rules } = await config()
    const settings = intentSettingsOf(rules.names)
    const presented = supposed(options, rules.names.people)
    const nowMs = options.at ?? Date.now()
    const decide = async (group: OwnGroup | undefined, usage: Usage): Promise<Explained> => {
      const isRead = group !== undefined && hasPayloads(task, settings)
      const intents = isRead ? await readIntents(task, intentKeyOf(group.rootPubKey), settings) : NO_INTENTS
      if (isUnread(intents)) return { decision: unreadDecision(intents), effects: [] }
      const request = policyRequest(task, group, intents)
      const decision = withIntents(evaluate(rules, request, usage, nowMs, presented), intents)
      return { decision, effects: request.type === "key_sign" ? explainIntents(rules, request, nowMs, presented) : [] }
    }
    const { decision, effects } = await (options.withoutDb
      ? decide(believed(task), NO_USAGE)
      : withRecords(base, task, decide))
    // JSON has no whole numbers of any size: amounts are decimal strings there.
    const debits = decision.debits.map((debit) => ({
      ...debit,
      amount: isAmount(debit) ? `${debit.amount}` : debit.amount,
    }))
    out.result({ ...decision, debits, effects }, [...effects, ...lines(decision)])
    return decision.verdict.action === "approve" ? EXIT.ok : EXIT.refused
  },
})

interface Explained {
  readonly decision: Decision
  /** Lines: what each payload does, and how each entry judges it. */
  readonly effects: readonly string[]
}

/** The approvals that the named approvers would give. E-CLI-002 for an unknown name, because an approval of theirs would never count. */
function supposed(
  { requestedBy, approvedBy }: { readonly requestedBy: readonly string[]; readonly approvedBy: readonly string[] },
  { approvers }: People,
): Presented {
  const known = (option: string, names: readonly string[]): ReadonlySet<string> =>
    new Set(names.map((name) => (approvers.has(name) ? name : refuse(option, "a name of [[approvers]]", name))))
  return {
    requestedBy: known("--requested-by", requestedBy),
    approvedBy: known("--approved-by", approvedBy),
    rejectedBy: new Set(),
  }
}

async function withRecords<T>(
  { config, passwords }: CommandBase,
  task: Task,
  decide: (group: OwnGroup | undefined, usage: Usage) => Promise<T>,
): Promise<T> {
  const { db } = await config()
  using password = await passwords.existing(db)
  using store = openStore(db.path, password, { readOnly: true })
  const id = task.type === "KeySign" ? task.group_id : task.type === "KeyReshare" ? task.old_group_id : ""
  const group = store.groups.active(id)
  return await decide(group === undefined ? undefined : ownGroup(group), store.tasks.usage)
}

/** Takes from the task what a node would look up in its records. */
function believed(task: Task): OwnGroup | undefined {
  if (task.type === "KeySign") {
    const curve = task.signature_type === 2 ? "ed25519" : "secp256k1"
    const { root_pub_key: rootPubKey } = task
    return { groupId: task.group_id, curve, rootPubKey, rootKey: rootKeyOf(rootPubKey) }
  }
  return undefined
}

/** People format their files, so white space is allowed here, and nowhere else. */
function readTask(file: string): Task {
  const bad = (problem: string) => new CosignerError("E-RSK-020", { file, problem })
  let value: unknown
  try {
    value = JSON.parse(readFileSync(file, "utf8"))
  } catch (error) {
    throw bad(error instanceof SyntaxError ? "it is not JSON" : "it cannot be read")
  }
  const task = decodeTask(utf8(JSON.stringify(value)))
  if ("problem" in task) throw bad(task.problem)
  return task
}

function timeOf(text: string): number {
  const ms = Date.parse(text)
  return Number.isNaN(ms) || !/^\d{4}-\d\d-\d\dT.*(?:Z|[+-]\d\d:\d\d)$/.test(text)
    ? refuse("--at", "a time with its zone, such as 2026-11-22T10:00:00Z", text)
    : ms
}
