/**
 * extra_info_required: context that must come with a task, so that callback servers and auditors have it. This asks for
 * presence alone; extra_info is what WaaS says, and no rule believes it.
 */

import type { Section } from "../request.ts"
import { allow, type Check, deny, some } from "../rule.ts"

type Info = Readonly<Record<string, unknown>>

export const extraInfoRequired = (section: Section, names: readonly string[], info: Info): Check => ({
  rule: `${section}.extra_info_required`,
  code: "E-RSK-015",
  ask: () => {
    const absent = names.filter((name) => !present(info, name))
    return absent.length === 0 ? allow("the required context is there") : deny(`without ${some(absent)}`)
  },
})

function present(info: Info, name: string): boolean {
  let at: unknown = info
  for (const key of name.split(".")) {
    if (!isObject(at) || !Object.hasOwn(at, key)) return false
    at = at[key]
  }
  if (at === null || at === undefined || at === "") return false
  return typeof at !== "object" || Object.keys(at).length > 0
}

const isObject = (value: unknown): value is Info => typeof value === "object" && value !== null && !Array.isArray(value)
