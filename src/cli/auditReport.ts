/** `cosigner audit report`: what happened in a period, from the log of this node or from a verified export of any node. */
import type { AuditLeaf } from "../audit/entry.ts"
import { type AuditReport, type ReportedTask, ReportWriter } from "../audit/report.ts"
import { EXIT } from "../errors/entry.ts"
import { readLeaves } from "../jobs/auditExport.ts"
import { keyOf, moment, time, verifiedExport, withStore } from "./auditFiles.ts"
import { command, refuse, value } from "./command.ts"

export const report = command({
  summary: "Say what happened in some time: who asked, what was signed and refused, where time is missing",
  details: [
    "Reads this node's database, also beside a running node. With --export it reads a folder that `audit export` wrote, and verifies it first",
    "with --key. WaaS states who asked, without proof. The description of what is signed is what this node read in the payload. A gap is time without a",
    "running node: after a stop, after an end without a stop, or a jump of the clock.",
  ].join("\n"),
  options: {
    from: value("--from <time>", "2026-01-31 or 2026-01-31T12:00:00Z; the beginning of the log if absent", moment),
    to: value("--to <time>", "up to this moment; now if absent", moment),
    dir: value("--export <dir>", "report on this export instead of the database"),
    key: value("--key <key>", "the log's key, with --export", (text) => keyOf(text, "log")),
  },
  examples: [
    ["cosigner audit report --from 2026-12-01 --to 2027-01-01", "one month of this node"],
    ["cosigner audit report --export log-2026-12 --key KEY --json", "an auditor's own look"],
  ],
  run: async (base) => {
    const { dir, key, from = 0, to = Number.MAX_SAFE_INTEGER } = base.options
    const writer = new ReportWriter(from, to)
    const add = (leaf: AuditLeaf): void => writer.add(leaf)
    if (dir === undefined) await withStore(base, ({ audit }) => readLeaves(audit).forEach(add))
    else {
      const known = key ?? refuse("--key", "the log's key, with --export", "")
      verifiedExport(dir, { key: known, witnesses: [], isPartial: true, onLeaf: add })
    }
    const made = writer.report()
    base.out.result(jsonOf(made), linesOf(made))
    return EXIT.ok
  },
})

const jsonOf = ({ leaves, tasks, refusals, gaps, acts }: AuditReport) => ({
  leaves,
  tasks: tasks.map(({ atMs, sharesMs, ...task }) => ({ at: time(atMs), ...task, shares: sharesMs.map(time) })),
  refusals: refusals.map(({ atMs, ...rest }) => ({ at: time(atMs), ...rest })),
  gaps: gaps.map(({ fromMs, toMs, cause }) => ({ from: time(fromMs), to: time(toMs), cause })),
  acts: acts.map(({ seq, atMs, kind, facts }) => ({ seq, at: time(atMs), kind, facts })),
})

function linesOf({ leaves, tasks, refusals, gaps, acts }: AuditReport): readonly string[] {
  const signed = tasks.filter(({ end }) => end === "completed").length
  const refused = tasks.filter(({ end }) => end === "rejected").length
  return [
    `Leaves: ${leaves}; tasks: ${tasks.length}, completed ${signed}, rejected ${refused}`,
    ...tasks.flatMap(taskLines),
    ...refusals.map(({ atMs, count, codes }) => `${time(atMs)} refused without a record: ${count} ${codes}`),
    ...acts.map(({ atMs, kind, facts }) => `${time(atMs)} ${kind} ${JSON.stringify(facts)}`),
    ...gaps.map(({ fromMs, toMs, cause }) => `Gap: ${time(fromMs)} to ${time(toMs)}, ${cause}`),
  ]
}

function taskLines(task: ReportedTask): readonly string[] {
  const { atMs, type, initiator, words, intent, decision, code, reason, people, by, sharesMs, end, signature } = task
  const said = (name: string, text: string): readonly string[] => (text === "" ? [] : [`    ${name}: ${text}`])
  return [
    `${time(atMs)} ${type} ${task.task}: ${[decision, end].filter((word) => word !== "").join(", ")}`,
    ...said("Asked by, as WaaS says", initiator),
    ...said("What", words),
    ...said("Intent", intent),
    ...said("People", people.join("; ")),
    ...said("By", by.join("; ")),
    ...said("Why not", `${code} ${reason}`.trim()),
    ...said("Shares left", sharesMs.map(time).join(", ")),
    ...said("Signature", signature),
  ]
}
