/**
 * Finds the command that argv names, before any command is loaded. Flags may precede the name, even a command's own flags, whose
 * form is not known yet. So a word after an unknown flag counts as its value only if the word names no command.
 */
import { globalOptions } from "./globals.ts"
import type { Row } from "./row.ts"
import { table } from "./table.ts"

interface Located {
  /** The deepest row that argv names; undefined if it names none. */
  readonly row: Row | undefined
  /** argv with the command's words moved to the front, as commander needs them. */
  readonly argv: readonly string[]
}

const valued = new Set(
  Object.values(globalOptions)
    .filter((option) => option.kind !== "flag")
    .flatMap((option) => option.flags.split(/[ ,]+/).filter((word) => word.startsWith("-"))),
)

export function locate(given: readonly string[], rows: readonly Row[] = table): Located {
  // `help a b` asks for the help of `a b`; `--version` is a convention of such programs.
  if (given[0] === "help") return locate([...given.slice(1), "--help"], rows)
  if (given[0] === "--version" || given[0] === "-V") return locate(["version", ...given.slice(1)], rows)
  const path: string[] = []
  const others: string[] = []
  let at = 0
  for (; at < given.length; at++) {
    const word = given[at] ?? ""
    if (word === "--") break
    if (word.startsWith("-")) {
      others.push(word)
      const next = given[at + 1]
      if (valued.has(word) && next !== undefined) {
        others.push(next)
        at++
      }
    } else if (begins([...path, word], rows)) path.push(word)
    else if (path.length === 0 && others.at(-1)?.startsWith("-")) others.push(word)
    else break
  }
  const row = rows.find((candidate) => same(candidate.path, path))
  return { row, argv: [...path, ...others, ...given.slice(at)] }
}

const same = (a: readonly string[], b: readonly string[]): boolean =>
  a.length === b.length && a.every((word, i) => word === b[i])

const begins = (path: readonly string[], rows: readonly Row[]): boolean =>
  rows.some((row) => same(row.path.slice(0, path.length), path))
