/**
 * limits: signatures per rolling window, in all, per group, or under a path prefix (over all groups). `group` counts by the
 * key, not by the group's id: a reshare of mode extend puts the same key under another id, and must not begin at zero. A debit made exactly
 * one window ago still counts, and so does one from what the clock now calls the future.
 *
 * Counters are named by what they count, never by the limit: two limits over the same thing share one counter, and a
 * limit that is renamed, widened or narrowed keeps its history. Only what a limit asks for is counted, so a new kind of
 * limit starts at zero.
 */
import { type StaticDecode, Type } from "@sinclair/typebox"
import { Value } from "@sinclair/typebox/value"
import { formatPath } from "../../keys/path.ts"
import { type Debit, NO_USAGE } from "../decision.ts"
import { formatWindow } from "../duration.ts"
import { reaches } from "../pathPattern.ts"
import type { RequestOf } from "../request.ts"
import { type Answer, allow, defineRule, deny, entry, type Facts, type Linting, type Problem } from "../rule.ts"
import { integer, listOf, oneOf, path, rollingWindow, tableOf, word } from "../words.ts"
import { allowedPaths } from "./allowedPaths.ts"
import { maxBatch } from "./maxBatch.ts"

type Request = RequestOf<"key_sign">

const limit = tableOf(
  {
    name: word("hourly", "Unique in the list; the rule is called limits.<name>."),
    per: oneOf(
      ["all", "group", "path_prefix"],
      "path_prefix",
      "What is counted together: everything, one key (whatever groups hold it), or all keys below a path.",
    ),
    path_prefix: Type.Optional(path("m/44/60", 'Only with per = "path_prefix".')),
    window: rollingWindow("How far back it counts."),
    max: integer(0, 1e12, 100, "Signatures within the window."),
  },
  "One limit.",
)
type Limit = StaticDecode<typeof limit>

const schema = Type.Transform(
  listOf(limit, [{ name: "hourly", per: "path_prefix", path_prefix: "m/44/60", window: "1h", max: 100 }], "Limits."),
)
  // Sorted, so that the order in the file can never matter.
  .Decode((list) => list.toSorted((a, b) => (a.name < b.name ? -1 : 1)))
  .Encode((list) => list)

export const limits = defineRule({
  key: "limits",
  sections: ["key_sign"],
  code: "E-RSK-011",
  doc: "Signatures per rolling window. Every limit must hold.",
  schema,
  absent: "not asked",
  problems: (list) =>
    list.flatMap(({ name, per, path_prefix }, i) => [
      ...(list.findIndex((other) => other.name === name) < i
        ? [{ at: [i, "name"], expected: "a name of its own for each limit", got: name }]
        : []),
      ...prefixProblems(i, per, path_prefix),
    ]),
  check: (list, request, facts) =>
    list.length === 0
      ? [allow("no limit is written")]
      : list.map((one) => entry(one.name, () => ask(one, request, facts))),
  lint: (list, linting) => {
    for (const one of list) lintLimit(one, list, linting)
  },
  allows: ({ messages }, _, draw) => [
    { name: "wide", per: "all" as const, window: "24h", max: messages.length + draw(100) },
  ],
  refuses: (request, _, draw) => {
    const scopes = [
      { per: "all" },
      { per: "group" },
      { per: "path_prefix", path_prefix: request.messages[0]?.path ?? [] },
    ] as const
    const scope = scopes[draw(scopes.length)] ?? scopes[0]
    const used = draw(10)
    const narrow: Limit = { name: "narrow", ...scope, window: 3_600_000, max: 0 }
    const max = used + amountOf(narrow, request) - 1
    return { setting: Value.Encode(schema, [{ ...narrow, max }]), request, usage: { ...NO_USAGE, count: () => used } }
  },
})

function prefixProblems(i: number, per: Limit["per"], prefix: string | undefined): readonly Problem[] {
  const at = [i, "path_prefix"]
  if (per === "path_prefix")
    return prefix === undefined ? [{ at, expected: "a path such as m/44/60", got: "nothing" }] : []
  return prefix === undefined ? [] : [{ at, expected: 'no path_prefix unless per = "path_prefix"', got: prefix }]
}

function ask(one: Limit, request: Request, { usage, nowMs }: Facts): Answer {
  const debit: Debit = { counter: counterOf(one, request), amount: amountOf(one, request) }
  if (debit.amount === 0) return allow("no message of the task counts here")
  const used = usage.count(debit.counter, nowMs - one.window)
  if (!Number.isFinite(used) || used < 0) throw new RangeError(`the counter ${debit.counter} reads ${used}`)
  const sums = `${used} used and ${debit.amount} asked of ${one.max} in ${formatWindow(one.window)}`
  return used + debit.amount <= one.max ? allow(sums, [debit]) : deny(sums)
}

/** The counter of one key, named as KeySignRequest.rootKey has it. */
export const keyCounter = (rootKey: string): string => `sign/key/${rootKey}`

function counterOf(one: Limit, request: Request): string {
  switch (one.per) {
    case "all":
      return "sign/all"
    case "group":
      return keyCounter(request.rootKey)
    case "path_prefix":
      return `sign/path/${formatPath(one.path_prefix ?? [])}`
  }
}

const amountOf = ({ per, path_prefix = [] }: Limit, { messages }: Request): number =>
  per === "path_prefix"
    ? messages.filter(({ path: at }) => path_prefix.every((index, i) => at[i] === index)).length
    : messages.length

function lintLimit(one: Limit, list: readonly Limit[], { section, report }: Linting): void {
  const say = (severity: "error" | "warning", what: string): void => report(severity, what, `.${one.name}`)
  if (one.max === 0) say("error", "max = 0: every task that counts here is rejected")
  const prefix = one.path_prefix
  if (prefix !== undefined && allowedPaths.valueIn(section)?.some((pattern) => reaches(pattern, prefix)) === false)
    say("warning", `unreachable: no allowed path lies under ${formatPath(prefix)}`)
  const batch = maxBatch.valueIn(section)
  if (batch !== undefined && one.max > 0 && batch > one.max)
    say("warning", `max_batch = ${batch} is unreachable: a batch above ${one.max} never passes this limit`)
  const tighter = list.find((other) => other !== one && isTighter(other, one))
  if (tighter !== undefined) {
    say("warning", `unreachable: ${tighter.name} allows ${tighter.max} in ${formatWindow(tighter.window)} of the same`)
  }
}

const isTighter = (other: Limit, one: Limit): boolean =>
  other.per === one.per &&
  formatPath(other.path_prefix ?? []) === formatPath(one.path_prefix ?? []) &&
  other.max <= one.max &&
  other.window >= one.window &&
  (other.max < one.max || other.window > one.window || other.name < one.name)
