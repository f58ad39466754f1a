/**
 * What a bundle changes, part by part. A change that lets less pass is in force at once; a change that lets more pass waits (bundle.md
 * 2.4). In doubt a change loosens. Compares the tables of two checked documents; names in rules refer to the same document.
 */
import type { Tree } from "../settings/tree.ts"
import { isTree } from "../settings/tree.ts"
import {
  allowing,
  bounding,
  demanding,
  denying,
  forbidding,
  isSame,
  limiting,
  ownName,
  pairs,
  permitting,
  permittingNone,
  requireName,
  requiring,
  type Tendency,
} from "./bundleEntries.ts"
import { SECTIONS } from "./request.ts"
import { RULES } from "./schema.ts"

/** One part that differs. */
export interface PolicyChange {
  /** `embedded_risk_control_rules.key_sign.allow[payout]` */
  readonly where: string
  readonly tendency: Exclude<Tendency, "same">
  /** The change in words. */
  readonly what: string
}

const tableOf = (tree: unknown, key: string): Readonly<Tree> => {
  const value: unknown = isTree(tree) ? tree[key] : undefined
  return isTree(value) ? value : {}
}

export function policyChanges(before: Readonly<Tree>, after: Readonly<Tree>): readonly PolicyChange[] {
  return [
    ...header(tableOf(before, "bundle"), tableOf(after, "bundle")),
    ...rules(tableOf(before, "embedded_risk_control_rules"), tableOf(after, "embedded_risk_control_rules")),
    ...whole("intent", before, after, "what names stand for, or how payloads are read"),
    ...whole("approvers", before, after, "who may approve"),
    ...whole("approver_groups", before, after, "who counts together"),
    ...operations(before["operation_approvals"], after["operation_approvals"]),
    ...callbacks(before, after),
    ...wholeIn("websocket", "waas_public_key", before, after, "whose tasks are taken"),
    ...switches(before, after),
    ...files(tableOf(before, "files"), tableOf(after, "files")),
  ]
}

const said = (value: unknown): string => (value === undefined ? "nothing" : JSON.stringify(value))

function change(where: string, tendency: Tendency, what: string): readonly PolicyChange[] {
  return tendency === "same" ? [] : [{ where, tendency, what }]
}

// ---- the bundle itself -------------------------------------------------------------------------------------------------

function header(before: Readonly<Tree>, after: Readonly<Tree>): readonly PolicyChange[] {
  const more = (key: string): readonly PolicyChange[] => {
    const [old, young] = [Number(before[key] ?? 0), Number(after[key] ?? 0)]
    return change(`bundle.${key}`, old === young ? "same" : young > old ? "tightens" : "loosens", `${old} -> ${young}`)
  }
  return [
    ...change(
      "bundle.owners",
      before["owners"] === after["owners"] ? "same" : "loosens",
      `${said(before["owners"])} -> ${said(after["owners"])}`,
    ),
    ...more("min"),
    ...more("unfreeze_min"),
    ...more("delay_ms"),
    ...change("bundle.leave", after["leave"] === true ? "loosens" : "same", "the node stops following bundles"),
  ]
}

// ---- rules -------------------------------------------------------------------------------------------------------------

const RULES_AT = "embedded_risk_control_rules"

function rules(before: Readonly<Tree>, after: Readonly<Tree>): readonly PolicyChange[] {
  const [wasOn, isOn] = [before["enable"] === true, after["enable"] === true]
  if (!wasOn && !isOn) return []
  if (!wasOn) return change(`${RULES_AT}.enable`, "tightens", "the rules are asked")
  if (!isOn) return change(`${RULES_AT}.enable`, "loosens", "the rules are no longer asked")
  return SECTIONS.flatMap((name) => section(`${RULES_AT}.${name}`, before[name], after[name]))
}

function section(at: string, before: unknown, after: unknown): readonly PolicyChange[] {
  const [wasShut, isShut] = [isClosed(before), isClosed(after)]
  if (wasShut && isShut) return []
  if (isShut) return change(at, "tightens", "every task of this kind is rejected")
  if (wasShut || !isTree(before) || !isTree(after)) return change(at, "loosens", "tasks of this kind may pass")
  const [old, young] = [renamed(before), renamed(after)]
  const keys = [...new Set([...Object.keys(old), ...Object.keys(young)])].filter((key) => key !== "reject_all").sort()
  return keys.flatMap((key) => rule(`${at}.${key}`, key, old[key], young[key]))
}

const isClosed = (value: unknown): boolean => !isTree(value) || value["reject_all"] !== false

/** The table with rules under their present names. */
function renamed(table: Readonly<Tree>): Readonly<Tree> {
  const nameOf = (key: string) => RULES.find(({ formerKey }) => formerKey === key)?.key ?? key
  return Object.fromEntries(Object.entries(table).map(([key, value]) => [nameOf(key), value]))
}

const COMPARED: Readonly<Record<string, (before: unknown, after: unknown) => Tendency>> = {
  allowed_groups: permitting,
  allowed_paths: permitting,
  allowed_root_keys: permitting,
  curves: permitting,
  signature_types: permitting,
  time_windows: permitting,
  allow_list: permittingNone,
  blind_paths: permittingNone,
  forbidden_node_ids: forbidding,
  extra_info_present: forbidding,
  required_node_ids: demanding,
  max_batch: bounding,
}

/** Lists whose entries have names: what it means that an entry is added or removed, and that an entry changes. */
const LISTED = {
  allow: { added: "loosens", changed: allowing, nameOf: ownName },
  deny: { added: "tightens", changed: denying, nameOf: ownName },
  limits: { added: "tightens", changed: limiting, nameOf: ownName },
  require: { added: "tightens", changed: requiring, nameOf: requireName },
} as const

function rule(at: string, key: string, before: unknown, after: unknown): readonly PolicyChange[] {
  if (isSame(before, after)) return []
  const compared = COMPARED[key]
  if (compared !== undefined) return change(at, compared(before, after), `${said(before)} -> ${said(after)}`)
  if (!isListed(key)) return change(at, "loosens", `${said(before)} -> ${said(after)}`)
  // Without a list every payload passes; with an empty list none does.
  if (key === "allow" && before === undefined) return change(at, "tightens", "payloads need an entry that covers them")
  if (key === "allow" && after === undefined) return change(at, "loosens", "payloads need no entry any more")
  const { added, changed, nameOf } = LISTED[key]
  const removed = added === "loosens" ? "tightens" : "loosens"
  return pairs(before, after, nameOf).flatMap(({ name, before: old, after: young }) => {
    const here = `${at}[${name}]`
    if (old === undefined) return change(here, added, `added: ${said(young)}`)
    if (young === undefined) return change(here, removed, `removed: ${said(old)}`)
    return change(here, changed(old, young), `${said(old)} -> ${said(young)}`)
  })
}

const isListed = (key: string): key is keyof typeof LISTED => Object.hasOwn(LISTED, key)

// ---- what is beside the rules ------------------------------------------------------------------------------------------

function whole(key: string, before: Readonly<Tree>, after: Readonly<Tree>, what: string): readonly PolicyChange[] {
  return change(key, isSame(before[key], after[key]) ? "same" : "loosens", what)
}

const operations = (before: unknown, after: unknown): readonly PolicyChange[] =>
  change("operation_approvals", forbidding(before, after), "what the host needs orders for")

function wholeIn(
  table: string,
  key: string,
  before: Readonly<Tree>,
  after: Readonly<Tree>,
  what: string,
): readonly PolicyChange[] {
  const [old, young] = [tableOf(before, table)[key], tableOf(after, table)[key]]
  return change(`${table}.${key}`, old === young ? "same" : "loosens", `${what}: ${said(old)} -> ${said(young)}`)
}

const addressOf = ({ service_address }: Readonly<Record<string, unknown>>): string => String(service_address)

function callbacks(before: Readonly<Tree>, after: Readonly<Tree>): readonly PolicyChange[] {
  const [old, young] = [tableOf(before, "callback"), tableOf(after, "callback")]
  const servers = ["cb_server", "cb_server_v2"].flatMap((table) =>
    pairs(old[table], young[table], addressOf).flatMap(({ name, before: was, after: is }) => {
      const at = `callback.${table}[${name}]`
      if (was === undefined) return change(at, "tightens", "is asked")
      if (is === undefined) return change(at, "loosens", "is no longer asked")
      return change(at, isSame(was, is) ? "same" : "loosens", "its key")
    }),
  )
  const [asked, asks] = [old["ask_key_share_sign"] === true, young["ask_key_share_sign"] === true]
  const checkups: Tendency = asked === asks ? "same" : asks ? "tightens" : "loosens"
  return [...servers, ...change("callback.ask_key_share_sign", checkups, `${asked} -> ${asks}`)]
}

const SWITCHES = [
  ["danger_allow_unguarded_signing"],
  ["danger_allow_unhardened_process"],
  ["db", "danger_allow_readable_key_file"],
] as const

function switches(before: Readonly<Tree>, after: Readonly<Tree>): readonly PolicyChange[] {
  return SWITCHES.flatMap((path) => {
    const valueIn = (tree: Readonly<Tree>): boolean =>
      (path.length === 1 ? tree[path[0]] : tableOf(tree, path[0])[path[1]]) === true
    const [old, young] = [valueIn(before), valueIn(after)]
    return change(path.join("."), old === young ? "same" : young ? "loosens" : "tightens", `${old} -> ${young}`)
  })
}

/** A file that is added or removed belongs to the part that names it. */
const files = (before: Readonly<Tree>, after: Readonly<Tree>): readonly PolicyChange[] =>
  Object.keys(before).flatMap((path) =>
    change(
      `files.${JSON.stringify(path)}`,
      after[path] === undefined || before[path] === after[path] ? "same" : "loosens",
      "its content",
    ),
  )
