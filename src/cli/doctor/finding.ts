/** What a check of `cosigner doctor` found, and how findings become a report and an exit code. */
import { EXIT, type ExitCode } from "../../errors/entry.ts"
import type { CosignerError } from "../../errors.ts"

/** skipped: the check was not possible and says why; it is neither good nor bad. */
const LEVELS = ["ok", "skipped", "warning", "failure"] as const
export type FindingLevel = (typeof LEVELS)[number]

export interface Finding {
  /** `store.space`: stable, for programs. */
  readonly check: string
  readonly level: FindingLevel
  readonly text: string
  /** An error code with its runbook entry; absent if the finding is ok or skipped. */
  readonly code?: string
  readonly next?: string
}

export interface DoctorSection {
  readonly name: string
  readonly findings: readonly Finding[]
}

export const ok = (check: string, text: string): Finding => ({ check, level: "ok", text })
export const skipped = (check: string, why: string): Finding => ({ check, level: "skipped", text: why })
export const warning = (check: string, error: CosignerError): Finding => problemAt(check, "warning", error)
export const failure = (check: string, error: CosignerError): Finding => problemAt(check, "failure", error)

const problemAt = (check: string, level: FindingLevel, { code, message, next }: CosignerError): Finding => ({
  check,
  level,
  text: message,
  code,
  next,
})

export const worst = (sections: readonly DoctorSection[]): FindingLevel =>
  LEVELS.findLast((level) => sections.some(({ findings }) => findings.some((found) => found.level === level))) ?? "ok"

/** 0 nothing wrong, 1 warnings, 2 failures. */
export const exitOf = (level: FindingLevel): ExitCode =>
  level === "failure" ? EXIT.config : level === "warning" ? EXIT.failure : EXIT.ok

export function linesOf(sections: readonly DoctorSection[]): readonly string[] {
  const all = sections.flatMap(({ findings }) => findings)
  const width = Math.max(0, ...all.map(({ check }) => check.length))
  const count = (level: FindingLevel) => all.filter((found) => found.level === level).length
  return [
    ...sections.flatMap(({ name, findings }) => [name, ...findings.flatMap((found) => textOf(found, width)), ""]),
    `${count("ok")} ok, ${count("warning")} warnings, ${count("failure")} failures, ${count("skipped")} skipped`,
  ]
}

function textOf({ check, level, text, code, next }: Finding, width: number): readonly string[] {
  const mark = level === "warning" || level === "failure" ? level.toUpperCase() : level
  const said = code === undefined ? text : `${code} ${text}`
  const indent = " ".repeat(width + 14)
  return [
    `  ${mark.padEnd(8)}  ${check.padEnd(width)}  ${said.replaceAll("\n", `\n${indent}`)}`,
    ...(next === undefined ? [] : [`${indent}next: ${next}`]),
  ]
}
