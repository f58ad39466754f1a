/** A report over a period, made from the leaves of a log: who asked, what it was in words, who approved, what was refused, and where time is missing. */
import type { AuditLeaf, AuditValue } from "./entry.ts"

export interface ReportedTask {
  readonly task: string
  readonly type: string
  readonly atMs: number
  /** As WaaS states it. */
  readonly initiator: string
  readonly words: string
  readonly intent: string
  readonly decision: string
  readonly code: string
  readonly reason: string
  /** The people whose statements the decision consumed: `name: request`, `approve` or `reject`. */
  readonly people: readonly string[]
  /** `rule: outcome (reason)` of the rules worth showing: callback servers, approvals, refusals. */
  readonly by: readonly string[]
  readonly rules: string
  /** When shares left. */
  readonly sharesMs: readonly number[]
  /** completed, failed, cancelled, rejected; empty while it is open. */
  readonly end: string
  readonly signature: string
}

interface ReportedGap {
  readonly fromMs: number
  readonly toMs: number
  readonly cause: "stopped" | "ended without a stop" | "clock set or machine asleep" | "restored or rolled back"
}

export interface AuditReport {
  readonly fromMs: number
  readonly toMs: number
  readonly leaves: number
  readonly tasks: readonly ReportedTask[]
  /** Refused tasks that have no record of their own. */
  readonly refusals: readonly { readonly atMs: number; readonly count: number; readonly codes: string }[]
  readonly gaps: readonly ReportedGap[]
  /** All other leaves, unchanged. */
  readonly acts: readonly AuditLeaf[]
}

const OF_TASKS: readonly string[] = ["approval", "decision", "share", "end", "refusals"]

/** Takes leaves in their order. Leaves outside of the period only matter for the gap at its beginning. */
export class ReportWriter {
  readonly #fromMs: number
  readonly #toMs: number
  readonly #tasks = new Map<string, ReportedTask>()
  readonly #refusals: AuditReport["refusals"][number][] = []
  readonly #gaps: ReportedGap[] = []
  readonly #acts: AuditLeaf[] = []
  #last: AuditLeaf | undefined
  #leaves = 0

  constructor(fromMs: number, toMs: number) {
    this.#fromMs = fromMs
    this.#toMs = toMs
  }

  add(leaf: AuditLeaf): void {
    const gap = gapBefore(this.#last, leaf)
    this.#last = leaf
    if (leaf.atMs < this.#fromMs || leaf.atMs >= this.#toMs) return
    if (gap !== undefined) this.#gaps.push(gap)
    this.#leaves++
    if (!OF_TASKS.includes(leaf.kind)) this.#acts.push(leaf)
    else if (leaf.kind === "refusals") this.#refusals.push(refusalsOf(leaf))
    else this.#task(leaf)
  }

  report(): AuditReport {
    return {
      fromMs: this.#fromMs,
      toMs: this.#toMs,
      leaves: this.#leaves,
      tasks: [...this.#tasks.values()],
      refusals: this.#refusals,
      gaps: this.#gaps,
      acts: this.#acts,
    }
  }

  #task({ kind, facts, atMs }: AuditLeaf): void {
    const task = said(facts["task"])
    const known = this.#tasks.get(task) ?? { ...NOTHING, task, type: said(facts["type"]), atMs }
    if (kind === "approval") {
      const word = `${said(facts["approver"])}: ${said(facts["decision"])}`
      this.#tasks.set(task, { ...known, people: [...known.people, word] })
    } else if (kind === "share") this.#tasks.set(task, { ...known, sharesMs: [...known.sharesMs, atMs] })
    else if (kind === "end")
      this.#tasks.set(task, { ...known, type: said(facts["type"]), end: said(facts["state"]), ...endOf(facts) })
    else this.#tasks.set(task, { ...known, type: said(facts["type"]), ...decisionOf(facts) })
  }
}

const NOTHING: Omit<ReportedTask, "task" | "type" | "atMs"> = {
  ...{ initiator: "", words: "", intent: "", decision: "", code: "", reason: "", by: [], rules: "" },
  ...{ people: [], sharesMs: [], end: "", signature: "" },
}

type LeafFacts = AuditLeaf["facts"]

const said = (value: AuditValue): string => (typeof value === "object" ? JSON.stringify(value) : String(value ?? ""))

const endOf = (facts: LeafFacts): Partial<ReportedTask> => ({
  signature: said(facts["signature"]),
  ...(facts["code"] === undefined ? {} : { code: said(facts["code"]), reason: said(facts["reason"]) }),
})

function decisionOf(facts: LeafFacts): Partial<ReportedTask> {
  const outcomes = facts["outcomes"]
  const by = Array.isArray(outcomes) ? outcomes.map(outcomeText) : []
  const decision = said(facts["decision"])
  return {
    ...{ initiator: said(facts["initiator"]), words: said(facts["words"]), intent: said(facts["intent"]), decision },
    ...{ code: said(facts["code"]), reason: said(facts["reason"]), by, rules: said(facts["rules"]) },
    ...(decision === "reject" ? { end: "rejected" } : {}),
  }
}

function outcomeText(outcome: unknown): string {
  const [rule, how, why] = Array.isArray(outcome) ? outcome : []
  return `${rule}: ${how}${why === "" || why === undefined ? "" : ` (${why})`}`
}

const refusalsOf = ({ atMs, facts }: AuditLeaf): AuditReport["refusals"][number] => ({
  atMs,
  count: Number(facts["count"] ?? 0),
  codes: said(facts["codes"]),
})

function gapBefore(last: AuditLeaf | undefined, { kind, facts, atMs }: AuditLeaf): ReportedGap | undefined {
  if (kind === "clock") {
    const before = facts["before_ms"]
    return { fromMs: typeof before === "number" ? before : atMs, toMs: atMs, cause: "clock set or machine asleep" }
  }
  if (last === undefined) return undefined
  if (kind === "restore" || kind === "rollback") {
    return { fromMs: last.atMs, toMs: atMs, cause: "restored or rolled back" }
  }
  if (kind !== "start") return undefined
  return { fromMs: last.atMs, toMs: atMs, cause: last.kind === "stop" ? "stopped" : "ended without a stop" }
}
