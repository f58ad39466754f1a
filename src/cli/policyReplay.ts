/** `cosigner policy replay --since 30d`: evaluates the journal's tasks under a draft of the rules, and shows what would have changed. */
import { loadConfig } from "../config/load.ts"
import { EXIT } from "../errors/entry.ts"
import { parseWindow } from "../policy/duration.ts"
import { type Past, type Replayed, replay as replayTasks } from "../policy/replay.ts"
import { openStore, type Store } from "../store/store.ts"
import { type IntentSettings, intentSettingsOf } from "../tasks/intents.ts"
import { recordedRequest } from "../tasks/recordedRequest.ts"
import { saidIn } from "../tasks/words.ts"
import { command, flag, refuse, value, valueOr } from "./command.ts"

const since = (text: string): number => parseWindow(text) ?? refuse("--since", "a duration such as 12h or 30d", text)

export const replay = command({
  summary: "Try a draft of the rules on the tasks of the journal",
  details:
    "Counters start empty; the tasks that the draft approves fill them, older tasks included. Callback servers are left out. " +
    "The node may be running.",
  options: {
    draft: value("--draft <file>", "configuration with the draft of the rules (default: the one in force)"),
    since: valueOr("--since <duration>", "how far back to report", "30d", since),
    all: flag("--all", "report every task, not only those that would change"),
  },
  examples: [["cosigner policy replay --draft draft.toml --since 7d", "what the draft would have changed in a week"]],
  run: async ({ globals, options, config, passwords, out }) => {
    const { db, embedded_risk_control_rules: current } = await config()
    const draft =
      options.draft === undefined
        ? current
        : loadConfig({ ...globals, config: options.draft }).embedded_risk_control_rules
    using password = await passwords.existing(db)
    using store = openStore(db.path, password, { readOnly: true })
    const { past, unread } = await pastOf(store, intentSettingsOf(draft.names))
    const replayed = replayTasks(draft, past, Date.now() - options.since)
    const shown = replayed.filter(({ changed }) => options.all || changed)
    const changed = replayed.filter((one) => one.changed).length
    out.result({ tasks: replayed.length, changed, unread, results: shown }, [
      ...shown.map(line),
      `${replayed.length} tasks, ${changed} of them would end otherwise`,
      ...(unread === 0
        ? []
        : [`${unread} tasks are not judged: their payloads were large, and left the journal with their end`]),
    ])
    return EXIT.ok
  },
})

const line = ({ taskId, atMs, was, now }: Replayed): string =>
  `${new Date(atMs).toISOString()}  ${taskId}  ${was} -> ${now.action}${now.code === "" ? "" : ` (${now.code} ${now.reason})`}`

/** More than any journal keeps. */
const EVERYTHING = 10_000_000

/** The tasks that can be judged again, and the number of tasks for which the journal has only hash and description. */
export async function pastOf(
  store: Store,
  settings: IntentSettings,
): Promise<{ past: readonly Past[]; unread: number }> {
  const groups = store.groups.list()
  const past: Past[] = []
  let unread = 0
  for (const record of store.tasks.list({ limit: EVERYTHING })) {
    const request = await recordedRequest(record, groups, settings)
    if (request === undefined) unread++
    else {
      const presented = saidIn(store.tasks.words(record.taskId))
      past.push({ request, atMs: record.claimedMs, verdict: record.verdict, presented })
    }
  }
  return { past, unread }
}
