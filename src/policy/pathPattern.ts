/**
 * Patterns of BIP-32 paths, for allowed_paths: `m/44/60/0/0-99`. A level is a number, a range, or a star for any number;
 * two stars as the last level stand for any number of further levels, including none. Otherwise the depth must be equal.
 */
import { HARDENED, MAX_DEPTH } from "../keys/path.ts"

export interface PathPattern {
  readonly text: string
  /** The smallest and the largest index of each level, both included. */
  readonly levels: readonly { readonly min: number; readonly max: number }[]
  /** Ends in `**`. */
  readonly deeper: boolean
}

const LEVEL = /^(0|[1-9][0-9]{0,9})(?:-(0|[1-9][0-9]{0,9}))?$/
const ANY = { min: 0, max: HARDENED - 1 }

/** The pattern, or undefined if the text is not a pattern. */
export function parsePathPattern(text: string): PathPattern | undefined {
  const [root, ...rest] = text.split("/")
  if (root !== "m" || rest.length > MAX_DEPTH) return undefined
  const deeper = rest.at(-1) === "**"
  const levels = (deeper ? rest.slice(0, -1) : rest).map(parseLevel)
  const known = levels.filter((level) => level !== undefined)
  return known.length === levels.length ? { text, levels: known, deeper } : undefined
}

function parseLevel(text: string): { min: number; max: number } | undefined {
  if (text === "*") return ANY
  const found = LEVEL.exec(text)
  if (found === null) return undefined
  const min = Number(found[1])
  const max = Number(found[2] ?? found[1])
  return min <= max && max < HARDENED ? { min, max } : undefined
}

export function matchesPath(pattern: PathPattern, path: readonly number[]): boolean {
  if (path.length < pattern.levels.length) return false
  if (path.length > pattern.levels.length && !pattern.deeper) return false
  return pattern.levels.every((level, i) => {
    const index = path[i]
    return index !== undefined && index >= level.min && index <= level.max
  })
}

/** Whether every path of `inner` is also one of `outer`; for lint. */
export function covers(outer: PathPattern, inner: PathPattern): boolean {
  if (inner.deeper && !outer.deeper) return false
  if (outer.deeper ? inner.levels.length < outer.levels.length : inner.levels.length !== outer.levels.length)
    return false
  return outer.levels.every((level, i) => {
    const other = inner.levels[i]
    return other !== undefined && level.min <= other.min && other.max <= level.max
  })
}

/** Whether some path under `prefix` matches; for lint. */
export function reaches(pattern: PathPattern, prefix: readonly number[]): boolean {
  if (prefix.length > pattern.levels.length && !pattern.deeper) return false
  return pattern.levels.every((level, i) => {
    const index = prefix[i]
    return index === undefined || (index >= level.min && index <= level.max)
  })
}
