/**
 * blind_paths: the paths on which a digest may be signed without its payload. Once entries or limits judge what a payload does,
 * every other message needs a payload: a digest alone would evade all of them.
 */
import { formatPath } from "../../keys/path.ts"
import { itemsOf } from "../../settings/schema.ts"
import { lintList } from "../listLint.ts"
import { covers, matchesPath } from "../pathPattern.ts"
import type { KeySignRequest } from "../request.ts"
import { allow, defineRule, deny, some, type WrittenTable } from "../rule.ts"
import { payment } from "../ruleCases.ts"
import { pathPattern } from "../words.ts"

export const blindPaths = defineRule({
  key: "blind_paths",
  sections: ["key_sign"],
  code: "E-RSK-021",
  doc: "Paths on which a digest may be signed without its payload. The rule applies once allow, deny or a limit by amount is written. On all other paths a payload is then required.",
  schema: itemsOf(
    pathPattern("m/86/0/0/*", "A pattern of paths."),
    ["m/86/0/0/*"],
    "Paths on which digests may be signed without being read.",
  ),
  absent: "asked as empty",
  needed: asksForPayloads,
  check: (patterns, { messages }, { section }) => {
    const blind = messages.filter(({ payload }) => payload === undefined)
    if (blind.length === 0) return [allow("every message has its payload")]
    if (!asksForPayloads(section.written)) return [allow("no entry asks what payloads do")]
    const strange = blind.filter(({ path }) => !patterns.some((pattern) => matchesPath(pattern, path)))
    if (strange.length === 0) return [allow("these paths may be signed without payload")]
    return [deny(`without payload: ${some(new Set(strange.map(({ path }) => formatPath(path))))}`)]
  },
  lint: (patterns, linting) => {
    lintList(patterns, linting, false)
    if (linting.section.written["blind_paths"] !== undefined && !asksForPayloads(linting.section.written))
      linting.report("warning", "unreachable: neither allow nor deny nor a limit by amount asks for payloads")
    for (const [i, pattern] of patterns.entries()) {
      const outer = patterns.find((other, j) => i !== j && covers(other, pattern) && !(covers(pattern, other) && j > i))
      if (outer !== undefined) linting.report("warning", `unreachable: ${outer.text} covers it`, `[${i}]`)
    }
  },
  allows: ({ messages }) => messages.filter(({ payload }) => payload === undefined).map(({ path }) => formatPath(path)),
  refuses: (request, _, draw) => ({ setting: draw(2) === 0 ? [] : ["m/2147483647/*"], request: withBlind(request) }),
})

/** A payload, and the last message without one. */
function withBlind(request: KeySignRequest): KeySignRequest {
  const last = request.messages.at(-1)
  const path = last?.path ?? []
  return {
    ...request,
    intents: [payment(path)],
    messages: [...request.messages.slice(0, -1), { path, hash: last?.hash ?? "0x" }],
  }
}

/** Whether some rule of the section judges what payloads do. */
function asksForPayloads(written: WrittenTable): boolean {
  const limits: readonly unknown[] = Array.isArray(written["limits"]) ? written["limits"] : []
  const deny: readonly unknown[] = Array.isArray(written["deny"]) ? written["deny"] : []
  return (
    written["allow"] !== undefined ||
    deny.length > 0 ||
    limits.some((limit) => typeof limit === "object" && limit !== null && Object.hasOwn(limit, "asset"))
  )
}
