/** allowed_paths: the path of every message matches one of the patterns. */
import { formatPath } from "../../keys/path.ts"
import { matchesPath, type PathPattern } from "../pathPattern.ts"
import type { KeySignRequest } from "../request.ts"
import { allow, type Check, deny, some } from "../rule.ts"

export const allowedPaths = (patterns: readonly PathPattern[], messages: KeySignRequest["messages"]): Check => ({
  rule: "key_sign.allowed_paths",
  code: "E-RSK-009",
  ask: () => {
    const strange = messages.filter(({ path }) => !patterns.some((pattern) => matchesPath(pattern, path)))
    return strange.length === 0
      ? allow("every path matches a pattern")
      : deny(`no pattern for ${some(new Set(strange.map(({ path }) => formatPath(path))))}`)
  },
})
