/** The schema of one limit: a number of signatures, or an amount of an asset. */
import { type StaticDecode, type StaticEncode, Type } from "@sinclair/typebox"
import { entryOf, line, requiredBoolean, requiredInteger, requiredOneOf, word } from "../settings/schema.ts"
import type { SettingProblem } from "./rule.ts"
import { path, rollingWindow } from "./words.ts"

export const limitSchema = entryOf("One limit.", {
  name: word("hourly", "Unique in the list; the rule is called limits.<name>."),
  per: requiredOneOf(
    ["all", "group", "path_prefix", "destination", "source"],
    "path_prefix",
    "What is counted together: everything, one key (whatever groups hold it), or all keys below a path; for amounts also each destination or each source.",
  ),
  path_prefix: Type.Optional(path("m/44/60", 'Only with per = "path_prefix", which counts signatures.')),
  window: rollingWindow("How far back it counts."),
  max: Type.Optional(requiredInteger(0, 1e12, 100, "Signatures within the window.")),
  asset: Type.Optional(
    word(
      "ETH",
      "The limit counts the amount of this asset instead of signatures: a name of [intent], or a CAIP-19 id.",
    ),
  ),
  max_amount: Type.Optional(
    line("1 ETH", "The largest amount of the asset within the window: transfers out, approvals and the highest fees."),
  ),
  approvals: Type.Optional(
    requiredBoolean(true, "Whether approvals count as if all of them were spent. If left out, they do."),
  ),
})

/** `window` in milliseconds, `path_prefix` as indices. */
export type Limit = StaticDecode<typeof limitSchema>
export type WrittenLimit = StaticEncode<typeof limitSchema>

/** Checks that the schema cannot express: unique names, and which keys go together. */
export const limitProblems = (list: readonly WrittenLimit[]): readonly SettingProblem[] =>
  list.flatMap((one, i) =>
    [
      list.findIndex((other) => other.name === one.name) < i
        ? problem("name", "a name of its own for each limit", one.name)
        : undefined,
      prefixProblem(one),
      kindProblem(one),
    ].flatMap((found) => (found === undefined ? [] : [{ ...found, at: [i, ...found.at] }])),
  )

const problem = (key: string, expected: string, got: unknown): SettingProblem => ({
  at: [key],
  expected,
  got: `${got ?? "nothing"}`,
})

function prefixProblem({ per, path_prefix: prefix }: WrittenLimit): SettingProblem | undefined {
  if (per === "path_prefix")
    return prefix === undefined ? problem("path_prefix", "a path such as m/44/60", prefix) : undefined
  return prefix === undefined ? undefined : problem("path_prefix", 'no path_prefix unless per = "path_prefix"', prefix)
}

/** A limit is of signatures or of an amount, and each has its own scopes. */
function kindProblem({ max, asset, max_amount, per, approvals }: WrittenLimit): SettingProblem | undefined {
  if (asset === undefined) {
    if (max_amount !== undefined) return problem("asset", "the asset of max_amount", asset)
    if (per === "destination" || per === "source") return problem("asset", `an asset, where per = "${per}"`, asset)
    if (approvals !== undefined) return problem("approvals", "no approvals where signatures are counted", approvals)
    return max === undefined ? problem("max", "an integer of 0 or more, or asset and max_amount", max) : undefined
  }
  if (max !== undefined) return problem("max", "no max where an asset is counted: max_amount", max)
  if (max_amount === undefined) return problem("max_amount", "an amount such as 1 ETH", max_amount)
  return per === "path_prefix"
    ? problem("per", "all, group, destination or source, where an asset is counted", per)
    : undefined
}
