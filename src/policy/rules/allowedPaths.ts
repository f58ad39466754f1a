/** allowed_paths: the path of every message must match one of the patterns. */
import { formatPath } from "../../keys/path.ts"
import { itemsOf } from "../../settings/schema.ts"
import { lintList } from "../listLint.ts"
import { covers, matchesPath } from "../pathPattern.ts"
import { allow, defineRule, deny, some } from "../rule.ts"
import { pathPattern } from "../words.ts"

export const allowedPaths = defineRule({
  key: "allowed_paths",
  sections: ["key_sign"],
  code: "E-RSK-009",
  doc: "Every message must be for a path that matches one of these patterns. A level is a number, a range, or * for any; ** at the end is any number of levels.",
  schema: itemsOf(
    pathPattern("m/44/60/0/0/0-99", "A pattern of paths."),
    ["m/44/60/0/0/0-99", "m/84/**"],
    "Paths whose keys may sign.",
  ),
  absent: "not asked",
  check: (patterns, { messages }) => {
    const strange = messages.filter(({ path }) => !patterns.some((pattern) => matchesPath(pattern, path)))
    return [
      strange.length === 0
        ? allow("every path matches a pattern")
        : deny(`no pattern for ${some(new Set(strange.map(({ path }) => formatPath(path))))}`),
    ]
  },
  lint: (patterns, linting) => {
    lintList(patterns, linting, true)
    for (const [i, pattern] of patterns.entries()) {
      const outer = patterns.find((other, j) => i !== j && covers(other, pattern) && !(covers(pattern, other) && j > i))
      if (outer !== undefined) linting.report("warning", `unreachable: ${outer.text} covers it`, `[${i}]`)
    }
  },
  allows: ({ messages }) => messages.map(({ path }) => formatPath(path)),
  refuses: (request, _, draw) => {
    const used = [...new Set(request.messages.map(({ path }) => formatPath(path)))]
    const without = draw(used.length)
    return { setting: ["m/2147483647/1", ...used.filter((__, i) => i !== without)], request }
  },
})
