/** Runs the cases against one server and grades its behaviour. */

import { answerCases } from "./cases/answers.ts"
import { bodyCases } from "./cases/bodies.ts"
import { intentCases } from "./cases/intents.ts"
import { loadCases } from "./cases/load.ts"
import { tokenCases } from "./cases/tokens.ts"
import { transactionCases } from "./cases/transactions.ts"
import { approves, type ServerUnderTest } from "./client.ts"
import { ask, type Case, type Kit, keyGenBody, ping, type Sample, type Severity, signBody } from "./kit.ts"

export const allCases: readonly Case[] = [
  ...answerCases,
  ...tokenCases,
  ...bodyCases,
  ...transactionCases,
  ...intentCases,
  ...loadCases,
]

export interface CaseResult {
  readonly id: string
  readonly severity: Severity
  readonly title: string
  readonly outcome: "pass" | "fail" | "skipped"
  /** What the server did, or why the case shows nothing. */
  readonly note: string
}

export interface ConformanceReport {
  readonly url: string
  /** A: nothing failed. B: minor. C: major. F: critical. -: the server approved nothing, so refusals prove nothing. */
  readonly grade: "A" | "B" | "C" | "F" | "-"
  readonly approved: "transaction" | "keygen" | "nothing"
  readonly results: readonly CaseResult[]
}

export interface ConformanceOptions {
  readonly target: ServerUnderTest
  readonly sample: Sample | undefined
  /** Only these; undefined: all. */
  readonly only: readonly string[] | undefined
}

export async function runCases({ target, sample, only }: ConformanceOptions): Promise<ConformanceReport> {
  const kit: Kit = { target, sample, approved: undefined, unanswered: new Set() }
  const ready: Kit = { ...kit, approved: await findApproval(kit) }
  const results: CaseResult[] = []
  for (const one of allCases) {
    if (only === undefined || only.includes(one.id)) results.push(await runCase(ready, one))
  }
  if (only === undefined || only.includes(ANSWERS_ALWAYS.id)) results.push(answersAlways(ready))
  return {
    url: target.url,
    grade: gradeOf(results, ready.approved),
    approved: ready.approved ?? "nothing",
    results,
  }
}

async function findApproval(kit: Kit): Promise<Kit["approved"]> {
  if (kit.sample !== undefined && approves(await ask(kit, "approval", signBody(kit)))) return "transaction"
  return approves(await ask(kit, "approval", keyGenBody(kit))) ? "keygen" : undefined
}

async function runCase(kit: Kit, { id, severity, title, needs, run }: Case): Promise<CaseResult> {
  const result = (outcome: CaseResult["outcome"], note: string): CaseResult => ({ id, severity, title, outcome, note })
  if (needs === "approval" && kit.approved === undefined)
    return result("skipped", "it approves nothing that could be altered")
  if (needs === "transaction" && kit.approved !== "transaction")
    return result("skipped", "no transfer is known that it approves")
  const note = await run(kit)
  if (note !== undefined) return result("fail", note)
  const reply = await ask(kit, id, ping)
  return reply.http === undefined ? result("fail", "after it the server no longer answers pings") : result("pass", "")
}

const ANSWERS_ALWAYS = {
  id: "answers-always",
  severity: "minor",
  title: "answers also what it refuses, rather than closing the connection",
} as const

const answersAlways = ({ unanswered }: Kit): CaseResult =>
  unanswered.size === 0
    ? { ...ANSWERS_ALWAYS, outcome: "pass", note: "" }
    : { ...ANSWERS_ALWAYS, outcome: "fail", note: `no answer to ${[...unanswered].join(", ")}` }

function gradeOf(results: readonly CaseResult[], approved: Kit["approved"]): ConformanceReport["grade"] {
  const failed = new Set(results.filter(({ outcome }) => outcome === "fail").map(({ severity }) => severity))
  if (failed.has("critical")) return "F"
  if (approved === undefined) return "-"
  if (failed.has("major")) return "C"
  return failed.has("minor") ? "B" : "A"
}
