/**
 * Finds the line of a key in a TOML file. The parser reports no positions of values. This code reads only headers and keys.
 * For a key without a line of its own it gives the line of the nearest table or list around it.
 */
import type { KeyPath, LineOf } from "./tree.ts"

const HEADER = /^\s*(\[\[?)\s*(.+?)\s*\]\]?\s*(?:#.*)?$/
const KEY = /^\s*((?:[\w-]+|"[^"]*"|'[^']*')(?:\s*\.\s*(?:[\w-]+|"[^"]*"|'[^']*'))*)\s*=/
const PART = /[\w-]+|"[^"]*"|'[^']*'/g

export function linesOf(source: string): LineOf {
  const lines = new Map<string, number>([["", 1]])
  const lists = new Map<string, number>()
  let table: KeyPath = []
  let quote: string | undefined
  for (const [index, line] of source.split("\n").entries()) {
    const inside = quote
    quote = openQuote(line, quote)
    if (inside !== undefined) continue
    const header = HEADER.exec(line)
    const key = KEY.exec(line)
    if (header !== null) {
      table = placeOf(partsOf(header[2] ?? ""), header[1] === "[[", lists)
      note(lines, table, index + 1)
    } else if (key !== null) note(lines, [...table, ...partsOf(key[1] ?? "")], index + 1)
  }
  return (path) => {
    for (let length = path.length; length > 0; length--) {
      const line = lines.get(nameOf(path.slice(0, length)))
      if (line !== undefined) return line
    }
    return 1
  }
}

const nameOf = (path: KeyPath): string => JSON.stringify(path)

const note = (lines: Map<string, number>, path: KeyPath, line: number): void => {
  if (!lines.has(nameOf(path))) lines.set(nameOf(path), line)
}

const partsOf = (dotted: string): string[] =>
  (dotted.match(PART) ?? []).map((part) => (/^["']/.test(part) ? part.slice(1, -1) : part))

/** The path of a header, with the index of the last table for each list of tables on the way. */
function placeOf(parts: readonly string[], isList: boolean, lists: Map<string, number>): KeyPath {
  let path: KeyPath = []
  for (const [level, part] of parts.entries()) {
    path = [...path, part]
    const name = nameOf(path)
    if (isList && level === parts.length - 1) lists.set(name, (lists.get(name) ?? -1) + 1)
    const last = lists.get(name)
    if (last !== undefined) path = [...path, last]
  }
  return path
}

/** Which multi-line quote is open after this line. */
function openQuote(line: string, open: string | undefined): string | undefined {
  let quote = open
  for (const [mark] of line.matchAll(/"""|'''/g)) {
    if (quote === undefined) quote = mark
    else if (quote === mark) quote = undefined
  }
  return quote
}
