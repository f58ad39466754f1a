/** `cosigner policy diff A B`: the changes between two policies, in words, and which tasks of the journal would have ended differently. */

import { isUnfit } from "../approvals/statement.ts"
import { checkConfig, loadConfig } from "../config/load.ts"
import { EXIT } from "../errors/entry.ts"
import { CosignerError } from "../errors.ts"
import { readBundle } from "../policy/bundle.ts"
import { type PolicyChange, policyChanges } from "../policy/bundleDiff.ts"
import { parseWindow } from "../policy/duration.ts"
import { replay } from "../policy/replay.ts"
import type { Rules } from "../policy/schema.ts"
import { readSource } from "../settings/file.ts"
import { parseToml } from "../settings/toml.ts"
import type { Tree } from "../settings/tree.ts"
import { openStore } from "../store/store.ts"
import { intentSettingsOf } from "../tasks/intents.ts"
import { type CommandBase, command, refuse, required, value } from "./command.ts"
import { pastOf } from "./policyReplay.ts"

const since = (text: string): number => parseWindow(text) ?? refuse("--since", "a duration such as 12h or 30d", text)

export const diff = command({
  summary: "Say what changes between two policies, and what would have ended otherwise",
  details: [
    "A and B are policy bundles or configurations. Each part that differs is shown as tightening, which is in force at once, or as loosening,",
    "which waits for the delay; in doubt it loosens. With --since the command also judges the journal's tasks by both, without callback servers.",
  ].join("\n"),
  args: { before: required("a", "the policy in force"), after: required("b", "the next one") },
  options: {
    since: value("--since <duration>", "judge the journal's tasks so far back, which needs the password", since),
  },
  examples: [
    ["cosigner policy diff policy.bundle next.bundle", "what an owner reads before signing"],
    ["cosigner policy diff policy.bundle next.bundle --since 30d", "on a node: what it would have changed"],
  ],
  run: async (base) => {
    const { args, options, out } = base
    const [before, after] = [read(base, args.before), read(base, args.after)]
    const changes = policyChanges(before.tree, after.tree)
    const judged = options.since === undefined ? undefined : await judge(base, before.rules, after.rules, options.since)
    const loosens = changes.filter(({ tendency }) => tendency === "loosens").length
    out.result({ changes, loosens: loosens > 0, tasks: judged ?? null }, [
      ...changes.map(line),
      changes.length === 0
        ? "Nothing differs"
        : `${changes.length - loosens} parts tighten, ${loosens} loosen${loosens === 0 ? ": in force at once" : ": these wait for the delay"}`,
      ...(judged ?? []).map(
        ({ taskId, atMs, was, is }) => `${new Date(atMs).toISOString()}  ${taskId}  ${was} -> ${is}`,
      ),
      ...(judged === undefined ? [] : [`${judged.length} tasks of the journal would have ended otherwise`]),
    ])
    return EXIT.ok
  },
})

const line = ({ where, tendency, what }: PolicyChange): string =>
  `${tendency === "loosens" ? "LOOSENS " : "tightens"}  ${where}: ${what.length > 300 ? `${what.slice(0, 300)}...` : what}`

function read({ globals }: CommandBase, file: string): { readonly tree: Readonly<Tree>; readonly rules: Rules } {
  const text = readSource(file, true)
  if (!text.startsWith("cosigner policy bundle")) {
    const { embedded_risk_control_rules: rules } = loadConfig({ ...globals, config: file })
    return { tree: parseToml(text, file).tree, rules }
  }
  const bundle = readBundle(text)
  if (isUnfit(bundle)) throw new CosignerError("E-POL-001", { file, problem: bundle.problem })
  const { config } = checkConfig("", undefined, {}, bundle.document)
  return { tree: bundle.document.tree, rules: config.embedded_risk_control_rules }
}

interface Otherwise {
  readonly taskId: string
  readonly atMs: number
  readonly was: string
  readonly is: string
}

async function judge(
  { config, passwords }: CommandBase,
  before: Rules,
  after: Rules,
  sinceMs: number,
): Promise<readonly Otherwise[]> {
  const { db } = await config()
  using password = await passwords.existing(db)
  using store = openStore(db.path, password, { readOnly: true })
  const fromMs = Date.now() - sinceMs
  const byRules = async (rules: Rules) =>
    replay(rules, (await pastOf(store, intentSettingsOf(rules.names))).past, fromMs)
  const [was, is] = [await byRules(before), await byRules(after)]
  const known = new Map(was.map((one) => [one.taskId, one.now]))
  return is.flatMap(({ taskId, atMs, now }) => {
    const old = known.get(taskId)
    return old === undefined || old.action === now.action ? [] : [{ taskId, atMs, was: ended(old), is: ended(now) }]
  })
}

const ended = ({
  action,
  code,
  reason,
}: {
  readonly action: string
  readonly code: string
  readonly reason: string
}): string => (code === "" ? action : `${action} (${code} ${reason})`)
