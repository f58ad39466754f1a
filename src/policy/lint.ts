/**
 * What is odd about a set of rules that parses: parts that can never be reached, parts that contradict each other, empty
 * lists. An error is a set that rejects everything of a kind by accident; a warning is a part that does nothing.
 */
import { formatPath } from "../keys/path.ts"
import { formatWindow } from "./duration.ts"
import { covers, reaches } from "./pathPattern.ts"
import { SECTIONS, type Section, type SignatureName } from "./request.ts"
import { sameSet } from "./rules/allowList.ts"
import type { KeySignRules, Limit, Rules, TimeWindow } from "./schema.ts"

export interface Finding {
  readonly severity: "error" | "warning"
  /** The key, from [embedded_risk_control_rules] down. */
  readonly where: string
  readonly what: string
}

type Report = (severity: Finding["severity"], where: string, what: string) => void

export function lint(rules: Rules): readonly Finding[] {
  const findings: Finding[] = []
  const report: Report = (severity, where, what) => findings.push({ severity, where, what })
  const sections = [rules.keyGen, rules.keySign, rules.keyReshare, rules.keyShareSign]
  if (!rules.enable) {
    if (sections.some((section) => section !== undefined))
      report("warning", "enable", "the module is off: nothing below is asked")
    return findings
  }
  for (const [i, name] of SECTIONS.entries()) {
    const section = sections[i]
    if (section === undefined) report("warning", name, "no such section: every task of this kind is rejected")
    else if (section.rejectAll) onlyRejects(name, section, report)
    else lintOpen(name, section, report)
  }
  if (rules.keyGen?.rejectAll === false) lintAllowList("key_gen", rules.keyGen.allowList, sameKeyGen, report)
  if (rules.keyReshare?.rejectAll === false)
    lintAllowList("key_reshare", rules.keyReshare.allowList, sameReshare, report)
  if (rules.keySign?.rejectAll === false) lintKeySign(rules.keySign, report)
  return findings
}

type SectionRules = NonNullable<Rules["keyGen"] | Rules["keySign"] | Rules["keyReshare"] | Rules["keyShareSign"]>

function onlyRejects(name: Section, section: SectionRules, report: Report): void {
  const others = Object.entries(section).filter(
    ([key, value]) => key !== "rejectAll" && value !== undefined && !(Array.isArray(value) && value.length === 0),
  )
  if (others.length > 0) {
    report(
      "warning",
      `${name}.reject_all`,
      `unreachable: ${others.map(([key]) => snake(key)).join(", ")}; everything is rejected already`,
    )
  }
}

/** What all sections have in common: lists that are written and empty, words named twice, nodes on both lists. */
function lintOpen(name: Section, section: SectionRules, report: Report): void {
  for (const [key, value] of Object.entries(section)) {
    if (!Array.isArray(value)) continue
    const words = value.filter((word) => typeof word === "string")
    if (
      value.length === 0 &&
      key !== "limits" &&
      key !== "allowList" &&
      key !== "extraInfoRequired" &&
      key !== "forbiddenNodeIds"
    ) {
      report("error", `${name}.${snake(key)}`, "empty list: every task is rejected")
    }
    if (new Set(words).size < words.length) report("warning", `${name}.${snake(key)}`, "an entry is written twice")
  }
  if ("requiredNodeIds" in section) {
    const both = (section.requiredNodeIds ?? []).filter((node) => section.forbiddenNodeIds?.includes(node))
    if (both.length > 0)
      report("error", `${name}.required_node_ids`, `contradiction: ${both.join(", ")} must and must not take part`)
  }
  lintTimeWindows(name, section.timeWindows ?? [], report)
}

function lintAllowList<E>(name: Section, list: readonly E[], same: (a: E, b: E) => boolean, report: Report): void {
  if (list.length === 0)
    report("error", `${name}.allow_list`, "empty list with reject_all = false: every task is rejected")
  for (const [i, entry] of list.entries()) {
    const earlier = list.findIndex((other) => same(other, entry))
    if (earlier < i) report("warning", `${name}.allow_list[${i}]`, `unreachable: entry ${earlier} is the same`)
  }
}

type KeyGenEntry = NonNullable<Rules["keyGen"]>["allowList"][number]
const sameKeyGen = (a: KeyGenEntry, b: KeyGenEntry): boolean =>
  a.threshold === b.threshold && sameSet(a.nodeIds, b.nodeIds)

type ReshareEntry = NonNullable<Rules["keyReshare"]>["allowList"][number]
const sameReshare = (a: ReshareEntry, b: ReshareEntry): boolean =>
  a.xpubkey === b.xpubkey && a.newThreshold === b.newThreshold && sameSet(a.newNodeIds, b.newNodeIds)

function lintTimeWindows(name: Section, windows: readonly TimeWindow[], report: Report): void {
  for (const [i, window] of windows.entries()) {
    const where = `${name}.time_windows[${i}]`
    if (window.days.length === 0) report("warning", where, "unreachable: it has no days")
    const within = windows.findIndex(
      (other, j) =>
        i !== j &&
        other.zone === window.zone &&
        window.days.length > 0 &&
        window.days.every((day) => other.days.includes(day)) &&
        other.fromMinute <= window.fromMinute &&
        window.toMinute <= other.toMinute,
    )
    if (within >= 0) report("warning", where, `unreachable: window ${within} covers it`)
  }
  if (windows.length > 0 && windows.every((window) => window.days.length === 0)) {
    report("error", `${name}.time_windows`, "contradiction: no window is ever open")
  }
}

function lintKeySign(rules: KeySignRules, report: Report): void {
  lintTypesAndCurves(rules, report)
  const patterns = rules.allowedPaths ?? []
  for (const [i, pattern] of patterns.entries()) {
    const outer = patterns.findIndex(
      (other, j) => i !== j && covers(other, pattern) && !(covers(pattern, other) && j > i),
    )
    if (outer >= 0) report("warning", `key_sign.allowed_paths[${i}]`, `unreachable: ${patterns[outer]?.text} covers it`)
  }
  for (const limit of rules.limits) lintLimit(limit, rules, report)
}

const CURVE_OF: Readonly<Record<SignatureName, string>> = { ECDSA: "secp256k1", Schnorr: "secp256k1", EdDSA: "ed25519" }

function lintTypesAndCurves({ signatureTypes, curves }: KeySignRules, report: Report): void {
  if (signatureTypes === undefined || curves === undefined) return
  const dead = signatureTypes.filter((type) => !curves.some((curve) => curve === CURVE_OF[type]))
  if (dead.length === 0) return
  if (dead.length === signatureTypes.length) {
    report("error", "key_sign.signature_types", "contradiction: none of these types exists on the allowed curves")
  } else {
    report(
      "warning",
      "key_sign.signature_types",
      `unreachable: ${dead.join(", ")} does not exist on the allowed curves`,
    )
  }
}

function lintLimit(limit: Limit, rules: KeySignRules, report: Report): void {
  const where = `key_sign.limits.${limit.name}`
  if (limit.max === 0) report("error", where, "max = 0: every task that counts here is rejected")
  if (
    limit.per === "path_prefix" &&
    rules.allowedPaths?.some((pattern) => reaches(pattern, limit.pathPrefix)) === false
  ) {
    report("warning", where, `unreachable: no allowed path lies under ${formatPath(limit.pathPrefix)}`)
  }
  const batch = rules.maxBatch
  if (batch !== undefined && limit.max > 0 && batch > limit.max) {
    report("warning", where, `max_batch = ${batch} is unreachable: a batch above ${limit.max} never passes this limit`)
  }
  const tighter = rules.limits.find(
    (other) =>
      other !== limit &&
      sameScope(other, limit) &&
      other.max <= limit.max &&
      other.windowMs >= limit.windowMs &&
      (other.max < limit.max || other.windowMs > limit.windowMs || other.name < limit.name),
  )
  if (tighter !== undefined) {
    report(
      "warning",
      where,
      `unreachable: ${tighter.name} allows ${tighter.max} in ${formatWindow(tighter.windowMs)} of the same`,
    )
  }
}

const sameScope = (a: Limit, b: Limit): boolean =>
  a.per === b.per && formatPath(a.pathPrefix) === formatPath(b.pathPrefix)

/** The name of a key as the TOML has it. */
const snake = (key: string): string => key.replace(/[A-Z]/g, (capital) => `_${capital.toLowerCase()}`)
