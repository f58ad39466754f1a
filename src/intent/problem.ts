/**
 * How a decoder says no. Inside a decoder a problem is thrown and leaves it as a value: `attempt` is the one place where the
 * two meet, and only Unreadable is turned; anything else is a bug and passes on.
 */
import { type IntentCode, intentCodes } from "../errors/intent.ts"
import type { Problem } from "./reading.ts"

class Unreadable extends Error {
  override readonly name = "Unreadable"
  constructor(readonly problem: Problem) {
    super(problem.message)
  }
}

/** `found` is for people and holds at most a few characters of the payload: see `excerpt`. */
export const problem = (code: IntentCode, at: string, found: string): Problem => ({
  code,
  message: intentCodes[code].what({ found }),
  at,
})

export function refuse(code: IntentCode, at: string, found: string): never {
  throw new Unreadable(problem(code, at, found))
}

export function attempt<T>(decode: () => T): T | Problem {
  try {
    return decode()
  } catch (error) {
    if (error instanceof Unreadable) return error.problem
    throw error
  }
}

const LONGEST_EXCERPT = 40

/** Text of a stranger as it may stand in a problem: quoted, escaped, cut. */
export function excerpt(text: string): string {
  const cut = text.length > LONGEST_EXCERPT ? `${text.slice(0, LONGEST_EXCERPT)}…` : text
  return printable(JSON.stringify(cut))
}

// Controls, formats (bidirectional marks, zero widths, tags), surrogates without a partner, private use, unassigned; line and
// paragraph separators; every space but the plain one.
const UNPRINTABLE = /[\p{C}\p{Zl}\p{Zp}]|(?! )\p{Zs}/u
const EVERY_UNPRINTABLE = new RegExp(UNPRINTABLE.source, "gu")

/** Whether people see exactly what is there. Line feeds count as seen. */
export const isPrintable = (text: string): boolean => !UNPRINTABLE.test(text.replaceAll(/\r?\n|\t/g, " "))

/** What people would not see, as `\u{…}`. */
export const printable = (text: string): string =>
  text.replaceAll(EVERY_UNPRINTABLE, (letter) => `\\u{${(letter.codePointAt(0) ?? 0).toString(16)}}`)
