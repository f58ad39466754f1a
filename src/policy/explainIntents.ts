/** For people: what each effect of a task is, which allow entries cover it, and why the others do not. */
import { intentText } from "../intent/text.ts"
import { annotationsOf } from "./annotations.ts"
import { doubtOf } from "./doubt.ts"
import { momentOf } from "./entry.ts"
import { initiatorsOf } from "./initiators.ts"
import { NOBODY, type Presented } from "./people.ts"
import type { KeySignRequest } from "./request.ts"
import { allow, clocks, coverageOf } from "./rules/allow.ts"
import type { Rules } from "./schema.ts"

/** Lines below each payload: its effects in words, and every entry with its answer. Empty for a task without payloads. */
export function explainIntents(
  rules: Rules,
  request: KeySignRequest,
  nowMs: number,
  presented: Presented = NOBODY,
): readonly string[] {
  const { names, sections } = rules
  const list = sections.key_sign === undefined ? undefined : allow.valueIn(sections.key_sign)
  const clockOf = clocks(nowMs)
  const initiators = initiatorsOf(request.extraInfo, names.people, presented)
  return request.intents.flatMap((intent, i) => {
    const texts = intentText(intent.reading, annotationsOf(names))
    const head = `payload ${i + 1}: ${intent.reading.format} on ${intent.reading.chain}`
    if (list === undefined) return [head, ...texts.map((text) => `  ${text}`)]
    const coverage = readable(() => coverageOf(list, names))
    if (typeof coverage === "string") return [head, ...texts.map((text) => `  ${text}`), `  ERROR ${coverage}`]
    const moment = momentOf(intent, initiators, clockOf)
    const { effects, fee } = coverage.of(intent, moment)
    const lines = intent.reading.effects.flatMap((effect, at) => [
      `  ${effects[at] === true ? "covered" : "NOT covered"}: ${texts[at] ?? effect.kind}`,
      ...coverage
        .reasons(intent, moment, effect)
        .map(
          ({ entry, missed }) => `    ${entry}: ${missed === undefined ? "covers it" : `no, ${missed} does not hold`}`,
        ),
    ])
    return [head, ...lines, `  ${fee ? "covered" : "NOT covered"}: its fee`]
  })
}

function readable<T>(read: () => T): T | string {
  try {
    return read()
  } catch (error) {
    return doubtOf(error).reason
  }
}
