/**
 * [embedded_risk_control_rules]: from a TOML table to Rules. Closed: an unknown key, a wrong type, a value out of range is
 * a problem with its place, and one problem refuses the whole set. What file and line that place is, the config knows.
 *
 * A section that is absent while the module is on rejects every task of its kind. reject_all has no default: whoever
 * writes a section says whether it is open.
 */

import type { CurveName } from "../crypto/curve.ts"
import { parsePath } from "../keys/path.ts"
import { MAX_WINDOW_MS, MIN_WINDOW_MS, parseWindow } from "./duration.ts"
import { type PathPattern, parsePathPattern } from "./pathPattern.ts"
import { CURVES, SIGNATURE_TYPES, type SignatureName } from "./request.ts"
import { type Problem, type Table, tableOf } from "./tableReader.ts"
import { DAYS, type Day, isZone, parseClock } from "./zone.ts"

export type { Problem } from "./tableReader.ts"

export interface TimeWindow {
  /** An IANA name, such as Europe/Zurich; daylight saving follows it. */
  readonly zone: string
  readonly days: readonly Day[]
  /** Minutes since midnight of the local clock; from <= t < to. */
  readonly fromMinute: number
  readonly toMinute: number
}

export interface Limit {
  /** Unique in its section; the rule is called limits.<name>. */
  readonly name: string
  /** group: the group's key, and with it every other group that holds the same key. */
  readonly per: "all" | "group" | "path_prefix"
  /** Only for path_prefix; otherwise empty. */
  readonly pathPrefix: readonly number[]
  readonly windowMs: number
  /** Signatures within the window. */
  readonly max: number
}

interface Common {
  readonly rejectAll: boolean
  readonly timeWindows: readonly TimeWindow[] | undefined
  /** Dotted names that must be there and not empty: `transaction.raw_tx_info`. */
  readonly extraInfoRequired: readonly string[] | undefined
}

/** In every section: undefined = that rule was not written, an empty list = nothing passes. */
export interface KeyGenRules extends Common {
  readonly allowList: readonly { readonly threshold: number; readonly nodeIds: readonly string[] }[]
  readonly curves: readonly CurveName[] | undefined
}

export interface KeySignRules extends Common {
  readonly allowedGroups: readonly string[] | undefined
  readonly allowedRootKeys: readonly string[] | undefined
  readonly signatureTypes: readonly SignatureName[] | undefined
  readonly curves: readonly CurveName[] | undefined
  readonly allowedPaths: readonly PathPattern[] | undefined
  readonly maxBatch: number | undefined
  readonly limits: readonly Limit[]
  readonly requiredNodeIds: readonly string[] | undefined
  readonly forbiddenNodeIds: readonly string[] | undefined
}

export interface KeyReshareRules extends Common {
  readonly allowList: readonly {
    readonly xpubkey: string
    readonly newThreshold: number
    readonly newNodeIds: readonly string[]
  }[]
  readonly curves: readonly CurveName[] | undefined
  readonly allowedGroups: readonly string[] | undefined
  readonly requiredNodeIds: readonly string[] | undefined
  readonly forbiddenNodeIds: readonly string[] | undefined
}

export interface KeyShareSignRules extends Common {
  readonly allowedGroups: readonly string[] | undefined
  readonly maxBatch: number | undefined
}

export interface Rules {
  readonly enable: boolean
  readonly keyGen: KeyGenRules | undefined
  readonly keySign: KeySignRules | undefined
  readonly keyReshare: KeyReshareRules | undefined
  readonly keyShareSign: KeyShareSignRules | undefined
}

/** The module switched off: what an absent table means. */
export const RULES_OFF: Rules = {
  enable: false,
  keyGen: undefined,
  keySign: undefined,
  keyReshare: undefined,
  keyShareSign: undefined,
}

export type Checked =
  | { readonly ok: true; readonly rules: Rules }
  | { readonly ok: false; readonly problems: readonly Problem[] }

/** Checks the whole table; `undefined` is the module switched off. Problems are placed relative to the table. */
export function checkRules(value: unknown): Checked {
  if (value === undefined) return { ok: true, rules: RULES_OFF }
  const problems: Problem[] = []
  const top = tableOf(value, [], problems)
  const rules: Rules = {
    enable: top.booleanOr("enable", false),
    keyGen: top.table("key_gen", keyGen),
    keySign: top.table("key_sign", keySign),
    keyReshare: top.table("key_reshare", keyReshare),
    keyShareSign: top.table("key_share_sign", keyShareSign),
  }
  top.close()
  return problems.length === 0 ? { ok: true, rules } : { ok: false, problems }
}

const keyGen = (t: Table): KeyGenRules => ({
  ...common(t),
  allowList:
    t.tables("allow_list", (e) => {
      const nodeIds = e.words("node_ids") ?? e.missing("node_ids", "a list of node ids")
      return { threshold: thresholdOf(e, "threshold", nodeIds), nodeIds }
    }) ?? [],
  curves: t.choices("curves", CURVES),
})

const keySign = (t: Table): KeySignRules => ({
  ...common(t),
  allowedGroups: t.words("allowed_groups"),
  allowedRootKeys: t.words("allowed_root_keys"),
  signatureTypes: t.choices("signature_types", SIGNATURE_TYPES),
  curves: t.choices("curves", CURVES),
  allowedPaths: t.parsed("allowed_paths", "a path pattern such as m/44/60/0/0-99 or m/84/**", parsePathPattern),
  maxBatch: t.integer("max_batch", 1, 1_000_000),
  limits: limits(t),
  requiredNodeIds: t.words("required_node_ids"),
  forbiddenNodeIds: t.words("forbidden_node_ids"),
})

const keyReshare = (t: Table): KeyReshareRules => ({
  ...common(t),
  allowList:
    t.tables("allow_list", (e) => {
      const newNodeIds = e.words("new_node_ids") ?? e.missing("new_node_ids", "a list of node ids")
      return { xpubkey: e.word("xpubkey"), newThreshold: thresholdOf(e, "new_threshold", newNodeIds), newNodeIds }
    }) ?? [],
  curves: t.choices("curves", CURVES),
  allowedGroups: t.words("allowed_groups"),
  requiredNodeIds: t.words("required_node_ids"),
  forbiddenNodeIds: t.words("forbidden_node_ids"),
})

const keyShareSign = (t: Table): KeyShareSignRules => ({
  ...common(t),
  allowedGroups: t.words("allowed_groups"),
  maxBatch: t.integer("max_batch", 1, 1_000_000),
})

function common(t: Table): Common {
  return {
    rejectAll: t.boolean("reject_all"),
    timeWindows: t.tables("time_windows", timeWindow),
    extraInfoRequired: t.words("extra_info_required"),
  }
}

function thresholdOf(entry: Table, key: string, members: readonly string[]): number {
  const threshold = entry.integer(key, 1, 1000) ?? entry.absent(key, "an integer of 1 or more", 1)
  if (members.length > 0 && threshold > members.length) {
    entry.report(key, `at most ${members.length}, the number of its node ids`, threshold)
  }
  return threshold
}

function timeWindow(t: Table): TimeWindow {
  const zone = t.word("zone")
  if (zone !== "" && !isZone(zone)) t.report("zone", "a zone of the IANA database, such as Europe/Zurich or UTC", zone)
  const fromMinute = clock(t, "from", "00:00")
  const toMinute = clock(t, "to", "24:00")
  if (fromMinute >= toMinute) t.report("to", "a time after `from`; a night is two windows", "an earlier or equal time")
  return { zone, days: t.choices("days", DAYS) ?? DAYS, fromMinute, toMinute }
}

function clock(t: Table, key: string, fallback: string): number {
  const text = t.wordOr(key, fallback)
  const minute = parseClock(text)
  if (minute === undefined) t.report(key, "a time from 00:00 to 24:00", text)
  return minute ?? 0
}

function limits(t: Table): readonly Limit[] {
  const seen = new Set<string>()
  const all = t.tables("limits", (e): Limit => {
    const name = e.word("name")
    if (seen.has(name)) e.report("name", "a name of its own for each limit", name)
    seen.add(name)
    const per = e.choice("per", ["all", "group", "path_prefix"]) ?? "all"
    return {
      name,
      per,
      pathPrefix: prefixOf(e, per),
      windowMs: windowOf(e),
      max: e.integer("max", 0, 1e12) ?? e.absent("max", "an integer of 0 or more", 0),
    }
  })
  // Sorted, so that the order in the file can never matter.
  return (all ?? []).toSorted((a, b) => (a.name < b.name ? -1 : 1))
}

function prefixOf(t: Table, per: Limit["per"]): readonly number[] {
  const expected = "a path such as m/44/60"
  if (per !== "path_prefix") {
    if (t.has("path_prefix"))
      t.report("path_prefix", 'no path_prefix unless per = "path_prefix"', t.wordOr("path_prefix", ""))
    return []
  }
  const text = t.word("path_prefix")
  try {
    return text === "" ? [] : parsePath(text)
  } catch {
    t.report("path_prefix", expected, text)
    return []
  }
}

function windowOf(t: Table): number {
  const text = t.word("window")
  const ms = parseWindow(text)
  if (text !== "" && (ms === undefined || ms < MIN_WINDOW_MS || ms > MAX_WINDOW_MS)) {
    t.report("window", "a duration from 1m to 31d, such as 90m, 1h or 7d", text)
  }
  return ms ?? 0
}
