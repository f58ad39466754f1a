/**
 * How a decoder refuses. Inside a decoder a problem is thrown, and it leaves the decoder as a value. `attempt` is the one place
 * that converts it, and it converts only Unreadable; any other exception is a bug and passes through.
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

/** Text of a stranger in a form that a problem may contain: quoted, escaped, cut. */
export function excerpt(text: string): string {
  const cut = text.length > LONGEST_EXCERPT ? `${text.slice(0, LONGEST_EXCERPT)}…` : text
  return printable(JSON.stringify(cut))
}

// Controls, formats (bidirectional marks, zero widths, tags), surrogates without a partner, private use, unassigned; line and
// paragraph separators; every space but the plain one.
const UNPRINTABLE = /[\p{C}\p{Zl}\p{Zp}]|(?! )\p{Zs}/u
const EVERY_UNPRINTABLE = new RegExp(UNPRINTABLE.source, "gu")

/** Whether people see exactly what the text contains. Line feeds count as visible. */
export const isPrintable = (text: string): boolean => !UNPRINTABLE.test(text.replaceAll(/\r?\n|\t/g, " "))

/** Writes invisible characters as `\u{…}`. */
export const printable = (text: string): string =>
  text.replaceAll(EVERY_UNPRINTABLE, (letter) => `\\u{${(letter.codePointAt(0) ?? 0).toString(16)}}`)
