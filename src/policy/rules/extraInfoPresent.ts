/**
 * extra_info_present: context that must come with a task, so that callback servers and auditors have it. The rule only checks
 * presence and guards nothing: WaaS can write anything into extra_info, and no rule trusts it.
 */

import { itemsOf, word } from "../../settings/schema.ts"
import { lintList } from "../listLint.ts"
import { SECTIONS } from "../request.ts"
import { allow, defineRule, deny, some } from "../rule.ts"

type ExtraInfo = Readonly<Record<string, unknown>>

export const extraInfoPresent = defineRule({
  key: "extra_info_present",
  formerKey: "extra_info_required",
  sections: SECTIONS,
  code: "E-RSK-015",
  doc: "Dotted names in extra_info that must be present and not empty, so that callback servers and auditors have them. This is no protection: WaaS fills them in, and the node does not check their values. Use `allow`, `deny` and `limits` to control what is signed.",
  schema: itemsOf(word("org.org_id", "A dotted name."), ["org.org_id"], "Context that must come with a task."),
  absent: "not asked",
  check: (names, { extraInfo }) => {
    const missing = names.filter((name) => !present(extraInfo, name))
    return [missing.length === 0 ? allow("the required context is there") : deny(`without ${some(missing)}`)]
  },
  lint: (list, linting) => lintList(list, linting, false),
  allows: () => [],
  refuses: (request, _, draw) => {
    const empty = [{}, [], "", null][draw(4)]
    const extraInfo = draw(2) === 0 ? request.extraInfo : { ...request.extraInfo, "not-there": { below: empty } }
    return { setting: ["not-there.below"], request: { ...request, extraInfo } }
  },
})

function present(info: ExtraInfo, name: string): boolean {
  let at: unknown = info
  for (const key of name.split(".")) {
    if (!isObject(at) || !Object.hasOwn(at, key)) return false
    at = at[key]
  }
  if (at === null || at === undefined || at === "") return false
  return typeof at !== "object" || Object.keys(at).length > 0
}

const isObject = (value: unknown): value is ExtraInfo =>
  typeof value === "object" && value !== null && !Array.isArray(value)
